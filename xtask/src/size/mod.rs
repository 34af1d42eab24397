//! `cargo xtask size`: what Tau weighs in each home, and how soon the Worker speaks.
//!
//! Each figure stands beside its aim or beside a program that does nothing, built the same way.
//! None of this is a test: times and sizes are told, not judged.

pub(crate) mod memory;
mod modules;
mod native;
mod provider;
mod request;
mod start;

use anyhow::Result;
use clap::ValueEnum;
use flate2::{Compression, write::GzEncoder};
use modules::Modules;
use native::Native;
use serde_json::{Map, Value};
use start::Starts;
use std::{io::Write, path::PathBuf};

/// Print what `tau`, the Worker and the page weigh.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; everything where none is named.
    parts: Vec<Part>,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Measure this program instead of a release build.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// What can be weighed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The program `tau`.
    Native,
    /// The modules of the core alone, the Worker and the page, beside a Worker that only greets.
    Modules,
    /// From the start of workerd to the first byte of an answer, beside the Worker that only greets.
    Start,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let is_asked = |part: Part| args.parts.is_empty() || args.parts.contains(&part);
    let mut object = Map::new();
    if is_asked(Part::Native) {
        let native = Native::measure(args.binary.as_ref())?;
        match args.json {
            true => object.extend(native.json()),
            false => native.print(),
        }
    }
    if is_asked(Part::Modules) {
        let modules = Modules::measure()?;
        match args.json {
            true => object.extend(modules.json()),
            false => modules.print(),
        }
    }
    if is_asked(Part::Start) {
        let starts = Starts::measure()?;
        match args.json {
            true => object.extend(starts.json()),
            false => starts.print(),
        }
    }
    if args.json {
        println!("{}", Value::Object(object));
    }
    Ok(())
}

/// The fields of an object.
fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn megabytes(bytes: u64) -> String {
    // Sizes of programs are far below where a double loses a byte.
    format!("{:.2} MB", bytes as f64 / 1e6)
}

/// How many bytes gzip makes of these.
pub(crate) fn gzip(bytes: &[u8]) -> Result<u64> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() as u64)
}
