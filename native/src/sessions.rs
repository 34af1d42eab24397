//! Setting up: from flags and profile to a session that is open for writing.

use std::{
    collections::BTreeSet,
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};
use tau_core::{
    context::system_prompt,
    credential, identity_files,
    ids::SessionId,
    journal,
    memory::{Access, NAMES},
    model::{Api, Pricing},
    policy::Policy,
    safety::{Gate, Source, Untrusted},
    session::{Budgets, Config, Range, Session, undo_spec},
    tool::{ToolSpec, dispatch},
    wire,
};
use tau_platform::{Clock, Entropy, HostTools, Storage, open};
use tau_target_native::{SystemEntropy, TokioClock};

use crate::{
    cli::{AgentFlags, LimitFlags, ModelFlags, PolicyFlags, Which},
    config::{self, Choice, Profile},
    conversation::Conversation,
    credentials::Vault,
    embedded,
    embedding::{Fetching, HomeEmbedder},
    exit::{Error, Exit},
    home::Home,
    host::{self, NativeHost},
    identity,
    identity_files::IdentityFiles,
    memory,
    plugins::State,
    questions::Answers,
    signals::Signals,
    store::{Hold, Store},
    ui::{self, Ui},
};

/// Bytes of a file that goes into the system prompt.
const SYSTEM_FILE_BYTES: usize = 64 * 1024;

/// Opens the session that `flags` ask for, with everything it needs, and says which model it uses
/// and why. `program` is what other processes are told about who has the session.
pub(crate) async fn begin(
    flags: &AgentFlags,
    home: &Home,
    ui: Ui,
    program: &str,
) -> Result<Conversation, Error> {
    let profile = config::load(&home.config_file())?;
    let vault = Vault::open(home, ui)?;
    let mut policy = policy(&flags.policy, &profile);
    let tools = host::tools(flags.workspace.as_deref(), home, &profile, &vault)?;
    for plugin in tools.plugins().all() {
        if plugin.state != State::Ready {
            ui.note(ui::plain(&plugin.why_not()));
        }
    }
    // With the workspace and Tau's own folder in it.
    policy.paths = tools.paths().clone();
    let budgets = budgets(&flags.limits, &profile)?;
    let http = host::http(&vault);
    let choice = choose_model(&flags.model, &profile, home, &http, ui).await?;
    know_keys(&vault, &choice)?;
    vault.watch(profile.store.password_env.as_deref().into_iter());
    warn_about_cost(&budgets, &choice, ui)?;

    let is_embedded = choice
        .models
        .first()
        .is_some_and(|model| model.api == Api::Embedded);
    let mut specs = tools.specs();
    let mut system = match is_embedded {
        true => {
            specs.retain(|spec| embedded::TOOLS.contains(&spec.name.as_str()));
            embedded::system_prompt()
        }
        false => system_prompt(&place(tools.workspace(), &policy)),
    };
    for file in &flags.system {
        system += &system_file(file)?;
    }
    let budget = identity_files::budget_tokens(&choice.models);
    let identity = IdentityFiles::find(&tools, home).used(budget, &vault);
    identity.tell(ui);
    let config = Config {
        models: choice.models,
        system,
        identity: identity.sections,
        tools: specs,
        policy,
        budgets,
        retry: profile.retry,
        // A model this small invents when it summarises.
        compaction: profile.compaction && !is_embedded,
        // A model this small takes back what it should not.
        undo_tool: !is_embedded,
        memory: profile.memory.enabled.then(|| {
            let access = memory::access(tools.workspace(), profile.memory.recall_tokens);
            match is_embedded {
                // A model this small is lost among many arguments.
                true => Access {
                    manages: false,
                    ..access
                },
                false => access,
            }
        }),
    };
    let answers = answers(&flags.policy, &tools.specs())?;
    let storage = home.store()?;
    let (session, seed, lock) = open_session(&flags.which, config, &storage, home, program).await?;
    let embedder = HomeEmbedder::new(&profile, home, &vault, Fetching::Never, ui);
    let signer = identity::signer(home, &storage, ui).await;
    Ok(Conversation {
        host: NativeHost::new(home, http, storage, tools, embedder, signer),
        session,
        signals: Signals::listen()?,
        answers,
        ui,
        seed,
        _lock: lock,
    })
}

/// Has the models' keys kept out of what comes back; says at once what would fail with every call.
fn know_keys(vault: &Vault, choice: &Choice) -> Result<(), Error> {
    let secrets = choice.models.iter().filter_map(|m| m.secret.as_deref());
    vault.watch(secrets);
    for model in &choice.models {
        let stored = model.secret.as_deref();
        if let Some(secret) = stored.filter(|secret| secret.starts_with(credential::SCHEME)) {
            vault.check(secret, wire::credential_header(model.api), &model.base_url)?;
        }
    }
    Ok(())
}

/// The folder in words. A name that gives orders is not repeated: whoever packed a folder named it.
fn place(workspace: &Path, policy: &Policy) -> String {
    let name = workspace.display().to_string();
    let source = Source::Tool {
        name: "workspace".into(),
    };
    let (name, found) = Gate::new(policy).vet(Untrusted::new(name, source));
    match found.is_empty() {
        true => format!("the folder {}", name.into_inner()),
        false => "a folder".into(),
    }
}

async fn open_session(
    which: &Which,
    mut config: Config,
    storage: &Store,
    home: &Home,
    program: &str,
) -> Result<(Session, Option<[u8; 32]>, Hold), Error> {
    let now = TokioClock.now();
    let grants = open::grants(storage).await?;
    let rules = grants.into_iter().map(|grant| grant.rule);
    config.policy.approved.extend(rules);
    let existing = match (&which.session, which.latest) {
        (Some(name), _) => Some(find(storage, name).await?),
        (None, true) => Some(latest(storage).await?),
        (None, false) => None,
    };
    if let Some(id) = existing {
        // Before it is read: what another process writes meanwhile would be missing.
        let lock = storage.hold(home, &id, program, now).await?;
        let mut session = open::open(storage, &id).await?;
        session.configure(config, now);
        return Ok((session, None, lock));
    }
    let seed = seed()?;
    let session = Session::new(config, seed, now);
    let lock = storage.hold(home, session.id(), program, now).await?;
    Ok((session, Some(seed), lock))
}

/// Thirty-two bytes nobody can guess.
pub(crate) fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    let filled = SystemEntropy.fill(&mut seed);
    filled.map_err(|error| Error::internal(error.to_string()))?;
    Ok(seed)
}

/// The session whose name begins with `name`.
pub(crate) async fn find(storage: &Store, name: &str) -> Result<SessionId, Error> {
    let unknown = || {
        Error::usage(format!("there is no session {name:?}")).hint("`tau session list` names them")
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let name = name.to_ascii_lowercase();
    let rows = storage
        .scan(Range::prefix(&format!("sessions/{name}"), 2))
        .await?;
    let mut ids = rows
        .iter()
        .filter_map(|(key, _)| key.strip_prefix("sessions/"));
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(SessionId(id.into())),
        (Some(a), Some(b)) => {
            Err(Error::usage(format!("{name:?} may be {a} or {b}")).hint("write more of its name"))
        }
        (None, _) => {
            // The list is kept beside the journals: a session may be missing from it alone.
            let id = SessionId(name.clone());
            match storage.get(journal::key(&id, 0)).await? {
                Some(_) => Ok(id),
                None => Err(unknown()),
            }
        }
    }
}

/// The session that was last written.
pub(crate) async fn latest(storage: &Store) -> Result<SessionId, Error> {
    let all = open::list(storage).await?;
    all.into_iter()
        .next()
        .map(|summary| summary.session)
        .ok_or_else(|| {
            Error::usage("there is no session yet").hint("begin one: tau \"hello\", or tau chat")
        })
}

/// The policy of this run: the profile's explicit values stay, whatever preset a flag names.
pub(crate) fn policy(flags: &PolicyFlags, profile: &Profile) -> Policy {
    let mut policy = profile.policy.clone();
    policy.preset = flags.policy.unwrap_or(policy.preset);
    policy
}

fn budgets(flags: &LimitFlags, profile: &Profile) -> Result<Budgets, Error> {
    let of_profile = profile.budgets.budgets()?;
    Ok(Budgets {
        steps: flags.max_steps.unwrap_or(of_profile.steps),
        tokens: flags.max_tokens.or(of_profile.tokens),
        cost_nano_usd: flags.max_cost.or(of_profile.cost_nano_usd),
        deadline_ms: flags.deadline.or(of_profile.deadline_ms),
    })
}

/// A limit on money that counts nothing must not look like one.
fn warn_about_cost(budgets: &Budgets, choice: &Choice, ui: Ui) -> Result<(), Error> {
    if budgets.cost_nano_usd.is_none() {
        return Ok(());
    }
    for model in &choice.models {
        if model.api == Api::Embedded || model.pricing != Pricing::default() {
            continue;
        }
        let name = &model.name;
        if !is_local(&model.base_url) {
            return Err(
                Error::config(format!("a limit on cost needs the price of {name}"))
                    .hint("set provider.pricing in the profile, or limit tokens: --max-tokens N"),
            );
        }
        ui.warn(format!(
            "no price is set for {name}: the limit on cost counts nothing"
        ));
    }
    Ok(())
}

fn is_local(base_url: &str) -> bool {
    let host = base_url
        .split_once("://")
        .map_or(base_url, |(_, rest)| rest);
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local))
}

/// The first place in the order that has a model, and says so.
pub(crate) async fn choose_model(
    flags: &ModelFlags,
    profile: &Profile,
    home: &Home,
    http: &tau_target_native::ReqwestHttp,
    ui: Ui,
) -> Result<Choice, Error> {
    let env = |name: &str| std::env::var(name).ok();
    let choice = match config::choose(flags, profile, &env)? {
        Some(choice) => choice,
        None => on_this_machine(flags, http).await?,
    };
    let Some(first) = choice.models.first().cloned() else {
        return Err(Error::internal("no model was chosen"));
    };
    let place = match first.api {
        Api::Embedded => String::new(),
        Api::OpenAi | Api::Anthropic => format!(" at {}", first.base_url),
    };
    ui.note(format!("model: {}{place} ({})", first.name, choice.why));
    if first.api == Api::Embedded {
        ui.note(embedded::LIMITS);
        embedded::ready(home, ui).await?;
    }
    Ok(choice)
}

async fn on_this_machine(
    flags: &ModelFlags,
    http: &tau_target_native::ReqwestHttp,
) -> Result<Choice, Error> {
    let servers = config::local_servers(http).await;
    for server in &servers {
        if let Some(model) = server.model(flags.model.as_deref()) {
            let why = format!(
                "found on this machine, where {} usually listens",
                server.name
            );
            return Ok(Choice::one(model, why));
        }
    }
    if let Some(name) = &flags.model {
        let offered = servers.iter().flat_map(|server| &server.models);
        let offered: Vec<&str> = offered.map(|model| model.name.as_str()).collect();
        let error = Error::new(
            Exit::Config,
            format!("no provider is set for model {name:?}"),
        );
        return Err(error.hint(if offered.is_empty() {
            "add --base-url URL, set [provider] in the profile, or export a provider's key".into()
        } else {
            format!("the servers of this machine have {}", offered.join(", "))
        }));
    }
    Ok(Choice {
        models: vec![Arc::new(config::embedded())],
        why: "no provider is set, no key is in the environment, no server is on this machine"
            .into(),
    })
}

fn answers(flags: &PolicyFlags, tools: &[ToolSpec]) -> Result<Answers, Error> {
    let undo = undo_spec();
    let known = tools.iter().map(tool_name).chain(NAMES);
    let known: Vec<&str> = known.chain([tool_name(&undo)]).collect();
    for name in &flags.approve {
        if !known.contains(&name.as_str()) {
            let error = Error::usage(format!("--approve {name}: there is no such tool"));
            return Err(
                error.hint(match dispatch::nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("the tools are {}", known.join(", ")),
                }),
            );
        }
    }
    Ok(Answers {
        yes: flags.yes,
        tools: flags.approve.iter().cloned().collect::<BTreeSet<_>>(),
        can_ask: ui::can_ask() && std::io::stdin().is_terminal(),
    })
}

fn tool_name(tool: &ToolSpec) -> &str {
    &tool.name
}

fn system_file(file: &PathBuf) -> Result<String, Error> {
    let name = file.display();
    let bytes = fs::read(file)
        .map_err(|error| Error::usage(format!("--system {name} cannot be read")).cause(error))?;
    if bytes.len() > SYSTEM_FILE_BYTES {
        return Err(
            Error::usage(format!("--system {name} has {} bytes", bytes.len()))
                .hint("at most 64 KiB go into the system prompt: ask to read the file instead"),
        );
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::usage(format!("--system {name} is not UTF-8 text")))?;
    let title = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("\n\n# {title}\n{}", text.trim()))
}
