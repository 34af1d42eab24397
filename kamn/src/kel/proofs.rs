//! An event with what proves it.

use alloc::{format, vec::Vec};

use super::{Error, Event, Recovery};
use crate::{
    did::DidKey,
    jcs::{Object, Value},
    key::{PublicKey, Signature, SigningKey},
};

/// An event and its proofs, which are held against it when a log takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    pub(super) event: Event,
    pub(super) sig: Option<Signature>,
    pub(super) previous_sig: Option<Signature>,
    pub(super) approvals: Vec<Approval>,
}

/// One approver's yes to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who agrees.
    pub approver: PublicKey,
    /// Their signature over the event.
    pub sig: Signature,
}

impl Approval {
    /// The yes of whoever holds `approver` to `event`.
    #[must_use]
    pub fn new(event: &Event, approver: &SigningKey) -> Self {
        Self {
            approver: approver.public_key(),
            sig: approver.sign(&event.to_bytes()),
        }
    }
}

impl SignedEvent {
    pub(super) fn new(event: Event, sig: Option<Signature>) -> Self {
        Self {
            event,
            sig,
            previous_sig: None,
            approvals: Vec::new(),
        }
    }

    /// What is proven.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The same, signed by the identity key that is replaced as well: needed where nothing was
    /// committed to.
    #[must_use]
    pub fn also_signed_by(mut self, previous: &SigningKey) -> Self {
        self.previous_sig = Some(previous.sign(&self.event.to_bytes()));
        self
    }

    /// The same with the signature that the holder of `previous`, the identity key that is replaced, made
    /// over the event elsewhere.
    pub fn with_previous_signature(
        mut self,
        previous: &PublicKey,
        sig: Signature,
    ) -> Result<Self, Error> {
        let by = "the identity key that is replaced";
        let is_signed = previous.verify(&self.event.to_bytes(), &sig);
        is_signed.map_err(|_| Error::Unsigned { by })?;
        self.previous_sig = Some(sig);
        Ok(self)
    }

    /// The same with one more approval.
    #[must_use]
    pub fn with_approval(mut self, approval: Approval) -> Self {
        self.approvals.push(approval);
        self
    }

    /// Event and proofs as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let text = |sig: &Option<Signature>| sig.map(|sig| sig.to_multibase());
        let approvals = self.approvals.iter().map(|approval| {
            Object::new()
                .with(
                    "approver",
                    format!("{}", DidKey::Ed25519(approval.approver)),
                )
                .with("sig", approval.sig.to_multibase())
        });
        let approvals = (!self.approvals.is_empty()).then(|| approvals.collect::<Value>());
        self.event
            .to_object()
            .with_optional("sig", text(&self.sig))
            .with_optional("previous_sig", text(&self.previous_sig))
            .with_optional("approvals", approvals)
            .into()
    }

    /// Checks that `key` signed, and nobody else had to.
    pub(super) fn check_signed(&self, key: &PublicKey, by: &'static str) -> Result<(), Error> {
        self.check_sig(key, by)?;
        self.check_no_previous()?;
        self.check_no_approvals()
    }

    /// Checks that both the key that comes and the one that goes signed.
    pub(super) fn check_signed_by_both(
        &self,
        new: &PublicKey,
        previous: &PublicKey,
    ) -> Result<(), Error> {
        self.check_sig(new, "the new identity key")?;
        let by = "the identity key that is replaced";
        let sig = self.previous_sig.ok_or(Error::Unsigned { by })?;
        let is_signed = previous.verify(&self.event.to_bytes(), &sig);
        is_signed.map_err(|_| Error::Unsigned { by })?;
        self.check_no_approvals()
    }

    /// Checks that the new key signed, and that enough approvers agreed.
    pub(super) fn check_recovered(&self, new: &PublicKey, by: &Recovery) -> Result<(), Error> {
        self.check_sig(new, "the new identity key")?;
        self.check_no_previous()?;
        self.check_approvals(by)
    }

    /// Checks that enough approvers agreed, and nobody signed.
    pub(super) fn check_approved(&self, by: &Recovery) -> Result<(), Error> {
        self.check_no_previous()?;
        self.check_approvals(by)
    }

    pub(super) fn check_sig(&self, key: &PublicKey, by: &'static str) -> Result<(), Error> {
        let sig = self.sig.ok_or(Error::Unsigned { by })?;
        let is_signed = key.verify(&self.event.to_bytes(), &sig);
        is_signed.map_err(|_| Error::Unsigned { by })
    }

    fn check_approvals(&self, recovery: &Recovery) -> Result<(), Error> {
        let bytes = self.event.to_bytes();
        for (at, approval) in self.approvals.iter().enumerate() {
            let approver = || format!("{}", DidKey::Ed25519(approval.approver));
            if !recovery.approvers().contains(&approval.approver) {
                let approver = approver();
                return Err(Error::ApproverUnknown { approver });
            }
            let mut before = self.approvals[..at].iter();
            if before.any(|earlier| earlier.approver == approval.approver) {
                let approver = approver();
                return Err(Error::ApproverDuplicate { approver });
            }
            let by = "an approver";
            let is_signed = approval.approver.verify(&bytes, &approval.sig);
            is_signed.map_err(|_| Error::Unsigned { by })?;
        }
        let (expected, found) = (recovery.threshold(), self.approvals.len());
        if found < expected {
            return Err(Error::Quorum { expected, found });
        }
        Ok(())
    }

    fn check_no_previous(&self) -> Result<(), Error> {
        match self.previous_sig {
            None => Ok(()),
            Some(_) => Err(Error::Surplus {
                what: "a previous key's signature",
            }),
        }
    }

    fn check_no_approvals(&self) -> Result<(), Error> {
        match self.approvals.is_empty() {
            true => Ok(()),
            false => Err(Error::Surplus { what: "approvals" }),
        }
    }
}
