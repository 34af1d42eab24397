//! `cargo xtask size`: what `tau` weighs, printed from the release binary.

pub(crate) mod memory;
mod request;

use crate::{
    process::{self, cargo},
    workspace::{self, Build},
};
use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often the start is timed; the median is printed.
const STARTS: usize = 20;

/// Print what `tau` weighs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Measure this program instead of a release build.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// What is measured.
struct Size {
    raw_bytes: u64,
    gzip_bytes: u64,
    dependencies: usize,
    start: Duration,
    version_memory: memory::Peak,
    doctor_memory: memory::Peak,
    request: request::Tokens,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let binary = match &args.binary {
        Some(file) => fs::canonicalize(file).with_context(|| format!("no {}", file.display()))?,
        None => workspace::tau(Build::Release)?,
    };
    let home = workspace::scratch("size")?;
    let bytes = fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let size = Size {
        raw_bytes: bytes.len() as u64,
        gzip_bytes: gzip(&bytes)?,
        dependencies: dependencies()?,
        start: median_start(&binary, &home)?,
        version_memory: memory::of(&binary, &home, &["--version"])?,
        doctor_memory: memory::of(&binary, &home, &["doctor"])?,
        request: request::measure(&binary, &home)?,
    };
    size.print(args.json);
    Ok(())
}

impl Size {
    fn print(&self, as_json: bool) {
        let Self { request, .. } = self;
        let start_ms = self.start.as_secs_f64() * 1000.0;
        if as_json {
            let object = json!({
                "binary_bytes": self.raw_bytes,
                "binary_gzip_bytes": self.gzip_bytes,
                "dependencies": self.dependencies,
                "version_ms": (start_ms * 100.0).round() / 100.0,
                "version_peak_bytes": self.version_memory.bytes,
                "doctor_peak_bytes": self.doctor_memory.bytes,
                "request_tokens": request.body,
                "request_message_tokens": request.messages,
                "request_tool_tokens": request.tools,
                "request_tools": request.tool_count,
                "tokenizer": request::TOKENIZER,
            });
            println!("{object}");
            return;
        }
        println!(
            "binary           {} ({} with gzip)",
            megabytes(self.raw_bytes),
            megabytes(self.gzip_bytes)
        );
        println!("dependencies     {} crates", self.dependencies);
        println!(
            "tau --version    {start_ms:.1} ms (median of {STARTS}), peak {}",
            self.version_memory
        );
        println!("tau doctor       peak {}", self.doctor_memory);
        println!(
            "first request    {} tokens by {}: {} in messages, {} in {} tools, the rest JSON",
            request.body,
            request::TOKENIZER,
            request.messages,
            request.tools,
            request.tool_count
        );
    }
}

fn megabytes(bytes: u64) -> String {
    // Sizes of programs are far below where a double loses a byte.
    format!("{:.2} MB", bytes as f64 / 1e6)
}

fn gzip(bytes: &[u8]) -> Result<u64> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() as u64)
}

/// Crates compiled into the binary, without the workspace's own.
fn dependencies() -> Result<usize> {
    let tree = process::read(&mut cargo([
        "tree",
        "--package",
        "tau",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    // A member's line ends with its directory.
    let crates = tree
        .lines()
        .filter(|line| !line.contains("(/") && !line.is_empty());
    let names = crates.map(|line| line.trim_end_matches(" (*)"));
    Ok(names.collect::<BTreeSet<_>>().len())
}

fn median_start(binary: &Path, home: &Path) -> Result<Duration> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let start = Instant::now();
        process::read(workspace::isolated_tau(binary, home).arg("--version"))?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[STARTS / 2])
}
