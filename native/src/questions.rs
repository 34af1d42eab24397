//! Approvals: who answers when a tool call needs a yes. Nobody to ask is a no.

mod typed;

use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};
use tau_core::{ids::CallId, policy::Refusal, session::Command, tool::dispatch};
use tokio::sync::mpsc::WeakUnboundedSender;

use crate::ui::{self, Ui};

/// How questions of a whole conversation are answered.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    /// Yes to all.
    pub(crate) yes: bool,
    /// Yes to these tools.
    pub(crate) tools: BTreeSet<String>,
    /// Whether a person can be asked.
    pub(crate) can_ask: bool,
}

/// A tool call that needs a yes.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) call_id: CallId,
    pub(crate) name: String,
    pub(crate) arguments: Value,
    pub(crate) reason: String,
    /// Whether a yes may do the call's work twice: only a person's answer to this question counts.
    pub(crate) may_have_run: bool,
}

/// Where commands go while a turn runs. Weak: a question does not keep the turn open.
pub(crate) type Inbox = WeakUnboundedSender<Command>;

/// The questions of one turn. Dropping it takes open ones back.
#[derive(Debug)]
pub(crate) struct Questions {
    answers: Answers,
    ui: Ui,
    inbox: Inbox,
    over: Arc<AtomicBool>,
    /// To the thread that asks; started with the first question.
    asker: Option<mpsc::Sender<Question>>,
}

impl Questions {
    /// No questions yet.
    pub(crate) fn new(answers: Answers, ui: Ui, inbox: Inbox) -> Self {
        Self {
            answers,
            ui,
            inbox,
            over: Arc::default(),
            asker: None,
        }
    }

    /// Answers `question` at once, or has the person asked. Does not block.
    pub(crate) fn put(&mut self, question: Question) {
        let Question { call_id, name, .. } = &question;
        let standing = self.answers.yes || self.answers.tools.contains(name);
        if standing && !question.may_have_run {
            let how = if self.answers.yes {
                "--yes"
            } else {
                "--approve"
            };
            self.ui.note(format!("{name} is approved by {how}"));
            send(&self.inbox, approve(call_id.clone(), false));
        } else if self.answers.can_ask {
            self.ask(question);
        } else {
            let how = match question.may_have_run {
                true => "go on in a terminal to answer".to_owned(),
                false => format!("allow it with --approve {name} or in the profile's policy"),
            };
            self.ui.warn(format!(
                "{name} needs a yes ({}) and nobody is there to ask: denied; {how}",
                question.reason
            ));
            let reason = Some("nobody is there to ask".to_owned());
            let call_id = call_id.clone();
            send(&self.inbox, Command::Deny { call_id, reason });
        }
    }

    fn ask(&mut self, question: Question) {
        let asker = self.asker.get_or_insert_with(|| {
            let (sender, questions) = mpsc::channel();
            let (ui, inbox, over) = (self.ui, self.inbox.clone(), Arc::clone(&self.over));
            std::thread::spawn(move || {
                for question in questions {
                    match answer(ui, question, &over) {
                        Some(command) => send(&inbox, command),
                        None => return,
                    }
                }
            });
            sender
        });
        // The thread ends only when the turn does.
        let _ = asker.send(question);
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Answers a question nobody but this thread waits for.
pub(crate) fn ask_now(answers: &Answers, ui: Ui, question: Question) -> Result<(), Refusal> {
    if answers.yes || answers.tools.contains(&question.name) {
        return Ok(());
    }
    if !answers.can_ask {
        return Err(Refusal {
            rule: "approval".into(),
            reason: format!(
                "it needs a yes ({}) and nobody is there to ask",
                question.reason
            ),
            hint: Some(format!("allow it with --approve {}", question.name)),
        });
    }
    match answer(ui, question, &AtomicBool::new(false)) {
        Some(Command::Approve { .. }) => Ok(()),
        Some(Command::Deny { reason, .. }) => Err(dispatch::refused_by_person(reason.as_deref())),
        _ => Err(dispatch::refused_by_person(None)),
    }
}

fn send(inbox: &Inbox, command: Command) {
    if let Some(inbox) = inbox.upgrade() {
        // The turn is over: nobody waits for the answer.
        let _ = inbox.send(command);
    }
}

fn approve(call_id: CallId, for_session: bool) -> Command {
    Command::Approve {
        call_id,
        for_session,
    }
}

/// Asks until there is an answer; `None` when the turn is over.
fn answer(ui: Ui, question: Question, over: &AtomicBool) -> Option<Command> {
    let Question {
        call_id,
        name,
        arguments,
        reason,
        ..
    } = question;
    let what = serde_json::to_string_pretty(&arguments).unwrap_or_default();
    ui.warn(format!("{} wants to run ({reason})", ui::bold(&name)));
    for line in ui::plain(&what).lines().take(40) {
        ui.ask(format!("  {line}\n"));
    }
    // What was typed before the question was shown is no answer to it.
    typed::discard();
    loop {
        ui.ask("allow it? [y]es once, [a]lways in this session, [n]o, or n and why: ");
        let Some(line) = typed::line(over) else {
            ui.ask("\n");
            return None;
        };
        let Some(line) = line else {
            ui.ask("\n");
            return Some(Command::Deny {
                call_id,
                reason: None,
            });
        };
        match read(&line) {
            Some(Reply::Once) => return Some(approve(call_id, false)),
            Some(Reply::Always) => return Some(approve(call_id, true)),
            Some(Reply::No(reason)) => return Some(Command::Deny { call_id, reason }),
            None => {}
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Once,
    Always,
    No(Option<String>),
}

fn read(line: &str) -> Option<Reply> {
    let line = line.trim();
    let (word, rest) = line.split_once([' ', ',', ':']).unwrap_or((line, ""));
    let rest = rest.trim();
    match (word.to_lowercase().as_str(), rest.is_empty()) {
        ("y" | "yes", true) => Some(Reply::Once),
        ("a" | "always", true) => Some(Reply::Always),
        ("n" | "no", true) => Some(Reply::No(None)),
        ("n" | "no", false) => Some(Reply::No(Some(rest.into()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        assert_eq!(read("y"), Some(Reply::Once));
        assert_eq!(read(" Yes "), Some(Reply::Once));
        assert_eq!(read("a"), Some(Reply::Always));
        assert_eq!(read("no"), Some(Reply::No(None)));
        assert_eq!(
            read("n, too risky"),
            Some(Reply::No(Some("too risky".into())))
        );
        for unclear in ["", "yes but", "what?", "ya", "always not"] {
            assert_eq!(read(unclear), None, "{unclear}");
        }
    }
}
