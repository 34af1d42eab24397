//! A file that is its owner's alone: sealed credentials, the agent's identity.
//!
//! Invariants: readable by its owner alone; a reader sees it as it was before or after a change,
//! never between, whenever the machine stops; two processes change it one after the other.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    exit::{Error, Exit},
    home::Home,
};

/// A file in Tau's folder, which need not be there.
#[derive(Clone, Debug)]
pub(crate) struct PrivateFile {
    home: Home,
    file: PathBuf,
}

/// Held while the file is changed; the lock ends with it, and with the process.
pub(crate) struct Held {
    _lock: File,
}

impl PrivateFile {
    /// The one at `file`, in the folder of `home`.
    pub(crate) fn new(home: &Home, file: PathBuf) -> Self {
        let home = home.clone();
        Self { home, file }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// What it holds, at most the first `most_bytes`; `None` when there is no such file.
    pub(crate) fn read(&self, most_bytes: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        let read =
            File::open(&self.file).and_then(|file| file.take(most_bytes).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unusable("read", &error)),
        }
    }

    /// Waits until no other process changes the file.
    pub(crate) fn hold(&self) -> Result<Held, Error> {
        self.home.make()?;
        let lock = self.file.with_extension("lock");
        let held = private(&lock, false).and_then(|file| file.lock().map(|()| file));
        match held {
            Ok(file) => Ok(Held { _lock: file }),
            Err(error) => Err(self.unusable("locked", &error)),
        }
    }

    /// Replaces the file: written beside it, brought to the disk, then renamed.
    pub(crate) fn write(&self, _: &Held, bytes: &[u8]) -> Result<(), Error> {
        self.replace(bytes)
            .map_err(|error| self.unusable("written", &error))
    }

    /// The same without a lock, for a name that nobody else uses.
    pub(crate) fn create(&self, bytes: &[u8]) -> Result<(), Error> {
        self.home.make()?;
        self.replace(bytes)
            .map_err(|error| self.unusable("written", &error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let mut fresh = OsString::from(&self.file);
        fresh.push(".new");
        let mut file = private(Path::new(&fresh), true)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&fresh, &self.file)?;
        sync_folder(self.home.root())
    }

    fn unusable(&self, what: &str, error: &io::Error) -> Error {
        Error::new(
            Exit::Store,
            format!("{} cannot be {what}", self.file.display()),
        )
        .cause(error)
        .hint("look at the folder's permissions and at the room on the disk")
    }
}

/// Opens a file for writing that nobody else reads, made when it is missing.
fn private(path: &Path, empty: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(empty);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        let file = options.open(path)?;
        // One that was there keeps the permissions it had.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// A rename is not on the disk before its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
