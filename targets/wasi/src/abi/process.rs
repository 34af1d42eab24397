//! Arguments, environment, randomness, the end; and sockets, of which there are none.

use super::{Arguments, Done};
use crate::{Errno, Memory, State};
use alloc::{format, string::String, vec::Vec};

/// `args_get(argv, argv_buf)`
pub(super) fn args_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let list = state.grant.args.clone();
    put_list(state, memory, &list, a)
}

/// `args_sizes_get(argc, argv_buf_size)`
pub(super) fn args_sizes_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    put_sizes(memory, &state.grant.args, a)
}

/// `environ_get(environ, environ_buf)`
pub(super) fn environ_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let list = environment(state);
    put_list(state, memory, &list, a)
}

/// `environ_sizes_get(environc, environ_buf_size)`
pub(super) fn environ_sizes_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    put_sizes(memory, &environment(state), a)
}

fn environment(state: &State) -> Vec<String> {
    let pairs = state.grant.environment.iter();
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn put_sizes(memory: &mut Memory<'_>, list: &[String], a: Arguments) -> Done {
    let bytes: usize = list.iter().map(|text| text.len() + 1).sum();
    memory.put_u32(a.u32(0), list.len() as u32)?;
    memory.put_u32(a.u32(1), bytes as u32)?;
    Ok(())
}

fn put_list(state: &mut State, memory: &mut Memory<'_>, list: &[String], a: Arguments) -> Done {
    let (mut pointer, mut at) = (a.u32(0), a.u32(1));
    for text in list {
        memory.put_u32(pointer, at)?;
        memory.put(at, text.as_bytes())?;
        at = at.wrapping_add(text.len() as u32);
        memory.put(at, &[0])?;
        at = at.wrapping_add(1);
        pointer = pointer.wrapping_add(4);
        state.charge_bytes(text.len());
    }
    Ok(())
}

/// `random_get(buf, buf_len)`. Without the grant, the same bytes in every run.
pub(super) fn random_get(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let buffer = memory.bytes_mut(a.u32(0), a.u32(1))?;
    state.charge_call(u64::from(a.u32(1)));
    match (state.grant.random, &mut state.world.random) {
        (true, Some(random)) => random.fill(buffer)?,
        (true, None) => return Err(Errno::NotSupported.into()),
        (false, _) => state.fill_same(buffer),
    }
    Ok(())
}

/// `proc_exit(code)`
pub(super) fn proc_exit(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    Err(state.exit(a.u32(0) as i32).into())
}

/// `proc_raise(signal)`: there are no signals.
pub(super) fn proc_raise(_: &mut State, _: &mut Memory<'_>, _: Arguments) -> Done {
    Err(Errno::NotSupported.into())
}

/// `sched_yield()`: there is nobody else.
pub(super) fn sched_yield(_: &mut State, _: &mut Memory<'_>, _: Arguments) -> Done {
    Ok(())
}

/// `sock_*(fd, …)`: no descriptor is a socket.
pub(super) fn socket(state: &mut State, _: &mut Memory<'_>, a: Arguments) -> Done {
    state.descriptor(a.u32(0))?;
    Err(Errno::NotSocket.into())
}
