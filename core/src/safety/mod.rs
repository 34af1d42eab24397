//! The gate: the one place where content enters a model request.
//!
//! Whatever did not come from Tau itself is [`Untrusted`]; a request can hold only [`Vetted`]
//! content; [`Gate::vet`] is the only way from one to the other. `Vetted` deliberately has no
//! `Deserialize` and no public constructor, so a stored session passes the gate again when it is
//! restored.
//!
//! What the gate does today: it removes what a terminal or a model would interpret instead of
//! read (control characters, ANSI escape sequences). Detectors for injections and secrets hang
//! off this function and nowhere else.

mod control;

use alloc::{string::String, sync::Arc, vec::Vec};
use core::ops::Deref;
use serde::{Deserialize, Serialize};

use crate::{
    json::{self, FromJson, ToJson},
    message::{Message, Part},
    tool::ToolSpec,
};

/// Where a piece of content came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// Tau's own text and configuration.
    Runtime,
    /// The person or program that gave the command.
    User,
    /// A model's answer.
    Model,
    /// A tool's result.
    Tool {
        /// The tool's name.
        name: String,
    },
    /// A stored memory.
    Memory,
}

/// Content nobody has looked at yet, with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted<T> {
    value: T,
    source: Source,
}

impl<T> Untrusted<T> {
    /// Marks `value` as coming from `source`.
    pub fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }

    /// Where it came from.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Content that passed the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Vetted<T>(T);

impl<T: ToJson> ToJson for Vetted<T> {
    fn to_json(&self, out: &mut json::Writer) {
        self.0.to_json(out);
    }
}

impl<T> Deref for Vetted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Vetted<T> {
    /// Gives the content up, for showing or storing it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Vetted<T> {
    /// The same content behind a shared pointer.
    pub fn shared(self) -> Vetted<Arc<T>> {
        Vetted(Arc::new(self.0))
    }
}

impl Vetted<Arc<Message>> {
    /// The same message with each tool result cut to half, in its middle, and without pictures.
    /// What is left was vetted before.
    pub(crate) fn shortened_results(&self) -> Self {
        let mut message = (*self.0).clone();
        for part in &mut message.parts {
            if let Part::ToolResult(result) = part {
                cut_middle(&mut result.text);
                result.images.clear();
            }
        }
        Self(Arc::new(message))
    }
}

/// Keeps the first and last quarter of a text.
fn cut_middle(text: &mut String) {
    const MARK: &str = "\n[… left out: too long for the model …]\n";
    let from = text.floor_char_boundary(text.len() / 4);
    let to = text.ceil_char_boundary(text.len() - text.len() / 4);
    if to - from > 2 * MARK.len() {
        text.replace_range(from..to, MARK);
    }
}

/// Something the gate can look through: it hands every text it holds to the visitor.
pub trait Content {
    /// Calls `visit` with each text a model could read; what `visit` leaves is what is sent.
    fn visit_text(&mut self, visit: &mut dyn FnMut(&mut String));
}

impl Content for String {
    fn visit_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
        visit(self);
    }
}

impl Content for Message {
    fn visit_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
        for part in &mut self.parts {
            match part {
                Part::Text { text } => visit(text),
                // Signed by the provider: a changed letter would make it refuse the request.
                Part::Thinking { text, signature } => {
                    if signature.is_none() {
                        visit(text);
                    }
                }
                Part::ToolResult(result) => visit(&mut result.text),
                Part::ToolCall(call) => visit_json(&mut call.arguments, visit),
                Part::Image(_) => {}
            }
        }
    }
}

impl Content for ToolSpec {
    fn visit_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
        visit(&mut self.description);
        visit_json(&mut self.parameters, visit);
    }
}

fn visit_json(value: &mut serde_json::Value, visit: &mut dyn FnMut(&mut String)) {
    match value {
        serde_json::Value::String(text) => visit(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|v| visit_json(v, visit)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|v| visit_json(v, visit)),
        _ => {}
    }
}

/// What the gate changed in a piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Control characters or terminal escape sequences were removed.
    ControlCharacters,
}

/// The gate itself. One value per session; constructing it is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate;

impl Gate {
    /// Looks through `content` and lets through what a model may read.
    ///
    /// The findings say what was changed; the caller shows and records them.
    pub fn vet<T: Content>(&self, content: Untrusted<T>) -> (Vetted<T>, Vec<Finding>) {
        let mut findings = Vec::new();
        let Untrusted { mut value, source } = content;
        if source != Source::Runtime {
            value.visit_text(&mut |text| {
                if control::strip(text) && !findings.contains(&Finding::ControlCharacters) {
                    findings.push(Finding::ControlCharacters);
                }
            });
        }
        (Vetted(value), findings)
    }

    /// Text that Tau itself wrote: system prompt, notes to the model.
    pub(crate) fn runtime_text(&self, text: &str) -> Vetted<Arc<str>> {
        Vetted(Arc::from(text))
    }
}

#[cfg(test)]
mod tests;
