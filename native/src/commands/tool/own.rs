//! Tools of a person's own, made of WebAssembly: begun, built, signed, installed, agreed to, removed.

mod build;
mod scaffold;
mod sign;

use serde_json::{Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tau_core::tool::manifest::{Manifest, Signed};

use crate::{
    config,
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    host,
    plugins::{Approvals, Pair, Place, Plugin, State, read_pair},
    replace::replace,
    ui::{self, Ui},
};

/// What is done with tools of one's own.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Begin a tool of your own in a new folder: Rust source, a manifest, and Tau's kit.
    New {
        /// Its name, and the folder's.
        name: String,
    },
    /// Build the tool in a folder, in a sandbox and without network.
    ///
    /// Leaves NAME.wasm in the folder, and its hash in NAME.json. Needs cargo and the target
    /// wasm32-wasip1 (rustup target add wasm32-wasip1); dependencies have to be there (cargo fetch).
    Build {
        /// The folder with Cargo.toml.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Install NAME.wasm, with NAME.json beside it, after showing what it asks for.
    ///
    /// For example: tau tool install count/count.wasm
    Install {
        /// The module.
        file: PathBuf,
        /// Into `.tau/tools` of the current folder instead of Tau's own.
        #[arg(long)]
        here: bool,
        /// Agree to what it asks for.
        #[arg(short, long)]
        yes: bool,
    },
    /// Agree to what a tool that lies in a folder asks for.
    Approve {
        /// The tool.
        name: String,
        /// Without a question.
        #[arg(short, long)]
        yes: bool,
    },
    /// Remove a tool of your own, and what was agreed to for it.
    Remove {
        /// The tool.
        name: String,
    },
    Sign(sign::Args),
}

/// Runs the command.
pub(super) fn run(command: Command, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match command {
        Command::New { name } => scaffold::new(&name, ui),
        Command::Build { folder } => build::build(&folder, home, ui),
        Command::Install { file, here, yes } => install(&file, here, yes, home, ui),
        Command::Approve { name, yes } => approve(&name, yes, home, ui),
        Command::Remove { name } => remove(&name, home, ui),
        Command::Sign(args) => sign::sign(&args, ui),
    }
}

/// Adds to `row` what only a tool of a person's own has.
pub(in crate::commands) fn describe(row: &mut Value, plugin: &Plugin) {
    let state = match plugin.state {
        State::Ready => "ready",
        State::Unapproved => "unapproved",
        State::Refused(_) => "refused",
    };
    row["origin"] = plugin.place.name().into();
    row["state"] = state.into();
    row["file"] = plugin.file.display().to_string().into();
    row["asks"] = plugin.asks().into();
    row["signed_by"] = json!(plugin.signed_by);
    if plugin.state != State::Ready {
        row["reason"] = plugin.why_not().into();
    }
}

/// The same for a person.
pub(super) fn show(ui: Ui, plugin: &Plugin) {
    ui.line(ui::dim(ui::plain(&plugin.file.display().to_string())));
    if let Some(did) = &plugin.signed_by {
        ui.line(format!("signed by {did}"));
    }
    for ask in plugin.asks() {
        ui.line(format!("may {}", ui::plain(&ask)));
    }
    if plugin.state != State::Ready {
        ui.line(ui::caution(ui::plain(&plugin.why_not())));
    }
}

/// A module and its manifest, checked as far as that goes without trying it.
struct Checked {
    module: Vec<u8>,
    manifest: Manifest,
}

impl Checked {
    fn read(file: &Path, home: &Home, ui: Ui) -> Result<Self, Error> {
        let name = file.display();
        let cannot = |why: String| Error::usage(format!("{name} is no tool")).cause(why);
        let Pair {
            module, manifest, ..
        } = read_pair(file);
        let manifest = manifest.map_err(cannot)?;
        let module = module.unwrap_or_default();
        tau_target_wasi::check_header(&module).map_err(|error| cannot(error.to_string()))?;
        let trust = config::load(&home.config_file())?.tools;
        match manifest.verify(&module, &trust) {
            Ok(Signed::By(did)) => ui.note(format!("signed by {did}")),
            Ok(Signed::Unsigned) => {}
            Err(distrust) => {
                return Err(Error::new(Exit::Denied, format!("{name} is refused")).cause(distrust));
            }
        }
        Ok(Self { module, manifest })
    }
}

/// Shows what `manifest` asks for, and waits for a yes.
fn agree(manifest: &Manifest, yes: bool, ui: Ui) -> Result<(), Error> {
    let name = &manifest.name;
    let asks = manifest.asks();
    if asks.is_empty() {
        ui.note(format!(
            "{name} asks for nothing: it computes, and reaches nothing"
        ));
        return Ok(());
    }
    ui.tell(format!("{name} asks to:"));
    for ask in &asks {
        ui.tell(format!("  {}", ui::plain(ask)));
    }
    if yes {
        return Ok(());
    }
    let refused = || {
        Error::new(
            Exit::Denied,
            format!("nobody agreed to what {name} asks for"),
        )
        .hint("agree with --yes, if that is meant")
    };
    if !ui::can_ask() {
        return Err(refused());
    }
    ui.ask("Agree? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}

fn workspace() -> Result<PathBuf, Error> {
    std::env::current_dir()
        .and_then(fs::canonicalize)
        .map_err(|error| Error::usage("there is no current folder").cause(error))
}

fn install(file: &Path, here: bool, yes: bool, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let Checked { module, manifest } = Checked::read(file, home, ui)?;
    agree(&manifest, yes, ui)?;
    // From here on, the manifest is about this module and no other.
    let manifest = match manifest.signature {
        Some(_) => manifest,
        None => manifest.with_hash_of(&module),
    };
    let place = match here {
        true => Place::Workspace,
        false => Place::Own,
    };
    if !here {
        home.make()?;
    }
    let folder = place.folder(home, &workspace()?);
    let target = folder.join(format!("{}.wasm", manifest.name));
    let failed = |error: io::Error| {
        Error::new(
            Exit::Store,
            format!("{} cannot be written", target.display()),
        )
        .cause(error)
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::internal(error.to_string()))?;
    // The manifest last: a module without one asks for nothing.
    replace(&target, &module).map_err(failed)?;
    replace(&target.with_extension("json"), (text + "\n").as_bytes()).map_err(failed)?;
    Approvals::of(home).add(&manifest.digest(&module), &manifest.name)?;
    ui.note(format!("{} is at {}", manifest.name, target.display()));
    Ok(Exit::Ok)
}

/// The tool called `name` that lies in a folder.
fn find(name: &str, home: &Home) -> Result<std::sync::Arc<Plugin>, Error> {
    let profile = config::load(&home.config_file())?;
    let tools = host::tools(None, home, &profile, &Vault::closed())?;
    let found = tools.plugins().get(name).cloned();
    found.ok_or_else(|| {
        Error::usage(format!("there is no tool of your own called {name:?}"))
            .hint("`tau tool list` names them")
    })
}

fn approve(name: &str, yes: bool, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let plugin = find(name, home)?;
    match (&plugin.state, &plugin.manifest) {
        (State::Refused(_), _) | (_, None) => Err(Error::new(Exit::Denied, plugin.why_not())),
        (State::Ready, _) => {
            ui.note(format!("{name} is offered already"));
            Ok(Exit::Ok)
        }
        (State::Unapproved, Some(manifest)) => {
            agree(manifest, yes, ui)?;
            Approvals::of(home).add(&plugin.digest, name)?;
            ui.note(format!("{name} is offered from now on"));
            Ok(Exit::Ok)
        }
    }
}

fn remove(name: &str, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let plugin = find(name, home)?;
    let manifest = plugin.file.with_extension("json");
    for file in [&plugin.file, &manifest] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let what = format!("{} cannot be removed", file.display());
                return Err(Error::new(Exit::Store, what).cause(error));
            }
            _ => {}
        }
    }
    Approvals::of(home).remove(name)?;
    ui.note(format!("{name} is gone"));
    Ok(Exit::Ok)
}
