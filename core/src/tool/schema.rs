//! Checking a call's arguments against a tool's JSON Schema.
//!
//! The subset: `type` (one name), `properties`, `required`, `additionalProperties: false`, `enum`,
//! `minimum`, `maximum`, `minLength`, `maxLength`, `items`. Other keywords do not restrict
//! (JSON Schema 2020-12 treats unknown keywords the same way). A model can mend every message
//! written here: it names the place, what stands there and what belongs there.

use alloc::{format, string::String, vec::Vec};
use core::cmp::Ordering;
use serde_json::{Map, Value};

use super::dispatch::nearest;
use crate::json;

/// Everything wrong with `arguments`, in the schema's order; empty when they fit.
#[must_use]
pub fn check(schema: &Value, arguments: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check_at("", schema, arguments, &mut problems);
    problems
}

fn check_at(place: &str, schema: &Value, value: &Value, problems: &mut Vec<String>) {
    let shown = if place.is_empty() { "arguments" } else { place };
    if let Some(expected) = schema.get("type").and_then(Value::as_str)
        && !has_type(value, expected)
    {
        problems.push(format!(
            "{shown}: expected {}, found {}",
            article(expected),
            found(value)
        ));
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(|value| json::to_string(value)).collect();
        problems.push(format!(
            "{shown}: {} is not one of {}",
            json::to_string(value),
            allowed.join(", ")
        ));
    }
    check_bounds(shown, schema, value, problems);
    match value {
        Value::Object(object) => check_object(place, schema, object, problems),
        Value::Array(items) => {
            if let Some(item_schema) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    check_at(&format!("{place}[{index}]"), item_schema, item, problems);
                }
            }
        }
        _ => {}
    }
}

fn check_object(
    place: &str,
    schema: &Value,
    object: &Map<String, Value>,
    problems: &mut Vec<String>,
) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let path = |name: &str| {
        if place.is_empty() {
            String::from(name)
        } else {
            format!("{place}.{name}")
        }
    };
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            let kind = properties
                .and_then(|p| p.get(name)?.get("type")?.as_str())
                .map(|kind| format!(" ({kind})"))
                .unwrap_or_default();
            problems.push(format!("{}: missing{kind}", path(name)));
        }
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, value) in object {
        match properties.and_then(|p| p.get(name)) {
            Some(schema) => check_at(&path(name), schema, value, problems),
            None if closed => {
                let known: Vec<&str> = properties
                    .into_iter()
                    .flat_map(|p| p.keys().map(String::as_str))
                    .collect();
                let hint = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None if known.is_empty() => "there are none".into(),
                    None => format!("known: {}", known.join(", ")),
                };
                problems.push(format!("{}: no such argument; {hint}", path(name)));
            }
            None => {}
        }
    }
}

fn check_bounds(shown: &str, schema: &Value, value: &Value, problems: &mut Vec<String>) {
    // A limit is shown as it is written in the schema.
    let mut compare =
        |keyword: &str, found: f64, passed: Ordering, tell: &dyn Fn(&str) -> String| {
            let limit = schema.get(keyword).unwrap_or(&Value::Null);
            if limit.as_f64().and_then(|limit| found.partial_cmp(&limit)) == Some(passed) {
                problems.push(format!("{shown}: {}", tell(&json::to_string(limit))));
            }
        };
    if let Some(number) = value.as_f64() {
        let value = json::to_string(value);
        compare("minimum", number, Ordering::Less, &|limit| {
            format!("{value} is below the minimum of {limit}")
        });
        compare("maximum", number, Ordering::Greater, &|limit| {
            format!("{value} is above the maximum of {limit}")
        });
    }
    if let Some(text) = value.as_str() {
        let count = text.chars().count();
        compare("minLength", count as f64, Ordering::Less, &|limit| {
            format!("{count} characters, at least {limit} are needed")
        });
        compare("maxLength", count as f64, Ordering::Greater, &|limit| {
            format!("{count} characters, at most {limit} are allowed")
        });
    }
}

fn has_type(value: &Value, expected: &str) -> bool {
    match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        // JSON Schema counts 1.0 as an integer.
        "integer" => value.as_f64().is_some_and(|number| number % 1.0 == 0.0),
        _ => true,
    }
}

fn article(kind: &str) -> String {
    match kind {
        "array" | "integer" | "object" => format!("an {kind}"),
        "null" => kind.into(),
        _ => format!("a {kind}"),
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        Value::String(text) if text.chars().count() > 60 => {
            let start: String = text.chars().take(60).collect();
            format!("the string {:?}…", start)
        }
        Value::String(text) => format!("the string {text:?}"),
        other => json::to_string(other),
    }
}

#[cfg(test)]
mod tests;
