//! A folder of notes as it lies on the disk, read one note at a time.
//!
//! Invariant: nothing outside the folder is read, whatever links lie in it, and nothing is waited
//! for; what is left out is told.

use std::{
    fs::{self, DirEntry},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};
use tau_core::ids::UnixMillis;

use crate::{exit::Error, plugins::read_regular};

/// Bytes of a note; a larger one is left out.
const NOTE_BYTES: u64 = 4 << 20;
/// Bytes of all notes together: they are held in memory, since each may name any other.
const ALL_BYTES: u64 = 256 << 20;
/// Notes that are read.
const NOTES: usize = 100_000;
/// Folders within folders.
const DEPTH: usize = 32;
/// What left-out things are told of by name.
const TOLD: usize = 1_000;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoteFile {
    /// From the folder, `/` between names.
    pub(crate) path: String,
    pub(crate) text: String,
    /// When it was last changed.
    pub(crate) changed: Option<UnixMillis>,
}

/// Something that is left out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Skipped {
    pub(crate) path: String,
    pub(crate) why: String,
}

/// What was found in a folder.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// By path.
    pub(crate) notes: Vec<NoteFile>,
    /// The first of those that are left out.
    pub(crate) skipped: Vec<Skipped>,
    /// How many are left out in all.
    pub(crate) skipped_count: usize,
    bytes: u64,
}

impl Notes {
    /// The notes of `folder` and of those in it, but for hidden ones; `seen` is told how many there
    /// are so far.
    pub(crate) fn read(folder: &Path, mut seen: impl FnMut(usize)) -> Result<Self, Error> {
        let shown = folder.display();
        let cannot = |error: std::io::Error| {
            Error::usage(format!("{shown} cannot be read as a folder of notes")).cause(error)
        };
        let folder = folder.canonicalize().map_err(cannot)?;
        let first = fs::read_dir(&folder).map_err(cannot)?;
        let mut found = Self::default();
        // Depth first and by name, so that the same folder is always read in the same order.
        let mut todo = sorted(first.flatten().map(|entry| (entry, 1)).collect());
        while let Some((entry, depth)) = todo.pop() {
            let path = entry.path();
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let Ok(kind) = entry.file_type() else {
                found.skip(&folder, &path, "it cannot be looked at");
                continue;
            };
            if kind.is_dir() {
                match fs::read_dir(&path) {
                    _ if depth >= DEPTH => found.skip(&folder, &path, "it lies too deep"),
                    Ok(inner) => {
                        let inner = inner.flatten().map(|entry| (entry, depth + 1));
                        todo.extend(sorted(inner.collect()));
                    }
                    Err(error) => found.skip(&folder, &path, &error.to_string()),
                }
            } else if is_note(&path) {
                if kind.is_symlink() {
                    found.skip(&folder, &path, "it is a link, and links are not followed");
                } else if !found.has_room() {
                    found.skip(
                        &folder,
                        &path,
                        "there are too many notes: bring in fewer at a time",
                    );
                } else {
                    found.add(&folder, &path, &entry);
                    seen(found.notes.len());
                }
            }
        }
        found.notes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn has_room(&self) -> bool {
        self.notes.len() < NOTES && self.bytes < ALL_BYTES
    }

    fn add(&mut self, folder: &Path, path: &Path, entry: &DirEntry) {
        let bytes = match read_regular(path, NOTE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => return self.skip(folder, path, &error.to_string()),
        };
        self.bytes += bytes.len() as u64;
        if bytes.contains(&0) {
            return self.skip(folder, path, "it is no text");
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let why = format!("it is not UTF-8 text: byte {at} is no part of a character");
                return self.skip(folder, path, &why);
            }
        };
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let since = changed
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        self.notes.push(NoteFile {
            path: relative(folder, path),
            text,
            // Whole seconds: some file systems keep no more, and a copy is then the same.
            changed: since.map(|since| UnixMillis(since.as_secs() * 1_000)),
        });
    }

    fn skip(&mut self, folder: &Path, path: &Path, why: &str) {
        self.skipped_count += 1;
        if self.skipped.len() < TOLD {
            self.skipped.push(Skipped {
                path: relative(folder, path),
                why: why.into(),
            });
        }
    }
}

/// By name, the first at the end.
fn sorted(mut entries: Vec<(DirEntry, usize)>) -> Vec<(DirEntry, usize)> {
    entries.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.file_name()));
    entries
}

fn is_note(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["md", "markdown"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn relative(folder: &Path, path: &Path) -> String {
    let inner: PathBuf = path.strip_prefix(folder).unwrap_or(path).into();
    let names: Vec<_> = inner.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn notes_are_read_in_order_and_what_is_left_out_is_told() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("notes");
        fs::create_dir_all(folder.join("b/c")).unwrap();
        fs::create_dir_all(folder.join(".obsidian")).unwrap();
        for (name, text) in [
            ("z.md", "z"),
            ("b/c/deep.MD", "deep"),
            ("b/a.markdown", "a"),
            ("picture.png", "no note"),
            (".hidden.md", "hidden"),
            (".obsidian/x.md", "hidden"),
            ("../elsewhere.md", "elsewhere"),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        symlink(place.path(), folder.join("up")).unwrap();
        symlink("../elsewhere.md", folder.join("link.md")).unwrap();
        fs::write(folder.join("binary.md"), b"\x89PNG\0").unwrap();
        fs::write(folder.join("latin.md"), b"caf\xe9").unwrap();
        let huge = fs::File::create(folder.join("huge.md")).unwrap();
        huge.set_len(1 << 40).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(folder.join("pipe.md"))
            .status();
        assert!(pipe.unwrap().success());
        let mut counted = 0;
        let found = Notes::read(&folder, |count| counted = count).unwrap();
        let paths: Vec<&str> = found.notes.iter().map(|note| &*note.path).collect();
        assert_eq!(paths, ["b/a.markdown", "b/c/deep.MD", "z.md"]);
        assert_eq!((counted, found.skipped_count), (3, 5));
        assert!(found.notes.iter().all(|note| note.changed.is_some()));
        let why = |path: &str| {
            let skipped = found.skipped.iter().find(|skipped| skipped.path == path);
            skipped
                .map(|skipped| skipped.why.clone())
                .unwrap_or_default()
        };
        assert!(why("link.md").contains("link"));
        assert!(why("binary.md").contains("no text"));
        assert!(why("latin.md").contains("byte 3"));
        assert!(why("huge.md").contains("more than"));
        assert!(why("pipe.md").contains("not a regular file"));
        assert!(Notes::read(&folder.join("z.md"), |_| ()).is_err());
        assert!(Notes::read(&folder.join("none"), |_| ()).is_err());
    }
}
