//! `grep`: lines by regular expression.

use std::{
    io::{self, Read},
    ops::ControlFlow,
    path::Path,
};

use cap_std::fs::Dir;
use globset::GlobMatcher;
use grep_matcher::{LineTerminator, Matcher};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};
use serde::Deserialize;
use serde_json::json;
use tau_core::tool::{ToolClass, ToolOutput, ToolSpec};

use super::{
    Call, Cancelled, glob,
    output::{Fault, plural},
    place::{Place, Refused, open_regular},
    walk::Walk,
    workspace::Access,
};

const MAX_MATCHES: u64 = 500;
/// Bytes of one line that are shown, around the match.
const MAX_LINE_BYTES: usize = 300;
/// The longest line that is searched; files with longer ones are counted as not searched.
const MAX_SEARCHED_LINE_BYTES: usize = 4 << 20;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "grep",
        "Search file contents by regular expression; skips ignored and binary files.",
        ToolClass::Read,
        json!({
            "pattern": {"type": "string"},
            "path": {"type": "string", "description": "file or directory"},
            "glob": {"type": "string", "description": "e.g. *.rs"},
            "ignore_case": {"type": "boolean"},
            "context": {"type": "integer", "minimum": 0, "maximum": 20, "description": "lines around"},
        }),
        &["pattern"],
    )
}

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    context: u64,
}

pub(super) fn run(call: &Call) -> Result<ToolOutput, Fault> {
    let arguments: Arguments = call.arguments()?;
    let path = arguments.path.unwrap_or_else(|| ".".into());
    let matcher = RegexMatcherBuilder::new()
        .case_insensitive(arguments.ignore_case)
        .crlf(true)
        .build(&arguments.pattern)
        .map_err(|error| {
            Fault::new("bad regular expression").cause(error).hint(
                "Rust syntax, one line at a time; escape ( [ { . * + ? | with \\ to match them",
            )
        })?;
    let filter = arguments.glob.as_deref().map(file_filter).transpose()?;
    let place = call.workspace.resolve(&path, Access::Read)?;
    let is_dir = place
        .metadata(&path)?
        .ok_or_else(|| place.missing())?
        .is_dir();
    let mut search = Search::new(call, matcher, arguments.context);

    let walk = if is_dir {
        let below = place.real.len() + usize::from(!place.real.is_empty());
        Some(Walk::run(
            &call.workspace,
            &path,
            &call.cancelled,
            &mut |found| {
                let wanted = filter
                    .as_ref()
                    .is_none_or(|filter| filter.is_match(&found.path[below..]));
                if wanted && !found.is_link {
                    search.file(found.dir, Path::new(found.name), found.path);
                }
                search.flow()
            },
        )?)
    } else {
        search.one(&place, &path)?;
        None
    };
    let notice = walk.map(|walk| walk.notice()).unwrap_or_default();
    Ok(ToolOutput::ok(search.report(&notice)))
}

/// A glob that, without a slash, means a file's name in any directory.
fn file_filter(pattern: &str) -> Result<GlobMatcher, Fault> {
    if pattern.contains('/') {
        glob::compile(pattern)
    } else {
        glob::compile(&format!("**/{pattern}"))
    }
}

struct Search<'a> {
    searcher: Searcher,
    matcher: RegexMatcher,
    cancelled: &'a Cancelled,
    room: usize,
    text: String,
    matches: u64,
    files: u64,
    not_searched: u64,
    full: bool,
}

impl<'a> Search<'a> {
    fn new(call: &'a Call, matcher: RegexMatcher, context: u64) -> Self {
        let context = usize::try_from(context.min(20)).unwrap_or(0);
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .line_terminator(LineTerminator::crlf())
            .before_context(context)
            .after_context(context)
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(MAX_SEARCHED_LINE_BYTES))
            .build();
        Self {
            searcher,
            matcher,
            cancelled: &call.cancelled,
            room: call.output_bytes.saturating_sub(300),
            text: String::new(),
            matches: 0,
            files: 0,
            not_searched: 0,
            full: false,
        }
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.full {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// A file that was asked for by name: why it cannot be searched is worth saying.
    fn one(&mut self, place: &Place, path: &str) -> Result<(), Fault> {
        let (file, _) = place.open_file(path)?;
        self.search(file, &place.real);
        Ok(())
    }

    fn file(&mut self, dir: &Dir, name: &Path, path: &str) {
        match open_regular(dir, name.as_os_str(), path) {
            Ok((file, _)) => self.search(file, path),
            Err(Refused::Missing) => {}
            Err(Refused::Because(_)) => self.not_searched += 1,
        }
    }

    fn search(&mut self, file: impl Read, path: &str) {
        let before = self.text.len();
        let matches = self.matches;
        let mut lines = Lines {
            matcher: &self.matcher,
            path,
            text: &mut self.text,
            room: self.room,
            matches: &mut self.matches,
            full: &mut self.full,
            binary: false,
        };
        let reader = Until {
            inner: file,
            cancelled: self.cancelled,
        };
        let done = self
            .searcher
            .search_reader(&self.matcher, reader, &mut lines);
        if lines.binary {
            self.text.truncate(before);
            self.matches = matches;
            self.full = false;
        } else if done.is_err() {
            self.not_searched += 1;
        }
        self.files += u64::from(self.matches > matches);
    }

    fn report(self, notice: &str) -> String {
        let mut text = self.text;
        if self.matches == 0 {
            text.push_str("no matches\n");
        }
        if self.full {
            text.push_str(&format!(
                "[stopped after {} in {}; there may be more: narrow the pattern, path or glob]\n",
                plural(self.matches, "match", "matches"),
                plural(self.files, "file", "files"),
            ));
        }
        if self.not_searched > 0 {
            text.push_str(&format!(
                "[{} not searched: unreadable, with hard links or with enormous lines]\n",
                plural(self.not_searched, "file", "files"),
            ));
        }
        text.push_str(notice);
        text
    }
}

/// Takes the lines of one file.
struct Lines<'a> {
    matcher: &'a RegexMatcher,
    path: &'a str,
    text: &'a mut String,
    room: usize,
    matches: &'a mut u64,
    full: &'a mut bool,
    binary: bool,
}

impl Lines<'_> {
    /// Adds `path:12: text`, or says that there is no room.
    fn push(&mut self, mark: char, number: Option<u64>, line: &[u8]) -> bool {
        let line = match mark {
            ':' => around_match(self.matcher, line),
            _ => shown(line, 0, MAX_LINE_BYTES),
        };
        let entry = format!("{}{mark}{}{mark} {line}\n", self.path, number.unwrap_or(0));
        *self.full |= self.text.len() + entry.len() > self.room;
        if !*self.full {
            self.text.push_str(&entry);
        }
        !*self.full
    }
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        if *self.matches >= MAX_MATCHES {
            *self.full = true;
            return Ok(false);
        }
        let fits = self.push(':', found.line_number(), found.bytes());
        *self.matches += u64::from(fits);
        Ok(fits)
    }

    fn context(&mut self, _: &Searcher, found: &SinkContext<'_>) -> Result<bool, io::Error> {
        Ok(self.push('-', found.line_number(), found.bytes()))
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, io::Error> {
        if !self.text.is_empty() && self.text.len() + 3 <= self.room {
            self.text.push_str("--\n");
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, io::Error> {
        self.binary = true;
        Ok(false)
    }
}

/// The part of a long line that shows why it matched.
fn around_match(matcher: &RegexMatcher, line: &[u8]) -> String {
    let start = matcher
        .find(line)
        .ok()
        .flatten()
        .map_or(0, |found| found.start());
    let from = if line.len() <= MAX_LINE_BYTES {
        0
    } else {
        start.saturating_sub(MAX_LINE_BYTES / 3)
    };
    shown(line, from, MAX_LINE_BYTES)
}

fn shown(line: &[u8], from: usize, limit: usize) -> String {
    let line = line.trim_ascii_end();
    let from = from.min(line.len());
    let to = (from + limit).min(line.len());
    let mut text = String::from_utf8_lossy(&line[from..to]).into_owned();
    // Cutting by bytes leaves halves of characters at both ends.
    if from > 0 {
        text = format!("…{}", text.trim_start_matches('\u{fffd}'));
    }
    if to < line.len() {
        text.truncate(text.trim_end_matches('\u{fffd}').len());
        text.push('…');
    }
    text
}

/// A reader that ends when nobody waits any more.
struct Until<'a, R> {
    inner: R,
    cancelled: &'a Cancelled,
}

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.is_set() {
            return Err(io::Error::other("cancelled"));
        }
        self.inner.read(buffer)
    }
}
