//! Taking messages from files.

use serde_json::json;
use std::path::PathBuf;
use tau_platform::{
    Clock, Signer,
    messages::{Arrived, MessageError, PACKET_LIMIT_BYTES, Packet, Taken},
};
use tau_target_native::TokioClock;

use super::taken_as;
use crate::{
    commands::{identity::read, net::Reach},
    exit::Error,
    exit::Exit,
    home::Home,
    messages::{Desk, of_message},
    ui::{self, Ui},
};

/// What is taken.
#[derive(Debug, clap::Args)]
pub(super) struct Receive {
    /// The file; stdin without one or for `-`.
    file: Option<PathBuf>,
    /// Where to write what is replied: the next step of a handshake.
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// Print one JSON object: `{taken, from, letter, text, …}` or `{refused: {reason_code, reason}}`.
    #[arg(long)]
    json: bool,
}

/// What is opened.
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// The file; stdin without one or for `-`.
    file: Option<PathBuf>,
    /// Print one JSON object: `{taken, from, letter, text, …}` or `{refused: {reason_code, reason}}`.
    #[arg(long)]
    json: bool,
}

/// Takes a message, and says whose it is.
pub(super) async fn receive(args: Receive, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let desk = desk(home, ui).await?;
    let taken = match take(&desk, args.file.as_ref()).await? {
        Ok(taken) => taken,
        Err(error) => return Ok(refused(error, args.json, ui)),
    };
    if let Some(reply) = taken.replies.first() {
        match &args.reply {
            Some(file) => {
                let packet = Packet::of(reply.envelope().to_owned(), desk.signer.log());
                std::fs::write(file, packet.to_bytes()).map_err(|error| {
                    Error::usage(format!("{} cannot be written", file.display())).cause(error)
                })?;
            }
            None => ui.note("a reply waits: `tau message flush` sends it, --reply FILE writes it"),
        }
    }
    match args.json {
        true => ui.json(&of_taken(&taken)),
        false => {
            let what = taken_as(&taken);
            ui.line(format!("{} from {}: {what}", taken.id, taken.from));
        }
    }
    Ok(Exit::Ok)
}

/// Takes a message, and prints what it says.
pub(super) async fn open(args: Open, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let desk = desk(home, ui).await?;
    let taken = match take(&desk, args.file.as_ref()).await? {
        Ok(taken) => taken,
        Err(error) => return Ok(refused(error, args.json, ui)),
    };
    ui.note(format!("from {}, signed", taken.from));
    match (args.json, &taken.letter) {
        (true, _) => ui.json(&of_taken(&taken)),
        (false, Some(letter)) => ui.line(ui::plain(letter.text())),
        (false, None) => ui.note(format!("{}: there is nothing to read", taken_as(&taken))),
    }
    Ok(Exit::Ok)
}

async fn desk(home: &Home, ui: Ui) -> Result<Desk, Error> {
    Desk::open(home, &Reach::default().policy(home)?, ui).await
}

/// The message in a file, taken or refused.
async fn take(desk: &Desk, file: Option<&PathBuf>) -> Result<Result<Taken, MessageError>, Error> {
    // More than is taken, so that too much is refused as such.
    let bytes = read(file, 8 * PACKET_LIMIT_BYTES)?;
    let arrived = Arrived {
        bytes: &bytes,
        place: "file",
        answers: false,
    };
    let office = desk.office();
    let taken = office.receive(&desk.watch, arrived, &desk.gate, TokioClock.now());
    Ok(taken.await)
}

fn of_taken(taken: &Taken) -> serde_json::Value {
    json!({
        "taken": taken.id,
        "from": taken.from.to_string(),
        "letter": taken.name,
        "channel": taken.channel,
        "text": taken.letter.as_ref().map(|letter| letter.text()),
        "sealed": taken.letter.as_ref().is_some_and(|letter| letter.is_sealed()),
        "kind": taken.received.envelope().message_type.name(),
        "body": taken.body,
        "replies": taken.replies.len(),
    })
}

fn refused(error: MessageError, json: bool, ui: Ui) -> Exit {
    let code = error.reason_code();
    let reason = error.to_string();
    let error = of_message(error);
    if json {
        ui.json(&json!({
            "taken": null,
            "refused": { "reason_code": code, "reason": reason },
            "error": error.to_json(),
        }));
    }
    ui.error(&error);
    error.exit
}
