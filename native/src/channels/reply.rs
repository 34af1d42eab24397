//! What a sender is told: the answer of the turn, and what was not done.
//!
//! Invariant: it is made of what the session stored, so that it is the same after a restart.

use serde_json::Value;
use tau_core::{
    ids::TurnId,
    message::{Role, ToolStatus},
    session::{Entry, Session},
    tool::http::cut,
};

/// Bytes of what is sent at once.
const REPLY_BYTES: usize = 16 * 1024;
/// Calls that were not done, of which a sender is told.
const TOLD: usize = 8;
/// Where there is no answer.
const NO_ANSWER: &str = "No answer came of this message. The owner of this agent can see why; to ask \
again, write again.";

/// The message `id` in `session`: the turn it began.
pub(super) fn turn_of(session: &Session, channel: &str, id: &str) -> Option<TurnId> {
    let is_it = |entry: &&std::sync::Arc<Entry>| {
        let received = entry.received.as_ref();
        received.is_some_and(|received| received.channel == channel && received.id == id)
    };
    session.entries().iter().find(is_it).map(|entry| entry.turn)
}

/// What is sent of `turn`, and how many tool calls it made.
pub(super) fn of_turn(session: &Session, turn: TurnId) -> (String, usize) {
    let mut answer = String::new();
    let mut calls = 0;
    let mut undone: Vec<String> = Vec::new();
    for entry in session.entries().iter().filter(|entry| entry.turn == turn) {
        if entry.message.role == Role::Assistant {
            let text = entry.message.joined_text();
            if !text.trim().is_empty() {
                text.trim().clone_into(&mut answer);
            }
        }
        for result in entry.message.tool_results() {
            calls += 1;
            if result.status == ToolStatus::Denied {
                let line = format!(
                    "not done: {}, because {}",
                    result.name,
                    reason(&result.text)
                );
                if !undone.contains(&line) {
                    undone.push(line);
                }
            }
        }
    }
    if answer.is_empty() {
        answer = NO_ANSWER.into();
    }
    let more = undone.len().saturating_sub(TOLD);
    undone.truncate(TOLD);
    if more > 0 {
        undone.push(format!("not done: {more} more"));
    }
    let undone: Vec<String> = undone.iter().map(|line| format!("[{line}]")).collect();
    let below = match undone.is_empty() {
        true => String::new(),
        false => format!("\n\n{}", undone.join("\n")),
    };
    let room = REPLY_BYTES.saturating_sub(below.len());
    (cut(answer, room) + &below, calls)
}

/// Why a call was not done, from what the model was told.
fn reason(told: &str) -> String {
    let told = serde_json::from_str::<Value>(told).unwrap_or_default();
    let reason = told["reason"].as_str().unwrap_or("it was refused");
    reason.chars().take(400).collect()
}
