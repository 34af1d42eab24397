//! One process a session: an advisory lock that the system gives back when its holder dies.
//!
//! Invariant: the lock is the system's hold on the open file, never the file's existence or text.
//! The file therefore stays when the lock is given back: removing it would let two processes hold
//! two files of one name.

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    session::StoreError,
};
use thiserror::Error;

/// The hold of this process on one session, until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct SessionLock {
    /// Closing it gives the lock back.
    _file: File,
    path: PathBuf,
}

/// Why a session could not be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("session {session} is in use by {holder}")]
    Held {
        /// The session.
        session: SessionId,
        /// Who has it.
        holder: Holder,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<LockError> for StoreError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { holder, .. } => Self::Locked {
                holder: holder.to_string(),
            },
            LockError::Io { .. } => Self::Io {
                detail: error.to_string(),
            },
        }
    }
}

/// Who has a session, as it wrote into the lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Its process id; zero when it had not written itself down yet.
    pub pid: u32,
    /// What it is, such as `tau chat`.
    pub program: String,
    /// When it took the session.
    pub since: UnixMillis,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process");
        }
        write!(f, "{} (process {})", self.program, self.pid)?;
        let since = i64::try_from(self.since.0)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        match since {
            Some(at) => write!(f, " since {at:.0}"),
            None => Ok(()),
        }
    }
}

/// A killed process's lock lives on for some milliseconds in a child that it had forked and that
/// has not become its program yet.
const PATIENCE: Duration = Duration::from_millis(150);

fn lock(file: &File) -> Result<(), TryLockError> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

impl SessionLock {
    /// Takes `session` for this process. Waits at most 150 ms: a
    /// process killed just now may still seem to hold it.
    ///
    /// The lock is the file `<dir>/<session>.lock`; the folder is made when it is missing.
    /// `program` tells others who has it.
    pub fn acquire(
        dir: &Path,
        session: &SessionId,
        program: &str,
        now: UnixMillis,
    ) -> Result<Self, LockError> {
        let path = dir.join(format!("{session}.lock"));
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        if session.0.is_empty() || !session.0.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let reason = "a session's name is letters and digits";
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }

        fs::create_dir_all(dir).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    session: session.clone(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }

        let holder = Holder {
            pid: std::process::id(),
            program: program.to_owned(),
            since: now,
        };
        write_holder(&mut file, &holder).map_err(failed)?;
        Ok(Self { _file: file, path })
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What the holder wrote. It may be writing this very moment: then nobody knows.
fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Holder::default(),
    }
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    serde_json::to_writer(&mut *file, holder)?;
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        Holder {
            pid: 12,
            program: "tau chat".into(),
            since: UnixMillis(1_767_225_600_999),
        }
    }

    #[test]
    fn a_holder_is_told_in_words() {
        assert_eq!(
            holder().to_string(),
            "tau chat (process 12) since 2026-01-01T00:00:00Z"
        );
        assert_eq!(Holder::default().to_string(), "another process");
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let name = SessionId("../x".into());
        let outcome = SessionLock::acquire(dir.path(), &name, "t", UnixMillis(0));
        assert!(matches!(outcome, Err(LockError::Io { .. })));
    }

    #[test]
    fn stale_and_broken_text_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let session = SessionId("ab".into());
        for text in [
            "",
            "{",
            "\u{0}\u{0}",
            "{\"pid\":1,\"program\":\"old\",\"since\":0}",
        ] {
            fs::write(dir.path().join("ab.lock"), text).unwrap();
            SessionLock::acquire(dir.path(), &session, "new", UnixMillis(0)).unwrap();
        }
    }

    #[test]
    fn a_second_lock_names_the_first_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let session = SessionId("00c0ffee00c0ffee".into());
        let since = UnixMillis(1_767_225_600_000);
        let take = |program| SessionLock::acquire(dir.path(), &session, program, since);

        let first = take("tau chat").unwrap();
        let refused = take("tau run").unwrap_err().to_string();
        let expected = format!(
            "session 00c0ffee00c0ffee is in use by tau chat (process {}) since 2026-01-01T00:00:00Z",
            std::process::id()
        );
        assert_eq!(refused, expected);
        drop(first);
        take("tau run").unwrap();
    }
}
