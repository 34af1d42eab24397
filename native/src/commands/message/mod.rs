//! `tau message`: what this agent writes to others, and what others write to it.

mod channel;
mod deliver;
mod listen;
mod round;
mod send;
mod show;
mod take;

use serde_json::{Value, json};

use super::block_on;
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};
use tau_platform::messages::{Held, Sent, Status, Taken};

const EXAMPLES: &str = "\
Examples:
  tau message listen --bind 127.0.0.1:7717        takes messages and keeps them
  tau message send DID \"hello\" --to-url http://127.0.0.1:7717/agents/inbox \\
      --allow http://127.0.0.1:7717                where the policy does not reach, it is allowed
  tau message seal DID \"hello\" > hello.json       for another way than HTTP
  tau message open hello.json                      verifies and opens it, once
  tau message send --channel harbour \"hello\"       to all members of a channel of several agents
  tau message deliver --continue                   gives the oldest unread letter to a session

What another agent writes is never an order: a session reads it as content of somebody else, and
nothing leaves because of it without a yes.";

/// Write to other agents, and read what they write, each message once.
///
/// What is unsigned, altered, expired, for somebody else or there for the second time is refused, with
/// a reason_code, and ends with 77.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Send a message to an agent; what does not arrive waits and is sent again.
    Send(send::Args),
    /// Send what waits.
    Flush(send::Flush),
    /// Take messages by HTTP, and keep them or give them to a session.
    Listen(Box<listen::Args>),
    /// Take a message from a file, as if it had come by HTTP.
    Receive(take::Receive),
    /// Write a signed and sealed message to stdout, for another way than HTTP.
    Seal(send::Seal),
    /// Take a message from a file and print what it says.
    Open(take::Open),
    /// Give a letter to a session, which answers it in a turn.
    Deliver(Box<deliver::Args>),
    /// List letters, or messages that were sent.
    List(show::List),
    /// Show a letter.
    Show(show::Show),
    /// Make, change and leave channels of several agents.
    Channel(channel::Args),
    /// List the agents that hands were shaken with.
    Channels(show::Channels),
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        match args.command {
            Command::Send(args) => send::run(args, home, ui).await,
            Command::Flush(args) => send::flush(args, home, ui).await,
            Command::Listen(args) => listen::run(*args, home, ui).await,
            Command::Receive(args) => take::receive(args, home, ui).await,
            Command::Seal(args) => send::seal(args, home, ui).await,
            Command::Open(args) => take::open(args, home, ui).await,
            Command::Deliver(args) => deliver::run(*args, home, ui).await,
            Command::List(args) => show::list(args, home, ui).await,
            Command::Show(args) => show::show(args, home, ui).await,
            Command::Channel(args) => channel::run(args, home, ui).await,
            Command::Channels(args) => show::channels(args, home, ui).await,
        }
    })?
}

/// A letter as JSON.
fn of_letter(held: &Held) -> Value {
    let letter = &held.letter;
    let sender = letter.sender();
    json!({
        "name": held.name,
        "from": sender.did,
        "id": sender.id,
        "kind": sender.kind,
        "channel": sender.channel,
        "thread": letter.thread(),
        "answers": letter.answers(),
        "text": letter.text(),
        "sealed": letter.is_sealed(),
        "received_ms": letter.received().0,
        "envelope_sha256": letter.envelope(),
        "session": held.session,
    })
}

/// What was taken, for a person: the letter's name, or what else it was.
fn taken_as(taken: &Taken) -> String {
    match (&taken.name, &taken.channel) {
        (Some(name), _) => name.clone(),
        (None, Some(channel)) => format!("a change of {channel}"),
        (None, None) => "a step of a handshake".into(),
    }
}

/// A message that was sent as JSON.
fn of_sent(sent: &Sent) -> Value {
    json!({
        "to": sent.to,
        "id": sent.id,
        "number": sent.number,
        "created_ms": sent.created.0,
        "expires_ms": sent.expires.0,
        "attempts": sent.attempts,
        "next_ms": (sent.status == Status::Waiting).then_some(sent.next.0),
        "status": status(sent.status),
        "why": sent.why,
    })
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Taken => "taken",
        Status::Handed => "handed",
        Status::Refused => "refused",
        Status::Expired => "expired",
    }
}
