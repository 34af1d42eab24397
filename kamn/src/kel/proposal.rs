//! Getting approvers together, for what an agent's own key cannot do any more.
//!
//! ```text
//!   Active ── a fork ──> Compromised
//!     │  └── deactivate ──> Revoked ── a proposal ──> RecoveryPending ── quorum, new key ──> Active
//!     └── (a deactivation by approvers is a proposal as well)
//! ```

use alloc::{format, vec::Vec};

use super::{Approval, Change, Error, Event, KeyLog, Recovery, SignedEvent};
use crate::{did::DidKey, key::SigningKey};

/// How an agent stands, as its log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its keys count.
    Active,
    /// Its log forks: nothing of it counts, and nothing can be added.
    Compromised,
    /// It was deactivated.
    Revoked,
    /// It was deactivated, and its approvers are asked to bring it back.
    RecoveryPending,
}

/// A recovery or a deactivation that approvers are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    event: Event,
    recovery: Recovery,
    approvals: Vec<Approval>,
}

impl Proposal {
    /// Asks about `event`: the next one of `log`, a recovery or a deactivation.
    ///
    /// What the log would refuse whatever approvers say is refused here already: a recovery of an
    /// agent that is not deactivated, a number that was used, a key that was used.
    pub fn open(log: &KeyLog, event: Event) -> Result<Self, Error> {
        let state = log.state()?;
        let recovery = state.recovery().ok_or(Error::NoRecovery)?.clone();
        match &event.change {
            Change::Recover { .. } | Change::Deactivate => {}
            _ => {
                let what = "approvals";
                return Err(Error::Surplus { what });
            }
        }
        // Without a signature and approvals it is refused for want of those, or for another reason.
        match state.apply(&event.clone().unsigned()) {
            Err(Error::Unsigned { .. } | Error::Quorum { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(Error::Surplus { what: "approvals" }),
        }
        if let Change::Recover { identity, .. } = &event.change {
            state.check_unused(identity)?;
        }
        Ok(Self {
            event,
            recovery,
            approvals: Vec::new(),
        })
    }

    /// What approvers are asked about.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// How many approved, and how many must.
    #[must_use]
    pub fn quorum(&self) -> (usize, usize) {
        (self.approvals.len(), self.recovery.threshold())
    }

    /// Takes one approver's yes.
    pub fn approve(&mut self, approval: Approval) -> Result<(), Error> {
        let approver = || format!("{}", DidKey::Ed25519(approval.approver));
        if !self.recovery.approvers().contains(&approval.approver) {
            let approver = approver();
            return Err(Error::ApproverUnknown { approver });
        }
        let mut all = self.approvals.iter();
        if all.any(|earlier| earlier.approver == approval.approver) {
            let approver = approver();
            return Err(Error::ApproverDuplicate { approver });
        }
        let is_signed = approval
            .approver
            .verify(&self.event.to_bytes(), &approval.sig);
        let by = "an approver";
        is_signed.map_err(|_| Error::Unsigned { by })?;
        self.approvals.push(approval);
        Ok(())
    }

    /// The event with its approvals, once there are enough; for a recovery signed by the new key.
    pub fn close(self, identity: Option<&SigningKey>) -> Result<SignedEvent, Error> {
        let (found, expected) = self.quorum();
        if found < expected {
            return Err(Error::Quorum { expected, found });
        }
        let signed = match identity {
            Some(key) => self.event.signed_by(key),
            None => self.event.unsigned(),
        };
        let approvals = self.approvals.into_iter();
        Ok(approvals.fold(signed, SignedEvent::with_approval))
    }
}

impl KeyLog {
    /// How the agent stands; `open` is the recovery its approvers are asked about, if there is one.
    #[must_use]
    pub fn standing(&self, open: Option<&Proposal>) -> Standing {
        let Ok(state) = self.state() else {
            return Standing::Compromised;
        };
        let is_next = |proposal: &Proposal| proposal.event.previous == Some(*state.head());
        match (state.is_deactivated(), open) {
            (false, _) => Standing::Active,
            (true, Some(proposal)) if is_next(proposal) => Standing::RecoveryPending,
            (true, _) => Standing::Revoked,
        }
    }
}
