//! The one door to files.
//!
//! Invariant: nothing outside the workspace is opened, listed, created or replaced, whatever the
//! path says and whatever other processes do to the tree meanwhile. A path is walked one name at a
//! time from the workspace's own handle; every step opens a directory below the last one without
//! following links (`openat2` with `RESOLVE_BENEATH` on Linux, its equivalent elsewhere, through
//! `cap-std`). A symbolic link is read and walked in the same way, so where it leads is decided
//! here and never by the kernel: swapping a name for a link between two steps makes the open fail.
//!
//! Absolute paths and links are followed when they name something inside the workspace.
//!
//! Refused besides: files with more than one hard link, because another name of the same content
//! may lie outside (package stores and git objects share content this way, so the message says how
//! to get a copy); and everything that is not a regular file, which is looked at before it is
//! opened because opening a device or a pipe can already have effects.
//!
//! Not covered: file systems that an administrator mounted into the workspace are part of it.

use std::{
    collections::{VecDeque, hash_map::DefaultHasher},
    ffi::{OsStr, OsString},
    hash::{Hash, Hasher},
    io::{self, ErrorKind},
    path::{Component, Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use cap_fs_ext::DirExt;
use cap_std::{ambient_authority, fs::Dir};

use tau_core::policy::Paths;

use super::{
    output::Fault,
    place::{Place, missing_fault, nearest},
    protect::refuse_protected,
};

/// How many links one path may lead through, and how often a step is tried again when the tree
/// changes under it.
const MAX_LINKS: usize = 40;
/// How many names one path may have, counting those that links add.
const MAX_NAMES: usize = 512;

/// Why a workspace cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("workspace {} cannot be opened", path.display())]
pub struct WorkspaceError {
    /// The directory as given.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// A directory, held open, that paths are resolved in.
#[derive(Debug)]
pub(super) struct Workspace {
    dir: Dir,
    /// The same directory by name: canonical, then as given.
    roots: [PathBuf; 2],
    /// What must not be written.
    paths: Paths,
    /// Held while a file is read and replaced, chosen by the file's path.
    edits: [Mutex<()>; 16],
}

/// What the caller will do at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Look; everything on the way must exist.
    Read,
    /// Create or replace; missing directories on the way are made.
    Write,
}

impl Workspace {
    /// Opens the directory at `path`, links followed: the operator chose it.
    pub(super) fn open(path: &Path, paths: Paths) -> Result<Self, WorkspaceError> {
        let failed = |source| WorkspaceError {
            path: path.to_owned(),
            source,
        };
        let given = std::path::absolute(path).map_err(failed)?;
        let real = std::fs::canonicalize(path).map_err(failed)?;
        let dir = Dir::open_ambient_dir(&real, ambient_authority()).map_err(failed)?;
        let paths = Paths {
            workspace: real.to_string_lossy().into_owned(),
            ..paths
        };
        Ok(Self {
            dir,
            paths,
            roots: [real, given],
            edits: Default::default(),
        })
    }

    /// The canonical path of the directory.
    pub(super) fn root(&self) -> &Path {
        &self.roots[0]
    }

    /// What must not be written, with the workspace known.
    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Keeps two calls from changing the same file at once. Take it before reading what is to be
    /// replaced.
    pub(super) fn lock(&self, place: &Place) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        // Names that differ in case may be one file.
        place.real.to_lowercase().hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % self.edits.len() as u64).unwrap_or(0);
        self.edits[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds where `path` leads. The last name need not exist.
    pub(super) fn resolve(&self, path: &str, access: Access) -> Result<Place, Fault> {
        let mut walk = Steps {
            workspace: self,
            path,
            access,
            opened: Vec::new(),
            names: Vec::new(),
            todo: VecDeque::new(),
            links: 0,
        };
        walk.queue(Path::new(path))?;
        let place = walk.run()?;
        if access == Access::Write {
            refuse_protected(&self.paths, path, &place.real)?;
        }
        Ok(place)
    }

    /// The existing directory that `path` leads to.
    pub(super) fn directory(&self, path: &str) -> Result<(Dir, String), Fault> {
        let place = self.resolve(path, Access::Read)?;
        let dir = place.open_dir(path)?;
        Ok((dir, place.real))
    }

    /// `path` from the workspace, or nothing when it is absolute and elsewhere.
    fn relative<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        let mut components = path.components();
        match components.next() {
            Some(Component::RootDir | Component::Prefix(_)) => self
                .roots
                .iter()
                .find_map(|root| path.strip_prefix(root).ok()),
            _ => Some(path),
        }
    }
}

/// A path on its way to a [`Place`].
struct Steps<'a> {
    workspace: &'a Workspace,
    path: &'a str,
    access: Access,
    opened: Vec<Dir>,
    names: Vec<OsString>,
    todo: VecDeque<Step>,
    links: usize,
}

enum Step {
    Up,
    Into(OsString),
}

impl Steps<'_> {
    /// Puts the components of `path` in front of what is still to walk.
    fn queue(&mut self, path: &Path) -> Result<(), Fault> {
        let Some(relative) = self.workspace.relative(path) else {
            return Err(self.outside());
        };
        if path.is_absolute() {
            self.opened.clear();
            self.names.clear();
        }
        for component in relative.components().rev() {
            self.todo.push_front(match component {
                Component::Normal(name) => Step::Into(name.to_owned()),
                Component::ParentDir => Step::Up,
                Component::CurDir => continue,
                Component::RootDir | Component::Prefix(_) => return Err(self.outside()),
            });
        }
        if self.todo.len() + self.names.len() > MAX_NAMES {
            return Err(Fault::new(format!(
                "{} has too many names in it",
                self.path
            )));
        }
        Ok(())
    }

    fn run(mut self) -> Result<Place, Fault> {
        while let Some(step) = self.todo.pop_front() {
            match step {
                Step::Up if self.opened.pop().is_none() => return Err(self.outside()),
                Step::Up => {
                    self.names.pop();
                }
                Step::Into(name) => {
                    if let Some(last) = self.enter(name)? {
                        return self.finish(Some(last));
                    }
                }
            }
        }
        self.finish(None)
    }

    /// Takes one name; gives it back when the path ends there.
    fn enter(&mut self, name: OsString) -> Result<Option<OsString>, Fault> {
        let last = self.todo.is_empty();
        let here = self.opened.last().unwrap_or(&self.workspace.dir);
        let kind = match here.symlink_metadata(&name) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound && last => return Ok(Some(name)),
            Err(error) if error.kind() == ErrorKind::NotFound && self.access == Access::Write => {
                return self.make_dir(name).map(|()| None);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let missing = self.display(&name);
                let near = nearest(here, &name);
                return Err(missing_fault(&missing, near));
            }
            Err(error) => return Err(Fault::io(format!("cannot look at {}", self.path), &error)),
        };
        if kind.is_symlink() {
            let target = here.read_link_contents(&name);
            self.again()?;
            return match target {
                Ok(target) => self.queue(&target).map(|()| None),
                // No longer a link: look again.
                Err(_) => {
                    self.todo.push_front(Step::Into(name));
                    Ok(None)
                }
            };
        }
        if last {
            return Ok(Some(name));
        }
        if !kind.is_dir() {
            return Err(Fault::new(format!(
                "{} is not a directory",
                self.display(&name)
            )));
        }
        match here.open_dir_nofollow(&name) {
            Ok(dir) => {
                self.opened.push(dir);
                self.names.push(name);
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(Fault::io(
                    format!("cannot open {}", self.display(&name)),
                    &error,
                ));
            }
            // Swapped since it was looked at: look again.
            Err(_) => {
                self.again()?;
                self.todo.push_front(Step::Into(name));
            }
        }
        Ok(None)
    }

    fn make_dir(&mut self, name: OsString) -> Result<(), Fault> {
        let new = self.display(&name);
        refuse_protected(&self.workspace.paths, self.path, &new)?;
        let here = self.opened.last().unwrap_or(&self.workspace.dir);
        match here.create_dir(&name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(Fault::io(format!("cannot create directory {new}"), &error))
            }
            _ => {
                self.again()?;
                self.todo.push_front(Step::Into(name));
                Ok(())
            }
        }
    }

    fn again(&mut self) -> Result<(), Fault> {
        self.links += 1;
        // Directories that are made count as names, not as links.
        if self.links > MAX_LINKS + self.names.len() {
            return Err(Fault::new(format!(
                "{} leads through too many links",
                self.path
            )));
        }
        Ok(())
    }

    fn display(&self, name: &OsStr) -> String {
        let mut text = String::new();
        for name in self.names.iter().map(OsString::as_os_str).chain([name]) {
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(&name.to_string_lossy());
        }
        text
    }

    fn finish(mut self, name: Option<OsString>) -> Result<Place, Fault> {
        let real = match (&name, self.names.split_last()) {
            (Some(name), _) => self.display(name),
            (None, Some((last, rest))) => {
                let last = last.clone();
                self.names = rest.to_vec();
                self.display(&last)
            }
            (None, None) => String::new(),
        };
        let parent = match self.opened.pop() {
            Some(dir) => dir,
            None => self
                .workspace
                .dir
                .try_clone()
                .map_err(|error| Fault::io("cannot open the workspace", &error))?,
        };
        Ok(Place { parent, name, real })
    }

    fn outside(&self) -> Fault {
        Fault::denied(format!("{} is outside the workspace", self.path)).hint(format!(
            "use a path inside {}, best relative to it",
            self.workspace.root().display()
        ))
    }
}
