//! Calls of MCP tools as messages, and messages as calls.
//!
//! ```text
//!   request       <->  Request       mcp.method, mcp.id, mcp.params
//!   response      <->  Response      mcp.id, mcp.result or mcp.error; the envelope's parent_id
//!   notification  <->  StatusUpdate  mcp.method, mcp.params
//! ```
//!
//! Parameters and results travel as JSON text, since they may hold what signed objects must not:
//! fractions and large numbers.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
};

use serde_json::{Map, Value, json};

use super::{InteropError, shape};
use crate::{envelope::MessageType, error::beginning};

const METHOD: &str = "mcp.method";
const ID: &str = "mcp.id";
const PARAMS: &str = "mcp.params";
const RESULT: &str = "mcp.result";
const ERROR: &str = "mcp.error";

/// A JSON-RPC message as the body of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The type of the envelope.
    pub message_type: MessageType,
    /// Its body.
    pub body: BTreeMap<String, String>,
}

/// What a JSON-RPC message of MCP is as a message.
pub fn to_message(text: &str) -> Result<Mapped, InteropError> {
    let Ok(Value::Object(mut rpc)) = serde_json::from_str::<Value>(text) else {
        return Err(shape("MCP message", "it is no JSON object"));
    };
    if rpc.remove("jsonrpc") != Some(json!("2.0")) {
        return Err(shape("MCP message", "it is not JSON-RPC 2.0"));
    }
    let id = rpc.remove("id");
    if !id.as_ref().is_none_or(is_id) {
        return Err(shape(
            "MCP message",
            "its id is neither a text nor a whole number",
        ));
    }
    let mut body = BTreeMap::new();
    let message_type = match (rpc.remove("method"), &id) {
        (Some(Value::String(method)), id) => {
            if method.trim().is_empty() {
                return Err(shape("MCP message", "its method is blank"));
            }
            body.insert(METHOD.into(), method);
            if let Some(params) = rpc.remove("params") {
                body.insert(PARAMS.into(), object_text(&params)?);
            }
            match id {
                Some(_) => MessageType::Request,
                None => MessageType::StatusUpdate,
            }
        }
        (None, Some(_)) => {
            match (rpc.remove("result"), rpc.remove("error")) {
                (Some(result), None) => body.insert(RESULT.into(), object_text(&result)?),
                (None, Some(error)) => body.insert(ERROR.into(), object_text(&error)?),
                _ => return Err(shape("MCP response", "it has one of result and error")),
            };
            MessageType::Response
        }
        _ => {
            return Err(shape(
                "MCP message",
                "it is neither request, response nor notification",
            ));
        }
    };
    if let Some(id) = id {
        body.insert(ID.into(), id.to_string());
    }
    if let Some(name) = rpc.keys().next() {
        return Err(InteropError::Unmapped {
            what: "MCP member",
            found: beginning(name),
        });
    }
    Ok(Mapped { message_type, body })
}

/// What a message is as JSON-RPC, on one line.
pub fn from_message(message: &Mapped) -> Result<String, InteropError> {
    let mut left = message.body.clone();
    let mut rpc = Map::new();
    rpc.insert("jsonrpc".into(), json!("2.0"));
    let missing = |what| move || shape(what, "an entry is missing");
    if message.message_type != MessageType::StatusUpdate {
        let id = left.remove(ID).ok_or_else(missing("MCP id"))?;
        let id: Value =
            serde_json::from_str(&id).map_err(|_| shape("MCP id", "it is no JSON text"))?;
        if !is_id(&id) {
            return Err(shape("MCP id", "it is neither a text nor a whole number"));
        }
        rpc.insert("id".into(), id);
    }
    match message.message_type {
        MessageType::Request | MessageType::StatusUpdate => {
            let method = left.remove(METHOD).ok_or_else(missing("MCP method"))?;
            rpc.insert("method".into(), method.into());
            if let Some(params) = left.remove(PARAMS) {
                rpc.insert("params".into(), object_of(&params)?);
            }
        }
        MessageType::Response => match (left.remove(RESULT), left.remove(ERROR)) {
            (Some(result), None) => {
                rpc.insert("result".into(), object_of(&result)?);
            }
            (None, Some(error)) => {
                rpc.insert("error".into(), object_of(&error)?);
            }
            _ => return Err(shape("MCP response", "it has one of result and error")),
        },
        other => {
            return Err(InteropError::Unmapped {
                what: "message type",
                found: other.name().into(),
            });
        }
    }
    match left.keys().next() {
        Some(name) => Err(InteropError::Unmapped {
            what: "body entry",
            found: beginning(name),
        }),
        None => Ok(Value::Object(rpc).to_string()),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

fn object_text(value: &Value) -> Result<String, InteropError> {
    if value.is_object() {
        Ok(value.to_string())
    } else {
        Err(shape(
            "MCP message",
            "parameters, result and error are objects",
        ))
    }
}

fn object_of(text: &str) -> Result<Value, InteropError> {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => Ok(value),
        _ => Err(shape("MCP body entry", "it is no JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"id":7,"jsonrpc":"2.0","method":"tools/call","params":{"name":"add","arguments":{"a":0.5}}}"#;

    #[test]
    fn messages_of_mcp_go_and_come_back() {
        let cases = [
            (CALL, MessageType::Request),
            (
                r#"{"id":"a","jsonrpc":"2.0","method":"tools/list"}"#,
                MessageType::Request,
            ),
            (
                r#"{"id":7,"jsonrpc":"2.0","result":{"content":[]}}"#,
                MessageType::Response,
            ),
            (
                r#"{"error":{"code":-32602,"message":"no"},"id":7,"jsonrpc":"2.0"}"#,
                MessageType::Response,
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#,
                MessageType::StatusUpdate,
            ),
        ];
        for (text, message_type) in cases {
            let mapped = to_message(text).unwrap();
            assert_eq!(mapped.message_type, message_type);
            let back: Value = serde_json::from_str(&from_message(&mapped).unwrap()).unwrap();
            assert_eq!(back, serde_json::from_str::<Value>(text).unwrap());
        }
        let body = to_message(CALL).unwrap().body;
        assert_eq!(body["mcp.method"], "tools/call");
        assert_eq!(body["mcp.id"], "7");
    }

    #[test]
    fn what_is_not_mcp_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"tool":"add","id":1}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":" "}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","more":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
        ] {
            assert!(to_message(text).is_err(), "{text}");
        }
        let mut mapped = to_message(CALL).unwrap();
        mapped.message_type = MessageType::Heartbeat;
        assert!(from_message(&mapped).is_err());
        mapped.message_type = MessageType::Request;
        mapped.body.insert("mcp.params".into(), "1".into());
        assert!(from_message(&mapped).is_err());
        mapped.body.insert("mcp.params".into(), "{}".into());
        mapped.body.insert("more".into(), "x".into());
        assert!(from_message(&mapped).is_err());
    }
}
