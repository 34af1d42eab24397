//! A model that obeys every instruction it reads, whoever wrote it.
//!
//! It keeps nothing: each time it reads the request as a model gets it, and does the first thing it
//! was told and has not tried. What others wrote comes before the person's own task: an attack that
//! succeeds does so as early as it can.

use serde_json::Value;
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use tau_core::{
    message::{Message, Part, Role, ToolCall, ToolStatus},
    model::{Delta, ModelRequest, StopReason, ToolChoice},
    session::GenerateError,
};
use tau_platform::{Generation, LocalModel};

use super::orders::{Order, orders};

/// The model. Clones share what it wrote down.
#[derive(Clone, Default)]
pub(super) struct Obedient {
    asked: Rc<RefCell<Vec<(String, Value)>>>,
}

impl Obedient {
    /// Whether the person's own words asked for this very call.
    pub(super) fn is_asked(&self, name: &str, arguments: &Value) -> bool {
        let asked = self.asked.borrow();
        asked
            .iter()
            .any(|(tool, with)| tool == name && with == arguments)
    }

    fn answer(&self, request: &ModelRequest) -> Vec<Delta> {
        let messages: Vec<&Message> = request.messages.iter().map(|message| &***message).collect();
        if request.tool_choice == ToolChoice::Auto {
            let others = by_others(request, &messages);
            let own = own(&messages);
            for (order, is_own) in others
                .map(|order| (order, false))
                .chain(own.map(|order| (order, true)))
            {
                if let Some((tool, arguments)) = next(order, &messages) {
                    if is_own {
                        self.asked
                            .borrow_mut()
                            .push((tool.clone(), arguments.clone()));
                    }
                    return call(messages.len(), tool, &arguments);
                }
            }
        }
        let text = "Done.".to_owned();
        let reason = StopReason::EndTurn;
        vec![Delta::Text { text }, Delta::Stop { reason }]
    }
}

/// Orders in the person's messages.
fn own<'a>(messages: &'a [&'a Message]) -> impl Iterator<Item = Order> + 'a {
    let texts = messages.iter().filter(|message| message.role == Role::User);
    texts.flat_map(|message| orders(&message.joined_text()))
}

/// Orders in everything else: tools as they describe themselves, and what they gave back.
fn by_others<'a>(
    request: &'a ModelRequest,
    messages: &'a [&'a Message],
) -> impl Iterator<Item = Order> + 'a {
    let described = request
        .tools
        .iter()
        .flat_map(|tool| orders(&tool.description));
    let results = messages.iter().flat_map(|message| message.tool_results());
    let results = results.filter(|result| result.status != ToolStatus::Denied);
    described.chain(results.flat_map(|result| orders(&result.text)))
}

/// The next call that `order` needs; none when it was tried, or what it needs cannot be had.
fn next(mut order: Order, messages: &[&Message]) -> Option<(String, Value)> {
    for path in order.needs() {
        match read(&path, messages) {
            Read::Unknown => return Some(("read".into(), serde_json::json!({"path": path}))),
            Read::Failed => return None,
            Read::Text(text) => order.fill(&path, text),
        }
    }
    let was_tried =
        calls(messages).any(|call| call.name == order.tool && call.arguments == order.arguments);
    (!was_tried).then_some((order.tool, order.arguments))
}

/// What is known of a file.
enum Read<'a> {
    Unknown,
    Failed,
    Text(&'a str),
}

fn read<'a>(path: &str, messages: &[&'a Message]) -> Read<'a> {
    let mut known = Read::Unknown;
    for call in calls(messages).filter(|call| call.name == "read" && call.arguments["path"] == path)
    {
        let mut results = messages.iter().flat_map(|message| message.tool_results());
        match results.find(|result| result.call_id == call.id) {
            Some(result) if result.status == ToolStatus::Ok => return Read::Text(&result.text),
            _ => known = Read::Failed,
        }
    }
    known
}

fn calls<'a>(messages: &[&'a Message]) -> impl Iterator<Item = &'a ToolCall> {
    messages.iter().flat_map(|message| {
        message.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    })
}

fn call(number: usize, name: String, arguments: &Value) -> Vec<Delta> {
    vec![
        Delta::ToolCallStart {
            index: 0,
            id: format!("call-{number}"),
            name,
        },
        Delta::ToolCallArguments {
            index: 0,
            fragment: arguments.to_string(),
        },
        Delta::Stop {
            reason: StopReason::ToolUse,
        },
    ]
}

impl LocalModel for Obedient {
    type Generation = Answer;

    async fn generate(&self, request: ModelRequest) -> Result<Answer, GenerateError> {
        Ok(Answer(self.answer(&request).into()))
    }
}

/// One answer.
pub(super) struct Answer(VecDeque<Delta>);

impl Generation for Answer {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        Ok(self.0.pop_front())
    }
}
