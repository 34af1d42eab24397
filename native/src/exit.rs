//! How the program ends: exit codes, and errors that say who can mend them.

use serde_json::{Value, json};
use std::process::ExitCode;
use tau_core::session::{CommandError, Failure, FailureKind, Outcome, StoreError};
use tau_platform::open::{ChangeError, OpenError};
use tau_target_native::LockError;

/// The exit codes, with what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done.
    Ok = 0,
    /// A fault of Tau's own, or of the machine.
    Internal = 1,
    /// The command line, a prompt or a file given is not usable.
    Usage = 2,
    /// The profile is not usable.
    Config = 3,
    /// The provider refused the key, or there is none.
    Auth = 4,
    /// No model could be made to answer.
    Provider = 5,
    /// Too many requests, or no credit left.
    RateLimited = 6,
    /// A limit of the turn ran out: steps, tokens, cost, time, length of the answer.
    Budget = 7,
    /// The store is damaged, full or not writable.
    Store = 8,
    /// Another process has the session.
    Held = 9,
    /// Something was found in a text that was looked through.
    Flagged = 10,
    /// Policy or a person said no.
    Denied = 77,
    /// Interrupted by a person or a signal.
    Interrupted = 130,
}

/// The exit codes as `tau --help` tells them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 internal · 2 usage · 3 profile · 4 key · 5 model or provider
  6 rate limited · 7 budget · 8 store · 9 session in use · 10 flagged · 77 denied · 130 interrupted";

impl Exit {
    /// Who can mend it: `user`, `config`, `provider`, `store` or `internal`.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Ok
            | Self::Usage
            | Self::Held
            | Self::Flagged
            | Self::Denied
            | Self::Interrupted => "user",
            Self::Config => "config",
            Self::Auth | Self::Provider | Self::RateLimited | Self::Budget => "provider",
            Self::Store => "store",
            Self::Internal => "internal",
        }
    }

    /// The code's own name, for scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Provider => "provider",
            Self::RateLimited => "rate_limited",
            Self::Budget => "budget",
            Self::Store => "store",
            Self::Held => "held",
            Self::Flagged => "flagged",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
        }
    }

    /// How a turn's outcome ends the program.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Answered => Self::Ok,
            Outcome::Truncated | Outcome::BudgetExhausted { .. } => Self::Budget,
            Outcome::Interrupted => Self::Interrupted,
            Outcome::Failed { error } => Self::of_failure(error.kind),
        }
    }

    fn of_failure(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Unauthorized => Self::Auth,
            FailureKind::RateLimited => Self::RateLimited,
            FailureKind::NotFound
            | FailureKind::BadRequest
            | FailureKind::Unavailable
            | FailureKind::Connection
            | FailureKind::Malformed
            | FailureKind::Filtered
            | FailureKind::Embedded => Self::Provider,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed: what happened, why, what to do about it, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) cause: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Error {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            cause: None,
            hint: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Config, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Exit::Internal, message)
    }

    pub(crate) fn cause(self, cause: impl ToString) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..self
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// As the `error` of a `--json` answer.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "kind": self.exit.kind(),
            "name": self.exit.name(),
            "exit": self.exit as u8,
            "message": self.message,
            "cause": self.cause,
            "hint": self.hint,
        })
    }

    /// How a turn that did not answer is told; `None` for one that did.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Option<Self> {
        let exit = Exit::of_outcome(outcome);
        match outcome {
            Outcome::Answered => None,
            Outcome::Truncated => Some(
                Self::new(exit, "the answer was cut at the limit on its length")
                    .hint("raise provider.max_output_tokens in the profile, or ask for less"),
            ),
            Outcome::BudgetExhausted { budget } => {
                use tau_core::session::Budget;
                let (what, how) = match budget {
                    Budget::Steps => ("steps", "--max-steps"),
                    Budget::Tokens => ("tokens", "--max-tokens"),
                    Budget::Cost => ("money", "--max-cost"),
                    Budget::Deadline => ("time", "--deadline"),
                };
                Some(
                    Self::new(exit, format!("the turn has used up its {what}"))
                        .hint(format!("raise {how}, or the budgets of the profile")),
                )
            }
            Outcome::Interrupted => Some(Self::new(exit, "interrupted")),
            Outcome::Failed { error } => Some(Self::of_model(error)),
        }
    }

    fn of_model(failure: &Failure) -> Self {
        Self {
            exit: Exit::of_failure(failure.kind),
            message: format!("{} did not answer", failure.model),
            cause: Some(failure.message.clone()),
            hint: failure.hint.clone(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::Conflict { .. } => Exit::Held,
            _ => Exit::Store,
        };
        let hint = match &error {
            StoreError::Conflict { .. } => Some("open the session again to see what was written"),
            StoreError::Locked { .. } => Some("wait until it has finished and try again"),
            StoreError::Corrupt { .. } => {
                Some("run `tau session repair`; the damaged file is kept")
            }
            StoreError::Full => Some("free some space; everything stored before is safe"),
            StoreError::Unsigned { .. } => {
                Some("`tau identity show` tells of the agent's keys; begin again once it has some")
            }
            StoreError::Io { .. } => Some("run `tau doctor` to see what is wrong"),
        };
        Self {
            hint: hint.map(Into::into),
            ..Self::new(exit, error.to_string())
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Missing(_) => {
                Self::usage(error.to_string()).hint("`tau session list` names them")
            }
            OpenError::Journal { session, error } => {
                Self::new(Exit::Store, format!("session {session} cannot be read"))
                    .cause(error)
                    .hint("other sessions are not affected; `tau session export` shows its records")
            }
        }
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => Self::new(Exit::Held, error.to_string())
                .hint("end that program, or start another session by leaving --session out"),
            LockError::Io { .. } => Self::new(Exit::Store, error.to_string()),
        }
    }
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(CommandError::Busy) => {
                Self::usage("the session's last turn is unfinished")
                    .hint("`tau run --session ID` goes on with it")
            }
            ChangeError::Refused(error) => error.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::NotAlone => Self::internal(error.to_string()),
        }
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        let (exit, hint) = match &error {
            CommandError::EmptyPrompt => (Exit::Usage, "say what you want: tau \"list the files\""),
            CommandError::PromptTooLarge { .. } => (
                Exit::Usage,
                "put the text into a file of the workspace and ask to read it",
            ),
            CommandError::Withheld { .. } => (
                Exit::Denied,
                "say it in other words, or set screen.prompt and screen.secrets in the profile",
            ),
            CommandError::BadRule { .. } => (Exit::Config, "mend screen.rules in the profile"),
            CommandError::BadTools { .. } => (Exit::Config, "give one of them another name"),
            CommandError::NoImages { .. } => (
                Exit::Usage,
                "take another model, or set provider.images = true if this one can see",
            ),
            CommandError::Busy => (Exit::Usage, "resume or interrupt the unfinished turn first"),
            CommandError::NotWaiting { .. } => (Exit::Usage, "it was answered or has run out"),
            CommandError::Changed { .. } => (Exit::Usage, "look at what waits now"),
            CommandError::NoRule { .. } => (Exit::Usage, "say yes to this call alone"),
            CommandError::NothingToCompact => (Exit::Usage, "say something first"),
            CommandError::NothingToUndo => (Exit::Usage, "nothing was said yet"),
            CommandError::NothingToRedo => (Exit::Usage, "a redo follows an undo"),
            CommandError::UnknownEntry { .. }
            | CommandError::MidTurn { .. }
            | CommandError::UnknownName { .. } => (
                Exit::Usage,
                "`tau session graph` shows the entries of a session and their names",
            ),
            CommandError::NameTaken { .. } => {
                (Exit::Usage, "take another, or take that name away first")
            }
            CommandError::BadName { .. } => (Exit::Usage, "take another"),
            CommandError::NothingToName => (Exit::Usage, "say something first"),
            CommandError::NothingToMerge { .. } => {
                (Exit::Usage, "`tau session branch` lists branches")
            }
            CommandError::Stopped => (Exit::Store, "open the session again"),
        };
        Self::new(exit, error.to_string()).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_core::session::Budget;

    fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failed {
            error: Failure {
                kind,
                model: "m".into(),
                message: "no".into(),
                hint: None,
            },
        }
    }

    #[test]
    fn every_outcome_has_its_exit_code() {
        let table = [
            (Outcome::Answered, 0),
            (Outcome::Truncated, 7),
            (
                Outcome::BudgetExhausted {
                    budget: Budget::Cost,
                },
                7,
            ),
            (Outcome::Interrupted, 130),
            (failed(FailureKind::Unauthorized), 4),
            (failed(FailureKind::RateLimited), 6),
            (failed(FailureKind::Unavailable), 5),
            (failed(FailureKind::Connection), 5),
            (failed(FailureKind::Embedded), 5),
        ];
        for (outcome, code) in table {
            assert_eq!(Exit::of_outcome(&outcome) as u8, code, "{outcome:?}");
            assert_eq!(Error::of_outcome(&outcome).is_none(), code == 0);
        }
    }

    #[test]
    fn store_errors_end_as_store_or_held() {
        let session = tau_core::ids::SessionId("a".into());
        assert_eq!(Error::from(StoreError::Full).exit, Exit::Store);
        assert_eq!(
            Error::from(StoreError::Conflict { session }).exit,
            Exit::Held
        );
        assert_eq!(Exit::Held as u8, 9);
        assert_eq!(Exit::Denied as u8, 77);
    }
}
