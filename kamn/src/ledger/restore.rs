//! A ledger from its events: everything is computed again, nothing is believed.

use super::{Ledger, LedgerError, Outcome, SignedEvent};
use crate::{key::PublicKey, signers::Signers};

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
        let event = signed.event();
        let refused = |why| LedgerError::Chain {
            seq: event.seq,
            why,
        };
        match ledger.apply(event.entry.clone(), signers, event.at_ms)? {
            Outcome::Recorded(found) if found == *event => {}
            Outcome::Recorded(_) => {
                return Err(refused("does not follow, or moves something else"));
            }
            Outcome::Repeated | Outcome::Pending | Outcome::Rejected => {
                return Err(refused("changes nothing, so it cannot have been recorded"));
            }
        }
    }
    if ledger.head() != head {
        return Err(LedgerError::Chain {
            seq: ledger.next_seq,
            why: "is missing, or there is one too many: the last is not the one expected",
        });
    }
    Ok(ledger)
}
