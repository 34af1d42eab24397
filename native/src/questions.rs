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
use tau_core::{
    ids::CallId,
    policy::{Extent, Refusal},
    session::Command,
    tool::{dispatch, notice::Notice},
};
use tokio::sync::mpsc::WeakUnboundedSender;

use crate::ui::{self, Ui};

/// More lines of a call's arguments are not shown.
const SHOWN_LINES: usize = 40;

/// How questions of a whole conversation are answered.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    /// Yes to all.
    pub(crate) yes: bool,
    /// Yes to these tools.
    pub(crate) tools: BTreeSet<String>,
    /// Whether a person can be asked.
    pub(crate) can_ask: bool,
    /// Whether somebody else than the person speaks, who is told why.
    pub(crate) guest: bool,
}

impl Answers {
    /// No to all, where somebody else than the person speaks.
    pub(crate) fn guest() -> Self {
        Self {
            yes: false,
            tools: BTreeSet::new(),
            can_ask: false,
            guest: true,
        }
    }
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
    /// What a yes would mean.
    pub(crate) notice: Notice,
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
            send(&self.inbox, approve(&question, Extent::Call));
        } else if self.answers.can_ask {
            self.ask(question);
        } else {
            let how = match (self.answers.guest, question.may_have_run) {
                (true, _) => "whoever wrote is told".to_owned(),
                (_, true) => "go on in a terminal to answer".to_owned(),
                (_, false) => format!("allow it with --approve {name} or in the profile's policy"),
            };
            self.ui.warn(format!(
                "{name} needs a yes ({}) and nobody is there to ask: denied; {how}",
                question.reason
            ));
            let mut reason = "nobody is there to ask".to_owned();
            if self.answers.guest {
                reason += &format!(": {}", question.reason);
            }
            let reason = Some(reason);
            let call_id = call_id.clone();
            let absent = true;
            send(
                &self.inbox,
                Command::Deny {
                    call_id,
                    reason,
                    absent,
                },
            );
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

/// A yes to what was shown, and to nothing else.
fn approve(question: &Question, extent: Extent) -> Command {
    Command::Approve {
        call_id: question.call_id.clone(),
        extent,
        digest: Some(question.notice.digest.clone()),
    }
}

fn deny(question: &Question, reason: Option<String>) -> Command {
    Command::Deny {
        call_id: question.call_id.clone(),
        reason,
        absent: false,
    }
}

/// Asks until there is an answer; `None` when the turn is over.
fn answer(ui: Ui, question: Question, over: &AtomicBool) -> Option<Command> {
    show(ui, &question);
    // What was typed before the question was shown is no answer to it.
    typed::discard();
    let Notice { rule, always, .. } = &question.notice;
    let offer = match (rule, always) {
        (None, _) => "allow it? [y]es, [n]o, or n and why: ",
        (Some(_), false) => "allow it? [y]es once, [s]ession, [n]o, or n and why: ",
        (Some(_), true) => "allow it? [y]es once, [s]ession, [a]lways, [n]o, or n and why: ",
    };
    loop {
        ui.ask(offer);
        let Some(line) = typed::line(over) else {
            ui.ask("\n");
            return None;
        };
        let Some(line) = line else {
            ui.ask("\n");
            return Some(deny(&question, None));
        };
        match read(&line) {
            Some(Reply::Yes(Extent::Call)) => return Some(approve(&question, Extent::Call)),
            Some(Reply::Yes(Extent::Session)) if rule.is_some() => {
                return Some(approve(&question, Extent::Session));
            }
            Some(Reply::Yes(Extent::Always)) if rule.is_some() && *always => {
                return Some(approve(&question, Extent::Always));
            }
            Some(Reply::No(reason)) => return Some(deny(&question, reason)),
            Some(Reply::Yes(_)) | None => {}
        }
    }
}

/// What would happen: the call, what leaves with it, and what a yes that lasts would cover.
fn show(ui: Ui, question: &Question) {
    let Question {
        name,
        arguments,
        reason,
        notice,
        ..
    } = question;
    ui.warn(format!("{} wants to run ({reason})", ui::bold(name)));
    let what = serde_json::to_string_pretty(arguments).unwrap_or_default();
    let lines: Vec<&str> = what.lines().collect();
    for line in lines.iter().take(SHOWN_LINES) {
        ui.ask(format!("  {}\n", ui::plain(line)));
    }
    if lines.len() > SHOWN_LINES {
        ui.ask(format!("  … {} more lines\n", lines.len() - SHOWN_LINES));
    }
    if let Some(leaving) = &notice.leaving {
        ui.ask(format!("  private:   {}\n", ui::plain(&leaving.private)));
        ui.ask(format!("  untrusted: {}\n", ui::plain(&leaving.untrusted)));
        ui.ask(format!("  leaves to: {}\n", ui::plain(&leaving.to)));
    }
    if let Some(rule) = &notice.rule {
        ui.ask(format!(
            "  a lasting yes would cover: {}\n",
            ui::plain(rule)
        ));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Yes(Extent),
    No(Option<String>),
}

fn read(line: &str) -> Option<Reply> {
    let line = line.trim();
    let (word, rest) = line.split_once([' ', ',', ':']).unwrap_or((line, ""));
    let rest = rest.trim();
    match (word.to_lowercase().as_str(), rest.is_empty()) {
        ("y" | "yes", true) => Some(Reply::Yes(Extent::Call)),
        ("s" | "session", true) => Some(Reply::Yes(Extent::Session)),
        ("a" | "always", true) => Some(Reply::Yes(Extent::Always)),
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
        assert_eq!(read("y"), Some(Reply::Yes(Extent::Call)));
        assert_eq!(read(" Yes "), Some(Reply::Yes(Extent::Call)));
        assert_eq!(read("s"), Some(Reply::Yes(Extent::Session)));
        assert_eq!(read("a"), Some(Reply::Yes(Extent::Always)));
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
