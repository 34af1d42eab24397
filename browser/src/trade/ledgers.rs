//! Ledgers and escrows as a page is told of them.

use serde_json::{Value, json};
use tau_kamn::escrow::{Amount, Escrow, Machine};
use tau_platform::trade::{Kept, Sums};

use super::{failed, open};
use crate::{State, error::Refused};

/// Every ledger: whether it holds, and that what is in it is what came in.
pub(super) async fn list(state: &State) -> Result<Value, Refused> {
    let trade = open(state).await?;
    let mut all = Vec::new();
    for kept in trade.ledgers() {
        let sums = Sums::of(kept.ledger()).map_err(failed)?;
        let why = kept.check().err().map(|error| error.to_string());
        let sums = sums.iter().map(|sums| {
            json!({
                "asset": sums.asset,
                "available": sums.available.to_string(),
                "held": sums.held.to_string(),
                "came_in": sums.came_in.to_string(),
                "went_out": sums.went_out.to_string(),
                "sums_to_zero": sums.difference().is_none(),
                "backing": sums.backing.label(),
            })
        });
        all.push(json!({
            "name": kept.name(),
            "keeper": kept.keeper().as_kamn(),
            "events": kept.ledger().len(),
            "holds": why.is_none() && kept.ledger().is_conserved(),
            "why": why,
            "sums": sums.collect::<Vec<_>>(),
        }));
    }
    let unreadable = trade.unreadable();
    all.extend(unreadable.map(|(name, why)| json!({ "name": name, "holds": false, "why": why })));
    Ok(all.into())
}

/// An escrow, with the ledger that has it.
pub(super) fn of_escrow(kept: &Kept, escrow: &Escrow) -> Value {
    let terms = escrow.terms();
    let machine = escrow.machine();
    json!({
        "id": escrow.id(),
        "ledger": kept.name(),
        "keeper": kept.keeper().as_kamn(),
        "state": machine.map_or("unfunded", |machine| machine.state().name()),
        "asset": terms.asset,
        "amount": terms.amount.to_string(),
        "released": part(escrow, Machine::released).to_string(),
        "refunded": part(escrow, Machine::refunded).to_string(),
        "remaining": part(escrow, Machine::remaining).to_string(),
        "payer": terms.payer.as_kamn(),
        "payee": terms.payee.as_kamn(),
        "arbiter": terms.arbiter.as_ref().map(|did| did.as_kamn()),
        "task": terms.task_id,
        "created_ms": terms.created_ms,
        "deadline_ms": terms.timeout_ms,
        "disputed_ms": escrow.disputed_ms(),
    })
}

/// What a funded escrow says of itself; nothing of one that is not.
pub(super) fn part(escrow: &Escrow, of: fn(&Machine) -> Amount) -> Amount {
    escrow.machine().map_or(Amount::ZERO, of)
}
