//! The agent layer: what makes a model of 135 million parameters useful with tools.
//!
//! The model is never left to write a call by itself. For a request the layer chooses between each tool and none by
//! calibrated scores, copies the arguments from the person's words, and after a tool's result it answers.
//!
//! Invariants: a call's arguments fit the tool's schema and were said by the person; a tool is called at most once for
//! a request (twice if the first call failed in a way another tool repairs), so a turn always ends.
//!
//! The types here are this crate's own; a home translates its conversation into them.

mod answer;
mod arguments;
mod choose;
mod copy;
mod examples;
mod slices;
mod step;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

pub use choose::Score;
pub use step::Answer;

use crate::cancel::Cancel;
use crate::embed::Embedder;
use crate::error::Result;
use crate::text::{Session, TextModel};

/// Most bytes of an instruction that are looked at when choosing a tool.
const INSTRUCTION_BYTES: usize = 1200;

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name, as it is called.
    pub name: String,
    /// What it does, a sentence.
    pub description: String,
    /// A JSON schema of type `object`.
    pub parameters: Value,
}

/// A call the model made earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The home's name for the call.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// An object that fits the tool's schema.
    pub arguments: Value,
}

/// A part of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// The person's words.
    User(String),
    /// An answer given earlier.
    AssistantText(String),
    /// Calls made earlier.
    AssistantCalls(Vec<Call>),
    /// What a call brought.
    ToolResult {
        /// The call's id.
        call_id: String,
        /// The tool's name.
        name: String,
        /// The result, or the error's text.
        text: String,
        /// Whether the call failed.
        is_error: bool,
    },
}

/// A conversation to be continued.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The home's instructions to the model. A model this small gets their beginning only.
    pub system: String,
    /// The conversation so far; the last turn is the person's or a tool's.
    pub turns: Vec<Turn>,
    /// The tools at hand.
    pub tools: Vec<Tool>,
    /// Most tokens of an answer.
    pub max_tokens: usize,
}

/// A piece of the continuation, in the order it comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// The next piece of the answer's text.
    Text(String),
    /// A call. Nothing but [`Piece::Usage`] follows it.
    ToolCall {
        /// The tool's name.
        name: String,
        /// An object that fits the tool's schema.
        arguments: Value,
    },
    /// Tokens read and written by the text model. Always the last piece.
    Usage {
        /// Tokens of the prompt.
        input: usize,
        /// Tokens generated.
        output: usize,
    },
}

/// Why the continuation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The answer is whole.
    Answered,
    /// A tool is to be called; its result continues the conversation.
    ToolCall,
    /// The answer reached [`Request::max_tokens`] or the context's end.
    Length,
}

/// What to do about an instruction.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Answer without a tool.
    Answer,
    /// Call this tool.
    Call {
        /// The tool's name.
        name: String,
        /// An object that fits the tool's schema.
        arguments: Value,
    },
}

/// The two models and what they keep between requests.
pub struct Agent {
    text: TextModel,
    embedder: Arc<Embedder>,
    state: Mutex<State>,
}

/// Kept between requests: the worked examples stay read, the embedded requests stay embedded.
struct State {
    session: Session,
    /// The conversation's own, so that talking does not make the worked examples be read again.
    chat: Session,
    vectors: BTreeMap<String, Vec<f32>>,
    /// The text model's scores of each tool for an instruction that says nothing.
    neutral: BTreeMap<String, f32>,
}

impl Agent {
    /// An agent of these models. The embedder may serve others too.
    pub fn new(text: TextModel, embedder: impl Into<Arc<Embedder>>) -> Self {
        let state = State {
            session: text.session(),
            chat: text.session(),
            vectors: BTreeMap::new(),
            neutral: BTreeMap::new(),
        };
        Self {
            text,
            embedder: embedder.into(),
            state: Mutex::new(state),
        }
    }

    /// The text model.
    pub fn text(&self) -> &TextModel {
        &self.text
    }

    /// The embedder, for a memory's search.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// Continues a conversation. Blocks for as long as the models run (run it on a thread of its own); one request at
    /// a time, others wait.
    ///
    /// Fails with [`crate::Error::Cancelled`], [`crate::Error::Schema`], or [`crate::Error::Engine`]. A conversation too long for the
    /// model is shortened from its beginning, never refused.
    pub fn respond(
        &self,
        request: &Request,
        cancel: &Cancel,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Finish> {
        let mut state = self.lock();
        let mut answer = Answer::new(request.clone());
        let finish = loop {
            let stepped = cancel
                .check()
                .and_then(|()| self.step_with(&mut state, &mut answer, cancel, on_piece));
            match stepped {
                Ok(None) => {}
                Ok(Some(finish)) => break Ok(finish),
                Err(error) => break Err(error),
            }
        };
        state.keep(answer);
        finish
    }

    /// Does a bounded piece of what the first choice between these tools begins with: the comparing sentences get their
    /// vectors, the worked examples are read. `false` says that nothing is left. Never needed: the choice does what is
    /// missing.
    pub fn prepare(&self, tools: &[&str], cancel: &Cancel) -> Result<bool> {
        self.prepare_with(&mut self.lock(), tools, cancel)
    }

    /// Chooses between the tools and none, and fills the arguments.
    pub fn decide(&self, instruction: &str, tools: &[Tool], cancel: &Cancel) -> Result<Decision> {
        self.decide_with(&mut self.lock(), instruction, tools, cancel)
    }

    /// The scores behind [`Self::decide`], best first. The last word has the arguments: see [`Score::fit`].
    pub fn explain(
        &self,
        instruction: &str,
        tools: &[Tool],
        cancel: &Cancel,
    ) -> Result<Vec<Score>> {
        self.scores(&mut self.lock(), start_of(instruction), tools, cancel)
    }

    /// What a tool would have to do that is asked for and is not among `tools`: `writes files`,
    /// `changes files`, `runs programs`.
    pub fn lacks(&self, instruction: &str, tools: &[Tool]) -> Result<Option<&'static str>> {
        self.missing(&mut self.lock(), start_of(instruction), tools)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves a session that knows its own tokens: nothing to repair.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide_with(
        &self,
        state: &mut State,
        instruction: &str,
        tools: &[Tool],
        cancel: &Cancel,
    ) -> Result<Decision> {
        let instruction = start_of(instruction);
        if tools.is_empty() || instruction.is_empty() {
            return Ok(Decision::Answer);
        }
        for score in self.scores(state, instruction, tools, cancel)? {
            let Some(tool) = tools.iter().find(|tool| tool.name == score.tool) else {
                return Ok(Decision::Answer);
            };
            if let Some(arguments) = self.fill(state, tool, instruction, cancel)? {
                return Ok(Decision::Call {
                    name: tool.name.clone(),
                    arguments,
                });
            }
        }
        Ok(Decision::Answer)
    }

    /// The arguments of a call, or `None` if a required one is not to be found.
    fn fill(
        &self,
        state: &mut State,
        tool: &Tool,
        instruction: &str,
        cancel: &Cancel,
    ) -> Result<Option<Value>> {
        let mut out = Map::new();
        for parameter in arguments::parameters(tool)? {
            let value = match parameter.offer(tool, instruction) {
                arguments::Offer::Value(value) => value,
                arguments::Offer::Among(spans) => {
                    let lead = format!(" {} {}", tool.name, opening(&out, parameter.name));
                    let mut prompt = self.request_prompt(instruction)?;
                    prompt.extend(self.text.tokenizer().encode(&lead)?);
                    let (next, _) = self.text.prompt(&mut state.session, &prompt, cancel)?;
                    let chosen =
                        copy::likeliest(&self.text, &mut state.session, next.row(0), &spans)?;
                    match chosen.and_then(|index| spans.get(index)) {
                        Some(span) => Value::from(*span),
                        None => return Ok(None),
                    }
                }
                arguments::Offer::Nothing if parameter.required => return Ok(None),
                arguments::Offer::Nothing => continue,
            };
            out.insert(parameter.name.to_owned(), value);
        }
        Ok(Some(Value::Object(out)))
    }

    /// The worked examples and the instruction, up to where the tool's name comes.
    fn request_prompt(&self, instruction: &str) -> Result<Vec<u32>> {
        let mut prompt = String::from("Turn each request into a call of a tool.\n\n");
        for (request, tool, arguments) in examples::SHOTS {
            prompt.push_str(&format!("Request: {request}\nCall: {tool} {arguments}\n\n"));
        }
        prompt.push_str(&format!(
            "Request: {}\nCall:",
            instruction.replace('\n', " ")
        ));
        self.text.tokenizer().encode(&prompt)
    }

    /// Vectors of texts, those seen before from memory.
    fn embed_cached(&self, state: &mut State, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let new: Vec<&str> = texts
            .iter()
            .map(String::as_str)
            .filter(|text| !state.vectors.contains_key(*text))
            .collect();
        if !new.is_empty() {
            // The examples are some two hundred; what people say is not kept for ever.
            if state.vectors.len() > 1000 {
                state.vectors.clear();
                return self.embed_cached(state, texts);
            }
            for (text, vector) in new.iter().zip(self.embedder.embed(&new)?) {
                state.vectors.insert((*text).to_owned(), vector);
            }
        }
        Ok(texts
            .iter()
            .filter_map(|text| state.vectors.get(text).cloned())
            .collect())
    }
}

/// The JSON of a call up to where the value of `name` comes.
fn opening(before: &Map<String, Value>, name: &str) -> String {
    let said: String = before
        .iter()
        .map(|(key, value)| format!("\"{key}\": {value}, "))
        .collect();
    format!("{{{said}\"{name}\": \"")
}

/// The part of an instruction that is looked at when choosing.
fn start_of(instruction: &str) -> &str {
    let text = instruction.trim();
    let mut end = text.len().min(INSTRUCTION_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
