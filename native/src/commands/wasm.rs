//! `tau wasm`: running a WASI command with what it is given and no more, and looking at one.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};
use tau_target_wasi::{
    Call, Dir, Engine, Grant, Limits, Outcome, Refusal, Trap,
    native::{self, Piped},
};
use tau_target_wasmtime::Cache;

use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::{Ui, plain},
};

/// How a program that was ended for a fault of its own ends, as shells tell of one that aborted.
const ABORTED: i32 = 134;

/// Run a WebAssembly program with what you give it, and look at one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Run(RunArgs),
    /// Show what a module imports, exports and needs, without running it.
    Inspect {
        /// The module.
        file: PathBuf,
        /// Print one JSON object: `{bytes, sha256, command, imports, exports, memory_bytes, …}`.
        #[arg(long)]
        json: bool,
    },
}

/// Run a WASI command: it gets standard input, and nothing else that is not named here.
///
/// Ends as the program does. Where it is ended: 7 at a limit (fuel, memory, table, stack, deadline,
/// output), 77 where it calls what it may not, 134 for a fault of its own; stderr says which.
///
/// Example: tau wasm run tool.wasm --dir .::/work:ro -- --verbose < question.json
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The module, compiled for wasm32-wasip1.
    file: PathBuf,
    /// wasmtime compiles it; wasmi interprets it, with the same fuel in every home.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ENGINE",
        hide_possible_values = true
    )]
    engine: EngineName,
    /// Work it may do, about one an instruction [default: 1000000000].
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
    /// Memory, in bytes [default: 64 MiB].
    #[arg(long, value_name = "N")]
    memory_bytes: Option<u64>,
    /// Time, in milliseconds [default: 10000].
    #[arg(long, value_name = "N")]
    wall_ms: Option<u64>,
    /// A folder it can use, by which name, and whether only to read; may be repeated.
    #[arg(long, value_name = "HOST::GUEST[:ro]", value_parser = dir)]
    dir: Vec<Dir>,
    /// A variable of its environment; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::sandbox::variable)]
    env: Vec<(String, String)>,
    /// Let it know the time.
    #[arg(long)]
    clock: bool,
    /// Let it have randomness; without, it gets the same bytes in every run.
    #[arg(long)]
    random: bool,
    /// Print one JSON object: `{exit, stdout, stderr, fuel, memory_bytes, duration_ms, trap, …}`.
    #[arg(long)]
    json: bool,
    /// Its arguments, after its name.
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// What runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum EngineName {
    #[default]
    Wasmtime,
    Wasmi,
}

fn dir(text: &str) -> Result<Dir, String> {
    let (host, rest) = match text.split_once("::") {
        Some((host, rest)) => (host, rest),
        None => (text.strip_suffix(":ro").unwrap_or(text), text),
    };
    let (guest, writes) = match rest.strip_suffix(":ro") {
        Some(guest) => (guest, false),
        None => (rest, true),
    };
    if host.is_empty() || guest.is_empty() {
        return Err("not of the form HOST::GUEST or HOST::GUEST:ro".into());
    }
    Ok(Dir {
        host: host.into(),
        guest: guest.into(),
        writes,
    })
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::Run(args) => program(args, home, ui),
        Command::Inspect { file, json } => inspect(&file, json, ui),
    }
}

fn program(args: RunArgs, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let wasm = read(&args.file)?;
    let engine = engine(args.engine, home, ui)?;
    let loaded = engine
        .load(&wasm)
        .map_err(|refusal| refused(&args.file, &refusal))?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let defaults = Limits::default();
    let limits = Limits {
        fuel: args.fuel.unwrap_or(defaults.fuel),
        memory_bytes: args.memory_bytes.unwrap_or(defaults.memory_bytes),
        wall_ms: args.wall_ms.unwrap_or(defaults.wall_ms),
        ..defaults
    };
    let grant = Grant {
        args: std::iter::once(name.into_owned())
            .chain(args.args)
            .collect(),
        environment: args.env,
        dirs: args.dir,
        hosts: Vec::new(),
        clock: args.clock,
        random: args.random,
    };
    let input = Box::new(Piped::new(io::stdin()));
    let world = native::world(&grant, input).map_err(|unopened| {
        Error::usage(format!("the folder {} cannot be given", unopened.path)).cause(unopened.source)
    })?;
    let begun = Instant::now();
    let outcome = loaded.run(Call {
        grant: &grant,
        limits: &limits,
        world,
    });
    let duration_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    if args.json {
        let mut shown = serde_json::to_value(&outcome)
            .map_err(|error| Error::internal("the outcome is not JSON").cause(error))?;
        shown["duration_ms"] = json!((duration_ms * 1_000.0).round() / 1_000.0);
        shown["engine"] = json!(engine.name());
        ui.json(&shown);
    } else {
        ui.bytes(&outcome.stdout);
        // The program's own words, in its own bytes, as a pipe would give them.
        let _ = io::stderr().write_all(&outcome.stderr);
    }
    end(&outcome, &limits, ui)
}

/// Ends as the program did, or says what ended it.
fn end(outcome: &Outcome, limits: &Limits, ui: Ui) -> Result<Exit, Error> {
    for denial in &outcome.denials {
        ui.note(format!("denied: {}", plain(denial)));
    }
    if ui.stdout_failed() {
        return Ok(Exit::Ok); // Which the program's end makes a failure, and says so.
    }
    let Some(trap) = &outcome.trap else {
        // The program's own code, of which Tau's names say nothing.
        std::process::exit(outcome.exit.unwrap_or(0) & 0xff);
    };
    let message = match limit(trap, limits) {
        Some(limit) => format!("ended at its limit: {trap} ({limit})"),
        None => format!("ended by a trap: {}", plain(&trap.name())),
    };
    let exit = match trap {
        Trap::Denied(_) => Some(Exit::Denied),
        trap if trap.is_limit() => Some(Exit::Budget),
        _ => None,
    };
    let error = Error::new(exit.unwrap_or(Exit::Internal), message);
    ui.error(&error);
    match exit {
        Some(exit) => Ok(exit),
        None => std::process::exit(ABORTED),
    }
}

/// The limit that a trap names, and how to raise it.
fn limit(trap: &Trap, limits: &Limits) -> Option<String> {
    Some(match trap {
        Trap::Fuel => format!("{}; raise --fuel", limits.fuel),
        Trap::Memory => format!("{} bytes; raise --memory-bytes", limits.memory_bytes),
        Trap::Deadline => format!("{} ms; raise --wall-ms", limits.wall_ms),
        Trap::Table => format!("{} elements", limits.table_elements),
        Trap::Output => format!("{} bytes", limits.output_bytes),
        Trap::Stack => format!("{} bytes", tau_target_wasi::STACK_BYTES),
        _ => return None,
    })
}

fn engine(name: EngineName, home: &Home, ui: Ui) -> Result<Box<dyn Engine>, Error> {
    if name == EngineName::Wasmi {
        return Ok(Box::new(tau_target_wasmi::Engine::new()));
    }
    home.make()?;
    let cache = Cache::open(&home.modules(), &home.modules_key_file());
    let cache = cache.map_err(|unusable| {
        ui.warn(format!("compiled modules are not kept: {unusable}"));
    });
    let engine = tau_target_wasmtime::Engine::new(cache.ok())
        .map_err(|error| Error::internal("wasmtime cannot be started").cause(error))?;
    Ok(Box::new(engine))
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file)
        .map_err(|error| Error::usage(format!("cannot read {}", file.display())).cause(error))
}

fn refused(file: &Path, refusal: &Refusal) -> Error {
    Error::usage(format!("{} is not run", file.display())).cause(refusal)
}

fn inspect(file: &Path, is_json: bool, ui: Ui) -> Result<Exit, Error> {
    let wasm = read(file)?;
    let found = tau_target_wasmi::inspect(&wasm).map_err(|refusal| refused(file, &refusal))?;
    let hash: String = Sha256::digest(&wasm)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if is_json {
        let mut shown = serde_json::to_value(&found)
            .map_err(|error| Error::internal("the module is not JSON").cause(error))?;
        shown["bytes"] = json!(wasm.len());
        shown["sha256"] = json!(hash);
        ui.json(&shown);
        return Ok(Exit::Ok);
    }
    ui.line(format!("{} bytes, sha256 {hash}", wasm.len()));
    ui.line(match found.command {
        true => "a WASI command",
        false => "not a WASI command: it cannot be run",
    });
    if let Some(bytes) = found.memory_bytes {
        let limit = found.memory_limit_bytes;
        let limit = limit.map_or("no limit of its own".into(), |limit| {
            format!("at most {limit}")
        });
        ui.line(format!("memory   {bytes} bytes, {limit}"));
    }
    for import in &found.imports {
        let unknown = if import.known {
            ""
        } else {
            "   not there: a call ends it"
        };
        let name = plain(&format!("{}.{}", import.module, import.name));
        ui.line(format!("import   {name} ({}){unknown}", import.kind));
    }
    for export in &found.exports {
        ui.line(format!(
            "export   {} ({})",
            plain(&export.name),
            export.kind
        ));
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_given_by_its_name_or_another_to_read_or_to_write() {
        for (text, host, guest, writes) in [
            ("a::/b", "a", "/b", true),
            ("a::/b:ro", "a", "/b", false),
            ("a", "a", "a", true),
            ("a:ro", "a", "a", false),
            ("C:\\x::/x", "C:\\x", "/x", true),
        ] {
            let expected = Dir {
                host: host.into(),
                guest: guest.into(),
                writes,
            };
            assert_eq!(dir(text), Ok(expected), "{text}");
        }
        for text in ["", "::", "a::", "::b", ":ro", "a:::ro"] {
            assert!(dir(text).is_err(), "{text}");
        }
    }
}
