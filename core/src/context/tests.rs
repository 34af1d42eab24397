use alloc::{string::String, sync::Arc, vec, vec::Vec};

use super::*;
use crate::{
    ids::{CallId, EntryId, TurnId, UnixMillis},
    message::{Role, ToolCall, ToolResult, ToolStatus},
    safety::{Gate, Labels, Source, Untrusted},
    session::{Entries, Entry},
};

fn message(role: Role, text: &str) -> Message {
    let id = CallId("c".into());
    let part = match role {
        Role::User => Part::Text { text: text.into() },
        Role::Assistant => Part::ToolCall(ToolCall {
            id,
            name: "read".into(),
            arguments: serde_json::json!({ "path": text }),
        }),
        Role::Tool => Part::ToolResult(ToolResult {
            call_id: id,
            name: "read".into(),
            status: ToolStatus::Ok,
            text: text.into(),
            images: vec![],
            duration_ms: 0,
            labels: Labels::NONE,
        }),
    };
    Message {
        role,
        parts: vec![part],
    }
}

fn entries(roles: &[(Role, usize)]) -> Entries {
    let mut entries = Entries::default();
    for (place, (role, length)) in roles.iter().enumerate() {
        let message = message(*role, &"x".repeat(*length));
        entries.push(Entry {
            labels: Labels::NONE,
            id: EntryId(alloc::format!("{place}")),
            parent: place.checked_sub(1),
            turn: TurnId(1),
            at: UnixMillis(0),
            tokens: estimate_message(&message),
            message: Gate::default()
                .vet(Untrusted::new(message, Source::User))
                .0
                .shared(),
            usage: None,
            covers: None,
            origin: None,
            recalled: None,
            sender: None,
        });
    }
    entries
}

fn roles(messages: &[crate::safety::Vetted<Arc<Message>>]) -> Vec<Role> {
    messages.iter().map(|message| message.role).collect()
}

const U: Role = Role::User;
const A: Role = Role::Assistant;
const T: Role = Role::Tool;

#[test]
fn a_result_is_never_left_without_its_call() {
    let entries = entries(&[(U, 40), (A, 40), (T, 4000), (U, 40), (A, 40), (T, 40)]);
    for limit in 0..1_200 {
        let mut window = Window::rebuild(&entries);
        if let Some(place) = window.cut_for(limit, 4) {
            window.cut_before(place);
        }
        let kept = roles(window.messages());
        assert_ne!(kept.first(), Some(&T), "limit {limit}: {kept:?}");
        assert!(kept.ends_with(&[A, T]), "limit {limit}: {kept:?}");
        let sum: u64 = window
            .messages()
            .iter()
            .map(|m| u64::from(estimate_message(m)))
            .sum();
        assert_eq!(window.tokens(), sum);
    }
}

#[test]
fn what_the_running_turn_needs_is_never_left_out() {
    let entries = entries(&[(U, 400), (U, 400), (U, 400)]);
    let mut window = Window::rebuild(&entries);
    assert_eq!(window.cut_for(0, 1), Some(1));
    assert_eq!(window.cut_before(1), 1);
    assert_eq!(window.len(), 2);
}

#[test]
fn a_turn_that_outgrows_the_model_has_its_results_shortened() {
    let entries = entries(&[(U, 40), (A, 40), (T, 400_000)]);
    let window = Window::rebuild(&entries);
    let short = window.shortened(2_000);
    let tokens: u32 = short.iter().map(|m| estimate_message(m)).sum();
    assert!(tokens <= 2_000, "{tokens}");
    assert_eq!(roles(&short), [U, A, T]);
    let text = &short[2].tool_results().next().unwrap().text;
    assert!(text.contains("left out") && text.starts_with('x') && text.ends_with('x'));
}

#[test]
fn estimates_count_scripts_apart() {
    assert_eq!(estimate_text(""), 0);
    assert_eq!(estimate_text("four"), 1);
    assert_eq!(estimate_text("漢字"), 2);
    assert_eq!(estimate_text(&String::from("a").repeat(400)), 100);
}
