//! Findings for people: where, what, and the words around it with secrets masked.

use anstyle::{AnsiColor, Style};
use tau_core::safety::{Finding, Kind, Severity};

use crate::ui;

/// Characters of an excerpt.
const EXCERPT: usize = 72;
/// Bytes before and after a secret that say what it is.
const AROUND: usize = 40;
/// Stands for a secret, whatever its length.
const MASK: &str = "••••••";

/// One line a finding. `hidden` are the places that are masked in every excerpt.
pub(super) fn lines(
    text: &str,
    name: Option<&str>,
    findings: &[Finding],
    hidden: &[Finding],
) -> Vec<String> {
    let mut places: Vec<(usize, usize)> = hidden
        .iter()
        .map(|hidden| (hidden.start, hidden.end))
        .collect();
    places.sort_unstable();
    let mut cursor = Cursor::default();
    let line = |finding: &Finding| {
        let (line, column) = cursor.at(text, finding.start);
        let name = name.map_or_else(String::new, |name| format!("{}:", ui::one_line(name, 200)));
        let severity = match finding.severity {
            Severity::Low => ui::dim("low   "),
            Severity::Medium => ui::caution("medium"),
            Severity::High => ui::bad("high  "),
        };
        let excerpt = ui::one_line(&excerpt(text, finding, &places), EXCERPT);
        format!(
            "{} {severity} {} {}  {excerpt}",
            ui::bold(format_args!("{name}{line}:{column}")),
            finding.kind,
            ui::styled(
                Style::new().fg_color(Some(AnsiColor::Cyan.into())),
                &finding.family
            ),
        )
    };
    findings.iter().map(line).collect()
}

/// The words of a finding; of a secret, those around it.
fn excerpt(text: &str, finding: &Finding, hidden: &[(usize, usize)]) -> String {
    let around = if finding.kind == Kind::Secret {
        AROUND
    } else {
        0
    };
    let line_start = text[..finding.start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[finding.end..]
        .find('\n')
        .map_or(text.len(), |at| finding.end + at);
    let start = text
        .ceil_char_boundary(finding.start.saturating_sub(around))
        .max(line_start);
    let end = text
        .floor_char_boundary((finding.end + around).min(text.len()))
        .min(line_end);
    // More than this is not shown, and a secret may be cut only by its mask.
    let end = end.min(text.ceil_char_boundary((finding.end + around).min(start + 16 * EXCERPT)));
    masked(text, start, end, hidden)
}

/// The text from `start` to `end`; a hidden place of which any byte would be shown is masked whole.
fn masked(text: &str, start: usize, end: usize, hidden: &[(usize, usize)]) -> String {
    let mut shown = String::new();
    let mut at = start;
    for &(from, to) in hidden
        .iter()
        .filter(|(from, to)| *from < end && *to > start)
    {
        if to <= at {
            continue;
        }
        if from > at {
            shown.push_str(&text[at..from]);
        }
        if !shown.ends_with(MASK) {
            shown.push_str(MASK);
        }
        at = to;
    }
    if at < end {
        shown.push_str(&text[at..end]);
    }
    shown
}

/// Line and column of places that only go forward, so that many findings are read past once.
#[derive(Default)]
struct Cursor {
    seen: usize,
    lines: usize,
    line_start: usize,
}

impl Cursor {
    /// Both from 1; a column is a character.
    fn at(&mut self, text: &str, place: usize) -> (usize, usize) {
        for (newline, _) in text[self.seen..place].match_indices('\n') {
            self.lines += 1;
            self.line_start = self.seen + newline + 1;
        }
        self.seen = place;
        let column = text[self.line_start..place].chars().count() + 1;
        (self.lines + 1, column)
    }
}
