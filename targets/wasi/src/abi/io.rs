//! Reading, writing and seeking.

use super::{
    Arguments, Done, Halt,
    descriptor::{APPEND, THROUGH},
};
use crate::{Errno, Memory, State, state::Descriptor};

/// `fd_read(fd, iovs, iovs_len, nread)`
pub(super) fn fd_read(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let pieces = memory.pieces(a.u32(1), a.u32(2))?;
    state.charge_call(pieces.len() as u64);
    let mut total = 0_usize;
    for (at, length) in pieces {
        if length == 0 {
            continue;
        }
        let left = state.left_ns()?;
        let buffer = memory.bytes_mut(at, length)?;
        let count = match state.descriptor(a.u32(0))? {
            Descriptor::Input if total > 0 => break,
            Descriptor::Input => match state.world.input.read(buffer, left) {
                // Nothing came in all the time there was: that is the deadline.
                Err(Errno::Again) => return Err(state.end(crate::Trap::Deadline).into()),
                other => other?,
            },
            Descriptor::File(open) if open.reads => {
                let count = open.file.read_at(buffer, open.position)?;
                open.position += count as u64;
                count
            }
            Descriptor::Directory(_) => return Err(Errno::IsDirectory.into()),
            _ => return Err(Errno::BadFile.into()),
        };
        state.charge_bytes(count);
        total += count;
        if count < length as usize {
            break;
        }
    }
    if total == 0 {
        // An empty list says nothing about the descriptor.
        state.descriptor(a.u32(0))?;
    }
    put_count(memory, a.u32(3), total)
}

/// `fd_pread(fd, iovs, iovs_len, offset, nread)`
pub(super) fn fd_pread(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let pieces = memory.pieces(a.u32(1), a.u32(2))?;
    state.charge_call(pieces.len() as u64);
    let mut total = 0_usize;
    for (at, length) in pieces {
        state.left_ns()?;
        let open = state.file(a.u32(0))?;
        if !open.reads {
            return Err(Errno::BadFile.into());
        }
        let buffer = memory.bytes_mut(at, length)?;
        let offset = offset(a.u64(3), total)?;
        let count = open.file.read_at(buffer, offset)?;
        state.charge_bytes(count);
        total += count;
        if count < length as usize {
            break;
        }
    }
    state.file(a.u32(0))?;
    put_count(memory, a.u32(4), total)
}

/// `fd_write(fd, iovs, iovs_len, nwritten)`
pub(super) fn fd_write(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let pieces = memory.pieces(a.u32(1), a.u32(2))?;
    state.charge_call(pieces.len() as u64);
    let mut total = 0;
    for (at, length) in pieces {
        state.left_ns()?;
        let bytes = memory.bytes(at, length)?;
        let count = match state.descriptor(a.u32(0))? {
            Descriptor::Output => print(state, bytes, false)?,
            Descriptor::Errors => print(state, bytes, true)?,
            Descriptor::File(open) if open.writes => {
                if open.flags & APPEND != 0 {
                    open.position = open.file.stat()?.size;
                }
                let position = open.position;
                let count = write_at(state, a.u32(0), bytes, position)?;
                state.file(a.u32(0))?.position = position + count as u64;
                count
            }
            Descriptor::Directory(_) => return Err(Errno::BadFile.into()),
            _ => return Err(Errno::BadFile.into()),
        };
        state.charge_bytes(count);
        total += count;
        if count < length as usize {
            break;
        }
    }
    state.descriptor(a.u32(0))?;
    put_count(memory, a.u32(3), total)
}

/// `fd_pwrite(fd, iovs, iovs_len, offset, nwritten)`
pub(super) fn fd_pwrite(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let pieces = memory.pieces(a.u32(1), a.u32(2))?;
    state.charge_call(pieces.len() as u64);
    let mut total = 0;
    for (at, length) in pieces {
        state.left_ns()?;
        let bytes = memory.bytes(at, length)?;
        if !state.file(a.u32(0))?.writes {
            return Err(Errno::BadFile.into());
        }
        let offset = offset(a.u64(3), total)?;
        let count = write_at(state, a.u32(0), bytes, offset)?;
        state.charge_bytes(count);
        total += count;
        if count < length as usize {
            break;
        }
    }
    state.file(a.u32(0))?;
    put_count(memory, a.u32(4), total)
}

fn print(state: &mut State, bytes: &[u8], to_stderr: bool) -> Result<usize, Halt> {
    state.print(bytes, to_stderr)?;
    Ok(bytes.len())
}

fn write_at(state: &mut State, number: u32, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
    let size = state.file(number)?.file.stat()?.size;
    let end = offset.checked_add(bytes.len() as u64);
    let end = end.ok_or(Errno::FileTooBig)?;
    // A gap that a write leaves is paid for, too: not every file system keeps it for nothing.
    state.take_room((bytes.len() as u64).max(end.saturating_sub(size)))?;
    let open = state.file(number)?;
    let count = open.file.write_at(bytes, offset)?;
    if open.flags & THROUGH != 0 {
        open.file.sync()?;
    }
    Ok(count)
}

fn offset(start: u64, done: usize) -> Result<u64, Errno> {
    let offset = start.checked_add(done as u64);
    offset
        .filter(|offset| *offset <= i64::MAX as u64)
        .ok_or(Errno::Invalid)
}

fn put_count(memory: &mut Memory<'_>, at: u32, count: usize) -> Done {
    memory.put_u32(at, count as u32)?;
    Ok(())
}

/// `fd_seek(fd, delta, whence, position)`
pub(super) fn fd_seek(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let open = state.file(a.u32(0)).map_err(|errno| match errno {
        Errno::IsDirectory => Errno::BadFile,
        other => other,
    })?;
    let start = match a.u32(2) {
        0 => 0,
        1 => open.position,
        2 => open.file.stat()?.size,
        _ => return Err(Errno::Invalid.into()),
    };
    let position = start.checked_add_signed(a.u64(1) as i64);
    let position = position.filter(|position| *position <= i64::MAX as u64);
    open.position = position.ok_or(Errno::Invalid)?;
    let position = open.position;
    memory.put_u64(a.u32(3), position)?;
    Ok(())
}

/// `fd_tell(fd, position)`
pub(super) fn fd_tell(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let position = state.file(a.u32(0)).map_err(|errno| match errno {
        Errno::IsDirectory => Errno::BadFile,
        other => other,
    })?;
    let position = position.position;
    memory.put_u64(a.u32(1), position)?;
    Ok(())
}
