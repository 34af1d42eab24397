//! What of folders goes into a bundle and comes out of it: tools, and the files that say who the
//! agent is.
//!
//! Invariant: a name in a bundle is never part of a path: a file is written where its kind says, or
//! where a tool of a legal name belongs, and never over another.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};
use tau_core::{
    bundle::{Kind, Part, PartName},
    identity_files::{self, READ_BYTES},
    safety::Gate,
    tool::manifest::Manifest,
};

use crate::{
    exit::{Error, Exit},
    plugins::read_regular,
    ui::{self, Ui},
};

/// A larger module is not offered either.
const MODULE_BYTES: u64 = 32 << 20;
const MANIFEST_BYTES: u64 = tau_core::tool::manifest::MAX_BYTES as u64;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Became {
    /// It is there now.
    Written,
    /// It was there as it is.
    Same,
    /// Something else is there, and stays.
    Kept,
}

/// A file of a bundle and where it belongs.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) part: PartName,
    pub(super) to: PathBuf,
    content: Vec<u8>,
}

/// The tools of `folder`: each with its manifest and module.
pub(super) fn tools(folder: &Path, ui: Ui) -> Result<Vec<(PartName, Vec<u8>)>, Error> {
    let mut parts = Vec::new();
    let mut files: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    files.retain(|file| file.extension().is_some_and(|ending| ending == "wasm"));
    files.sort();
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let (Ok(tool), Ok(module)) = (
            PartName::new(Kind::Tool, &stem),
            PartName::new(Kind::Module, &stem),
        ) else {
            ui.warn(ui::plain(&format!(
                "{} is left out: its name",
                file.display()
            )));
            continue;
        };
        let beside = file.with_extension("json");
        match (
            read_regular(&file, MODULE_BYTES),
            optional(&beside, MANIFEST_BYTES),
        ) {
            (Ok(bytes), Ok(manifest)) => {
                parts.extend(manifest.map(|manifest| (tool, manifest)));
                parts.push((module, bytes));
            }
            (Err(error), _) | (_, Err(error)) => {
                ui.warn(ui::plain(&format!(
                    "{} is left out: {error}",
                    file.display()
                )));
            }
        }
    }
    Ok(parts)
}

/// The identity files of `workspace`, apart from what is the folder's and not the agent's.
pub(super) fn files(
    workspace: &Path,
    gate: &Gate,
    ui: Ui,
) -> Result<Vec<(PartName, Vec<u8>)>, Error> {
    let mut parts = Vec::new();
    for (slug, kind) in KINDS {
        let path = workspace.join(kind.path());
        let bytes = match optional(&path, READ_BYTES as u64) {
            Ok(None) => continue,
            Ok(Some(bytes)) => bytes,
            Err(error) => {
                ui.warn(ui::plain(&format!(
                    "{} is left out: {error}",
                    path.display()
                )));
                continue;
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            ui.warn(ui::plain(&format!(
                "{} is left out: no text",
                path.display()
            )));
            continue;
        };
        // What looks like a credential does not leave.
        match gate.keep(text) {
            Ok((text, _)) => {
                let name = PartName::new(Kind::File, slug);
                let name = name.map_err(|error| Error::internal(error.to_string()))?;
                parts.push((name, text.into_bytes()));
            }
            Err(families) => ui.warn(format!(
                "{} is left out: it holds {families}",
                path.display()
            )),
        }
    }
    Ok(parts)
}

/// The files that go along, by what a bundle calls them.
const KINDS: [(&str, identity_files::Kind); 3] = [
    ("soul", identity_files::Kind::Soul),
    ("agents", identity_files::Kind::Agents),
    ("user", identity_files::Kind::User),
];

/// Where the tools and files of a bundle belong. A tool whose name or manifest makes no sense, or whose
/// module is another than its manifest says, is refused by name.
pub(super) fn plan(parts: &[Part], tools: &Path, workspace: &Path) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for part in parts {
        let slug = part.name.slug();
        let to = match part.name.kind() {
            Kind::Tool => tools.join(format!("{slug}.json")),
            Kind::Module => {
                check_module(part, parts)?;
                tools.join(format!("{slug}.wasm"))
            }
            Kind::File => {
                let known = KINDS.iter().find(|(name, _)| *name == slug);
                let Some((_, kind)) = known else {
                    return Err(bad(part, "there is no such file of an agent"));
                };
                if part.content.len() > READ_BYTES {
                    return Err(bad(part, &format!("it has more than {READ_BYTES} bytes")));
                }
                workspace.join(kind.path())
            }
            _ => continue,
        };
        planned.push(Planned {
            part: part.name.clone(),
            to,
            content: part.content.clone(),
        });
    }
    Ok(planned)
}

/// A module is what its manifest says it is; a manifest alone is of no use, and does no harm.
fn check_module(module: &Part, parts: &[Part]) -> Result<(), Error> {
    let slug = module.name.slug();
    if module.content.len() as u64 > MODULE_BYTES {
        return Err(bad(
            module,
            &format!("it has more than {MODULE_BYTES} bytes"),
        ));
    }
    tau_target_wasi::check_header(&module.content)
        .map_err(|error| bad(module, &error.to_string()))?;
    let manifest = parts
        .iter()
        .find(|part| *part.name.kind() == Kind::Tool && part.name.slug() == slug);
    let Some(part) = manifest else {
        return Manifest::assumed(slug)
            .map(|_| ())
            .map_err(|error| bad(module, &error.to_string()));
    };
    let manifest = Manifest::parse(&part.content).map_err(|error| bad(part, &error.to_string()))?;
    let verified = manifest.verify(&module.content, &tau_core::tool::manifest::Trust::default());
    match verified {
        Err(error) if manifest.hash.is_some() => Err(bad(module, &error.to_string())),
        _ => Ok(()),
    }
}

impl Planned {
    /// What is or would be done with it.
    pub(super) fn state(&self) -> Result<Became, Error> {
        match fs::symlink_metadata(&self.to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Became::Written),
            Err(error) => Err(unreadable(&self.to, &error)),
            Ok(_) => {
                let there = read_regular(&self.to, MODULE_BYTES);
                Ok(match there.is_ok_and(|there| there == self.content) {
                    true => Became::Same,
                    false => Became::Kept,
                })
            }
        }
    }

    /// Writes it where nothing is.
    pub(super) fn write(&self) -> Result<Became, Error> {
        let state = self.state()?;
        if state != Became::Written {
            return Ok(state);
        }
        let failed = |error: io::Error| {
            Error::new(
                Exit::Store,
                format!("{} cannot be written", self.to.display()),
            )
            .cause(error)
            .hint("sessions and memories were imported; the same command goes on with the rest")
        };
        if let Some(folder) = self.to.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.to);
        let mut file = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Became::Kept),
            made => made.map_err(failed)?,
        };
        let written = file.write_all(&self.content).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // Half a file is none.
            let _ = fs::remove_file(&self.to);
            return Err(failed(error));
        }
        Ok(Became::Written)
    }
}

fn optional(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    match read_regular(path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("{} cannot be read", path.display())).cause(error)
}

fn bad(part: &Part, why: &str) -> Error {
    Error::usage(format!("part {} is refused", part.name))
        .cause(why)
        .hint("nothing was imported")
}
