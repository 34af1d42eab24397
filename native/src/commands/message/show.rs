//! What came and what was sent.

use serde_json::json;
use tau_platform::messages;

use super::{of_letter, of_sent, status};
use crate::{
    commands::{identity::parse, net::Reach},
    exit::{Error, Exit},
    home::Home,
    identity::date,
    messages::{Desk, of_message},
    ui::{self, Ui},
};

/// What is listed.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Messages that were sent.
    #[arg(long, conflicts_with_all = ["from", "unread"])]
    sent: bool,
    /// Letters of this agent.
    #[arg(long, value_name = "DID")]
    from: Option<String>,
    /// Letters that no session was given.
    #[arg(long)]
    unread: bool,
    /// Print one JSON object: `{"letters": […]}` or `{"sent": […]}`.
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The letter's name, as `list` prints it.
    letter: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Channels are listed.
#[derive(Debug, clap::Args)]
pub(super) struct Channels {
    /// Print one JSON object: `{"channels": [{with, channel}]}`.
    #[arg(long)]
    json: bool,
}

/// Lists letters or messages.
pub(super) async fn list(args: List, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let storage = home.store()?;
    if args.sent {
        let sent = messages::outbox(&storage).await.map_err(of_message)?;
        if args.json {
            let sent: Vec<_> = sent.iter().map(of_sent).collect();
            ui.json(&json!({ "sent": sent }));
            return Ok(Exit::Ok);
        }
        for sent in &sent {
            let why = sent
                .why
                .as_deref()
                .map(|why| format!(": {}", ui::plain(why)));
            let line = format!(
                "{}  {:8}  {}  to {}{}",
                date(sent.created),
                status(sent.status),
                sent.id,
                sent.to,
                why.unwrap_or_default()
            );
            ui.line(line);
        }
        return Ok(Exit::Ok);
    }
    let from = args.from.as_deref().map(parse).transpose()?;
    let held = messages::list(&storage, from.as_ref(), args.unread).await;
    let mut held = held.map_err(of_message)?;
    held.sort_by_key(|held| held.letter.received());
    if args.json {
        let letters: Vec<_> = held.iter().map(of_letter).collect();
        ui.json(&json!({ "letters": letters }));
        return Ok(Exit::Ok);
    }
    for held in &held {
        let letter = &held.letter;
        let first = letter.text().lines().next().unwrap_or_default();
        let first: String = ui::plain(first).chars().take(60).collect();
        let read = match &held.session {
            Some(session) => format!("given to {session}"),
            None => "unread".into(),
        };
        ui.line(format!(
            "{}  {}  {read}  {first}",
            date(letter.received()),
            held.name
        ));
    }
    Ok(Exit::Ok)
}

/// Shows a letter.
pub(super) async fn show(args: Show, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let storage = home.store()?;
    let held = messages::read(&storage, &args.letter)
        .await
        .map_err(of_message)?;
    let held = held.ok_or_else(|| {
        Error::usage(format!("there is no letter {:?}", args.letter))
            .hint("`tau message list` names them")
    })?;
    if args.json {
        ui.json(&of_letter(&held));
        return Ok(Exit::Ok);
    }
    let letter = &held.letter;
    ui.line(format!("from      {}", ui::bold(&letter.sender().did)));
    ui.line(format!("id        {}", ui::plain(&letter.sender().id)));
    ui.line(format!("kind      {}", letter.sender().kind));
    if let Some(channel) = &letter.sender().channel {
        ui.line(format!("channel   {}", ui::plain(channel)));
    }
    ui.line(format!("received  {}", date(letter.received())));
    let sealed = match letter.is_sealed() {
        true => "yes",
        false => "no: whoever carried it could read it",
    };
    ui.line(format!("sealed    {sealed}"));
    if let Some(session) = &held.session {
        ui.line(format!("given to  {session}"));
    }
    ui.line("");
    ui.line(ui::plain(letter.text()));
    Ok(Exit::Ok)
}

/// Lists with whom there is a session.
pub(super) async fn channels(args: Channels, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let desk = Desk::open(home, &Reach::default().policy(home)?, ui).await?;
    let channels = desk.office().channels().await.map_err(of_message)?;
    if args.json {
        let channels: Vec<_> = channels
            .iter()
            .map(|(did, channel)| json!({ "with": did.to_string(), "channel": channel }))
            .collect();
        ui.json(&json!({ "channels": channels }));
        return Ok(Exit::Ok);
    }
    for (did, channel) in &channels {
        ui.line(format!("{did}  {channel}"));
    }
    Ok(Exit::Ok)
}
