//! Failing model calls: what went wrong, whether to try again, when and whom to ask.
//!
//! The provider's own hint wins over the backoff; a wait longer than the limit is not waited. When
//! one model's attempts are used up, or more of them cannot help, the next model is asked.

use alloc::{format, string::ToString};

use crate::{
    ids::UnixMillis,
    journal::{Body, NextAttempt},
    model::ModelConfig,
    session::{
        Event, Failure, FailureKind, GenerateError, HttpError, Outcome, Retry, Session, Stage, draw,
    },
    wire::{ProviderError, WireError},
};

impl Session {
    /// Records a failed attempt and either plans the next or ends the turn.
    pub(super) fn attempt_failed(&mut self, mut error: ProviderError, now: UnixMillis) {
        let Some(turn) = &self.state.turn else { return };
        let gate = &self.state.gate;
        error.message = gate.without_secrets(&error.message).into_owned();
        error.hint = error
            .hint
            .map(|hint| gate.without_secrets(&hint).into_owned());
        let Some(attempt) = turn.attempt().cloned() else {
            return;
        };
        let summary_of_turn = matches!(turn.stage, Stage::Summary { .. }) && self.has_prompt();
        let model = self.model(attempt.model);
        let jitter = draw(&self.state.seed, b"jitter", attempt.effect.0);
        let wait = wait_ms(&self.state.config.retry, attempt.number, &error, &jitter);
        let (place, number, wait) = match wait {
            Some(wait) => (attempt.model, attempt.number + 1, wait),
            None => (attempt.model + 1, 1, 0),
        };
        // A turn can do without its summary, so it is tried at the first model only.
        let exists = place < self.state.config.models.len();
        let next = (exists && !(summary_of_turn && number == 1)).then(|| NextAttempt {
            model: u32::try_from(place).unwrap_or(u32::MAX),
            attempt: number,
            at: now.plus(wait),
            effect: self.durable_id(),
        });
        let failure = Failure {
            kind: error.kind,
            model: model.name.clone(),
            message: error.message.clone(),
            hint: error.hint.clone(),
        };
        if let Some(next) = &next {
            self.tell_stored(Event::Retrying {
                error: error.message.clone(),
                at: next.at,
                model: self.model(place).name.clone(),
            });
        }
        let ends = next.is_none();
        let effect = attempt.effect;
        self.record(
            Body::AttemptFailed {
                effect,
                model: model.name.clone(),
                error,
                next,
            },
            now,
        );
        if ends && summary_of_turn {
            self.go_without_summary(now);
        } else if ends {
            self.finish(Outcome::Failed { error: failure }, now);
        }
    }

    /// Whether the turn began with a prompt, and not with the wish for a summary alone.
    pub(super) fn has_prompt(&self) -> bool {
        self.state.turn.as_ref().is_some_and(|turn| {
            let entry = self.state.entries.get(turn.prompt);
            entry.is_some_and(|entry| entry.turn == turn.id)
        })
    }
}

/// How long to wait before asking the same model again; `None` when that cannot help.
fn wait_ms(retry: &Retry, attempt: u32, error: &ProviderError, jitter: &str) -> Option<u64> {
    if !error.retryable || attempt >= retry.attempts {
        return None;
    }
    let doubled = retry.base_ms.saturating_mul(1 << (attempt - 1).min(20));
    let wait = match error.retry_after_ms {
        Some(hint) if hint > retry.max_ms => return None,
        Some(hint) => return Some(hint),
        None => doubled.min(retry.max_ms),
    };
    // Between three quarters and the whole of it, so that clients do not come back together.
    let thousandth = u64::from_str_radix(&jitter[..8], 16).unwrap_or(0) % 1_000;
    Some(wait - wait / 4 * thousandth / 1_000)
}

fn error(kind: FailureKind, retryable: bool, message: alloc::string::String) -> ProviderError {
    ProviderError {
        kind,
        message,
        hint: None,
        retry_after_ms: None,
        retryable,
    }
}

/// The network's failure as a failure of the call.
pub(super) fn connection(model: &ModelConfig, failure: &HttpError) -> ProviderError {
    let retryable = !matches!(failure, HttpError::Request { .. });
    let kind = match failure {
        HttpError::Protocol { .. } => FailureKind::Malformed,
        HttpError::Request { .. } => FailureKind::BadRequest,
        _ => FailureKind::Connection,
    };
    let hint = match failure {
        HttpError::Connect { .. } => Some(format!(
            "check that the server at {} is running and reachable",
            model.base_url
        )),
        HttpError::Protocol { .. } => Some(format!(
            "check that {} is the address of a model server",
            model.base_url
        )),
        HttpError::Request { .. } | HttpError::Reset { .. } | HttpError::Timeout { .. } => None,
    };
    ProviderError {
        hint,
        ..error(kind, retryable, failure.to_string())
    }
}

/// A stream that is not what it should be.
pub(super) fn wire(model: &ModelConfig, failure: WireError) -> ProviderError {
    match failure {
        WireError::Provider(error) => error.about(model),
        WireError::Corrupt { .. } => malformed(model, &failure.to_string()),
        _ => error(failure.kind(), failure.is_retryable(), failure.to_string()),
    }
}

/// Something else than the format the model is said to speak.
pub(super) fn malformed(model: &ModelConfig, detail: &str) -> ProviderError {
    let message = format!("the server's answer cannot be read: {detail}");
    let hint = format!(
        "check that {} speaks the API it is configured for",
        model.base_url
    );
    ProviderError {
        hint: Some(hint),
        ..error(FailureKind::Malformed, true, message)
    }
}

/// The provider withheld the answer.
pub(super) fn filtered() -> ProviderError {
    let message = "the provider's content filter withheld the answer";
    error(FailureKind::Filtered, false, message.into())
}

/// The model inside the process.
pub(super) fn embedded(failure: &GenerateError) -> ProviderError {
    error(FailureKind::Embedded, false, failure.to_string())
}
