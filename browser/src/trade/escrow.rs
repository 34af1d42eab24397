//! Amounts reserved for tasks, in ledgers that anybody can check.

use serde_json::{Value, json};
use tau_core::{
    ids::{SessionId, TurnId},
    json::FromJson,
    order,
};
use tau_kamn::{
    escrow::{Action, Escrow, Finality, Machine, Receipt, SignedCommand, Terms},
    ledger::{Entry, Outcome},
    settlement::Ended,
    trust::Gates,
};
use tau_platform::{
    Signer,
    trade::{CommandFile, Done, File, Kept, MAIN, Settled, TOKENS, Trade, TradeError, TurnEnd},
};

use super::{
    Handed, agent, amount, desk, failed,
    ledgers::{self, of_escrow, part},
    open, random, read_file, text_of,
};
use crate::{
    State,
    calls::{no_such_call, read},
    error::Refused,
    identity,
};

/// An amount that is put at the agent's disposal, or taken out again.
#[derive(FromJson)]
struct Moved {
    amount: Value,
    asset: Option<String>,
    /// The name of the movement outside: with one, the amount is more than an entry here.
    receipt: Option<String>,
    ledger: Option<String>,
}

#[derive(FromJson)]
struct Reserve {
    to: String,
    amount: Value,
    /// After how long the payer can have back what remains.
    deadline_ms: u64,
    asset: Option<String>,
    arbiter: Option<String>,
    task: Option<String>,
    min_score: Option<u32>,
    min_arbiter_score: Option<u32>,
    ledger: Option<String>,
}

/// What is asked of an escrow; each call reads what it needs.
#[derive(FromJson)]
struct Asked {
    id: String,
    amount: Option<Value>,
    reason: Option<String>,
    to_payee: Option<Value>,
    to_payer: Option<Value>,
}

/// How the task of an escrow ended: at a cost, as a session's turn did, or not well.
#[derive(FromJson)]
struct Settle {
    id: String,
    cost: Option<Value>,
    session: Option<SessionId>,
    turn: Option<u32>,
    outcome: Option<String>,
}

#[derive(FromJson)]
struct Wanted {
    /// Those that ended, too.
    #[serde(default)]
    all: bool,
}

#[derive(FromJson)]
struct Named {
    ledger: Option<String>,
}

/// Answers the calls that begin with `escrow.`.
pub(crate) async fn answer(state: &State, name: &str, arguments: &str) -> Result<Value, Refused> {
    match name {
        "escrow.deposit" => record(state, read(name, arguments)?, true).await,
        "escrow.withdraw" => record(state, read(name, arguments)?, false).await,
        "escrow.reserve" => reserve(state, read(name, arguments)?).await,
        "escrow.list" => list(state, read::<Wanted>(name, arguments)?.all).await,
        "escrow.ledgers" => ledgers::list(state).await,
        "escrow.release" | "escrow.refund" | "escrow.dispute" | "escrow.resolve" => {
            command(state, name, read(name, arguments)?).await
        }
        "escrow.agree" => agree(state, &read::<Handed>(name, arguments)?.text).await,
        "escrow.settle" => settle(state, read(name, arguments)?).await,
        "escrow.export" => {
            let ledger = read::<Named>(name, arguments)?.ledger;
            let ledger = ledger.as_deref().unwrap_or(MAIN);
            let file = open(state)
                .await?
                .export_ledger(ledger, state.storage())
                .await;
            text_of(&file.map_err(failed)?)
        }
        "escrow.import" => import(state, &read::<Handed>(name, arguments)?.text).await,
        _ => Err(no_such_call(name)),
    }
}

async fn record(state: &State, moved: Moved, is_in: bool) -> Result<Value, Refused> {
    let desk = desk(state)?;
    let mut trade = open(state).await?;
    let account = desk.signer.log().unchecked_state().did().as_did().clone();
    let asset = moved.asset.unwrap_or_else(|| TOKENS.into());
    let amount = amount(&moved.amount)?;
    let receipt = moved.receipt.map(|id| Receipt {
        id,
        finality: Finality::Final,
    });
    let name = moved.ledger.as_deref().unwrap_or(MAIN);
    let (did, of) = (account.clone(), asset.clone());
    let entry = match is_in {
        true => Entry::Deposit {
            account: did,
            asset: of,
            amount,
            receipt,
        },
        false => Entry::Withdraw {
            account: did,
            asset: of,
            amount,
            receipt,
        },
    };
    let outcome = trade.record(name, entry, &desk).await.map_err(failed)?;
    let ledger = trade.ledger(name).map_err(failed)?.ledger();
    Ok(json!({
        "ledger": name,
        "recorded": matches!(outcome, Outcome::Recorded(_)),
        "asset": asset,
        "available": ledger.available(&account, &asset).to_string(),
        "backing": ledger.backing(&asset).label(),
    }))
}

async fn reserve(state: &State, asked: Reserve) -> Result<Value, Refused> {
    let desk = desk(state)?;
    let mut trade = open(state).await?;
    let arbiter = asked.arbiter.as_deref().map(agent).transpose()?;
    let terms = Terms {
        asset: asked.asset.unwrap_or_else(|| TOKENS.into()),
        amount: amount(&asked.amount)?,
        payer: desk.signer.log().unchecked_state().did().as_did().clone(),
        payee: agent(&asked.to)?.as_did().clone(),
        arbiter: arbiter.map(|did| did.as_did().clone()),
        task_id: asked.task.unwrap_or_else(|| "task".into()),
        created_ms: desk.now.0,
        timeout_ms: desk.now.plus(asked.deadline_ms).0,
        nonce: random(state)?,
    };
    let least = Gates::default();
    let gates = Gates {
        escrow: asked.min_score.map_or(least.escrow, score),
        arbiter: asked.min_arbiter_score.map_or(least.arbiter, score),
        ..least
    };
    let id = terms.id().map_err(|error| failed(error.into()))?;
    let ledger = asked.ledger.as_deref().unwrap_or(MAIN);
    let done = trade.reserve(ledger, terms, &gates, &desk).await;
    told(state, &trade, &id, &done.map_err(failed)?)
}

/// A score that is asked for; nobody has more than a thousand.
fn score(least: u32) -> u16 {
    u16::try_from(least).unwrap_or(u16::MAX)
}

async fn list(state: &State, all: bool) -> Result<Value, Refused> {
    let trade = open(state).await?;
    let is_open = |escrow: &Escrow| {
        let machine = escrow.machine();
        machine.is_none_or(|machine| !machine.state().is_terminal())
    };
    let escrows = trade.ledgers().flat_map(|kept| {
        let escrows = kept.ledger().escrows();
        escrows.map(move |escrow| (kept, escrow))
    });
    let mut shown: Vec<_> = escrows
        .filter(|(_, escrow)| all || is_open(escrow))
        .collect();
    let place = |escrow: &Escrow| escrow.terms().created_ms;
    order::sort_by(&mut shown, |(_, a), (_, b)| {
        (place(a), a.id()) < (place(b), b.id())
    });
    let shown = shown.into_iter();
    Ok(shown
        .map(|(kept, escrow)| of_escrow(kept, escrow))
        .collect())
}

async fn command(state: &State, name: &str, asked: Asked) -> Result<Value, Refused> {
    let desk = desk(state)?;
    let mut trade = open(state).await?;
    let Asked { id, .. } = asked;
    let escrow = escrow(&trade, &id)?.1;
    let needed = |what: &'static str, value: Option<Value>| {
        let value = value.ok_or_else(|| Refused::bad_request(format!("{name}: {what} is missing")));
        amount(&value?)
    };
    let action = match name {
        "escrow.release" => Action::Release {
            amount: match asked.amount {
                Some(value) => amount(&value)?,
                None => part(escrow, Machine::remaining),
            },
        },
        "escrow.refund" => {
            let own = desk.signer.log().unchecked_state().did();
            match escrow.terms().payee == *own.as_did() {
                true => Action::RefundByPayee,
                false => Action::TimeoutRefund,
            }
        }
        "escrow.dispute" => {
            let reason = asked.reason;
            let missing = || Refused::bad_request("a dispute needs a reason");
            Action::Dispute {
                reason: reason.ok_or_else(missing)?,
            }
        }
        _ => Action::Resolve {
            to_payee: needed("to_payee", asked.to_payee)?,
            to_payer: needed("to_payer", asked.to_payer)?,
        },
    };
    let done = trade.command(&id, action, &desk).await;
    told(state, &trade, &id, &done.map_err(failed)?)
}

/// Agrees to a decision that the other party signed.
async fn agree(state: &State, text: &str) -> Result<Value, Refused> {
    let File::Command(CommandFile { log, command }) = read_file(text)? else {
        return Err(Refused::bad_request("that is no command to an escrow"));
    };
    let desk = desk(state)?;
    let mut trade = open(state).await?;
    let learned = trade.learn(&[log], state.storage()).await;
    learned.map_err(failed)?;
    let id = command.command.escrow_id.clone();
    let done = trade.agree(command, &desk).await.map_err(failed)?;
    told(state, &trade, &id, &done)
}

async fn settle(state: &State, asked: Settle) -> Result<Value, Refused> {
    let desk = desk(state)?;
    let mut trade = open(state).await?;
    let id = asked.id;
    let ended = match (asked.cost, asked.session, asked.outcome.as_deref()) {
        (Some(cost), None, None) => Ended::Succeeded {
            cost: amount(&cost)?,
        },
        (None, Some(session), None) => {
            let turn = TurnEnd::read(state.storage(), &session, asked.turn.map(TurnId)).await?;
            let missing = || {
                let why = format!("no such turn of session {session} has ended");
                Refused::new("no_turn", why)
            };
            let escrow = escrow(&trade, &id)?.1;
            turn.ok_or_else(missing)?.ended(escrow).map_err(failed)?
        }
        (None, None, Some("failed")) => Ended::Failed,
        (None, None, Some("timed_out")) => Ended::TimedOut,
        _ => {
            return Err(Refused::bad_request(
                "escrow.settle takes cost, session, or outcome: failed or timed_out",
            ));
        }
    };
    let settled = trade.settle(&id, ended, &desk).await.map_err(failed)?;
    let Settled {
        settlement,
        done,
        waits_for,
    } = settled;
    let (kept, escrow) = escrow(&trade, &id)?;
    let signed = done.iter().filter_map(signed);
    let commands = signed.map(|command| command_text(state, command));
    let recorded = done.iter();
    let recorded = recorded.filter(|done| matches!(done, Done::Recorded(_)));
    Ok(json!({
        "escrow": of_escrow(kept, escrow),
        "to_payee": settlement.released.to_string(),
        "to_payer": settlement.refunded.to_string(),
        "recorded": recorded.count(),
        "commands": commands.collect::<Result<Vec<_>, _>>()?,
        "waits_for": waits_for.map(|did| did.as_kamn()),
    }))
}

/// Takes in another's ledger, or records what a party signed.
async fn import(state: &State, text: &str) -> Result<Value, Refused> {
    let file = read_file(text)?;
    let mut trade = open(state).await?;
    match file {
        File::Ledger { logs, ledger } => {
            let learned = trade.learn(&logs, state.storage()).await;
            let learned = learned.map_err(failed)?;
            let imported = trade.import_ledger(&ledger, state.storage()).await;
            let imported = imported.map_err(failed)?;
            let forked = learned.forked.iter();
            Ok(json!({
                "ledger": imported.ledger,
                "keeper": ledger.keeper.as_kamn(),
                "new": imported.new,
                "events": imported.events,
                "forked": forked.map(|did| did.as_kamn()).collect::<Vec<_>>(),
            }))
        }
        File::Command(CommandFile { log, command }) => {
            let learned = trade.learn(&[log], state.storage()).await;
            learned.map_err(failed)?;
            let id = command.command.escrow_id.clone();
            let done = trade.take(command, &desk(state)?).await;
            told(state, &trade, &id, &done.map_err(failed)?)
        }
        File::Trust(_) | File::Attestation(_) => Err(Refused::bad_request(
            "that is what agents say of each other",
        )
        .hint("trust.import takes it")),
    }
}

fn escrow<'a>(trade: &'a Trade, id: &str) -> Result<(&'a Kept, &'a Escrow), Refused> {
    let kept = trade.ledger_of(id).map_err(failed)?;
    let missing = || failed(TradeError::NoEscrow { id: id.into() });
    let escrow = kept.ledger().escrow(id).ok_or_else(missing)?;
    Ok((kept, escrow))
}

/// What became of a command. One that another has to record or agree to comes along, for him.
fn told(state: &State, trade: &Trade, id: &str, done: &Done) -> Result<Value, Refused> {
    let (word, next) = match done {
        Done::Recorded(_) => ("recorded", None),
        Done::Repeated => ("repeated", None),
        Done::ForKeeper { keeper, .. } => ("for_keeper", Some(keeper.as_kamn())),
        Done::ForOther { other, .. } => ("for_other", Some(other.as_kamn())),
    };
    let command = signed(done);
    let command = command.map(|command| command_text(state, command));
    let (kept, escrow) = escrow(trade, id)?;
    Ok(json!({
        "id": id,
        "done": word,
        "escrow": of_escrow(kept, escrow),
        "next": next,
        "command": command.transpose()?,
    }))
}

fn signed(done: &Done) -> Option<&SignedCommand> {
    match done {
        Done::ForKeeper { command, .. } | Done::ForOther { command, .. } => Some(command),
        Done::Recorded(_) | Done::Repeated => None,
    }
}

/// A command that another has to record or agree to, as it is handed to him.
fn command_text(state: &State, command: &SignedCommand) -> Result<Value, Refused> {
    let log = identity::signer(state)?.log().clone();
    let command = command.clone();
    text_of(&File::Command(CommandFile { log, command }))
}
