//! Trade of a home: whom its agent trusts and why, what it holds for others, and what moved.
//!
//! ```text
//!   peers ─ logs ──┐
//!   ledger/… ──────┼─> Trade ── explain, route ──> scores, and why
//!   attestation/… ─┘     └───── reserve, command, settle, admit ──> one row, signed, in one commit
//! ```
//!
//! A home keeps ledgers of its own, signed by its agent, and holds copies of those that others keep.
//! What another must record is signed here and handed to him as a file.
//!
//! Invariants: nothing that is read is believed before it was checked, the store's rows among it; an
//! event is stored before it counts and its number exists once, so two writers never make two heads; a
//! score is computed from admitted attestations alone; who is not known, or whose key log forks, is below
//! every threshold. A ledger with two heads, or with an event that does not hold, says so and is written to
//! no more; the others go on.

mod attestations;
mod error;
mod escrows;
mod explain;
mod file;
mod import;
mod ledgers;
mod rows;
mod turn;

pub use attestations::{Statement, Uncounted};
pub use error::TradeError;
pub use escrows::{Done, NANO_USD, Settled, Sums, TOKENS, asset_of, cost_of};
pub use explain::{Candidacy, Explained, Passed, Route, Standing};
pub use file::{CommandFile, FILE_LIMIT_BYTES, File, LedgerFile, TrustFile};
pub use import::{Imported, Taken};
pub use ledgers::Kept;
pub use turn::TurnEnd;

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid, PublicKey, Signature,
    attest::{Book, Policy},
    kel::KeyLog,
};

use crate::{Signer, SignerError, Storage, peers};

/// The ledger that is meant where none is named.
pub const MAIN: &str = "main";
/// How long a block of the score's heights is: an hour.
pub const BLOCK_MS: u64 = 3_600_000;
/// How far clocks may be apart.
pub const SKEW_MS: u64 = tau_kamn::kel::SKEW_MS;
/// Attestations a home keeps. A full book admits nothing more.
pub const ATTESTATIONS_LIMIT: usize = 100_000;
/// Others may write at the same time: so often it is tried again.
const ATTEMPTS: u32 = 32;

/// The height of a moment: whole hours since 1970. Everybody comes to the same one without a chain.
#[must_use]
pub fn height_at(now: UnixMillis) -> u64 {
    now.0 / BLOCK_MS
}

/// What a home admits: as [`Policy::default`], up to its own limit.
#[must_use]
pub fn policy() -> Policy {
    Policy {
        limit: ATTESTATIONS_LIMIT,
        skew_ms: SKEW_MS,
        ..Policy::default()
    }
}

/// What a home knows of trade, as it was last read.
#[derive(Debug, Default)]
pub struct Trade {
    own: Option<AgentDid>,
    known: BTreeMap<AgentDid, KeyLog>,
    ledgers: BTreeMap<String, Kept>,
    unreadable: BTreeMap<String, String>,
    book: Book,
    uncounted: Vec<Uncounted>,
    /// When the last attestation came: never goes back, so their order is the order they came in.
    last_seen_ms: u64,
}

/// Who writes, where, and when.
#[derive(Debug)]
pub struct Desk<'a, S, G> {
    /// The home's store.
    pub storage: &'a S,
    /// Who signs for its agent.
    pub signer: &'a G,
    /// The present moment, by the home's clock.
    pub now: UnixMillis,
}

impl<S: Storage, G: Signer> Desk<'_, S, G> {
    fn did(&self) -> AgentDid {
        self.signer.log().unchecked_state().did().clone()
    }

    /// The signature of the key that counts now, and that key.
    async fn sign(&self, bytes: &[u8]) -> Result<(Signature, PublicKey), TradeError> {
        let signature = self.signer.sign(bytes).await?;
        let state = self.signer.log().state()?;
        let key = state
            .current_signing()
            .map(|(_, key)| *key)
            .ok_or_else(|| SignerError::NoKey {
                key: "signing",
                detail: String::from("it was revoked"),
            })?;
        Ok((signature, key))
    }
}

impl Trade {
    /// Reads and checks all there is in `storage`, once. What does not hold is left out and named.
    pub async fn open<S: Storage>(storage: &S) -> Result<Self, TradeError> {
        let mut trade = Self {
            own: crate::own_log::load(storage)
                .await?
                .map(|log| log.unchecked_state().did().clone()),
            known: peers::everyone(storage).await?,
            ..Self::default()
        };
        trade.read_ledgers(storage).await?;
        trade.read_book(storage).await?;
        Ok(trade)
    }

    /// The agent of this home, if it has one.
    #[must_use]
    pub fn own(&self) -> Option<&AgentDid> {
        self.own.as_ref()
    }

    /// The key logs that signatures are held against.
    #[must_use]
    pub fn known(&self) -> &BTreeMap<AgentDid, KeyLog> {
        &self.known
    }

    /// The attestations that count.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Stored attestations that do not count, and why.
    #[must_use]
    pub fn uncounted(&self) -> &[Uncounted] {
        &self.uncounted
    }

    /// The log of whoever writes counts, whether it is in the store yet or not.
    fn writes<S: Storage, G: Signer>(&mut self, desk: &Desk<'_, S, G>) -> AgentDid {
        let did = desk.did();
        self.known.insert(did.clone(), desk.signer.log().clone());
        // In a store that several agents share, whoever writes is the one who is meant.
        self.own = Some(did.clone());
        did
    }
}

#[cfg(test)]
mod tests;
