//! Why something of trade is not done.

use alloc::string::String;
use tau_core::session::StoreError;
use tau_kamn::{
    attest::AttestError, escrow::EscrowError, jcs, kel, ledger::LedgerError, routing::RoutingError,
};
use thiserror::Error;

use crate::{peers::LogError, signer::SignerError};

/// Why something of trade is not done. What is refused changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TradeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key event log was not read or not taken.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The agent did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The ledger refuses it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It does not count as an attestation.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// Nobody is routed to.
    #[error(transparent)]
    Routing(#[from] RoutingError),
    /// Written by a later version.
    #[error("{what} has version {found}, this program reads up to 1")]
    Version {
        /// What.
        what: &'static str,
        /// Its version.
        found: u64,
    },
    /// More than is read of others.
    #[error("{what}: {found} are more than the {limit} that are read")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much may be.
        limit: usize,
        /// How much there is.
        found: usize,
    },
    /// A file that is none of those read here.
    #[error("that is {why}")]
    File {
        /// What it is instead.
        why: &'static str,
    },
    /// Not a name of a ledger.
    #[error("{name:?} cannot be a ledger's name: 1 to 32 of a-z, 0-9 and -")]
    Name {
        /// The beginning of what was given.
        name: String,
    },
    /// No ledger of that name.
    #[error("there is no ledger {name:?}")]
    NoLedger {
        /// The name.
        name: String,
    },
    /// No escrow of that name in any ledger.
    #[error("no ledger has escrow {id:?}")]
    NoEscrow {
        /// The name.
        id: String,
    },
    /// A ledger that somebody else keeps.
    #[error("ledger {name} is kept by {keeper}: what happens in it is his to record")]
    NotKeeper {
        /// The ledger.
        name: String,
        /// Who keeps it.
        keeper: String,
    },
    /// Events that are not what their keeper wrote.
    #[error("event {seq} of ledger {name} does not hold: {why}")]
    Damaged {
        /// The ledger.
        name: String,
        /// The event's number.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// Two signed events for one number.
    #[error("ledger {name} has two heads: its keeper signed two different events {seq}")]
    Forked {
        /// The ledger.
        name: String,
        /// The number of both.
        seq: u64,
    },
    /// A clock that went back.
    #[error("it is {now_ms}, but the last event of the ledger is of {last_ms}")]
    Clock {
        /// The time, in milliseconds since 1970.
        now_ms: u64,
        /// That of the last event, likewise.
        last_ms: u64,
    },
    /// Somebody who is not trusted so far.
    #[error("{did} is not trusted to {what}: {found}, {least} is the least")]
    Gate {
        /// Who.
        did: String,
        /// What for.
        what: &'static str,
        /// What is known of him, in words.
        found: String,
        /// The least score.
        least: u16,
    },
    /// A cost that is not known in the escrow's asset.
    #[error("what it cost is not known in {asset}: {why}")]
    NoPrice {
        /// The asset.
        asset: String,
        /// Why not.
        why: &'static str,
    },
    /// Others wrote at the same time, again and again.
    #[error("others wrote to ledger {name} again and again")]
    Contended {
        /// The ledger.
        name: String,
    },
}

impl TradeError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store_failed",
            Self::Log(error) => error.reason_code(),
            Self::Signer(_) => "signer_failed",
            Self::Ledger(error) => error.reason_code(),
            Self::Attest(error) => error.reason_code(),
            Self::Routing(error) => error.reason_code(),
            Self::Version { .. } => "version_unsupported",
            Self::TooMany { .. } => "too_many",
            Self::File { .. } => "file_kind_invalid",
            Self::Name { .. } => "ledger_name_invalid",
            Self::NoLedger { .. } => "ledger_missing",
            Self::NoEscrow { .. } => "ledger_reference_missing",
            Self::NotKeeper { .. } => "ledger_kept_by_another",
            Self::Damaged { .. } => "ledger_chain_invalid",
            Self::Forked { .. } => "ledger_fork_detected",
            Self::Clock { .. } => "ledger_time_invalid",
            Self::Gate { .. } => "trust_below_gate",
            Self::NoPrice { .. } => "price_unknown",
            Self::Contended { .. } => "ledger_contended",
        }
    }
}

impl From<EscrowError> for TradeError {
    fn from(error: EscrowError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<jcs::Error> for TradeError {
    fn from(error: jcs::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<kel::Error> for TradeError {
    fn from(error: kel::Error) -> Self {
        Self::Log(error.into())
    }
}

impl From<tau_kamn::Error> for TradeError {
    fn from(error: tau_kamn::Error) -> Self {
        Self::Ledger(error.into())
    }
}
