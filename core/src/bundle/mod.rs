//! An agent in one file: sessions with their receipts, memories, a policy, tools and identity files,
//! in parts that are listed by hash in a manifest which the agent signed.
//!
//! ```text
//!   {"agent_bundle":1,…,"log":…,"parts":[…],"signature":…}\n              the manifest, one line
//!   part 1 2310\n  ……2310 bytes……   part 2 88\n  ……88 bytes……                  the parts, in its order
//! ```
//!
//! Sealed, the file begins with a [`Lock`] instead, which says whose it is and who can open it, and
//! the manifest is sealed as part 0:
//!
//! ```text
//!   {"agent_bundle":1,"did":…,"lock":{…}}\n   part 0 310\n……   part 1 2326\n……
//! ```
//!
//! Invariants: nothing of a part is handed out before the manifest was verified and the part's hash
//! fits; what does not is refused by the part's name. There is one way to write a bundle, to the
//! byte, so a change anywhere is found. A name is a kind and a word and never a path. No claim in a
//! file makes the reader take memory that the bytes behind it do not fill.

mod error;
mod lock;
mod manifest;
mod name;
mod policy;
mod read;
mod write;

pub use error::{BundleError, Place, Reason};
pub use lock::{ContentKey, Kdf, Lock, Recipients};
pub use manifest::{Draft, Left, Listed, Manifest};
pub use name::{Kind, PartName, SLUG_LIMIT_BYTES};
pub use policy::{Tightened, carried, tightened};
pub use read::{Next, Part, Reader};
pub use write::Writer;

/// The format this code writes, and the newest it reads.
pub const VERSION: u64 = 1;
/// What a manifest is signed and hashed under.
pub const DOMAIN: &str = "kamn:bundle:v1";
/// Bytes of the first line: a manifest or a lock.
pub const LINE_LIMIT_BYTES: usize = 4 << 20;
/// Parts of one bundle, those left out included.
pub const PARTS_LIMIT: usize = 10_000;

/// How much of a bundle a home can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one part.
    pub part_bytes: u64,
    /// Bytes of all parts together.
    pub all_bytes: u64,
}

impl Default for Limits {
    /// What a machine of its own can take.
    fn default() -> Self {
        Self {
            part_bytes: 256 << 20,
            all_bytes: 1 << 30,
        }
    }
}

/// What every bundle begins with, sealed or not: the member that says its format comes first.
const MAGIC: &str = "{\"agent_bundle\":";

/// Whether a file that begins so is a bundle, sealed or not.
#[must_use]
pub fn is_bundle(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC.as_bytes())
}

/// Whether a file that begins so needs an agent's key to be opened. What is longer than its first
/// line alone tells.
#[must_use]
pub fn is_sealed_for_agents(beginning: &[u8]) -> bool {
    let line = beginning.split(|byte| *byte == b'\n').next();
    let text = line.and_then(|line| core::str::from_utf8(line).ok());
    text.is_some_and(|line| {
        is_bundle(line.as_bytes()) && line.contains("\"lock\":{") && line.contains("\"sender\":")
    })
}

#[cfg(test)]
mod tests;
