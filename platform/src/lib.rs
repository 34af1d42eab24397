//! What Tau asks of the world, and the one loop that asks it.
//!
//! [`tau_core::session::Session`] decides; a home implements [`Host`]; [`drive()`] carries effects
//! from one to the other. The traits are plain `async fn` without `Send` bounds: the driver's
//! future is `Send` exactly when the home's types are, and only a home ever spawns.

#![no_std]
#![expect(
    async_fn_in_trait,
    reason = "homes name their concrete types, so Send is inferred where it holds"
)]

extern crate alloc;

pub mod bundle;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
pub mod drive;
pub mod embed;
pub mod entropy;
pub mod host;
pub mod http;
pub mod http_tool;
mod inbox;
mod kept_log;
pub mod live;
pub mod memory;
mod memory_store;
pub mod messages;
pub mod open;
pub mod own_log;
pub mod paced;
pub mod peers;
pub mod receipts;
pub mod removal;
pub mod routine;
pub mod signer;
#[cfg(feature = "sim")]
pub mod sim;
pub mod statement;
pub mod storage;
pub mod trade;
pub mod transfer;
mod turnstile;

pub use clock::Clock;
pub use drive::{Left, Shown, drive};
pub use embed::{Embedder, HttpEmbedder, NoEmbedder, VectorCache};
pub use entropy::{Entropy, EntropyError};
pub use host::{Generation, Host, HostTools, LocalModel};
pub use http::{Body, Http};
pub use http_tool::{HttpTool, Outbound, OutboundError};
pub use inbox::Inbox;
pub use memory::MemoryTools;
pub use memory_store::MemoryStorage;
pub use paced::{Counter, Paced, StoredCounter};
pub use signer::{NoSigner, Signer, SignerError, TreeSigner};
pub use storage::Storage;
