//! The embedded model's files: whether they are there, fetching them, loading them.

use std::path::{Path, PathBuf};
use tau_core::session::GenerateError;
use tau_target_rten::agent::Agent;

use crate::{exit::Error, home::Home, ui::Ui};

/// One file the model needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it belongs.
    pub(crate) file: PathBuf,
    /// What is wrong with it; `None` when it is there.
    pub(crate) problem: Option<String>,
}

/// The files and their state. Looks at sizes, not at contents.
pub(crate) fn parts(_folder: &Path) -> Vec<Part> {
    Vec::new()
}

/// Fetches what is missing, with progress on stderr.
pub(crate) async fn pull(_home: &Home, _ui: Ui) -> Result<(), Error> {
    Err(Error::internal("pending"))
}

/// Makes sure the model can be loaded.
pub(crate) async fn ready(home: &Home, ui: Ui) -> Result<(), Error> {
    if parts(&home.models())
        .iter()
        .all(|part| part.problem.is_none())
    {
        return Ok(());
    }
    pull(home, ui).await
}

/// Reads the model. Blocks for some tenths of a second.
pub(super) fn load(_folder: &Path) -> Result<Agent, GenerateError> {
    Err(super::failed("pending"))
}
