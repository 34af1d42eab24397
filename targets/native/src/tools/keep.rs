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
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tau_core::policy::{Paths, paths::PROTECTED};

/// Larger files are watched by their size and time alone, and cannot be put back.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// All that is remembered.
const MAX_BYTES: u64 = 64 << 20;
/// How many names of the workspace are looked at for protected ones.
const MAX_NAMES: usize = 20_000;
/// How much of names with their folders: a tree may be as deep as a name is long.
const MAX_PATH_BYTES: usize = 4 << 20;

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
    /// What of the workspace was found to be protected, by all commands so far.
    seen: Mutex<BTreeSet<PathBuf>>,
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
            seen: Mutex::default(),
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

    /// What of the workspace no tool writes and is there: where it begins, not what is below.
    ///
    /// It is looked for in so many names. What the workspace itself holds by a name that is known, and
    /// what was found before, is in any case among it: a command cannot bury it below others.
    pub(super) fn protected(&self) -> Vec<PathBuf> {
        let fixed = self.paths.protect.iter().map(String::as_str);
        let known = PROTECTED.iter().copied().chain(fixed);
        let known = known.map(|name| self.root.join(name.trim_matches('/')));
        let mut seen = locked(&self.seen);
        seen.extend(known);
        seen.retain(|path| {
            // By way of a link it would be somebody else's.
            let folder = path.parent().unwrap_or(path);
            let is_here = folder.canonicalize().is_ok_and(|real| real == folder);
            is_here && self.is_protected(path) && path.symlink_metadata().is_ok()
        });
        let mut names = MAX_NAMES;
        let mut bytes = MAX_PATH_BYTES;
        let mut folders = VecDeque::from([self.root.clone()]);
        // Whole folders first: what lies near is found before what lies deep.
        while let Some(folder) = folders.pop_front() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                names = names.saturating_sub(1);
                bytes = bytes.saturating_sub(path.as_os_str().len());
                if names == 0 || bytes == 0 {
                    return seen.iter().cloned().collect();
                }
                if self.is_protected(&path) {
                    seen.insert(path);
                } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push_back(path);
                }
            }
        }
        seen.iter().cloned().collect()
    }

    fn is_protected(&self, path: &Path) -> bool {
        path.strip_prefix(&self.root).is_ok_and(|relative| {
            let written = relative.to_string_lossy();
            self.paths.protection(&written, true, false).is_some()
        })
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
            path_bytes: MAX_PATH_BYTES,
        };
        for path in &self.kept.files {
            collect(path, &mut found, &mut budget);
        }
        collect(&self.root.join(".tau"), &mut found, &mut budget);
        // However many names there are, those that the profile spells out are among them.
        for name in &self.paths.protect {
            let path = self.root.join(name.trim_matches('/'));
            if self.is_protected(&path) {
                collect(&path, &mut found, &mut budget);
            }
        }
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
            let path = entry.path();
            budget.names = budget.names.saturating_sub(1);
            budget.path_bytes = budget.path_bytes.saturating_sub(path.as_os_str().len());
            if budget.names == 0 || budget.path_bytes == 0 {
                return;
            }
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
    path_bytes: usize,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(root: &Path, protect: &[&str]) -> Keeper {
        let paths = Paths {
            protect: protect.iter().map(|&glob| glob.into()).collect(),
            workspace: root.display().to_string(),
            ..Paths::default()
        };
        Keeper::new(root, paths, Kept::default())
    }

    #[test]
    fn what_is_protected_is_not_buried_below_many_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for path in [".git", ".tau", "keys", "vendor/lib/.git"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("keys/server.pem"), "KEY").unwrap();
        let keeper = keeper(&root, &["keys/server.pem"]);
        let all =
            [".git", ".tau", "keys/server.pem", "vendor/lib/.git"].map(|path| root.join(path));
        assert_eq!(keeper.protected(), all);
        // In which order a folder is read is the file system's: some before, most after these.
        for number in 0..3 * MAX_NAMES {
            fs::write(root.join(format!("f{number}")), "").unwrap();
        }
        assert_eq!(keeper.protected(), all);
        assert!(keeper.look().contains_key(&all[2]));
        // Another one knows nothing of before, and still finds what has a known name.
        let later = self::keeper(&root, &["keys/server.pem"]).protected();
        assert!(
            all[..3].iter().all(|path| later.contains(path)),
            "{later:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_became_somebody_elses_by_a_link_above_is_not_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("workspace");
        fs::create_dir_all(root.join("lib/.git")).unwrap();
        let keeper = keeper(&root, &[]);
        assert_eq!(keeper.protected(), [root.join("lib/.git")]);
        fs::rename(root.join("lib"), folder.path().join("lib")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("lib"), root.join("lib")).unwrap();
        assert_eq!(keeper.protected(), Vec::<PathBuf>::new());
    }
}
