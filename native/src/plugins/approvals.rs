//! What a person agreed to: a file for each yes, named by the digest of what it is to (a module and
//! its manifest together; an identity file), in Tau's own folder, which no tool writes to.

use std::{fs, io, path::PathBuf};

use crate::{
    exit::{Error, Exit},
    home::Home,
};

/// What was agreed to of one sort.
#[derive(Debug)]
pub(crate) struct Approvals {
    folder: PathBuf,
}

impl Approvals {
    /// The tools of `home`.
    pub(crate) fn of(home: &Home) -> Self {
        let folder = home.approved_tools();
        Self { folder }
    }

    /// The identity files of all workspaces.
    pub(crate) fn of_files(home: &Home) -> Self {
        let folder = home.confirmed_files();
        Self { folder }
    }

    /// Whether a person agreed to `digest`.
    pub(crate) fn holds(&self, digest: &str) -> bool {
        self.folder.join(digest).is_file()
    }

    /// Keeps a yes to what is called `name`.
    pub(crate) fn add(&self, digest: &str, name: &str) -> Result<(), Error> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(self.folder.join(digest), name))
            .map_err(|error| self.failed(&error))
    }

    /// Takes every yes to what is called `name` back.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|error| self.failed(&error))?,
        };
        for entry in entries.flatten() {
            if fs::read_to_string(entry.path()).is_ok_and(|approved| approved == name) {
                fs::remove_file(entry.path()).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        let folder = self.folder.display();
        Error::new(Exit::Store, format!("{folder} cannot be written")).cause(error)
    }
}
