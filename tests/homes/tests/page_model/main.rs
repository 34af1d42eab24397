//! The embedded model in the real page: loaded when it is asked for, answering without a network, stopped at once.
//!
//! The page and the module come from `cargo xtask wasm`, the model from `tau model pull`; what is missing is an error.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

#[expect(dead_code, reason = "the tests of the page's behaviour use the rest")]
#[path = "../page/support/mod.rs"]
mod support;

mod embedder;
mod models;

use models::Models;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{browser::Browser, http::Server, site};
use tau_homes::tools::built;

/// Longer than an answer of this model takes where everything else is busy.
const PATIENCE: Duration = Duration::from_secs(240);

struct Stage {
    browser: Browser,
    models: Models,
    site: Server,
}

impl Stage {
    async fn new() -> Self {
        built("build/browser/model", "tau_model_bg.wasm").unwrap();
        let stage = Self {
            models: Models::serve().await,
            site: site::serve().await,
            browser: Browser::start().await,
        };
        stage.open().await;
        stage
    }

    /// A new page with an agent.
    async fn open(&self) {
        self.browser.go(&format!("{}/blank", self.site.url)).await;
        self.browser.run("await open()", Value::Null).await;
    }

    async fn run(&self, body: &str) -> Value {
        self.browser.run(body, json!(self.models.url())).await
    }

    /// Asks until there is something.
    async fn until(&self, body: &str) -> Value {
        let start = Instant::now();
        loop {
            let found = self.run(body).await;
            if !found.is_null() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{body} gave nothing");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Loads the model and gives what was told meanwhile: each progress, and last the error or null.
    async fn load(&self) -> Vec<Value> {
        self.run(
            "window.seen = []; window.loaded = undefined;
             call('model.load', { url: given }).then(() => (loaded = {}), (error) => (loaded = { error: error.message }));",
        )
        .await;
        let end = self.until("return window.loaded ?? null").await;
        let told = "return seen.filter(({ name, detail }) => name === 'model' && detail.progress)
                        .map(({ detail }) => detail.progress)";
        let mut told = self.run(told).await.as_array().cloned().unwrap();
        told.push(end["error"].clone());
        told
    }

    /// Begins a conversation with the model.
    async fn begin(&self) {
        self.run(
            "await call('settings.set', { api: 'embedded' });
             window.session = (await call('sessions.create')).session;",
        )
        .await;
    }

    /// Begins a turn, and watches how long the page's timer stands still.
    async fn ask(&self, text: &str) {
        self.browser
            .run(
                "window.seen = [];
                 window.watch = { began: performance.now(), last: performance.now(), still: 0 };
                 clearInterval(window.timer);
                 window.timer = setInterval(() => {
                     const now = performance.now();
                     watch.still = Math.max(watch.still, now - watch.last);
                     watch.last = now;
                 }, 10);
                 await call('prompt', { session, text: given });",
                json!(text),
            )
            .await;
    }

    /// How the turn ended and what came of it.
    async fn answer(&self) -> Value {
        self.until(
            "const of = (type) => events().filter((event) => event.type === type);
             const [end] = of('turn_finished');
             return end ? {
                 outcome: end.outcome.outcome,
                 text: of('text_delta').map(({ text }) => text).join(''),
                 pieces: of('text_delta').length,
                 tools: of('tool_started').map(({ name }) => name),
                 took_ms: watch.last - watch.began,
                 still_ms: watch.still,
             } : null;",
        )
        .await
    }
}

fn stages(told: &[Value]) -> Vec<&str> {
    let mut stages: Vec<&str> = told
        .iter()
        .filter_map(|one| one["stage"].as_str())
        .collect();
    stages.dedup();
    stages
}

#[tokio::test]
async fn the_model_is_loaded_on_request_and_answers_without_a_network() {
    let stage = Stage::new().await;
    let status = stage.run("return await call('model.status')").await;
    assert_eq!(status, json!({ "state": "absent" }));
    assert!(stage.models.asked().is_empty());

    let told = stage.load().await;
    assert_eq!(told.last(), Some(&Value::Null), "{told:?}");
    assert_eq!(stages(&told), ["fetch", "read"]);
    for stage in ["fetch", "read"] {
        let last = told.iter().rfind(|one| one["stage"] == stage).unwrap();
        assert_eq!(last["received"], last["total"], "{stage}");
    }

    // Nothing is there any more but the browser.
    stage.browser.go_offline().await;
    stage.models.set_away(true);
    stage.begin().await;
    stage.ask("Why is the sky blue?").await;
    let answer = stage.answer().await;
    let outcome = answer["outcome"].as_str().unwrap();
    assert!(["answered", "truncated"].contains(&outcome), "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("sky"), "{answer}");
    assert!(answer["pieces"].as_u64().unwrap() > 5, "{answer}");
    // The page never waited for the model.
    let still_ms = answer["still_ms"].as_f64().unwrap();
    let took_ms = answer["took_ms"].as_f64().unwrap();
    assert!(still_ms < took_ms / 3.0, "{answer}");

    stage
        .ask("Remember that the spare key hangs in the shed.")
        .await;
    let answer = stage.answer().await;
    assert_eq!(answer["tools"], json!(["remember"]), "{answer}");
    assert_eq!(answer["text"], "Noted.", "{answer}");
    stage.browser.complaints().await;
    stage.browser.end().await;
}

#[tokio::test]
async fn an_answer_is_stopped_and_the_next_one_begins() {
    let stage = Stage::new().await;
    stage.load().await;
    stage.begin().await;
    stage.ask("Why is the sky blue?").await;
    stage
        .until("return events().find(({ type }) => type === 'text_delta') ?? null")
        .await;
    stage.run("await call('interrupt', { session })").await;
    let stopped = stage.answer().await;
    assert_eq!(stopped["outcome"], "interrupted", "{stopped}");

    stage.ask("Hello, how are you?").await;
    let answer = stage.answer().await;
    assert_eq!(answer["outcome"], "answered", "{answer}");
    assert!(!answer["text"].as_str().unwrap().is_empty(), "{answer}");

    // Taken out of memory, it is said to be missing instead of fetched.
    let refused = stage
        .browser
        .try_run(
            "await call('model.unload'); await call('prompt', { session, text: 'Hello' });",
            Value::Null,
        )
        .await;
    assert_eq!(refused.unwrap_err()["code"], "no_model");
    stage.browser.end().await;
}

#[tokio::test]
async fn files_are_kept_and_checked() {
    let stage = Stage::new().await;
    stage.models.set_corrupting(true);
    let told = stage.load().await;
    let error = told.last().and_then(Value::as_str).unwrap();
    assert!(
        error.contains("SHA-256") && error.contains("checksum"),
        "{error}"
    );
    let status = stage.run("return await call('model.status')").await;
    assert_eq!(status["state"], "failed", "{status}");

    // What was right is kept, what was wrong is fetched again.
    stage.models.set_corrupting(false);
    stage.models.asked();
    let told = stage.load().await;
    assert_eq!(told.last(), Some(&Value::Null), "{told:?}");
    let asked = stage.models.asked();
    assert!(
        asked.iter().all(|name| !name.ends_with(".onnx")),
        "{asked:?}"
    );

    // A new page, and the server is away.
    stage.open().await;
    stage.models.set_away(true);
    let told = stage.load().await;
    assert_eq!(told.last(), Some(&Value::Null), "{told:?}");
    assert_eq!(stages(&told), ["read"]);
    assert_eq!(stage.models.asked(), ["manifest.json"]);

    // Without what was kept there is nothing to load.
    stage.open().await;
    stage.run("await caches.delete('tau-model')").await;
    let told = stage.load().await;
    let error = told.last().and_then(Value::as_str).unwrap();
    assert!(error.contains("network"), "{error}");
    stage.browser.complaints().await;
    stage.browser.end().await;
}
