//! What the machine gives programs: its directories, clock, randomness and standard input.

mod files;
mod input;

pub use files::HostDirectory;
pub use input::Piped;

use crate::{Clock, Errno, Grant, Input, Random, World};
use alloc::{boxed::Box, string::String, vec::Vec};
use std::{
    io, thread,
    time::{Duration, Instant, SystemTime},
};

/// A directory of the grant cannot be given.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the directory {path}: {source}")]
pub struct Unopened {
    /// Which one.
    pub path: String,
    /// Why not.
    pub source: io::Error,
}

/// The world of this machine for a run with `grant`: its directories are opened here, so that what
/// their names stand for later does not matter. Requests are the caller's affair ([`World::reach`]).
pub fn world(grant: &Grant, input: Box<dyn Input>) -> Result<World, Unopened> {
    let mut dirs: Vec<Box<dyn crate::Directory>> = Vec::with_capacity(grant.dirs.len());
    for dir in &grant.dirs {
        let opened = HostDirectory::open(&dir.host).map_err(|source| Unopened {
            path: dir.host.clone(),
            source,
        })?;
        dirs.push(Box::new(opened));
    }
    Ok(World {
        input,
        clock: Box::new(MachineClock::new()),
        random: Some(Box::new(MachineRandom)),
        reach: None,
        dirs,
    })
}

/// The machine's clock.
pub struct MachineClock(Instant);

impl MachineClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for MachineClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MachineClock {
    fn monotonic_ns(&mut self) -> u64 {
        nanoseconds(self.0.elapsed())
    }

    fn wall_ns(&mut self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, nanoseconds)
    }

    fn sleep(&mut self, nanoseconds: u64) -> bool {
        thread::sleep(Duration::from_nanos(nanoseconds));
        true
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The machine's randomness.
pub struct MachineRandom;

impl Random for MachineRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Errno> {
        getrandom::fill(buffer).map_err(|_| Errno::Io)
    }
}
