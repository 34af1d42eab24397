//! Failures of a request, each with whether asking again makes sense, and when.

use alloc::{
    format,
    string::{String, ToString},
};
use serde_json::Value;

use super::Method;
use crate::{
    json::{self, object_of},
    message::ToolStatus,
    policy::Refusal,
    session::{HttpError, HttpHead},
    tool::ToolOutput,
    wire::retry_after_ms,
};

/// Whether the same request could work later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retry {
    makes_sense: bool,
    /// What the server asks for.
    after_ms: Option<u64>,
    hint: &'static str,
}

impl Retry {
    fn no(hint: &'static str) -> Self {
        Self {
            makes_sense: false,
            after_ms: None,
            hint,
        }
    }

    fn yes(after_ms: Option<u64>, hint: &'static str) -> Self {
        Self {
            makes_sense: true,
            after_ms,
            hint,
        }
    }

    /// A request that may have been done although nothing says so.
    fn unless_done(method: Method, after_ms: Option<u64>, hint: &'static str) -> Self {
        if method.is_idempotent() {
            Self::yes(after_ms, hint)
        } else {
            Self::no("it may have been done; find out before it is sent again")
        }
    }

    pub(super) fn put_into(&self, object: &mut Value) {
        object["retry"] = self.makes_sense.into();
        if let Some(after_ms) = self.after_ms {
            object["retry_after_ms"] = after_ms.into();
        }
        object["hint"] = self.hint.into();
    }
}

/// What a status says about asking again; `None` for what is no failure.
pub(super) fn of_status(head: &HttpHead, method: Method) -> Option<Retry> {
    let after_ms = retry_after_ms(head);
    Some(match head.status {
        0..=399 => return None,
        401 | 407 => Retry::no("it needs a credential, written as {{secret:NAME}} in a header"),
        403 => Retry::no("the server does not let this request in"),
        404 | 410 => Retry::no("there is nothing at this address; look for the right one"),
        405 => Retry::no("the server has no such method here"),
        408 | 425 => Retry::yes(after_ms, "send it again"),
        413 | 414 | 431 => Retry::no("send less"),
        429 => Retry::yes(after_ms, "too many requests: wait, then send it again"),
        503 => Retry::yes(after_ms, "the server is busy: wait, then send it again"),
        400..=499 => Retry::no("change the request; its answer says what is wrong"),
        501 => Retry::no("the server has no such method"),
        _ => Retry::unless_done(
            method,
            after_ms,
            "the server failed: wait, then send it again",
        ),
    })
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Policy says no.
    Refused(Refusal),
    /// It did not work.
    Http {
        /// Where.
        url: String,
        /// What was asked.
        method: Method,
        /// Why.
        error: HttpError,
        /// What this home knows about it.
        hint: Option<&'static str>,
    },
    /// The call's time was up.
    TimedOut {
        /// Where.
        url: String,
        /// What was asked.
        method: Method,
        /// The time.
        after_ms: u64,
    },
}

impl Failure {
    fn retry(&self) -> Retry {
        match self {
            Self::Refused(_) => Retry::no("policy decides"),
            Self::Http {
                hint: Some(hint), ..
            } => Retry::no(hint),
            Self::Http { error, method, .. } => match error {
                HttpError::Connect { .. } => Retry::yes(
                    None,
                    "look at the host's name; if it is right, try again later",
                ),
                HttpError::Reset { .. } | HttpError::Timeout { .. } => {
                    Retry::unless_done(*method, None, "try again, or ask for less")
                }
                HttpError::Protocol { .. } => Retry::no("use another address"),
                HttpError::Request { .. } => Retry::no("change the request"),
            },
            Self::TimedOut { method, .. } => {
                Retry::unless_done(*method, None, "try again, or ask for less")
            }
        }
    }

    /// Why, in a sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.reason.clone(),
            Self::Http { error, .. } => error.to_string(),
            Self::TimedOut { after_ms, .. } => format!("it did not end within {after_ms} ms"),
        }
    }

    /// As one JSON object, for programs and the model.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (error, url) = match self {
            Self::Refused(refusal) => {
                return object_of([
                    ("error", "denied".into()),
                    ("rule", refusal.rule.as_str().into()),
                    ("reason", refusal.reason.as_str().into()),
                    ("hint", refusal.hint.clone().into()),
                    ("retry", false.into()),
                ]);
            }
            Self::Http { url, error, .. } => (kind(error), url),
            Self::TimedOut { url, .. } => ("timeout", url),
        };
        let mut object = object_of([
            ("error", error.into()),
            ("url", url.as_str().into()),
            ("reason", self.reason().into()),
        ]);
        self.retry().put_into(&mut object);
        object
    }

    /// The tool's result.
    #[must_use]
    pub fn to_output(&self) -> ToolOutput {
        let status = match self {
            Self::Refused(_) => ToolStatus::Denied,
            Self::Http {
                error: HttpError::Timeout { .. },
                ..
            }
            | Self::TimedOut { .. } => ToolStatus::TimedOut,
            Self::Http { .. } => ToolStatus::Error,
        };
        ToolOutput {
            status,
            ..ToolOutput::error(json::to_string(&self.to_json()))
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn kind(error: &HttpError) -> &'static str {
    match error {
        HttpError::Connect { .. } => "connect",
        HttpError::Reset { .. } => "reset",
        HttpError::Timeout { .. } => "timeout",
        HttpError::Protocol { .. } => "protocol",
        HttpError::Request { .. } => "request",
    }
}
