//! Why an event or a log is not taken, or a key of it is not to be believed.

use alloc::string::String;
use thiserror::Error as ThisError;

use crate::jcs;

/// Why a key event log, an event or a key is refused. A refused event leaves its log as it was.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum Error {
    /// A key, signature, DID or moment in an event is none.
    #[error(transparent)]
    Value(#[from] crate::Error),
    /// The event is not JSON of the right shape.
    #[error(transparent)]
    Json(#[from] jcs::Error),
    /// The event is of a version that is not read here.
    #[error("key event of version {found}, only 1 is read")]
    Version {
        /// Its version.
        found: u64,
    },
    /// The event is of a kind that is not known.
    #[error("no key event is called {kind:?}")]
    Kind {
        /// The beginning of what it is called.
        kind: String,
    },
    /// The log has more events than are read, or none.
    #[error("a log of {found} key events, between 1 and {limit} are read")]
    Length {
        /// How many are read.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The event is not the next one.
    #[error("key event {found}, expected {expected}")]
    Gap {
        /// The number the next event has.
        expected: u32,
        /// The number this one has.
        found: u32,
    },
    /// The event does not name the hash of the one before.
    #[error("key event {seq} does not follow from the one before it")]
    Previous {
        /// Its number.
        seq: u32,
    },
    /// The event is one of another DID.
    #[error("the key event is one of {found}")]
    Subject {
        /// The DID it is of.
        found: String,
    },
    /// The DID is bound to no key, so no log proves anything about it.
    #[error("{did} is bound to no key")]
    Unbound {
        /// The DID.
        did: String,
    },
    /// The DID is bound to another key than its inception names.
    #[error("{did} is bound to another identity key")]
    Binding {
        /// The DID.
        did: String,
    },
    /// The event is older than the one before.
    #[error("key event {seq} was created before the one before it")]
    TimeReversed {
        /// Its number.
        seq: u32,
    },
    /// A signature that the event needs is missing or wrong.
    #[error("the key event is not signed by {by}")]
    Unsigned {
        /// Whose signature it needs.
        by: &'static str,
    },
    /// The event carries a proof that it does not need.
    #[error("the key event carries {what} that prove nothing here")]
    Surplus {
        /// What it carries.
        what: &'static str,
    },
    /// The new identity key is not the one that was committed to.
    #[error("the identity key is not the one that was committed to")]
    Commitment,
    /// A key that was in this log before, or is one of two roles.
    #[error("a key of this log has been in it before, or has two roles")]
    KeyReused,
    /// A rotation of nothing.
    #[error("the rotation names no key")]
    NothingRotated,
    /// The log has no such key.
    #[error("{did} has no key {id:?}")]
    KeyUnknown {
        /// The DID.
        did: String,
        /// The beginning of the key's id.
        id: String,
    },
    /// The key was revoked already.
    #[error("{id:?} was revoked before")]
    RevokedBefore {
        /// The key's id.
        id: String,
    },
    /// A revocation or a reason that makes no sense.
    #[error("revocation: {why}")]
    Revocation {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The DID was deactivated.
    #[error("the DID is deactivated")]
    Deactivated,
    /// Only a deactivated DID is recovered.
    #[error("the DID is not deactivated")]
    NotDeactivated,
    /// The inception names nobody who could approve.
    #[error("the inception names no approvers")]
    NoRecovery,
    /// Approvers and threshold that make no sense.
    #[error("recovery: {why}")]
    RecoveryPolicy {
        /// What is wrong with them.
        why: &'static str,
    },
    /// Somebody approved whom the inception does not name.
    #[error("{approver} is no approver")]
    ApproverUnknown {
        /// The approver's did:key.
        approver: String,
    },
    /// Somebody approved twice.
    #[error("{approver} approved twice")]
    ApproverDuplicate {
        /// The approver's did:key.
        approver: String,
    },
    /// Too few approved.
    #[error("{found} approved, {expected} must")]
    Quorum {
        /// How many must approve.
        expected: usize,
        /// How many did.
        found: usize,
    },
    /// A recovery's number that is zero or not above the last.
    #[error("recovery nonce {found} is not above {last}")]
    Nonce {
        /// The last one.
        last: u64,
        /// This one.
        found: u64,
    },
    /// There are two valid events in one place: somebody else has the identity key, or its owner
    /// tells two stories.
    #[error("the log forks at key event {seq}: the DID is compromised")]
    Fork {
        /// The number of both events.
        seq: u32,
    },
    /// The key did not count at that moment.
    #[error("{id:?} was not active at {at_ms} ms")]
    NotActive {
        /// The key's id.
        id: String,
        /// The moment.
        at_ms: u64,
    },
    /// The key is revoked, and nothing says that this was signed before it got lost.
    #[error("{id:?} is revoked, lost since {since_ms} ms")]
    Revoked {
        /// The key's id.
        id: String,
        /// Since when it may be in other hands.
        since_ms: u64,
    },
    /// The key is for another use.
    #[error("{id:?} is no key to {purpose} with")]
    Purpose {
        /// The key's id.
        id: String,
        /// The use that was asked for.
        purpose: &'static str,
    },
}

impl Error {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Value(error) => error.reason_code(),
            Self::Json(error) => error.reason_code(),
            Self::Version { .. } => "kel_version_unknown",
            Self::Kind { .. } => "kel_type_unknown",
            Self::Length { .. } => "kel_length_invalid",
            Self::Gap { .. } => "kel_gap",
            Self::Previous { .. } => "kel_previous_mismatch",
            Self::Subject { .. } => "kel_subject_mismatch",
            Self::Unbound { .. } => "kel_did_unbound",
            Self::Binding { .. } => "kel_binding_mismatch",
            Self::TimeReversed { .. } => "kel_time_reversed",
            Self::Unsigned { .. } => "kel_signature_invalid",
            Self::Surplus { .. } => "kel_proof_surplus",
            Self::Commitment => "kel_commitment_mismatch",
            Self::KeyReused => "kel_key_reused",
            Self::NothingRotated => "kel_rotation_empty",
            Self::KeyUnknown { .. } => "kel_key_unknown",
            Self::RevokedBefore { .. } => "kel_key_already_revoked",
            Self::Revocation { .. } => "kel_revocation_invalid",
            Self::Deactivated => "kel_deactivated",
            Self::NotDeactivated => "kel_not_deactivated",
            Self::NoRecovery => "kel_recovery_absent",
            Self::RecoveryPolicy { .. } => "kel_recovery_invalid",
            Self::ApproverUnknown { .. } => "kel_approver_unknown",
            Self::ApproverDuplicate { .. } => "kel_approver_duplicate",
            Self::Quorum { .. } => "kel_quorum_shortfall",
            Self::Nonce { .. } => "kel_nonce_replay",
            Self::Fork { .. } => "kel_fork_detected",
            Self::NotActive { .. } => "kel_key_not_active",
            Self::Revoked { .. } => "kel_key_revoked",
            Self::Purpose { .. } => "kel_key_purpose_mismatch",
        }
    }
}
