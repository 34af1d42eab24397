//! Escrows and ledgers as they stand.

use serde_json::{Value, json};
use tau_core::ids::UnixMillis;
use tau_kamn::{
    bytes::hex,
    escrow::{Amount, Escrow, Machine},
    ledger::{GENESIS, Place},
};
use tau_platform::trade::{Kept, Sums};

use super::trade::{Market, escrow_json, failed, now, short, state};
use crate::{
    exit::{Error, Exit},
    identity::date,
    ui::{self, Ui},
};

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Those that ended, too.
    #[arg(long)]
    all: bool,
    /// Print one JSON object: `{"escrows": […]}`.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self, market: &Market<'_>) -> Exit {
        let is_open = |escrow: &Escrow| {
            let machine = escrow.machine();
            machine.is_none_or(|machine| !machine.state().is_terminal())
        };
        let escrows = market.trade.ledgers().flat_map(|kept| {
            let escrows = kept.ledger().escrows();
            escrows.map(move |escrow| (kept, escrow))
        });
        let mut shown: Vec<(&Kept, &Escrow)> = escrows
            .filter(|(_, escrow)| self.all || is_open(escrow))
            .collect();
        shown.sort_by_key(|(_, escrow)| (escrow.terms().created_ms, escrow.id()));
        if self.json {
            let all = shown.iter().map(|(kept, escrow)| escrow_json(kept, escrow));
            market
                .ui
                .json(&json!({ "escrows": all.collect::<Vec<_>>() }));
        } else if shown.is_empty() {
            market.ui.note(match self.all {
                true => "no escrow was opened yet",
                false => "no escrow is open; --all shows those that ended",
            });
        } else {
            shown
                .iter()
                .for_each(|(_, escrow)| market.ui.line(line(escrow)));
        }
        Exit::Ok
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The escrow; a beginning of its name will do.
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self, market: &Market<'_>) -> Result<Exit, Error> {
        let (kept, escrow) = market.escrow(&self.id)?;
        let ui = market.ui;
        if self.json {
            ui.json(&escrow_json(kept, escrow));
            return Ok(Exit::Ok);
        }
        let terms = escrow.terms();
        let part = |of: fn(&Machine) -> Amount| escrow.machine().map_or(Amount::ZERO, of);
        ui.line(ui::bold(escrow.id()));
        ui.line(format!("state      {}", state(escrow)));
        ui.line(format!(
            "amount     {} {}: {} released, {} refunded, {} remain",
            terms.amount,
            terms.asset,
            part(Machine::released),
            part(Machine::refunded),
            part(Machine::remaining),
        ));
        ui.line(format!("payer      {}", terms.payer));
        ui.line(format!("payee      {}", terms.payee));
        if let Some(arbiter) = &terms.arbiter {
            ui.line(format!("arbiter    {arbiter}"));
        }
        ui.line(format!("task       {}", ui::plain(&terms.task_id)));
        ui.line(format!("opened     {}", date(UnixMillis(terms.created_ms))));
        let passed = match now().0 >= terms.timeout_ms {
            true => ", which has passed",
            false => "",
        };
        ui.line(format!(
            "deadline   {}{passed}",
            date(UnixMillis(terms.timeout_ms))
        ));
        if let Some(at_ms) = escrow.disputed_ms() {
            ui.line(format!("disputed   {}", date(UnixMillis(at_ms))));
        }
        ui.line(format!(
            "ledger     {}, kept by {}",
            kept.name(),
            kept.keeper()
        ));
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Ledger {
    /// One ledger alone.
    name: Option<String>,
    /// Exit code 10 unless every ledger holds and sums to nothing; all of them are read and checked
    /// again whatever is asked.
    #[arg(long)]
    check: bool,
    /// Show every event with what it moved.
    #[arg(long)]
    events: bool,
    /// Print one JSON object: `{"ledgers": […]}`.
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub(super) async fn run(self, market: &Market<'_>) -> Result<Exit, Error> {
        let shown: Vec<&Kept> = match &self.name {
            Some(name) => vec![market.trade.ledger(name).map_err(failed)?],
            None => market.trade.ledgers().collect(),
        };
        let mut holds = market.trade.unreadable().next().is_none();
        let mut all = Vec::new();
        for kept in &shown {
            let sums = Sums::of(kept.ledger()).map_err(failed)?;
            let why = kept.check().err().map(|error| error.to_string());
            let sums_to_nothing =
                kept.ledger().is_conserved() && sums.iter().all(|sums| sums.difference().is_none());
            holds &= why.is_none() && sums_to_nothing;
            let events = match self.events {
                true => Some(events(kept, market).await?),
                false => None,
            };
            match self.json {
                true => all.push(ledger_json(kept, &sums, why.as_deref(), events)),
                false => print(kept, &sums, why.as_deref(), events, market.ui),
            }
        }
        if self.json {
            market.ui.json(&json!({ "holds": holds, "ledgers": all }));
        } else if shown.is_empty() {
            market
                .ui
                .note("there is no ledger yet: `tau escrow deposit N` begins one");
        }
        match self.check && !holds {
            true => Ok(Exit::Flagged),
            false => Ok(Exit::Ok),
        }
    }
}

/// One escrow in a line.
pub(super) fn line(escrow: &Escrow) -> String {
    let terms = escrow.terms();
    let part = |of: fn(&Machine) -> Amount| escrow.machine().map_or(Amount::ZERO, of);
    format!(
        "{}  {:<18} {} {}: {} released, {} refunded, {} remain  {} -> {}",
        ui::dim(escrow.id()),
        state(escrow),
        terms.amount,
        terms.asset,
        part(Machine::released),
        part(Machine::refunded),
        part(Machine::remaining),
        short(&terms.payer),
        short(&terms.payee),
    )
}

fn print(kept: &Kept, sums: &[Sums], why: Option<&str>, events: Option<Vec<Value>>, ui: Ui) {
    let ledger = kept.ledger();
    ui.line(format!(
        "{}  {} events, head {}, kept by {}",
        ui::bold(kept.name()),
        ledger.len(),
        &head(kept)[..head(kept).len().min(12)],
        kept.keeper()
    ));
    for (place, asset, amount) in ledger.amounts() {
        let place = match place {
            Place::Available(did) => did.to_string(),
            Place::Held(id) => format!("held in {id}"),
            Place::Outside => "outside".into(),
        };
        ui.line(format!("{amount:>20} {asset:<8} {place}"));
    }
    for sums in sums {
        let told = match sums.difference() {
            None => ui::good("sums to zero"),
            Some((here, net)) => ui::bad(format!("{here} are here, {net} came in")),
        };
        ui.line(format!(
            "{:<8} {} available + {} held - {} in + {} out: {told}, {}",
            sums.asset,
            sums.available,
            sums.held,
            sums.came_in,
            sums.went_out,
            sums.backing.label(),
        ));
    }
    for event in events.into_iter().flatten() {
        ui.line(ui::plain(&event.to_string()));
    }
    match why {
        None => ui.line(ui::good("every event holds")),
        Some(why) => ui.line(ui::bad(ui::plain(why))),
    }
}

fn ledger_json(kept: &Kept, sums: &[Sums], why: Option<&str>, events: Option<Vec<Value>>) -> Value {
    let ledger = kept.ledger();
    let sums = sums.iter().map(|sums| {
        let difference = sums.difference();
        json!({
            "asset": sums.asset,
            "available": sums.available.to_string(),
            "held": sums.held.to_string(),
            "came_in": sums.came_in.to_string(),
            "went_out": sums.went_out.to_string(),
            "sums_to_zero": difference.is_none(),
            "backing": sums.backing.label(),
        })
    });
    let amounts = ledger.amounts().map(|(place, asset, amount)| {
        json!({ "place": place.to_string(), "asset": asset, "amount": amount.to_string() })
    });
    let mut value = json!({
        "name": kept.name(),
        "keeper": kept.keeper().as_kamn(),
        "events": ledger.len(),
        "head": head(kept),
        "holds": why.is_none(),
        "why": why,
        "fork_at": kept.fork().map(|fork| fork.event().seq),
        "sums": sums.collect::<Vec<_>>(),
        "amounts": amounts.collect::<Vec<_>>(),
    });
    if let Some(events) = events {
        value["entries"] = events.into();
    }
    value
}

fn head(kept: &Kept) -> String {
    kept.ledger()
        .head()
        .map_or_else(|| GENESIS.into(), |head| hex(head))
}

/// What each event recorded and moved.
async fn events(kept: &Kept, market: &Market<'_>) -> Result<Vec<Value>, Error> {
    let events = market.trade.events(kept.name(), &market.storage).await;
    let events = events.map_err(failed)?;
    let events = events.iter().map(|signed| {
        let event = signed.event();
        let movements = event.movements.iter().map(|movement| {
            json!({
                "from": movement.from.to_string(),
                "to": movement.to.to_string(),
                "asset": movement.asset,
                "amount": movement.amount.to_string(),
            })
        });
        json!({
            "seq": event.seq,
            "at_ms": event.at_ms,
            "kind": event.entry.kind(),
            "movements": movements.collect::<Vec<_>>(),
        })
    });
    Ok(events.collect())
}
