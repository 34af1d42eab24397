//! The core behind a plain JavaScript interface: a whole session, its provider formats, and no
//! adapter. `cargo xtask size` weighs it, so everything a home calls is called here.
//!
//! Effects go out and most answers come in as JSON; bytes stay bytes. Times are ms since 1970.

use serde_json::{Value, json};
use tau_core::{
    ids::{EffectId, UnixMillis},
    session::{Answer, Command, Config, Effect, HttpError, HttpHead, Session, StoreError},
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
    /// A new session of this configuration, as JSON, and 32 bytes of randomness.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, seed: &[u8], now: f64) -> Result<Agent, JsError> {
        let config: Config = serde_json::from_str(config)?;
        let seed = seed.try_into()?;
        Ok(Self {
            session: Session::new(config, seed, at(now)),
        })
    }

    /// The session that wrote these records: an array of texts, as JSON.
    pub fn restore(records: &str) -> Result<Agent, JsError> {
        let records: Vec<String> = serde_json::from_str(records)?;
        let journal = records.into_iter().map(String::into_bytes).collect();
        Ok(Self {
            session: Session::restore(&[], &journal)?,
        })
    }

    /// Goes on with what was unfinished.
    pub fn resume(&mut self, now: f64) {
        self.session.resume(at(now));
    }

    /// Asks for something: a command as JSON.
    pub fn submit(&mut self, command: &str, now: f64) -> Result<(), JsError> {
        let command: Command = serde_json::from_str(command)?;
        Ok(self.session.submit(command, at(now))?)
    }

    /// The next thing to do, as JSON.
    pub fn effect(&mut self) -> Option<String> {
        let (id, effect) = self.session.poll_effect()?;
        Some(json!({"id": id.0, "effect": shown(&effect)}).to_string())
    }

    /// The next thing that happened, as JSON.
    pub fn event(&mut self) -> Result<Option<String>, JsError> {
        let event = self.session.poll_event();
        Ok(event
            .map(|event| serde_json::to_string(&event))
            .transpose()?)
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
    pub fn view(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.session.view())?)
    }

    /// A commit is durable, or why not.
    pub fn committed(&mut self, id: f64, error: Option<String>, now: f64) {
        let result = match error {
            None => Ok(()),
            Some(detail) => Err(StoreError::Io { detail }),
        };
        self.answer(id, Answer::Committed(result), now);
    }

    /// The rows of a range: pairs of texts, as JSON.
    pub fn loaded(&mut self, id: f64, rows: &str, now: f64) -> Result<(), JsError> {
        let rows: Vec<(String, String)> = serde_json::from_str(rows)?;
        let rows = rows
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()));
        self.answer(id, Answer::Loaded(Ok(rows.collect())), now);
        Ok(())
    }

    /// A response began; its headers are pairs of texts, as JSON.
    pub fn responded(
        &mut self,
        id: f64,
        status: u16,
        headers: &str,
        now: f64,
    ) -> Result<(), JsError> {
        let head = HttpHead {
            status,
            headers: serde_json::from_str(headers)?,
            at: at(now),
        };
        self.answer(id, Answer::HttpHead(Ok(head)), now);
        Ok(())
    }

    /// A piece of a body, or its end.
    pub fn read(&mut self, id: f64, piece: Option<Vec<u8>>, now: f64) {
        self.answer(id, Answer::HttpChunk(Ok(piece)), now);
    }

    /// The connection was lost.
    pub fn lost(&mut self, id: f64, detail: String, now: f64) {
        self.answer(id, Answer::HttpChunk(Err(HttpError::Reset { detail })), now);
    }

    /// What a tool gave back: its output as JSON.
    pub fn ran(&mut self, id: f64, output: &str, now: f64) -> Result<(), JsError> {
        let output: ToolOutput = serde_json::from_str(output)?;
        self.answer(id, Answer::Tool(output), now);
        Ok(())
    }
}

impl Agent {
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
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match effect {
        Effect::Commit(batch) => {
            let puts = batch
                .put
                .iter()
                .map(|(key, value)| json!([key, text(value)]));
            json!({
                "type": "commit",
                "require_absent": batch.require_absent,
                "put": puts.collect::<Vec<_>>(),
                "delete": batch.delete,
            })
        }
        Effect::Load(range) => {
            json!({"type": "load", "start": range.start, "end": range.end, "limit": range.limit})
        }
        Effect::HttpSend(request) => json!({
            "type": "send",
            "method": request.method,
            "url": request.url,
            "body": text(&request.body),
            "idle_timeout_ms": request.idle_timeout_ms,
        }),
        Effect::HttpRead { of } => json!({"type": "read", "of": of.0}),
        Effect::RunTool(run) => json!({"type": "run_tool", "run": run}),
        // This interface has no model of its own.
        Effect::Generate(_) => json!({"type": "generate"}),
        Effect::GenerateNext { of } => json!({"type": "generate_next", "of": of.0}),
    }
}
