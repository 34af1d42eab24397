//! What Tau and a channel say to each other, and what is too much of it.
//!
//! Invariant: nothing of an answer counts unless all of it fits. What is wrong with one is told in a
//! sentence that says which field, what was found and what is allowed.

use serde_json::{Map, Value, json};
use tau_core::ids::UnixMillis;

/// Bytes of an answer, whatever it holds.
pub(crate) const ANSWER_BYTES: usize = 512 * 1024;
/// Messages of one answer.
pub(crate) const MESSAGES: usize = 32;
/// Bytes of a message's text that are taken; a longer one is not, and its sender is told.
pub(crate) const TEXT_BYTES: usize = 16 * 1024;
/// Bytes of the state a channel is given back, as JSON.
pub(crate) const STATE_BYTES: usize = 4 * 1024;
/// Bytes of an id, a sender and a conversation.
pub(crate) const NAME_BYTES: usize = 256;
/// The longest time a channel can ask to be left alone.
const MOST_RETRY_AFTER_MS: u64 = 60 * 60 * 1000;
/// Characters of a channel's own words about what does not work.
const REASON_CHARS: usize = 500;

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The service's name for it, which no other has.
    pub(crate) id: String,
    /// The service's name for who wrote it.
    pub(crate) from: String,
    /// The service's name for where it was written, and where the answer goes.
    pub(crate) conversation: String,
    /// What it says.
    pub(crate) text: String,
    /// When it was written, by the service's clock.
    pub(crate) at: Option<UnixMillis>,
}

/// What `receive` brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// The messages, oldest first.
    pub(crate) messages: Vec<Message>,
    /// What the channel wants to be given the next time.
    pub(crate) state: Value,
}

/// Why nothing came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// For a person.
    pub(crate) why: String,
    /// How long the channel wants to be left alone.
    pub(crate) retry_after_ms: Option<u64>,
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self {
            why,
            retry_after_ms: None,
        }
    }
}

/// Asks for what came since `state`; there is time for `wait_ms` of waiting.
pub(crate) fn receive(state: &Value, wait_ms: u64) -> Value {
    json!({ "receive": { "state": state, "wait_ms": wait_ms } })
}

/// Asks to send `text`. `id` is the same whenever the same is sent again.
pub(crate) fn send(id: &str, conversation: &str, text: &str, reply_to: &str) -> Value {
    json!({ "send": {
        "id": id, "conversation": conversation, "text": text, "reply_to": reply_to,
    } })
}

/// Reads the answer to [`receive`].
pub(crate) fn received(text: &str) -> Result<Received, Failure> {
    let mut answer = object(text)?;
    let messages = match take(&mut answer, "messages")? {
        Value::Array(messages) => messages,
        other => return Err(wrong("messages", &other, "a list")),
    };
    let state = take(&mut answer, "state")?;
    nothing_else(&answer, "the answer")?;
    let bytes = state.to_string().len();
    if bytes > STATE_BYTES {
        return Err(Failure::from(format!(
            "state has {bytes} bytes, at most {STATE_BYTES} are kept"
        )));
    }
    if messages.len() > MESSAGES {
        return Err(Failure::from(format!(
            "there are {} messages, at most {MESSAGES} are taken at once",
            messages.len()
        )));
    }
    let messages: Result<Vec<_>, Failure> = messages.into_iter().map(message).collect();
    Ok(Received {
        messages: messages?,
        state,
    })
}

/// Reads the answer to [`send`].
pub(crate) fn sent(text: &str) -> Result<(), Failure> {
    let mut answer = object(text)?;
    let sent = take(&mut answer, "sent")?;
    nothing_else(&answer, "the answer")?;
    match sent {
        Value::Bool(true) => Ok(()),
        other => Err(wrong("sent", &other, "true")),
    }
}

/// The answer as an object; one that tells of an error is one.
fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    let answer = match serde_json::from_str(text.trim()) {
        Ok(Value::Object(answer)) => answer,
        Ok(other) => return Err(wrong("the answer", &other, "an object")),
        Err(error) => return Err(Failure::from(format!("the answer is not JSON: {error}"))),
    };
    match answer.get("error") {
        None => Ok(answer),
        Some(Value::Object(error)) => Err(told(error.clone(), &answer)),
        Some(other) => Err(wrong("error", other, "an object")),
    }
}

/// An error that the channel tells of.
fn told(mut error: Map<String, Value>, answer: &Map<String, Value>) -> Failure {
    let read = || {
        let reason = string(&mut error, "reason")?;
        let retry_after_ms = match error.remove("retry_after_ms") {
            None => None,
            Some(value) => match value.as_u64() {
                Some(millis) => Some(millis.min(MOST_RETRY_AFTER_MS)),
                None => return Err(wrong("retry_after_ms", &value, "a number of milliseconds")),
            },
        };
        nothing_else(&error, "error")?;
        match answer.len() {
            1 => Ok((reason, retry_after_ms)),
            _ => Err(Failure::from(String::from(
                "the answer tells of an error and of something else",
            ))),
        }
    };
    let read: Result<(String, Option<u64>), Failure> = { read }();
    match read {
        Ok((reason, retry_after_ms)) => Failure {
            why: reason.chars().take(REASON_CHARS).collect(),
            retry_after_ms,
        },
        Err(failure) => failure,
    }
}

fn message(value: Value) -> Result<Message, Failure> {
    let mut message = match value {
        Value::Object(message) => message,
        other => return Err(wrong("a message", &other, "an object")),
    };
    let read = Message {
        id: name(&mut message, "id")?,
        from: name(&mut message, "from")?,
        conversation: name(&mut message, "conversation")?,
        text: string(&mut message, "text")?,
        at: match message.remove("at") {
            None | Some(Value::Null) => None,
            Some(at) => match at.as_u64() {
                Some(millis) => Some(UnixMillis(millis)),
                None => return Err(wrong("at", &at, "milliseconds since 1970")),
            },
        },
    };
    nothing_else(&message, "a message")?;
    Ok(read)
}

/// Whether `name` can be one: a person has to see it as it is.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.len() > NAME_BYTES {
        let bytes = name.len();
        return Err(format!("{field} has {bytes} bytes, not 1 to {NAME_BYTES}"));
    }
    match name.chars().find(|c| is_unseen(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "{field} holds U+{:04X}, which nobody sees",
            u32::from(c)
        )),
    }
}

/// Control characters, and marks without a width: two names that look alike would be different.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn name(object: &mut Map<String, Value>, field: &str) -> Result<String, Failure> {
    let name = string(object, field)?;
    check_name(field, &name)?;
    Ok(name)
}

fn string(object: &mut Map<String, Value>, field: &str) -> Result<String, Failure> {
    match take(object, field)? {
        Value::String(text) => Ok(text),
        other => Err(wrong(field, &other, "a text")),
    }
}

fn take(object: &mut Map<String, Value>, field: &str) -> Result<Value, Failure> {
    let missing = || Failure::from(format!("{field} is missing"));
    object.remove(field).ok_or_else(missing)
}

fn nothing_else(object: &Map<String, Value>, of: &str) -> Result<(), Failure> {
    match object.keys().next() {
        None => Ok(()),
        Some(field) => {
            let field: String = field.chars().take(64).collect();
            Err(Failure::from(format!("{of} has no field {field:?}")))
        }
    }
}

fn wrong(field: &str, found: &Value, expected: &str) -> Failure {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Failure::from(format!("{field} is {found}, not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(answer: &Value) -> String {
        received(&answer.to_string()).unwrap_err().why
    }

    #[test]
    fn what_came_is_read_as_it_was_said() {
        let read = received(
            r#"{"messages": [{"id": "1", "from": "anna", "conversation": "room", "text": "hi", "at": 7}],
                "state": {"after": 1}}"#,
        );
        let read = read.unwrap();
        assert_eq!(read.state, json!({"after": 1}));
        assert_eq!(read.messages[0].from, "anna");
        assert_eq!(read.messages[0].at, Some(UnixMillis(7)));
        let empty = received(r#"{"messages": [], "state": null}"#).unwrap();
        assert_eq!((empty.messages.len(), empty.state), (0, Value::Null));
    }

    #[test]
    fn an_answer_that_does_not_fit_says_where() {
        let good = json!({"id": "1", "from": "a", "conversation": "c", "text": "t"});
        let with = |field: &str, value: Value| {
            let mut message = good.clone();
            message[field] = value;
            json!({"messages": [message], "state": null})
        };
        for (answer, expected) in [
            (json!([]), "the answer is a list, not an object"),
            (json!({"messages": []}), "state is missing"),
            (json!({"state": 1}), "messages is missing"),
            (json!({"messages": {}, "state": 1}), "messages is an object"),
            (
                json!({"messages": [1], "state": 1}),
                "a message is a number",
            ),
            (
                json!({"messages": [], "state": 1, "more": 1}),
                "no field \"more\"",
            ),
            (with("from", json!(1)), "from is a number, not a text"),
            (with("from", json!("")), "from has 0 bytes"),
            (with("from", json!("an\u{200b}na")), "U+200B"),
            (with("from", json!("x\ny")), "U+000A"),
            (with("id", json!("x".repeat(257))), "id has 257 bytes"),
            (with("at", json!("now")), "at is a text"),
            (with("trusted", json!(true)), "no field \"trusted\""),
            (
                json!({"messages": vec![good.clone(); 33], "state": null}),
                "33 messages, at most 32",
            ),
            (
                json!({"messages": [], "state": "x".repeat(5_000)}),
                "state has 5002 bytes",
            ),
        ] {
            let said = why(&answer);
            assert!(said.contains(expected), "{said:?} for {expected:?}");
        }
        assert!(received("nothing").unwrap_err().why.contains("not JSON"));
        assert!(received(&"[".repeat(10_000)).is_err());
    }

    #[test]
    fn an_error_is_told_with_when_to_try_again() {
        let told = sent(r#"{"error": {"reason": "busy", "retry_after_ms": 1500}}"#).unwrap_err();
        assert_eq!(
            (told.why.as_str(), told.retry_after_ms),
            ("busy", Some(1500))
        );
        let for_ever = format!(
            r#"{{"error": {{"reason": "x", "retry_after_ms": {}}}}}"#,
            u64::MAX
        );
        let told = received(&for_ever).unwrap_err();
        assert_eq!(told.retry_after_ms, Some(MOST_RETRY_AFTER_MS));
        assert_eq!(sent(r#"{"sent": true}"#), Ok(()));
        for (answer, expected) in [
            (r#"{"sent": false}"#, "sent is true or false, not true"),
            (
                r#"{"sent": true, "error": {"reason": "x"}}"#,
                "something else",
            ),
            (r#"{"error": "busy"}"#, "error is a text"),
            (r#"{"error": {}}"#, "reason is missing"),
            (
                r#"{"error": {"reason": "x", "retry_after_ms": -1}}"#,
                "milliseconds",
            ),
        ] {
            let said = sent(answer).unwrap_err().why;
            assert!(said.contains(expected), "{said:?} for {expected:?}");
        }
    }
}
