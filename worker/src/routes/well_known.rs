//! `GET /.well-known/did.json`, `/.well-known/agent-card.json`, `/.well-known/kamn/log`: who the agent
//! is, for everybody. No token, any origin, cached.

use std::cell::RefCell;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    did_doc,
    did_web::DidWeb,
    interop::a2a,
    jcs::{Object, Value},
    kel::{KeyLog, State},
};
use tau_platform::Clock;
use tau_target_web::WebClock;
use worker::Response;

use super::Public;
use crate::{config::Settings, errors::ApiError, identity};

/// How long an answer may be kept by whoever asked, in seconds.
const CACHED: &str = "public, max-age=300";
/// How long this isolate keeps the log: so often strangers can make it ask.
const KEPT_MS: u64 = 60_000;
/// Where envelopes of other agents go.
const INBOX: &str = "/agents/inbox";

thread_local! {
    static LOG: RefCell<Option<(UnixMillis, KeyLog)>> = const { RefCell::new(None) };
}

/// Answers; also what went wrong is for everybody to read.
pub(crate) async fn answer(
    settings: &Settings,
    what: Public,
    url: &str,
) -> worker::Result<Response> {
    let response = match told(settings, what, url).await {
        Ok(value) => {
            let answer = Response::builder()
                .with_header("content-type", "application/json")?
                .with_header("cache-control", CACHED)?;
            answer.fixed(value.to_canonical().into_bytes())
        }
        Err(error) => error.response()?,
    };
    let headers = response.headers();
    headers.set("access-control-allow-origin", "*")?;
    headers.set("x-content-type-options", "nosniff")?;
    Ok(response)
}

async fn told(settings: &Settings, what: Public, url: &str) -> Result<Value, ApiError> {
    let log = log(settings).await?;
    if what == Public::Log {
        return Ok(log.to_value());
    }
    let failed = |error: String| ApiError::new(500, "no_identity", error);
    let state = log.state().map_err(|error| failed(error.to_string()))?;
    let host = host(url)?;
    match what {
        Public::Document => {
            let document = did_doc::of_web(state, &host);
            let document = document.map_err(|error| failed(error.to_string()))?;
            Ok(document.value().clone())
        }
        _ => Ok(card(state, &host)),
    }
}

async fn log(settings: &Settings) -> Result<KeyLog, ApiError> {
    let now = WebClock.now();
    let kept = LOG.with_borrow(|kept| {
        let (at, log) = kept.as_ref()?;
        (now.since(*at) < KEPT_MS).then(|| log.clone())
    });
    if let Some(log) = kept {
        return Ok(log);
    }
    let log = identity::public_log(settings).await?;
    LOG.set(Some((now, log.clone())));
    Ok(log)
}

/// Under which name this Worker is asked. An address is none: anybody could have it tomorrow.
fn host(url: &str) -> Result<DidWeb, ApiError> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    DidWeb::of_host(authority).map_err(|error| {
        ApiError::new(
            404,
            "no_name",
            format!("{authority:?} cannot be a did:web: {error}"),
        )
        .hint("ask by the Worker's name; /.well-known/kamn/log is the same under any")
    })
}

/// A card as A2A has them, with who the agent is as an extension.
fn card(state: &State, host: &DidWeb) -> Value {
    let url = host.url();
    let origin = url.strip_suffix("/.well-known/did.json").unwrap_or(&url);
    let inbox = format!("{origin}{INBOX}");
    let text = || Value::from_iter(["text/plain"]);
    let extension = a2a::extension(state.did(), state.head(), &inbox);
    let skill = Object::new()
        .with("id", "task")
        .with("name", "Tasks in words")
        .with(
            "description",
            "Takes a task in a signed envelope and answers it.",
        )
        .with("tags", Value::from_iter(["conversation", "tools"]));
    Object::new()
        .with("protocolVersion", "0.3.0")
        .with("name", state.did().label())
        .with("description", "An agent run by Tau.")
        .with("url", inbox)
        // Envelopes, not A2A's own calls.
        .with("preferredTransport", "KAMN")
        .with("version", env!("CARGO_PKG_VERSION"))
        .with(
            "capabilities",
            Object::new()
                .with("streaming", false)
                .with("extensions", Value::from_iter([extension])),
        )
        .with("defaultInputModes", text())
        .with("defaultOutputModes", text())
        .with("skills", Value::from_iter([skill]))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_stands_between_the_scheme_and_the_path() {
        let of = |url: &str| host(url).map(|host| host.to_string()).ok();
        let name = "did:web:agent.example";
        assert_eq!(
            of("https://agent.example/.well-known/did.json").as_deref(),
            Some(name)
        );
        assert_eq!(of("https://agent.example?x=/y").as_deref(), Some(name));
        assert_eq!(
            of("http://agent.example:8787/x"),
            Some(format!("{name}%3A8787"))
        );
        assert_eq!(of("http://127.0.0.1:8787/x"), None);
        assert_eq!(of("http://user@agent.example/x"), None);
    }
}
