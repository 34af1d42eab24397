//! Everything the program says: data and answers on stdout, all else on stderr.
//!
//! Invariant: text that did not come from Tau is printed without control characters, so a model or
//! a file cannot steer the terminal.

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::exit::Error;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// Set when stdout could not be written for another reason than a reader that went away.
static FAILED: AtomicBool = AtomicBool::new(false);
/// Set when the reader of stdout went away.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR or CLICOLOR=0 says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where output goes and how much of it. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    quiet: bool,
}

impl Ui {
    /// Sets the colours for the whole program.
    pub(crate) fn new(color: Color, quiet: bool) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        Self { quiet }
    }

    /// The same, that says only what needs attention.
    pub(crate) fn quietly(self) -> Self {
        Self { quiet: true }
    }

    /// Data, as it is, without a line end.
    pub(crate) fn out(self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Bytes, as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        let mut stdout = io::stdout().lock();
        note_failure(stdout.write_all(bytes).and_then(|()| stdout.flush()));
    }

    /// One line of data.
    pub(crate) fn line(self, text: impl Display) {
        let mut stdout = anstream::stdout().lock();
        note_failure(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
    }

    /// One line of JSON.
    pub(crate) fn json(self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.out(&(text + "\n")),
            Err(error) => self.warn(format!("cannot be shown as JSON: {error}")),
        }
    }

    /// One line on stderr, left out with `--quiet`.
    pub(crate) fn note(self, text: impl Display) {
        if !self.quiet {
            say(format_args!("{DIM}{text}{DIM:#}"));
        }
    }

    /// One line on stderr in its own colours, left out with `--quiet`.
    pub(crate) fn tell(self, text: impl Display) {
        if !self.quiet {
            say(format_args!("{text}"));
        }
    }

    /// Something that needs attention. Shown with `--quiet`, too.
    pub(crate) fn warn(self, text: impl Display) {
        say(format_args!("{YELLOW}notice:{YELLOW:#} {text}"));
    }

    /// A question or a prompt on stderr, without a line end.
    pub(crate) fn ask(self, text: impl Display) {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    }

    /// Why the command failed.
    pub(crate) fn error(self, error: &Error) {
        let message = plain(&error.message);
        say(format_args!("{RED}{BOLD}error:{BOLD:#}{RED:#} {message}"));
        if let Some(cause) = &error.cause {
            say(format_args!("{BOLD}cause:{BOLD:#} {}", plain(cause)));
        }
        if let Some(hint) = &error.hint {
            say(format_args!("{CYAN}hint:{CYAN:#} {}", plain(hint)));
        }
    }

    /// Whether the reader of stdout went away: whoever could write for ever stops.
    pub(crate) fn stdout_closed(self) -> bool {
        CLOSED.load(Ordering::Relaxed)
    }

    /// Whether stdout could be written; a reader that went away is no failure.
    pub(crate) fn stdout_failed(self) -> bool {
        FAILED.load(Ordering::Relaxed)
    }
}

fn say(text: std::fmt::Arguments<'_>) {
    let mut stderr = anstream::stderr().lock();
    // There is nobody to tell that stderr is gone.
    let _ = writeln!(stderr, "{text}");
}

fn note_failure(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            FAILED.store(true, Ordering::Relaxed);
        }
        Err(_) => CLOSED.store(true, Ordering::Relaxed),
        Ok(()) => {}
    }
}

/// Whether a person can be asked: they type on stdin and read stderr.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// `text` without what a terminal would act on.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect()
}

/// The first line of `text`, at most `width` characters.
pub(crate) fn one_line(text: &str, width: usize) -> String {
    let text = plain(text);
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > width {
        words = words.chars().take(width.saturating_sub(1)).collect();
        words.push('…');
    }
    words
}

/// A styled piece of text.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Dimmed.
pub(crate) fn dim(text: impl Display) -> String {
    styled(DIM, text)
}

/// Emphasised.
pub(crate) fn bold(text: impl Display) -> String {
    styled(BOLD, text)
}

/// What went well.
pub(crate) fn good(text: impl Display) -> String {
    styled(GREEN, text)
}

/// What did not.
pub(crate) fn bad(text: impl Display) -> String {
    styled(RED, text)
}

/// What needs attention.
pub(crate) fn caution(text: impl Display) -> String {
    styled(YELLOW, text)
}

/// A diff's lines in their colours.
pub(crate) fn diff_line(line: &str) -> String {
    match line.as_bytes().first() {
        Some(b'+') => good(line),
        Some(b'-') => bad(line),
        _ => dim(line),
    }
}

/// How long ago `at` was, roughly.
pub(crate) fn ago(at: tau_core::ids::UnixMillis, now: tau_core::ids::UnixMillis) -> String {
    let seconds = now.since(at) / 1_000;
    match seconds {
        0..60 => "just now".into(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\u{7}\r\n\tc\u{202e}d"), "a[31mb\n\tcd");
    }

    #[test]
    fn long_text_is_one_short_line() {
        assert_eq!(one_line("a  b\nc", 10), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
