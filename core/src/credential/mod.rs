//! Credentials by handle: a model writes `{{secret:NAME}}`, and only the side that sends knows
//! what it stands for.
//!
//! Invariant: no value of a credential is ever in a message, a record or a request of the core.
//! What is decided here is where a handle may stand; the HTTP adapter puts the value in, for the
//! host the credential was stored for and no other.

mod redact;
mod scope;

pub use redact::{Flow, LEAST_BYTES, Redactor};
pub use scope::Scope;

use alloc::{
    format,
    string::{String, ToString},
};

use crate::{policy::Refusal, session::HeaderValue};

/// What a secret of the credential store is called where another would be an environment
/// variable: `secret:NAME`.
pub const SCHEME: &str = "secret:";

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// Of a name, in bytes.
const NAME_BYTES: usize = 64;

/// Whether `name` can name a credential: letters, digits, `.`, `_` and `-`, beginning with a
/// letter or digit, at most 64.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    name.len() <= NAME_BYTES
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(rest)
}

/// How a model writes the credential `name`.
#[must_use]
pub fn handle(name: &str) -> String {
    format!("{OPEN}{SCHEME}{name}{CLOSE}")
}

/// Whether `text` holds what could be meant as a handle, in whatever spacing or case.
#[must_use]
pub fn mentions(text: &str) -> bool {
    text.match_indices(OPEN).any(|(at, _)| {
        let rest = text.get(at + OPEN.len()..).unwrap_or_default();
        let word = rest.trim_start().get(..SCHEME.len() - 1);
        word.is_some_and(|word| word.eq_ignore_ascii_case("secret"))
    })
}

/// A header's value as a model wrote it: with a handle at its end, such as
/// `Bearer {{secret:github}}`, the value is put in by the home as it sends.
///
/// Refused when a handle stands anywhere else or is not well-formed: half a credential would go out
/// as text.
pub fn header_value(text: &str) -> Result<HeaderValue, Refusal> {
    if !mentions(text) {
        return Ok(HeaderValue::Plain(text.into()));
    }
    let inner = text
        .split_once(OPEN)
        .and_then(|(prefix, rest)| Some((prefix, rest.strip_suffix(CLOSE)?)));
    match inner.and_then(|(prefix, name)| Some((prefix, name.strip_prefix(SCHEME)?))) {
        Some((prefix, name)) if is_name(name) => Ok(HeaderValue::Secret {
            name: format!("{SCHEME}{name}"),
            prefix: prefix.to_string(),
        }),
        _ => Err(refuse(
            "a handle stands once, at the end of a header's value",
            "write it as in \"Bearer {{secret:NAME}}\"",
        )),
    }
}

/// Refuses a handle in `place`, such as `the address` or `the body`: only a header takes one.
pub fn refuse_in(place: &str, text: &str) -> Result<(), Refusal> {
    if mentions(text) {
        return Err(refuse(
            &format!("{place} holds a handle, and a credential goes into a header only"),
            "move it to a header, such as \"authorization\": \"Bearer {{secret:NAME}}\"",
        ));
    }
    Ok(())
}

fn refuse(reason: &str, hint: &str) -> Refusal {
    Refusal {
        rule: "credentials: handle".into(),
        reason: reason.into(),
        hint: Some(hint.into()),
    }
}

#[cfg(test)]
mod tests;
