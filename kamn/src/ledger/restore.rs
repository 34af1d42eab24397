//! A ledger from its events: everything is computed again, nothing is believed.

use super::{Ledger, LedgerError, Outcome, SignedEvent};
use crate::{did::KamnDid, escrow::EscrowError, key::PublicKey, signers::Signers};

/// The ledger these events make, the last of which has the hash `head`.
///
/// Each event must be signed by `operator`, follow the one before, and move exactly what it says; each
/// command in it must be signed by those who could give it.
pub fn restore<'a>(
    events: impl IntoIterator<Item = &'a SignedEvent>,
    operator: &PublicKey,
    signers: &dyn Signers,
    head: Option<&[u8; 32]>,
) -> Result<Ledger, LedgerError> {
    let mut ledger = Ledger::new();
    for signed in events {
        signed.verify(operator)?;
        ledger.follow(signed, signers)?;
    }
    if ledger.head() != head {
        return Err(LedgerError::Chain {
            seq: ledger.next_seq,
            why: "is missing, or there is one too many: the last is not the one expected",
        });
    }
    Ok(ledger)
}

impl Ledger {
    /// Takes the next event of `keeper`'s ledger, signed by the key that counted when it was made.
    ///
    /// Checked like everything in [`restore`]; an event that is refused changes nothing.
    pub fn continue_with(
        &mut self,
        signed: &SignedEvent,
        keeper: &KamnDid,
        signers: &dyn Signers,
    ) -> Result<(), LedgerError> {
        let at_ms = signed.event().at_ms;
        let key = signers.signing_key(keeper, at_ms, at_ms);
        let key = key.ok_or_else(|| EscrowError::UnknownSigner {
            did: keeper.as_kamn(),
        })?;
        signed.verify(&key)?;
        self.follow(signed, signers)
    }

    fn follow(&mut self, signed: &SignedEvent, signers: &dyn Signers) -> Result<(), LedgerError> {
        let event = signed.event();
        let refused = |why| LedgerError::Chain {
            seq: event.seq,
            why,
        };
        match self.propose(event.entry.clone(), signers, event.at_ms)? {
            Outcome::Recorded(found) if found.event() == event => self.take(found).map(|_| ()),
            Outcome::Recorded(_) => Err(refused("does not follow, or moves something else")),
            Outcome::Repeated | Outcome::Pending | Outcome::Rejected => {
                Err(refused("changes nothing, so it cannot have been recorded"))
            }
        }
    }
}
