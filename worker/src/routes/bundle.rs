//! `GET …/bundle` and `POST /v1/bundles`: a session with its receipts, the policy it runs under and
//! what its principal's sessions remember, as one signed file.
//!
//! The principal's directory verifies what comes in, to the last byte, before any session is told of
//! it; each session takes over its part in one commit, and so does memory. What fails in between is
//! finished by sending the same again. The Worker's agent is one for all principals, so its signature
//! does not make the words of one principal those of another: whatever comes in is labelled as words
//! of others, unless `?own=true` says that nobody else wrote any of it.

use std::rc::Rc;
use tau_core::{
    bundle::{Kind, Limits, Part, PartName, is_sealed_for_agents},
    ids::SessionId,
    journal::Summary,
    json::{self, FromJson, ToJson, Value, object_of},
    memory::{Action, Answer, Request, request::Narrow},
    policy::Policy,
    safety::Gate,
    session::{Batch, Budgets},
};
use tau_platform::{
    Clock, Entropy, Host, MemoryTools, TreeSigner,
    bundle::{self, ImportError, ReadError, Report, Seal, Wanted, Wish},
    open,
    transfer::{Mode, Outcome},
};
use tau_target_durable::DurableStorage;
use tau_target_web::{WebClock, WebEntropy};
use worker::Response;

use crate::{
    config::{Settings, Setup, Terms, memory_access},
    directory::{Memory, put_line},
    errors::ApiError,
    host::WorkerHost,
    identity,
    object::Home,
    wire::{Incoming, call, object, told},
};

/// The path of what comes in.
pub(crate) const PATH: &str = "/v1/bundles";
/// The path at which a session is told its part; no path of the outside.
pub(crate) const INSIDE: &str = "/take-over";
/// Bytes of a bundle that are taken: it lies in memory more than once while it is.
pub(crate) const LIMIT_BYTES: usize = 12 << 20;

/// What a session takes over.
#[derive(FromJson, ToJson)]
struct Share {
    /// For an object that has no session yet.
    setup: Setup,
    /// Its section.
    session: String,
    /// Its receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipts: Option<String>,
    /// Whether nobody else wrote any of it.
    own: bool,
}

/// What a session says it did.
#[derive(FromJson, ToJson)]
struct Taken {
    outcome: String,
    added: u64,
    receipts: u64,
    line: Summary,
}

/// The bundle of a session.
pub(crate) async fn export(home: &Rc<Home>, id: &SessionId) -> Result<Response, ApiError> {
    let setup = home.setup().await?;
    let storage = home.store()?;
    let wanted = Wanted {
        sessions: [id.clone()].into(),
        ..Wanted::default()
    };
    let parts = bundle::parts(&storage, &wanted, |_, _| {}).await;
    let mut parts = parts.map_err(|error| match error {
        bundle::ExportError::Open(error) => error.into(),
        error => ApiError::new(500, "not_exported", error.to_string()),
    })?;
    let failed = |error: tau_core::bundle::BundleError| {
        ApiError::new(500, "not_exported", error.to_string())
    };
    parts.push(bundle::policy_part(&setup.terms.policy).map_err(failed)?);
    let host: WorkerHost = home.host(&setup)?;
    let access = memory_access();
    for scope in access.scopes() {
        let all = Request {
            access: memory_access(),
            action: Action::List {
                narrow: Narrow {
                    scope: Some(scope.to_string()),
                    ..Narrow::default()
                },
                limit: None,
                forgotten: false,
            },
        };
        if let Answer::Entries { entries } = host.memory().serve(all).await?.answer {
            let entries = entries.into_iter().map(|kept| kept.entry);
            parts.extend(bundle::memory_part(scope, entries).map_err(failed)?);
        }
    }
    let signer = identity::signer(&home.settings).await?;
    let made = bundle::make(
        &signer,
        parts,
        None,
        Seal::Open,
        &WebEntropy,
        WebClock.now(),
    )
    .await;
    let made = made.map_err(|error| ApiError::new(500, "not_exported", error.to_string()))?;
    let response = Response::from_bytes(made.bytes)?;
    let headers = response.headers();
    headers.set("content-type", "application/octet-stream")?;
    headers.set("cache-control", "no-store")?;
    Ok(response)
}

/// In the directory: takes over what came in, for its principal.
pub(crate) async fn import(
    settings: &Settings,
    store: &DurableStorage,
    memory: &Memory,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let principal = incoming.principal.clone();
    let principal = principal.ok_or_else(ApiError::no_session)?;
    let own = incoming.query.as_deref() == Some("own=true");
    let body = incoming.body();
    let signer = match is_sealed_for_agents(body) {
        true => Some(identity::signer(settings).await?),
        false => None,
    };
    let whole = whole(body, signer.as_ref()).await.map_err(unread)?;
    let log = identity::public_log(settings).await?;
    let now = WebClock.now();
    let manifest = whole.manifest.clone();
    let author = bundle::author_of(store, &manifest, Some(&log), now, false).await;
    let author = author.map_err(refused)?;
    let policy = settings.policy()?;
    let gate = Gate::new(&policy);
    let wish = wish(own, &gate)?;
    let (shares, rest): (Vec<Part>, Vec<Part>) = whole
        .parts
        .into_iter()
        .partition(|part| matches!(part.name.kind(), Kind::Session | Kind::Receipts));
    // Only what memory keeps and the policy: sessions are planned where they are.
    let planned = bundle::plan_parts(store, rest, &policy, &wish).await;
    let planned = planned.map_err(refused)?;
    let policy = planned.policy.map_or(policy, |tightened| tightened.policy);
    let mut sessions: Vec<Value> = Vec::new();
    let shares = shares_of(shares, &principal, &policy, own)?;
    need_places(settings, store, &shares).await?;
    for share in shares {
        let id = share.setup.session.clone();
        let taken = hand_over(settings, &principal, &share).await?;
        put_line(store, &taken.line).await?;
        sessions.push(object_of([
            ("session", id.0.into()),
            ("outcome", taken.outcome.into()),
            ("added", taken.added.into()),
            ("receipts", taken.receipts.into()),
        ]));
    }
    let kept = memory
        .keep_all(&planned.memories, Batch::default(), false)
        .await?;
    let names = |names: &[PartName]| -> Vec<Value> {
        names.iter().map(|name| name.to_string().into()).collect()
    };
    let left = manifest.parts().iter().map(|part| &part.name);
    let left: Vec<PartName> = left
        .filter(|name| matches!(name.kind(), Kind::Tool | Kind::Module | Kind::File))
        .cloned()
        .collect();
    let memories = object_of([
        ("new", kept.new.into()),
        ("same", kept.same.into()),
        ("forgotten", kept.forgotten.into()),
        ("refused", planned.report.refused_count.into()),
    ]);
    Ok(told(&object_of([
        ("id", tau_kamn::bytes::hex(manifest.id()).into()),
        ("did", manifest.did().into()),
        ("author", author.name().into()),
        ("sessions", sessions.into()),
        ("memories", memories),
        ("unknown", names(&planned.report.unknown).into()),
        ("left_behind", names(&left).into()),
    ]))?)
}

/// Refuses more sessions than there may be.
async fn need_places(
    settings: &Settings,
    store: &DurableStorage,
    shares: &[Share],
) -> Result<(), ApiError> {
    let limit = settings.sessions_per_principal()? as usize;
    let listed = open::list(store).await?;
    let is_new = |share: &&Share| {
        let session = &share.setup.session;
        !listed.iter().any(|line| line.session == *session)
    };
    let new = shares.iter().filter(is_new).count();
    if listed.len() + new <= limit {
        return Ok(());
    }
    let message = format!(
        "there are {} sessions already, and {new} more in it",
        listed.len()
    );
    Err(ApiError::new(409, "too_many_sessions", message).hint("DELETE some"))
}

async fn whole(body: &[u8], signer: Option<&TreeSigner>) -> Result<bundle::Whole, ReadError> {
    let limit = LIMIT_BYTES as u64;
    let limits = Limits {
        part_bytes: limit,
        all_bytes: limit,
    };
    let mut pieces = Some(body.to_vec());
    let next = || Ok(pieces.take().unwrap_or_default());
    // Deriving a key takes more memory than there is here.
    let derive = |_: &_| Err(ReadError::Passphrase);
    bundle::read(next, signer, derive, limits, |_| true, |_, _| {}).await
}

fn wish(own: bool, gate: &Gate) -> Result<Wish<'_>, ApiError> {
    Ok(Wish {
        mode: Mode::Merge,
        own,
        now: WebClock.now(),
        seed: seed()?,
        gate,
    })
}

fn seed() -> Result<[u8; 32], ApiError> {
    let mut seed = [0; 32];
    WebEntropy
        .fill(&mut seed)
        .map_err(|error| ApiError::new(500, "runtime_failed", error.to_string()))?;
    Ok(seed)
}

/// What goes to each session's object.
fn shares_of(
    parts: Vec<Part>,
    principal: &str,
    policy: &Policy,
    own: bool,
) -> Result<Vec<Share>, ApiError> {
    let mut shares: Vec<Share> = Vec::new();
    let text = |part: Part| {
        let name = part.name.to_string();
        let why = format!("part {name}: it is no text");
        part.text()
            .ok_or_else(|| ApiError::new(422, "bundle_part_invalid", why))
    };
    for part in parts {
        let slug = part.name.slug().to_owned();
        let is_id = slug.len() == 16
            && slug
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let name = part.name.to_string();
        if !is_id {
            let why = format!("part {name}: no session here can be called so");
            return Err(ApiError::new(422, "bundle_part_invalid", why));
        }
        let session = SessionId(slug);
        if *part.name.kind() == Kind::Session {
            let setup = Setup {
                v: 1,
                session,
                principal: principal.into(),
                seed: seed()?,
                created: WebClock.now(),
                terms: Terms {
                    system: None,
                    policy: policy.clone(),
                    budgets: Budgets::default(),
                },
            };
            shares.push(Share {
                setup,
                session: text(part)?,
                receipts: None,
                own,
            });
            continue;
        }
        let share = shares
            .iter_mut()
            .find(|share| share.setup.session == session);
        let Some(share) = share else {
            let why = format!("part {name}: its session is not before it");
            return Err(ApiError::new(422, "bundle_part_invalid", why));
        };
        share.receipts = Some(text(part)?);
    }
    Ok(shares)
}

async fn hand_over(settings: &Settings, principal: &str, share: &Share) -> Result<Taken, ApiError> {
    let name = format!("{principal}/{}", share.setup.session.0);
    let stub = object(&settings.sessions()?, &name)?;
    let mut response = call(&stub, INSIDE, &json::to_vec(share)).await?;
    let body = response.bytes().await?;
    match response.status_code() {
        200 => Ok(json::from_slice(&body)?),
        409 => Err(ApiError::new(
            409,
            "busy",
            format!("session {} is at work", share.setup.session),
        )
        .hint("send the same again once its turn rests: nothing comes twice")),
        status => {
            let message = ApiError::message_in(&body);
            let message =
                message.unwrap_or_else(|| "a session could not take over its part".into());
            let status = if status == 422 { 422 } else { 500 };
            Err(ApiError::new(status, "session_not_taken", message))
        }
    }
}

/// In the object of a session: takes over its part.
pub(crate) async fn take(home: &Rc<Home>, incoming: &Incoming) -> Result<Response, ApiError> {
    let share: Share = json::from_slice(incoming.body())?;
    let id = share.setup.session.clone();
    if home.is_live() {
        return Err(ApiError::new(409, "busy", "the session is at work"));
    }
    let is_new = match home.setup().await {
        Ok(_) => false,
        Err(error) if error.is_missing() => true,
        Err(error) => return Err(error),
    };
    if is_new {
        home.put_setup(&share.setup).await?;
    }
    let storage = home.store()?;
    let part = |kind, text: String| -> Result<Part, ApiError> {
        let name = PartName::new(kind, &id.0);
        Ok(Part {
            name: name.map_err(|error| ApiError::invalid(error.to_string()))?,
            content: text.into_bytes(),
        })
    };
    let mut parts = vec![part(Kind::Session, share.session)?];
    if let Some(receipts) = share.receipts {
        parts.push(part(Kind::Receipts, receipts)?);
    }
    let policy = home.setup().await?.terms.policy;
    let gate = Gate::new(&policy);
    let wish = wish(share.own, &gate)?;
    let planned = match bundle::plan_parts(&storage, parts, &policy, &wish).await {
        Ok(planned) => planned,
        Err(error) => {
            if is_new {
                home.forget_all().await?;
            }
            return Err(refused(error));
        }
    };
    let Report {
        sessions, receipts, ..
    } = planned.report;
    if !planned.batch.put.is_empty() {
        tau_platform::Storage::commit(&storage, planned.batch).await?;
    }
    // Beside the receipts: what verifies them is exported with them.
    bundle::learn_signers(&storage, &planned.logs)
        .await
        .map_err(refused)?;
    let done = sessions.sessions.iter().find(|done| done.session == id);
    let (outcome, added) = done.map_or((Outcome::Same, 0), |done| (done.outcome, done.added));
    let line = home.line().await?;
    let line = line.ok_or_else(|| ApiError::new(500, "storage_failed", "its line is missing"))?;
    Ok(told(&Taken {
        outcome: outcome.name().into(),
        added,
        receipts: receipts.added,
        line,
    })?)
}

fn unread(error: ReadError) -> ApiError {
    let told = ApiError::new(422, error.reason_code(), error.to_string());
    told.hint(match error {
        ReadError::Passphrase => "open it natively, and send it open or sealed for this agent",
        _ => "nothing was imported",
    })
}

fn refused(error: ImportError) -> ApiError {
    match error {
        ImportError::Store(error) => error.into(),
        error => {
            ApiError::new(422, error.reason_code(), error.to_string()).hint("nothing was imported")
        }
    }
}
