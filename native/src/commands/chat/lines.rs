//! What a person types in a conversation: an editor on a terminal, plain lines elsewhere.
//!
//! Both wait on a thread of their own, so that signals are heard meanwhile.

use reedline::{
    EditCommand, Emacs, FileBackedHistory, KeyCode, KeyModifiers, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, Signal, ValidationResult, Validator,
    default_emacs_keybindings,
};
use std::{
    borrow::Cow,
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};
use tau_core::safety::Gate;
use tokio::sync::oneshot;

use super::history::Kept;

/// Lines of the history file.
const HISTORY_LINES: usize = 5_000;
/// What Ctrl-C on the prompt is called between the editor and this file.
const INTERRUPT: &str = "interrupt";

/// One answer to the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A message, possibly of several lines.
    Text(String),
    /// The person leaves: end of input, Ctrl-C or Ctrl-D on an empty prompt.
    Leave,
    /// A line that is no text, and why; the next may be.
    Wrong(String),
    /// Input cannot be read any more.
    Broken(String),
}

/// Where messages come from.
pub(super) struct Lines {
    prompts: mpsc::Sender<oneshot::Sender<Typed>>,
    stop: Arc<AtomicBool>,
    /// Whether it is a terminal with an editor.
    pub(super) editing: bool,
}

impl Lines {
    /// Reads from stdin; what is typed on a terminal is kept in `history`,
    /// as `gate` lets it through.
    pub(super) fn new(history: PathBuf, gate: Gate) -> Self {
        let editing = io::stdin().is_terminal() && io::stdout().is_terminal();
        let (prompts, asked) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let break_signal = Arc::clone(&stop);
        std::thread::spawn(move || {
            if editing {
                let mut editor = editor(history, gate, break_signal);
                serve(asked, || edited(&mut editor));
            } else {
                serve(asked, || plain(&mut io::stdin().lock()));
            }
        });
        Self {
            prompts,
            stop,
            editing,
        }
    }

    /// The next message.
    pub(super) async fn next(&self) -> Typed {
        let (answer, typed) = oneshot::channel();
        let gone = || Typed::Broken("the reader of standard input ended".into());
        if self.prompts.send(answer).is_err() {
            return gone();
        }
        typed.await.unwrap_or_else(|_| gone())
    }

    /// Ends the editor that is waiting, so that the terminal is as it was before.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn serve(asked: mpsc::Receiver<oneshot::Sender<Typed>>, mut next: impl FnMut() -> Typed) {
    for answer in asked {
        // Whoever asked has gone: nothing is lost, the conversation is over.
        let _ = answer.send(next());
    }
}

fn editor(history: PathBuf, gate: Gate, stop: Arc<AtomicBool>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    // By itself the editor clears the line before it tells of Ctrl-C.
    let interrupt = ReedlineEvent::ExecuteHostCommand(INTERRUPT.into());
    keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('c'), interrupt);
    let editor = Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(Whole))
        .with_break_signal(stop)
        .use_bracketed_paste(true);
    match FileBackedHistory::with_file(HISTORY_LINES, history) {
        Ok(file) => editor.with_history(Box::new(Kept::new(file, gate))),
        // Typing works without a history.
        Err(_) => editor,
    }
}

fn edited(editor: &mut Reedline) -> Typed {
    loop {
        match editor.read_line(&Arrow) {
            Ok(Signal::Success(text)) => return Typed::Text(text),
            Ok(Signal::HostCommand(command)) if command == INTERRUPT => {
                if editor.current_buffer_contents().is_empty() {
                    return Typed::Leave;
                }
                editor.run_edit_commands(&[EditCommand::Clear]);
            }
            Ok(Signal::CtrlC | Signal::CtrlD | Signal::ExternalBreak(_)) => return Typed::Leave,
            Ok(_) => {}
            Err(error) => return Typed::Broken(error.to_string()),
        }
    }
}

fn plain(stdin: &mut impl BufRead) -> Typed {
    let mut text = String::new();
    loop {
        let before = text.len();
        match stdin.read_line(&mut text) {
            Ok(0) if text.trim().is_empty() => return Typed::Leave,
            Ok(0) => return Typed::Text(text),
            Ok(_) if is_whole(text.trim_end_matches(['\n', '\r'])) => return Typed::Text(text),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                text.truncate(before);
                return Typed::Wrong("a line is not UTF-8 text".into());
            }
            Err(error) => return Typed::Broken(error.to_string()),
        }
    }
}

/// Whether a message is complete: no code block is open and no backslash asks for another line.
pub(super) fn is_whole(text: &str) -> bool {
    let fences = text
        .lines()
        .filter(|line| line.trim_start().starts_with("```"))
        .count();
    fences % 2 == 0 && !text.ends_with('\\')
}

struct Whole;

impl Validator for Whole {
    fn validate(&self, text: &str) -> ValidationResult {
        if is_whole(text) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

struct Arrow;

impl Prompt for Arrow {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        ". ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!("search {}: ", search.term).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_block_or_a_backslash_asks_for_more() {
        for (text, whole) in [
            ("hello", true),
            ("hello \\", false),
            ("```rust\nfn a() {}", false),
            ("```rust\nfn a() {}\n```", true),
            ("say ``` in the middle", true),
        ] {
            assert_eq!(is_whole(text), whole, "{text}");
        }
    }

    #[test]
    fn plain_lines_are_joined_until_they_are_whole() {
        let mut input = io::Cursor::new("one\ntwo \\\nthree\n```\na\n");
        let text = |text: &str| Typed::Text(text.into());
        assert_eq!(plain(&mut input), text("one\n"));
        assert_eq!(plain(&mut input), text("two \\\nthree\n"));
        assert_eq!(plain(&mut input), text("```\na\n"));
        assert_eq!(plain(&mut input), Typed::Leave);
        let mut wrong = io::Cursor::new(&b"\xff\xfe\n"[..]);
        assert!(matches!(plain(&mut wrong), Typed::Wrong(_)));
        assert_eq!(plain(&mut wrong), Typed::Leave);
    }
}
