//! `tau sandbox`: running a program confined, and whether that can be done here.

use serde_json::{Value, json};
use std::{ffi::OsString, path::PathBuf};
use tau_core::{
    egress::HostRule,
    policy::{ProgramLimits, paths::PROTECTED, programs::Engine},
};
use tau_target_bubblewrap::Bubblewrap;
use tau_target_docker as docker;
use tau_target_native::tools::limits;
use tau_target_process::{Confinement, Input, Job, Limits, Output, variables};

use super::block_on;
use crate::{
    config,
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    programs::{Engines, Missing, not_started},
    ui::{self, Ui},
};

/// What a program gets of Tau's environment, and what starts with `LC_`.
const PASSED: &[&str] = &["PATH", "LANG", "TZ", "TERM", "NO_COLOR"];

/// Run a program confined, and see whether that can be done here.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what holds on this machine; ends with 77 where no program can be confined.
    Status {
        /// Print one JSON object: `{bubblewrap: {available, program, whole_limits, reason}, docker}`.
        #[arg(long)]
        json: bool,
    },
    /// Run a program that can write to one folder and reach nothing else.
    ///
    /// It sees the system's folders, read-only, a private `/tmp`, no other process, no network but
    /// the hosts that are granted, and nothing of the environment but PATH, LANG, TZ and TERM. Where
    /// it cannot be confined it is not run. Ends as the program does, with 128 and the signal's
    /// number where a signal ended it.
    ///
    /// Examples: tau sandbox run -- make test · tau sandbox run --env CI=1 -- sh -c "npm run build" ·
    /// tau sandbox run --host example.com -- python3 fetch.py
    Run {
        /// The folder it starts in and can write to [default: the current one].
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// Who confines it [default: the profile's, or the first there is].
        #[arg(long, value_name = "ENGINE", value_parser = engine)]
        backend: Option<Engine>,
        /// What a container is made of, by its digest or identifier: sha256:….
        #[arg(long, value_name = "IMAGE")]
        image: Option<String>,
        /// A folder it can read as well; may be repeated.
        #[arg(long, value_name = "DIR")]
        read: Vec<PathBuf>,
        /// A host it can send requests to, through Tau: example.com, *.example.com; may be repeated.
        #[arg(long, value_name = "HOST")]
        host: Vec<HostRule>,
        /// A variable of its environment; may be repeated.
        #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
        env: Vec<(String, String)>,
        /// Memory, in bytes [default: 4 GiB].
        #[arg(long, value_name = "N")]
        memory_bytes: Option<u64>,
        /// Processes and threads at a time [default: 512].
        #[arg(long, value_name = "N")]
        processes: Option<u64>,
        /// The program and its arguments.
        #[arg(last = true, required = true, value_name = "COMMAND")]
        program: Vec<OsString>,
    },
}

fn engine(name: &str) -> Result<Engine, String> {
    let mut all = Engine::ALL.into_iter();
    all.find(|engine| engine.name() == name)
        .ok_or_else(|| "bubblewrap or docker".into())
}

/// A variable as it is typed.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("not of the form NAME=VALUE".into()),
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::Status { json } => block_on(status(home, ui, json))?,
        Command::Run {
            workspace,
            backend,
            image,
            read,
            host,
            env,
            memory_bytes,
            processes,
            program,
        } => {
            let workspace = match workspace {
                Some(workspace) => workspace,
                None => std::env::current_dir()
                    .map_err(|error| Error::usage("there is no current folder").cause(error))?,
            };
            let workspace = canonical(workspace)?;
            let mut policy = config::load(&home.config_file())?.policy;
            policy.programs.hosts.extend(host);
            policy.programs.engine = backend.or(policy.programs.engine);
            policy.programs.image = image.or(policy.programs.image);
            let mut how = policy.program_limits();
            how.memory_bytes = memory_bytes.unwrap_or(how.memory_bytes);
            how.processes = processes.unwrap_or(how.processes);
            how.cpu_seconds = Limits::default().cpu_seconds;
            let confinement = Confinement {
                read_only: PROTECTED.iter().map(|name| workspace.join(name)).collect(),
                hidden: Vec::new(),
                readable: read.into_iter().map(canonical).collect::<Result<_, _>>()?,
                environment: environment(env),
                limits: limits(&how),
                workspace,
            };
            let job = Job {
                program,
                confinement,
                input: Input::Inherit,
                output: Output::Inherit,
                errors: Output::Inherit,
            };
            let vault = match how.network {
                Some(_) => Vault::open(home, ui)?,
                None => Vault::closed(),
            };
            block_on(confined(&Engines::new(home, vault), job, how, ui))?
        }
    }
}

fn canonical(folder: PathBuf) -> Result<PathBuf, Error> {
    folder
        .canonicalize()
        .map_err(|error| Error::usage(format!("{} is not there", folder.display())).cause(error))
}

fn environment(given: Vec<(String, String)>) -> Vec<(OsString, OsString)> {
    let given = given
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    variables(PASSED).chain(given).collect()
}

async fn confined(engines: &Engines, job: Job, how: ProgramLimits, ui: Ui) -> Result<Exit, Error> {
    let told = move |line: String| ui.note(format!("network: {line}"));
    let started = engines.confined(job, &how, told).await;
    let running = started.map_err(|error| not_started(error, "nothing was run"))?;
    match running.finish().await {
        // The program's own code, of which Tau's names say nothing.
        Ok(ended) => std::process::exit(ended.code()),
        Err(error) => Err(error),
    }
}

async fn status(home: &Home, ui: Ui, is_json: bool) -> Result<Exit, Error> {
    let profile = config::load(&home.config_file())?;
    let engines = Engines::new(home, Vault::closed());
    let bubblewrap = engines.bubblewrap();
    let limits = profile.policy.program_limits();
    let docker = match engines.docker(limits.container.as_ref()).await {
        Ok(docker) => {
            let workspace = canonical(".".into())?;
            docker.status(&workspace).await.map_err(Missing::from)
        }
        Err(missing) => Err(missing),
    };
    let exit = match (&bubblewrap, &docker) {
        (Err(_), Err(_)) => Exit::Denied,
        _ => Exit::Ok,
    };
    if is_json {
        ui.json(&json!({
            "bubblewrap": bubblewrap_json(&bubblewrap),
            "docker": docker_json(&docker),
        }));
        return Ok(exit);
    }
    let line = |name: &str, text: &str| ui.line(format!("{name:<12}{}", ui::plain(text)));
    match &bubblewrap {
        Ok(found) => {
            line("bubblewrap", &found.program().display().to_string());
            for holds in [
                "one writable folder; the system read-only; nothing else of the file system",
                "no network, no other process, no privileges, no further namespaces",
                if found.limits_whole() {
                    "memory and processes limited for a program with all it starts"
                } else {
                    "memory and processes limited for each process alone: no control group can \
                     be made here"
                },
            ] {
                line("", holds);
            }
        }
        Err(missing) => line("bubblewrap", &missing.told()),
    }
    match &docker {
        Ok(status) => {
            line(
                "docker",
                &format!("{} at {}", status.engine, status.address),
            );
            for fact in &status.facts {
                let mark = if fact.holds { "" } else { "NOT: " };
                line("", &format!("{mark}{} ({})", fact.what, fact.seen));
            }
        }
        Err(missing) => line("docker", &missing.told()),
    }
    Ok(exit)
}

fn bubblewrap_json(found: &Result<&Bubblewrap, Missing>) -> Value {
    match found {
        Ok(found) => json!({
            "available": true,
            "program": found.program().display().to_string(),
            "whole_limits": found.limits_whole(),
            "reason": null,
        }),
        Err(missing) => json!({
            "available": false,
            "program": null,
            "whole_limits": false,
            "reason": missing.reason,
            "hint": missing.hint,
        }),
    }
}

fn docker_json(found: &Result<docker::Status, Missing>) -> Value {
    match found {
        Ok(status) => json!({
            "available": true,
            "address": status.address,
            "engine": status.engine,
            "facts": status.facts.iter().map(|fact| json!({
                "what": fact.what, "holds": fact.holds, "seen": fact.seen,
            })).collect::<Vec<_>>(),
            "reason": null,
        }),
        Err(missing) => json!({
            "available": false,
            "reason": missing.reason,
            "hint": missing.hint,
        }),
    }
}
