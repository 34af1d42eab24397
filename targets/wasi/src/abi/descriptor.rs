//! What is known of an open file or stream, and changing it.

use super::{Arguments, Done};
use crate::{
    Errno, Kind, Memory, Stat, State, Times,
    state::{Descriptor, OpenFile},
};

/// The flags of an open file. There is nothing to wait for, so `NONBLOCK` and `RSYNC` change nothing.
pub(super) const APPEND: u16 = 1;
const DSYNC: u16 = 2;
const NONBLOCK: u16 = 4;
const RSYNC: u16 = 8;
const SYNC: u16 = 16;
/// Whether what is written goes to the disk at once.
pub(super) const THROUGH: u16 = DSYNC | SYNC;

/// The flags of an open file in a number, if it has no others.
pub(super) fn known_flags(number: u32) -> Result<u16, Errno> {
    let known = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
    match u16::try_from(number) {
        Ok(flags) if flags & !known == 0 => Ok(flags),
        _ => Err(Errno::Invalid),
    }
}

/// The rights a program is told it has; they say what kind of thing a number stands for.
pub(super) mod rights {
    pub(in super::super) const READ: u64 = 1 << 1;
    pub(in super::super) const WRITE: u64 = 1 << 6;
    pub(in super::super) const ALLOCATE: u64 = 1 << 8;
    pub(in super::super) const READDIR: u64 = 1 << 14;
    pub(in super::super) const SET_SIZE: u64 = 1 << 22;
    const POLL: u64 = 1 << 27;
    const GET: u64 = 1 << 21;
    const SEEK: u64 = 1 << 2 | 1 << 5;
    const SYNC: u64 = 1 | 1 << 4;
    const ADVISE: u64 = 1 << 7;
    const SET_FLAGS: u64 = 1 << 3;
    const SET_TIMES: u64 = 1 << 23;

    /// Reading a stream, writing one.
    pub(super) const INPUT: u64 = READ | GET | POLL;
    pub(super) const OUTPUT: u64 = WRITE | GET | POLL;
    /// A file, whatever it was opened for.
    pub(super) const FILE: u64 = GET | SEEK | SYNC | ADVISE | SET_FLAGS | POLL;
    /// A file that is read, one that is written.
    pub(super) const FILE_READ: u64 = READ;
    pub(super) const FILE_WRITE: u64 = WRITE | ALLOCATE | SET_SIZE | SET_TIMES;
    /// Everything by path, and reading the names; without and with changes.
    pub(super) const LOOK: u64 = READDIR | GET | 1 << 13 | 1 << 15 | 1 << 18;
    pub(super) const CHANGE: u64 = 1 << 9
        | 1 << 10
        | 1 << 11
        | 1 << 12
        | 1 << 16
        | 1 << 17
        | 1 << 20
        | 1 << 24
        | 1 << 25
        | 1 << 26
        | SET_TIMES
        | SYNC;
}

/// `fd_advise(fd, offset, len, advice)`: nothing here gains by it.
pub(super) fn fd_advise(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    state.file(a.u32(0)).map_err(not_a_file)?;
    match a.u32(3) {
        0..=5 => Ok(()),
        _ => Err(Errno::Invalid.into()),
    }
}

/// For functions of files only, where a directory is no better than nothing.
fn not_a_file(errno: Errno) -> Errno {
    match errno {
        Errno::IsDirectory => Errno::BadFile,
        other => other,
    }
}

/// `fd_allocate(fd, offset, len)`: makes the file at least that long.
pub(super) fn fd_allocate(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    let wanted = a.u64(1).checked_add(a.u64(2)).ok_or(Errno::FileTooBig)?;
    if a.u64(2) == 0 {
        return Err(Errno::Invalid.into());
    }
    let size = writable(state, a.u32(0))?.file.stat()?.size;
    if wanted > size {
        state.take_room(wanted - size)?;
        writable(state, a.u32(0))?.file.set_size(wanted)?;
    }
    Ok(())
}

fn writable(state: &mut State, number: u32) -> Result<&mut OpenFile, Errno> {
    let open = state.file(number).map_err(not_a_file)?;
    match open.writes {
        true => Ok(open),
        false => Err(Errno::BadFile),
    }
}

/// `fd_close(fd)`
pub(super) fn fd_close(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    state.descriptor(a.u32(0))?;
    state.open[a.u32(0) as usize] = None;
    Ok(())
}

/// `fd_sync(fd)`, `fd_datasync(fd)`
pub(super) fn fd_sync(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    match state.descriptor(a.u32(0))? {
        Descriptor::File(open) if open.writes => Ok(open.file.sync()?),
        Descriptor::File(_) | Descriptor::Directory(_) => Ok(()),
        _ => Err(Errno::Invalid.into()),
    }
}

/// `fd_fdstat_get(fd, stat)`
pub(super) fn fd_fdstat_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let mut flags = 0;
    let (kind, base, inherited) = match state.descriptor(a.u32(0))? {
        // Not `Character`: a C library takes that for a terminal.
        Descriptor::Input => (Kind::Unknown, rights::INPUT, 0),
        Descriptor::Output | Descriptor::Errors => {
            flags = APPEND;
            (Kind::Unknown, rights::OUTPUT, 0)
        }
        Descriptor::File(open) => {
            flags = open.flags;
            let mut base = rights::FILE;
            base |= if open.reads { rights::FILE_READ } else { 0 };
            base |= if open.writes { rights::FILE_WRITE } else { 0 };
            (Kind::File, base, 0)
        }
        Descriptor::Directory(open) => {
            let look = rights::LOOK | rights::FILE | rights::FILE_READ;
            let change = rights::CHANGE | rights::FILE_WRITE;
            let all = if open.writes { look | change } else { look };
            let own = if open.writes {
                rights::LOOK | rights::CHANGE
            } else {
                rights::LOOK
            };
            (Kind::Directory, own, all)
        }
    };
    let mut stat = [0; 24];
    stat[0] = kind as u8;
    stat[2..4].copy_from_slice(&flags.to_le_bytes());
    stat[8..16].copy_from_slice(&base.to_le_bytes());
    stat[16..24].copy_from_slice(&inherited.to_le_bytes());
    memory.put(a.u32(1), &stat)?;
    Ok(())
}

/// `fd_fdstat_set_flags(fd, flags)`
pub(super) fn fd_fdstat_set_flags(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    let flags = known_flags(a.u32(1))?;
    match state.descriptor(a.u32(0))? {
        Descriptor::File(open) => {
            open.flags = flags;
            Ok(())
        }
        // Streams append, and wait no longer than the deadline; there is nothing to set.
        Descriptor::Directory(_) => Err(Errno::BadFile.into()),
        _ => Ok(()),
    }
}

/// `fd_fdstat_set_rights(fd, base, inheriting)`: what is granted is granted for the whole run.
pub(super) fn fd_fdstat_set_rights(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    state.descriptor(a.u32(0))?;
    Err(Errno::NotSupported.into())
}

/// `fd_filestat_get(fd, stat)`
pub(super) fn fd_filestat_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let stat = match state.descriptor(a.u32(0))? {
        Descriptor::File(open) => open.file.stat()?,
        Descriptor::Directory(open) => open.directory.stat(".", true)?,
        _ => Stat {
            device: 0,
            inode: 0,
            kind: Kind::Unknown,
            links: 1,
            size: 0,
            accessed_ns: 0,
            modified_ns: 0,
            changed_ns: 0,
        },
    };
    put_stat(memory, a.u32(1), &stat)
}

/// `fd_filestat_set_size(fd, size)`
pub(super) fn fd_filestat_set_size(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    let size = writable(state, a.u32(0))?.file.stat()?.size;
    state.take_room(a.u64(1).saturating_sub(size))?;
    Ok(writable(state, a.u32(0))?.file.set_size(a.u64(1))?)
}

/// `fd_filestat_set_times(fd, accessed, modified, flags)`
pub(super) fn fd_filestat_set_times(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    let times = times(state, a.u64(1), a.u64(2), a.u32(3))?;
    match state.descriptor(a.u32(0))? {
        Descriptor::File(open) if open.changes => Ok(open.file.set_times(times)?),
        Descriptor::Directory(open) if open.writes => {
            Ok(open.directory.set_times(".", true, times)?)
        }
        Descriptor::File(_) | Descriptor::Directory(_) => {
            state.deny("write: times of a read-only file".into());
            Err(Errno::ReadOnly.into())
        }
        _ => Err(Errno::BadFile.into()),
    }
}

/// The times that two numbers and their flags ask for: as given, now, or as they are.
pub(super) fn times(
    state: &mut State,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Result<Times, Errno> {
    let mut pick = |given: u32, now: u32, value: u64| match (flags & given != 0, flags & now != 0) {
        (true, true) => Err(Errno::Invalid),
        (true, false) => Ok(Some(value)),
        // The disk's own time: a file tells when it was written whether or not the program may know.
        (false, true) => Ok(Some(state.world.clock.wall_ns())),
        (false, false) => Ok(None),
    };
    Ok(Times {
        accessed_ns: pick(1, 2, accessed)?,
        modified_ns: pick(4, 8, modified)?,
    })
}

/// `fd_renumber(from, to)`
pub(super) fn fd_renumber(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    let (from, to) = (a.u32(0), a.u32(1));
    state.descriptor(to)?;
    state.descriptor(from)?;
    if from != to {
        let moved = state.open[from as usize].take();
        state.open[to as usize] = moved;
    }
    Ok(())
}

/// Writes a `filestat`.
pub(super) fn put_stat(memory: &mut Memory<'_>, at: u32, stat: &Stat) -> Done {
    let mut bytes = [0; 64];
    bytes[0..8].copy_from_slice(&stat.device.to_le_bytes());
    bytes[8..16].copy_from_slice(&stat.inode.to_le_bytes());
    bytes[16] = stat.kind as u8;
    bytes[24..32].copy_from_slice(&stat.links.to_le_bytes());
    bytes[32..40].copy_from_slice(&stat.size.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.accessed_ns.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.modified_ns.to_le_bytes());
    bytes[56..64].copy_from_slice(&stat.changed_ns.to_le_bytes());
    memory.put(at, &bytes)?;
    Ok(())
}
