//! Memory: short texts the agent keeps across sessions.
//!
//! ```text
//!  a model's tools ─┐                       ┌─> memory/<scope>/<id>   the entries: the truth
//!  a turn's recall ─┼─ Request ─> service ──┤
//!  commands, pages ─┘                       └─> index/<scope>/…       what is searched: derived
//! ```
//!
//! Whoever asks, it is one [`Request`] that the home's service answers, so that all see the same
//! entries. Entries of one [`Scope`] never show in another. Something that has no word of a query
//! and does not mean the same is never found.

mod embedding;
pub mod entry;
pub mod eval;
pub mod import;
pub mod index;
mod recalled;
pub mod request;
mod scope;
mod tools;

pub use embedding::{EmbedError, EmbeddingModel};
pub use entry::{Draft, Memory, MemoryError, TEXT_LIMIT_BYTES};
pub(crate) use recalled::{message as recalled_message, search as recall_search};
pub use request::{Action, Answer, Failure, Found, Kept, Reply, Request, Search};
pub use scope::{Access, BadScope, Scope};
pub use tools::{
    Caller, MEMORY, NAMES, RECALL, REMEMBER, action, labels, line, scope_named, tell, tool_specs,
};

#[cfg(test)]
mod tests;
