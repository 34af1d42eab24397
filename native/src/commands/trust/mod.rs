//! `tau trust`: scores with what they are made of, what agents say of each other, who is asked.

mod carry;
mod say;
mod show;

use super::{block_on, trade};
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};

const EXAMPLES: &str = "\
Examples:
  tau trust show kamn:did:agent:bob--keyh-…     the score, and what each attestation weighs
  tau trust attest DID --task escrow:… --outcome completed --response 2s
  tau trust export > trust.json                 all that scores are computed from
  tau trust show DID --from trust.json          computed again from that file alone
  tau trust route summaries --threshold 600     who is asked; exit code 77 where nobody is

A score is between 0 and 1000 and computed here, never received. Only those who dealt with each other in
an escrow speak of tasks and disputes. A height is an hour.";

/// Show whom the agent trusts and why, say how others did, choose who is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show an agent's score with what it is made of; without one, everybody's.
    Show(show::Show),
    /// Say something of another agent, signed; prints it, to be handed on.
    Attest(say::Attest),
    /// Take in what others said: an export, or a single attestation. What does not count is not kept.
    Import(carry::Import),
    /// Print all that scores are computed from: attestations, ledgers, key logs.
    Export(carry::Export),
    /// Say who is to be asked, by score and capability, and why.
    Route(show::Route),
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        match args.command {
            Command::Show(args) => args.run(home, ui).await,
            Command::Attest(args) => args.run(home, ui).await,
            Command::Import(args) => args.run(home, ui).await,
            Command::Export(args) => args.run(home, ui).await,
            Command::Route(args) => args.run(home, ui).await,
        }
    })?
}
