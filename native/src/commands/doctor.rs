//! `tau doctor`: whether everything Tau needs is there. Looks, and changes nothing but making
//! Tau's own folder.

use serde::Serialize;
use serde_json::json;
use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Instant,
};
use tau_core::{
    identity_files::{ALL_TOKENS, State as Told},
    memory::EmbedError,
    model::Api,
};
use tau_platform::Embedder;

use super::block_on;
use crate::{
    cli::ModelFlags,
    config::{self, KNOWN, Profile},
    credentials::Vault,
    embedded,
    embedding::{Fetching, HomeEmbedder},
    exit::{Error, Exit},
    home::Home,
    host::{self, HomeTools},
    identity::{Identity, of_kel},
    identity_files::IdentityFiles,
    programs::Engines,
    store::Place,
    ui::{self, Ui},
};

/// Check the folder, profile, store, models, keys and workspace.
///
/// Ends with 0 when nothing is broken. Keys are looked for, never printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object: `{ok, checks: [{name, state, detail, hint}]}`.
    #[arg(long)]
    json: bool,
    /// The folder the agent would work in [default: the current one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Not there, which is no fault.
    Note,
    Broken,
}

#[derive(Clone, Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn new(name: &'static str, state: State, detail: impl Into<String>) -> Self {
        Self {
            name,
            state,
            detail: detail.into(),
            hint: None,
        }
    }

    fn broken(name: &'static str, error: Error) -> Self {
        let detail = match error.cause {
            Some(cause) => format!("{}: {cause}", error.message),
            None => error.message,
        };
        Self {
            hint: error.hint,
            ..Self::new(name, State::Broken, detail)
        }
    }

    fn hint(self, hint: &str) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let checks = block_on(check(home, args.workspace.as_deref(), ui))?;
    let broken = checks
        .iter()
        .filter(|check| check.state == State::Broken)
        .count();
    if args.json {
        ui.json(
            &json!({ "ok": broken == 0, "checks": checks, "version": env!("CARGO_PKG_VERSION") }),
        );
    } else {
        for check in &checks {
            let mark = match check.state {
                State::Ok => ui::good("✓"),
                State::Note => ui::dim("·"),
                State::Broken => ui::bad("✗"),
            };
            ui.line(format!(
                "{mark} {:<10} {}",
                check.name,
                ui::plain(&check.detail)
            ));
            if let Some(hint) = &check.hint {
                ui.line(format!("{:13}{}", "", ui::dim(ui::plain(hint))));
            }
        }
        ui.line(match broken {
            0 => ui::good("everything Tau needs is there"),
            1 => ui::bad("1 thing is broken"),
            n => ui::bad(format_args!("{n} things are broken")),
        });
    }
    Ok(if broken == 0 {
        Exit::Ok
    } else {
        Exit::Internal
    })
}

async fn check(home: &Home, workspace: Option<&Path>, ui: Ui) -> Vec<Check> {
    let mut checks = vec![folder(home)];
    let profile = config::load(&home.config_file());
    checks.push(match &profile {
        Err(error) => Check::broken("profile", error.clone()),
        Ok(_) if home.config_file().exists() => Check::new(
            "profile",
            State::Ok,
            home.config_file().display().to_string(),
        ),
        Ok(_) => Check::new("profile", State::Note, "none: the defaults are in force"),
    });
    checks.push(store(home).await);
    checks.push(locks(home));
    checks.push(identity(home));
    let profile = profile.unwrap_or_default();
    checks.push(provider(&profile));
    checks.push(servers().await);
    checks.push(embedded_model(home));
    checks.push(embeddings(home, &profile, ui).await);
    checks.push(sandbox(home));
    match host::tools(workspace, home, &profile, &Vault::closed()) {
        Ok(tools) => {
            let place = tools.workspace().display().to_string();
            checks.push(Check::new("workspace", State::Ok, place));
            checks.push(files(&tools, home));
        }
        Err(error) => checks.push(Check::broken("workspace", error)),
    }
    let on = |is: bool| if is { "a terminal" } else { "no terminal" };
    let terminal = format!(
        "stdin is {}, stdout is {}",
        on(std::io::stdin().is_terminal()),
        on(std::io::stdout().is_terminal())
    );
    checks.push(Check::new("terminal", State::Ok, terminal));
    checks
}

fn folder(home: &Home) -> Check {
    let name = "folder";
    if let Err(error) = home.make() {
        return Check::broken(name, error);
    }
    match can_write(home.root()) {
        Ok(()) => Check::new(name, State::Ok, home.root().display().to_string()),
        Err(error) => {
            let detail = format!("{}: {error}", home.root().display());
            Check::new(name, State::Broken, detail)
                .hint("set TAU_HOME to a folder you can write to")
        }
    }
}

fn can_write(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".write-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

async fn store(home: &Home) -> Check {
    let name = "store";
    let place = match home.place() {
        Ok(place) => place,
        Err(error) => return Check::broken(name, error),
    };
    if matches!(&place, Place::File(file) if !file.exists()) {
        return Check::new(
            name,
            State::Note,
            "none yet: it is made with the first session",
        );
    }
    let storage = match home.store_at(place.clone()) {
        Ok(storage) => storage,
        Err(error) => return Check::broken(name, error),
    };
    match (storage.inspect().await, place) {
        (Ok((about, problems)), place) if problems.is_empty() => {
            Check::new(name, State::Ok, format!("{place}, {about}"))
        }
        (Ok((_, problems)), Place::File(_)) => Check::new(name, State::Broken, problems.join("; "))
            .hint("run `tau session repair`; the damaged file is kept"),
        (Ok((about, problems)), place) => Check::new(
            name,
            State::Broken,
            format!("{place}, {about}: {}", problems.join("; ")),
        ),
        (Err(error), _) => Check::broken(name, error.into()),
    }
}

fn locks(home: &Home) -> Check {
    let folder = home.locks();
    if !folder.exists() {
        return Check::new("locks", State::Note, "none yet");
    }
    match can_write(&folder) {
        Ok(()) => Check::new("locks", State::Ok, folder.display().to_string()),
        Err(error) => Check::new(
            "locks",
            State::Broken,
            format!("{}: {error}", folder.display()),
        ),
    }
}

/// Who the agent is, and what protects its keys. Opens nothing.
fn identity(home: &Home) -> Check {
    let name = "identity";
    let identity = match Identity::load(home) {
        Ok(Some(identity)) => identity,
        Ok(None) => {
            return Check::new(
                name,
                State::Note,
                "none yet: it is made with the first turn",
            );
        }
        Err(error) => return Check::broken(name, error),
    };
    if let Err(error) = identity.log().state() {
        return Check::broken(name, of_kel(&error));
    }
    let protection = identity.protection();
    let detail = format!("{}, {}", identity.did(), protection.words());
    match protection.hint() {
        None => Check::new(name, State::Ok, detail),
        Some(hint) => Check::new(name, State::Note, detail).hint(hint),
    }
}

fn provider(profile: &Profile) -> Check {
    let name = "provider";
    let env = |name: &str| std::env::var(name).ok();
    match config::choose(&ModelFlags::default(), profile, &env) {
        Ok(Some(choice)) => {
            let models: Vec<String> = choice
                .models
                .iter()
                .map(|model| match (&model.api, &model.secret) {
                    (Api::Embedded, _) => model.name.clone(),
                    (_, Some(secret)) => {
                        format!("{} at {}, key in {secret}", model.name, model.base_url)
                    }
                    (_, None) => format!("{} at {}, no key", model.name, model.base_url),
                })
                .collect();
            Check::new(
                name,
                State::Ok,
                format!("{} ({})", models.join(", then "), choice.why),
            )
        }
        Ok(None) => {
            let keys: Vec<&str> = KNOWN.iter().map(|known| known.key_env).collect();
            let detail = format!(
                "none: the profile names none, {} are not set",
                keys.join(", ")
            );
            Check::new(name, State::Note, detail)
        }
        Err(error) => Check::broken(name, error),
    }
}

async fn servers() -> Check {
    let found = config::local_servers(&host::http(&Vault::closed())).await;
    if found.is_empty() {
        return Check::new("servers", State::Note, "none on this machine");
    }
    let found: Vec<String> = found
        .iter()
        .map(|server| format!("{} with {} models", server.base_url, server.models.len()))
        .collect();
    Check::new("servers", State::Ok, found.join(", "))
}

/// Whether memory's vectors can be made: one is.
async fn embeddings(home: &Home, profile: &Profile, ui: Ui) -> Check {
    let name = "embeddings";
    let vault = match Vault::open(home, ui) {
        Ok(vault) => vault,
        Err(error) => return Check::broken(name, error),
    };
    let embedder = HomeEmbedder::new(profile, home, &vault, Fetching::Never, ui);
    let (Some(space), Some(place)) = (embedder.model(), embedder.place()) else {
        return Check::new(name, State::Note, "off: memory is searched by words alone");
    };
    let start = Instant::now();
    let made = embedder.ask(vec!["Does it answer?".into()]).await;
    let what = format!("{} {place}", space.name);
    match made {
        Ok(_) => {
            let (length, took_ms) = (space.dimensions, start.elapsed().as_millis());
            let detail = format!("{what}: {length} numbers a text, the first in {took_ms} ms");
            Check::new(name, State::Ok, detail)
        }
        Err(EmbedError::Unavailable { detail }) if embedder.state(home).is_some() => Check::new(
            name,
            State::Note,
            format!("{what}: {detail}; memory is searched by words alone"),
        ),
        Err(error) => Check::new(name, State::Broken, format!("{what}: {error}"))
            .hint("memory is searched by words alone; `tau config set memory.embeddings local` takes the one in this program"),
    }
}

fn sandbox(home: &Home) -> Check {
    match Engines::new(home, Vault::closed()).bubblewrap() {
        Ok(found) => Check::new("sandbox", State::Ok, found.program().display().to_string()),
        Err(missing) => {
            let detail = format!("none, so the agent starts no programs: {}", missing.reason);
            Check::new("sandbox", State::Note, detail).hint(&missing.hint)
        }
    }
}

/// Which files go into the system prompt; one that cannot is no fault of Tau's, and told.
fn files(tools: &HomeTools, home: &Home) -> Check {
    let used = IdentityFiles::find(tools, home).used(ALL_TOKENS, &Vault::closed());
    let lines = used.told.iter().filter_map(|(kind, state)| match state {
        Told::Unusable { why } => Some(format!("{} is not used: {why}", kind.path())),
        Told::Empty => Some(format!("{} is empty", kind.path())),
        Told::Missing | Told::Used { .. } => None,
    });
    let lines: Vec<String> = [used.line()].into_iter().chain(lines).collect();
    let state = match used.sections.is_empty() {
        true => State::Note,
        false => State::Ok,
    };
    Check::new("files", state, lines.join("; ")).hint("`tau instructions list` tells more")
}

fn embedded_model(home: &Home) -> Check {
    let name = "embedded";
    let parts = embedded::parts(&home.models());
    let problems: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.problem.as_deref())
        .collect();
    let some_there = parts
        .iter()
        .any(|part| part.problem.is_none() || part.file.exists());
    match (problems.is_empty(), some_there) {
        (true, _) => Check::new(name, State::Ok, home.models().display().to_string()),
        (false, false) => Check::new(name, State::Note, "not fetched; it is with its first use"),
        (false, true) => {
            Check::new(name, State::Broken, problems.join("; ")).hint("run `tau model pull`")
        }
    }
}
