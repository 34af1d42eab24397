//! A running program as the interface sees it: what is open, what it wrote, what is left to it.

use crate::{
    Call, Directory, Errno, File, Grant, Growth, Limits, MAX_OPEN_FILES, Outcome, Stop, Trap, World,
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};

/// What a program without the clock reads as the time: the first second of 2000.
pub const EPOCH_NS: u64 = 946_684_800_000_000_000;

/// How many denials are remembered.
const MAX_DENIALS: usize = 32;

/// What one run of a program has and did.
pub struct State {
    pub(crate) grant: Grant,
    pub(crate) limits: Limits,
    pub(crate) world: World,
    pub(crate) open: Vec<Option<Descriptor>>,
    /// The answer to the last request, and how much of it was read.
    pub(crate) response: (Vec<u8>, usize),
    started_ns: u64,
    /// What the program slept that nobody waited for.
    pub(crate) slept_ns: u64,
    /// Where the bytes come from that are the same in every run.
    seed: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    written: u64,
    charge: u64,
    denials: Vec<String>,
    ended: Option<Stop>,
}

/// Something open, under a number.
pub(crate) enum Descriptor {
    Input,
    Output,
    Errors,
    File(OpenFile),
    Directory(OpenDirectory),
}

pub(crate) struct OpenFile {
    pub(crate) file: Box<dyn File>,
    pub(crate) position: u64,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
    /// Whether it may be changed at all, though it was not opened for writing.
    pub(crate) changes: bool,
    /// WASI's flags: append, do not wait, write through.
    pub(crate) flags: u16,
}

pub(crate) struct OpenDirectory {
    pub(crate) directory: Box<dyn Directory>,
    pub(crate) writes: bool,
    /// The name it was given under, if it was given.
    pub(crate) guest: Option<String>,
    /// Its names, as they were when reading them began.
    pub(crate) entries: Option<Vec<crate::Entry>>,
}

impl State {
    /// The state a run begins with.
    pub fn new(call: Call<'_>) -> Self {
        let Call {
            grant,
            limits,
            mut world,
        } = call;
        let mut open = Vec::with_capacity(4);
        open.push(Some(Descriptor::Input));
        open.push(Some(Descriptor::Output));
        open.push(Some(Descriptor::Errors));
        let dirs = core::mem::take(&mut world.dirs);
        for (directory, dir) in dirs.into_iter().zip(&grant.dirs) {
            open.push(Some(Descriptor::Directory(OpenDirectory {
                directory,
                writes: dir.writes,
                guest: Some(dir.guest.clone()),
                entries: None,
            })));
        }
        Self {
            grant: grant.clone(),
            limits: *limits,
            started_ns: world.clock.monotonic_ns(),
            world,
            open,
            response: (Vec::new(), 0),
            slept_ns: 0,
            seed: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            written: 0,
            charge: 0,
            denials: Vec::new(),
            ended: None,
        }
    }

    /// How long the program has been running by its own time, in nanoseconds.
    pub fn elapsed_ns(&mut self) -> u64 {
        let now = self.world.clock.monotonic_ns();
        now.saturating_sub(self.started_ns)
            .saturating_add(self.slept_ns)
    }

    /// How long it may still run, in nanoseconds; past its deadline, that it may not.
    ///
    /// An engine calls this whenever it can: a program that never calls out has no other clock.
    pub fn left_ns(&mut self) -> Result<u64, Stop> {
        let wall_ns = self.limits.wall_ms.saturating_mul(1_000_000);
        match wall_ns.checked_sub(self.elapsed_ns()) {
            Some(left) if left > 0 => Ok(left),
            _ => Err(self.end(Trap::Deadline)),
        }
    }

    /// The fuel that what was done for the program since the last time is worth. The engine takes it
    /// from what the program has left.
    pub fn take_charge(&mut self) -> u64 {
        core::mem::take(&mut self.charge)
    }

    /// Ends the program by a trap. The first end counts, whatever an engine makes of it.
    pub fn end(&mut self, trap: Trap) -> Stop {
        let stop = Stop::Trap(trap);
        self.ended.get_or_insert(stop).clone()
    }

    /// Ends it by a call of a function that nothing here has.
    pub fn end_unknown(&mut self, module: &str, name: &str) -> Stop {
        let what = alloc::format!("{module}.{name}");
        self.deny(what.clone());
        self.end(Trap::Denied(what))
    }

    /// Gives the result. `ended` is how the engine says that the program ended; what was noted here
    /// or by `growth` explains it better.
    pub fn finish(mut self, growth: Growth, ended: Result<(), Trap>, fuel: u64) -> Outcome {
        let noted = self.ended.take();
        let (exit, trap) = match (noted, growth.refused, ended) {
            (Some(Stop::Exit(code)), ..) => (Some(code), None),
            (Some(Stop::Trap(trap)), ..) | (None, Some(trap), _) | (None, None, Err(trap)) => {
                (None, Some(trap))
            }
            (None, None, Ok(())) => (Some(0), None),
        };
        Outcome {
            exit,
            stdout: self.stdout,
            stderr: self.stderr,
            fuel,
            memory_bytes: growth.memory_bytes,
            trap,
            denials: self.denials,
        }
    }

    pub(crate) fn exit(&mut self, code: i32) -> Stop {
        self.ended.get_or_insert(Stop::Exit(code)).clone()
    }

    /// Remembers that `what` was asked for and not granted.
    pub(crate) fn deny(&mut self, what: String) {
        if self.denials.len() < MAX_DENIALS && !self.denials.contains(&what) {
            self.denials.push(what);
        }
    }

    /// Puts `bytes` moved on the program's bill.
    pub(crate) fn charge_bytes(&mut self, bytes: usize) {
        self.charge = self.charge.saturating_add(bytes as u64 / 8);
    }

    /// Puts a call on the program's bill. What leaves its memory costs more than what it computes.
    pub(crate) fn charge_call(&mut self, fuel: u64) {
        self.charge = self.charge.saturating_add(fuel);
    }

    /// Takes what the program writes to a standard stream; what is over the limit is lost with it.
    pub(crate) fn print(&mut self, bytes: &[u8], to_stderr: bool) -> Result<(), Stop> {
        let used = (self.stdout.len() + self.stderr.len()) as u64;
        let room = self.limits.output_bytes.saturating_sub(used);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let stream = match to_stderr {
            true => &mut self.stderr,
            false => &mut self.stdout,
        };
        stream.extend_from_slice(&bytes[..bytes.len().min(room)]);
        match bytes.len() > room {
            true => Err(self.end(Trap::Output)),
            false => Ok(()),
        }
    }

    /// Takes `bytes` of the room for files, or says that there is none left.
    pub(crate) fn take_room(&mut self, bytes: u64) -> Result<(), Errno> {
        let written = self.written.saturating_add(bytes);
        if written > self.limits.written_bytes {
            self.deny("written_bytes".to_string());
            return Err(Errno::NoSpace);
        }
        self.written = written;
        Ok(())
    }

    /// Bytes that are the same in every run (splitmix64).
    pub(crate) fn fill_same(&mut self, buffer: &mut [u8]) {
        for piece in buffer.chunks_mut(8) {
            self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut bits = self.seed;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            bits ^= bits >> 31;
            piece.copy_from_slice(&bits.to_le_bytes()[..piece.len()]);
        }
    }

    /// What is open under `number`.
    pub(crate) fn descriptor(&mut self, number: u32) -> Result<&mut Descriptor, Errno> {
        let slot = self.open.get_mut(number as usize);
        slot.and_then(Option::as_mut).ok_or(Errno::BadFile)
    }

    /// The file under `number`.
    pub(crate) fn file(&mut self, number: u32) -> Result<&mut OpenFile, Errno> {
        match self.descriptor(number)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Directory(_) => Err(Errno::IsDirectory),
            _ => Err(Errno::NotSeekable),
        }
    }

    /// The directory under `number`.
    pub(crate) fn directory(&mut self, number: u32) -> Result<&mut OpenDirectory, Errno> {
        match self.descriptor(number)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::NotDirectory),
        }
    }

    /// Opens something under the lowest free number.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        if let Some(free) = self.open.iter().position(Option::is_none) {
            self.open[free] = Some(descriptor);
            return Ok(free as u32);
        }
        if self.open.len() >= MAX_OPEN_FILES {
            return Err(Errno::TooManyFiles);
        }
        self.open.push(Some(descriptor));
        Ok(self.open.len() as u32 - 1)
    }
}
