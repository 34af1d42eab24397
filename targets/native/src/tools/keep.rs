//! Putting protected files back after a program changed them.
//!
//! A shell command is looked at before it runs, but what a program does cannot be read from its
//! name. So what is protected is remembered before a command runs, and after its last process has
//! ended every file that changed, went away, became a link or got another name is put back, and the
//! call is told to have failed. It is a repair, not a wall: while the command runs it can read these
//! files and see its own changes, and what it did with them elsewhere stays done. Confining it is
//! the sandbox's task.
//!
//! A change that Tau makes itself meanwhile ([`written_by_tau`]) stays. One that a person makes in
//! another program while a command runs is put back too; what was there is kept beside the profile
//! in `rejected/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tau_core::policy::Paths;

/// Larger files are watched by their size and time alone, and cannot be put back.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// All that is remembered.
const MAX_BYTES: u64 = 64 << 20;
/// How many names of the workspace are looked at for protected ones.
const MAX_NAMES: usize = 20_000;

/// What Tau wrote itself, in order.
static OWN: Mutex<Vec<(PathBuf, Vec<u8>)>> = Mutex::new(Vec::new());

/// Tells that Tau itself has just written `content` to the protected file `path`.
pub fn written_by_tau(path: &Path, content: &[u8]) {
    locked(&OWN).push((path.to_owned(), content.to_owned()));
}

/// What is put back after a command, beside what the policy names.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Files and folders outside the workspace: the profile, the identity, the key store.
    pub files: Vec<PathBuf>,
    /// Where content goes that is not accepted; without one it is gone.
    pub rejected: Option<PathBuf>,
}

/// Remembers once for all commands that run at the same time: what one of them changed must not be
/// taken for what was there.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    root: PathBuf,
    paths: Paths,
    kept: Kept,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    commands: usize,
    /// How much Tau had written when it was remembered.
    written: usize,
    remembered: BTreeMap<PathBuf, Entry>,
    /// The folders of the workspace that these lie in.
    ways: BTreeSet<PathBuf>,
}

/// What was at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    File {
        content: Vec<u8>,
        mode: u32,
        /// Whether it has other names.
        linked: bool,
    },
    Link(PathBuf),
    /// A file too large to remember.
    Large(u64, Option<std::time::SystemTime>),
}

/// A command that runs. Dropped after its last process has ended.
pub(super) struct Watch<'k>(Option<&'k Keeper>);

impl Keeper {
    pub(super) fn new(root: &Path, paths: Paths, kept: Kept) -> Self {
        Self {
            root: root.to_owned(),
            paths,
            kept,
            running: Mutex::default(),
        }
    }

    /// Call before a command starts.
    pub(super) fn watch(&self) -> Watch<'_> {
        let mut running = locked(&self.running);
        if running.commands == 0 {
            running.written = locked(&OWN).len();
            running.remembered = self.look();
            running.ways = self.ways(running.remembered.keys());
        }
        running.commands += 1;
        Watch(Some(self))
    }

    /// What of the workspace no tool writes and is there, as far as it was looked for: where it
    /// begins, not what is below.
    pub(super) fn protected(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut names = MAX_NAMES;
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if names == 0 {
                    return found;
                }
                names -= 1;
                let path = entry.path();
                let relative = path.strip_prefix(&self.root).unwrap_or(&path);
                let written = relative.to_string_lossy();
                if self.paths.protection(&written, true, false).is_some() {
                    found.push(path);
                } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                }
            }
        }
        found
    }

    fn end(&self) -> Vec<String> {
        let mut running = locked(&self.running);
        let own: BTreeMap<PathBuf, Vec<u8>> = {
            let written = locked(&OWN);
            written[running.written.min(written.len())..]
                .iter()
                .cloned()
                .collect()
        };
        for (path, content) in &own {
            if let Some(Entry::File { content: old, .. }) = running.remembered.get_mut(path) {
                old.clone_from(content);
            }
        }
        let mut told = Vec::new();
        // A link where a folder was would have this process repair what lies elsewhere.
        for way in running.ways.iter().filter(|way| way.is_symlink()) {
            let taken = done(fs::remove_file(way), "taken away");
            told.push(format!("{} became a link: {taken}", way.display()));
        }
        let found = self.look();
        // What lies in a new folder goes before it.
        for path in found.keys().rev() {
            if !running.remembered.contains_key(path) && !own.contains_key(path) {
                let taken = done(self.reject(path), "taken away");
                told.push(format!("{} is new: {taken}", path.display()));
            }
        }
        for (path, before) in &running.remembered {
            let now = look_at(path);
            if now.as_ref() == Some(before) {
                continue;
            }
            let what = match now {
                None => "was removed",
                Some(_) => "was changed",
            };
            let repaired = self.reject(path).and_then(|()| put(path, before));
            told.push(format!(
                "{} {what}: {}",
                path.display(),
                done(repaired, "put back")
            ));
        }
        running.commands -= 1;
        if running.commands == 0 {
            running.remembered.clear();
            running.ways.clear();
        }
        told
    }

    /// The folders of the workspace above `paths` that are none by way of a link.
    fn ways<'p>(&self, paths: impl Iterator<Item = &'p PathBuf>) -> BTreeSet<PathBuf> {
        let above = paths.flat_map(|path| path.ancestors().skip(1));
        above
            .filter(|folder| *folder != self.root && folder.starts_with(&self.root))
            .filter(|folder| !folder.is_symlink())
            .map(Path::to_owned)
            .collect()
    }

    /// Everything protected that there is.
    fn look(&self) -> BTreeMap<PathBuf, Entry> {
        let mut found = BTreeMap::new();
        let mut budget = Budget {
            bytes: MAX_BYTES,
            names: MAX_NAMES,
        };
        for path in &self.kept.files {
            collect(path, &mut found, &mut budget);
        }
        collect(&self.root.join(".tau"), &mut found, &mut budget);
        if !self.paths.protect.is_empty() {
            self.search(&self.root, &mut found, &mut budget);
        }
        found
    }

    /// What the profile's globs protect in the workspace.
    fn search(&self, folder: &Path, found: &mut BTreeMap<PathBuf, Entry>, budget: &mut Budget) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            if budget.names == 0 {
                return;
            }
            budget.names -= 1;
            let path = entry.path();
            let relative = path.strip_prefix(&self.root).unwrap_or(&path);
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // What git itself writes there is its business.
            if entry.file_name() == ".git" {
                continue;
            }
            if self
                .paths
                .protection(&relative.to_string_lossy(), true, false)
                .is_some()
            {
                collect(&path, found, budget);
            } else if is_folder {
                self.search(&path, found, budget);
            }
        }
    }

    /// Moves what is at `path` out of the way.
    fn reject(&self, path: &Path) -> io::Result<()> {
        let Some(entry) = look_at(path) else {
            return Ok(());
        };
        if let (Entry::File { .. } | Entry::Large(..), Some(folder)) = (&entry, &self.kept.rejected)
        {
            fs::create_dir_all(folder)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let free = (0..1_000)
                .map(|number| folder.join(format!("{name}.{number}")))
                .find(|free| !free.exists());
            if let Some(free) = free {
                fs::copy(path, free)?;
            }
        }
        match entry {
            Entry::Folder => fs::remove_dir(path).or_else(|_| fs::remove_dir_all(path)),
            _ => fs::remove_file(path),
        }
    }
}

impl Watch<'_> {
    /// Puts back what changed and says what that was; one line each.
    pub(super) fn end(mut self) -> Vec<String> {
        self.0.take().map(Keeper::end).unwrap_or_default()
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // The call was given up: nobody hears what was put back.
        if let Some(keeper) = self.0.take() {
            keeper.end();
        }
    }
}

struct Budget {
    bytes: u64,
    names: usize,
}

fn collect(path: &Path, found: &mut BTreeMap<PathBuf, Entry>, budget: &mut Budget) {
    let Some(entry) = look_at(path) else {
        return;
    };
    budget.names = budget.names.saturating_sub(1);
    if let Entry::File { content, .. } = &entry {
        budget.bytes = budget.bytes.saturating_sub(content.len() as u64);
    }
    let is_folder = entry == Entry::Folder;
    found.insert(path.to_owned(), entry);
    if is_folder && budget.names > 0 && budget.bytes > 0 {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            collect(&entry.path(), found, budget);
        }
    }
}

fn look_at(path: &Path) -> Option<Entry> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if metadata.is_symlink() {
        return fs::read_link(path).ok().map(Entry::Link);
    }
    if metadata.is_dir() {
        return Some(Entry::Folder);
    }
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Some(Entry::Large(metadata.len(), metadata.modified().ok()));
    }
    Some(Entry::File {
        content: fs::read(path).ok()?,
        mode: mode(&metadata),
        linked: has_other_names(&metadata),
    })
}

fn put(path: &Path, entry: &Entry) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match entry {
        Entry::Folder => fs::create_dir(path),
        Entry::File { content, mode, .. } => {
            fs::write(path, content)?;
            set_mode(path, *mode)
        }
        #[cfg(unix)]
        Entry::Link(target) => std::os::unix::fs::symlink(target, path),
        #[cfg(not(unix))]
        Entry::Link(_) => Err(io::Error::other("links are not made again here")),
        Entry::Large(..) => Err(io::Error::other("it was too large to remember")),
    }
}

fn done(result: io::Result<()>, what: &str) -> String {
    match result {
        Ok(()) => what.into(),
        Err(error) => format!("NOT {what} ({error})"),
    }
}

/// Whether the file could be written by another name.
#[cfg(unix)]
fn has_other_names(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
