//! The embedded model as a module of its own for a web page, loaded on request.
//!
//! ```text
//!  page ── agent's Web Worker ──new Worker("model.js")──▶ model.js ──▶ tau_model.js, tau_model_bg.wasm   this crate
//!                    │  ◀──────────── messages ──────────────▶  │
//!                    └ LocalModel                               └ files: fetched once, kept in the Cache API
//! ```
//!
//! Inference blocks its thread, so it has one to itself: `model.js`, a module worker that the agent's worker (or a
//! page) starts when a person asks for the model, never before. The module is stepped: [`Model::step`] does a bounded
//! piece of work, at most one token of an answer, and between two steps `model.js` reads its messages. So a cancel
//! takes effect at the next token without shared memory and without the cross-origin isolation that would need.
//!
//! # Messages
//!
//! Each message is an object with one key, its name. What is called JSON text is a string.
//!
//! To `model.js`:
//!
//! | message | |
//! |---|---|
//! | `{load: {url}}` | Fetch what is not kept yet and load it. `url` is the folder with `manifest.json`; relative to the worker's own script. Answered by `loaded` or `load_failed`. A second `load` while one is under way is answered with it; when loaded, at once. |
//! | `{generate: {id, request}}` | Continue a conversation. `id` is any number or string; `request` is a `ModelRequest` as JSON text. One is worked on at a time, others wait. |
//! | `{cancel: {id}}` | End it, running or waiting. Answered by its `failed` with code `cancelled`, unless it ended before. |
//! | `{load_embedder: {url}}` | The same as `load` for the embedder alone: only its two files are fetched. Answered by `embedder_loaded` or `embedder_failed`; at once when it, or the whole model, is loaded. |
//! | `{embed: {id, texts}}` | Make the vectors of these texts, a list of strings. Answered by `embedded` or `failed`. Does not wait for a `generate`: both go on by turns. |
//!
//! From `model.js`:
//!
//! | message | |
//! |---|---|
//! | `{progress: {of?, stage, file, received, total}}` | During a load; bytes. `of` is `embedder` where it alone is loaded. `total` is of all files together, `received` what is done of it. `stage` is `fetch` (from the network into the cache) or `read` (from the cache into memory, checking the hash); each goes up to `total`, `fetch` from what is kept already. A load with everything kept has no `fetch`. |
//! | `{loaded: description}` | Ready. JSON text of [`Loaded`]: how to configure a session that uses it. |
//! | `{load_failed: {code, message}}` | Nothing is loaded; `load` may be sent again. |
//! | `{piece: {id, delta}}` | The next `Delta` of an answer, as JSON text. The last one is `stop`. |
//! | `{done: {id}}` | The answer is whole. |
//! | `{failed: {id, code, message}}` | The answer ended before its end; what came of it is not complete. |
//! | `{embedder_loaded: space}` | Texts can be embedded. JSON text of an `EmbeddingModel`: what the space of the vectors is called, and how long they are. |
//! | `{embedder_failed: {code, message}}` | It is not loaded; `load_embedder` may be sent again. |
//! | `{embedded: {id, vectors}}` | The vectors, one a text, in order, of length 1: a list of lists as JSON text. |
//! | `{broken: {message}}` | The module itself failed (it ran out of memory, for example) and the worker has closed. Everything running or waiting was `failed` before. Start a new worker to go on. |
//!
//! Codes of `load_failed` and `embedder_failed`: `network` (a file could not be fetched and is not kept), `manifest` (not a manifest this
//! version reads), `checksum` (a file is not the one the manifest names; it was dropped, and is fetched again by the
//! next load), `quota` (the browser gives this page too little space), `memory`, `unsupported` (no Cache API: the page
//! is not from a secure origin; or no SIMD), `model` (the files are whole, but no model). Codes of `failed`:
//! `not_loaded`, `request` (not a request), `model`, `cancelled`, `broken`.
//!
//! # The folder
//!
//! `tau model pull` leaves, beside the four converted files, a `manifest.json` with their names, sizes and hashes: its
//! folder, or a copy of those five files on any static server, is what `url` names. For the embedder alone, the manifest
//! and the two files that `tau model pull --embedder` leaves are enough. If the page is of another origin,
//! the server has to allow that (CORS). The manifest is asked for with every load, so that a newer model is found; if
//! the network is away, the kept one counts.
//!
//! Files are kept in the cache named `tau-model`, by their hash; `caches.delete("tau-model")` gives the space back.

mod failure;

use serde::Serialize;
use tau_core::{
    memory::EmbeddingModel,
    model::{Delta, ModelConfig},
};
use tau_target_rten::{
    Cancel, Embedder as Embedding, Threads,
    agent::{Agent, Answer},
    load::{Loading, Manifest},
    translate,
};
use wasm_bindgen::prelude::*;

use failure::Failure;

/// Said when the model is taken.
const LIMITS: &str = "The embedded model is very small (135 million parameters): it looks things up with its tools and \
holds simple conversations, no more. For real work set a provider.";

/// The tools a page's agent has in any case: those of memory.
const USUAL_TOOLS: [&str; 2] = ["remember", "recall"];

/// What a page has to know to configure a session with this model.
#[derive(Serialize)]
pub struct Loaded {
    /// The model's own entry.
    pub model: ModelConfig,
    /// The system prompt.
    pub system: &'static str,
    /// The home's tools it is to be offered, as far as the home has them; those of memory come on top.
    pub tools: &'static [&'static str],
    /// What to tell the person.
    pub limits: &'static str,
}

/// The model while its files arrive: for each file that [`Self::expected`] names [`Self::begin`], [`Self::write`] as
/// often as pieces come, [`Self::end`]; then [`Self::finish`].
#[wasm_bindgen]
pub struct Loader(Loading);

#[wasm_bindgen]
impl Loader {
    /// A loader of the files a `manifest.json` names. Throws `manifest`.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest: &[u8]) -> Result<Loader, JsValue> {
        failure::record_panics();
        let manifest = Manifest::read(manifest).map_err(Failure::manifest)?;
        // A page without shared memory has no threads.
        Ok(Self(Loading::new(manifest, Threads::exactly(1))))
    }

    /// A loader of the embedder's files alone. Throws `manifest`.
    #[wasm_bindgen(js_name = ofEmbedder)]
    pub fn of_embedder(manifest: &[u8]) -> Result<Loader, JsValue> {
        failure::record_panics();
        let manifest = Manifest::read(manifest).map_err(Failure::manifest)?;
        Ok(Self(Loading::new(manifest.embedder(), Threads::exactly(1))))
    }

    /// The file whose turn it is, as in the manifest and as JSON text; `undefined` when all are there.
    pub fn expected(&self) -> Result<Option<String>, JsValue> {
        Ok(self.0.expected().map(json).transpose()?)
    }

    /// Begins the file whose turn it is. Throws `memory`.
    pub fn begin(&mut self) -> Result<(), JsValue> {
        Ok(self.0.begin().map_err(Failure::from)?)
    }

    /// Takes the next piece of it. Throws `checksum`.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), JsValue> {
        Ok(self.0.write(piece).map_err(Failure::file)?)
    }

    /// Ends it; after the last file of a model, loads the model. Throws `checksum` and `model`.
    pub fn end(&mut self) -> Result<(), JsValue> {
        Ok(self.0.end().map_err(Failure::file)?)
    }

    /// The embedder alone. Throws `manifest` if files are missing.
    #[wasm_bindgen(js_name = finishEmbedder)]
    pub fn finish_embedder(self) -> Result<Embedder, JsValue> {
        let loaded = self.0.finish_embedder().map_err(Failure::manifest)?;
        Ok(Embedder(loaded))
    }

    /// The model. Throws `manifest` if files are missing.
    pub fn finish(self) -> Result<Model, JsValue> {
        Ok(Model {
            agent: self.0.finish().map_err(Failure::manifest)?,
            answer: None,
        })
    }
}

/// The embedder without the text model.
#[wasm_bindgen]
pub struct Embedder(Embedding);

#[wasm_bindgen]
impl Embedder {
    /// The space of its vectors: an `EmbeddingModel` as JSON text.
    pub fn space(&self) -> Result<String, JsValue> {
        space()
    }

    /// The vectors of these texts, a list of lists as JSON text. Blocks: give it few. Throws `model`.
    pub fn embed(&self, texts: Vec<String>) -> Result<String, JsValue> {
        embed(&self.0, &texts)
    }
}

fn space() -> Result<String, JsValue> {
    let dimensions = u32::try_from(Embedding::DIMENSIONS).unwrap_or_default();
    let name = Embedding::NAME.into();
    Ok(json(&EmbeddingModel { name, dimensions })?)
}

fn embed(embedder: &Embedding, texts: &[String]) -> Result<String, JsValue> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = embedder.embed(&texts).map_err(Failure::from)?;
    Ok(json(&vectors)?)
}

/// The loaded model, and the answer it works on.
#[wasm_bindgen]
pub struct Model {
    agent: Agent,
    answer: Option<Answer>,
}

#[wasm_bindgen]
impl Model {
    /// How to configure a session with it: [`Loaded`] as JSON text.
    pub fn description(&self) -> Result<String, JsValue> {
        Ok(json(&Loaded {
            model: translate::model(),
            system: translate::SYSTEM_PROMPT,
            tools: &translate::TOOLS,
            limits: LIMITS,
        })?)
    }

    /// The space of its embedder's vectors: an `EmbeddingModel` as JSON text.
    pub fn space(&self) -> Result<String, JsValue> {
        space()
    }

    /// As [`Embedder::embed`], whatever answer is being made.
    pub fn embed(&self, texts: Vec<String>) -> Result<String, JsValue> {
        embed(self.agent.embedder(), &texts)
    }

    /// Does a bounded piece of what the first answer would begin with, for a time when there is nothing else to do.
    /// Says whether there was something to do. Throws `model`.
    pub fn prepare(&mut self) -> Result<bool, JsValue> {
        let prepared = self.agent.prepare(&USUAL_TOOLS, &Cancel::new());
        Ok(prepared.map_err(Failure::from)?)
    }

    /// Begins an answer to a `ModelRequest` as JSON text; an unfinished one is given up. Throws `request`.
    pub fn start(&mut self, request: &str) -> Result<(), JsValue> {
        let request = translate::request_from_json(request).map_err(Failure::request)?;
        self.cancel();
        self.answer = Some(Answer::new(request));
        Ok(())
    }

    /// Whether an answer is begun and not ended.
    #[wasm_bindgen(getter, js_name = isWriting)]
    pub fn is_writing(&self) -> bool {
        self.answer.is_some()
    }

    /// Does a bounded piece of work on the answer and gives what came of it, `Delta`s as JSON texts. Throws `model`;
    /// the answer has ended then.
    pub fn step(&mut self) -> Result<Vec<String>, JsValue> {
        let Some(answer) = &mut self.answer else {
            return Ok(Vec::new());
        };
        let mut deltas: Vec<Delta> = Vec::new();
        let stepped = self.agent.step(answer, &Cancel::new(), &mut |piece| {
            deltas.extend(translate::deltas(piece));
        });
        match stepped {
            Ok(None) => {}
            Ok(Some(finish)) => {
                deltas.push(translate::stop(finish));
                self.cancel();
            }
            Err(error) => {
                self.cancel();
                return Err(Failure::from(error).into());
            }
        }
        Ok(deltas.iter().map(json).collect::<Result<_, _>>()?)
    }

    /// Gives the answer up. What was read of the conversation stays read.
    pub fn cancel(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.agent.give_up(answer);
        }
    }
}

/// What the module said last when it failed; `undefined` if it said nothing, as when memory ran out.
#[wasm_bindgen(js_name = lastWords)]
pub fn last_words() -> Option<String> {
    failure::last_words()
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(Failure::request)
}
