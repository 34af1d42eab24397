//! What is at the end of a path, and the only ways to open or replace it.
//!
//! Invariant: every operation takes the directory handle that the path was resolved to and one
//! name in it, and follows no link.

use std::{
    ffi::{OsStr, OsString},
    io::{self, ErrorKind},
};

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use cap_tempfile::TempFile;

use super::output::Fault;

/// Where a path leads: a directory held open and a name in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) parent: Dir,
    /// `None` for a path that ends at the directory itself: the workspace, or `a/..`.
    pub(super) name: Option<OsString>,
    /// The location from the workspace, links resolved, `/` between names; empty for the workspace.
    pub(super) real: String,
}

impl Place {
    /// What is there, links not followed; `None` when nothing is.
    pub(super) fn metadata(&self, path: &str) -> Result<Option<Metadata>, Fault> {
        let found = match &self.name {
            Some(name) => self.parent.symlink_metadata(name),
            None => self.parent.dir_metadata(),
        };
        match found {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::io(format!("cannot look at {path}"), &error)),
        }
    }

    /// Opens the directory there.
    pub(super) fn open_dir(&self, path: &str) -> Result<Dir, Fault> {
        let Some(name) = &self.name else {
            return self
                .parent
                .try_clone()
                .map_err(|error| Fault::io(format!("cannot open {path}"), &error));
        };
        match self.metadata(path)? {
            None => Err(self.missing()),
            Some(metadata) if !metadata.is_dir() => {
                Err(Fault::new(format!("{path} is not a directory")))
            }
            Some(_) => self
                .parent
                .open_dir_nofollow(name)
                .map_err(|error| Fault::io(format!("cannot open {path}"), &error)),
        }
    }

    /// Opens the regular file there for reading.
    pub(super) fn open_file(&self, path: &str) -> Result<(File, Metadata), Fault> {
        match &self.name {
            None => Err(is_directory(path)),
            Some(name) => match open_regular(&self.parent, name, path) {
                Err(Refused::Missing) => Err(self.missing()),
                Err(Refused::Because(fault)) => Err(fault),
                Ok(opened) => Ok(opened),
            },
        }
    }

    /// Puts `bytes` there in one step: a reader sees the old content or the new, and a crash or a
    /// full disk leaves the old. The mode bits of `old` are kept, set-id bits are not; on Unix so
    /// is its owner, where the process may give files away.
    pub(super) fn replace(
        &self,
        path: &str,
        bytes: &[u8],
        old: Option<&Metadata>,
    ) -> Result<(), Fault> {
        let name = self.name.as_ref().ok_or_else(|| is_directory(path))?;
        self.try_replace(name, bytes, old).map_err(|error| {
            let unchanged = if old.is_some() {
                "; it is unchanged"
            } else {
                ""
            };
            let fault = Fault::io(format!("cannot write {path}{unchanged}"), &error);
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => fault.hint("free some space"),
                _ => fault,
            }
        })
    }

    fn try_replace(&self, name: &OsStr, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
        let mut file = TempFile::new(&self.parent)?;
        io::Write::write_all(&mut file, bytes)?;
        if let Some(old) = old {
            keep_owner_and_mode(file.as_file(), old)?;
        }
        // Renamed only when on disk: a crash must not leave an empty file under the old name.
        file.as_file().sync_all()?;
        file.replace(name)
    }

    /// The failure that says nothing is there, with the nearest names.
    pub(super) fn missing(&self) -> Fault {
        let near = self
            .name
            .as_ref()
            .map(|name| nearest(&self.parent, name))
            .unwrap_or_default();
        missing_fault(&self.real, near)
    }
}

/// Why a file was not opened.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is not there.
    Missing,
    /// Anything else.
    Because(Fault),
}

/// Opens the regular file `name` of `dir`, without following links and without blocking.
pub(super) fn open_regular(
    dir: &Dir,
    name: &OsStr,
    path: &str,
) -> Result<(File, Metadata), Refused> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => Refused::Missing,
        _ => Refused::Because(Fault::io(format!("cannot open {path}"), &error)),
    };
    check_regular(&dir.symlink_metadata(name).map_err(failed)?, path)?;
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = dir.open_with(name, &options).map_err(failed)?;
    // Asked again of the opened file: the name may have changed hands in between.
    let metadata = file.metadata().map_err(failed)?;
    check_regular(&metadata, path)?;
    check_single_name(&metadata, path).map_err(Refused::Because)?;
    Ok((file, metadata))
}

fn check_regular(metadata: &Metadata, path: &str) -> Result<(), Refused> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(Refused::Because(is_directory(path)))
    } else {
        Err(Refused::Because(Fault::new(format!(
            "{path} is not a regular file (it is a link, device, pipe or socket)"
        ))))
    }
}

/// Fails for a file that has another name somewhere.
pub(super) fn check_single_name(metadata: &Metadata, path: &str) -> Result<(), Fault> {
    if metadata.is_file() && metadata.nlink() > 1 {
        return Err(Fault::denied(format!("{path} has more than one hard link"))
            .cause("another name of the same file may lie outside the workspace")
            .hint(format!("make a copy with the shell: cp {path} {path}.copy")));
    }
    Ok(())
}

fn is_directory(path: &str) -> Fault {
    Fault::new(format!("{path} is a directory")).hint("use ls to list it")
}

pub(super) fn missing_fault(path: &str, near: Vec<String>) -> Fault {
    let fault = Fault::new(format!("{path} does not exist"));
    if near.is_empty() {
        fault
    } else {
        fault.hint(format!("did you mean {}?", near.join(" or ")))
    }
}

/// Up to three names of `dir` that look like `name`.
pub(super) fn nearest(dir: &Dir, name: &OsStr) -> Vec<String> {
    let wanted = name.to_string_lossy().to_lowercase();
    let Ok(entries) = dir.entries() else {
        return Vec::new();
    };
    let mut near: Vec<(f64, String)> = entries
        .take(10_000)
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .map(|name| (likeness(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.0)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// From 0 to 1: common beginnings count most, exchanged letters little.
fn likeness(a: &str, b: &str) -> f64 {
    let letters = strsim::normalized_damerau_levenshtein(a, b);
    let shape = strsim::jaro_winkler(a, b);
    if letters > 0.6 || shape > 0.85 {
        shape.max(letters)
    } else {
        0.0
    }
}

#[cfg(unix)]
fn keep_owner_and_mode(file: &File, old: &Metadata) -> io::Result<()> {
    use cap_std::fs::{MetadataExt as _, Permissions, PermissionsExt};
    use rustix::fs::{Gid, Uid, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only a privileged process may; for others the file becomes theirs, as with any editor.
        let _ = fchown(
            file,
            Some(Uid::from_raw(old.uid())),
            Some(Gid::from_raw(old.gid())),
        );
    }
    file.set_permissions(Permissions::from_mode(old.permissions().mode() & 0o777))
}

#[cfg(not(unix))]
fn keep_owner_and_mode(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}
