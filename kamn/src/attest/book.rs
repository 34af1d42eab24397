//! What was admitted, and what follows from it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use super::{AttestError, Dealings, Kind, SignedAttestation, explain::Tally};
use crate::{
    did::{AgentDid, KamnDid},
    signers::Signers,
    trust::v3::{self, Evidence},
};

/// What is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many of one issuer in a window.
    pub rate: usize,
    /// How long that window is.
    pub rate_window_ms: u64,
    /// How old one may be when it comes.
    pub max_age_ms: u64,
    /// How far clocks may be apart.
    pub skew_ms: u64,
    /// How many are kept at most. A full book admits nothing more: it forgets nothing.
    pub limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rate: 120,
            rate_window_ms: 60 * 60 * 1000,
            max_age_ms: 30 * 24 * 60 * 60 * 1000,
            skew_ms: 300_000,
            limit: 1 << 20,
        }
    }
}

/// Issuer, kind, reference.
type Said = (String, &'static str, String);

/// An attestation that was admitted, and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// What was said.
    pub signed: SignedAttestation,
    /// When it came, in milliseconds since 1970: by then its issuer's key counted.
    pub seen_ms: u64,
}

/// The attestations that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    admitted: Vec<Admitted>,
    said: BTreeSet<Said>,
    nonces: BTreeSet<(String, u64)>,
    /// Tasks whose end is known, and disputes decided, by subject and reference.
    ended: BTreeSet<(String, &'static str, String)>,
    last_height: BTreeMap<String, u64>,
    /// When the newest of each issuer came.
    arrivals: BTreeMap<String, Vec<u64>>,
    /// Where those about each are in `admitted`.
    about: BTreeMap<AgentDid, Vec<usize>>,
    /// Who endorses whom.
    endorsed: BTreeSet<(AgentDid, AgentDid)>,
}

impl Book {
    /// Nothing admitted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was admitted, in the order it came: all that a score is computed from.
    #[must_use]
    pub fn admitted(&self) -> &[Admitted] {
        &self.admitted
    }

    /// Admits an attestation, or says why not. `height` is the present block.
    pub fn admit(
        &mut self,
        signed: SignedAttestation,
        signers: &dyn Signers,
        dealings: &dyn Dealings,
        policy: &Policy,
        (now_ms, height): (u64, u64),
    ) -> Result<(), AttestError> {
        self.may_admit(&signed, signers, dealings, policy, (now_ms, height))?;
        let oldest_ms = now_ms.saturating_sub(policy.rate_window_ms);
        let issuer = signed.attestation.issuer.to_string();
        let times = self.arrivals.entry(issuer).or_default();
        times.retain(|at_ms| *at_ms > oldest_ms);
        self.keep(signed, now_ms);
        Ok(())
    }

    /// Whether it would, for those who store it elsewhere first.
    pub fn may_admit(
        &self,
        signed: &SignedAttestation,
        signers: &dyn Signers,
        dealings: &dyn Dealings,
        policy: &Policy,
        (now_ms, height): (u64, u64),
    ) -> Result<(), AttestError> {
        let attestation = signed.attestation();
        let (created_ms, expires_ms) =
            (attestation.created.unix_ms(), attestation.expires.unix_ms());
        let is_in_time = created_ms < expires_ms
            && created_ms <= now_ms.saturating_add(policy.skew_ms)
            && now_ms <= expires_ms
            && now_ms.saturating_sub(created_ms) <= policy.max_age_ms;
        if !is_in_time {
            return Err(AttestError::Window);
        }
        if attestation.height > height {
            return Err(self.height_error(signed, height));
        }
        if self.admitted.len() >= policy.limit {
            return Err(AttestError::Full);
        }
        let oldest_ms = now_ms.saturating_sub(policy.rate_window_ms);
        let arrivals = self.arrivals.get(&attestation.issuer.to_string());
        let recent = arrivals.map_or(0, |times| {
            times.iter().filter(|at_ms| **at_ms > oldest_ms).count()
        });
        if recent >= policy.rate {
            return Err(AttestError::Rate);
        }
        self.check(signed, signers, dealings, (now_ms, height))
    }

    /// The book of attestations admitted before, each checked again but for its own time and its
    /// issuer's rate. When each came must be the caller's own note.
    pub fn restore(
        admitted: impl IntoIterator<Item = Admitted>,
        signers: &dyn Signers,
        dealings: &dyn Dealings,
    ) -> Result<Self, AttestError> {
        let mut book = Self::new();
        for admitted in admitted {
            book.readmit(admitted, signers, dealings)?;
        }
        Ok(book)
    }

    /// Takes the next of the attestations that were admitted before, as [`Book::restore`] does.
    pub fn readmit(
        &mut self,
        admitted: Admitted,
        signers: &dyn Signers,
        dealings: &dyn Dealings,
    ) -> Result<(), AttestError> {
        let Admitted { signed, seen_ms } = admitted;
        self.check(&signed, signers, dealings, (seen_ms, u64::MAX))?;
        self.keep(signed, seen_ms);
        Ok(())
    }

    /// Those of whom anything was said, sorted.
    pub fn subjects(&self) -> impl Iterator<Item = &AgentDid> {
        self.about.keys()
    }

    /// The height below which nothing is admitted about `subject` any more.
    #[must_use]
    pub fn last_height(&self, subject: &AgentDid) -> u64 {
        let last = self.last_height.get(&subject.to_string());
        last.copied().unwrap_or(0)
    }

    /// What is known of an agent at a block.
    #[must_use]
    pub fn evidence(&self, subject: &AgentDid, height: u64) -> Evidence {
        let mut known = self.tally(subject, height).evidence(height);
        for endorser in self.endorsers(subject) {
            self.endorse(&mut known, subject, endorser, height);
        }
        known
    }

    /// Adds what an endorsement of `subject` by `endorser` is worth.
    pub(super) fn endorse(
        &self,
        known: &mut Evidence,
        subject: &AgentDid,
        endorser: &AgentDid,
        height: u64,
    ) {
        let pair = (subject.clone(), endorser.clone());
        known.endorsers += 1;
        known.mutual += u64::from(self.endorsed.contains(&pair));
        known.endorser_scores += u64::from(self.own_score(endorser, height));
    }

    /// An endorser's weight: what it did itself, so endorsements cannot lift each other.
    pub(super) fn own_score(&self, agent: &AgentDid, height: u64) -> u16 {
        v3::score(&self.tally(agent, height).evidence(height)).score
    }

    /// The score of an agent at a block.
    #[must_use]
    pub fn score(&self, subject: &AgentDid, height: u64) -> v3::Score {
        v3::score(&self.evidence(subject, height))
    }

    /// What others say that an agent can do.
    #[must_use]
    pub fn capabilities(&self, subject: &AgentDid) -> BTreeSet<&str> {
        self.about(subject)
            .filter_map(|admitted| match &admitted.signed.attestation.kind {
                Kind::Capability { capability, .. } => Some(capability.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What was said of an agent, in the order it came.
    pub fn about(&self, subject: &AgentDid) -> impl Iterator<Item = &Admitted> {
        let places = self.about.get(subject).into_iter().flatten();
        places.filter_map(|at| self.admitted.get(*at))
    }

    /// Everything but endorsements.
    pub(super) fn tally(&self, subject: &AgentDid, height: u64) -> Tally {
        let mut tally = Tally::default();
        for admitted in self.about(subject) {
            tally.count(&admitted.signed.attestation, height);
        }
        tally
    }

    fn endorsers(&self, subject: &AgentDid) -> BTreeSet<&AgentDid> {
        self.about(subject)
            .map(|admitted| &admitted.signed.attestation)
            .filter(|attestation| matches!(attestation.kind, Kind::Endorsement { .. }))
            .map(|attestation| &attestation.issuer)
            .collect()
    }

    /// All that does not depend on when it came.
    fn check(
        &self,
        signed: &SignedAttestation,
        signers: &dyn Signers,
        dealings: &dyn Dealings,
        (seen_ms, height): (u64, u64),
    ) -> Result<(), AttestError> {
        let attestation = signed.attestation();
        if attestation.issuer == attestation.subject {
            return Err(AttestError::SelfIssued);
        }
        let key = signers
            .signing_key(
                attestation.issuer.as_did(),
                attestation.created.unix_ms(),
                seen_ms,
            )
            .ok_or_else(|| AttestError::UnknownIssuer {
                did: attestation.issuer.to_string(),
            })?;
        signed.verify(&key)?;
        let issuer = attestation.issuer.to_string();
        if self.nonces.contains(&(issuer, attestation.nonce)) {
            return Err(AttestError::NonceReplay);
        }
        let end = ended(signed).is_some_and(|end| self.ended.contains(&end));
        if end || self.said.contains(&said(signed)) {
            return Err(AttestError::Duplicate);
        }
        let last = self.last_of(signed);
        if attestation.height < last || attestation.height == 0 {
            return Err(self.height_error(signed, height));
        }
        if is_between_parties(signed, dealings) {
            Ok(())
        } else {
            Err(AttestError::Parties {
                reference: attestation.reference.clone(),
            })
        }
    }

    fn keep(&mut self, signed: SignedAttestation, seen_ms: u64) {
        let attestation = &signed.attestation;
        self.said.insert(said(&signed));
        self.ended.extend(ended(&signed));
        self.nonces
            .insert((attestation.issuer.to_string(), attestation.nonce));
        self.last_height
            .insert(attestation.subject.to_string(), attestation.height);
        let arrivals = self.arrivals.entry(attestation.issuer.to_string());
        arrivals.or_default().push(seen_ms);
        let places = self.about.entry(attestation.subject.clone());
        places.or_default().push(self.admitted.len());
        if matches!(attestation.kind, Kind::Endorsement { .. }) {
            let pair = (attestation.issuer.clone(), attestation.subject.clone());
            self.endorsed.insert(pair);
        }
        self.admitted.push(Admitted { signed, seen_ms });
    }

    fn last_of(&self, signed: &SignedAttestation) -> u64 {
        self.last_height(&signed.attestation.subject)
    }

    fn height_error(&self, signed: &SignedAttestation, now: u64) -> AttestError {
        AttestError::Height {
            found: signed.attestation.height,
            last: self.last_of(signed),
            now,
        }
    }
}

fn said(signed: &SignedAttestation) -> Said {
    let attestation = &signed.attestation;
    (
        attestation.issuer.to_string(),
        attestation.kind.name(),
        attestation.reference.clone(),
    )
}

/// What there is once of a subject and a reference, whoever says it: the end of a task, and the
/// decision of a dispute.
fn ended(signed: &SignedAttestation) -> Option<(String, &'static str, String)> {
    let attestation = &signed.attestation;
    let what = match attestation.kind {
        Kind::TaskCompleted { .. } | Kind::TaskFailed { .. } => "task",
        Kind::DisputeResolved { .. } => "dispute",
        _ => return None,
    };
    Some((
        attestation.subject.to_string(),
        what,
        attestation.reference.clone(),
    ))
}

/// Whether the two dealt with each other in what is referred to, and in the way that is said.
fn is_between_parties(signed: &SignedAttestation, dealings: &dyn Dealings) -> bool {
    let attestation = &signed.attestation;
    let (issuer, subject) = (attestation.issuer.as_did(), attestation.subject.as_did());
    let needs_dealing = !matches!(
        attestation.kind,
        Kind::Endorsement { .. } | Kind::Capability { .. }
    );
    if !needs_dealing {
        return true;
    }
    let Some(dealing) = dealings.dealing(&attestation.reference) else {
        return false;
    };
    let is_party = |did: &KamnDid| *did == dealing.payer || *did == dealing.payee;
    match &attestation.kind {
        // The one who paid says how it went.
        Kind::TaskCompleted { .. } | Kind::TaskFailed { .. } => {
            *issuer == dealing.payer && *subject == dealing.payee
        }
        // The other party cannot decide its own dispute: the arbiter does, or the record shows it.
        Kind::DisputeResolved { is_upheld } => {
            let by_arbiter = dealing.arbiter.as_ref() == Some(issuer);
            let shown = dealing.arbiter.is_none()
                && is_party(issuer)
                && dealing.lost.is_some()
                && (dealing.lost.as_ref() == Some(subject)) == *is_upheld;
            is_party(subject) && (by_arbiter || shown)
        }
        _ => is_party(issuer) && is_party(subject),
    }
}
