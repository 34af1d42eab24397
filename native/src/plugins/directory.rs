//! A directory as a tool is given it: what no tool may write stays as it is, whatever leads there.
//!
//! The handle beneath lets no path out of the directory. This one looks at where in the workspace a
//! path is. A symbolic link would make that another place, so a path through one is not written, and
//! no handle is given on what a link leads to; nor is a file written that has a second name.

use std::{
    any::Any,
    path::{Path, PathBuf},
    sync::Arc,
};
use tau_core::policy::Paths;
use tau_target_wasi::{
    Directory, Entry, Errno, Kind, OpenFlags, Opened, Stat, Times, native::HostDirectory,
};

/// What must stay as it is, for all handles of a call.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) paths: Paths,
    /// Folders within the workspace that are not there for tools, from the workspace.
    pub(super) hidden: Vec<PathBuf>,
}

/// A directory of the workspace.
pub(super) struct Kept {
    inner: Box<dyn Directory>,
    /// Where it is, from the workspace; empty for the workspace itself.
    at: String,
    rules: Arc<Rules>,
}

impl Kept {
    /// The directory `path` of `workspace`, which it may be or lie in.
    pub(super) fn open(workspace: &str, path: &str, rules: Arc<Rules>) -> Result<Self, Errno> {
        let root = Self {
            inner: Box::new(HostDirectory::open(workspace).map_err(|_| Errno::NotFound)?),
            at: String::new(),
            rules,
        };
        let names: Vec<&str> = path
            .split('/')
            .filter(|name| !matches!(*name, "" | "."))
            .collect();
        if names.is_empty() {
            return Ok(root);
        }
        match Directory::open(&root, &names.join("/"), folder())? {
            Opened::Directory(directory) => {
                let directory: Box<dyn Any> = directory;
                directory
                    .downcast()
                    .map(|kept| *kept)
                    .map_err(|_| Errno::Io)
            }
            Opened::File(_) => Err(Errno::NotDirectory),
        }
    }

    /// `path` from the workspace. Where no name of it is a link, that is where it leads.
    fn place(&self, path: &str) -> String {
        let mut names: Vec<&str> = Vec::new();
        for name in self.at.split('/').chain(path.split('/')) {
            match name {
                "" | "." => {}
                ".." => {
                    names.pop();
                }
                name => names.push(name),
            }
        }
        names.join("/")
    }

    fn seen(&self, path: &str) -> Result<(), Errno> {
        let hides = |hidden: &PathBuf| Path::new(&self.place(path)).starts_with(hidden);
        if self.rules.hidden.is_empty() {
            return Ok(());
        }
        // Beside something hidden, a link could lead to it.
        self.without_links(path)?;
        match self.rules.hidden.iter().any(hides) {
            true => Err(Errno::NotFound),
            false => Ok(()),
        }
    }

    /// Whether what `path` names, with all below it where `whole`, may be changed.
    fn changes(&self, path: &str, whole: bool) -> Result<(), Errno> {
        self.seen(path)?;
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        self.without_links(above)?;
        match self.rules.paths.protection(&self.place(path), true, whole) {
            Some(_) => Err(Errno::NotPermitted),
            None => Ok(()),
        }
    }

    /// No name of `path` is a link.
    fn without_links(&self, path: &str) -> Result<(), Errno> {
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([path.len()]);
        for end in ends.filter(|end| *end > 0) {
            match self.inner.stat(&path[..end], false) {
                Ok(stat) if stat.kind == Kind::Link => return Err(Errno::NotPermitted),
                Err(Errno::NotFound) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    fn inner_of(target: &dyn Directory) -> Result<&Self, Errno> {
        let target: &dyn Any = target;
        target.downcast_ref().ok_or(Errno::OtherDevice)
    }
}

fn folder() -> OpenFlags {
    OpenFlags {
        read: true,
        directory: true,
        ..OpenFlags::default()
    }
}

impl Directory for Kept {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Opened, Errno> {
        self.seen(path)?;
        if flags.write || flags.create || flags.truncate {
            self.changes(path, false)?;
            self.without_links(path)?;
        }
        match self.inner.open(path, flags)? {
            Opened::Directory(inner) => {
                self.without_links(path)?;
                Ok(Opened::Directory(Box::new(Self {
                    inner,
                    at: self.place(path),
                    rules: Arc::clone(&self.rules),
                })))
            }
            Opened::File(file) if flags.write && file.stat()?.links > 1 => Err(Errno::NotPermitted),
            file => Ok(file),
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let mut entries = self.inner.entries()?;
        let hidden = |entry: &Entry| {
            let place = PathBuf::from(self.place(&entry.name));
            self.rules.hidden.contains(&place)
        };
        entries.retain(|entry| !hidden(entry));
        Ok(entries)
    }

    fn stat(&self, path: &str, follow: bool) -> Result<Stat, Errno> {
        self.seen(path)?;
        self.inner.stat(path, follow)
    }

    fn set_times(&self, path: &str, _: bool, times: Times) -> Result<(), Errno> {
        self.changes(path, false)?;
        self.inner.set_times(path, false, times)
    }

    fn create_directory(&self, path: &str) -> Result<(), Errno> {
        self.changes(path, false)?;
        self.inner.create_directory(path)
    }

    fn remove_directory(&self, path: &str) -> Result<(), Errno> {
        self.changes(path, true)?;
        self.inner.remove_directory(path)
    }

    fn remove_file(&self, path: &str) -> Result<(), Errno> {
        self.changes(path, false)?;
        self.inner.remove_file(path)
    }

    fn rename(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno> {
        let target = Self::inner_of(target)?;
        self.changes(path, true)?;
        target.changes(to, true)?;
        self.inner.rename(path, &*target.inner, to)
    }

    fn link(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno> {
        let target = Self::inner_of(target)?;
        self.changes(path, false)?;
        target.changes(to, false)?;
        self.inner.link(path, &*target.inner, to)
    }

    fn symlink(&self, text: &str, path: &str) -> Result<(), Errno> {
        self.changes(path, false)?;
        self.inner.symlink(text, path)
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        self.seen(path)?;
        self.inner.read_link(path)
    }
}

#[cfg(test)]
mod tests;
