//! Time and waiting. A program's time is the home's and what it slept, or stands still.

use super::{Arguments, Done, Halt};
use crate::{EPOCH_NS, Errno, Memory, State, Trap, state::Descriptor};
use alloc::vec::Vec;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
/// The processor time of the program, or of its one thread: what it has been running.
const PROCESS: u32 = 2;
const THREAD: u32 = 3;

/// The bytes of a subscription and of an event.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// The kinds of both.
const CLOCK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;

/// In a subscription to a clock: the time is a moment, not a span.
const ABSOLUTE: u16 = 1;

/// `clock_res_get(id, resolution)`
pub(super) fn clock_res_get(_: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    match a.u32(0) {
        REALTIME | MONOTONIC | PROCESS | THREAD => memory.put_u64(a.u32(1), 1_000)?,
        _ => return Err(Errno::Invalid.into()),
    }
    Ok(())
}

/// `clock_time_get(id, precision, time)`
pub(super) fn clock_time_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let now = now(state, a.u32(0))?;
    memory.put_u64(a.u32(2), now)?;
    Ok(())
}

/// What the program is told the time is.
fn now(state: &mut State, id: u32) -> Result<u64, Errno> {
    let is_granted = state.grant.clock;
    let slept = state.slept_ns;
    match (id, is_granted) {
        (REALTIME, true) => Ok(state.world.clock.wall_ns().saturating_add(slept)),
        (REALTIME, false) => Ok(EPOCH_NS + slept),
        (MONOTONIC | PROCESS | THREAD, true) => Ok(state.elapsed_ns()),
        (MONOTONIC | PROCESS | THREAD, false) => Ok(slept),
        _ => Err(Errno::Invalid),
    }
}

/// `poll_oneoff(in, out, nsubscriptions, nevents)`
pub(super) fn poll_oneoff(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let (from, to, count) = (a.u32(0), a.u32(1), a.u32(2));
    if count == 0 {
        return Err(Errno::Invalid.into());
    }
    // Asked for at once: a count from nowhere ends here.
    memory.bytes(from, count.checked_mul(SUBSCRIPTION).ok_or(Errno::Fault)?)?;
    memory.bytes(to, count.checked_mul(EVENT).ok_or(Errno::Fault)?)?;
    state.charge_call(u64::from(count) * 4);
    let mut events = Vec::new();
    let mut waits = Vec::new();
    for index in 0..count {
        let at = from + index * SUBSCRIPTION;
        let user = memory.u64(at)?;
        match memory.u8(at + 8)? {
            CLOCK => waits.push((wait(state, memory, at + 16), user)),
            kind @ (READ | WRITE) => {
                let (ready, errno) = readiness(state, memory.u32(at + 16)?, kind);
                events.push((user, errno, kind, ready));
            }
            _ => return Err(Errno::Invalid.into()),
        }
    }
    for (wait, user) in &waits {
        if let Err(errno) = wait {
            events.push((*user, Some(*errno), CLOCK, 0));
        }
    }
    let mut elapsed = 0;
    if events.is_empty() {
        let shortest = waits.iter().filter_map(|(wait, _)| wait.ok()).min();
        elapsed = shortest.unwrap_or(0);
        sleep(state, elapsed)?;
    }
    for (wait, user) in waits {
        if wait.is_ok_and(|wait| wait <= elapsed) {
            events.push((user, None, CLOCK, 0));
        }
    }
    for (index, (user, errno, kind, ready)) in events.iter().enumerate() {
        let mut event = [0; EVENT as usize];
        event[..8].copy_from_slice(&user.to_le_bytes());
        let errno = errno.map_or(0, |errno| errno as u16);
        event[8..10].copy_from_slice(&errno.to_le_bytes());
        event[10] = *kind;
        event[16..24].copy_from_slice(&ready.to_le_bytes());
        memory.put(to + index as u32 * EVENT, &event)?;
    }
    memory.put_u32(a.u32(3), events.len() as u32)?;
    Ok(())
}

/// How long the subscription to a clock at `at` is to wait from now.
fn wait(state: &mut State, memory: &Memory<'_>, at: u32) -> Result<u64, Errno> {
    let (id, time) = (memory.u32(at)?, memory.u64(at + 8)?);
    if id > MONOTONIC {
        return Err(Errno::Invalid);
    }
    match memory.u16(at + 24)? & ABSOLUTE == 0 {
        true => Ok(time),
        false => Ok(time.saturating_sub(now(state, id)?)),
    }
}

/// How many bytes can be read or written under `number` without waiting. Files are always ready, and
/// so are the standard streams, as far as anybody can tell before trying.
fn readiness(state: &mut State, number: u32, kind: u8) -> (u64, Option<Errno>) {
    match (state.descriptor(number), kind) {
        (Err(errno), _) => (0, Some(errno)),
        (Ok(Descriptor::Directory(_)), _) => (0, Some(Errno::BadFile)),
        (Ok(Descriptor::Input), READ) => (1, None),
        (Ok(Descriptor::Output | Descriptor::Errors), WRITE) => (1, None),
        (Ok(Descriptor::File(open)), READ) => {
            let size = open.file.stat().map_or(0, |stat| stat.size);
            (size.saturating_sub(open.position), None)
        }
        (Ok(Descriptor::File(_)), _) => (1, None),
        (Ok(_), _) => (0, Some(Errno::BadFile)),
    }
}

/// Waits, in the home if the program may know the time, else in its own time only.
///
/// A wait past the deadline ends the program at once: nothing else could come of it.
fn sleep(state: &mut State, nanoseconds: u64) -> Result<(), Halt> {
    if nanoseconds >= state.left_ns()? {
        return Err(state.end(Trap::Deadline).into());
    }
    if !(state.grant.clock && state.world.clock.sleep(nanoseconds)) {
        state.slept_ns = state.slept_ns.saturating_add(nanoseconds);
    }
    Ok(())
}
