//! `tau escrow`: amounts reserved for tasks, in ledgers that anybody can check.

mod carry;
mod change;
mod look;
mod open;

use serde_json::json;
use tau_platform::trade::Done;

use super::{
    block_on,
    trade::{self, Market},
};
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};

const EXAMPLES: &str = "\
Examples:
  tau escrow deposit 5000 && tau escrow open --to DID --amount 1200 --deadline 1h
  tau escrow settle ID --session SESSION   the cost of its last turn to the payee, the rest back
  tau escrow export > main.json            for the payee: `tau escrow import main.json`
  tau escrow refund ID > back.json         the payee's, for the keeper: `tau escrow import back.json`
  tau escrow ledger --check

A ledger is kept by one agent, who signs every event; a party's command needs the party's signature.
Assets are counted in whole units: TOKENS, NANOUSD (10⁻⁹ US dollars) or one of your own.";

/// Reserve amounts for tasks, release and dispute them, check the ledger of it all.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Put an amount at the disposal of this agent.
    Deposit(open::Deposit),
    /// Take an amount out again.
    Withdraw(open::Withdraw),
    /// Reserve an amount for another agent's work; prints the escrow's name.
    Open(open::Open),
    /// List the escrows.
    List(look::List),
    /// Show an escrow.
    Show(look::Show),
    /// Give the payee what remains, or part of it. The payer's.
    Release(change::Release),
    /// Give back what remains: the payee at any time, the payer from the deadline on.
    Refund(change::Refund),
    /// Do what ends an escrow as its task ended: the cost to the payee, the rest back.
    Settle(change::Settle),
    /// Stop everything until a decision. Either party's.
    Dispute(change::Dispute),
    /// Decide a dispute. The arbiter's; without one, both parties' together.
    Resolve(change::Resolve),
    /// Agree to a decision that the other party signed.
    Agree(carry::Agree),
    /// Show the ledgers: who has what, what is held, and that it sums to nothing.
    Ledger(look::Ledger),
    /// Print a ledger with its key logs, for others.
    Export(carry::Export),
    /// Take in another's ledger, or record a command that a party signed.
    Import(carry::Import),
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        let mut market = Market::open(home, ui).await?;
        match args.command {
            Command::Deposit(args) => args.run(&mut market).await,
            Command::Withdraw(args) => args.run(&mut market).await,
            Command::Open(args) => args.run(&mut market).await,
            Command::List(args) => Ok(args.run(&market)),
            Command::Show(args) => args.run(&market),
            Command::Release(args) => args.run(&mut market).await,
            Command::Refund(args) => args.run(&mut market).await,
            Command::Settle(args) => args.run(&mut market).await,
            Command::Dispute(args) => args.run(&mut market).await,
            Command::Resolve(args) => args.run(&mut market).await,
            Command::Agree(args) => args.run(&mut market).await,
            Command::Ledger(args) => args.run(&market).await,
            Command::Export(args) => args.run(&market).await,
            Command::Import(args) => args.run(&mut market).await,
        }
    })?
}

/// Tells what became of a command. One that another has to record or agree to is printed for him.
fn told(done: &Done, id: &str, json: bool, market: &Market<'_>) -> Result<(), Error> {
    let ui = market.ui;
    let (word, next, command) = match done {
        Done::Recorded(_) => ("recorded", None, None),
        Done::Repeated => ("repeated", None, None),
        Done::ForKeeper { keeper, command } => {
            ("for_keeper", Some(keeper.as_did().clone()), Some(command))
        }
        Done::ForOther { other, command } => ("for_other", Some(other.clone()), Some(command)),
    };
    let file = match command {
        Some(command) => Some(carry::command_file(command.clone(), market)?),
        None => None,
    };
    let escrow = market.escrow(id).ok();
    if json {
        let file: Option<serde_json::Value> = file
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Error::internal(error.to_string()))?;
        ui.json(&json!({
            "done": word,
            "escrow": escrow.map(|(kept, escrow)| trade::escrow_json(kept, escrow)),
            "next": next.map(|did| did.as_kamn()),
            "command": file,
        }));
        return Ok(());
    }
    match (done, &next, file) {
        (Done::ForKeeper { .. }, Some(did), Some(text)) => {
            ui.line(text);
            ui.note(format!(
                "signed; {did} keeps the ledger and records it with `tau escrow import`"
            ));
        }
        (_, Some(did), Some(text)) => {
            ui.line(text);
            ui.note(format!(
                "signed; {did} has to agree, too, with `tau escrow agree`"
            ));
        }
        _ => {
            if *done == Done::Repeated {
                ui.note("that was recorded before; nothing moved again");
            }
            if let Some((_, escrow)) = escrow {
                ui.line(look::line(escrow));
            }
        }
    }
    Ok(())
}
