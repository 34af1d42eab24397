//! One session in the hands of this process, and its turns.
//!
//! Invariant: the session's lock is held for as long as the conversation lives.

use futures_util::stream;
use std::pin::pin;
use tau_core::{
    ids::{SessionId, TurnId},
    model::Usage,
    session::{Command, CommandError, Config, Event, Outcome, Session, StoreError},
};
use tau_platform::{
    Clock, Host, Shown, drive,
    open::{self, OpenError},
};
use tokio::sync::mpsc;

use crate::{
    exit::{Error, Exit},
    host::NativeHost,
    questions::{Answers, Question, Questions},
    signals::Signals,
    store::Hold,
    ui::Ui,
};

/// A session that is open for writing.
pub(crate) struct Conversation {
    pub(crate) host: NativeHost,
    pub(crate) session: Session,
    pub(crate) signals: Signals,
    pub(crate) answers: Answers,
    pub(crate) ui: Ui,
    /// Of a session that was begun here: until its first commit nothing of it is stored.
    pub(crate) seed: Option<[u8; 32]>,
    pub(crate) _lock: Hold,
}

/// What a turn begins with.
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    /// A command.
    Command(Command),
    /// The turn that was left unfinished.
    Unfinished,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The turn is over.
    Turn {
        turn: TurnId,
        outcome: Outcome,
        usage: Usage,
    },
    /// The command is done; there was no turn to it.
    Done,
    /// The command was not taken.
    Refused(CommandError),
    /// The session could not be stored and is unusable until it is opened again.
    Stopped(StoreError),
    /// The person asked twice to stop: nothing was waited for.
    Abandoned,
}

impl Ended {
    /// The error it ends the program with, if it is one.
    pub(crate) fn error(&self) -> Option<Error> {
        match self {
            Self::Turn { outcome, .. } => Error::of_outcome(outcome),
            Self::Done => None,
            Self::Refused(error) => Some(error.clone().into()),
            Self::Stopped(error) => Some(error.clone().into()),
            Self::Abandoned => Some(Error::new(Exit::Interrupted, "interrupted")),
        }
    }
}

impl Conversation {
    /// The session's name.
    pub(crate) fn id(&self) -> &SessionId {
        self.session.id()
    }

    /// Runs until what `begin` began is over. `watch` sees every event.
    pub(crate) async fn run(&mut self, begin: Begin, mut watch: impl FnMut(&Event)) -> Ended {
        self.host.refresh_signer();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let inbox = stream::poll_fn(move |context| receiver.poll_recv(context));
        let weak = sender.downgrade();
        let mut questions = Questions::new(self.answers.clone(), self.ui, weak.clone());
        let mut unanswered = false;
        match begin {
            Begin::Command(command) => {
                unanswered = true;
                // The receiver is alive: it is the inbox.
                let _ = sender.send(command);
            }
            Begin::Unfinished => self.session.resume(self.host.clock().now()),
        }
        // Closing the inbox is what lets the driver return.
        let mut open = Some(sender);
        let mut ended = Ended::Done;
        let ui = self.ui;
        let show = |shown| match shown {
            Shown::Reply(Ok(())) => unanswered = false,
            Shown::Reply(Err(error)) if unanswered => {
                ended = Ended::Refused(error);
                open = None;
            }
            // An answer that came too late.
            Shown::Reply(Err(error)) => ui.note(error),
            Shown::Event(event) => {
                trace(&event);
                watch(&event);
                match event {
                    Event::ApprovalRequested {
                        call_id,
                        name,
                        arguments,
                        reason,
                        may_have_run,
                        notice,
                    } => questions.put(Question {
                        call_id,
                        name,
                        arguments,
                        reason,
                        may_have_run,
                        notice,
                    }),
                    Event::TurnFinished {
                        turn,
                        outcome,
                        usage,
                    } => {
                        ended = Ended::Turn {
                            turn,
                            outcome,
                            usage,
                        };
                        open = None;
                    }
                    Event::Done | Event::Moved { .. } => open = None,
                    Event::Stopped { error } => {
                        ended = Ended::Stopped(error);
                        open = None;
                    }
                    _ => {}
                }
            }
        };
        {
            let mut driven = pin!(drive(&self.host, &mut self.session, inbox, show));
            let mut interrupted = false;
            loop {
                tokio::select! {
                    _ = &mut driven => break,
                    _ = self.signals.next() => {
                        if interrupted {
                            return Ended::Abandoned;
                        }
                        interrupted = true;
                        if let Some(inbox) = weak.upgrade() {
                            // Closed means that the turn has just ended.
                            let _ = inbox.send(Command::Interrupt);
                        }
                    }
                }
            }
        }
        ended
    }

    /// Opens the session again from what is stored, after it could not be stored or was abandoned.
    pub(crate) async fn reopen(&mut self) -> Result<(), Error> {
        let mut config: Config = (**self.session.config()).clone();
        // What `/policy` set still holds in this process.
        config.policy = self.session.policy().clone();
        let now = self.host.clock().now();
        let stored = open::open(self.host.storage(), self.session.id()).await;
        self.session = match (stored, self.seed) {
            (Ok(mut session), _) => {
                session.configure(config, now);
                session
            }
            // The same name, because the lock is held for it.
            (Err(OpenError::Missing(_)), Some(seed)) => Session::new(config, seed, now),
            (Err(error), _) => return Err(error.into()),
        };
        Ok(())
    }
}

/// Names, numbers and sizes only: what was said is nobody's business.
fn trace(event: &Event) {
    match event {
        Event::TextDelta { text } => tracing::trace!(bytes = text.len(), "text"),
        Event::ThinkingDelta { text } => tracing::trace!(bytes = text.len(), "thinking"),
        Event::TurnStarted { turn, .. } => tracing::debug!(turn = turn.0, "turn started"),
        Event::ModelCalled {
            model,
            step,
            attempt,
        } => tracing::debug!(%model, step, attempt, "model called"),
        Event::Retrying { error, .. } => tracing::debug!(%error, "attempt failed"),
        Event::ToolStarted { call_id, name, .. } => {
            tracing::debug!(%call_id, %name, "tool started");
        }
        Event::ToolFinished { result } => tracing::debug!(
            call_id = %result.call_id, name = %result.name, status = ?result.status,
            ms = result.duration_ms, bytes = result.text.len(), "tool finished"
        ),
        Event::TurnFinished { outcome, usage, .. } => {
            tracing::debug!(?outcome, ?usage, "turn finished");
        }
        Event::Stopped { error } => tracing::error!(%error, "session stopped"),
        _ => {}
    }
}
