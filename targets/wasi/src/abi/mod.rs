//! The functions of WASI preview 1, and Tau's own, as one table that engines link.
//!
//! Every function takes numbers and returns an error number, 0 for success; `proc_exit` returns
//! nothing. The table says how many numbers of which width, so an engine links it in a loop.

mod clock;
mod descriptor;
mod directory;
mod io;
mod path;
mod process;
mod reach;

use crate::{Errno, Memory, State, Stop};

/// The module programs import preview 1 from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// The module programs import Tau's own functions from.
pub const TAU: &str = "tau";

/// The most parameters a function has.
pub const MAX_PARAMETERS: usize = 9;

/// What a call costs beyond its instructions, in fuel: leaving the program and coming back.
const CALL_FUEL: u64 = 50;

/// One function programs can import.
pub struct Function {
    /// From which module.
    pub module: &'static str,
    /// By which name.
    pub name: &'static str,
    /// A letter a parameter: `i` of 32 bits, `I` of 64.
    pub parameters: &'static str,
    /// Whether it returns an error number.
    pub returns: bool,
    call: Body,
}

/// How a function fails: with a number the program gets, or by ending the program.
pub(crate) enum Halt {
    Errno(Errno),
    Stop(Stop),
}

pub(crate) type Done = Result<(), Halt>;
type Body = fn(&mut State, &mut Memory<'_>, Arguments) -> Done;

/// What a function is called with; numbers of 32 bits are widened without a sign.
#[derive(Clone, Copy)]
pub(crate) struct Arguments([u64; MAX_PARAMETERS]);

impl Arguments {
    /// The parameter at `index`, of 32 bits.
    pub(crate) fn u32(&self, index: usize) -> u32 {
        self.0[index] as u32
    }

    /// The parameter at `index`, of 64 bits.
    pub(crate) fn u64(&self, index: usize) -> u64 {
        self.0[index]
    }
}

impl From<Errno> for Halt {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Function {
    /// Calls it for the program whose state and memory these are.
    ///
    /// The engine passes the number on to the program, and ends it on an error. Afterwards it takes
    /// [`State::take_charge`] from the program's fuel.
    pub fn call(
        &self,
        state: &mut State,
        memory: &mut [u8],
        arguments: [u64; MAX_PARAMETERS],
    ) -> Result<i32, Stop> {
        state.charge_call(CALL_FUEL);
        state.left_ns()?;
        let mut memory = Memory::new(memory);
        match (self.call)(state, &mut memory, Arguments(arguments)) {
            Ok(()) => Ok(0),
            Err(Halt::Errno(errno)) => Ok(i32::from(errno as u16)),
            Err(Halt::Stop(stop)) => Err(stop),
        }
    }
}

/// The function `name` of `module`.
pub fn find(module: &str, name: &str) -> Option<&'static Function> {
    let mut all = FUNCTIONS.iter();
    all.find(|function| function.name == name && function.module == module)
}

const fn wasi(name: &'static str, parameters: &'static str, call: Body) -> Function {
    Function {
        module: MODULE,
        name,
        parameters,
        returns: true,
        call,
    }
}

const fn tau(name: &'static str, parameters: &'static str, call: Body) -> Function {
    Function {
        module: TAU,
        ..wasi(name, parameters, call)
    }
}

/// Every function there is.
pub const FUNCTIONS: &[Function] = &[
    wasi("args_get", "ii", process::args_get),
    wasi("args_sizes_get", "ii", process::args_sizes_get),
    wasi("clock_res_get", "ii", clock::clock_res_get),
    wasi("clock_time_get", "iIi", clock::clock_time_get),
    wasi("environ_get", "ii", process::environ_get),
    wasi("environ_sizes_get", "ii", process::environ_sizes_get),
    wasi("fd_advise", "iIIi", descriptor::fd_advise),
    wasi("fd_allocate", "iII", descriptor::fd_allocate),
    wasi("fd_close", "i", descriptor::fd_close),
    wasi("fd_datasync", "i", descriptor::fd_sync),
    wasi("fd_fdstat_get", "ii", descriptor::fd_fdstat_get),
    wasi("fd_fdstat_set_flags", "ii", descriptor::fd_fdstat_set_flags),
    wasi(
        "fd_fdstat_set_rights",
        "iII",
        descriptor::fd_fdstat_set_rights,
    ),
    wasi("fd_filestat_get", "ii", descriptor::fd_filestat_get),
    wasi(
        "fd_filestat_set_size",
        "iI",
        descriptor::fd_filestat_set_size,
    ),
    wasi(
        "fd_filestat_set_times",
        "iIIi",
        descriptor::fd_filestat_set_times,
    ),
    wasi("fd_pread", "iiiIi", io::fd_pread),
    wasi("fd_prestat_dir_name", "iii", directory::fd_prestat_dir_name),
    wasi("fd_prestat_get", "ii", directory::fd_prestat_get),
    wasi("fd_pwrite", "iiiIi", io::fd_pwrite),
    wasi("fd_read", "iiii", io::fd_read),
    wasi("fd_readdir", "iiiIi", directory::fd_readdir),
    wasi("fd_renumber", "ii", descriptor::fd_renumber),
    wasi("fd_seek", "iIii", io::fd_seek),
    wasi("fd_sync", "i", descriptor::fd_sync),
    wasi("fd_tell", "ii", io::fd_tell),
    wasi("fd_write", "iiii", io::fd_write),
    wasi("path_create_directory", "iii", path::path_create_directory),
    wasi("path_filestat_get", "iiiii", path::path_filestat_get),
    wasi(
        "path_filestat_set_times",
        "iiiiIIi",
        path::path_filestat_set_times,
    ),
    wasi("path_link", "iiiiiii", path::path_link),
    wasi("path_open", "iiiiiIIii", path::path_open),
    wasi("path_readlink", "iiiiii", path::path_readlink),
    wasi("path_remove_directory", "iii", path::path_remove_directory),
    wasi("path_rename", "iiiiii", path::path_rename),
    wasi("path_symlink", "iiiii", path::path_symlink),
    wasi("path_unlink_file", "iii", path::path_unlink_file),
    wasi("poll_oneoff", "iiii", clock::poll_oneoff),
    Function {
        returns: false,
        ..wasi("proc_exit", "i", process::proc_exit)
    },
    wasi("proc_raise", "i", process::proc_raise),
    wasi("random_get", "ii", process::random_get),
    wasi("sched_yield", "", process::sched_yield),
    wasi("sock_accept", "iii", process::socket),
    wasi("sock_recv", "iiiiii", process::socket),
    wasi("sock_send", "iiiii", process::socket),
    wasi("sock_shutdown", "ii", process::socket),
    tau("http", "iii", reach::http),
    tau("http_read", "iii", reach::http_read),
];
