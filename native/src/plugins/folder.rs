//! Reading tools from a folder. Whatever lies there, nothing is read without a bound, and one broken
//! tool hides no other.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};
use tau_core::tool::manifest::{MAX_BYTES, Manifest};

/// A larger module is refused unread.
const MODULE_BYTES: u64 = 32 << 20;
/// What all modules of a folder may have together: they are held in memory.
const FOLDER_BYTES: u64 = 128 << 20;
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
    let mut left = FOLDER_BYTES;
    let read = |file: &PathBuf| {
        let pair = pair(file, left);
        let bytes = pair.module.as_ref().map_or(0, Vec::len);
        left = left.saturating_sub(bytes as u64);
        pair
    };
    files.iter().map(read).collect()
}

/// The module in `file` with the manifest beside it.
pub(crate) fn read_pair(file: &Path) -> Pair {
    pair(file, MODULE_BYTES)
}

/// The same, with so much room for the module.
fn pair(file: &Path, left: u64) -> Pair {
    let stem = file.file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy().into_owned();
    let module =
        read_regular(file, MODULE_BYTES.min(left)).map_err(|error| match left < MODULE_BYTES {
            true => format!("the module: {error} (a folder has room for {FOLDER_BYTES})"),
            false => format!("the module: {error}"),
        });
    let manifest = match read_manifest(&file.with_extension("json")) {
        Some(manifest) => manifest,
        None => Manifest::assumed(&stem).map_err(|error| error.to_string()),
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

/// The manifest in `file`, or what is wrong with it; none where there is no file.
pub(crate) fn read_manifest(file: &Path) -> Option<Result<Manifest, String>> {
    Some(match read_regular(file, MAX_BYTES as u64) {
        Ok(bytes) => Manifest::parse(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(format!("the manifest: {error}")),
    })
}

/// A regular file of at most `most` bytes. A link is not followed: what it leads to may be anything.
/// Nor is a pipe waited for that takes the file's place meanwhile.
pub(crate) fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(refused("not a regular file".into()));
    }
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(refused("not a regular file".into()));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(refused(format!("more than {most} bytes")));
    }
    Ok(bytes)
}

/// A module, unless it is too large or no regular file.
pub(crate) fn read_module(file: &Path) -> io::Result<Vec<u8>> {
    read_regular(file, MODULE_BYTES)
}
