//! Requests to the hosts a program was granted, as JSON in and JSON out.
//!
//! `http(request, request_len, response_len) -> errno` sends one and says how long the answer is;
//! `http_read(buffer, buffer_len, read_len) -> errno` reads it, piece by piece, 0 bytes at its end.
//! Where the request was refused or failed, the error number is `acces` or `io` and the answer says
//! why. A request replaces what was not yet read.

use super::{Arguments, Done};
use crate::{Errno, Memory, State, Unreached};
use alloc::{format, string::String, vec::Vec};

/// What a request costs in fuel besides its bytes.
const REQUEST_FUEL: u64 = 10_000;

/// `http(request, request_len, response_len)`
pub(super) fn http(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let request = memory.bytes(a.u32(0), a.u32(1))?.to_vec();
    state.charge_call(REQUEST_FUEL);
    state.charge_bytes(request.len());
    let left = state.left_ns()?;
    let hosts = &state.grant.hosts;
    let answer = match &mut state.world.reach {
        _ if hosts.is_empty() => Err(denied("this program was granted no hosts")),
        None => Err(denied("this home sends no requests for programs")),
        Some(reach) => reach.request(&request, hosts, left),
    };
    let (bytes, errno) = match answer {
        Ok(bytes) => (bytes, None),
        Err(unreached) => {
            let (errno, kind, reason) = match &unreached {
                Unreached::Denied { reason } => (Errno::Access, "denied", reason),
                Unreached::Failed { reason } => (Errno::Io, "failed", reason),
            };
            if errno == Errno::Access {
                state.deny(format!("http: {reason}"));
            }
            (error_json(kind, reason), Some(errno))
        }
    };
    memory.put_u32(a.u32(2), bytes.len() as u32)?;
    state.response = (bytes, 0);
    errno.map_or(Ok(()), |errno| Err(errno.into()))
}

/// `http_read(buffer, buffer_len, read_len)`
pub(super) fn http_read(state: &mut State, memory: &mut Memory<'_>, a: Arguments) -> Done {
    let buffer = memory.bytes_mut(a.u32(0), a.u32(1))?;
    let (response, position) = &mut state.response;
    let rest = response.get(*position..).unwrap_or_default();
    let count = rest.len().min(buffer.len());
    buffer[..count].copy_from_slice(&rest[..count]);
    *position += count;
    state.charge_bytes(count);
    memory.put_u32(a.u32(2), count as u32)?;
    Ok(())
}

fn denied(reason: &str) -> Unreached {
    Unreached::Denied {
        reason: reason.into(),
    }
}

/// `{"error":…,"reason":…}`, without a library: the program's size is paid in every home.
fn error_json(kind: &str, reason: &str) -> Vec<u8> {
    let mut text = String::new();
    for c in reason.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if (c as u32) < 0x20 => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    format!("{{\"error\":\"{kind}\",\"reason\":\"{text}\"}}").into_bytes()
}
