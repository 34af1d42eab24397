//! A channel over HTTP long polling.
//!
//! The server is at `CHAT_URL`, or at <https://chat.example.com>. Where `CHAT_SECRET` names a stored
//! credential (`tau secret set NAME --host HOST`), its value goes along as a bearer token; this module
//! never sees it. The server speaks JSON:
//!
//! ```text
//! GET  /messages?after=PLACE&wait_ms=N   without `after`, from where the agent was added
//!   200 {"messages": [{"id", "from", "conversation", "text", "at"?}], "after": PLACE}
//!                                         waits up to N ms for the first; at most 16 of them
//! POST /messages {"id", "conversation", "text", "reply_to"}
//!   200 or 201                            the same id again sends nothing again
//! both: 429 or 503 with retry-after (seconds) when there is too much to do
//! ```

use serde_json::{Map, Value, json};
use std::process::ExitCode;
use tau_tool::{
    channel::{self, Answer, Channel, Outgoing, Problem},
    http,
};

/// Where the server is, unless the environment says otherwise.
const SERVER: &str = "https://chat.example.com";
/// What Tau takes of a text.
const TEXT_BYTES: usize = 16 * 1024;

struct ChatPoll;

impl Channel for ChatPoll {
    fn receive(&self, state: &Value, wait_ms: u64) -> Result<Answer, Problem> {
        let mut path = format!("/messages?wait_ms={wait_ms}");
        if let Some(after) = state["after"].as_str() {
            path += &format!("&after={}", escaped(after));
        }
        let answer = ask(json!({ "method": "GET", "url": url(&path) }))?;
        let after = answer["after"]
            .as_str()
            .ok_or("the server says no place to go on from")?;
        let list = answer["messages"].as_array();
        let list = list.ok_or("the server gives no list of messages")?;
        Ok(Answer {
            messages: list.iter().filter_map(message).collect(),
            state: json!({ "after": after }),
        })
    }

    fn send(&self, outgoing: &Outgoing) -> Result<(), Problem> {
        let body = json!({
            // The same when this answer is sent again: the server can tell.
            "id": outgoing.id,
            "conversation": outgoing.conversation,
            "text": outgoing.text,
            "reply_to": outgoing.reply_to,
        });
        ask(json!({ "method": "POST", "url": url("/messages"), "json": body })).map(drop)
    }
}

/// A message as Tau takes it: only the fields it knows, and no more text than it reads.
fn message(said: &Value) -> Option<Value> {
    let mut message = Map::new();
    for field in ["id", "from", "conversation", "text"] {
        message.insert(field.into(), said[field].as_str()?.into());
    }
    let text = said["text"].as_str()?;
    if text.len() > TEXT_BYTES {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES)];
        message.insert("text".into(), text.into());
    }
    if let Some(at) = said["at"].as_u64() {
        message.insert("at".into(), at.into());
    }
    Some(message.into())
}

fn url(path: &str) -> String {
    let server = std::env::var("CHAT_URL").unwrap_or_else(|_| SERVER.into());
    format!("{}{path}", server.trim_end_matches('/'))
}

/// Sends a request; anything but a success is a problem, with the time the server wants.
fn ask(mut request: Value) -> Result<Value, Problem> {
    if let Ok(name) = std::env::var("CHAT_SECRET") {
        let bearer = format!("Bearer {{{{secret:{name}}}}}");
        request["headers"] = json!({ "authorization": bearer });
    }
    let response = http::send(&request)?;
    if !(200..300).contains(&response.status) {
        return Err(Problem {
            reason: format!("the server answered with status {}", response.status),
            // Tau has read the header retry-after.
            retry_after_ms: response.all["retry_after_ms"].as_u64(),
        });
    }
    let read = serde_json::from_str(&response.body);
    Ok(read.map_err(|_| "the server's answer is not JSON")?)
}

/// As it may stand in an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn main() -> ExitCode {
    channel::run(&ChatPoll)
}
