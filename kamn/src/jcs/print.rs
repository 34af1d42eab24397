//! The canonical text of a value (RFC 8785 3.2).

use alloc::string::String;
use core::fmt::Write as _;

use super::{Integer, Value};

pub(super) fn value(value: &Value, into: &mut String) {
    match value {
        Value::Bool(true) => into.push_str("true"),
        Value::Bool(false) => into.push_str("false"),
        Value::Integer(Integer(number)) => {
            // Writing to a string cannot fail.
            let _ = write!(into, "{number}");
        }
        Value::String(text) => string(text, into),
        Value::Array(items) => {
            into.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    into.push(',');
                }
                self::value(item, into);
            }
            into.push(']');
        }
        Value::Object(object) => {
            into.push('{');
            for (place, (name, member)) in object.iter().enumerate() {
                if place > 0 {
                    into.push(',');
                }
                string(name, into);
                into.push(':');
                self::value(member, into);
            }
            into.push('}');
        }
    }
}

/// Escapes only what JSON cannot hold, in the shortest way there is (RFC 8785 3.2.2.2).
fn string(text: &str, into: &mut String) {
    into.push('"');
    let mut rest = text;
    // What is escaped is ASCII, so there is the boundary of a character on both sides.
    let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    while let Some(place) = rest.bytes().position(escaped) {
        let (plain, others) = rest.split_at(place);
        into.push_str(plain);
        let (letter, others) = others.split_at(1);
        match letter {
            "\"" => into.push_str("\\\""),
            "\\" => into.push_str("\\\\"),
            "\u{8}" => into.push_str("\\b"),
            "\t" => into.push_str("\\t"),
            "\n" => into.push_str("\\n"),
            "\u{c}" => into.push_str("\\f"),
            "\r" => into.push_str("\\r"),
            control => {
                for byte in control.bytes() {
                    let _ = write!(into, "\\u{byte:04x}");
                }
            }
        }
        rest = others;
    }
    into.push_str(rest);
    into.push('"');
}
