//! The corpus as it lies in its folder, and both engines to run it under.

use crate::Case;
use anyhow::{Context, Result, bail};
use std::{fs, path::Path};
use tau_target_wasi::{Dir, Engine, Grant, Limits};

impl Case {
    /// Every module of the corpus, by name.
    pub fn all() -> Result<Vec<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let prelude = fs::read_to_string(folder.join("prelude.wat"))?;
        let mut cases = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if path.extension().is_some_and(|end| end == "wat") && name != "prelude" {
                let text = fs::read_to_string(&path)?;
                let case = Self::parse(&name, &text, &prelude);
                cases.push(case.with_context(|| path.display().to_string())?);
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }

    fn parse(name: &str, text: &str, prelude: &str) -> Result<Self> {
        let mut case = Self {
            name: name.to_owned(),
            wasm: Vec::new(),
            grant: Grant::default(),
            limits: Limits::default(),
            stdin: String::new(),
            files: Vec::new(),
            trap: None,
        };
        let (mut writes, mut is_whole) = (false, false);
        for line in text.lines() {
            let Some(comment) = line.strip_prefix(";; ") else {
                break;
            };
            match comment.split_once(": ") {
                Some(("args", words)) => case.grant.args = split(words),
                Some(("env", pair)) => {
                    let (name, value) = pair.split_once('=').context("env without =")?;
                    case.grant.environment.push((name.into(), value.into()));
                }
                Some(("stdin", text)) => case.stdin = text.to_owned(),
                Some(("file", file)) => {
                    let (path, text) = file.split_once(" = ").context("file without =")?;
                    case.files.push((path.into(), text.into()));
                }
                Some(("limit", limit)) => set(&mut case.limits, limit)?,
                Some(("trap", trap)) => case.trap = Some(trap.to_owned()),
                _ if comment == "writes" => writes = true,
                _ if comment == "module" => is_whole = true,
                _ => {}
            }
        }
        if writes || !case.files.is_empty() {
            case.grant.dirs.push(Dir {
                host: String::new(),
                guest: "/data".to_owned(),
                writes,
            });
        }
        case.wasm = match is_whole {
            true => wat::parse_str(text)?,
            false => with_prelude(text, prelude)?,
        };
        Ok(case)
    }
}

/// A module of these fields, after the corpus' prelude.
pub fn module(fields: &str) -> Result<Vec<u8>> {
    with_prelude(fields, include_str!("../corpus/prelude.wat"))
}

fn with_prelude(fields: &str, prelude: &str) -> Result<Vec<u8>> {
    Ok(wat::parse_str(format!("(module\n{prelude}\n{fields}\n)"))?)
}

/// Both engines, by name; the compiled one without a cache.
pub fn engines() -> Result<[Box<dyn Engine>; 2]> {
    Ok([
        Box::new(tau_target_wasmi::Engine::new()),
        Box::new(tau_target_wasmtime::Engine::new(None)?),
    ])
}

/// Words, of which those in quotes may hold spaces.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn set(limits: &mut Limits, limit: &str) -> Result<()> {
    let (name, number) = limit.split_once(' ').context("a limit without a number")?;
    let number = number.parse()?;
    match name {
        "fuel" => limits.fuel = number,
        "memory_bytes" => limits.memory_bytes = number,
        "table_elements" => limits.table_elements = number,
        "output_bytes" => limits.output_bytes = number,
        "written_bytes" => limits.written_bytes = number,
        "wall_ms" => limits.wall_ms = number,
        _ => bail!("no limit is called {name}"),
    }
    Ok(())
}
