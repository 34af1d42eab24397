//! What a home implements to give programs directories.
//!
//! An implementation holds one invariant: no path, whatever it says and whatever links are in the
//! way, leads out of the directory it was given. What tries to gets [`Errno::NotPermitted`].

use crate::Errno;
use alloc::{boxed::Box, string::String, vec::Vec};
use core::any::Any;

/// What kind of thing a name stands for. The numbers are WASI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// None of the others.
    Unknown = 0,
    /// A device of characters: a terminal.
    Character = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    File = 4,
    /// A symbolic link.
    Link = 7,
}

/// What is known of a file. Times are in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The file system's number.
    pub device: u64,
    /// The file's number in it.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// How many names it has.
    pub links: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Last read.
    pub accessed_ns: u64,
    /// Last written.
    pub modified_ns: u64,
    /// Last changed in any way.
    pub changed_ns: u64,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the directory.
    pub name: String,
    /// The file's number.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
}

/// How something is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags {
    /// To read it.
    pub read: bool,
    /// To write it.
    pub write: bool,
    /// Making a file where there is none.
    pub create: bool,
    /// Only where there was none.
    pub exclusive: bool,
    /// Emptying it.
    pub truncate: bool,
    /// Only a directory.
    pub directory: bool,
    /// Following a symbolic link that the last name is.
    pub follow: bool,
}

/// New times of a file in nanoseconds since 1970; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Last read.
    pub accessed_ns: Option<u64>,
    /// Last written.
    pub modified_ns: Option<u64>,
}

/// What was opened.
pub enum Opened {
    /// A regular file.
    File(Box<dyn File>),
    /// A directory.
    Directory(Box<dyn Directory>),
}

/// A directory, and everything below it. Paths are relative to it, with `/` between names.
///
/// Whether the program may write is decided before a method is called.
pub trait Directory: Any {
    /// Opens a file or a directory. Anything else, a pipe or a device, is [`Errno::NotSupported`].
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Opened, Errno>;
    /// The names in it, without `.` and `..`, in order of their bytes.
    fn entries(&self) -> Result<Vec<Entry>, Errno>;
    /// What is known of what `path` names; `.` is the directory itself.
    fn stat(&self, path: &str, follow: bool) -> Result<Stat, Errno>;
    /// Sets the times of what `path` names.
    fn set_times(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno>;
    /// Makes a directory.
    fn create_directory(&self, path: &str) -> Result<(), Errno>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &str) -> Result<(), Errno>;
    /// Removes a file or a link.
    fn remove_file(&self, path: &str) -> Result<(), Errno>;
    /// Renames, replacing what is at `to`. `target` is of the same type, or
    /// [`Errno::OtherDevice`] comes back.
    fn rename(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno>;
    /// Gives a file a second name.
    fn link(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno>;
    /// Makes a symbolic link that says `text`. One that would lead out is refused already here.
    fn symlink(&self, text: &str, path: &str) -> Result<(), Errno>;
    /// What a symbolic link says.
    fn read_link(&self, path: &str) -> Result<String, Errno>;
}

/// An open file. It has no position: reads and writes say where.
pub trait File {
    /// Reads at most `buffer.len()` bytes at `offset`; 0 is the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno>;
    /// Writes at `offset` and says how many bytes it took.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno>;
    /// Makes it `size` bytes long.
    fn set_size(&self, size: u64) -> Result<(), Errno>;
    /// What is known of it.
    fn stat(&self) -> Result<Stat, Errno>;
    /// Sets its times.
    fn set_times(&self, times: Times) -> Result<(), Errno>;
    /// Waits until it is on the disk.
    fn sync(&self) -> Result<(), Errno>;
}
