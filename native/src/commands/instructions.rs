//! `tau instructions`: the files of a folder that go into the system prompt, and whose words they are.

use serde_json::json;
use std::{io, path::PathBuf};
use tau_core::identity_files::{ALL_TOKENS, Kind, State};

use crate::{
    config,
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    host,
    identity_files::{IdentityFiles, Used},
    ui::{self, Ui},
};

/// Show and confirm what SOUL.md, AGENTS.md and USER.md tell the agent.
///
/// `.tau/SOUL.md` says who the agent is, `.tau/AGENTS.md` how it works, `.tau/USER.md` whom it works
/// for, and `AGENTS.md` how things are done in the folder. They are read when a session is opened.
/// Until you confirm a file it is used as words of the folder, which may have come with a clone: it is
/// screened like a file that a tool read, and nothing leaves by a tool without asking you.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the files, what of each is used, and as whose words.
    List {
        /// Print one JSON object: `{"folder", "files": [{path, about, state, …}]}`.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show files, and say that their words are yours; a later change needs a new yes.
    Confirm {
        /// Such as .tau/SOUL.md [default: all that are there].
        files: Vec<String>,
        /// Without a question.
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Take back that the words of files are yours.
    Forget {
        /// Such as .tau/SOUL.md [default: all].
        files: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The folder the agent works in [default: the current one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::List { json, place } => list(json, &place, home, ui)?,
        Command::Confirm { files, yes, place } => confirm(&files, yes, &place, home, ui)?,
        Command::Forget { files, place } => {
            let (found, _, _) = look(&place, home)?;
            for kind in kinds(&files)? {
                found.forget(kind)?;
            }
            ui.note("nothing of it is taken for your words any more");
        }
    }
    Ok(Exit::Ok)
}

/// What lies in the folder, what is used of it, and the folder.
fn look(place: &Place, home: &Home) -> Result<(IdentityFiles, Used, String), Error> {
    let profile = config::load(&home.config_file())?;
    let vault = Vault::closed();
    let tools = host::tools(place.workspace.as_deref(), home, &profile, &vault)?;
    let found = IdentityFiles::find(&tools, home);
    let used = found.used(ALL_TOKENS, &vault);
    Ok((found, used, tools.workspace().display().to_string()))
}

/// The files that `names` name; all without one.
fn kinds(names: &[String]) -> Result<Vec<Kind>, Error> {
    if names.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let kind = |name: &String| {
        let plain = name.trim_start_matches("./");
        let known = Kind::ALL.into_iter().find(|kind| kind.path() == plain);
        known.ok_or_else(|| {
            let paths = Kind::ALL.map(Kind::path).join(", ");
            Error::usage(format!("{name:?} is no such file")).hint(format!("they are {paths}"))
        })
    };
    names.iter().map(kind).collect()
}

fn list(json: bool, place: &Place, home: &Home, ui: Ui) -> Result<(), Error> {
    let (_, used, folder) = look(place, home)?;
    if json {
        ui.json(&json!({ "folder": folder, "files": used.to_json() }));
        return Ok(());
    }
    for (kind, state) in &used.told {
        let said = match state {
            State::Missing => ui::dim("is not there"),
            State::Empty => ui::caution("is empty: nothing of it is used"),
            State::Unusable { why } => ui::caution(format!("is not used: {}", ui::plain(why))),
            State::Used {
                tokens,
                left_out_bytes,
                confirmed,
            } => {
                let whose = match confirmed {
                    true => "yours",
                    false => "the folder's: you did not confirm it",
                };
                let rest = match left_out_bytes {
                    0 => String::new(),
                    bytes => format!("; {bytes} bytes of its end are not used"),
                };
                format!("{tokens} tokens, {whose}{rest}")
            }
        };
        ui.line(format!(
            "{:<15} {:<38} {said}",
            kind.path(),
            ui::dim(kind.about())
        ));
    }
    Ok(())
}

fn confirm(files: &[String], yes: bool, place: &Place, home: &Home, ui: Ui) -> Result<(), Error> {
    let (found, used, folder) = look(place, home)?;
    let wanted = kinds(files)?;
    let meant = |kind: &Kind| wanted.contains(kind);
    let mut open = Vec::new();
    for (kind, state) in &used.told {
        let path = kind.path();
        match state {
            State::Used {
                confirmed: false, ..
            } if meant(kind) => open.push(*kind),
            State::Used { .. } => {}
            // Named, it was meant; otherwise what is there is.
            State::Missing if files.is_empty() => {}
            _ if !meant(kind) => {}
            State::Missing => return Err(Error::usage(format!("{path} is not there"))),
            State::Empty => ui.warn(format!("{path} is empty")),
            State::Unusable { why } => {
                ui.warn(ui::plain(&format!("{path} cannot be used: {why}")));
            }
        }
    }
    if open.is_empty() {
        ui.note("there is nothing left to confirm");
        return Ok(());
    }
    for section in used.sections.iter().filter(|s| open.contains(&s.kind)) {
        ui.tell(ui::bold(section.kind.path()));
        ui.tell(ui::plain(&section.text));
        if section.left_out_bytes > 0 {
            ui.tell(format!(
                "({} bytes more are not used)",
                section.left_out_bytes
            ));
        }
    }
    agree(yes, ui)?;
    home.make()?;
    for kind in &open {
        found.confirm(*kind)?;
    }
    let paths: Vec<&str> = open.iter().map(|kind| kind.path()).collect();
    ui.note(format!(
        "{} in {folder}: your words from now on, as they are now",
        paths.join(", ")
    ));
    Ok(())
}

/// Waits for a yes.
fn agree(yes: bool, ui: Ui) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let refused = || {
        Error::new(Exit::Denied, "nobody said that these words are theirs")
            .hint("say so with --yes, if that is meant")
    };
    if !ui::can_ask() {
        return Err(refused());
    }
    ui.ask("Are these your words, to be followed like a prompt of yours? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|_| refused())?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}
