//! What holds in every scenario: no call without its result, no result without its call, neither
//! in the session nor in any request.

use serde_json::Value;
use std::fmt::Write as _;
use tau_core::{
    message::{Message, Role},
    model::ModelRequest,
    session::Session,
};

/// The conversation of a session at rest.
pub(super) fn conversation(session: &Session) -> Result<(), String> {
    let path = session.entries().path();
    let messages: Vec<&Message> = path.iter().map(|entry| &**entry.message).collect();
    let mut open: Vec<String> = Vec::new();
    for message in &messages {
        if message.role == Role::Tool {
            let results: Vec<String> = message
                .tool_results()
                .map(|result| result.call_id.0.clone())
                .collect();
            if results != open {
                return Err(format!("the calls {open:?} have the results {results:?}"));
            }
            open.clear();
        } else if !open.is_empty() {
            return Err(format!("the calls {open:?} have no results"));
        } else {
            open = message.tool_calls().map(|call| call.id.0.clone()).collect();
        }
    }
    if !open.is_empty() && !session.is_running() {
        return Err(format!(
            "the turn ended and the calls {open:?} have no results"
        ));
    }
    Ok(())
}

/// A request in the format of OpenAI or Anthropic. Words of [`in_words`] are checked alike.
pub(super) fn request(body: &str) -> Result<(), String> {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return Ok(());
    };
    let mut open: Vec<&str> = Vec::new();
    for message in list(&body["messages"]) {
        let blocks = list(&message["content"]);
        let block_ids = |kind: &'static str, key: &'static str| {
            let of_kind = blocks.iter().filter(move |block| block["type"] == kind);
            of_kind.filter_map(move |block| block[key].as_str())
        };
        let result = message["tool_call_id"]
            .as_str()
            .filter(|_| message["role"] == "tool");
        let results: Vec<&str> = block_ids("tool_result", "tool_use_id")
            .chain(result)
            .collect();
        for id in &results {
            let Some(place) = open.iter().position(|call| call == id) else {
                return Err(format!("a request holds the result {id} without its call"));
            };
            open.remove(place);
        }
        if results.is_empty() || message["role"] != "tool" {
            if !open.is_empty() {
                return Err(format!(
                    "a request holds the calls {open:?} without results"
                ));
            }
            let calls = list(&message["tool_calls"])
                .iter()
                .filter_map(|call| call["id"].as_str());
            open = calls.chain(block_ids("tool_use", "id")).collect();
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(format!("a request ends with the calls {open:?}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A request to the model in the process as text, for expectations about it.
pub(super) fn in_words(request: &ModelRequest) -> String {
    let mut words = format!("{}\n", &**request.system);
    for message in request.messages.iter() {
        // Writing into a string does not fail.
        let _ = writeln!(words, "{:?} {:?}", message.role, message.parts);
    }
    if let Some(closing) = &request.closing {
        words.push_str(closing);
    }
    words
}
