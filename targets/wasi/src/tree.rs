//! Directories in memory: what a page or a Worker can give a program, and the same in every home.
//!
//! Links are kept and not followed: a path through one fails, so none leads out.

use crate::{Directory, Entry, Errno, File, Kind, OpenFlags, Opened, Stat, Times};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    any::Any,
    cell::{Cell, RefCell},
};

/// A directory in memory. Clones are the same directory.
#[derive(Clone)]
pub struct Tree {
    node: Rc<Node>,
    /// The number of the next file, in the order they are made: never an address.
    next: Rc<Cell<u64>>,
}

struct Node {
    inode: u64,
    times: RefCell<Times>,
    what: What,
}

enum What {
    Directory(RefCell<BTreeMap<String, Rc<Node>>>),
    File(RefCell<Vec<u8>>),
    Link(String),
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty directory.
    pub fn new() -> Self {
        Self {
            node: Node::new(1, What::Directory(RefCell::default())),
            next: Rc::new(Cell::new(2)),
        }
    }

    /// Puts a file with these bytes at `path`, making the directories on the way.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let mut names = path.split('/').peekable();
        let mut at = self.clone();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                let file = at.child(What::File(RefCell::new(bytes.to_vec())));
                at.names()?.borrow_mut().insert(name.to_string(), file);
                return Ok(());
            }
            let found = at.names()?.borrow().get(name).cloned();
            let next = found.unwrap_or_else(|| {
                let made = at.child(What::Directory(RefCell::default()));
                if let Ok(names) = at.names() {
                    names.borrow_mut().insert(name.to_string(), made.clone());
                }
                made
            });
            at = at.with(next);
        }
        Err(Errno::Invalid)
    }

    /// The bytes of the file at `path`.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, Errno> {
        match &self.find(path)?.what {
            What::File(bytes) => Ok(bytes.borrow().clone()),
            _ => Err(Errno::IsDirectory),
        }
    }

    fn names(&self) -> Result<&RefCell<BTreeMap<String, Rc<Node>>>, Errno> {
        match &self.node.what {
            What::Directory(names) => Ok(names),
            _ => Err(Errno::NotDirectory),
        }
    }

    /// Another directory of the same tree.
    fn with(&self, node: Rc<Node>) -> Self {
        let next = self.next.clone();
        Self { node, next }
    }

    /// A new node with a number of its own.
    fn child(&self, what: What) -> Rc<Node> {
        let inode = self.next.replace(self.next.get() + 1);
        Node::new(inode, what)
    }

    /// The directory that holds the last name of `path`, and that name; `.` for the tree itself.
    fn split<'a>(&self, path: &'a str) -> Result<(Self, &'a str), Errno> {
        if path.starts_with('/') {
            return Err(Errno::NotPermitted);
        }
        let mut above: Vec<Self> = Vec::new();
        let mut at = self.clone();
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let is_last = names.peek().is_none();
            match name {
                "." if is_last => return Ok((at, ".")),
                "." => {}
                ".." => {
                    at = above.pop().ok_or(Errno::NotPermitted)?;
                    if is_last {
                        return Ok((at, "."));
                    }
                }
                _ if is_last => return Ok((at, name)),
                _ => {
                    let next = at.entry(name)?;
                    if matches!(next.what, What::Link(_)) {
                        return Err(Errno::Loop);
                    }
                    let below = at.with(next);
                    above.push(core::mem::replace(&mut at, below));
                }
            }
        }
        Ok((at, "."))
    }

    fn entry(&self, name: &str) -> Result<Rc<Node>, Errno> {
        if name == "." {
            return Ok(self.node.clone());
        }
        let found = self.names()?.borrow().get(name).cloned();
        found.ok_or(Errno::NotFound)
    }

    fn find(&self, path: &str) -> Result<Rc<Node>, Errno> {
        let (parent, name) = self.split(path)?;
        let node = parent.entry(name)?;
        match (&node.what, path.ends_with('/')) {
            (What::File(_) | What::Link(_), true) => Err(Errno::NotDirectory),
            _ => Ok(node),
        }
    }

    /// Puts `node` under a name that is free, or held by what may be replaced.
    fn place(&self, path: &str, node: Rc<Node>, replaces: bool) -> Result<(), Errno> {
        let (parent, name) = self.split(path)?;
        if name == "." || (parent.entry(name).is_ok() && !replaces) {
            return Err(Errno::Exists);
        }
        let names = parent.names()?;
        names.borrow_mut().insert(name.to_string(), node);
        Ok(())
    }

    fn remove(&self, path: &str, is_right: fn(&What) -> Result<(), Errno>) -> Result<(), Errno> {
        let (parent, name) = self.split(path)?;
        if name == "." {
            return Err(Errno::Invalid);
        }
        is_right(&self.find(path)?.what)?;
        parent.names()?.borrow_mut().remove(name);
        Ok(())
    }
}

impl Node {
    fn new(inode: u64, what: What) -> Rc<Self> {
        Rc::new(Self {
            inode,
            times: RefCell::default(),
            what,
        })
    }

    fn stat(&self) -> Stat {
        let times = *self.times.borrow();
        let (kind, size) = match &self.what {
            What::Directory(_) => (Kind::Directory, 0),
            What::File(bytes) => (Kind::File, bytes.borrow().len() as u64),
            What::Link(text) => (Kind::Link, text.len() as u64),
        };
        Stat {
            device: 1,
            inode: self.inode,
            kind,
            links: 1,
            size,
            accessed_ns: times.accessed_ns.unwrap_or(0),
            modified_ns: times.modified_ns.unwrap_or(0),
            changed_ns: times.modified_ns.unwrap_or(0),
        }
    }

    fn set_times(&self, times: Times) {
        let mut own = self.times.borrow_mut();
        own.accessed_ns = times.accessed_ns.or(own.accessed_ns);
        own.modified_ns = times.modified_ns.or(own.modified_ns);
    }
}

fn is_empty_directory(what: &What) -> Result<(), Errno> {
    match what {
        What::Directory(names) if names.borrow().is_empty() => Ok(()),
        What::Directory(_) => Err(Errno::NotEmpty),
        _ => Err(Errno::NotDirectory),
    }
}

fn is_file(what: &What) -> Result<(), Errno> {
    match what {
        What::Directory(_) => Err(Errno::IsDirectory),
        _ => Ok(()),
    }
}

/// `target` as a tree.
fn tree(target: &dyn Directory) -> Result<&Tree, Errno> {
    let target: &dyn Any = target;
    target.downcast_ref().ok_or(Errno::OtherDevice)
}

impl Directory for Tree {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Opened, Errno> {
        let node = match self.find(path) {
            Ok(_) if flags.create && flags.exclusive => return Err(Errno::Exists),
            Err(Errno::NotFound) if flags.create => {
                let made = self.split(path)?.0.child(What::File(RefCell::default()));
                self.place(path, made.clone(), false)?;
                made
            }
            other => other?,
        };
        match &node.what {
            What::Directory(_) if flags.write && !flags.directory => Err(Errno::IsDirectory),
            What::Directory(_) => Ok(Opened::Directory(Box::new(self.with(node)))),
            What::Link(_) => Err(Errno::Loop),
            What::File(_) if flags.directory => Err(Errno::NotDirectory),
            What::File(bytes) => {
                if flags.truncate {
                    bytes.borrow_mut().clear();
                }
                Ok(Opened::File(Box::new(OpenNode(node))))
            }
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let names = self.names()?.borrow();
        let entries = names.iter().map(|(name, node)| Entry {
            name: name.clone(),
            inode: node.inode,
            kind: node.stat().kind,
        });
        Ok(entries.collect())
    }

    fn stat(&self, path: &str, follow: bool) -> Result<Stat, Errno> {
        let stat = self.find(path)?.stat();
        match (stat.kind, follow) {
            (Kind::Link, true) => Err(Errno::Loop),
            _ => Ok(stat),
        }
    }

    fn set_times(&self, path: &str, _: bool, times: Times) -> Result<(), Errno> {
        self.find(path)?.set_times(times);
        Ok(())
    }

    fn create_directory(&self, path: &str) -> Result<(), Errno> {
        let made = self
            .split(path)?
            .0
            .child(What::Directory(RefCell::default()));
        self.place(path, made, false)
    }

    fn remove_directory(&self, path: &str) -> Result<(), Errno> {
        self.remove(path, is_empty_directory)
    }

    fn remove_file(&self, path: &str) -> Result<(), Errno> {
        self.remove(path, is_file)
    }

    fn rename(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno> {
        let target = tree(target)?;
        let node = self.find(path)?;
        let (into, _) = target.split(to)?;
        if holds(&node, &into.node) {
            return Err(Errno::Invalid);
        }
        match (target.find(to), &node.what) {
            (Ok(old), _) if Rc::ptr_eq(&old, &node) => return Ok(()),
            (Ok(old), What::Directory(_)) => is_empty_directory(&old.what)?,
            (Ok(old), _) => is_file(&old.what)?,
            (Err(Errno::NotFound), _) => {}
            (Err(errno), _) => return Err(errno),
        }
        let (parent, name) = self.split(path)?;
        if name == "." {
            return Err(Errno::Invalid);
        }
        target.place(to, node, true)?;
        parent.names()?.borrow_mut().remove(name);
        Ok(())
    }

    fn link(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno> {
        let node = self.find(path)?;
        if matches!(node.what, What::Directory(_)) {
            return Err(Errno::Access);
        }
        tree(target)?.place(to, node, false)
    }

    fn symlink(&self, text: &str, path: &str) -> Result<(), Errno> {
        if text.starts_with('/') {
            return Err(Errno::NotPermitted);
        }
        let made = self.split(path)?.0.child(What::Link(text.to_string()));
        self.place(path, made, false)
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        match &self.find(path)?.what {
            What::Link(text) => Ok(text.clone()),
            _ => Err(Errno::Invalid),
        }
    }
}

/// Whether `inner` is `outer` or below it.
fn holds(outer: &Rc<Node>, inner: &Rc<Node>) -> bool {
    if Rc::ptr_eq(outer, inner) {
        return true;
    }
    match &outer.what {
        What::Directory(names) => names.borrow().values().any(|node| holds(node, inner)),
        _ => false,
    }
}

/// An open file of a tree.
struct OpenNode(Rc<Node>);

impl OpenNode {
    fn bytes(&self) -> Result<&RefCell<Vec<u8>>, Errno> {
        match &self.0.what {
            What::File(bytes) => Ok(bytes),
            _ => Err(Errno::BadFile),
        }
    }
}

/// A place in a file as a place in memory.
fn place(offset: u64) -> Result<usize, Errno> {
    usize::try_from(offset).map_err(|_| Errno::FileTooBig)
}

/// Makes `bytes` `size` long, as far as there is memory.
fn resize(bytes: &mut Vec<u8>, size: usize) -> Result<(), Errno> {
    let more = size.saturating_sub(bytes.len());
    bytes.try_reserve(more).map_err(|_| Errno::NoSpace)?;
    bytes.resize(size, 0);
    Ok(())
}

impl File for OpenNode {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let bytes = self.bytes()?.borrow();
        let rest = bytes.get(place(offset)?..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> Result<usize, Errno> {
        let mut bytes = self.bytes()?.borrow_mut();
        let start = place(offset)?;
        let end = start.checked_add(new.len()).ok_or(Errno::FileTooBig)?;
        if end > bytes.len() {
            resize(&mut bytes, end)?;
        }
        bytes[start..end].copy_from_slice(new);
        Ok(new.len())
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        resize(&mut self.bytes()?.borrow_mut(), place(size)?)
    }

    fn stat(&self) -> Result<Stat, Errno> {
        Ok(self.0.stat())
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        self.0.set_times(times);
        Ok(())
    }

    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }
}
