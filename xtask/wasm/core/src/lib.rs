//! The core behind a plain JavaScript interface: a whole session, its provider formats, and no
//! adapter. `cargo xtask size` weighs it, so everything a home calls is called here.
//!
//! Effects and events go out as JSON; what comes in are plain values, so that reading JSON is the
//! core's own alone. Times are ms since 1970.

use std::sync::Arc;
use tau_core::{
    context::system_prompt,
    ids::{CallId, EffectId, EntryId, UnixMillis},
    json::{self, Value, object_of},
    memory::Access,
    model::{Api, ModelConfig, Pricing},
    policy::{Extent, Policy, Preset},
    session::{
        Answer, Budgets, Command, Config, Effect, HttpError, HttpHead, Retry, Session, StoreError,
    },
    tool::ToolOutput,
};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// One session, asked and answered by JavaScript.
#[wasm_bindgen]
pub struct Agent {
    session: Session,
}

#[wasm_bindgen]
impl Agent {
    /// A new session with this model at this address, and 32 bytes of randomness.
    #[wasm_bindgen(constructor)]
    pub fn new(base_url: String, model: String, seed: &[u8], now: f64) -> Result<Agent, JsError> {
        let model = ModelConfig {
            name: model,
            api: Api::OpenAi,
            base_url,
            secret: Some("API_KEY".to_owned()),
            context_tokens: 128_000,
            max_output_tokens: 8_192,
            pricing: Pricing::default(),
            images: false,
            temperature_milli: None,
        };
        let config = Config {
            models: vec![Arc::new(model)],
            system: system_prompt("a program of JavaScript"),
            identity: Vec::new(),
            tools: Vec::new(),
            policy: Policy::preset(Preset::default()),
            budgets: Budgets::default(),
            retry: Retry::default(),
            compaction: true,
            undo_tool: false,
            memory: Some(Access::of_person()),
        };
        Ok(Self {
            session: Session::new(config, seed.try_into()?, at(now)),
        })
    }

    /// The session that wrote these records.
    pub fn restore(records: Vec<String>) -> Result<Agent, JsError> {
        let journal = records.into_iter().map(String::into_bytes).collect();
        Ok(Self {
            session: Session::restore(&[], &journal)?,
        })
    }

    /// Goes on with what was unfinished.
    pub fn resume(&mut self, now: f64) {
        self.session.resume(at(now));
    }

    /// Begins a turn.
    pub fn prompt(&mut self, text: String, now: f64) -> Result<(), JsError> {
        let images = Vec::new();
        self.submit(Command::Prompt { text, images }, now)
    }

    /// Lets a tool call run, or not.
    pub fn decide(&mut self, call_id: String, approved: bool, now: f64) -> Result<(), JsError> {
        let call_id = CallId(call_id);
        let command = match approved {
            true => Command::Approve {
                call_id,
                extent: Extent::Call,
                digest: None,
            },
            false => Command::Deny {
                call_id,
                reason: None,
                absent: false,
            },
        };
        self.submit(command, now)
    }

    /// Ends the turn.
    pub fn interrupt(&mut self, now: f64) -> Result<(), JsError> {
        self.submit(Command::Interrupt, now)
    }

    /// Goes one turn back.
    pub fn undo(&mut self, now: f64) -> Result<(), JsError> {
        self.submit(Command::Undo, now)
    }

    /// Takes an undo back.
    pub fn redo(&mut self, now: f64) -> Result<(), JsError> {
        self.submit(Command::Redo, now)
    }

    /// Goes on from another entry.
    pub fn switch(&mut self, entry: String, now: f64) -> Result<(), JsError> {
        let to = EntryId(entry);
        self.submit(Command::Switch { to }, now)
    }

    /// The next thing to do, as JSON.
    pub fn effect(&mut self) -> Option<String> {
        let (id, effect) = self.session.poll_effect()?;
        Some(json::to_string(&object_of([
            ("id", id.0.into()),
            ("effect", shown(&effect)),
        ])))
    }

    /// The next thing that happened, as JSON.
    pub fn event(&mut self) -> Option<String> {
        Some(json::to_string(&self.session.poll_event()?))
    }

    /// The effect to stop.
    pub fn cancelled(&mut self) -> Option<f64> {
        self.session.poll_cancelled().map(|id| id.0 as f64)
    }

    /// When [`Agent::handle_timeout`] is to be called.
    pub fn timeout(&self) -> Option<f64> {
        self.session.poll_timeout().map(|at| at.0 as f64)
    }

    /// Says what time it is.
    pub fn handle_timeout(&mut self, now: f64) {
        self.session.handle_timeout(at(now));
    }

    /// What the session looks like, as JSON.
    pub fn view(&self) -> String {
        json::to_string(&self.session.view())
    }

    /// A commit is durable, or why not.
    pub fn committed(&mut self, id: f64, error: Option<String>, now: f64) {
        let result = match error {
            None => Ok(()),
            Some(detail) => Err(StoreError::Io { detail }),
        };
        self.answer(id, Answer::Committed(result), now);
    }

    /// What memory answered, as JSON.
    pub fn remembered(&mut self, id: f64, reply: &str, now: f64) -> Result<(), JsError> {
        let reply = json::from_str(reply).map_err(|error| JsError::new(&error.to_string()))?;
        self.answer(id, Answer::Memory(Ok(reply)), now);
        Ok(())
    }

    /// A response began; its headers are names and values by turns.
    pub fn responded(&mut self, id: f64, status: u16, headers: Vec<String>, now: f64) {
        let pairs = headers.chunks_exact(2);
        let head = HttpHead {
            status,
            headers: pairs
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
            at: at(now),
        };
        self.answer(id, Answer::HttpHead(Ok(head)), now);
    }

    /// A piece of a body, or its end.
    pub fn read(&mut self, id: f64, piece: Option<Vec<u8>>, now: f64) {
        self.answer(id, Answer::HttpChunk(Ok(piece)), now);
    }

    /// The connection was lost.
    pub fn lost(&mut self, id: f64, detail: String, now: f64) {
        self.answer(id, Answer::HttpChunk(Err(HttpError::Reset { detail })), now);
    }

    /// What a tool gave back.
    pub fn ran(&mut self, id: f64, text: String, failed: bool, now: f64) {
        let output = match failed {
            true => ToolOutput::error(text),
            false => ToolOutput::ok(text),
        };
        self.answer(id, Answer::Tool(output), now);
    }
}

impl Agent {
    fn submit(&mut self, command: Command, now: f64) -> Result<(), JsError> {
        Ok(self.session.submit(command, at(now))?)
    }

    fn answer(&mut self, id: f64, answer: Answer, now: f64) {
        // Ids count from 0; no session reaches the numbers a double cannot hold.
        self.session.answer(EffectId(id as u64), answer, at(now));
    }
}

/// A time of JavaScript's, which is never negative here.
fn at(now: f64) -> UnixMillis {
    UnixMillis(now as u64)
}

fn shown(effect: &Effect) -> Value {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let named = |name: &str| ("type", Value::from(name));
    match effect {
        Effect::Commit(batch) => {
            let puts = batch.put.iter();
            let puts = puts.map(|(key, value)| vec![key.as_str().into(), text(value)]);
            object_of([
                named("commit"),
                ("require_absent", batch.require_absent.clone().into()),
                ("put", puts.collect::<Vec<Vec<Value>>>().into()),
                ("delete", batch.delete.clone().into()),
            ])
        }
        Effect::Memory(request) => {
            object_of([named("memory"), ("request", json::to_value(request))])
        }
        Effect::HttpSend(request) => object_of([
            named("send"),
            ("method", request.method.as_str().into()),
            ("url", request.url.as_str().into()),
            ("body", text(&request.body)),
            ("idle_timeout_ms", request.idle_timeout_ms.into()),
        ]),
        Effect::HttpRead { of } => object_of([named("read"), ("of", of.0.into())]),
        Effect::RunTool(run) => object_of([named("run_tool"), ("run", json::to_value(run))]),
        // This interface has no model of its own.
        Effect::Generate(_) => object_of([named("generate")]),
        Effect::GenerateNext { of } => object_of([named("generate_next"), ("of", of.0.into())]),
    }
}
