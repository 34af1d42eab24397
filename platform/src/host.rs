//! What a home can do, in one bundle.

use alloc::vec::Vec;
use tau_core::{
    ids::EffectId,
    model::{Delta, ModelRequest},
    session::GenerateError,
    tool::{ToolOutput, ToolRun, ToolSpec},
};

use crate::{clock::Clock, http::Http, memory::MemoryTools, signer::Signer, storage::Storage};

/// The tools a home has. A home without any returns no specs.
pub trait HostTools {
    /// What they are, in the order shown to the model.
    fn specs(&self) -> Vec<ToolSpec>;

    /// Runs one call within its limits.
    ///
    /// Dropping the future ends the call and everything it started. The same `id` comes twice only
    /// when the process died between the call and its record.
    async fn run(&self, id: EffectId, run: ToolRun) -> ToolOutput;
}

/// A model inside the process. A home without one fails with [`GenerateError::Unavailable`].
pub trait LocalModel {
    /// An answer while it is written.
    type Generation: Generation;

    /// Starts an answer.
    async fn generate(&self, request: ModelRequest) -> Result<Self::Generation, GenerateError>;
}

/// One answer of a [`LocalModel`].
pub trait Generation {
    /// The next piece; `None` after the last, which was [`Delta::Stop`] or a [`Delta::Usage`]
    /// following it. Dropping the generation ends it.
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError>;
}

/// Everything [`crate::drive()`] needs of a home.
pub trait Host {
    /// Its clock.
    type Clock: Clock;
    /// Its HTTP client.
    type Http: Http;
    /// Its store.
    type Storage: Storage;
    /// Its tools.
    type Tools: HostTools;
    /// Its in-process model.
    type Model: LocalModel;
    /// Its memory.
    type Memory: MemoryTools;
    /// Who signs for its agent; [`crate::NoSigner`] where nobody can.
    type Signer: Signer;

    /// The clock.
    fn clock(&self) -> &Self::Clock;
    /// The HTTP client.
    fn http(&self) -> &Self::Http;
    /// The store.
    fn storage(&self) -> &Self::Storage;
    /// The tools.
    fn tools(&self) -> &Self::Tools;
    /// The in-process model.
    fn model(&self) -> &Self::Model;
    /// The memory.
    fn memory(&self) -> &Self::Memory;
    /// Who signs for the agent; `None` where it has no identity.
    fn signer(&self) -> Option<&Self::Signer>;
}
