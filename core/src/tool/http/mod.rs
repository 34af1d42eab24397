//! The tool `http`: everything about a request that can be said without sending it.
//!
//! ```text
//!  arguments ─> Exchange ─ next_request ─> Outgoing ──> the home sends it to what was decided about
//!                  ^                                   │ head
//!                  └────────────── follow <────────────┘        body ─> Response ─> ToolOutput
//! ```
//!
//! Invariant: an [`Outgoing`] request is made by [`Exchange::next_request`] alone, which decides
//! about its target at every hop; a call with a secret in it makes no [`Exchange`]. What comes back
//! is untrusted. Requests of confined programs go the same way, see [`relay`].

mod exchange;
mod failure;
mod html;
mod media;
pub mod relay;
mod request;
mod response;

use alloc::{string::String, vec};
use serde_json::Value;

use super::{OnRestore, ToolClass, ToolSpec, Touch};
use crate::{json::object_of, safety::Labels};

pub use exchange::{Exchange, Hop, Outgoing, Step};
pub use failure::Failure;
pub use media::label as charset_label;
pub use request::Method;
pub use response::{Content, Response};

/// What it is called, in every home.
pub const NAME: &str = "http";

/// What the model is told of it.
#[must_use]
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: NAME.into(),
        description: "Send a request to a public https address. HTML comes back as readable text \
                      with its links."
            .into(),
        parameters: object_of([
            ("type", "object".into()),
            ("properties", arguments()),
            ("required", vec!["url"].into()),
            ("additionalProperties", false.into()),
        ]),
        class: ToolClass::Network,
        // What is asked with GET or HEAD is asked again, see `ToolSpec::on_restore_of`.
        on_restore: OnRestore::Ask,
        touches: vec![Touch::Url {
            argument: "url".into(),
            method: Some("method".into()),
        }],
        yields: Labels::EXTERNAL,
    }
}

fn arguments() -> Value {
    let methods = Method::ALL.map(|method| Value::from(method.name()));
    let of_type = |name: &str| ("type", Value::from(name));
    let described = |text: &str| ("description", Value::from(text));
    let count = || object_of([of_type("integer"), ("minimum", 1.into())]);
    object_of([
        ("url", object_of([of_type("string")])),
        (
            "method",
            object_of([of_type("string"), ("enum", methods.to_vec().into())]),
        ),
        (
            "headers",
            object_of([of_type("object"), described("names to text")]),
        ),
        ("json", object_of([described("body")])),
        (
            "body",
            object_of([of_type("string"), described("text instead of json")]),
        ),
        ("timeout_ms", count()),
        ("max_bytes", count()),
    ])
}

/// At most `limit` bytes of a text: its beginning, and how much is left out.
#[must_use]
pub fn cut(mut text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let notice = |left_out: usize| alloc::format!("\n[… {left_out} bytes left out …]");
    // The notice with the largest number it can hold.
    let keep = limit.saturating_sub(notice(text.len()).len());
    let keep = text.floor_char_boundary(keep);
    if keep == 0 {
        text.truncate(text.floor_char_boundary(limit));
        return text;
    }
    let left_out = text.len() - keep;
    text.truncate(keep);
    text += &notice(left_out);
    text
}

#[cfg(test)]
mod tests;
