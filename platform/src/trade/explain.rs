//! Scores with what they are made of, and who is asked because of them.

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::fmt;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid,
    attest::Counted,
    routing::{Candidate, Ranking, RoutingError, Threshold, Trust, Weights, choose},
    trust::{Tier, v3},
};

use super::{Trade, TradeError, height_at};

/// What is known of an agent's keys: without them nothing it says can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its key log is known, and it has a key to sign with.
    Known,
    /// Nobody has shown its key log.
    Unknown,
    /// Its key log forks: nothing it signs is believed.
    Forked,
    /// It has no key that counts any more.
    NoKey,
}

impl Standing {
    /// As programs read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Forked => "forked",
            Self::NoKey => "no_key",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "its key log is known",
            Self::Unknown => "its key log is not known",
            Self::Forked => "its key log forks, so nothing it signs is believed",
            Self::NoKey => "its keys were revoked",
        })
    }
}

/// A score, and all there is behind it.
#[derive(Debug)]
pub struct Explained<'a> {
    /// Of whom.
    pub did: AgentDid,
    /// At which hour since 1970.
    pub height: u64,
    /// What is known of its keys. Unless that is [`Standing::Known`], the score opens nothing.
    pub standing: Standing,
    /// The score.
    pub score: v3::Score,
    /// What the score is called.
    pub tier: Tier,
    /// What each term of the formula comes to.
    pub terms: v3::Terms,
    /// What was counted.
    pub evidence: v3::Evidence,
    /// What was said of it, in the order it came, with what each weighs.
    pub counted: Vec<Counted<'a>>,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Who.
    pub did: AgentDid,
    /// What is known of its keys.
    pub standing: Standing,
    /// Its score; `None` where it is not known.
    pub score: Option<u16>,
    /// Whether it reaches the threshold.
    pub passes: bool,
}

/// Candidates and a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidacy {
    /// What must be verified of whoever is asked; may be empty.
    pub required: Vec<String>,
    /// Among whom; empty for everybody that is known but this agent itself.
    pub among: Vec<AgentDid>,
    /// The least score.
    pub minimum: u16,
}

/// Who is asked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The order, the first to be asked first; or why nobody is asked.
    pub ranking: Result<Ranking, RoutingError>,
    /// Every candidate, by name.
    pub candidates: Vec<Passed>,
}

impl Trade {
    /// What is known of an agent's keys.
    #[must_use]
    pub fn standing(&self, did: &AgentDid) -> Standing {
        let Some(log) = self.known.get(did) else {
            return Standing::Unknown;
        };
        match log.state() {
            Err(_) => Standing::Forked,
            Ok(state) if state.is_deactivated() || state.current_signing().is_none() => {
                Standing::NoKey
            }
            Ok(_) => Standing::Known,
        }
    }

    /// The score of an agent whose keys are known.
    #[must_use]
    pub fn score(&self, did: &AgentDid, now: UnixMillis) -> Option<u16> {
        let is_known = self.standing(did) == Standing::Known;
        is_known.then(|| self.book.score(did, height_at(now)).score)
    }

    /// The score of an agent, and all there is behind it. The same from an export as from the store.
    pub fn explain(&self, did: &AgentDid, height: u64) -> Result<Explained<'_>, TradeError> {
        let evidence = self.book.evidence(did, height);
        let score = v3::score(&evidence);
        Ok(Explained {
            did: did.clone(),
            height,
            standing: self.standing(did),
            tier: Tier::of(score.score),
            terms: v3::terms(&evidence),
            counted: self.book.explain(did, height)?,
            evidence,
            score,
        })
    }

    /// Everybody something is known of, but this agent itself.
    #[must_use]
    pub fn others(&self) -> BTreeSet<AgentDid> {
        let known = self.known.keys().chain(self.book.subjects());
        known
            .filter(|did| Some(*did) != self.own.as_ref())
            .cloned()
            .collect()
    }

    /// Who is to be asked: those whose score is known and reaches the threshold, the best first. Where
    /// nobody is, nobody is asked.
    #[must_use]
    pub fn route(&self, candidacy: &Candidacy, now: UnixMillis) -> Route {
        let among = match candidacy.among.is_empty() {
            true => self.others().into_iter().collect(),
            false => candidacy.among.clone(),
        };
        let height = height_at(now);
        let candidates: Vec<Candidate> = among
            .iter()
            .map(|did| {
                let evidence = self.book.evidence(did, height);
                let verified = self.book.capabilities(did).into_iter();
                Candidate {
                    did: did.clone(),
                    listing: None,
                    trust: self.score(did, now).map(|score| Trust {
                        score,
                        at_ms: now.0,
                    }),
                    endorsements: evidence.endorsers,
                    disputes: evidence.upheld,
                    verified: verified.map(Into::into).collect(),
                }
            })
            .collect();
        let threshold = Threshold {
            minimum: candidacy.minimum,
            ..Threshold::default()
        };
        let required: Vec<&str> = candidacy.required.iter().map(String::as_str).collect();
        let ranking = choose(
            &candidates,
            &required,
            &Weights::default(),
            &threshold,
            now.0,
        );
        let mut candidates: Vec<Passed> = candidates
            .into_iter()
            .map(|candidate| {
                let score = candidate.trust.map(|trust| trust.score);
                Passed {
                    standing: self.standing(&candidate.did),
                    did: candidate.did,
                    score,
                    passes: score.is_some_and(|score| score >= candidacy.minimum),
                }
            })
            .collect();
        candidates.sort_by(|a, b| a.did.cmp(&b.did));
        Route {
            ranking,
            candidates,
        }
    }
}
