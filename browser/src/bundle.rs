//! The page's agent as one file: saved, and taken over from another home.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tau_core::{
    bundle::{Kind, Limits},
    ids::SessionId,
    json::FromJson,
    memory::Scope,
    safety::Gate,
};
use tau_kamn::{AgentDid, bytes::hex};
use tau_platform::{
    Host, Signer,
    bundle::{self, Author, ImportError, MakeError, ReadError, Seal, Wanted, Wish},
    open, peers,
    transfer::Mode,
};
use tau_target_web::WebEntropy;

use crate::{State, error::Refused, identity::signer};

/// Bytes of a bundle: all of it lies in the page's memory, more than once.
const LIMIT_BYTES: u64 = 64 << 20;

/// What is asked of [`export`].
#[derive(FromJson)]
pub(crate) struct Export {
    /// One session alone; without it all, and what is remembered.
    #[serde(default)]
    session: Option<SessionId>,
    /// Sealed for this agent, whose log is known here.
    #[serde(default)]
    encrypt_to: Option<String>,
}

/// What is asked of [`import`].
#[derive(FromJson)]
pub(crate) struct Import {
    /// The file.
    base64: String,
    /// Nobody but the person wrote any of it.
    #[serde(default)]
    own: bool,
}

/// The agent, or one session of it, as a file.
pub(crate) async fn export(state: &State, asked: Export) -> Result<Value, Refused> {
    let signer = signer(state)?;
    let storage = state.storage();
    let wanted = match asked.session {
        Some(session) => Wanted {
            sessions: vec![session],
            scopes: vec![Scope::User],
        },
        None => Wanted {
            sessions: open::list(storage)
                .await?
                .into_iter()
                .map(|line| line.session)
                .collect(),
            scopes: bundle::scopes(storage).await?,
        },
    };
    let failed = |why: String| Refused::new("not_exported", why);
    let parts = bundle::parts(storage, &wanted, |_, _| {}).await;
    let mut parts = parts.map_err(|error| failed(error.to_string()))?;
    let policy = state.settings.borrow().policy();
    let policy = bundle::policy_part(&policy);
    parts.push(policy.map_err(|error| failed(error.to_string()))?);
    let seal = seal(state, asked.encrypt_to.as_deref()).await?;
    let made = bundle::make(signer, parts, None, seal, &WebEntropy, state.now()).await;
    let made = made.map_err(|error| match error {
        MakeError::Signer(error) => crate::keys::of_signer(error),
        error => failed(error.to_string()),
    })?;
    let parts = made.manifest.parts().iter();
    Ok(json!({
        "base64": STANDARD.encode(&made.bytes),
        "id": hex(made.manifest.id()),
        "did": made.manifest.did(),
        "parts": parts.map(|part| part.name.to_string()).collect::<Vec<_>>(),
    }))
}

async fn seal(state: &State, to: Option<&str>) -> Result<Seal, Refused> {
    let Some(to) = to.map(str::trim).filter(|to| !to.is_empty()) else {
        return Ok(Seal::Open);
    };
    let did = AgentDid::parse_any(to).map_err(crate::keys::refuse)?;
    let own = signer(state)?.log();
    if *own.unchecked_state().did() == did {
        return Ok(Seal::Agents(vec![own.clone()]));
    }
    let known = peers::get(state.storage(), &did).await;
    let known = known.map_err(|error| Refused::new(error.reason_code(), error.to_string()))?;
    let unknown = || {
        Refused::new("unknown_key", format!("nothing is known of {did} here"))
            .hint("let it show the log of its keys")
    };
    Ok(Seal::Agents(vec![known.ok_or_else(unknown)?]))
}

/// Takes over what a file holds.
pub(crate) async fn import(state: &State, asked: Import) -> Result<Value, Refused> {
    let bytes = STANDARD
        .decode(asked.base64.trim())
        .map_err(|error| Refused::bad_request(format!("the file is not base64: {error}")))?;
    let limits = Limits {
        part_bytes: LIMIT_BYTES,
        all_bytes: LIMIT_BYTES,
    };
    let signer = state.host.signer();
    let mut pieces = Some(bytes);
    let next = || Ok(pieces.take().unwrap_or_default());
    let derive = |_: &_| Err(ReadError::Passphrase);
    let read = bundle::read(next, signer, derive, limits, |_| true, |_, _| {}).await;
    let whole = read.map_err(unread)?;
    let now = state.now();
    let own = signer.map(Signer::log);
    let author = bundle::author_of(state.storage(), &whole.manifest, own, now, false).await;
    let author = author.map_err(refused)?;
    let manifest = whole.manifest.clone();
    // Nobody here writes to what is taken over.
    for part in manifest.parts() {
        if *part.name.kind() == Kind::Session {
            state
                .close_session(&SessionId(part.name.slug().into()))
                .await;
        }
    }
    let policy = state.settings.borrow().policy();
    let gate = Gate::new(&policy);
    let mut seed = [0; 32];
    state.fill(&mut seed)?;
    let wish = Wish {
        mode: Mode::Merge,
        own: asked.own || author == Author::Own,
        now,
        seed,
        gate: &gate,
    };
    let planned = bundle::plan(state.storage(), whole, &policy, &wish).await;
    let planned = planned.map_err(refused)?;
    let kept = state
        .host
        .memory()
        .keep_all(&planned.memories, planned.batch, false)
        .await?;
    let learnt = bundle::learn_signers(state.storage(), &planned.logs).await;
    learnt.map_err(refused)?;
    let stricter = planned.policy.map(|tightened| tightened.policy.preset);
    if let Some(preset) = stricter.filter(|preset| *preset > policy.preset) {
        state
            .change_settings(&json!({ "policy": preset.name() }))
            .await?;
    }
    let report = planned.report;
    let sessions = report.sessions.sessions.iter().map(|session| {
        json!({
            "session": session.session,
            "outcome": session.outcome.name(),
            "added": session.added,
        })
    });
    let left = manifest.parts().iter().map(|part| &part.name);
    let left = left.filter(|name| matches!(name.kind(), Kind::Tool | Kind::Module | Kind::File));
    Ok(json!({
        "id": hex(manifest.id()),
        "did": manifest.did(),
        "author": author.name(),
        "sessions": sessions.collect::<Vec<_>>(),
        "receipts": report.receipts.added,
        "memories": { "new": kept.new, "same": kept.same, "forgotten": kept.forgotten, "refused": report.refused_count },
        "unknown": report.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "left_behind": left.map(ToString::to_string).collect::<Vec<_>>(),
    }))
}

fn unread(error: ReadError) -> Refused {
    let told = Refused::new(error.reason_code(), error.to_string());
    told.hint(match error {
        ReadError::Passphrase => "open it with the program tau, and save it open or for this agent",
        _ => "nothing of it was used",
    })
}

fn refused(error: ImportError) -> Refused {
    match error {
        ImportError::Store(error) => error.into(),
        error => Refused::new(error.reason_code(), error.to_string()).hint("nothing was imported"),
    }
}
