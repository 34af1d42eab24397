//! What a client is told when something does not work: a status, a code to branch on, a sentence,
//! and where there is one, what to do about it.
//!
//! Invariant: no message holds the value of a secret or anything of another principal.

use tau_core::{
    json::{self, object_of},
    session::{CommandError, StoreError},
};
use tau_platform::open::OpenError;
use worker::Response;

use crate::wire::told;

/// A refusal or a failure, as it is answered. Boxed: it is in the result of nearly every function.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Told>);

#[derive(Debug)]
struct Told {
    status: u16,
    code: &'static str,
    message: String,
    hint: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            status,
            code,
            message: message.into(),
            hint: None,
            headers: Vec::new(),
        }))
    }

    /// With what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// With a header that belongs to its status.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// The same for a session that does not exist and for one of somebody else.
    pub(crate) fn no_session() -> Self {
        Self::new(404, "no_such_session", "there is no such session")
            .hint("GET /v1/sessions lists yours")
    }

    /// The Worker itself is not set up.
    pub(crate) fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(503, "misconfigured", message)
    }

    /// A request that was understood and makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, "invalid_request", message)
    }

    /// The message of an error that another part of the Worker answered with.
    pub(crate) fn message_in(body: &[u8]) -> Option<String> {
        let value: json::Value = json::from_slice(body).ok()?;
        Some(value.get("error")?.get("message")?.as_str()?.into())
    }

    /// Whether what was asked for is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.0.status == 404
    }

    /// The sentence.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The answer.
    pub(crate) fn response(&self) -> worker::Result<Response> {
        let mut error = object_of([
            ("code", self.0.code.into()),
            ("message", self.0.message.as_str().into()),
        ]);
        if let Some(hint) = &self.0.hint {
            error["hint"] = hint.as_str().into();
        }
        let mut response = told(&object_of([("error", error)]))?.with_status(self.0.status);
        for (name, value) in &self.0.headers {
            response.headers_mut().set(name, value)?;
        }
        Ok(response)
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        let (status, code) = match &error {
            CommandError::EmptyPrompt => (422, "empty_prompt"),
            CommandError::PromptTooLarge { .. } => (422, "prompt_too_large"),
            CommandError::Withheld { .. } => (422, "prompt_withheld"),
            CommandError::BadRule { .. } => (422, "bad_rule"),
            CommandError::BadTools { .. } => (503, "misconfigured"),
            CommandError::NoImages { .. } => (422, "no_images"),
            CommandError::Busy => (409, "busy"),
            CommandError::NotWaiting { .. } => (409, "not_waiting"),
            CommandError::Changed { .. } => (409, "changed"),
            CommandError::NoRule { .. } => (422, "no_rule"),
            CommandError::NothingToCompact => (409, "nothing_to_compact"),
            CommandError::NothingToUndo => (409, "nothing_to_undo"),
            CommandError::NothingToRedo => (409, "nothing_to_redo"),
            CommandError::UnknownEntry { .. } => (422, "unknown_entry"),
            CommandError::MidTurn { .. } => (422, "mid_turn"),
            CommandError::UnknownName { .. } => (422, "unknown_name"),
            CommandError::NameTaken { .. } => (409, "name_taken"),
            CommandError::BadName { .. } => (422, "bad_name"),
            CommandError::NothingToName => (409, "nothing_to_name"),
            CommandError::NothingToMerge { .. } => (409, "nothing_to_merge"),
            CommandError::Stopped => (503, "stopped"),
        };
        let told = Self::new(status, code, error.to_string());
        match error {
            CommandError::Stopped => told.hint("a turn that was stopped is taken up by a command"),
            _ => told,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::new(507, "storage_full", "the object's storage is full")
                .hint("delete sessions, or begin a new one"),
            error => Self::new(500, "storage_failed", error.to_string()),
        }
    }
}

impl From<OpenError> for ApiError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Missing(_) => Self::no_session(),
            OpenError::Store(error) => error.into(),
            error => Self::new(500, "unreadable_session", error.to_string()),
        }
    }
}

impl From<worker::Error> for ApiError {
    fn from(error: worker::Error) -> Self {
        Self::new(500, "runtime_failed", error.to_string())
    }
}

impl From<json::Error> for ApiError {
    fn from(error: json::Error) -> Self {
        if !error.is_syntax() {
            Self::invalid(error.to_string())
        } else {
            Self::new(
                400,
                "malformed_json",
                format!("the body is not JSON: {error}"),
            )
        }
    }
}
