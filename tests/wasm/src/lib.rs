//! Modules in the text format that run the same in every home, and what comes of each.
//!
//! `corpus/` holds one module a file: its fields, to which `prelude.wat` is put, or a whole module
//! where it says so. Lines of comments at its beginning say what it is run with:
//!
//! ```text
//! ;; args: NAME ARG "AN ARG"     ;; env: NAME=VALUE      ;; stdin: TEXT
//! ;; file: PATH = TEXT           ;; writes               ;; limit: NAME NUMBER
//! ;; trap: NAME                  ;; module
//! ```
//!
//! What comes of them stands in `corpus/expected.txt`, a line each, with the interpreter's fuel.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::{fmt::Write as _, fs, path::Path};
use tau_target_wasi::{Call, Dir, Directory, Engine, Errno, Grant, Limits, Outcome, Tree, World};

/// A module with what it is run with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The file's name.
    pub name: String,
    /// The module.
    pub wasm: Vec<u8>,
    /// What it may reach; a directory of it is in memory.
    pub grant: Grant,
    /// What it may use.
    pub limits: Limits,
    /// Its standard input.
    pub stdin: String,
    /// The files in its directory.
    pub files: Vec<(String, String)>,
    /// The trap it says it ends in.
    pub trap: Option<String>,
}

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

    /// Runs it in a world of its own, without a clock, so that nothing differs between two runs.
    pub fn run(&self, engine: &dyn Engine) -> Result<Outcome> {
        let tree = Tree::new();
        for (path, text) in &self.files {
            let put: Result<(), Errno> = tree.put(path, text.as_bytes());
            put?;
        }
        let mut world = World::still(self.stdin.clone().into_bytes());
        for _ in &self.grant.dirs {
            let directory: Box<dyn Directory> = Box::new(tree.clone());
            world.dirs.push(directory);
        }
        let program = engine.load(&self.wasm)?;
        Ok(program.run(Call {
            grant: &self.grant,
            limits: &self.limits,
            world,
        }))
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

/// What came of a run in one line; without `fuel`, what every engine must agree on.
pub fn line(name: &str, outcome: &Outcome, fuel: bool) -> String {
    let mut line = format!("{name}: ");
    match (&outcome.trap, outcome.exit) {
        (Some(trap), _) => line.push_str(&trap.name()),
        (None, Some(code)) => {
            let _ = write!(line, "exit {code}");
        }
        (None, None) => line.push_str("neither exit nor trap"),
    }
    if fuel {
        let _ = write!(line, ", fuel {}", outcome.fuel);
    }
    let _ = write!(line, ", memory {}", outcome.memory_bytes);
    let _ = write!(line, ", {:?}", String::from_utf8_lossy(&outcome.stdout));
    for denial in &outcome.denials {
        let _ = write!(line, ", denied {denial:?}");
    }
    line
}
