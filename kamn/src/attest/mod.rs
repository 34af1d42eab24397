//! Attestations: what one agent says of another, signed, and which of it counts.
//!
//! ```text
//!   Attestation, signed ── admit: proof, window, parties, once, rate ──> Book ──> v3::Evidence
//! ```
//!
//! What is said of a task or a dispute counts only from those the ledger knows to have dealt with each
//! other in it, so nobody can praise or damage a stranger. The score is a function of what was
//! admitted: whoever has the attestations computes it again.
//!
//! Invariants: nobody attests to himself; one statement of a kind by one issuer about one thing; a task
//! has one end; nonces are not used twice; what is refused changes nothing.

mod book;
mod explain;
mod statement;

pub use book::{Admitted, Book, Policy};
pub use explain::Counted;
pub use statement::{Attestation, Kind, SignedAttestation};

use alloc::string::String;

use thiserror::Error as ThisError;

use crate::{did::KamnDid, error::Error, jcs, ledger::Ledger};

/// What two had to do with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealing {
    /// Who paid.
    pub payer: KamnDid,
    /// Who was paid.
    pub payee: KamnDid,
    /// Who was to decide between them.
    pub arbiter: Option<KamnDid>,
    /// Against whom a dispute between them went, as the record itself says.
    pub lost: Option<KamnDid>,
}

/// Who knows who dealt with whom.
pub trait Dealings {
    /// The dealing that a reference names.
    fn dealing(&self, reference: &str) -> Option<Dealing>;
}

impl Dealings for Ledger {
    /// A funded escrow by its name. A dispute in which anything went back was lost by the payee, one in
    /// which nothing did by the payer.
    fn dealing(&self, reference: &str) -> Option<Dealing> {
        let escrow = self.escrow(reference)?;
        let machine = escrow.machine()?;
        let terms = escrow.terms();
        let is_decided = escrow.disputed_ms().is_some() && machine.state().is_terminal();
        let loser = if machine.refunded().is_zero() {
            &terms.payer
        } else {
            &terms.payee
        };
        Some(Dealing {
            payer: terms.payer.clone(),
            payee: terms.payee.clone(),
            arbiter: terms.arbiter.clone(),
            lost: is_decided.then(|| loser.clone()),
        })
    }
}

/// Why an attestation does not count.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum AttestError {
    /// Something it says makes no sense.
    #[error("the attestation is refused: {why}")]
    Shape {
        /// What is wrong.
        why: &'static str,
    },
    /// Nobody's key is known, or none was active.
    #[error("no key of {did} counted when it was made and seen")]
    UnknownIssuer {
        /// Who.
        did: String,
    },
    /// About oneself.
    #[error("nobody attests to himself")]
    SelfIssued,
    /// The issuer said that before.
    #[error("the issuer said that before")]
    Duplicate,
    /// The nonce was used before.
    #[error("the nonce was used before")]
    NonceReplay,
    /// Its window is over, has not begun, or it came too late.
    #[error("it is outside its time")]
    Window,
    /// Its height is before the subject's last, or after the present one.
    #[error("height {found} is not between {last} and {now}")]
    Height {
        /// The one given.
        found: u64,
        /// The subject's last.
        last: u64,
        /// The present one.
        now: u64,
    },
    /// The two had nothing to do with each other, or not in this way.
    #[error("issuer and subject are not the parties of {reference:?}")]
    Parties {
        /// What was referred to.
        reference: String,
    },
    /// The issuer says more than the policy lets anybody say.
    #[error("the issuer attests more often than is taken")]
    Rate,
    /// The book is full.
    #[error("the book is full")]
    Full,
    /// Something that does not parse, or a signature that does not fit.
    #[error(transparent)]
    Text(#[from] Error),
    /// Something that is not signed JSON.
    #[error(transparent)]
    Json(#[from] jcs::Error),
}

impl AttestError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "attestation_invalid",
            Self::UnknownIssuer { .. } => "attestation_issuer_unknown",
            Self::SelfIssued => "attestation_self_issued",
            Self::Duplicate => "attestation_duplicate",
            Self::NonceReplay => "attestation_nonce_replay",
            Self::Window => "attestation_outside_window",
            Self::Height { .. } => "attestation_height_invalid",
            Self::Parties { .. } => "attestation_source_unverified",
            Self::Rate => "attestation_rate_exceeded",
            Self::Full => "attestation_book_full",
            Self::Text(error) => error.reason_code(),
            Self::Json(error) => error.reason_code(),
        }
    }
}

#[cfg(test)]
mod tests;
