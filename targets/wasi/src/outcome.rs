//! How a program ended. The names of the traps are what scripts and tools rely on.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use core::fmt;
use serde::{Serialize, Serializer};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What the program exited with; `None` where it was ended by a trap.
    pub exit: Option<i32>,
    /// What it wrote to standard output. As JSON, text: other bytes are replaced.
    #[serde(serialize_with = "as_text")]
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    #[serde(serialize_with = "as_text")]
    pub stderr: Vec<u8>,
    /// The work it did, in the engine's unit. The interpreter's is the same in every home.
    pub fuel: u64,
    /// The most linear memory it had.
    pub memory_bytes: u64,
    /// What ended it, if it did not end itself.
    pub trap: Option<Trap>,
    /// What it asked for and was not granted, in order, each once, at most 32.
    pub denials: Vec<String>,
}

/// Why a program was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// It used up its fuel.
    Fuel,
    /// It asked for more memory than it may have.
    Memory,
    /// It asked for a larger table than it may have.
    Table,
    /// Its calls went too deep.
    Stack,
    /// It took too long.
    Deadline,
    /// It wrote too much to its standard streams.
    Output,
    /// It came to an `unreachable` instruction: an abort or a panic.
    Unreachable,
    /// It divided an integer by zero.
    DivideByZero,
    /// An integer division or conversion overflowed.
    IntegerOverflow,
    /// It converted NaN to an integer.
    BadConversion,
    /// It read or wrote outside of its memory.
    Bounds,
    /// It reached outside of a table.
    TableBounds,
    /// It called a table's empty element.
    NullFunction,
    /// It called a function as another type than it has.
    BadSignature,
    /// It used something this home does not have or did not grant.
    Denied(String),
    /// Something the engine reports and no name above fits.
    Other(String),
}

impl Trap {
    /// The name scripts see: `fuel`, `denied:env.print`, …
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Stack => "stack",
            Self::Deadline => "deadline",
            Self::Output => "output",
            Self::Unreachable => "unreachable",
            Self::DivideByZero => "divide_by_zero",
            Self::IntegerOverflow => "integer_overflow",
            Self::BadConversion => "bad_conversion",
            Self::Bounds => "bounds",
            Self::TableBounds => "table_bounds",
            Self::NullFunction => "null_function",
            Self::BadSignature => "bad_signature",
            Self::Denied(what) => return Cow::Owned(format!("denied:{what}")),
            Self::Other(what) => return Cow::Owned(format!("other:{what}")),
        })
    }

    /// Whether a limit of the call ended it, rather than a fault of the program.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::Fuel | Self::Memory | Self::Table | Self::Stack | Self::Deadline | Self::Output
        )
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// What a function of the interface ends a program with. Engines pass it through as an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The program is done, with this code.
    Exit(i32),
    /// It may not go on.
    Trap(Trap),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Trap(trap) => write!(f, "trap {trap}"),
        }
    }
}

impl core::error::Error for Stop {}

fn as_text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}
