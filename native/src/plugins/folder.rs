//! Reading tools from a folder. Whatever lies there, nothing is read without a bound, and one broken
//! tool hides no other.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};
use tau_core::tool::manifest::{MAX_BYTES, Manifest};

/// A larger module is refused unread.
const MODULE_BYTES: u64 = 32 << 20;
/// More tools than this in a folder are not looked at.
const MOST: usize = 256;

/// A module and what was found beside it.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) file: PathBuf,
    /// The file's name without its ending.
    pub(crate) stem: String,
    pub(crate) module: Option<Vec<u8>>,
    /// The manifest, or what is assumed of a module without one; or what is wrong with either.
    pub(crate) manifest: Result<Manifest, String>,
}

/// The tools of `folder`, by name. None where there is no folder.
pub(super) fn pairs(folder: &Path) -> Vec<Pair> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        .collect();
    files.sort();
    files.truncate(MOST);
    files.iter().map(|file| read_pair(file)).collect()
}

/// The module in `file` with the manifest beside it.
pub(crate) fn read_pair(file: &Path) -> Pair {
    let stem = file.file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy().into_owned();
    let module = read(file, MODULE_BYTES).map_err(|error| format!("the module: {error}"));
    let manifest = match read(&file.with_extension("json"), MAX_BYTES as u64) {
        Ok(bytes) => Manifest::parse(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Manifest::assumed(&stem).map_err(|error| error.to_string())
        }
        Err(error) => Err(format!("the manifest: {error}")),
    };
    let (module, manifest) = match module {
        Ok(module) => (Some(module), manifest),
        Err(why) => (None, Err(why)),
    };
    Pair {
        file: file.to_owned(),
        stem,
        module,
        manifest,
    }
}

/// A regular file of at most `most` bytes. A link is not followed: what it leads to may be anything.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(refused("not a regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(refused(format!("more than {most} bytes")));
    }
    Ok(bytes)
}
