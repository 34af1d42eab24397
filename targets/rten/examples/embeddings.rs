//! Texts that the embedder turns into vectors in a second, one at a time and 32 at once.
//!
//! `cargo xtask bench embeddings` runs it beside onnxruntime. Writes the texts and their vectors into the folder that
//! is its argument, so that both embed the same, and prints one JSON object.

#![expect(clippy::print_stdout, reason = "printing is all this program does")]

use std::{error::Error, path::Path, time::Instant};

use serde_json::json;
use tau_target_rten::{Embedder, Threads, fetch};

/// Texts embedded for each figure.
const TEXTS: usize = 256;
/// The best of so many runs: what else the machine does only makes it slower.
const RUNS: usize = 3;

/// Notes of about 32 tokens, each another one.
fn texts() -> Vec<String> {
    let who = [
        "Anna",
        "the gardener",
        "our neighbour",
        "Mr Okafor",
        "the new colleague",
        "Lena",
        "the driver",
        "nobody",
    ];
    let what = [
        "asked for the keys of the shed",
        "moved the meeting to the morning",
        "repaired the heating in the hall",
        "sent the invoice for the second time",
        "planted tomatoes beside the old wall",
        "lost the train to Geneva",
        "wrote down how the backup is restored",
        "wants the blue paint instead",
    ];
    let when = [
        "before the storm last Tuesday",
        "on the first weekend of October",
        "while everyone was at lunch",
        "two days after the contract was signed",
    ];
    let mut texts = Vec::with_capacity(TEXTS);
    for number in 0..TEXTS {
        let (who, what, when) = (who[number % 8], what[number / 8 % 8], when[number / 64 % 4]);
        texts.push(format!("{who} {what} {when}, and said that it should be remembered for the next time it comes up."));
    }
    texts
}

/// Texts a second, in batches of `size`.
fn per_second(embedder: &Embedder, texts: &[&str], size: usize) -> Result<f64, Box<dyn Error>> {
    let mut best: f64 = 0.0;
    for _ in 0..RUNS {
        let start = Instant::now();
        for batch in texts.chunks(size) {
            embedder.embed(batch)?;
        }
        best = best.max(texts.len() as f64 / start.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("name a folder")?;
    let folder = fetch::models_dir().ok_or("no data folder is known")?;
    let models = fetch::installed_of(&folder, fetch::Which::Embedder)
        .ok_or("no embedder: run `tau model pull --embedder`")?;
    let threads = Threads::auto();
    let start = Instant::now();
    let embedder = Embedder::load(&models, threads.clone())?;
    let load_ms = start.elapsed().as_millis();
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = embedder.embed(&texts)?;
    std::fs::write(
        Path::new(&out).join("embeddings.json"),
        serde_json::to_vec(&json!({ "texts": texts, "vectors": vectors }))?,
    )?;
    let figures = json!({
        "threads": threads.count(),
        "load_ms": load_ms as u64,
        "graph": models.embedder,
        "tokenizer": models.embedder_tokenizer,
        "batch_1": per_second(&embedder, &texts, 1)?,
        "batch_32": per_second(&embedder, &texts, 32)?,
    });
    println!("{figures}");
    Ok(())
}
