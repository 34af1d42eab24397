//! The first request of a default agent, caught by a server on loopback and counted in tokens.

use super::provider::Provider;
use crate::workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{path::Path, process::Stdio, time::Duration};

/// Whose tokens are counted.
pub(super) const TOKENIZER: &str = "o200k_base";

/// How long `tau` may take to send its request.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tokens of the request.
pub(super) struct Tokens {
    /// The whole body as it was sent, JSON syntax included: what a provider bills is less.
    pub(super) body: usize,
    /// The text of the messages.
    pub(super) messages: usize,
    /// The definitions of the tools, as JSON.
    pub(super) tools: usize,
    pub(super) tool_count: usize,
}

/// Runs `tau run "hi"` against a server of ours and counts what it sent.
pub(super) fn measure(binary: &Path, home: &Path) -> Result<Tokens> {
    let body = first_request(binary, home)?;
    count(&body)
}

fn first_request(binary: &Path, home: &Path) -> Result<String> {
    let provider = Provider::start()?;
    let arguments = [
        "run",
        "--base-url",
        &provider.base_url,
        "--api",
        "openai",
        "--model",
        "mock",
        "--json",
        "hi",
    ];
    let mut child = workspace::isolated_tau(binary, home)
        .args(arguments)
        .env("OPENAI_API_KEY", "sk-mock")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start tau")?;
    let body = provider.requests.recv_timeout(PATIENCE);
    if body.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let body = body.with_context(|| format!("tau sent no request and ended with {status}"))?;
    if !status.success() {
        bail!("tau got its answer and still ended with {status}");
    }
    Ok(body)
}

fn count(body: &str) -> Result<Tokens> {
    let tokenizer = tiktoken_rs::o200k_base().context("the tokenizer does not load")?;
    let tokens = |text: &str| tokenizer.encode_ordinary(text).len();
    let request: Value = serde_json::from_str(body).context("the request is not JSON")?;
    let messages = request["messages"]
        .as_array()
        .context("the request has no messages")?;
    let texts = messages.iter().map(|message| match &message["content"] {
        Value::String(text) => tokens(text),
        parts => parts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .map(tokens)
            .sum(),
    });
    let tools = &request["tools"];
    let tool_count = tools.as_array().map_or(0, Vec::len);
    Ok(Tokens {
        body: tokens(body),
        messages: texts.sum(),
        tools: if tool_count == 0 {
            0
        } else {
            tokens(&tools.to_string())
        },
        tool_count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_by_its_parts() {
        let body = r#"{"model":"mock","messages":[{"role":"system","content":"hello world"},{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"type":"function"}]}"#;
        let tokens = count(body).unwrap();
        assert_eq!((tokens.messages, tokens.tool_count), (3, 1));
        assert!(tokens.body > tokens.messages + tokens.tools);
    }
}
