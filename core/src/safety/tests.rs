use alloc::{string::String, vec};

use super::*;

fn vet_tool_text(text: &str) -> (String, Vec<Screened>) {
    let source = Source::Tool {
        name: "read".into(),
    };
    let (vetted, findings) = Gate::default().vet(Untrusted::new(String::from(text), source));
    (vetted.into_inner(), findings)
}

#[test]
fn plain_text_passes_unchanged() {
    for text in ["", "a\tb\nc\r\nd", "naïve – 漢字 🦀"] {
        assert_eq!(vet_tool_text(text), (text.into(), vec![]));
    }
}

#[test]
fn escape_sequences_are_removed_and_told() {
    let cases = [
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]0;title\u{7}text", "text"),
        ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
        ("\u{1b}]unterminated\nnext", "\nnext"),
        ("a\u{0}b\u{8}c", "abc"),
        ("over\rwrite", "overwrite"),
        ("\u{9b}2Jx", "x"),
        ("end\u{1b}", "end"),
    ];
    for (text, expected) in cases {
        let (clean, findings) = vet_tool_text(text);
        assert_eq!(clean, expected, "{text:?}");
        assert_eq!(findings[0].kind, Kind::Control);
    }
}

#[test]
fn every_text_of_a_message_is_visited() {
    let call = serde_json::json!({"path": "a\u{1b}[2Jb", "list": ["\u{0}x"]});
    let message = Message {
        role: crate::message::Role::Assistant,
        parts: vec![
            Part::Text {
                text: "\u{1b}[1mt".into(),
            },
            Part::ToolCall(crate::message::ToolCall {
                id: crate::ids::CallId("1".into()),
                name: "read".into(),
                arguments: call,
            }),
        ],
    };
    let (vetted, _) = Gate::default().vet(Untrusted::new(message, Source::Model));
    let json = serde_json::to_string(&vetted).unwrap();
    assert!(
        json.contains(r#""path":"ab""#) && json.contains(r#"["x"]"#),
        "{json}"
    );
}
