//! Attestations in the store: admitted once, checked again whenever they are read.
//!
//! A row that no longer holds stays and does not count: its issuer's key turned out to be lost, or the
//! ledger it refers to has two heads. What was refused is not stored.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use tau_core::{
    order,
    session::{Batch, StoreError},
};
use tau_kamn::{
    AgentDid,
    attest::{Admitted, AttestError, Attestation, Kind, SignedAttestation},
    time::Timestamp,
};

use super::{Desk, SKEW_MS, Trade, TradeError, height_at, policy, rows};
use crate::{Signer, Storage};

/// How long an attestation may be admitted: a week.
const VALID_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// What this agent says of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What.
    pub kind: Kind,
    /// Of whom.
    pub subject: AgentDid,
    /// About what: the name of an escrow for tasks and disputes, anything else for the others.
    pub reference: String,
}

/// A stored attestation that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// Its name in the store.
    pub id: String,
    /// Why not.
    pub why: String,
    /// The same for programs.
    pub reason_code: &'static str,
}

impl Trade {
    /// Says something of another agent: signed, admitted here, and given back to be handed on.
    pub async fn attest<S: Storage, G: Signer>(
        &mut self,
        statement: Statement,
        nonce: u64,
        desk: &Desk<'_, S, G>,
    ) -> Result<SignedAttestation, TradeError> {
        let issuer = self.writes(desk);
        let Statement {
            kind,
            subject,
            reference,
        } = statement;
        // A block that another's clock has begun already is the present one of what is said of him.
        let height = height_at(desk.now).max(self.book.last_height(&subject));
        let attestation = Attestation {
            kind,
            subject,
            issuer,
            reference,
            height,
            created: Timestamp::from_unix_ms(desk.now.0)?,
            expires: Timestamp::from_unix_ms(desk.now.plus(VALID_MS).0)?,
            nonce,
        };
        let (signature, key) = desk.sign(&attestation.to_sign()?).await?;
        let signed = attestation.signed(signature, &key)?;
        // Read as others will: a text that is blank or too long is refused here and not by them.
        let signed = SignedAttestation::from_value(signed.to_value()?)?;
        self.admit(signed.clone(), desk.storage, desk.now).await?;
        Ok(signed)
    }

    /// Admits what somebody said, if it counts; `false` where it was admitted before.
    pub async fn admit<S: Storage>(
        &mut self,
        signed: SignedAttestation,
        storage: &S,
        now: tau_core::ids::UnixMillis,
    ) -> Result<bool, TradeError> {
        let key = rows::attestation_key(&signed.id()?);
        if storage.get(key.clone()).await?.is_some() {
            return Ok(false);
        }
        // An hour that began for the issuer's clock may not have begun here.
        let height = height_at(now.plus(SKEW_MS));
        self.book
            .may_admit(&signed, &self.known, &*self, &policy(), (now.0, height))?;
        let admitted = Admitted {
            signed,
            seen_ms: now.0.max(self.last_seen_ms),
        };
        let batch = Batch {
            require_absent: vec![key.clone()],
            put: vec![(key, rows::attestation_row(&admitted)?)],
            ..Batch::default()
        };
        match storage.commit(batch).await {
            Err(StoreError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
        self.last_seen_ms = admitted.seen_ms;
        self.count(admitted)?;
        Ok(true)
    }

    pub(super) async fn read_book<S: Storage>(&mut self, storage: &S) -> Result<(), TradeError> {
        let mut all = Vec::new();
        let mut unread = Vec::new();
        rows::scan(storage, rows::all(rows::ATTESTATIONS), |key, row| {
            let id = key.trim_start_matches(rows::ATTESTATIONS);
            match rows::read_attestation(row) {
                Ok(admitted) => all.push(admitted),
                Err(error) => unread.push(Uncounted {
                    id: id.into(),
                    reason_code: error.reason_code(),
                    why: error.to_string(),
                }),
            }
        })
        .await?;
        self.uncounted = unread;
        self.count_all(all)
    }

    /// Counts what was admitted, in the order it came.
    pub(super) fn count_all(&mut self, mut all: Vec<Admitted>) -> Result<(), TradeError> {
        let place = |admitted: &Admitted| {
            let attestation = admitted.signed.attestation();
            (admitted.seen_ms, attestation.height, attestation.nonce)
        };
        order::sort_by(&mut all, |a, b| place(a) < place(b));
        for admitted in all {
            self.last_seen_ms = self.last_seen_ms.max(admitted.seen_ms);
            let id = admitted.signed.id()?;
            if let Err(error) = self.count(admitted) {
                self.uncounted.push(Uncounted {
                    id,
                    reason_code: error.reason_code(),
                    why: error.to_string(),
                });
            }
        }
        Ok(())
    }

    fn count(&mut self, admitted: Admitted) -> Result<(), AttestError> {
        let mut book = core::mem::take(&mut self.book);
        let counted = book.readmit(admitted, &self.known, &*self);
        self.book = book;
        counted
    }
}
