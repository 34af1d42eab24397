//! `tau channel`: messages from elsewhere, and who may write them.

use serde_json::{Value, json};
use std::path::PathBuf;
use tau_platform::Clock;
use tau_target_native::TokioClock;

use super::block_on;
use crate::{
    channels::{Allowed, Ledger, Runner, Stranger, check_name, find, hold, quoted},
    cli::{AgentFlags, LimitFlags, ModelFlags, PolicyFlags},
    config,
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    host,
    plugins::{Plugin, State},
    sessions,
    signals::Signals,
    ui::{self, Ui},
};

/// Unknown senders that are listed for a person.
const STRANGERS: usize = 5;

/// Have the agent answer messages that a channel brings.
///
/// A channel is a WebAssembly module like a tool of your own, whose manifest says `"kind": "channel"`:
/// `tau tool install FILE.wasm` installs it. Nobody is answered but the senders you allow.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List channels, who may write by each, and who tried.
    List {
        /// Print one JSON object: `{"channels": […]}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object a channel.
        #[arg(long)]
        jsonl: bool,
    },
    Run(Run),
    /// Let a sender talk to the agent.
    ///
    /// What the agent can read in its workspace it can tell them. In a conversation of several, all who
    /// read it see the answers.
    Allow {
        /// The channel.
        name: String,
        /// The sender, as the channel names them.
        sender: String,
        /// Only what they write in this conversation.
        #[arg(long = "in", value_name = "CONVERSATION")]
        conversation: Option<String>,
    },
    /// Allow a sender no longer, or forget all that is kept of a channel.
    ///
    /// Sessions stay; `tau tool remove` removes the module.
    Forget {
        /// The channel.
        name: String,
        /// The sender.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        sender: Option<String>,
        /// Senders, messages that wait, and which were received: everything.
        #[arg(long)]
        all: bool,
    },
}

/// Receive messages and answer them, until Ctrl-C.
///
/// Each conversation is a session. What needs a question is denied, since nobody is there to ask, and
/// the sender is told; `tau policy` says what needs none. What is left undone the next run does.
#[derive(Debug, clap::Args)]
struct Run {
    /// The channel.
    name: String,
    /// Receive once, answer, and end.
    #[arg(long)]
    once: bool,
    /// Print every event as a line of JSON.
    #[arg(long)]
    jsonl: bool,
    #[command(flatten)]
    model: ModelFlags,
    /// permissive, balanced, strict or hardened.
    #[arg(long, value_name = "PRESET")]
    policy: Option<tau_core::policy::Preset>,
    #[command(flatten)]
    limits: LimitFlags,
    /// The folder the agent works in [default: the current one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Add a file to the system prompt; may be repeated.
    #[arg(long, value_name = "FILE")]
    system: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::List { json, jsonl } => block_on(list(home, ui, json, jsonl))?,
        Command::Run(args) => block_on(serve(args, home, ui))?,
        Command::Allow {
            name,
            sender,
            conversation,
        } => block_on(allow(home, ui, &name, &sender, conversation.as_deref()))?,
        Command::Forget { name, sender, .. } => {
            block_on(forget(home, ui, &name, sender.as_deref()))?
        }
    }
}

async fn serve(args: Run, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let flags = AgentFlags {
        model: args.model,
        policy: PolicyFlags {
            policy: args.policy,
            ..PolicyFlags::default()
        },
        limits: args.limits,
        workspace: args.workspace,
        system: args.system,
        ..AgentFlags::default()
    };
    let profile = config::load(&home.config_file())?;
    let vault = Vault::open(home, ui)?;
    vault.watch(profile.store.password_env.as_deref().into_iter());
    let tools = host::tools(flags.workspace.as_deref(), home, &profile, &vault)?;
    find(&tools, &args.name)?;
    let store = home.store()?;
    let _hold = hold(&store, home, &args.name).await?;
    // Said, and found wanting, before the first message comes.
    sessions::choose_model(&flags.model, &profile, home, &host::http(&vault), ui).await?;
    let ledger = Ledger::new(store, &args.name);
    if ledger.all_allowed().await?.is_empty() {
        ui.warn(format!(
            "nobody may write by {0} yet: tau channel allow {0} SENDER",
            args.name
        ));
    }
    let runner = Runner {
        name: args.name.clone(),
        flags,
        once: args.once,
        jsonl: args.jsonl,
        home,
        ui,
        ledger,
        vault,
        held: Default::default(),
    };
    let mut signals = Signals::listen()?;
    if !args.once {
        ui.note(format!("{} is run; Ctrl-C ends it", args.name));
    }
    tokio::select! {
        // First: a turn that hears of the signal, too, would end as interrupted, and not be taken up.
        biased;
        _ = signals.next() => {
            ui.note("ended; what is not answered yet is answered by the next run");
            Ok(Exit::Ok)
        }
        done = runner.run() => done.map(|()| Exit::Ok),
    }
}

async fn allow(
    home: &Home,
    ui: Ui,
    name: &str,
    sender: &str,
    conversation: Option<&str>,
) -> Result<Exit, Error> {
    check_channel(name)?;
    check_name("the sender", sender).map_err(Error::usage)?;
    if let Some(conversation) = conversation {
        check_name("the conversation", conversation).map_err(Error::usage)?;
    }
    let ledger = Ledger::new(home.store()?, name);
    ledger.allow(sender, conversation, TokioClock.now()).await?;
    let place = conversation.map_or(String::new(), |place| format!(" in {place}"));
    ui.note(format!("{sender} may write by {name}{place}"));
    if all(home)?.iter().all(|plugin| plugin.name != name) {
        ui.warn(format!("there is no channel {name} here yet"));
    }
    Ok(Exit::Ok)
}

async fn forget(home: &Home, ui: Ui, name: &str, sender: Option<&str>) -> Result<Exit, Error> {
    check_channel(name)?;
    let store = home.store()?;
    let ledger = Ledger::new(store.clone(), name);
    match sender {
        Some(sender) => {
            if !ledger.disallow(sender).await? {
                return Err(
                    Error::usage(format!("nobody allowed {sender:?} to write by {name}"))
                        .hint("`tau channel list` names those who may"),
                );
            }
            ui.note(format!("{sender} may not write by {name} any more"));
        }
        None => {
            let _hold = hold(&store, home, name).await?;
            let rows = ledger.forget().await?;
            ui.note(format!("{rows} rows of {name} are gone"));
        }
    }
    Ok(Exit::Ok)
}

/// A name leads to keys of the store: only one that a manifest can have does.
fn check_channel(name: &str) -> Result<(), Error> {
    let checked = tau_core::tool::reserved::check(name);
    checked.map_err(|error| Error::usage(error.to_string()))
}

/// The channels that lie in folders.
fn all(home: &Home) -> Result<Vec<std::sync::Arc<Plugin>>, Error> {
    let profile = config::load(&home.config_file())?;
    let tools = host::tools(None, home, &profile, &Vault::closed())?;
    Ok(tools.plugins().channels().cloned().collect())
}

/// A channel, and what is kept of it.
struct Row {
    plugin: std::sync::Arc<Plugin>,
    allowed: Vec<Allowed>,
    strangers: Vec<Stranger>,
    unanswered: usize,
    unsent: usize,
}

async fn list(home: &Home, ui: Ui, json: bool, jsonl: bool) -> Result<Exit, Error> {
    let mut rows = Vec::new();
    let store = home.store()?;
    for plugin in all(home)? {
        let ledger = Ledger::new(store.clone(), &plugin.name);
        rows.push(Row {
            allowed: ledger.all_allowed().await?,
            strangers: ledger.strangers().await?,
            unanswered: ledger.inbox().await?.len(),
            unsent: ledger.outbox().await?.len(),
            plugin,
        });
    }
    let objects = rows.iter().map(object);
    if json {
        ui.json(&json!({ "channels": objects.collect::<Vec<_>>() }));
    } else if jsonl {
        objects.for_each(|row| ui.json(&row));
    } else {
        rows.iter().for_each(|row| show(ui, row));
    }
    Ok(Exit::Ok)
}

fn object(row: &Row) -> Value {
    let plugin = &row.plugin;
    let manifest = plugin.manifest.as_ref();
    let mut object = json!({
        "name": plugin.name,
        "description": manifest.map(|manifest| &manifest.description),
        "unanswered": row.unanswered,
        "unsent": row.unsent,
    });
    super::tool::describe_plugin(&mut object, plugin);
    object["allowed"] = row
        .allowed
        .iter()
        .map(|a| json!({ "sender": a.sender, "conversation": a.conversation, "since": a.since }))
        .collect();
    object["strangers"] = row
        .strangers
        .iter()
        .map(|s| {
            json!({
                "sender": s.sender, "conversation": s.conversation, "messages": s.messages,
                "last": s.last, "told": s.told,
            })
        })
        .collect();
    object
}

fn show(ui: Ui, row: &Row) {
    let plugin = &row.plugin;
    let about = match (&plugin.state, &plugin.manifest) {
        (State::Ready, Some(manifest)) => ui::one_line(&manifest.description, 70),
        _ => ui::caution(ui::one_line(&plugin.why_not(), 200)),
    };
    ui.line(format!("{} {}", ui::bold(&plugin.name), about));
    for allowed in &row.allowed {
        let place = allowed.conversation.as_deref();
        let place = place.map_or(String::new(), |place| {
            format!(" in {}", ui::one_line(place, 40))
        });
        ui.line(format!(
            "  allowed  {}{place}",
            ui::one_line(&allowed.sender, 60)
        ));
    }
    let now = TokioClock.now();
    for stranger in row.strangers.iter().take(STRANGERS) {
        let sender = ui::one_line(&stranger.sender, 40);
        let told = format!(
            "{} messages, {}",
            stranger.messages,
            ui::ago(stranger.last, now)
        );
        let how = format!(
            "tau channel allow {} {}",
            plugin.name,
            quoted(&stranger.sender)
        );
        ui.line(format!(
            "  unknown  {sender}: {told} {}",
            ui::dim(ui::one_line(&how, 120))
        ));
    }
    if row.unanswered + row.unsent > 0 {
        ui.line(format!(
            "  waiting  {} to answer, {} to send",
            row.unanswered, row.unsent
        ));
    }
}
