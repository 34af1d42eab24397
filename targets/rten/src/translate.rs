//! Between the core's words for a model call and the embedded model's, and what a session has to know about it.
//!
//! The same in every home: natively the request is at hand ([`request`]); in a page it comes as JSON from another
//! worker ([`request_from_json`]).

use serde::Deserialize;
use tau_core::{
    message::{Message, Part, Role, ToolStatus},
    model::{Api, Delta, ModelConfig, ModelRequest, Pricing, StopReason, ToolChoice, Usage},
    tool::ToolSpec,
};

use crate::agent::{Call, Finish, Piece, Request, Tool, Turn};

/// What the core may put into one request, estimated. The model itself reads 2,048 tokens: the agent layer picks what
/// it reads, out of a long conversation and out of long results.
pub const CONTEXT_TOKENS: u32 = 16_384;
/// Of an answer.
pub const MAX_OUTPUT_TOKENS: u32 = 400;

/// The tools of a home it is offered, as far as the home has them: those that look. Writing and running programs would
/// need words it can only invent.
pub const TOOLS: [&str; 5] = ["read", "ls", "glob", "grep", "time"];

/// The system prompt of a model this small.
pub const SYSTEM_PROMPT: &str = "You are Tau, a helpful assistant. Answer briefly and plainly.";

/// The embedded model, as a session is configured with it.
pub fn model() -> ModelConfig {
    ModelConfig {
        name: "embedded".into(),
        api: Api::Embedded,
        base_url: String::new(),
        secret: None,
        context_tokens: CONTEXT_TOKENS,
        max_output_tokens: MAX_OUTPUT_TOKENS,
        pricing: Pricing::default(),
        images: false,
        temperature_milli: None,
    }
}

/// The request as the agent layer reads it.
pub fn request(request: &ModelRequest) -> Request {
    assemble(
        &request.system,
        request.messages.iter().map(|message| &***message),
        request.closing.as_deref().map(|closing| &**closing),
        request.tools.iter().map(|tool| &***tool),
        (request.tool_choice, request.max_output_tokens),
    )
}

/// The request as the agent layer reads it, from a `ModelRequest` as JSON. Nothing of it becomes one again: what may
/// stand in a `ModelRequest` is the gate's decision, and it was taken where this JSON was written.
///
/// Fails with what is wrong with the JSON.
pub fn request_from_json(json: &str) -> Result<Request, serde_json::Error> {
    let read: Read = serde_json::from_str(json)?;
    Ok(assemble(
        &read.system,
        read.messages.iter(),
        read.closing.as_deref(),
        read.tools.iter(),
        (read.tool_choice, read.max_output_tokens),
    ))
}

/// Of a `ModelRequest`, what this model reads.
#[derive(Deserialize)]
struct Read {
    system: String,
    messages: Vec<Message>,
    closing: Option<String>,
    tools: Vec<ToolSpec>,
    tool_choice: ToolChoice,
    max_output_tokens: u32,
}

fn assemble<'a>(
    system: &str,
    messages: impl Iterator<Item = &'a Message>,
    closing: Option<&str>,
    tools: impl Iterator<Item = &'a ToolSpec>,
    (tool_choice, max_output_tokens): (ToolChoice, u32),
) -> Request {
    let mut turns: Vec<Turn> = messages.flat_map(of_message).collect();
    // A note after a tool's result would hide what the person asked.
    let after_result = matches!(turns.last(), Some(Turn::ToolResult { .. }));
    if let Some(closing) = closing
        && !after_result
    {
        turns.push(Turn::User(closing.to_owned()));
    }
    let offered = tools.map(|tool| Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.clone(),
    });
    Request {
        system: system.to_owned(),
        turns,
        tools: match tool_choice {
            ToolChoice::Auto => offered.collect(),
            ToolChoice::None => Vec::new(),
        },
        max_tokens: max_output_tokens as usize,
    }
}

fn of_message(message: &Message) -> Vec<Turn> {
    let text = message.joined_text();
    let mut turns = Vec::new();
    match message.role {
        Role::User => turns.push(Turn::User(text)),
        Role::Assistant => {
            if !text.is_empty() {
                turns.push(Turn::AssistantText(text));
            }
            let calls: Vec<Call> = message
                .tool_calls()
                .map(|call| Call {
                    id: call.id.0.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                })
                .collect();
            if !calls.is_empty() {
                turns.push(Turn::AssistantCalls(calls));
            }
        }
        Role::Tool => turns.extend(message.parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some(Turn::ToolResult {
                call_id: result.call_id.0.clone(),
                name: result.name.clone(),
                text: result.text.clone(),
                is_error: result.status != ToolStatus::Ok,
            }),
            _ => None,
        })),
    }
    turns
}

/// A piece of the answer, as the core reads it.
pub fn deltas(piece: Piece) -> Vec<Delta> {
    match piece {
        Piece::Text(text) => vec![Delta::Text { text }],
        Piece::ToolCall { name, arguments } => vec![
            Delta::ToolCallStart {
                index: 0,
                id: String::new(),
                name,
            },
            Delta::ToolCallArguments {
                index: 0,
                fragment: arguments.to_string(),
            },
        ],
        Piece::Usage { input, output } => vec![Delta::Usage {
            usage: Usage {
                input_tokens: input as u64,
                output_tokens: output as u64,
                ..Usage::default()
            },
        }],
    }
}

/// The end of the answer.
pub fn stop(finish: Finish) -> Delta {
    Delta::Stop {
        reason: match finish {
            Finish::Answered => StopReason::EndTurn,
            Finish::ToolCall => StopReason::ToolUse,
            Finish::Length => StopReason::MaxTokens,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tau_core::{
        ids::{CallId, UnixMillis},
        message::{ToolCall, ToolResult},
        policy::Policy,
        safety::Labels,
        session::{Answer, Budgets, Command, Config, Effect, Retry, Session},
        tool::{OnRestore, ToolClass},
    };

    #[test]
    fn a_conversation_with_a_tool_is_told_in_turns() {
        let call = ToolCall {
            id: CallId("c".into()),
            name: "ls".into(),
            arguments: json!({"path": "."}),
        };
        let answer = Message {
            role: Role::Assistant,
            parts: vec![
                Part::Text {
                    text: "Looking.".into(),
                },
                Part::ToolCall(call),
            ],
        };
        let result = Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult(ToolResult {
                call_id: CallId("c".into()),
                name: "ls".into(),
                status: ToolStatus::Denied,
                text: "no".into(),
                images: Vec::new(),
                duration_ms: 0,
                labels: Labels::NONE,
                ran: None,
            })],
        };
        let all: Vec<Turn> = [answer, result].iter().flat_map(of_message).collect();
        assert_eq!(all.len(), 3);
        assert!(matches!(&all[1], Turn::AssistantCalls(calls) if calls[0].name == "ls"));
        assert!(matches!(&all[2], Turn::ToolResult { is_error: true, .. }));
    }

    #[test]
    fn a_request_read_from_json_is_the_request() {
        let now = UnixMillis(1);
        let tool = ToolSpec {
            name: "ls".into(),
            description: "List a folder.".into(),
            parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
            class: ToolClass::Read,
            on_restore: OnRestore::Reissue,
            touches: Vec::new(),
            yields: Labels::NONE,
        };
        let config = Config {
            models: vec![model().into()],
            system: SYSTEM_PROMPT.into(),
            identity: Vec::new(),
            tools: vec![tool],
            policy: Policy::default(),
            budgets: Budgets::default(),
            retry: Retry::default(),
            compaction: false,
            undo_tool: false,
            memory: None,
        };
        let mut session = Session::new(config, [7; 32], now);
        let prompt = Command::Prompt {
            text: "What is in \"src\"?".into(),
            images: Vec::new(),
        };
        session.submit(prompt, now).expect("a prompt");
        let asked = loop {
            match session.poll_effect().expect("an effect") {
                (_, Effect::Generate(request)) => break request,
                (id, Effect::Commit(_)) => session.answer(id, Answer::Committed(Ok(())), now),
                (_, other) => panic!("{other:?}"),
            }
        };
        let direct = request(&asked);
        assert_eq!(direct.turns, [Turn::User("What is in \"src\"?".into())]);
        assert_eq!(direct.tools.len(), 1);
        let json = serde_json::to_string(&asked).expect("JSON");
        assert_eq!(request_from_json(&json).expect("a request"), direct);
        assert!(request_from_json("{}").is_err());
    }

    #[test]
    fn a_call_is_one_start_and_its_arguments() {
        let piece = Piece::ToolCall {
            name: "ls".into(),
            arguments: json!({"path": "."}),
        };
        assert_eq!(deltas(piece).len(), 2);
        assert_eq!(
            stop(Finish::Length),
            Delta::Stop {
                reason: StopReason::MaxTokens
            }
        );
    }
}
