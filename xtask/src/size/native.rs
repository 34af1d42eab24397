//! What the program `tau` weighs, from a release binary.

use super::{gzip, megabytes, memory, request};
use crate::{
    process::{self, cargo},
    workspace::{self, Build},
};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often the start is timed; the median is printed.
const STARTS: usize = 20;

/// What is measured.
pub(super) struct Native {
    raw_bytes: u64,
    gzip_bytes: u64,
    dependencies: usize,
    start: Duration,
    version_memory: memory::Peak,
    doctor_memory: memory::Peak,
    request: request::Tokens,
}

impl Native {
    /// Measures `binary`, or a release build.
    pub(super) fn measure(binary: Option<&PathBuf>) -> Result<Self> {
        let binary = match binary {
            Some(file) => {
                fs::canonicalize(file).with_context(|| format!("no {}", file.display()))?
            }
            None => workspace::tau(Build::Release)?,
        };
        let home = workspace::scratch("size")?;
        let bytes =
            fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
        Ok(Self {
            raw_bytes: bytes.len() as u64,
            gzip_bytes: gzip(&bytes)?,
            dependencies: dependencies()?,
            start: median_start(&binary, &home)?,
            version_memory: memory::of(&binary, &home, &["--version"])?,
            doctor_memory: memory::of(&binary, &home, &["doctor"])?,
            request: request::measure(&binary, &home)?,
        })
    }

    fn start_ms(&self) -> f64 {
        self.start.as_secs_f64() * 1000.0
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let Self { request, .. } = self;
        let object = json!({
                "binary_bytes": self.raw_bytes,
                "binary_gzip_bytes": self.gzip_bytes,
                "dependencies": self.dependencies,
                "version_ms": (self.start_ms() * 100.0).round() / 100.0,
                "version_peak_bytes": self.version_memory.bytes,
                "doctor_peak_bytes": self.doctor_memory.bytes,
                "request_tokens": request.body,
                "request_message_tokens": request.messages,
                "request_tool_tokens": request.tools,
                "request_tools": request.tool_count,
                "tokenizer": request::TOKENIZER,
        });
        super::fields(object)
    }

    pub(super) fn print(&self) {
        let Self { request, .. } = self;
        let start_ms = self.start_ms();
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
