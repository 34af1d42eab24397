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
//!
//! From `model.js`:
//!
//! | message | |
//! |---|---|
//! | `{progress: {stage, file, received, total}}` | During a load; bytes. `total` is of all files together, `received` what is done of it. `stage` is `fetch` (from the network into the cache) or `read` (from the cache into memory, checking the hash); each goes from 0 to `total`. A load with everything kept has no `fetch`. |
//! | `{loaded: {model, system, tools, limits}}` | Ready. JSON text [`Loaded`]: how to configure a session that uses it. |
//! | `{load_failed: {code, message}}` | Nothing is loaded; `load` may be sent again. |
//! | `{piece: {id, delta}}` | The next `Delta` of an answer, as JSON text. The last but one is `stop`. |
//! | `{done: {id}}` | The answer is whole. |
//! | `{failed: {id, code, message}}` | The answer ended before its end; what came of it is not complete. |
//! | `{broken: {message}}` | The module itself failed (it ran out of memory, for example) and the worker has closed. Everything running or waiting was `failed` before. Start a new worker to go on. |
//!
//! Codes of `load_failed`: `network` (a file could not be fetched and is not kept), `manifest` (not a manifest this
//! version reads), `checksum` (a file is not the one the manifest names; it was dropped, and is fetched again by the
//! next load), `quota` (the browser gives this page too little space), `memory`, `unsupported` (no Cache API: the page
//! is not from a secure origin; or no SIMD), `model` (the files are whole, but no model). Codes of `failed`:
//! `not_loaded`, `request` (not a request), `model`, `cancelled`, `broken`.
//!
//! # The folder
//!
//! `tau model pull` leaves, beside the four converted files, a `manifest.json` with their names, sizes and hashes: its
//! folder, or a copy of those five files on any static server, is what `url` names. If the page is of another origin,
//! the server has to allow that (CORS). The manifest is asked for with every load, so that a newer model is found; if
//! the network is away, the kept one counts.
//!
//! Files are kept in the cache named `tau-model`, by their hash; `caches.delete("tau-model")` gives the space back.
