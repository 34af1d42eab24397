//! What went wrong, by who can mend it.
//!
//! No message or hint made here contains a credential, not even one the provider sent back
//! ([`redact`]), and each is one line.

use alloc::{
    format,
    string::{String, ToString},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{
    redact,
    retry::{self, Verdict},
    shape::get,
    table::{Action, Situation, on, settle},
};
use crate::{
    credential::SCHEME,
    json::{self, FromJson, ToJson},
    model::ModelConfig,
    session::{FailureKind, HttpHead},
};

/// The longest message passed on, in characters.
const MESSAGE_CHARS: usize = 300;

/// Why the body of a 2xx answer is not an answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes ended without the provider's own end event.
    #[error("the answer was cut off before its end")]
    Truncated,
    /// The bytes are not the format they claim to be.
    #[error("the provider sent something unreadable: {detail}")]
    Corrupt {
        /// What and where, in one line.
        detail: String,
    },
    /// The provider reported an error inside its answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A frame or the number of tool calls is over the limit.
    #[error("the provider sent more than {} MiB in one piece", super::FRAME_LIMIT_BYTES >> 20)]
    TooLarge,
}

impl WireError {
    /// Whether the same request may work when it is sent again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Truncated | Self::Corrupt { .. } => true,
            Self::Provider(error) => error.retryable,
            Self::TooLarge => false,
        }
    }

    /// What kind of failure it is if it is the last.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Truncated => FailureKind::Connection,
            Self::Corrupt { .. } | Self::TooLarge => FailureKind::Malformed,
            Self::Provider(error) => error.kind,
        }
    }
}

/// An error as the provider told it.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize, FromJson, ToJson)]
#[error("{message}")]
pub struct ProviderError {
    /// What kind it is.
    pub kind: FailureKind,
    /// One line of at most 300 characters, in the provider's words where it had some, without
    /// credentials.
    pub message: String,
    /// What a person can do about it, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How long the provider asks to wait, counted from the response's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether the same request may work later.
    pub retryable: bool,
}

impl ProviderError {
    /// The same error with a hint that names what to check in this model's configuration.
    #[must_use]
    pub fn about(mut self, model: &ModelConfig) -> Self {
        let base = redact::url(&model.base_url);
        match (self.kind, &model.secret) {
            (FailureKind::Unauthorized, Some(name)) => {
                let kept = match name.strip_prefix(SCHEME) {
                    Some(name) => format!("the stored credential {name}"),
                    None => format!("the key in the environment variable {name}"),
                };
                self.hint = Some(format!(
                    "check {kept} and that it may use {} at {base}",
                    model.name
                ));
            }
            (FailureKind::Unauthorized, None) => {
                self.hint = Some(format!(
                    "no key is configured for {} at {base}; name the environment variable that holds it",
                    model.name
                ));
            }
            (FailureKind::NotFound, _) => {
                self.hint = Some(format!(
                    "check the model name {} and the base URL {base}, which includes the version, such as /v1",
                    model.name
                ));
            }
            _ => {}
        }
        self
    }
}

/// Reads an answer whose status is not 2xx.
///
/// Sources: OpenAI's guide "Error codes", Anthropic's "Errors", OpenRouter's "Errors and
/// debugging", RFC 9110 sections 10.2.3 (Retry-After) and 15 (status codes).
#[must_use]
pub fn provider_error(model: &ModelConfig, head: &HttpHead, body: &[u8]) -> ProviderError {
    let mut error = Told::read(body).classify(Some(head.status));
    // A redirect's own hint says more than where to look.
    if !(300..400).contains(&head.status) {
        error = error.about(model);
    }
    if error.retryable {
        error.retry_after_ms = retry::after_ms(head);
        if retry::verdict(head) == Verdict::Never {
            error.retryable = false;
        }
    }
    error
}

/// Whether a frame reports an error: OpenAI's `{"error": ...}`, Anthropic's `"type": "error"`,
/// older vLLM's `"object": "error"`, or an event named so.
pub(super) fn is_error(event: &[u8], frame: &Value) -> bool {
    let says = |key| get(frame, key).and_then(Value::as_str) == Some("error");
    event == b"error" || get(frame, "error").is_some() || says("type") || says("object")
}

/// Fails with what an error frame says.
pub(super) fn in_stream(frame: &Value) -> Result<(), WireError> {
    match on(Situation::ErrorFrame) {
        Action::FailAsTold => Err(Told::of(frame).classify(None).into()),
        _ => settle(Situation::ErrorFrame, || "an error frame".into()).map(|_| ()),
    }
}

/// What an error body says, whatever its shape.
#[derive(Debug, Default)]
struct Told {
    message: String,
    /// `type`, `code` and `status`, in lower case, separated by spaces.
    codes: String,
    /// A code that is an HTTP status.
    status: Option<u16>,
}

impl Told {
    fn read(body: &[u8]) -> Self {
        match json::from_slice::<Value>(body) {
            // Google's compatible endpoint wraps the object in a list.
            Ok(Value::Array(items)) => items.first().map(Self::of).unwrap_or_default(),
            Ok(value @ Value::Object(_)) => Self::of(&value),
            _ => Self {
                message: redact::page(&String::from_utf8_lossy(body)),
                ..Self::default()
            },
        }
    }

    fn of(body: &Value) -> Self {
        let inner = match get(body, "error") {
            Some(error @ Value::Object(_)) => error,
            _ => body,
        };
        let mut told = Self::default();
        for key in ["type", "code", "status"] {
            match get(inner, key) {
                Some(Value::String(code)) => {
                    told.codes.push_str(&code.to_ascii_lowercase());
                    told.codes.push(' ');
                }
                Some(Value::Number(code)) => {
                    let code = code.as_u64().and_then(|code| u16::try_from(code).ok());
                    let status = code.filter(|code| (400..600).contains(code));
                    told.status = told.status.or(status);
                }
                _ => {}
            }
        }
        // A string (Ollama), an object, or what FastAPI calls `detail`.
        let words = ["message", "error", "detail"]
            .iter()
            .find_map(|key| match get(inner, key)? {
                Value::String(text) => Some(text.clone()),
                detail @ (Value::Object(_) | Value::Array(_)) if *key == "detail" => {
                    Some(json::to_string(detail))
                }
                _ => None,
            });
        told.message = words.unwrap_or_default();
        // OpenRouter's own words are "Provider returned error"; the provider's are here.
        let raw = get(inner, "metadata").and_then(|data| get(data, "raw"));
        if let Some(raw) = raw.and_then(Value::as_str) {
            let raw = match json::from_str::<Value>(raw) {
                Ok(value @ Value::Object(_)) => Self::of(&value).message,
                _ => raw.to_string(),
            };
            told.message = format!("{}: {raw}", told.message);
        }
        told
    }

    fn has(&self, codes: &[&str]) -> bool {
        let mut own = self.codes.split(' ');
        own.any(|code| codes.contains(&code))
    }

    fn says(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    fn classify(&self, status: Option<u16>) -> ProviderError {
        let (kind, retryable, hint) = self.kind(status);
        let mut message = redact::one_line(&self.message, MESSAGE_CHARS);
        if message.is_empty() {
            message = match (status.or(self.status), self.codes.trim()) {
                (Some(status), "") => format!("the provider answered with status {status}"),
                (None, "") => "the provider reported an error without saying which".into(),
                (_, codes) => format!("the provider reported: {}", redact::one_line(codes, 100)),
            };
        }
        ProviderError {
            kind,
            message,
            hint: hint.map(ToString::to_string),
            retry_after_ms: None,
            retryable,
        }
    }

    /// Kind, whether to try again, and what to do about it.
    fn kind(&self, status: Option<u16>) -> (FailureKind, bool, Option<&'static str>) {
        use FailureKind as K;
        let denied = matches!(status, Some(401 | 403 | 404 | 429));
        if !denied && self.is_context_length() {
            let hint = "the conversation is longer than the model accepts: compact it, or choose a model with a larger context";
            return (K::BadRequest, false, Some(hint));
        }
        if status == Some(402) || self.is_out_of_credit() {
            let hint = "the account has no credit left or reached its limit: add credit at the provider, or choose another model";
            return (K::RateLimited, false, Some(hint));
        }
        if self.has(&[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
        ]) {
            return (
                K::Filtered,
                false,
                Some("the provider's content filter refused the request"),
            );
        }
        if self.has(&["overloaded_error"]) {
            return (K::Unavailable, true, None);
        }
        if status == Some(429) && self.says(&["request too large"]) {
            let hint = "one request is over the account's limit of tokens per minute: compact the conversation, or choose another model";
            return (K::RateLimited, false, Some(hint));
        }
        match status.or(self.status).or_else(|| self.status_of_codes()) {
            Some(400 | 422) => (K::BadRequest, false, None),
            Some(413) => {
                let hint = "the request is larger than the provider accepts: compact the conversation, or send fewer pictures";
                (K::BadRequest, false, Some(hint))
            }
            Some(401) => (K::Unauthorized, false, Some("check the API key")),
            Some(403) => {
                let hint = "check the API key, and that its account may use this model";
                (K::Unauthorized, false, Some(hint))
            }
            Some(404 | 405 | 410) => {
                let hint = "check the model's name and the base URL, which includes the version, such as /v1";
                (K::NotFound, false, Some(hint))
            }
            Some(408 | 409 | 425) => (K::Unavailable, true, None),
            Some(429) => (K::RateLimited, true, None),
            Some(501 | 505) => (K::Unavailable, false, None),
            Some(500..=599) => (K::Unavailable, true, None),
            Some(300..=399) => {
                let hint = "the base URL redirects: use the address it leads to";
                (K::NotFound, false, Some(hint))
            }
            Some(402..=499) => (K::BadRequest, false, None),
            Some(_) => (K::Malformed, false, None),
            // An error frame that does not say what it is: providers send those when they break.
            None => (K::Unavailable, true, None),
        }
    }

    /// The status that an error frame stands for, by the names of its error.
    fn status_of_codes(&self) -> Option<u16> {
        let names: [(u16, &[&str]); 6] = [
            (
                400,
                &[
                    "invalid_request_error",
                    "badrequesterror",
                    "invalid_prompt",
                    "invalid_argument",
                ],
            ),
            (
                401,
                &["authentication_error", "invalid_api_key", "unauthenticated"],
            ),
            (403, &["permission_error", "permission_denied"]),
            (404, &["not_found_error", "model_not_found", "not_found"]),
            (413, &["request_too_large"]),
            (
                429,
                &[
                    "rate_limit_error",
                    "rate_limit_exceeded",
                    "resource_exhausted",
                ],
            ),
        ];
        names
            .iter()
            .find(|(_, codes)| self.has(codes))
            .map(|(status, _)| *status)
    }

    fn is_context_length(&self) -> bool {
        self.has(&["context_length_exceeded", "exceed_context_size_error"])
            || self.says(&[
                "context length",
                "context window",
                "context size",
                "maximum context",
                "prompt is too long",
                "input is too long",
                "reduce the length",
            ])
    }

    fn is_out_of_credit(&self) -> bool {
        self.has(&[
            "insufficient_quota",
            "billing_error",
            "billing_hard_limit_reached",
            "credit_balance_exhausted",
            "exceeded_current_quota_error",
        ]) || self.says(&["credit balance is too low", "insufficient credits"])
    }
}
