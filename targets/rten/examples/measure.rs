//! Pulls the models if they are missing, then prints how long they load, how fast they are and how well they choose.
//!
//! `cargo run --release -p tau-target-rten --all-features --example measure -- LIST.jsonl …`

#![expect(clippy::print_stdout, reason = "printing is all this program does")]

use std::error::Error;
use std::time::Instant;

use tau_target_rten::fetch::{self, Models};
use tau_target_rten::{Cancel, Embedder, TextModel, Threads, agent::Agent, eval};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = fetch::models_dir().ok_or("no data folder is known")?;
    let mut stage = None;
    let start = Instant::now();
    let mut progress = |progress: fetch::Progress| {
        let now = (progress.artefact, progress.stage);
        if stage != Some(now) {
            println!(
                "{:6.1} s  {}: {:?}",
                start.elapsed().as_secs_f64(),
                now.0,
                now.1
            );
            stage = Some(now);
        }
    };
    let models: Models = fetch::pull_models(&folder, &mut progress, &Cancel::new()).await?;

    let threads = Threads::auto();
    let start = Instant::now();
    let text = TextModel::load(&models, threads.clone())?;
    println!(
        "text model loaded in {:.2} s",
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let embedder = Embedder::load(&models, threads.clone())?;
    println!("embedder loaded in {:.2} s", start.elapsed().as_secs_f64());
    let sentence =
        "A sentence of ordinary length about the weather, the harvest and what was said of both.";
    let start = Instant::now();
    embedder.embed(&[sentence; 32])?;
    println!(
        "embedder: {:.0} sentences/s",
        32.0 / start.elapsed().as_secs_f64()
    );

    let own = eval::speed(&text)?;
    println!("rten:      {own:.1?}");
    match eval::llama_bench(&folder.join(fetch::smollm2().file), threads.count()) {
        Some(other) => println!(
            "llama.cpp: {other:.1?}, decode {:.2} of it",
            own.decode / other.decode
        ),
        None => println!("llama.cpp: llama-bench is not installed"),
    }
    let agent = Agent::new(text, embedder);
    let start = Instant::now();
    agent.decide("What is on today?", &eval::tools(), &Cancel::new())?;
    println!("first decision in {:.2} s", start.elapsed().as_secs_f64());
    for list in std::env::args().skip(1) {
        let report = eval::run(&agent, &std::fs::read_to_string(&list)?)?;
        println!("{list}: {report}");
        for (id, instruction, decided) in &report.misses {
            println!("  {id} {instruction:?}: {decided}");
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(line) = std::fs::read_to_string("/proc/self/status")?
        .lines()
        .find(|line| line.starts_with("VmHWM"))
    {
        println!("peak memory {}", line.trim_start_matches("VmHWM:").trim());
    }
    Ok(())
}
