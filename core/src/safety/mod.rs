//! The gate: the one place where content enters a model request.
//!
//! Whatever did not come from Tau itself is [`Untrusted`]; a request can hold only [`Vetted`]
//! content; [`Gate::vet`] is the only way from one to the other. `Vetted` deliberately has no
//! `Deserialize` and no public constructor, so a stored session passes the gate again when it is
//! restored.
//!
//! What was vetted is also what is stored and shown: nothing is kept that the gate took away.

mod control;
mod finding;
mod gate;
pub mod injection;
mod label;
mod mark;
pub mod normal;
pub mod rules;
pub mod secrets;
mod stream;

pub use finding::{Finding, Kind, Screened, Severity};
pub(crate) use gate::withheld_for;
pub use gate::{Gate, redact};
pub use label::Labels;
pub use mark::has_mark;
pub(crate) use stream::Streamed;

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
    /// Instructions that a person or a home's owner set for the whole session.
    Instructions,
    /// A model's answer.
    Model,
    /// A tool's result.
    Tool {
        /// The tool's name.
        name: String,
    },
    /// A file of the workspace that stands in the system prompt, and that nobody confirmed.
    File {
        /// From the workspace.
        path: String,
    },
    /// A stored memory.
    Memory,
    /// A model's summary of what was said, read and done.
    Summary,
    /// A message of another agent, whose signature was checked.
    Agent {
        /// Its DID.
        did: String,
    },
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

impl Vetted<String> {
    /// The same text behind a shared pointer.
    pub(crate) fn shared_text(self) -> Vetted<Arc<str>> {
        Vetted(self.0.into())
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

/// Looks at a text, and says what is to stand in its place, if anything else is.
pub type Visit<'a> = dyn FnMut(&str) -> Option<String> + 'a;

/// Something the gate can look through: it hands every text it holds to the visitor.
pub trait Content {
    /// Whether a note to the model can stand before its texts.
    const TAKES_NOTES: bool;

    /// Calls `visit` with each text a model could read, in order, and puts what it returns in its
    /// place.
    fn visit_text(&mut self, visit: &mut Visit<'_>);
}

impl Content for String {
    const TAKES_NOTES: bool = true;

    fn visit_text(&mut self, visit: &mut Visit<'_>) {
        if let Some(other) = visit(self) {
            *self = other;
        }
    }
}

impl Content for Message {
    const TAKES_NOTES: bool = true;

    fn visit_text(&mut self, visit: &mut Visit<'_>) {
        for part in &mut self.parts {
            match part {
                Part::Text { text } => text.visit_text(visit),
                // Signed by the provider: a changed letter would make it refuse the request.
                Part::Thinking { text, signature } => {
                    if signature.is_none() {
                        text.visit_text(visit);
                    }
                }
                Part::ToolResult(result) => result.text.visit_text(visit),
                Part::ToolCall(call) => {
                    call.name.visit_text(visit);
                    visit_json(&mut call.arguments, visit);
                }
                Part::Image(_) => {}
            }
        }
    }
}

impl Content for ToolSpec {
    // A note would change what a schema says.
    const TAKES_NOTES: bool = false;

    fn visit_text(&mut self, visit: &mut Visit<'_>) {
        self.description.visit_text(visit);
        visit_json(&mut self.parameters, visit);
    }
}

fn visit_json(value: &mut serde_json::Value, visit: &mut Visit<'_>) {
    match value {
        serde_json::Value::String(text) => text.visit_text(visit),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|v| visit_json(v, visit)),
        serde_json::Value::Object(map) => {
            let renamed: Vec<_> = map
                .keys()
                .filter_map(|key| Some((key.clone(), visit(key)?)))
                .collect();
            for (key, other) in renamed {
                if let Some(value) = map.remove(&key) {
                    map.insert(other, value);
                }
            }
            map.values_mut().for_each(|v| visit_json(v, visit));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
