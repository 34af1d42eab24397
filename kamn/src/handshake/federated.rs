//! Whether an agent of another network may be dealt with: KAMN's ordered list of checks.
//!
//! The facts are what this agent found out itself, never what the other claims: the trust store is its
//! own, the counters are the last it accepted, the suites are those of two signed messages.

use alloc::{collections::BTreeSet, string::String};

use super::best_common;

/// What was found out about the other.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The other network.
    pub network: &'a str,
    /// The agent there.
    pub did: &'a str,
    /// Whom this agent trusts, by network and DID.
    pub trust_store: &'a BTreeSet<(String, String)>,
    /// The number of the newest verified key event, when the DID was resolved.
    pub resolved_seq: Option<u64>,
    /// Whether the envelope's proof was verified under a key of that log.
    pub is_signature_verified: bool,
    /// How many independent resolutions agree.
    pub received: u32,
    /// How many must.
    pub required: u32,
    /// The envelope's nonce, and the last one accepted from this agent.
    pub nonce: Advance,
    /// The partition's sequence, and the last one accepted.
    pub partition: Advance,
    /// The suites of the signed proposal, those of the signed acceptance, and the one chosen.
    pub suites: (&'a [String], &'a [String], &'a str),
}

/// A counter that must grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// What came, from 1.
    pub found: u64,
    /// The last one accepted.
    pub last: Option<u64>,
}

impl Advance {
    fn grows(self) -> bool {
        self.last.is_none_or(|last| self.found > last)
    }
}

/// What the checks came to: the first that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All passed.
    Ok,
    /// Something blank, or a counter at zero.
    InvalidInput,
    /// A quorum of nobody.
    InvalidQuorum,
    /// Nobody this agent trusts.
    TrustStoreMiss,
    /// The DID was not resolved.
    ResolverMissing,
    /// The proof was not verified.
    SignaturePolicyFailed,
    /// Too few resolutions agree.
    QuorumShortfall,
    /// The nonce does not grow.
    NonceReplay,
    /// The partition's sequence does not grow.
    PartitionReplay,
    /// The suite is not the best both have.
    DowngradeDetected,
}

impl Verdict {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::Ok => "federated_did_handshake_ok",
            Self::InvalidInput => "federated_did_handshake_invalid_input",
            Self::InvalidQuorum => "federated_did_handshake_invalid_quorum",
            Self::TrustStoreMiss => "federated_did_handshake_trust_store_miss",
            Self::ResolverMissing => "federated_did_handshake_resolver_missing",
            Self::SignaturePolicyFailed => "federated_did_handshake_signature_policy_failed",
            Self::QuorumShortfall => "federated_did_handshake_quorum_shortfall",
            Self::NonceReplay => "federated_did_handshake_nonce_replay",
            Self::PartitionReplay => "federated_did_handshake_partition_replay",
            Self::DowngradeDetected => "federated_did_handshake_downgrade_detected",
        }
    }
}

/// The checks, in KAMN's order.
#[must_use]
pub fn evaluate(facts: &Facts<'_>) -> Verdict {
    let blank = |text: &str| text.trim().is_empty();
    if blank(facts.network)
        || blank(facts.did)
        || facts.nonce.found == 0
        || facts.partition.found == 0
    {
        return Verdict::InvalidInput;
    }
    if facts.required == 0 {
        return Verdict::InvalidQuorum;
    }
    let is_trusted = facts
        .trust_store
        .contains(&(facts.network.into(), facts.did.into()));
    let (offered, supported, chosen) = facts.suites;
    let checks = [
        (is_trusted, Verdict::TrustStoreMiss),
        (facts.resolved_seq.is_some(), Verdict::ResolverMissing),
        (facts.is_signature_verified, Verdict::SignaturePolicyFailed),
        (facts.received >= facts.required, Verdict::QuorumShortfall),
        (facts.nonce.grows(), Verdict::NonceReplay),
        (facts.partition.grows(), Verdict::PartitionReplay),
        (
            best_common(offered, supported) == Some(chosen),
            Verdict::DowngradeDetected,
        ),
    ];
    checks
        .into_iter()
        .find(|(passed, _)| !passed)
        .map_or(Verdict::Ok, |(_, verdict)| verdict)
}
