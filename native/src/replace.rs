//! Writing a file whole or not at all.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    process,
};

/// Puts `bytes` at `file`. What is there is replaced and never written through: a link, which others
/// may have made, leads nowhere.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let fresh = file.with_file_name(format!(".{name}.{}.new", process::id()));
    let written = OpenOptions::new()
        .write(true)
        // Fails where anything is, a link as well.
        .create_new(true)
        .open(&fresh)
        .and_then(|mut to| to.write_all(bytes).and_then(|()| to.sync_all()))
        .and_then(|()| fs::rename(&fresh, file));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}
