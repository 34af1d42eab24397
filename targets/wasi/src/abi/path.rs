//! What is done to a name in a directory. That no path leads out is the [`crate::Directory`]'s promise;
//! that nothing changes in a directory that is only read is decided here.

use super::{
    Arguments, Done,
    descriptor::{known_flags, put_stat, rights, times},
};
use crate::{
    Directory, Errno, Memory, OpenFlags, Opened, State,
    state::{Descriptor, OpenDirectory, OpenFile},
};
use alloc::{format, string::String};

/// In lookup flags: follow a symbolic link that the last name is.
const FOLLOW: u32 = 1;

/// How something is opened.
const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

/// The longest path, in bytes.
const MAX_PATH: u32 = 4096;

/// What looking a path up costs in fuel.
const LOOKUP_FUEL: u64 = 500;

/// Reads a path, which is text without zeroes.
fn path(state: &mut State, memory: &Memory<'_>, at: u32, length: u32) -> Result<String, Errno> {
    if length > MAX_PATH {
        return Err(Errno::NameTooLong);
    }
    let path = memory.text(at, length)?;
    if path.contains('\0') {
        return Err(Errno::Invalid);
    }
    if path.is_empty() {
        return Err(Errno::NotFound);
    }
    state.charge_call(LOOKUP_FUEL);
    Ok(path)
}

/// Remembers a path that led out.
fn noted<T>(state: &mut State, path: &str, result: Result<T, Errno>) -> Result<T, Errno> {
    if matches!(result, Err(Errno::NotPermitted)) {
        state.deny(format!("path {path:?}"));
    }
    result
}

/// The directory under `number` to change something in.
fn writable<'a>(state: &'a mut State, number: u32, path: &str) -> Result<&'a dyn Directory, Errno> {
    if !state.directory(number)?.writes {
        state.deny(format!("write {path:?}"));
        return Err(Errno::ReadOnly);
    }
    Ok(&*state.directory(number)?.directory)
}

/// `path_open(fd, dirflags, path, path_len, oflags, base, inheriting, fdflags, opened)`
pub(super) fn path_open(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let path = path(state, memory, a.u32(2), a.u32(3))?;
    let (oflags, base, fdflags) = (a.u32(4), a.u64(5), known_flags(a.u32(7))?);
    let asks = |right: u64| base & right != 0;
    let flags = OpenFlags {
        read: asks(rights::READ | rights::READDIR),
        write: asks(rights::WRITE | rights::ALLOCATE | rights::SET_SIZE),
        create: oflags & CREATE != 0,
        exclusive: oflags & EXCLUSIVE != 0,
        truncate: oflags & TRUNCATE != 0,
        directory: oflags & DIRECTORY != 0,
        follow: a.u32(1) & FOLLOW != 0,
    };
    if flags.directory && (flags.create || flags.exclusive || flags.truncate) {
        return Err(Errno::Invalid.into());
    }
    if flags.directory && flags.write {
        return Err(Errno::IsDirectory.into());
    }
    let may_write = state.directory(a.u32(0))?.writes;
    let changes = flags.write || flags.create || flags.truncate;
    if changes && !may_write {
        state.deny(format!("write {path:?}"));
        return Err(Errno::ReadOnly.into());
    }
    let opened = state.directory(a.u32(0))?.directory.open(&path, flags);
    let descriptor = match noted(state, &path, opened)? {
        Opened::File(file) => Descriptor::File(OpenFile {
            file,
            position: 0,
            reads: flags.read,
            writes: flags.write,
            changes: may_write,
            flags: fdflags,
        }),
        Opened::Directory(directory) => Descriptor::Directory(OpenDirectory {
            directory,
            writes: may_write,
            guest: None,
            entries: None,
        }),
    };
    let number = state.insert(descriptor)?;
    memory.put_u32(a.u32(8), number)?;
    Ok(())
}

/// `path_filestat_get(fd, flags, path, path_len, stat)`
pub(super) fn path_filestat_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let path = path(state, memory, a.u32(2), a.u32(3))?;
    let directory = &state.directory(a.u32(0))?.directory;
    let stat = directory.stat(&path, a.u32(1) & FOLLOW != 0);
    let stat = noted(state, &path, stat)?;
    put_stat(memory, a.u32(4), &stat)
}

/// `path_filestat_set_times(fd, flags, path, path_len, accessed, modified, which)`
pub(super) fn path_filestat_set_times(
    state: &mut State,
    memory: &mut Memory<'_>,
    a: Arguments,
) -> Done {
    let path = path(state, memory, a.u32(2), a.u32(3))?;
    let times = times(state, a.u64(4), a.u64(5), a.u32(6))?;
    let directory = writable(state, a.u32(0), &path)?;
    let done = directory.set_times(&path, a.u32(1) & FOLLOW != 0, times);
    Ok(noted(state, &path, done)?)
}

/// `path_create_directory(fd, path, path_len)`
pub(super) fn path_create_directory(
    state: &mut State,
    memory: &mut Memory<'_>,
    a: Arguments,
) -> Done {
    change(state, memory, a, |directory, path| {
        directory.create_directory(path)
    })
}

/// `path_remove_directory(fd, path, path_len)`
pub(super) fn path_remove_directory(
    state: &mut State,
    memory: &mut Memory<'_>,
    a: Arguments,
) -> Done {
    change(state, memory, a, |directory, path| {
        directory.remove_directory(path)
    })
}

/// `path_unlink_file(fd, path, path_len)`
pub(super) fn path_unlink_file(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    change(state, memory, a, |directory, path| {
        directory.remove_file(path)
    })
}

/// A change that takes a descriptor and a path.
fn change(
    state: &mut State,
    memory: &Memory<'_>,
    a: Arguments,
    change: fn(&dyn Directory, &str) -> Result<(), Errno>,
) -> Done {
    let path = path(state, memory, a.u32(1), a.u32(2))?;
    let done = change(writable(state, a.u32(0), &path)?, &path);
    Ok(noted(state, &path, done)?)
}

/// `path_link(fd, flags, path, path_len, to_fd, to, to_len)`
pub(super) fn path_link(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    if a.u32(1) & FOLLOW != 0 {
        return Err(Errno::Invalid.into());
    }
    let from = path(state, memory, a.u32(2), a.u32(3))?;
    let to = path(state, memory, a.u32(5), a.u32(6))?;
    between(
        state,
        (a.u32(0), &from),
        (a.u32(4), &to),
        |from, path, to, name| from.link(path, to, name),
    )
}

/// `path_rename(fd, path, path_len, to_fd, to, to_len)`
pub(super) fn path_rename(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let from = path(state, memory, a.u32(1), a.u32(2))?;
    let to = path(state, memory, a.u32(4), a.u32(5))?;
    between(
        state,
        (a.u32(0), &from),
        (a.u32(3), &to),
        |from, path, to, name| from.rename(path, to, name),
    )
}

type Between = fn(&dyn Directory, &str, &dyn Directory, &str) -> Result<(), Errno>;

/// A change that takes two descriptors and two paths; both directories must be writable, as a second
/// name in a writable one would make a file of a read-only one writable.
fn between(
    state: &mut State,
    (from, path): (u32, &str),
    (to, name): (u32, &str),
    change: Between,
) -> Done {
    writable(state, from, path)?;
    writable(state, to, name)?;
    let open = |number: u32| match state.open.get(number as usize) {
        Some(Some(Descriptor::Directory(open))) => Ok(&*open.directory),
        _ => Err(Errno::BadFile),
    };
    let done = change(open(from)?, path, open(to)?, name);
    let shown = format!("{path}, {name}");
    Ok(noted(state, &shown, done)?)
}

/// `path_symlink(text, text_len, fd, path, path_len)`
///
/// Following a link is checked each time, but only here: others follow it without checking. So a link
/// that could lead out for anybody is not made.
pub(super) fn path_symlink(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let text = path(state, memory, a.u32(0), a.u32(1))?;
    let at = path(state, memory, a.u32(3), a.u32(4))?;
    let leads_out = text.starts_with('/') || text.split('/').any(|name| name == "..");
    let done = match (writable(state, a.u32(2), &at)?, leads_out) {
        (_, true) => Err(Errno::NotPermitted),
        (directory, false) => directory.symlink(&text, &at),
    };
    Ok(noted(state, &text, done)?)
}

/// `path_readlink(fd, path, path_len, buf, buf_len, used)`
pub(super) fn path_readlink(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let path = path(state, memory, a.u32(1), a.u32(2))?;
    let text = state.directory(a.u32(0))?.directory.read_link(&path);
    let text = noted(state, &path, text)?;
    let count = text.len().min(a.u32(4) as usize);
    memory.put(a.u32(3), &text.as_bytes()[..count])?;
    memory.put_u32(a.u32(5), count as u32)?;
    Ok(())
}
