//! Reading fields of JSON that may be missing, `null`, or of the wrong type.
//!
//! Missing and `null` are the same everywhere: providers disagree about which they send.

use alloc::{format, string::String};
use serde_json::Value;

use crate::json::object_of;

use super::{
    WireError,
    table::{Situation, settle},
};

/// A field; `None` where it is missing or `null`.
pub(super) fn get<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// A string.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> Result<Option<&'a str>, WireError> {
    match get(object, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => wrong(key, "string").map(|()| None),
    }
}

/// A list; empty where it is missing.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> Result<&'a [Value], WireError> {
    match get(object, key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => wrong(key, "list").map(|()| -> &[Value] { &[] }),
    }
}

/// An object.
pub(super) fn object<'a>(object: &'a Value, key: &str) -> Result<Option<&'a Value>, WireError> {
    match get(object, key) {
        None => Ok(None),
        Some(value @ Value::Object(_)) => Ok(Some(value)),
        Some(_) => wrong(key, "object").map(|()| None),
    }
}

/// A number of tokens; `None` where it is missing or no natural number.
pub(super) fn count(object: &Value, key: &str) -> Option<u64> {
    get(object, key).and_then(Value::as_u64)
}

/// Asks the table about a field of the wrong type.
pub(super) fn wrong(key: &str, expected: &str) -> Result<(), WireError> {
    settle(Situation::WrongShape, || {
        format!("field `{key}` is no {expected}")
    })
    .map(|_| ())
}

/// A text as both formats have it among parts.
pub(super) fn text_part(text: &str) -> Value {
    object_of([("type", "text".into()), ("text", text.into())])
}

/// What stands for a picture that the model cannot look at.
pub(super) const NO_PICTURES: &str = "[a picture was left out: this model takes no pictures]";

/// A tool's name as providers take it back: `[A-Za-z0-9_-]{1,64}`.
///
/// Models invent names; a conversation that quotes one must not be refused for it.
pub(super) fn tool_name(name: &str) -> String {
    let name: String = identifier(name).chars().take(64).collect();
    match name.is_empty() {
        true => "unknown".into(),
        false => name,
    }
}

/// `text` with every character outside `[A-Za-z0-9_-]` replaced by `_`.
pub(super) fn identifier(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}
