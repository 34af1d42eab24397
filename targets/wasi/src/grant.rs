//! What a program may use, and how much of it. The default is nothing, and little.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// How much stack a program has for its calls, in bytes, under every engine.
///
/// It belongs to the engine, not to a call, as compiled code checks against it. How many calls fit is
/// the engine's affair: a program near the limit may end in `stack` under one and not under another.
pub const STACK_BYTES: usize = 512 * 1024;

/// How many files and directories a program may have open at once, the given ones included.
pub const MAX_OPEN_FILES: usize = 256;

/// What a program may reach. The default is nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// The program's arguments; the first is its name.
    pub args: Vec<String>,
    /// Its environment: names and values.
    pub environment: Vec<(String, String)>,
    /// Directories it may read, and perhaps write.
    pub dirs: Vec<Dir>,
    /// Hosts it may send requests to: names, or `*.name` for those below it.
    pub hosts: Vec<String>,
    /// Whether it may know the time. Without it, time stands still at [`crate::EPOCH_NS`] but for
    /// what the program sleeps.
    pub clock: bool,
    /// Whether its randomness is random. Without it, every run sees the same bytes: enough for the
    /// hash tables of a language's library, and nothing to make a key of.
    pub random: bool,
}

/// A directory of the home, under the name the program knows it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dir {
    /// Where it is.
    pub host: String,
    /// What the program calls it, for example `/data` or `.`.
    pub guest: String,
    /// Whether the program may change what is in it.
    #[serde(default)]
    pub writes: bool,
}

/// How much a program may use. Each is an upper bound, and passing it ends the program in the trap
/// of its name, except for `written_bytes`, which a program sees as a full disk.
///
/// Not limited here: how large a file it reads is, as that costs it fuel and memory to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Work, in the engine's unit: about one an instruction, and more for what the home does for the
    /// program. Trap `fuel`.
    pub fuel: u64,
    /// Linear memory in bytes. Trap `memory`, when the program asks for more.
    pub memory_bytes: u64,
    /// Elements of all tables together. Trap `table`.
    pub table_elements: u64,
    /// What it may write to standard output and error together, in bytes. Trap `output`.
    pub output_bytes: u64,
    /// What it may write to files, in bytes. Then a write fails with "no space left".
    pub written_bytes: u64,
    /// How long it may take, in milliseconds, its sleeps included. Trap `deadline`.
    pub wall_ms: u64,
}

impl Default for Limits {
    /// A small tool's: seconds of work, 64 MiB of memory, 1 MiB of output.
    fn default() -> Self {
        Self {
            fuel: 1_000_000_000,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            output_bytes: 1 << 20,
            written_bytes: 64 << 20,
            wall_ms: 10_000,
        }
    }
}
