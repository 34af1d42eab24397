//! What is told of a request: exactly once how it was decided, and again only where an answer that
//! had begun did not end.

use std::sync::Arc;
use tau_core::{policy::Refusal, safety::Gate, tool::http::Failure};

use super::{Setup, Shared};

/// What was decided about one request. Holds nothing that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was asked: `GET`, or `CONNECT` where a tunnel was not opened.
    pub method: String,
    /// Where.
    pub url: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent, and answered.
    Allowed {
        /// The answer's status.
        status: u16,
    },
    /// It was not sent.
    Refused(Refusal),
    /// It was let through and did not work, or its answer was not passed on whole.
    Failed {
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, url, .. } = self;
        match &self.outcome {
            Outcome::Allowed { status } => write!(f, "allowed {method} {url} ({status})"),
            Outcome::Refused(refusal) => {
                write!(
                    f,
                    "refused {method} {url}: {} [{}]",
                    refusal.reason, refusal.rule
                )
            }
            Outcome::Failed { reason } => write!(f, "failed {method} {url}: {reason}"),
        }
    }
}

/// A request that something has to be told of. Dropped before that, the program went away.
pub(super) struct Pending<R> {
    shared: Arc<Shared<R>>,
    method: String,
    url: String,
    is_told: bool,
}

impl<R> Pending<R> {
    pub(super) fn new(shared: Arc<Shared<R>>, method: &str, url: &str) -> Self {
        Self {
            shared,
            method: method.chars().take(20).collect(),
            url: url.to_owned(),
            is_told: false,
        }
    }

    pub(super) fn allowed(&mut self, status: u16) {
        self.tell(Outcome::Allowed { status });
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        self.tell(Outcome::Refused(refusal));
    }

    pub(super) fn failed(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        self.tell(Outcome::Failed { reason });
    }

    /// What `failure` says, whichever it is.
    pub(super) fn ended(&mut self, failure: &Failure) {
        match failure {
            Failure::Refused(refusal) => self.refused(refusal.clone()),
            other => self.failed(other.reason()),
        }
    }

    fn tell(&mut self, mut outcome: Outcome) {
        self.is_told = true;
        let setup = &self.shared.setup;
        match &mut outcome {
            Outcome::Refused(refusal) => refusal.reason = clean(setup, &refusal.reason),
            Outcome::Failed { reason } => *reason = clean(setup, reason),
            Outcome::Allowed { .. } => {}
        }
        (setup.told)(Decision {
            method: clean(setup, &self.method),
            url: clean(setup, &self.url),
            outcome,
        });
    }
}

impl<R> Drop for Pending<R> {
    fn drop(&mut self) {
        if !self.is_told {
            self.failed("the program went away before there was an answer");
        }
    }
}

/// A text of a program's, for a log: one line, of bounded length, without secrets.
fn clean<R>(setup: &Setup<R>, text: &str) -> String {
    /// Of what is shown, in bytes.
    const MOST: usize = 500;
    let text = Gate::default().without_secrets(text).into_owned();
    let text = (setup.known)().redact(&text).unwrap_or(text);
    let plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || matches!(c, ' ' | '…');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    if shown.len() > MOST {
        shown.truncate(shown.floor_char_boundary(MOST));
        shown.push('…');
    }
    shown
}
