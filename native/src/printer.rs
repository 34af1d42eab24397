//! A turn as it is shown: the answer on stdout, everything else on stderr.
//!
//! Invariant: unless it is streamed, only the last message of a turn reaches stdout: what a model
//! says between tool calls, or says in an attempt that fails, is no part of the answer.

use serde_json::{Value, json};
use std::io::IsTerminal;
use tau_core::{
    ids::SessionId,
    message::{Message, ToolResult, ToolStatus},
    model::Usage,
    policy::screen::Measure,
    safety::{Screened, Source},
    session::{Event, Outcome},
};

use crate::{
    conversation::Ended,
    exit::Error,
    ui::{self, Ui},
};

/// Lines of a tool's result that are shown.
const RESULT_LINES: usize = 6;
/// Lines of a diff that are shown.
const DIFF_LINES: usize = 60;

/// What stdout gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The answer, once it is whole.
    Text,
    /// The answer as it is written.
    Stream,
    /// One object at the end.
    Json,
    /// Each event as it happens, and the same object at the end.
    JsonLines,
}

impl Shape {
    /// Streamed where a person reads along.
    pub(crate) fn text() -> Self {
        if std::io::stdout().is_terminal() {
            Self::Stream
        } else {
            Self::Text
        }
    }
}

/// Shows the events of one turn and keeps what its result is made of.
#[derive(Debug)]
pub(crate) struct Printer {
    ui: Ui,
    shape: Shape,
    model: String,
    /// The last message's text.
    answer: String,
    calls: Vec<Call>,
    /// What the gate found, and where.
    screened: Vec<Value>,
    /// Characters of the current message that are on stdout, and whether they end a line.
    streamed: usize,
    at_line_start: bool,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: Value,
    status: Option<ToolStatus>,
    duration_ms: u64,
}

impl Printer {
    /// Nothing has happened yet; `model` is asked first.
    pub(crate) fn new(ui: Ui, shape: Shape, model: &str) -> Self {
        Self {
            ui,
            shape,
            model: model.into(),
            answer: String::new(),
            calls: Vec::new(),
            screened: Vec::new(),
            streamed: 0,
            at_line_start: true,
        }
    }

    /// Shows one event.
    pub(crate) fn event(&mut self, event: &Event) {
        if self.shape == Shape::JsonLines {
            self.ui.json(event);
        }
        match event {
            Event::ModelCalled { model, attempt, .. } => self.model_called(model, *attempt),
            Event::TextDelta { text } => self.stream(text),
            Event::Message { message, .. } => self.message(message),
            Event::Delivered { sender, .. } => {
                self.end_line();
                self.ui
                    .note(format!("a message of {}", ui::plain(&sender.did)));
            }
            Event::Recalled { memories, .. } => {
                self.end_line();
                self.ui.note(format!("recalled: {}", memories.join(", ")));
            }
            Event::Retrying { error, model, .. } => {
                self.end_line();
                self.streamed = 0;
                let why = ui::plain(error);
                if self.model == *model {
                    self.ui.warn(format!("{why}; asking {model} again"));
                } else {
                    self.ui
                        .warn(format!("{why}; asking {model} instead of {}", self.model));
                    self.model.clone_from(model);
                }
            }
            Event::ToolStarted {
                call_id,
                name,
                arguments,
            } => {
                self.end_line();
                let shown = ui::one_line(&arguments.to_string(), 200);
                self.ui.tell(format!(
                    "{} {}",
                    ui::bold(format_args!("▸ {}", ui::plain(name))),
                    ui::dim(shown)
                ));
                self.started(&call_id.0, name, arguments.clone());
            }
            Event::ApprovalRequested {
                call_id,
                name,
                arguments,
                ..
            } => self.started(&call_id.0, name, arguments.clone()),
            Event::ToolDenied {
                call_id,
                name,
                refusal,
            } => {
                self.end_line();
                let name = ui::plain(name);
                let why = ui::plain(&refusal.reason);
                self.ui
                    .tell(ui::caution(format_args!("✗ {name} denied: {why}")));
                self.started(&call_id.0, &name, Value::Null);
            }
            Event::ToolFinished { result } => self.finished(result),
            Event::Screened { source, findings } => {
                self.end_line();
                self.ui.warn(screened_line(source, findings));
                self.screened
                    .push(json!({ "source": source, "findings": findings }));
            }
            Event::Compacted {
                entries,
                summarised,
            } => {
                let how = if *summarised {
                    "summarised"
                } else {
                    "left out"
                };
                self.ui
                    .note(format!("{entries} older messages are {how} from here on"));
            }
            Event::Notice { text } => self.ui.warn(ui::plain(text)),
            Event::TurnFinished { outcome, usage, .. } => self.turn_finished(outcome, usage),
            Event::Moved { head } => self.ui.note(match head {
                Some(entry) => format!("the conversation goes on after entry {entry}"),
                None => "the conversation is at its beginning".into(),
            }),
            Event::TurnStarted { .. }
            | Event::Compacting { .. }
            | Event::ThinkingDelta { .. }
            | Event::Usage { .. }
            | Event::Done
            | Event::Stopped { .. } => self.end_line(),
        }
    }

    fn model_called(&mut self, model: &str, attempt: u32) {
        if attempt == 1 {
            self.answer.clear();
        }
        self.streamed = 0;
        if self.model != model {
            self.ui
                .warn(format!("asking {model} instead of {}", self.model));
            self.model = model.into();
        }
    }

    fn stream(&mut self, text: &str) {
        if self.shape == Shape::Stream && !text.is_empty() {
            let text = ui::plain(text);
            self.ui.out(&text);
            self.streamed += text.len();
            self.at_line_start = text.ends_with('\n');
        }
    }

    fn message(&mut self, message: &Message) {
        self.answer = message.joined_text();
        if self.shape == Shape::Stream && self.streamed == 0 {
            let text = self.answer.clone();
            self.stream(&text);
        }
        self.end_line();
        let has_calls = message.tool_calls().next().is_some();
        if self.shape == Shape::Text && has_calls && !self.answer.trim().is_empty() {
            self.ui.note(ui::plain(self.answer.trim_end()));
        }
        for call in message.tool_calls() {
            self.started(&call.id.0, &call.name, call.arguments.clone());
        }
    }

    /// Ends a line of the answer before something else is said.
    fn end_line(&mut self) {
        if !self.at_line_start {
            self.ui.out("\n");
            self.at_line_start = true;
        }
    }

    fn started(&mut self, id: &str, name: &str, arguments: Value) {
        if self
            .calls
            .iter()
            .all(|call| call.id != id || call.status.is_some())
        {
            self.calls.push(Call {
                id: id.into(),
                name: name.into(),
                arguments,
                status: None,
                duration_ms: 0,
            });
        }
    }

    fn finished(&mut self, result: &ToolResult) {
        self.end_line();
        self.started(&result.call_id.0, &result.name, Value::Null);
        let open = |call: &&mut Call| call.id == result.call_id.0 && call.status.is_none();
        if let Some(call) = self.calls.iter_mut().find(open) {
            call.status = Some(result.status);
            call.duration_ms = result.duration_ms;
        }
        // Why was said when it was denied.
        if result.status != ToolStatus::Denied {
            result_lines(result)
                .iter()
                .for_each(|line| self.ui.tell(line));
        }
    }

    fn turn_finished(&mut self, outcome: &Outcome, usage: &Usage) {
        self.end_line();
        if self.shape == Shape::Text && !self.answer.is_empty() {
            self.ui.out(&self.answer);
            if !self.answer.ends_with('\n') {
                self.ui.out("\n");
            }
        }
        if *outcome == Outcome::Answered || usage.total_tokens() > 0 {
            self.ui.note(usage_line(usage));
        }
    }

    /// What the turn came to, as one object.
    pub(crate) fn result(&self, session: &SessionId, ended: &Ended) -> Value {
        let (turn, outcome, usage) = match ended {
            Ended::Turn {
                turn,
                outcome,
                usage,
            } => (Some(turn.0), json!(outcome)["outcome"].clone(), *usage),
            Ended::Abandoned => (None, "interrupted".into(), Usage::default()),
            Ended::Done | Ended::Refused(_) | Ended::Stopped(_) => {
                (None, "failed".into(), Usage::default())
            }
        };
        let calls = self.calls.iter().map(|call| {
            json!({
                "name": call.name,
                "arguments": call.arguments,
                "status": call.status.unwrap_or(ToolStatus::Cancelled),
                "duration_ms": call.duration_ms,
            })
        });
        let mut result = json!({
            "answer": self.answer,
            "session": session,
            "turn": turn,
            "model": self.model,
            "usage": usage,
            "tool_calls": calls.collect::<Vec<_>>(),
            "outcome": outcome,
            "screened": self.screened,
        });
        if let Ended::Turn {
            outcome: Outcome::BudgetExhausted { budget },
            ..
        } = ended
        {
            result["budget"] = json!(budget);
        }
        if let Some(error) = ended.error() {
            result["error"] = error.to_json();
        }
        if self.shape == Shape::JsonLines {
            result["type"] = "result".into();
        }
        result
    }

    /// Shows how the turn ended, and says what is wrong with that.
    pub(crate) fn end(mut self, session: &SessionId, ended: &Ended) -> Option<Error> {
        self.end_line();
        if matches!(self.shape, Shape::Json | Shape::JsonLines) {
            self.ui.json(&self.result(session, ended));
        }
        ended.error()
    }
}

/// What the gate found and did, in a line: each family once, with the most that was done about it.
pub(crate) fn screened_line(source: &Source, findings: &[Screened]) -> String {
    let from = match source {
        Source::Runtime => "Tau's own text".into(),
        Source::User => "the prompt".into(),
        Source::Instructions => "the instructions".into(),
        Source::Model => "the model's answer".into(),
        Source::Tool { name } => format!("what {} returned", ui::plain(name)),
        Source::File { path } => ui::plain(path),
        Source::Memory => "memory".into(),
        Source::Summary => "the summary".into(),
        Source::Agent { did } => format!("the message of {}", ui::plain(did)),
    };
    let mut told: Vec<(&str, Measure)> = Vec::new();
    for finding in findings {
        match told
            .iter_mut()
            .find(|(family, _)| *family == finding.family)
        {
            Some((_, action)) => *action = (*action).max(finding.action),
            None => told.push((&finding.family, finding.action)),
        }
    }
    let told = told.iter().map(|(family, action)| {
        let done = match action {
            Measure::Pass | Measure::Warn => "left as it is",
            Measure::Label => "labelled for the model",
            Measure::Redact => "taken out",
            Measure::Block => "withheld whole",
        };
        format!("{} ({done})", ui::plain(family))
    });
    let told: Vec<String> = told.collect();
    format!("found in {from}: {}", told.join(", "))
}

/// One tool result, as a person wants to see it, line by line.
pub(crate) fn result_lines(result: &ToolResult) -> Vec<String> {
    let took = format!("{} {} ms", ui::plain(&result.name), result.duration_ms);
    let status = json!(result.status);
    let status = status.as_str().unwrap_or_default().replace('_', " ");
    let mut lines = vec![match result.status {
        ToolStatus::Ok => ui::good(format_args!("✓ {took}")),
        _ => ui::bad(format_args!("✗ {took}, {status}")),
    }];
    let text = ui::plain(&result.text);
    let is_diff = text.lines().any(|line| line.starts_with("@@ "));
    let most = if is_diff { DIFF_LINES } else { RESULT_LINES };
    for line in text.lines().take(most) {
        let line: String = line.chars().take(200).collect();
        let line = if is_diff {
            ui::diff_line(&line)
        } else {
            ui::dim(&line)
        };
        lines.push(format!("  {line}"));
    }
    let more = text.lines().count().saturating_sub(most);
    if more > 0 {
        lines.push(ui::dim(format_args!("  … {more} more lines")));
    }
    lines
}

/// Tokens and cost in words.
pub(crate) fn usage_line(usage: &Usage) -> String {
    let mut line = format!("{} tokens in", usage.input_tokens);
    if usage.cached_input_tokens > 0 {
        line += &format!(" ({} cached)", usage.cached_input_tokens);
    }
    line += &format!(", {} out", usage.output_tokens);
    if usage.cost_nano_usd > 0 {
        line += &format!(", ${:.4}", usage.cost_nano_usd as f64 / 1e9);
    }
    line
}
