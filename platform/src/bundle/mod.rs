//! Bundles of a home: what is in its store as parts, sealed, opened, and taken over.
//!
//! Invariants:
//! - What is taken over was verified to the last byte before anything of it is stored, and goes into
//!   the store in one commit; importing the same again changes nothing.
//! - What another agent wrote is words of others. A bundle of this agent itself is its own, since
//!   nobody else could have signed it.
//! - No bundle has a secret in it: no key, no credential, no yes of a person.

mod export;
mod import;
mod read;
mod seal;

pub use export::{ExportError, Wanted, memory_part, parts, policy_part, scopes};
pub use import::{
    Author, ImportError, Planned, Report, Rows, Wish, author_of, learn_signers, plan, plan_parts,
};
pub use read::{ReadError, Whole, read};
pub use seal::{Made, MakeError, Seal, make};

#[cfg(test)]
mod tests;
