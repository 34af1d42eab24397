//! The Worker from outside, in the real workerd, with a scripted provider on loopback.

mod access;
mod bound;
mod branches;
mod embeddings;
mod http;
mod identity;
mod limits;
mod restart;
mod routines;
mod safety;
mod turns;

use anyhow::{Context, Result};
use serde_json::Value;
use std::{future::Future, time::Duration};
use tau_homes::worker::Client;

/// How long something that must come may take where everything else is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `is_so`, which must come.
async fn eventually<F: Future<Output = Result<bool>>>(
    what: &str,
    mut is_so: impl FnMut() -> F,
) -> Result<()> {
    let waited = async {
        while !is_so().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, waited)
        .await
        .with_context(|| format!("it never came: {what}"))?
}

/// Waits until no turn runs in the session at `path`, and shows it.
async fn at_rest(client: &Client, path: &str) -> Result<Value> {
    eventually("the end of the turn", async || {
        Ok(client.get(path).await?["running"] == false)
    })
    .await?;
    client.get(path).await
}

/// What was said in a view, as `role: text` of the entries on the path.
fn said(view: &Value) -> Vec<String> {
    let entries = view["entries"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry["on_path"] == true)
        .map(|entry| {
            let parts = entry["message"]["parts"].as_array().cloned();
            let texts = parts.unwrap_or_default();
            let texts: Vec<&str> = texts.iter().filter_map(|p| p["text"].as_str()).collect();
            let role = entry["message"]["role"].as_str().unwrap_or_default();
            format!("{role}: {}", texts.concat())
        })
        .collect()
}
