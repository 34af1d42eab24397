use alloc::{string::String, vec::Vec};
use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100},
            "mode": {"enum": ["fast", "slow"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "inner": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
        },
        "required": ["path"],
        "additionalProperties": false
    })
}

#[test]
fn what_fits_has_no_problems() {
    for arguments in [
        json!({"path": "a"}),
        json!({"path": "a", "limit": 5, "mode": "fast", "tags": ["x"], "inner": {"x": 1.5}}),
        json!({"path": "a", "limit": 5.0}),
    ] {
        assert_eq!(
            check(&schema(), &arguments),
            Vec::<String>::new(),
            "{arguments}"
        );
    }
}

#[test]
fn each_problem_names_place_finding_and_remedy() {
    let cases = [
        (json!({}), "path: missing (string)"),
        (json!({"path": 3}), "path: expected a string, found 3"),
        (
            json!({"path": ""}),
            "path: 0 characters, at least 1 are needed",
        ),
        (
            json!({"path": "a", "limit": "5"}),
            "limit: expected an integer, found the string \"5\"",
        ),
        (
            json!({"path": "a", "limit": 1.5}),
            "limit: expected an integer, found 1.5",
        ),
        (
            json!({"path": "a", "limit": 0}),
            "limit: 0 is below the minimum of 1",
        ),
        (
            json!({"path": "a", "limit": 101}),
            "limit: 101 is above the maximum of 100",
        ),
        (
            json!({"path": "a", "limt": 1}),
            "limt: no such argument; did you mean limit?",
        ),
        (
            json!({"path": "a", "mode": "mid"}),
            "mode: \"mid\" is not one of \"fast\", \"slow\"",
        ),
        (
            json!({"path": "a", "tags": ["x", 1]}),
            "tags[1]: expected a string, found 1",
        ),
        (
            json!({"path": "a", "inner": {}}),
            "inner.x: missing (number)",
        ),
        (json!([1]), "arguments: expected an object, found an array"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(check(&schema(), &arguments), [expected], "{arguments}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let arguments = json!({"limit": 0, "extra": true});
    assert_eq!(check(&schema(), &arguments).len(), 3);
}
