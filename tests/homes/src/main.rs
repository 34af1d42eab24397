//! `tau-homes`: the table of scenarios and homes, with the hash of each transcript; and the Worker
//! under load, and what searching costs in a page.

mod table;

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;
use tau_homes::{
    home::Home,
    lanes,
    play::{Case, Verdict},
    suites::{self, Passed},
    worker::load,
};

/// Play every scenario natively, in workerd and in Chromium, and compare the transcripts.
#[derive(Parser)]
#[command(name = "tau-homes")]
struct Cli {
    /// Only scenarios with this in their name; then no suites are run.
    #[arg(default_value = "")]
    part: String,
    /// Only in these homes.
    #[arg(long = "home", value_name = "HOME")]
    homes: Vec<Home>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Ask one Worker in many sessions at once, and count answers that are lost or mixed.
    Load {
        /// Sessions at once.
        #[arg(long, default_value_t = 200)]
        sessions: usize,
        /// How long turns are begun for.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Measure searches of a memory in a page.
    Search {
        /// Entries, each with its vector.
        #[arg(long, default_value_t = 10_000)]
        entries: usize,
    },
}

fn main() -> ExitCode {
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&Cli::parse())));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is the same everywhere.
async fn run(cli: &Cli) -> Result<bool> {
    match cli.task {
        Some(Task::Load { sessions, seconds }) => {
            let figures = load::run(sessions, seconds).await?;
            show(&match cli.json {
                true => serde_json::to_string(&figures)?,
                false => table::load(&figures),
            });
            return Ok(figures.is_whole());
        }
        Some(Task::Search { entries }) => {
            let figures = lanes::searches(entries).await?;
            show(&match cli.json {
                true => serde_json::to_string(&figures)?,
                false => table::searches(&figures),
            });
            return Ok(true);
        }
        None => {}
    }
    let homes = match cli.homes.as_slice() {
        [] => &Home::ALL,
        homes => homes,
    };
    complain("playing every scenario on the simulator");
    let cases = Case::all(&cli.part)?;
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut passed: Vec<Passed> = Vec::new();
    for home in homes {
        let mut count = 0;
        let told = |verdict: &Verdict| {
            count += 1;
            let how = if verdict.problem.is_some() {
                " DIFFERS"
            } else {
                ""
            };
            complain(&format!(
                "{home}: {count} of {}, {}, {} ms{how}",
                cases.len(),
                verdict.scenario,
                verdict.took_ms
            ));
        };
        verdicts.extend(lanes::play_all(*home, &cases, told).await?);
    }
    if cli.part.is_empty() {
        passed.push(suites::memory().await);
        complain("PostgreSQL: storage suite");
        passed.push(suites::postgres().await);
        for home in homes {
            complain(&format!("{home}: suites"));
            passed.extend(lanes::suites(*home).await?);
        }
    }
    let text = match cli.json {
        true => table::json(&cases, &verdicts, &passed)?,
        false => table::text(homes, &cases, &verdicts, &passed),
    };
    show(&text);
    let all_played = verdicts.iter().all(|verdict| verdict.problem.is_none());
    Ok(all_played && passed.iter().all(|passed| passed.problem.is_none()))
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn show(text: &str) {
    println!("{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "progress and errors, beside the answer"
)]
fn complain(text: &str) {
    eprintln!("{text}");
}
