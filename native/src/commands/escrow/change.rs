//! What ends an escrow, or brings it nearer to its end.

use serde_json::json;
use tau_core::ids::TurnId;
use tau_kamn::{
    escrow::{Action, Amount, Machine},
    settlement::Ended,
};
use tau_platform::trade::{Done, TurnEnd};

use super::{
    look, told,
    trade::{Market, amount, escrow_json, failed, now},
};
use crate::{
    exit::{Error, Exit},
    sessions,
};

#[derive(Debug, clap::Args)]
pub(super) struct Release {
    /// The escrow; a beginning of its name will do.
    id: String,
    /// How much [default: all that remains].
    #[arg(long, value_name = "N", value_parser = amount)]
    amount: Option<Amount>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Release {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let (_, escrow) = market.escrow(&self.id)?;
        let remaining = escrow.machine().map_or(Amount::ZERO, Machine::remaining);
        let amount = self.amount.unwrap_or(remaining);
        command(market, &self.id, Action::Release { amount }, self.json).await
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Refund {
    /// The escrow; a beginning of its name will do.
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Refund {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let own = market.own()?;
        let (_, escrow) = market.escrow(&self.id)?;
        let action = match escrow.terms().payee == *own.as_did() {
            true => Action::RefundByPayee,
            false => Action::TimeoutRefund,
        };
        command(market, &self.id, action, self.json).await
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Dispute {
    /// The escrow; a beginning of its name will do.
    id: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Dispute {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let reason = self.reason;
        command(market, &self.id, Action::Dispute { reason }, self.json).await
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Resolve {
    /// The escrow; a beginning of its name will do.
    id: String,
    /// What the payee gets of what remains.
    #[arg(long, value_name = "N", value_parser = amount)]
    to_payee: Amount,
    /// What goes back; both together are all that remains.
    #[arg(long, value_name = "N", value_parser = amount)]
    to_payer: Amount,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Resolve {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let action = Action::Resolve {
            to_payee: self.to_payee,
            to_payer: self.to_payer,
        };
        command(market, &self.id, action, self.json).await
    }
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true).args(["session", "cost", "failed", "timed_out"]))]
pub(super) struct Settle {
    /// The escrow; a beginning of its name will do.
    id: String,
    /// At what the last turn of this session took: an answer is paid for, anything else is not.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Another turn of that session.
    #[arg(long, value_name = "N", requires = "session")]
    turn: Option<u32>,
    /// At this cost, in the escrow's asset.
    #[arg(long, value_name = "N", value_parser = amount)]
    cost: Option<Amount>,
    /// The task failed: all of it goes back.
    #[arg(long)]
    failed: bool,
    /// Nothing came: you have it back, once the deadline has passed.
    #[arg(long)]
    timed_out: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Settle {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let turn = match &self.session {
            Some(session) => Some(self.turn_of(session, market).await?),
            None => None,
        };
        let (_, escrow) = market.escrow(&self.id)?;
        let id = escrow.id().to_owned();
        let ended = match (&turn, self.cost) {
            (Some(turn), _) => turn.ended(escrow).map_err(failed)?,
            (None, Some(cost)) => Ended::Succeeded { cost },
            (None, None) if self.failed => Ended::Failed,
            (None, None) => Ended::TimedOut,
        };
        let settled = market
            .act(async |trade, desk| trade.settle(&id, ended, desk).await)
            .await?;
        let ui = market.ui;
        let (kept, escrow) = market.escrow(&id)?;
        if self.json {
            let mut commands = Vec::new();
            for done in &settled.done {
                if let Done::ForKeeper { command, .. } | Done::ForOther { command, .. } = done {
                    let file = super::carry::command_file(command.clone(), market)?;
                    let file: serde_json::Value = serde_json::from_str(&file)
                        .map_err(|error| Error::internal(error.to_string()))?;
                    commands.push(file);
                }
            }
            let recorded = settled.done.iter();
            let recorded = recorded.filter(|done| matches!(done, Done::Recorded(_)));
            ui.json(&json!({
                "escrow": escrow_json(kept, escrow),
                "to_payee": settled.settlement.released.to_string(),
                "to_payer": settled.settlement.refunded.to_string(),
                "recorded": recorded.count(),
                "commands": commands,
                "waits_for": settled.waits_for.as_ref().map(tau_kamn::KamnDid::as_kamn),
                "turn": turn.as_ref().map(|end| json!({
                    "session": end.session, "turn": end.turn, "outcome": end.word(), "usage": end.usage,
                })),
            }));
            return Ok(Exit::Ok);
        }
        if let Some(end) = &turn {
            ui.note(format!(
                "turn {} {}: {} tokens, {} NANOUSD",
                end.turn.0,
                end.word(),
                end.usage.total_tokens(),
                end.usage.cost_nano_usd
            ));
        }
        ui.line(look::line(escrow));
        for done in &settled.done {
            if matches!(done, Done::ForKeeper { .. } | Done::ForOther { .. }) {
                told(done, &id, false, market)?;
            }
        }
        if let Some(did) = &settled.waits_for {
            let deadline_ms = escrow.terms().timeout_ms;
            let later = match now().0 < deadline_ms {
                true => format!(
                    ", or for {}",
                    crate::identity::date(tau_core::ids::UnixMillis(deadline_ms))
                ),
                false => String::new(),
            };
            ui.note(format!("the rest waits for {did}{later}"));
        }
        Ok(Exit::Ok)
    }

    async fn turn_of(&self, session: &str, market: &Market<'_>) -> Result<TurnEnd, Error> {
        let storage = &market.storage;
        let session = sessions::find(storage, session).await?;
        let end = TurnEnd::read(storage, &session, self.turn.map(TurnId)).await?;
        end.ok_or_else(|| {
            Error::usage(format!("no such turn of session {session} has ended"))
                .hint("`tau session show` tells its turns")
        })
    }
}

async fn command(
    market: &mut Market<'_>,
    id: &str,
    action: Action,
    json: bool,
) -> Result<Exit, Error> {
    let id = market.escrow(id)?.1.id().to_owned();
    let done = market
        .act(async |trade, desk| trade.command(&id, action, desk).await)
        .await?;
    told(&done, &id, json, market)?;
    Ok(Exit::Ok)
}
