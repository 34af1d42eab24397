//! `edit`: one exact replacement, or all of them.
//!
//! The file's byte order mark and line ends stay: where the text as given is not found, it is
//! looked for with the file's line ends, and the replacement gets them too.

use std::io::Read;

use serde::Deserialize;
use serde_json::json;
use tau_core::tool::{ToolClass, ToolOutput, ToolSpec};

use super::{
    Call, diff,
    output::{Fault, clip, count, plural},
    workspace::Access,
};

const MAX_BYTES: u64 = 16 << 20;
/// Lines looked at for one that resembles what was not found.
const MAX_COMPARED_LINES: usize = 50_000;
const MAX_SHOWN: usize = 8;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "edit",
        "Replace exact text in a file.",
        ToolClass::Write,
        json!({
            "path": {"type": "string"},
            "old": {"type": "string", "description": "must occur once unless all"},
            "new": {"type": "string"},
            "all": {"type": "boolean"},
        }),
        &["path", "old", "new"],
    )
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    old: String,
    new: String,
    #[serde(default)]
    all: bool,
}

pub(super) fn run(call: &Call) -> Result<ToolOutput, Fault> {
    let Arguments {
        path,
        old,
        new,
        all,
    } = call.arguments()?;
    if old.is_empty() {
        return Err(Fault::new("old is empty").hint("use write to create or replace a whole file"));
    }
    if old == new {
        return Err(Fault::new("old and new are the same: nothing to change"));
    }
    let place = call.workspace.resolve(&path, Access::Write)?;
    let _lock = call.workspace.lock(&place);
    let (file, metadata) = place.open_file(&path)?;
    if metadata.permissions().readonly() {
        return Err(Fault::new(format!("{path} is read-only")));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::io(format!("cannot read {path}"), &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Fault::new(format!(
            "{path} is too large to edit: {} bytes",
            count(metadata.len())
        ))
        .hint("at most 16 MiB; use the shell, for example sed"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        Fault::new(format!("{path} is not UTF-8 text"))
            .cause(error.utf8_error())
            .hint("use the shell to convert or change it")
    })?;

    let change = Change::find(&text, old, new);
    let found = text.matches(&change.old).count();
    if found == 0 {
        return Err(not_found(&path, &text, &change.old));
    }
    if found > 1 && !all {
        return Err(ambiguous(&path, &text, &change.old, found));
    }
    let edited = text.replace(&change.old, &change.new);
    if edited == text {
        return Err(Fault::new(
            "old and new are the same but for line ends: nothing to change",
        ));
    }
    if call.cancelled.is_set() {
        return Err(Fault::new("cancelled"));
    }
    place.replace(&path, edited.as_bytes(), Some(&metadata))?;
    let places = plural(found as u64, "place", "places");
    let diff = diff::unified(&text, &edited, call.output_bytes.saturating_sub(200));
    Ok(ToolOutput::ok(format!(
        "edited {path} in {places}\n{}",
        diff.unwrap_or_default()
    )))
}

/// What to look for and what to put there, with line ends as in the file.
struct Change {
    old: String,
    new: String,
}

impl Change {
    fn find(text: &str, old: String, new: String) -> Self {
        let line_feeds = text.matches('\n').count();
        let crlf = text.matches("\r\n").count();
        let with_crlf = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
        let with_lf = |text: &str| text.replace("\r\n", "\n");
        if crlf > 0 && crlf == line_feeds {
            return Self {
                old: with_crlf(&old),
                new: with_crlf(&new),
            };
        }
        if text.contains(&old) {
            return Self { old, new };
        }
        // Mixed line ends, or a model that wrote CRLF for a file that has none.
        for convert in [&with_crlf as &dyn Fn(&str) -> String, &with_lf] {
            let converted = convert(&old);
            if text.contains(&converted) {
                return Self {
                    old: converted,
                    new: convert(&new),
                };
            }
        }
        Self { old, new }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn ambiguous(path: &str, text: &str, old: &str, found: usize) -> Fault {
    let mut lines: Vec<String> = text
        .match_indices(old)
        .take(MAX_SHOWN)
        .map(|(at, _)| line_of(text, at).to_string())
        .collect();
    if found > MAX_SHOWN {
        lines.push("…".into());
    }
    Fault::new(format!(
        "old occurs {found} times in {path}, at lines {}",
        lines.join(", ")
    ))
    .hint("add surrounding lines to old until it is unique, or set all")
}

fn not_found(path: &str, text: &str, old: &str) -> Fault {
    let fault = Fault::new(format!("old does not occur in {path}"));
    let Some(wanted) = old.lines().find(|line| !line.trim().is_empty()) else {
        return fault.hint("read the file again");
    };
    let wanted = clip(wanted.trim(), 200);
    let mut near: Vec<(f64, usize, &str)> = text
        .lines()
        .take(MAX_COMPARED_LINES)
        .enumerate()
        .filter(|(_, line)| line.len() < 2_000 && !line.trim().is_empty())
        .map(|(index, line)| (likeness(&wanted, line.trim()), index + 1, line))
        .filter(|(score, ..)| *score > 0.6)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    if near.is_empty() {
        return fault.hint("read the file again");
    }
    let exact = near[0].0 >= 1.0;
    let lines: Vec<String> = near
        .iter()
        .take(3)
        .map(|(_, number, line)| format!("{number}: {}", clip(line, 200)))
        .collect();
    let fault = fault.cause(format!("the nearest lines are\n{}", lines.join("\n")));
    fault.hint(if exact {
        "the text must match exactly, white space and following lines included"
    } else {
        "copy the text from the file exactly"
    })
}

/// From 0 to 1; cheap to refuse where lengths differ much.
fn likeness(a: &str, b: &str) -> f64 {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    if short * 5 < long * 3 {
        return 0.0;
    }
    strsim::normalized_levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::Change;

    #[test]
    fn line_ends_follow_the_file() {
        for (text, old, new, expected) in [
            ("a\r\nb\r\n", "a\nb", "c\nd", "c\r\nd\r\n"),
            ("a\r\nb\r\n", "a\r\nb", "c\r\nd", "c\r\nd\r\n"),
            ("a\r\nb\r\n", "b", "c\nd", "a\r\nc\r\nd\r\n"),
            ("a\nb\n", "a\r\nb", "c\r\nd", "c\nd\n"),
            ("a\r\nb\nc\n", "a\nb", "x\ny", "x\r\ny\nc\n"),
            ("a\r\nb\nc\n", "b\nc", "x\ny", "a\r\nx\ny\n"),
        ] {
            let change = Change::find(text, old.into(), new.into());
            assert_eq!(
                text.replace(&change.old, &change.new),
                expected,
                "{text:?} {old:?}"
            );
        }
    }
}
