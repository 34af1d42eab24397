//! What a home gives a program to act on, each behind a small trait.

use crate::{Directory, Errno};
use alloc::{boxed::Box, string::String, vec::Vec};

/// What a run can act on. Having a thing here grants nothing: the [`crate::Grant`] does.
pub struct World {
    /// Standard input.
    pub input: Box<dyn Input>,
    /// For the deadline, and for the program if it may know the time.
    pub clock: Box<dyn Clock>,
    /// Where random bytes come from; `None` where there are none.
    pub random: Option<Box<dyn Random>>,
    /// How requests are sent; `None` where that is not possible.
    pub reach: Option<Box<dyn Reach>>,
    /// The directories of [`crate::Grant::dirs`], in its order.
    pub dirs: Vec<Box<dyn Directory>>,
}

impl World {
    /// A world with these bytes as standard input and nothing else; its time stands still, so that
    /// only fuel bounds a program in it.
    pub fn still(input: Vec<u8>) -> Self {
        Self {
            input: Box::new(Bytes::new(input)),
            clock: Box::new(Still),
            random: None,
            reach: None,
            dirs: Vec::new(),
        }
    }
}

/// Standard input.
pub trait Input {
    /// Reads at most `buffer.len()` bytes, waiting for the first at most `wait_ns` nanoseconds;
    /// 0 is the end, and [`Errno::Again`] means that nothing came.
    fn read(&mut self, buffer: &mut [u8], wait_ns: u64) -> Result<usize, Errno>;
}

/// The time.
pub trait Clock {
    /// Nanoseconds since some moment, never going back.
    fn monotonic_ns(&mut self) -> u64;
    /// Nanoseconds since 1970.
    fn wall_ns(&mut self) -> u64;
    /// Waits, and says whether it did. A home that cannot wait says no, and the program's own time
    /// goes on as if it had.
    fn sleep(&mut self, nanoseconds: u64) -> bool {
        let _ = nanoseconds;
        false
    }
}

/// Random bytes.
pub trait Random {
    /// Fills `buffer`.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Errno>;
}

/// Sends a program's requests, through whatever a home sends its own through.
pub trait Reach {
    /// Sends the request, a JSON object `{method, url, headers, body}`, and returns the response,
    /// `{status, headers, body}`, as the home spells them.
    ///
    /// The implementation decides whether the host, and that of each redirect, is one of `hosts`,
    /// and takes no longer than `wait_ns`.
    fn request(
        &mut self,
        request: &[u8],
        hosts: &[String],
        wait_ns: u64,
    ) -> Result<Vec<u8>, Unreached>;
}

/// Why a request was not answered. A program reads it as JSON: `{"error":"denied","reason":…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// It may not be sent.
    Denied {
        /// Which rule, and why.
        reason: String,
    },
    /// It was sent, or could not be, and there is no response.
    Failed {
        /// What happened.
        reason: String,
    },
}

/// Standard input from bytes.
pub struct Bytes {
    bytes: Vec<u8>,
    position: usize,
}

impl Bytes {
    /// Input that ends after `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, position: 0 }
    }
}

impl Input for Bytes {
    fn read(&mut self, buffer: &mut [u8], _: u64) -> Result<usize, Errno> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}

/// A clock that stands still.
pub struct Still;

impl Clock for Still {
    fn monotonic_ns(&mut self) -> u64 {
        0
    }

    fn wall_ns(&mut self) -> u64 {
        crate::EPOCH_NS
    }
}
