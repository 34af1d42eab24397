//! `tau tool`: the agent's tools, through the same dispatcher and the same gate as a model's call.

mod own;

pub(super) use own::describe as describe_plugin;

use serde_json::{Value, json};
use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use tau_core::{
    audit::Decided,
    ids::{CallId, EffectId},
    memory::{self, NAMES, Request, tool_specs},
    message::{ToolCall, ToolStatus},
    policy::{Policy, Refusal, rates::Window},
    safety::{Content, Gate, Labels, Screened, Source, Untrusted, Visit},
    tool::{
        ToolOutput, ToolRun, ToolSpec,
        dispatch::{self, Seen, Standing, Verdict},
        reserved,
    },
};
use tau_platform::{Clock, HostTools, MemoryTools};
use tau_target_native::TokioClock;

use super::block_on;
use crate::{
    audit::Audit,
    cli::PolicyFlags,
    config::{self, Profile},
    credentials::Vault,
    embedding::{Fetching, HomeEmbedder},
    exit::{Error, Exit},
    home::Home,
    host::{self, Counted, HomeTools},
    plugins::{Plugin, State},
    printer::screened_line,
    questions::{Answers, Question, ask_now},
    sessions,
    signals::Signals,
    ui::{self, Ui},
};

/// List, describe and call the agent's tools, and make some of your own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the tools and what the policy does about each.
    List {
        /// Print one JSON object: `{"tools": […]}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object a tool.
        #[arg(long)]
        jsonl: bool,
    },
    /// Show what a tool does and the JSON Schema of its arguments.
    Describe {
        /// The tool.
        name: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    Call(Call),
    #[command(flatten)]
    Own(own::Command),
}

/// Call a tool as a model would, under the same policy.
///
/// Ends with 0 when the tool did what it is for, 1 when it failed, 2 when the call is wrong and 77
/// when policy or a person said no. For example: tau tool call read '{"path": "README.md"}'
#[derive(Debug, clap::Args)]
struct Call {
    /// The tool.
    name: String,
    /// Its arguments, a JSON object; `-` reads them from stdin.
    #[arg(default_value = "{}", hide_default_value = true)]
    arguments: String,
    /// Print one JSON object: `{tool, status, text, note, duration_ms, …}`.
    #[arg(long)]
    json: bool,
    /// The folder the tool works in [default: the current one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyFlags,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::List { json, jsonl } => list(home, ui, json, jsonl),
        Command::Describe { name, json } => describe(home, ui, &name, json),
        Command::Call(call) => block_on(invoke(call, home, ui))?,
        Command::Own(command) => own::run(command, home, ui),
    }
}

fn all_tools(
    workspace: Option<&Path>,
    home: &Home,
    profile: &Profile,
    vault: &Arc<Vault>,
) -> Result<(HomeTools, Vec<ToolSpec>), Error> {
    let tools = host::tools(workspace, home, profile, vault)?;
    let mut specs = tools.specs();
    specs.extend(tool_specs(&crate::memory::access(tools.workspace(), 0)));
    let told = |error: reserved::BadToolName| Error::config(error.to_string());
    reserved::check_all(specs.iter()).map_err(told)?;
    Ok((tools, specs))
}

fn list(home: &Home, ui: Ui, json: bool, jsonl: bool) -> Result<Exit, Error> {
    let profile = config::load(&home.config_file())?;
    let policy = &profile.policy;
    let (tools, specs) = all_tools(None, home, &profile, &Vault::closed())?;
    let plugins = tools.plugins();
    let row = |tool: &ToolSpec| {
        let (action, rule) = policy.action(tool);
        let mut row = json!({
            "name": tool.name, "description": tool.description, "class": tool.class,
            "action": action, "rule": rule, "origin": "tau", "state": "ready",
        });
        if let Some(plugin) = plugins.get(&tool.name) {
            own::describe(&mut row, plugin);
        }
        row
    };
    let mut shown: Vec<Value> = specs.iter().map(row).collect();
    let waiting = plugins.all().iter();
    let waiting = waiting.filter(|plugin| plugin.state != State::Ready && !plugin.is_channel());
    shown.extend(waiting.clone().map(|plugin| {
        let mut row = json!({ "name": plugin.name });
        own::describe(&mut row, plugin);
        row
    }));
    if json {
        ui.json(&json!({ "tools": shown }));
        return Ok(Exit::Ok);
    }
    if jsonl {
        shown.iter().for_each(|tool| ui.json(tool));
        return Ok(Exit::Ok);
    }
    let line = |name: &str, action: &str, about: &str| {
        let about = ui::one_line(about, 70);
        // A file's name may have several lines, which would look like more tools.
        let name = ui::one_line(name, 64);
        ui.line(format!("{name:<10} {action:<6} {}", ui::dim(about)));
    };
    for tool in &specs {
        let (action, _) = policy.action(tool);
        line(&tool.name, action.name(), &tool.description);
    }
    for plugin in waiting {
        line(&plugin.name, "-", &plugin.why_not());
    }
    Ok(Exit::Ok)
}

fn describe(home: &Home, ui: Ui, name: &str, json: bool) -> Result<Exit, Error> {
    let profile = config::load(&home.config_file())?;
    let (tools, specs) = all_tools(None, home, &profile, &Vault::closed())?;
    let plugin = tools.plugins().get(name);
    let spec = specs.iter().find(|tool| tool.name == name).cloned();
    let spec = spec.or_else(|| Some(plugin?.manifest.as_ref()?.spec()));
    let Some(tool) = spec else {
        if let Some(plugin) = plugin {
            return Err(Error::usage(plugin.why_not()));
        }
        let near = dispatch::nearest(name, specs.iter().map(|tool| tool.name.as_str()));
        let error = Error::usage(format!("there is no tool {name:?}"));
        return Err(match near {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("`tau tool list` names them"),
        });
    };
    if json {
        let mut shown = json!(tool);
        if let Some(plugin) = plugin {
            own::describe(&mut shown, plugin);
        }
        ui.json(&shown);
        return Ok(Exit::Ok);
    }
    ui.line(ui::bold(&tool.name));
    ui.line(ui::plain(&tool.description));
    if let Some(plugin) = plugin {
        own::show(ui, plugin);
    }
    let schema = serde_json::to_string_pretty(&tool.parameters);
    ui.line(schema.map_err(|error| Error::internal(error.to_string()))?);
    Ok(Exit::Ok)
}

async fn invoke(args: Call, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let profile = config::load(&home.config_file())?;
    let mut policy = sessions::policy(&args.policy, &profile);
    let (vault, folder) = (Vault::open(home, ui)?, args.workspace.as_deref());
    vault.watch(profile.store.password_env.as_deref().into_iter());
    let (tools, specs) = all_tools(folder, home, &profile, &vault)?;
    if let Some(plugin) = tools.plugins().get(&args.name) {
        can_be_called(plugin)?;
    }
    policy.paths = tools.paths().clone();
    let call = ToolCall {
        id: CallId("cli".into()),
        name: args.name.clone(),
        arguments: arguments(&args.arguments)?,
    };
    let storage = home.store()?;
    let workspace = tools.workspace().to_owned();
    let tools = host::counted(tools, &storage);
    let recent = tools.counter().recent().await?;
    let answers = Answers {
        yes: args.policy.yes,
        tools: args.policy.approve.iter().cloned().collect(),
        can_ask: ui::can_ask(),
        guest: false,
    };
    let log = Audit::new(storage, &call);
    let run = match decide(&call, &specs, &policy, &recent) {
        Verdict::Run { run, rule } => {
            log.note(Decided::Run, &rule, "").await?;
            run
        }
        Verdict::Ask {
            run,
            reason,
            notice,
        } => {
            let question = Question {
                call_id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                reason: reason.clone(),
                may_have_run: false,
                notice,
            };
            match ask_now(&answers, ui, question) {
                Ok(()) => log.note(Decided::Approved, "approval", &reason).await?,
                Err(refusal) => {
                    let why = &refusal.reason;
                    log.note(Decided::Denied, &refusal.rule, why).await?;
                    return Ok(refused(ui, &args, &refusal, Exit::Denied));
                }
            }
            run
        }
        Verdict::Later { until } => {
            let wait = until.since(TokioClock.now());
            ui.note(format!(
                "{} waits {} s for its rate",
                call.name,
                wait.div_ceil(1000)
            ));
            let mut signals = Signals::listen()?;
            tokio::select! {
                () = TokioClock.sleep_until(until) => {}
                _ = signals.next() => return Err(Error::new(Exit::Interrupted, "interrupted")),
            }
            drop(signals);
            return Box::pin(invoke(args, home, ui)).await;
        }
        Verdict::Invalid(refusal) => return Ok(refused(ui, &args, &refusal, Exit::Usage)),
        Verdict::Refuse(refusal) => {
            log.note(Decided::Refused, &refusal.rule, &refusal.reason)
                .await?;
            return Ok(refused(ui, &args, &refusal, Exit::Denied));
        }
    };
    let gate = Gate::new(&policy);
    let began = TokioClock.now();
    // From here on: while a person is asked, a signal ends the program as it ends any other.
    let mut signals = Signals::listen()?;
    let output = tokio::select! {
        output = perform(&tools, run, &workspace, home, &gate, ui) => output?,
        _ = signals.next() => return Err(Error::new(Exit::Interrupted, "interrupted")),
    };
    let duration_ms = TokioClock.now().since(began);
    let status = output.status;
    show(ui, &args, &gate, output, duration_ms);
    Ok(match status {
        ToolStatus::Ok => Exit::Ok,
        ToolStatus::Denied => Exit::Denied,
        ToolStatus::Error | ToolStatus::TimedOut | ToolStatus::Cancelled => Exit::Internal,
    })
}

/// Whether a person may call it by hand.
fn can_be_called(plugin: &Plugin) -> Result<(), Error> {
    let name = &plugin.name;
    match plugin.state {
        _ if plugin.is_channel() => Err(Error::usage(format!("{name} is a channel, not a tool"))
            .hint(format!("receive its messages: tau channel run {name}"))),
        State::Ready => Ok(()),
        State::Unapproved | State::Refused(_) => Err(Error::new(Exit::Denied, plugin.why_not())),
    }
}

/// Prints what the gate lets through of what the tool gave back.
fn show(ui: Ui, args: &Call, gate: &Gate, output: ToolOutput, duration_ms: u64) {
    let source = Source::Tool {
        name: args.name.clone(),
    };
    let (text, note, findings) = vetted(gate, output.text, &source);
    if !findings.is_empty() {
        ui.warn(screened_line(&source, &findings));
    }
    if args.json {
        ui.json(&json!({
            "tool": args.name, "status": output.status, "text": text, "note": note,
            "images": output.images, "duration_ms": duration_ms, "findings": findings,
        }));
    } else {
        if let Some(note) = note {
            ui.note(note);
        }
        ui.out(&text);
        if !text.ends_with('\n') {
            ui.out("\n");
        }
        ui.note(format!("{} {duration_ms} ms", args.name));
    }
}

/// A text before which no note is put.
struct Plain(String);

impl Content for Plain {
    const TAKES_NOTES: bool = false;

    fn visit_text(&mut self, visit: &mut Visit<'_>) {
        self.0.visit_text(visit);
    }
}

/// What the gate lets through of `text`, and apart from it the note that a model would read before
/// it: programs read on, and a note would break what they read.
fn vetted(gate: &Gate, text: String, source: &Source) -> (String, Option<String>, Vec<Screened>) {
    let (plain, _) = gate.vet(Untrusted::new(Plain(text.clone()), source.clone()));
    let (noted, findings) = gate.vet(Untrusted::new(text, source.clone()));
    let text = plain.into_inner().0;
    let note = noted.strip_suffix(text.as_str()).map(str::trim_end);
    let note = note.filter(|note| !note.is_empty()).map(str::to_owned);
    (text, note, findings)
}

/// What the dispatcher says of a call that has no session: nothing was read, and nothing approved
/// but by the policy.
fn decide(call: &ToolCall, specs: &[ToolSpec], policy: &Policy, recent: &Window) -> Verdict {
    let seen = Seen::default();
    let standing = Standing {
        policy,
        approved: &[],
        denied: &[],
        seen: &seen,
        recent,
        now: TokioClock.now(),
    };
    dispatch::dispatch(call, specs.iter(), &standing)
}

/// Runs a call that was let through: the memory's own tools here, all others in the workspace.
async fn perform(
    tools: &Counted<HomeTools>,
    run: ToolRun,
    workspace: &Path,
    home: &Home,
    gate: &Gate,
    ui: Ui,
) -> Result<ToolOutput, Error> {
    if !NAMES.contains(&run.name.as_str()) {
        return Ok(tools.run(EffectId(0), run).await);
    }
    if let Some(held) = tools.hold(&run.rates).await {
        return Ok(held);
    }
    let access = crate::memory::access(workspace, 0);
    let caller = memory::Caller {
        session: None,
        labels: Labels::NONE,
        access: &access,
    };
    let asked = memory::action(&run.name, &run.arguments, &caller)
        .and_then(|action| Ok(action.through(gate)?));
    let done = match asked {
        Ok(action) => {
            let embedder = HomeEmbedder::of_command(home, ui, Fetching::Never)?;
            let service = crate::memory::service(&home.store()?, embedder);
            service.serve(Request { access, action }).await
        }
        Err(failure) => Err(failure),
    };
    Ok(match done {
        Ok(reply) => ToolOutput::ok(memory::tell(&run.name, &run.arguments, &reply).0),
        Err(failure) => ToolOutput::error(failure.to_string()),
    })
}

fn refused(ui: Ui, args: &Call, refusal: &Refusal, exit: Exit) -> Exit {
    let error = Error {
        exit,
        message: format!("{} was not run: {}", args.name, refusal.reason),
        cause: Some(format!("rule: {}", refusal.rule)),
        hint: refusal.hint.clone(),
    };
    if args.json {
        let status = if exit == Exit::Denied {
            ToolStatus::Denied
        } else {
            ToolStatus::Error
        };
        ui.json(&json!({
            "tool": args.name, "status": status, "text": refusal.to_result_text(),
            "duration_ms": 0, "refusal": refusal, "error": error.to_json(),
        }));
    }
    ui.error(&error);
    exit
}

fn arguments(text: &str) -> Result<Value, Error> {
    let mut piped = String::new();
    let text = if text == "-" {
        let read = std::io::stdin().lock().read_to_string(&mut piped);
        read.map_err(|error| Error::usage("stdin cannot be read as text").cause(error))?;
        &piped
    } else {
        text
    };
    serde_json::from_str(text).map_err(|error| {
        Error::usage("the arguments are not JSON")
            .cause(error)
            .hint("write an object in quotes: '{\"path\": \"README.md\"}'")
    })
}
