//! What a page can ask: the calls that `www/tau.js` lists, each answered here.

use serde_json::{Value, json};
use std::rc::Rc;
use tau_core::{
    ids::{CallId, EntryId, SessionId},
    json::{self, FromJson},
    message::Image,
    policy::Extent,
    session::{Command, MergeHow},
};
use tau_platform::{Host, HostTools, open};
use tau_target_indexeddb::estimate;
use wasm_bindgen_futures::spawn_local;

use crate::{State, bundle, error::Refused, grants, identity, memory};
#[cfg(feature = "agents")]
use crate::{messages, trade};

#[derive(FromJson)]
struct OfSession {
    session: SessionId,
}

#[derive(FromJson)]
struct Prompt {
    session: SessionId,
    text: String,
    #[serde(default)]
    images: Vec<Image>,
}

#[derive(FromJson)]
struct Approve {
    session: SessionId,
    call_id: CallId,
    #[serde(default)]
    extent: Extent,
    /// Of what was shown: the yes is for nothing else.
    digest: Option<String>,
}

#[derive(FromJson)]
struct Deny {
    session: SessionId,
    call_id: CallId,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(FromJson)]
struct Switch {
    session: SessionId,
    #[serde(default)]
    to: Option<EntryId>,
    /// Of a branch or a bookmark, instead.
    #[serde(default)]
    name: Option<String>,
}

#[derive(FromJson)]
struct Branch {
    session: SessionId,
    name: String,
    #[serde(default)]
    at: Option<EntryId>,
}

#[derive(FromJson)]
struct Merge {
    session: SessionId,
    from: EntryId,
    #[serde(default)]
    how: MergeHow,
}

#[derive(FromJson)]
struct Id {
    id: String,
}

#[derive(FromJson)]
struct Text {
    text: String,
}

#[derive(FromJson)]
struct Log {
    log: String,
}

#[derive(FromJson)]
struct Verify {
    text: String,
    signature: String,
    #[serde(default)]
    did: Option<String>,
}

#[derive(FromJson)]
struct Key {
    key: String,
}

#[derive(FromJson)]
struct Rule {
    rule: String,
}

#[derive(FromJson)]
struct Url {
    url: String,
}

/// Answers the call `name` with `arguments`, JSON text.
pub(crate) async fn answer(
    state: &Rc<State>,
    name: &str,
    arguments: &str,
) -> Result<Value, Refused> {
    if let Some((session, command)) = command(name, arguments)? {
        state.submit(&session, command).await?;
        return Ok(Value::Null);
    }
    match name {
        "status" => status(state).await,
        "settings.get" => Ok(state.settings.borrow().show()),
        "settings.set" => {
            let shown = state.change_settings(&read(name, arguments)?).await?;
            state.settings_changed();
            Ok(shown)
        }
        "key.set" => {
            state.set_key(&read::<Key>(name, arguments)?.key).await?;
            state.settings_changed();
            Ok(Value::Null)
        }
        "key.forget" => state.forget_key().await.map(|()| Value::Null),
        "sessions.list" => Ok(json!(open::list(state.storage()).await?)),
        "sessions.create" => state.create_session().await,
        "sessions.open" => {
            let args: OfSession = read(name, arguments)?;
            state.open_session(args.session).await
        }
        "sessions.close" => {
            let args: OfSession = read(name, arguments)?;
            state.close_session(&args.session).await;
            Ok(Value::Null)
        }
        "sessions.delete" => {
            let args: OfSession = read(name, arguments)?;
            state
                .delete_session(args.session)
                .await
                .map(|()| Value::Null)
        }
        "sessions.export" => {
            let args: OfSession = read(name, arguments)?;
            let stored = open::load(state.storage(), &args.session).await?;
            Ok(String::from_utf8_lossy(&stored.export()).into())
        }
        "bundle.export" => bundle::export(state, read(name, arguments)?).await,
        "bundle.import" => {
            let done = bundle::import(state, read(name, arguments)?).await?;
            state.settings_changed();
            Ok(done)
        }
        "memory.list" => memory::list(state, read(name, arguments)?).await,
        "memory.add" => memory::add(state, read(name, arguments)?).await,
        "memory.remove" => memory::remove(state, &read::<Id>(name, arguments)?.id).await,
        "memory.restore" => memory::restore(state, &read::<Id>(name, arguments)?.id).await,
        "grants.list" => grants::list(state).await,
        "grants.revoke" => grants::revoke(state, &read::<Rule>(name, arguments)?.rule).await,
        "identity" => identity::show(state).await,
        "identity.log" => identity::log(state),
        "identity.learn" => identity::learn(state, &read::<Log>(name, arguments)?.log).await,
        "identity.sign" => identity::sign(state, &read::<Text>(name, arguments)?.text).await,
        "identity.verify" => {
            let Verify {
                text,
                signature,
                did,
            } = read(name, arguments)?;
            identity::verify(state, &text, &signature, did.as_deref()).await
        }
        "model.status" => Ok(state.model().status()),
        "model.load" => {
            let loaded = state
                .model()
                .load(&read::<Url>(name, arguments)?.url)
                .await?;
            // A turn may rest that waits for this model.
            state.settings_changed();
            Ok(loaded)
        }
        "embedder.status" => Ok(state.model().embedder_status()),
        "embedder.load" => {
            let Url { url } = read(name, arguments)?;
            let loaded = state.model().load_embedder(&url).await?;
            let behind = Rc::clone(state);
            spawn_local(async move { memory::catch_up(&behind).await });
            Ok(loaded)
        }
        "model.unload" => {
            state.model().unload();
            Ok(Value::Null)
        }
        _ => deal(state, name, arguments).await,
    }
}

/// The calls that deal with other agents.
#[cfg(feature = "agents")]
async fn deal(state: &Rc<State>, name: &str, arguments: &str) -> Result<Value, Refused> {
    match name.split('.').next() {
        Some("message") => messages::answer(state, name, arguments).await,
        Some("trust") => trade::answer_trust(state, name, arguments).await,
        Some("escrow") => trade::answer_escrow(state, name, arguments).await,
        _ => Err(no_such_call(name)),
    }
}

/// Says what they would take.
#[cfg(not(feature = "agents"))]
async fn deal(_: &Rc<State>, name: &str, _: &str) -> Result<Value, Refused> {
    match name.split('.').next() {
        Some("message" | "trust" | "escrow") => {
            let why = format!("{name}: this agent was opened without dealing with others");
            Err(Refused::new("not_opened", why).hint("open it with `agents`"))
        }
        _ => Err(no_such_call(name)),
    }
}

/// The calls that are commands to a session.
fn command(name: &str, arguments: &str) -> Result<Option<(SessionId, Command)>, Refused> {
    let plain = |command| {
        let args: OfSession = read(name, arguments)?;
        Ok(Some((args.session, command)))
    };
    match name {
        "prompt" => {
            let Prompt {
                session,
                text,
                images,
            } = read(name, arguments)?;
            Ok(Some((session, Command::Prompt { text, images })))
        }
        "approve" => {
            let Approve {
                session,
                call_id,
                extent,
                digest,
            } = read(name, arguments)?;
            Ok(Some((
                session,
                Command::Approve {
                    call_id,
                    extent,
                    digest,
                },
            )))
        }
        "deny" => {
            let Deny {
                session,
                call_id,
                reason,
            } = read(name, arguments)?;
            let absent = false;
            Ok(Some((
                session,
                Command::Deny {
                    call_id,
                    reason,
                    absent,
                },
            )))
        }
        "switch" => {
            let Switch {
                session,
                to,
                name: branch,
            } = read(name, arguments)?;
            match (to, branch) {
                (Some(to), None) => Ok(Some((session, Command::Switch { to }))),
                (None, Some(name)) => Ok(Some((session, Command::SwitchTo { name }))),
                _ => Err(Refused::bad_request("switch takes either to or name")),
            }
        }
        "branch" => {
            let Branch {
                session,
                name: branch,
                at,
            } = read(name, arguments)?;
            Ok(Some((session, Command::Branch { name: branch, at })))
        }
        "merge" => {
            let Merge { session, from, how } = read(name, arguments)?;
            Ok(Some((session, Command::Merge { from, how })))
        }
        "interrupt" => plain(Command::Interrupt),
        "undo" => plain(Command::Undo),
        "redo" => plain(Command::Redo),
        "compact" => plain(Command::Compact),
        _ => Ok(None),
    }
}

async fn status(state: &State) -> Result<Value, Refused> {
    let room = estimate().await;
    let persisted = state.browser.persisted().await;
    let loaded = state.model().loaded();
    let model = state.settings.borrow().model_name(loaded.as_deref());
    // Without a model there is no configuration yet; one that is set later has these.
    let config = state.config().ok();
    let (memory, undoes) = match &config {
        Some(config) => (config.memory.clone(), config.undo_tool),
        None => {
            let uses = state.settings.borrow().uses_memory();
            (uses.then(|| memory::access(false)), true)
        }
    };
    let of_home = match config {
        Some(config) => config.tools,
        None => state.host.tools().specs(),
    };
    let remembering = memory.as_ref().map(tau_core::memory::tool_specs);
    let undoing = undoes.then(tau_core::session::undo_spec);
    let all = of_home.into_iter().chain(remembering.into_iter().flatten());
    let tools: Vec<String> = all.chain(undoing).map(|tool| tool.name).collect();
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "home": "browser",
        "storage": {
            "used": room.map(|room| room.used_bytes),
            "quota": room.map(|room| room.quota_bytes),
            "persisted": persisted.is_ok_and(|persisted| persisted.is_truthy()),
        },
        "model": model,
        "tools": tools,
        "online": state.browser.online(),
        "has_key": state.has_key(),
        "key_needed": state.misses_key(),
        "page": state.offers_page,
    }))
}

/// What a call that is none is told.
pub(crate) fn no_such_call(name: &str) -> Refused {
    Refused::bad_request(format!("there is no call {name:?}"))
}

/// Reads what a call was given.
pub(crate) fn read<T: FromJson>(name: &str, arguments: &str) -> Result<T, Refused> {
    json::from_str(arguments).map_err(|error| Refused::bad_request(format!("{name}: {error}")))
}
