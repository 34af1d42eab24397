//! `tau sandbox`: running a program confined, and whether that can be done here.

use serde_json::{Value, json};
use std::{ffi::OsString, path::PathBuf, process::ExitStatus};
use tau_core::policy::paths::PROTECTED;
use tau_target_bubblewrap::{Bubblewrap, Confinement, Limits, Unavailable};

use super::block_on;
use crate::{
    exit::{Error, Exit},
    home::Home,
    signals::{Signal, Signals},
    ui::Ui,
};

/// What a program gets of Tau's environment, and what starts with `LC_`.
const PASSED: &[&str] = &["PATH", "LANG", "TZ", "TERM", "NO_COLOR"];
/// What lies in a person's folder and opens doors; not there for a program whose folder it is.
const SECRETS: &[&str] = &[
    ".aws",
    ".azure",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".local/share/keyrings",
    ".mozilla",
    ".netrc",
    ".npmrc",
    ".password-store",
    ".pypirc",
    ".ssh",
];

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
        /// Print one JSON object: `{bubblewrap: {available, program, whole_limits, reason}}`.
        #[arg(long)]
        json: bool,
    },
    /// Run a program that can write to one folder and reach nothing else.
    ///
    /// It sees the system's folders, read-only, a private `/tmp`, no network, no other process and
    /// nothing of the environment but PATH, LANG, TZ and TERM. Where it cannot be confined it is not
    /// run. Ends as the program does, with 128 and the signal's number where a signal ended it.
    ///
    /// Examples: tau sandbox run -- make test · tau sandbox run --env CI=1 -- sh -c "npm run build"
    Run {
        /// The folder it starts in and can write to [default: the current one].
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// A folder it can read as well; may be repeated.
        #[arg(long, value_name = "DIR")]
        read: Vec<PathBuf>,
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

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("not of the form NAME=VALUE".into()),
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::Status { json } => Ok(status(ui, json)),
        Command::Run {
            workspace,
            read,
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
            let defaults = Limits::default();
            let confinement = Confinement {
                read_only: PROTECTED.iter().map(|name| workspace.join(name)).collect(),
                hidden: hidden(home),
                readable: read.into_iter().map(canonical).collect::<Result<_, _>>()?,
                environment: environment(env),
                limits: Limits {
                    memory_bytes: memory_bytes.unwrap_or(defaults.memory_bytes),
                    processes: processes.unwrap_or(defaults.processes),
                    ..defaults
                },
                workspace,
            };
            block_on(confined(confinement, program))?
        }
    }
}

fn canonical(folder: PathBuf) -> Result<PathBuf, Error> {
    folder
        .canonicalize()
        .map_err(|error| Error::usage(format!("{} is not there", folder.display())).cause(error))
}

/// What is not there even where a workspace holds it.
fn hidden(home: &Home) -> Vec<PathBuf> {
    let person = std::env::home_dir().and_then(|folder| folder.canonicalize().ok());
    let secrets = person
        .iter()
        .flat_map(|folder| SECRETS.iter().map(|name| folder.join(name)));
    let own = home.root().canonicalize().ok();
    secrets.chain(own).collect()
}

fn environment(given: Vec<(String, String)>) -> Vec<(OsString, OsString)> {
    let passed = std::env::vars_os().filter(|(name, _)| {
        name.to_str()
            .is_some_and(|name| PASSED.contains(&name) || name.starts_with("LC_"))
    });
    let given = given
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    passed
        .chain([("HOME".into(), "/tmp".into())])
        .chain(given)
        .collect()
}

async fn confined(confinement: Confinement, program: Vec<OsString>) -> Result<Exit, Error> {
    let bubblewrap = Bubblewrap::find().map_err(unavailable)?;
    let confined = bubblewrap
        .confine(&confinement, &program)
        .map_err(|error| Error::usage("the program cannot be confined").cause(error))?;
    let mut signals = Signals::listen()?;
    let mut child = tokio::process::Command::from(confined.command)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Error::internal("bwrap cannot be started").cause(error))?;
    let status = tokio::select! {
        status = child.wait() => status,
        signal = signals.next() => {
            // The sandbox is a session of its own: what was typed does not reach it.
            let _ = child.kill().await;
            drop(confined.group);
            return match signal {
                Signal::Interrupt => Ok(Exit::Interrupted),
                Signal::Terminate => Err(Error::new(Exit::Interrupted, "ended by a signal")),
            };
        }
    };
    let status = status.map_err(|error| Error::internal("the program was lost").cause(error))?;
    drop(confined.group);
    // The program's own code, of which Tau's names say nothing.
    std::process::exit(code(status));
}

/// As shells tell it.
pub(super) fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(1)
}

fn unavailable(reason: Unavailable) -> Error {
    let hint = match &reason {
        Unavailable::Missing { package, .. } => format!("apt-get install {package}"),
        Unavailable::TooOld { .. } => "install bubblewrap 0.8 or newer".into(),
        Unavailable::Refused { .. } => {
            "this system may forbid user namespaces: sysctl kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns"
                .into()
        }
        Unavailable::OtherSystem | Unavailable::Start { .. } => {
            "see `tau sandbox status`".to_owned()
        }
    };
    Error::new(Exit::Denied, "there is no sandbox, so nothing was run")
        .cause(reason)
        .hint(hint)
}

fn status(ui: Ui, is_json: bool) -> Exit {
    let found = Bubblewrap::find();
    let value: Value = match &found {
        Ok(found) => json!({
            "available": true,
            "program": found.program().display().to_string(),
            "whole_limits": found.limits_whole(),
            "reason": null,
        }),
        Err(reason) => json!({
            "available": false,
            "program": null,
            "whole_limits": false,
            "reason": reason.to_string(),
        }),
    };
    let exit = if found.is_ok() {
        Exit::Ok
    } else {
        Exit::Denied
    };
    if is_json {
        ui.json(&json!({ "bubblewrap": value }));
        return exit;
    }
    match found {
        Ok(found) => {
            ui.line(format!("bubblewrap  {}", found.program().display()));
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
                ui.line(format!("            {holds}"));
            }
        }
        Err(reason) => ui.line(format!("bubblewrap  not available: {reason}")),
    }
    exit
}
