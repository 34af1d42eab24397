//! What a tool may say: failures of one shape, and text that keeps to the call's limit.
//!
//! Nothing leaves a tool longer than [`ToolLimits::output_bytes`](tau_core::tool::ToolLimits), and
//! whatever was cut says so in its place.

use std::{fmt, io};

use tau_core::{
    message::{ToolStatus, explain},
    tool::ToolOutput,
};

/// Why a call failed, in words a model can act on.
#[derive(Debug)]
pub(super) struct Fault {
    status: ToolStatus,
    problem: String,
    cause: Option<String>,
    hint: Option<String>,
}

impl Fault {
    /// The call could not do what it is for.
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self {
            status: ToolStatus::Error,
            problem: problem.into(),
            cause: None,
            hint: None,
        }
    }

    /// The call asked for what the workspace never gives.
    pub(super) fn denied(problem: impl Into<String>) -> Self {
        Self {
            status: ToolStatus::Denied,
            ..Self::new(problem)
        }
    }

    /// The operating system said no.
    pub(super) fn io(problem: impl Into<String>, error: &io::Error) -> Self {
        Self::new(problem).cause(error)
    }

    /// Adds why.
    pub(super) fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds what to do instead.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same for a person, without the hint.
    pub(super) fn in_a_line(self) -> String {
        match self.cause {
            Some(cause) => format!("{}: {cause}", self.problem),
            None => self.problem,
        }
    }

    /// The result that the model gets.
    pub(super) fn into_output(self) -> ToolOutput {
        ToolOutput {
            status: self.status,
            text: explain(&self.problem, self.cause.as_deref(), self.hint.as_deref()),
            images: Vec::new(),
            labels: None,
            ran: None,
        }
    }
}

/// `12345` as `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 line`, `2 lines`.
pub(super) fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// What stands where `bytes` were left out.
pub(super) fn gap(bytes: u64) -> String {
    format!("[… {} left out …]", plural(bytes, "byte", "bytes"))
}

/// Cuts `text` in the middle to at most `limit` bytes, at line ends where they are near.
///
/// A limit too small for the notice gives the start of the text alone.
pub(super) fn fit(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    // The notice with the largest number it can hold, and its two line ends.
    let reserve = gap(text.len() as u64).len() + 2;
    let Some(keep) = limit.checked_sub(reserve).filter(|keep| *keep >= 32) else {
        return text[..text.floor_char_boundary(limit)].to_owned();
    };
    let mut head = text.floor_char_boundary(keep / 2);
    let mut tail = text.ceil_char_boundary(text.len() - (keep - keep / 2));
    if let Some(end) = text[..head]
        .rfind('\n')
        .filter(|end| head - end <= keep / 8)
    {
        head = end;
    }
    if let Some(start) = text[tail..].find('\n').filter(|start| *start <= keep / 8) {
        tail += start + 1;
    }
    let notice = gap((tail - head) as u64);
    format!("{}\n{notice}\n{}", &text[..head], &text[tail..])
}

/// At most `limit` bytes of `line`, with `…` where it was cut.
pub(super) fn clip(line: &str, limit: usize) -> String {
    if line.len() <= limit {
        line.to_owned()
    } else {
        format!("{}…", &line[..line.floor_char_boundary(limit)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn text_is_cut_in_the_middle_at_character_boundaries_within_the_limit() {
        for limit in 0..400 {
            let cut = fit("é€🙂x\n".repeat(100), limit);
            assert!(cut.len() <= limit, "{} > {limit}", cut.len());
        }
        let cut = fit(format!("start{}end", "-".repeat(10_000)), 200);
        assert!(cut.starts_with("start") && cut.ends_with("end") && cut.contains("bytes left out"));
    }

    #[test]
    fn text_within_the_limit_is_untouched() {
        assert_eq!(fit("as it is".into(), 8), "as it is");
    }
}
