//! The page that ships, in Chromium, from outside: what is in `build/browser`, served from loopback,
//! talks to a scripted model of another origin.
//!
//! What is missing fails, and names the command that makes it: `cargo xtask wasm`,
//! `cargo xtask setup`.

mod carried;
mod conversation;
mod element;
mod identity;
mod inbox;
mod messages;
mod native;
mod offline;
mod reload;
mod safety;
mod support;
mod tabs;
mod tools;
mod verify;

use serde_json::{Value, json};
use support::{
    browser::Browser,
    http::Server,
    provider::{Provider, Step},
    site,
};
use tau_core::journal::replay;

/// A browser at a page with an agent that is set up with a scripted model.
struct Stage {
    browser: Browser,
    site: Server,
    provider: Provider,
}

impl Stage {
    async fn new(script: impl IntoIterator<Item = Step>) -> Self {
        Self::opened("open()", script).await
    }

    /// One whose agent can deal with others.
    async fn among_agents(script: impl IntoIterator<Item = Step>) -> Self {
        Self::opened("open({ agents: true })", script).await
    }

    async fn opened(open: &str, script: impl IntoIterator<Item = Step>) -> Self {
        let stage = Self {
            browser: Browser::start().await,
            site: site::serve().await,
            provider: Provider::start(script).await,
        };
        stage.browser.go(&stage.blank()).await;
        stage
            .run(
                &format!("await {open}; await call('settings.set', given);"),
                stage.settings(),
            )
            .await;
        stage
    }

    fn blank(&self) -> String {
        format!("{}/blank", self.site.url)
    }

    fn settings(&self) -> Value {
        json!({ "base_url": self.provider.url(), "model": "scripted" })
    }

    async fn run(&self, body: &str, given: Value) -> Value {
        self.browser.run(body, given).await
    }

    /// Begins a session, says `text` in it and waits for the end of the turn. The session's name.
    async fn say(&self, text: &str) -> Value {
        self.run(
            "const { session } = await call('sessions.create');
             await call('prompt', { session, text: given });
             await event('turn_finished');
             return session;",
            text.into(),
        )
        .await
    }
}

/// What a replay of an exported session says.
#[expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
fn replay(export: &Value) -> Value {
    let lines = export.as_str().unwrap().lines().map(str::as_bytes);
    json!(replay::replay(lines).unwrap())
}
