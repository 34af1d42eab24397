//! What the wire formats must do, seen from outside.

extern crate std;

mod cassettes;
mod encoding;
mod errors;
mod streams;

use std::{format, prelude::v1::*};

use super::*;
use crate::model::ModelConfig;

fn model(api: Api) -> ModelConfig {
    let (base_url, secret) = match api {
        Api::Anthropic => ("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        _ => ("https://llm.example/v1/", "LLM_API_KEY"),
    };
    ModelConfig {
        name: "model-1".into(),
        api,
        base_url: base_url.into(),
        secret: Some(secret.into()),
        context_tokens: 100_000,
        max_output_tokens: 4_096,
        pricing: Default::default(),
        images: true,
        temperature_milli: Some(700),
    }
}

/// All deltas of `pieces` and how it ended.
fn decode(
    api: Api,
    content_type: Option<&str>,
    pieces: &[&[u8]],
) -> (Vec<Delta>, Result<(), WireError>) {
    let mut decoder = Decoder::new(api, content_type);
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut out) {
            return (out, Err(error));
        }
    }
    let end = decoder.finish(&mut out);
    (out, end)
}

/// One line a delta, then the end.
fn render((deltas, end): &(Vec<Delta>, Result<(), WireError>)) -> String {
    let mut lines = String::new();
    for delta in deltas {
        lines += &serde_json::to_string(delta).unwrap();
        lines.push('\n');
    }
    match end {
        Ok(()) => lines += "end: complete\n",
        Err(WireError::Provider(error)) => lines += &format!("end: {}", show(error)),
        Err(error) => lines += &format!("end: {error}\n"),
    }
    lines
}

fn show(error: &ProviderError) -> String {
    let again = match (error.retryable, error.retry_after_ms) {
        (false, _) => "no".into(),
        (true, None) => "yes".into(),
        (true, Some(ms)) => format!("yes, after {ms} ms"),
    };
    format!(
        "{:?}, again: {again}\n  {}\n  hint: {}\n",
        error.kind,
        error.message,
        error.hint.as_deref().unwrap_or("none")
    )
}
