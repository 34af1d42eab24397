//! `tau message channel`: channels of several agents.

use serde_json::{Value, json};
use tau_kamn::channel::Kind;
use tau_platform::{
    Clock,
    messages::{Change, ChannelRefusal, Standing, about, kind_of},
};
use tau_target_native::TokioClock;

use super::{round::Carry, send::meet};
use crate::{
    commands::{identity::parse, net::Reach},
    exit::{Error, Exit},
    home::Home,
    messages::{self, Desk, of_message},
    ui::{self, Ui},
};

const EXAMPLES: &str = "\
Examples:
  tau message channel new harbour --member DID --member DID
  tau message send --channel harbour \"low tide at nine\"
  tau message channel add harbour DID --to-url https://dan.example/agents/inbox
  tau message channel remove harbour DID       reads nothing from then on, and says nothing
  tau message channel announce harbour         for who missed a change, or changed it meanwhile

Each message is sealed for who is in the channel then. Who carries it sees which channel it is, and
who is in it.";

/// Channels of several agents: who is in them, and who may change that.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a channel, of which this agent is the admin.
    New(New),
    /// List channels.
    List(List),
    /// Show a channel: who is in it, and what all must mean the same by.
    Show(Show),
    /// Bring an agent in, or make a member an admin.
    Add(Add),
    /// Put a member out, or take back that it is an admin.
    Remove(Remove),
    /// Tell all members again how the channel is.
    Announce(Named),
    /// Leave a channel; forget one that is over.
    Leave(Named),
}

#[derive(Debug, clap::Args)]
struct New {
    /// What it is called: 1 to 32 of a-z, 0-9, - and _.
    name: String,
    /// Who is in it beside this agent; may be repeated.
    #[arg(long, value_name = "DID")]
    member: Vec<String>,
    /// group, broadcast (admins write alone), task or governance.
    #[arg(long, default_value = "group")]
    kind: String,
    /// What it is about; a group is about nothing in particular.
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    #[command(flatten)]
    carry: Carry,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Print one JSON object: `{"channels": [{id, name, number, members, over, …}]}`.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The channel's name or id.
    channel: String,
    /// Print one JSON object: `{id, name, number, kind, about, members, digest, over}`.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The channel's name or id.
    channel: String,
    /// The agent.
    did: String,
    /// It is a member, and may change the channel from now on.
    #[arg(long)]
    admin: bool,
    /// Where the agent takes messages; remembered from then on.
    #[arg(long, value_name = "URL")]
    to_url: Option<String>,
    #[command(flatten)]
    carry: Carry,
}

#[derive(Debug, clap::Args)]
struct Remove {
    /// The channel's name or id.
    channel: String,
    /// The member.
    did: String,
    /// It stays a member, and may not change the channel any more.
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    carry: Carry,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The channel's name or id.
    channel: String,
    #[command(flatten)]
    carry: Carry,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::New(args) => new(args, home, ui).await,
        Command::List(args) => list(&args, home, ui).await,
        Command::Show(args) => show(&args, home, ui).await,
        Command::Add(args) => add(args, home, ui).await,
        Command::Remove(args) => {
            let did = parse(&args.did)?;
            let change = match args.admin {
                true => Change::RemoveAdmin(did),
                false => Change::Remove(did),
            };
            let desk = desk(&args.carry.reach, home, ui).await?;
            changed(&args.channel, &change, &args.carry, &desk, home, ui).await
        }
        Command::Announce(args) => {
            let desk = desk(&args.carry.reach, home, ui).await?;
            let announce = &Change::Announce;
            changed(&args.channel, announce, &args.carry, &desk, home, ui).await
        }
        Command::Leave(args) => leave(&args, home, ui).await,
    }
}

async fn new(args: New, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let members = args.member.iter().map(|did| parse(did));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    let kind = kind(&args.kind, args.about)?;
    let desk = desk(&args.carry.reach, home, ui).await?;
    let office = desk.office();
    let round = office.begin_channel(&args.name, kind, &members, TokioClock.now());
    let round = round.await.map_err(of_message)?;
    args.carry.carry(round, &desk, home, ui).await
}

async fn add(args: Add, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let did = parse(&args.did)?;
    let desk = desk(&args.carry.reach, home, ui).await?;
    if args.to_url.is_some() {
        let policy = args.carry.reach.clone().policy(home)?;
        let post = messages::post(home, &policy, ui)?;
        meet(&desk, &post, &did, args.to_url.as_deref()).await?;
    }
    let change = match args.admin {
        true => Change::AddAdmin(did),
        false => Change::Invite(did),
    };
    changed(&args.channel, &change, &args.carry, &desk, home, ui).await
}

async fn leave(args: &Named, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let desk = desk(&args.carry.reach, home, ui).await?;
    let office = desk.office();
    let standing = office.group_channel(&args.channel).await;
    let standing = standing.map_err(of_message)?;
    if standing.over.is_some() {
        let forgotten = office.forget_channel(&standing.id).await;
        forgotten.map_err(of_message)?;
        match args.carry.json {
            true => ui.json(&json!({ "channel": standing.id.as_str(), "forgotten": true })),
            false => ui.line(format!("{} is forgotten", standing.id)),
        }
        return Ok(Exit::Ok);
    }
    let round = office.leave_channel(&standing.id, TokioClock.now());
    let round = round.await.map_err(of_message)?;
    args.carry.carry(round, &desk, home, ui).await
}

async fn changed(
    channel: &str,
    change: &Change,
    carry: &Carry,
    desk: &Desk,
    home: &Home,
    ui: Ui,
) -> Result<Exit, Error> {
    let office = desk.office();
    let standing = office.group_channel(channel).await.map_err(of_message)?;
    let round = office.change_channel(&standing.id, change, TokioClock.now());
    let round = round.await.map_err(of_message)?;
    carry.carry(round, desk, home, ui).await
}

async fn list(args: &List, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let desk = desk(&Reach::default(), home, ui).await?;
    let channels = desk.office().group_channels().await.map_err(of_message)?;
    if args.json {
        let channels: Vec<_> = channels.iter().map(of_standing).collect();
        ui.json(&json!({ "channels": channels }));
        return Ok(Exit::Ok);
    }
    for standing in &channels {
        let present = standing.members.iter().filter(|member| !member.has_left);
        let how = match standing.over {
            Some(over) => over.name().to_owned(),
            None => format!("{} members", present.count()),
        };
        let name = standing.id.name();
        ui.line(format!("{name:20}  {how:12}  {}", standing.id));
    }
    Ok(Exit::Ok)
}

async fn show(args: &Show, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let desk = desk(&Reach::default(), home, ui).await?;
    let standing = desk.office().group_channel(&args.channel).await;
    let standing = standing.map_err(of_message)?;
    if args.json {
        ui.json(&of_standing(&standing));
        return Ok(Exit::Ok);
    }
    ui.line(format!("channel   {}", ui::bold(&standing.id)));
    let what = about(&standing.kind).map(|about| format!(": {}", ui::plain(about)));
    let kind = standing.kind.name();
    ui.line(format!("kind      {kind}{}", what.unwrap_or_default()));
    ui.line(format!("state     {} {}", standing.number, standing.digest));
    if let Some(over) = standing.over {
        ui.line(format!("over      this agent {}", over.name()));
    }
    for member in &standing.members {
        let how = match (member.has_left, member.is_admin) {
            (true, _) => "  left",
            (false, true) => "  admin",
            (false, false) => "",
        };
        ui.line(format!("member    {}{how}", member.did));
    }
    Ok(Exit::Ok)
}

async fn desk(reach: &Reach, home: &Home, ui: Ui) -> Result<Desk, Error> {
    Desk::open(home, &reach.clone().policy(home)?, ui).await
}

fn of_standing(standing: &Standing) -> Value {
    let members = standing.members.iter().map(|member| {
        json!({
            "did": member.did.to_string(), "admin": member.is_admin, "left": member.has_left,
        })
    });
    json!({
        "id": standing.id.as_str(),
        "name": standing.id.name(),
        "number": standing.number,
        "kind": standing.kind.name(),
        "about": about(&standing.kind),
        "members": members.collect::<Vec<_>>(),
        "digest": standing.digest,
        "over": standing.over.map(|over| over.name()),
    })
}

fn kind(name: &str, about: Option<String>) -> Result<Kind, Error> {
    let name = name.to_ascii_lowercase();
    let known = ["Group", "Broadcast", "Task", "Governance"];
    let known = known
        .into_iter()
        .find(|kind| kind.to_ascii_lowercase() == name);
    let of = |refusal: ChannelRefusal| Error::usage(refusal.to_string());
    kind_of(known.unwrap_or(&name), about).map_err(of)
}
