//! Routing: who is asked, of those who could be.
//!
//! ```text
//!   adjustment = 6 · endorsements + 2 · verified − 18 · disputes      each at most 20
//!              + 40 if all required capabilities are verified, − 30 if one is missing, 0 if none is
//!   routing    = trust + adjustment, cut to 0..1000
//!   order      : routing, then trust, both descending; then DID, then listing
//! ```
//!
//! [`rank`] is KAMN's rule. [`choose`] is what decides: a score that is not known, or not fresh, is
//! below every threshold, and where nobody reaches it nobody is asked.
//!
//! Invariants: the order is total and does not depend on the order of the candidates; scores are the
//! caller's own, never those of a message; why somebody was chosen can be read from the choice.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use thiserror::Error as ThisError;

use crate::{did::AgentDid, error::beginning, trust::MAX_SCORE};

/// How much each thing weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of an endorsement.
    pub endorsement: i64,
    /// Of a verified capability.
    pub verified: i64,
    /// Of a dispute, against.
    pub dispute: i64,
    /// Of having all that is required.
    pub matched: i64,
    /// Of missing some of it, against.
    pub missing: i64,
    /// How many endorsements, capabilities and disputes count.
    pub counted: u64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            endorsement: 6,
            verified: 2,
            dispute: 18,
            matched: 40,
            missing: 30,
            counted: 20,
        }
    }
}

/// What is known of an agent's trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The score.
    pub score: u16,
    /// When it was computed, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Somebody who could be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub did: AgentDid,
    /// Under which listing of a market, where there is one.
    pub listing: Option<String>,
    /// Its trust; `None` where nothing is known.
    pub trust: Option<Trust>,
    /// How many endorse it.
    pub endorsements: u64,
    /// How many disputes went against it.
    pub disputes: u64,
    /// What it was verified to be able to do.
    pub verified: BTreeSet<String>,
}

/// Why nobody is routed to.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum RoutingError {
    /// A weight below zero.
    #[error("a weight is below zero or too large")]
    Weights,
    /// Nobody to choose from.
    #[error("there are no candidates")]
    NoCandidates,
    /// The same candidate twice.
    #[error("candidate {did} comes twice")]
    Duplicate {
        /// Who.
        did: String,
    },
    /// Nothing is known of a candidate.
    #[error("nothing is known of {did}")]
    MissingRecord {
        /// Who.
        did: String,
    },
    /// A blank capability is required.
    #[error("{capability:?} cannot be required")]
    Capability {
        /// What was given.
        capability: String,
    },
    /// Nobody is trusted enough.
    #[error("of {candidates} candidates nobody reaches {minimum}")]
    NoTrustedRoute {
        /// How many there were.
        candidates: usize,
        /// The least score.
        minimum: u16,
    },
}

impl RoutingError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Weights => "routing_weight_invalid",
            Self::NoCandidates => "routing_candidates_empty",
            Self::Duplicate { .. } => "routing_candidate_duplicate",
            Self::MissingRecord { .. } => "routing_record_missing",
            Self::Capability { .. } => "routing_capability_invalid",
            Self::NoTrustedRoute { .. } => "no_trusted_route",
        }
    }
}

/// A place in the order, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who.
    pub did: AgentDid,
    /// Under which listing.
    pub listing: Option<String>,
    /// The trust it came with.
    pub trust: u16,
    /// What was added for endorsements, capabilities and disputes.
    pub adjustment: i64,
    /// What the order goes by.
    pub routing: u16,
    /// Required capabilities it does not have.
    pub missing: Vec<String>,
}

/// The order, and what it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The first is to be asked first.
    pub places: Vec<Place>,
    /// Those left out: not known, not fresh, or not trusted enough.
    pub left_out: Vec<AgentDid>,
    /// The required capabilities, sorted, each once.
    pub required: Vec<String>,
    /// The weights.
    pub weights: Weights,
}

/// What is asked of candidates before they are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// The least score.
    pub minimum: u16,
    /// How old a score may be.
    pub max_age_ms: u64,
}

impl Default for Threshold {
    /// Neutral, and an hour.
    fn default() -> Self {
        Self {
            minimum: 400,
            max_age_ms: 3_600_000,
        }
    }
}

/// Orders all candidates, by KAMN's rule. All must be known.
pub fn rank(
    candidates: &[Candidate],
    required: &[&str],
    weights: &Weights,
) -> Result<Ranking, RoutingError> {
    let required = check(candidates, required, weights)?;
    let mut places = Vec::new();
    for candidate in candidates {
        let trust = candidate.trust.ok_or_else(|| RoutingError::MissingRecord {
            did: candidate.did.to_string(),
        })?;
        places.push(place(candidate, trust, &required, weights));
    }
    Ok(ranking(places, Vec::new(), required, weights))
}

/// Orders those who are trusted enough, by a score that is known and fresh; `no_trusted_route` where
/// nobody is.
pub fn choose(
    candidates: &[Candidate],
    required: &[&str],
    weights: &Weights,
    threshold: &Threshold,
    now_ms: u64,
) -> Result<Ranking, RoutingError> {
    let required = check(candidates, required, weights)?;
    let (mut places, mut left_out) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let trusted = candidate.trust.filter(|trust| {
            // A score from the future is no more known than one from long ago.
            let age = now_ms.checked_sub(trust.at_ms);
            age.is_some_and(|age| age <= threshold.max_age_ms) && trust.score >= threshold.minimum
        });
        match trusted {
            Some(trust) => places.push(place(candidate, trust, &required, weights)),
            None => left_out.push(candidate.did.clone()),
        }
    }
    if places.is_empty() {
        return Err(RoutingError::NoTrustedRoute {
            candidates: candidates.len(),
            minimum: threshold.minimum,
        });
    }
    Ok(ranking(places, left_out, required, weights))
}

fn check(
    candidates: &[Candidate],
    required: &[&str],
    weights: &Weights,
) -> Result<Vec<String>, RoutingError> {
    let all = [
        weights.endorsement,
        weights.verified,
        weights.dispute,
        weights.matched,
        weights.missing,
    ];
    // Up to a million, the sum of all cannot overflow.
    let counted = i64::try_from(weights.counted).unwrap_or(i64::MAX);
    if all
        .iter()
        .chain([&counted])
        .any(|weight| !(0..=1_000_000).contains(weight))
    {
        return Err(RoutingError::Weights);
    }
    if candidates.is_empty() {
        return Err(RoutingError::NoCandidates);
    }
    let mut seen = BTreeSet::new();
    for candidate in candidates {
        if !seen.insert((&candidate.did, &candidate.listing)) {
            return Err(RoutingError::Duplicate {
                did: candidate.did.to_string(),
            });
        }
    }
    if let Some(blank) = required
        .iter()
        .find(|capability| capability.trim().is_empty())
    {
        return Err(RoutingError::Capability {
            capability: beginning(blank),
        });
    }
    let sorted: BTreeSet<String> = required.iter().map(ToString::to_string).collect();
    Ok(sorted.into_iter().collect())
}

fn place(candidate: &Candidate, trust: Trust, required: &[String], weights: &Weights) -> Place {
    let counted = |count: u64| i64::try_from(count.min(weights.counted)).unwrap_or(0);
    let verified = u64::try_from(candidate.verified.len()).unwrap_or(u64::MAX);
    let missing: Vec<String> = required
        .iter()
        .filter(|capability| !candidate.verified.contains(*capability))
        .cloned()
        .collect();
    let fit = match (required.is_empty(), missing.is_empty()) {
        (true, _) => 0,
        (false, true) => weights.matched,
        (false, false) => -weights.missing,
    };
    let adjustment = weights.endorsement * counted(candidate.endorsements)
        + weights.verified * counted(verified)
        - weights.dispute * counted(candidate.disputes)
        + fit;
    let score = trust.score.min(MAX_SCORE);
    let routing = (i64::from(score) + adjustment).clamp(0, i64::from(MAX_SCORE));
    Place {
        did: candidate.did.clone(),
        listing: candidate.listing.clone(),
        trust: score,
        adjustment,
        routing: u16::try_from(routing).unwrap_or(0),
        missing,
    }
}

fn ranking(
    mut places: Vec<Place>,
    mut left_out: Vec<AgentDid>,
    required: Vec<String>,
    weights: &Weights,
) -> Ranking {
    places.sort_by(|a, b| {
        let key = |place: &Place| (Reverse(place.routing), Reverse(place.trust));
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.did, &a.listing).cmp(&(&b.did, &b.listing)))
    });
    left_out.sort();
    Ranking {
        places,
        left_out,
        required,
        weights: *weights,
    }
}

#[cfg(test)]
mod tests;
