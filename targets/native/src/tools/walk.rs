//! Walking a tree of the workspace, for `glob` and `grep`.
//!
//! Invariant: directories are opened from their parent's handle and links are never followed, so a
//! walk cannot be led out of the workspace by renaming things under it. This is why the walker of
//! the `ignore` crate, which opens by path, is not used; its rules are.
//!
//! `.gitignore` and `.ignore` files apply as in git and ripgrep, whether or not there is a
//! repository; hidden files are visited; `.git` and `.tau` are not, unless the walk starts in them.

use std::{
    ffi::{OsStr, OsString},
    io::Read,
    iter,
    ops::ControlFlow,
};

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use tau_core::policy::paths::{PROTECTED, is_spelling_of};

use super::{
    Cancelled,
    output::{Fault, plural},
    place::open_regular,
    workspace::Workspace,
};

/// Each level keeps a directory open.
const MAX_DEPTH: usize = 100;
/// Names of one directory, which are held in memory to sort them.
const MAX_ENTRIES: usize = 100_000;
const MAX_RULES_BYTES: u64 = 1 << 20;

/// A file that a walk came upon.
pub(super) struct Found<'a> {
    /// The directory it is in.
    pub(super) dir: &'a Dir,
    /// Its name there.
    pub(super) name: &'a OsStr,
    /// Its path from the workspace.
    pub(super) path: &'a str,
    /// Whether it is a link, which leads nobody knows where.
    pub(super) is_link: bool,
}

/// A walk in the order of the paths.
pub(super) struct Walk<'a> {
    cancelled: &'a Cancelled,
    /// Rules of the directories above the current one, with the length of their path.
    rules: Vec<(usize, Gitignore)>,
    /// Directories that could not be opened, or not completely.
    pub(super) left_out: u64,
}

impl<'a> Walk<'a> {
    /// Visits the files below the directory at `path`, until the visitor breaks or the call ends.
    pub(super) fn run(
        workspace: &Workspace,
        path: &str,
        cancelled: &'a Cancelled,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<Self, Fault> {
        let (dir, real) = workspace.directory(path)?;
        let mut walk = Self {
            cancelled,
            rules: Vec::new(),
            left_out: 0,
        };
        // The rules of the directories above apply below as well.
        if !real.is_empty() {
            for end in iter::once(0).chain(real.match_indices('/').map(|(at, _)| at)) {
                let parent = if end == 0 { "." } else { &real[..end] };
                if let Ok((dir, _)) = workspace.directory(parent) {
                    walk.read_rules(&dir, end);
                }
            }
        }
        let _ = walk.directory(&dir, &real, 0, visit);
        Ok(walk)
    }

    /// A line for the result when something was left out, otherwise nothing.
    pub(super) fn notice(&self) -> String {
        if self.left_out == 0 {
            return String::new();
        }
        let directories = plural(self.left_out, "directory was", "directories were");
        format!("[{directories} unreadable, too deep or too large, and left out]\n")
    }

    fn directory(
        &mut self,
        dir: &Dir,
        path: &str,
        depth: usize,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let outer = self.rules.len();
        self.read_rules(dir, path.len());
        let flow = self
            .entries(dir)
            .into_iter()
            .try_for_each(|entry| self.entry(dir, path, &entry, depth, visit));
        self.rules.truncate(outer);
        flow
    }

    fn entry(
        &mut self,
        dir: &Dir,
        above: &str,
        entry: &Entry,
        depth: usize,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.cancelled.is_set() {
            return ControlFlow::Break(());
        }
        let name = entry.key.trim_end_matches('/');
        let path = if above.is_empty() {
            name.to_owned()
        } else {
            format!("{above}/{name}")
        };
        let skipped = PROTECTED
            .iter()
            .any(|protected| is_spelling_of(name, protected));
        if skipped || self.is_ignored(&path, entry.is_dir) {
            return ControlFlow::Continue(());
        }
        if !entry.is_dir {
            return visit(Found {
                dir,
                name: &entry.name,
                path: &path,
                is_link: entry.is_link,
            });
        }
        match dir.open_dir_nofollow(&entry.name) {
            Ok(child) if depth < MAX_DEPTH => self.directory(&child, &path, depth + 1, visit),
            _ => {
                self.left_out += 1;
                ControlFlow::Continue(())
            }
        }
    }

    /// What is in `dir`, in the order that makes the paths below it sorted.
    fn entries(&mut self, dir: &Dir) -> Vec<Entry> {
        let Ok(read) = dir.entries() else {
            self.left_out += 1;
            return Vec::new();
        };
        let mut entries = Vec::new();
        for entry in read {
            let Ok((kind, entry)) = entry.and_then(|entry| Ok((entry.file_type()?, entry))) else {
                continue;
            };
            if entries.len() >= MAX_ENTRIES || self.cancelled.is_set() {
                self.left_out += 1;
                break;
            }
            if kind.is_dir() || kind.is_file() || kind.is_symlink() {
                entries.push(Entry::new(
                    entry.file_name(),
                    kind.is_dir(),
                    kind.is_symlink(),
                ));
            }
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    fn read_rules(&mut self, dir: &Dir, path_len: usize) {
        let mut builder = GitignoreBuilder::new("");
        let mut any = false;
        // Later lines win, so `.ignore` overrides `.gitignore`.
        for name in [".gitignore", ".ignore"] {
            let Ok((file, _)) = open_regular(dir, OsStr::new(name), name) else {
                continue;
            };
            let mut bytes = Vec::new();
            if file.take(MAX_RULES_BYTES).read_to_end(&mut bytes).is_err() {
                continue;
            }
            for line in String::from_utf8_lossy(&bytes).lines() {
                // As git does, a line that makes no sense is passed over.
                any |= builder.add_line(None, line).is_ok();
            }
        }
        if any && let Ok(rules) = builder.build() {
            self.rules.push((path_len, rules));
        }
    }

    fn is_ignored(&self, path: &str, is_dir: bool) -> bool {
        for (above, rules) in self.rules.iter().rev() {
            let below = path[*above..].trim_start_matches('/');
            match rules.matched(below, is_dir) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

struct Entry {
    name: OsString,
    /// The name, with `/` behind a directory's: `a-b` comes before `a/c`.
    key: String,
    is_dir: bool,
    is_link: bool,
}

impl Entry {
    fn new(name: OsString, is_dir: bool, is_link: bool) -> Self {
        let mut key = name.to_string_lossy().into_owned();
        if is_dir {
            key.push('/');
        }
        Self {
            name,
            key,
            is_dir,
            is_link,
        }
    }
}
