//! The directories a program was given, and the names in them.

use super::{Arguments, Done};
use crate::{Entry, Errno, Kind, Memory, State, state::OpenDirectory};
use alloc::vec::Vec;

/// The bytes of a directory entry before its name.
const HEADER: usize = 24;

/// What a name costs in fuel when a directory is read.
const ENTRY_FUEL: u64 = 20;

/// `fd_prestat_get(fd, prestat)`
pub(super) fn fd_prestat_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let length = given_name(state, a.u32(0))?.len() as u32;
    memory.put_u32(a.u32(1), 0)?;
    memory.put_u32(a.u32(1).wrapping_add(4), length)?;
    Ok(())
}

/// `fd_prestat_dir_name(fd, path, path_len)`
pub(super) fn fd_prestat_dir_name(
    state: &mut State,
    memory: &mut Memory<'_>,
    a: Arguments,
) -> Done {
    let name = given_name(state, a.u32(0))?;
    if name.len() > a.u32(2) as usize {
        return Err(Errno::NameTooLong.into());
    }
    memory.put(a.u32(1), name.as_bytes())?;
    Ok(())
}

fn given_name(state: &mut State, number: u32) -> Result<&str, Errno> {
    let open = state.directory(number).map_err(|_| Errno::BadFile)?;
    open.guest.as_deref().ok_or(Errno::BadFile)
}

/// `fd_readdir(fd, buf, buf_len, cookie, used)`
///
/// The names are read when the cookie is 0 and stay until it is 0 again, so that a program that
/// removes what it has read misses nothing.
pub(super) fn fd_readdir(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let capacity = a.u32(2) as usize;
    let cookie = usize::try_from(a.u64(3)).map_err(|_| Errno::Invalid)?;
    let open = state.directory(a.u32(0))?;
    let mut read = 0;
    if cookie == 0 || open.entries.is_none() {
        let entries = names(open)?;
        read = entries.len() as u64;
        open.entries = Some(entries);
    }
    let mut bytes = Vec::new();
    let entries = open.entries.as_deref().unwrap_or_default();
    for (index, entry) in entries.iter().enumerate().skip(cookie) {
        if bytes.len() >= capacity {
            break;
        }
        let mut header = [0; HEADER];
        header[0..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
        header[8..16].copy_from_slice(&entry.inode.to_le_bytes());
        header[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
        header[20] = entry.kind as u8;
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(entry.name.as_bytes());
    }
    // The last entry may be cut: a full buffer says that there is more.
    bytes.truncate(capacity);
    state.charge_call(read * ENTRY_FUEL);
    state.charge_bytes(bytes.len());
    memory.put(a.u32(1), &bytes)?;
    memory.put_u32(a.u32(4), bytes.len() as u32)?;
    Ok(())
}

/// Its names, with those for itself and what is above; nothing is said of what is above.
fn names(open: &OpenDirectory) -> Result<Vec<Entry>, Errno> {
    let own = open.directory.stat(".", true)?.inode;
    let special = |name: &str| Entry {
        name: name.into(),
        inode: own,
        kind: Kind::Directory,
    };
    let mut all = Vec::from([special("."), special("..")]);
    all.extend(open.directory.entries()?);
    Ok(all)
}
