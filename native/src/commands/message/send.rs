//! Writing messages, and sending them.

use serde_json::json;
use std::{collections::BTreeMap, io::Read, path::PathBuf};
use tau_kamn::{AgentDid, envelope::MessageType};
use tau_platform::{
    Clock, Signer,
    messages::{Draft, Outgoing, Packet, Posted, Status, Way, Words},
    peers,
};
use tau_target_native::TokioClock;

use super::{of_sent, round::Carry, status};
use crate::{
    commands::{identity::parse, net::Reach},
    exit::{Error, Exit},
    home::Home,
    identity::of_log,
    messages::{self, Desk, NativePost, of_message},
    ui::Ui,
};

/// Bytes of a message's text.
const TEXT_BYTES: u64 = 64 * 1024;
/// For how long a message is of use where nothing else is said.
const HOUR_MS: u64 = 3_600_000;

/// What is said, and how.
#[derive(Debug, clap::Args)]
struct What {
    /// What kind of message it is: Request, Response, Delegation, StatusUpdate …
    #[arg(long, value_name = "KIND", default_value = "Request", value_parser = kind)]
    kind: MessageType,
    /// Say something else under a name, NAME=TEXT; may be repeated.
    #[arg(long, value_name = "NAME=TEXT", value_parser = field)]
    field: Vec<(String, String)>,
    /// The id of the message it answers.
    #[arg(long, value_name = "ID")]
    answers: Option<String>,
    /// For how long it is of use: 90s, 10m; a day at most.
    #[arg(long, value_name = "DURATION", value_parser = crate::config::parse_duration_ms)]
    life: Option<u64>,
}

/// What is sent, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The agent's name: kamn:did:agent:…; with --channel NAME what to say.
    to: String,
    /// What to say; `-` reads it from stdin.
    text: Option<String>,
    #[command(flatten)]
    what: What,
    /// Where the agent takes messages; remembered from then on.
    #[arg(long, value_name = "URL")]
    to_url: Option<String>,
    /// Sign it alone: whoever carries it can read it.
    #[arg(long, conflicts_with = "channel")]
    plain: bool,
    /// Send it to all members of this channel; without a name under a session of the two, after shaking
    /// hands where there is none.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    channel: Option<String>,
    /// Write it to a file instead of sending it; of a channel, a file for each member to a folder.
    #[arg(long, value_name = "PATH", conflicts_with = "to_url")]
    out: Option<PathBuf>,
    /// Print one JSON object: `{to, id, status, attempts, why, …}`, of a channel `{channel, members}`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What waits is sent.
#[derive(Debug, clap::Args)]
pub(super) struct Flush {
    /// Print one JSON object: `{"sent": […], "next_ms"}`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What is sealed.
#[derive(Debug, clap::Args)]
pub(super) struct Seal {
    /// The agent's name: kamn:did:agent:…
    to: String,
    /// What to say; `-` reads it from stdin.
    text: String,
    #[command(flatten)]
    what: What,
    /// Sign it alone: whoever carries it can read it.
    #[arg(long)]
    plain: bool,
}

/// Writes a message, and sends it.
pub(super) async fn run(mut args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    // `--channel DID TEXT` is the flag without a name, before the two.
    if let (Some(name), None) = (&args.channel, &args.text)
        && parse(name).is_ok()
    {
        args.text = Some(std::mem::replace(&mut args.to, name.clone()));
        args.channel = Some(String::new());
    }
    let policy = args.reach.clone().policy(home)?;
    let desk = Desk::open(home, &policy, ui).await?;
    if let Some(name) = args.channel.clone().filter(|name| !name.is_empty()) {
        return to_channel(args, &name, &desk, home, ui).await;
    }
    let to = parse(&args.to)?;
    let text = args.text.as_deref();
    let text = text.ok_or_else(|| Error::usage("there is nothing to say"))?;
    let text = self::text(text)?;
    let way = match (args.plain, &args.channel) {
        (true, _) => Way::Plain,
        (_, Some(_)) => Way::Session,
        _ => Way::Sealed,
    };
    if let Some(file) = &args.out {
        let written = write(&desk, args.what, text, to, way).await?;
        let packet = packet(&desk, &written);
        std::fs::write(file, packet).map_err(|error| {
            Error::usage(format!("{} cannot be written", file.display())).cause(error)
        })?;
        let sent = desk.office().hand_over(written.sent).await;
        let posted = Posted {
            sent: sent.map_err(of_message)?,
            reason_code: None,
        };
        return Ok(told(posted, args.json, ui));
    }
    let post = messages::post(home, &policy, ui)?;
    meet(&desk, &post, &to, args.to_url.as_deref()).await?;
    let office = desk.office();
    if way == Way::Session && !office.has_channel(&to).await.map_err(of_message)? {
        let proposal = office
            .propose(&to, TokioClock.now())
            .await
            .map_err(of_message)?;
        let posted = office.post(proposal.sent, &desk.watch, &desk.gate, &post, &TokioClock);
        let posted = posted.await.map_err(of_message)?;
        if posted.sent.status != Status::Taken {
            return Ok(told(posted, args.json, ui));
        }
        ui.note(format!("hands were shaken with {to}"));
    }
    let written = write(&desk, args.what, text, to, way).await?;
    let posted = office.post(written.sent, &desk.watch, &desk.gate, &post, &TokioClock);
    let posted = posted.await.map_err(of_message)?;
    Ok(told(posted, args.json, ui))
}

/// Writes to the members of a channel.
async fn to_channel(
    args: Args,
    name: &str,
    desk: &Desk,
    home: &Home,
    ui: Ui,
) -> Result<Exit, Error> {
    if args.text.is_some() || args.to_url.is_some() {
        return Err(Error::usage("a channel is written to by its name alone")
            .hint("tau message send --channel NAME TEXT"));
    }
    let words = Words {
        kind: args.what.kind,
        body: body(text(&args.to)?, args.what.field),
        answers: args.what.answers,
        life_ms: args.what.life.unwrap_or(HOUR_MS),
    };
    let office = desk.office();
    let standing = office.group_channel(name).await.map_err(of_message)?;
    let round = office.write_to_channel(&standing.id, &words, TokioClock.now());
    let round = round.await.map_err(of_message)?;
    let carry = Carry {
        out: args.out,
        json: args.json,
        reach: args.reach,
    };
    carry.carry(round, desk, home, ui).await
}

/// Sends what waits.
pub(super) async fn flush(args: Flush, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let policy = args.reach.policy(home)?;
    let desk = Desk::open(home, &policy, ui).await?;
    let post = messages::post(home, &policy, ui)?;
    let office = desk.office();
    let flushed = office.flush(&desk.watch, &desk.gate, &post, &TokioClock);
    let (sent, next) = flushed.await.map_err(of_message)?;
    if args.json {
        let sent: Vec<_> = sent.iter().map(|posted| of_sent(&posted.sent)).collect();
        ui.json(&json!({ "sent": sent, "next_ms": next.map(|next| next.0) }));
        return Ok(Exit::Ok);
    }
    for posted in &sent {
        let sent = &posted.sent;
        ui.line(format!("{} {} {}", sent.id, status(sent.status), sent.to));
    }
    if next.is_some() {
        ui.note("some still wait: run it again later");
    }
    Ok(Exit::Ok)
}

/// Writes a message to stdout.
pub(super) async fn seal(args: Seal, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let policy = Reach::default().policy(home)?;
    let desk = Desk::open(home, &policy, ui).await?;
    let to = parse(&args.to)?;
    let way = match args.plain {
        true => Way::Plain,
        false => Way::Sealed,
    };
    let written = write(&desk, args.what, text(&args.text)?, to, way).await?;
    let packet = packet(&desk, &written);
    let handed = desk.office().hand_over(written.sent).await;
    handed.map_err(of_message)?;
    ui.bytes(&packet);
    Ok(Exit::Ok)
}

/// Writes the message into the store.
async fn write(
    desk: &Desk,
    what: What,
    text: String,
    to: AgentDid,
    way: Way,
) -> Result<Outgoing, Error> {
    let draft = Draft {
        to,
        kind: what.kind,
        body: body(text, what.field),
        answers: what.answers,
        life_ms: what.life.unwrap_or(HOUR_MS),
        way,
    };
    let written = desk.office().write(draft, TokioClock.now()).await;
    written.map_err(of_message)
}

fn body(text: String, fields: Vec<(String, String)>) -> BTreeMap<String, String> {
    let text = ("text".to_owned(), text);
    [text].into_iter().chain(fields).collect()
}

fn packet(desk: &Desk, written: &Outgoing) -> Vec<u8> {
    let packet = Packet::of(written.sent.envelope().to_owned(), desk.signer.log());
    let mut bytes = packet.to_bytes();
    bytes.push(b'\n');
    bytes
}

/// Sees to it that the agent and where it takes messages are known.
pub(super) async fn meet(
    desk: &Desk,
    post: &NativePost,
    to: &AgentDid,
    url: Option<&str>,
) -> Result<(), Error> {
    let Some(url) = url else { return Ok(()) };
    let office = desk.office();
    let known = peers::get(&desk.storage, to).await.map_err(of_log)?;
    if known.is_some() {
        return office.address(to, url).await.map_err(of_message);
    }
    let found = office.meet(url, post).await.map_err(of_message)?;
    match found == *to {
        true => Ok(()),
        false => Err(Error::new(
            Exit::Denied,
            format!("messages at {url} are taken by {found}, not by {to}"),
        )
        .cause("recipient_mismatch")),
    }
}

/// Shows how it went.
fn told(posted: Posted, json: bool, ui: Ui) -> Exit {
    let sent = &posted.sent;
    if json {
        let mut value = of_sent(sent);
        value["reason_code"] = json!(posted.reason_code);
        ui.json(&value);
    } else {
        ui.line(format!("{} {}", sent.id, status(sent.status)));
    }
    match (sent.status, &sent.why) {
        (Status::Waiting, Some(why)) => {
            ui.warn(format!(
                "it did not arrive: {why}; it waits, and `tau message flush` sends it again"
            ));
            Exit::Ok
        }
        (Status::Refused | Status::Expired, why) => {
            let why = why.clone().unwrap_or_else(|| "expired".into());
            ui.error(&Error::new(Exit::Denied, "the message was not taken").cause(why));
            Exit::Denied
        }
        _ => Exit::Ok,
    }
}

fn text(argument: &str) -> Result<String, Error> {
    let mut text = argument.to_owned();
    if argument == "-" {
        text.clear();
        let mut stdin = std::io::stdin().lock().take(TEXT_BYTES + 1);
        let read = stdin.read_to_string(&mut text);
        read.map_err(|error| Error::usage("stdin cannot be read as text").cause(error))?;
    }
    if text.len() as u64 > TEXT_BYTES {
        return Err(Error::usage("a message has at most 64 KiB"));
    }
    match text.trim().is_empty() {
        true => Err(Error::usage("there is nothing to say")),
        false => Ok(text),
    }
}

fn kind(name: &str) -> Result<MessageType, String> {
    let mut all = MessageType::ALL.into_iter();
    let found = all.find(|kind| kind.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<_> = MessageType::ALL.iter().map(|kind| kind.name()).collect();
        format!("the kinds are {}", names.join(", "))
    })
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.into(), value.into()))
        }
        _ => Err("write it as NAME=TEXT".into()),
    }
}
