//! Between the core's words for a model call and the embedded model's.

use tau_core::{
    message::{Message, Part, Role, ToolStatus},
    model::{Delta, ModelRequest, StopReason, ToolChoice, Usage},
};
use tau_target_rten::agent::{Call, Finish, Piece, Request, Tool, Turn};

/// The request as the agent layer reads it.
pub(super) fn request(request: &ModelRequest) -> Request {
    let mut turns: Vec<Turn> = request
        .messages
        .iter()
        .flat_map(|message| of_message(message))
        .collect();
    // A note after a tool's result would hide what the person asked.
    let after_result = matches!(turns.last(), Some(Turn::ToolResult { .. }));
    if let Some(closing) = &request.closing
        && !after_result
    {
        turns.push(Turn::User(closing.to_string()));
    }
    let offered = match request.tool_choice {
        ToolChoice::Auto => request.tools.as_slice(),
        ToolChoice::None => &[],
    };
    Request {
        system: request.system.to_string(),
        turns,
        tools: offered
            .iter()
            .map(|tool| Tool {
                name: tool.name.clone(),
                description: tool.description.clone(),
                parameters: tool.parameters.clone(),
            })
            .collect(),
        max_tokens: request.max_output_tokens as usize,
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
pub(super) fn deltas(piece: Piece) -> Vec<Delta> {
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
pub(super) fn stop(finish: Finish) -> Delta {
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
        ids::CallId,
        message::{ToolCall, ToolResult},
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
            })],
        };
        let all: Vec<Turn> = [answer, result].iter().flat_map(of_message).collect();
        assert_eq!(all.len(), 3);
        assert!(matches!(&all[1], Turn::AssistantCalls(calls) if calls[0].name == "ls"));
        assert!(matches!(&all[2], Turn::ToolResult { is_error: true, .. }));
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
