//! Messages of other agents, in the object that keeps the Worker's identity.
//!
//! Invariants: one object takes them, one after another, so that each is taken once; what anybody may
//! send is verified before it is kept, and told apart from what the principal asks, whose paths the
//! entry lets through for that principal alone.

use tau_core::{
    ids::SessionId,
    json::{self, FromJson, ToJson, Value, object_of},
    safety::Gate,
};
use tau_kamn::{AgentDid, envelope::MessageType};
use tau_platform::{
    Clock, TreeSigner,
    messages::{self, Arrived, Desk, Draft, Held, MessageError, Office, Post, Posted, Status, Way},
    peers,
};
use tau_target_durable::DurableStorage;
use tau_target_web::{FetchEgress, WebClock, WebEntropy};
use worker::Response;

use crate::{
    config::Settings,
    errors::ApiError,
    identity,
    wire::{Incoming, told},
};

/// What all paths here begin with.
pub(crate) const OBJECT: &str = "/inbox/";
/// A packet of anybody; from where is in the query.
pub(crate) const TAKE: &str = "/inbox/take";
/// The letters that came.
pub(crate) const LIST: &str = "/inbox/list";
/// A letter is given to a session.
pub(crate) const GIVE: &str = "/inbox/give";
/// A letter was not taken by its session.
pub(crate) const KEEP: &str = "/inbox/keep";
/// A message is written and sent.
pub(crate) const SEND: &str = "/inbox/send";

/// For how long a message is of use where nothing else is said.
const HOUR_MS: u64 = 3_600_000;

/// Which letter is given to which session.
#[derive(FromJson, ToJson)]
pub(crate) struct Given {
    pub(crate) letter: String,
    pub(crate) session: SessionId,
}

/// Answers in the object.
pub(crate) async fn answer(
    store: &DurableStorage,
    settings: &Settings,
    desk: &Desk,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    match incoming.path.as_str() {
        TAKE => take(store, settings, desk, incoming).await,
        LIST => list(store).await,
        GIVE => give(store, json::from_slice(incoming.body())?).await,
        KEEP => {
            let given: Given = json::from_slice(incoming.body())?;
            messages::unmark(store, &given.letter)
                .await
                .map_err(failed)?;
            Ok(Response::empty()?)
        }
        SEND => send(store, settings, desk, incoming).await,
        _ => Err(ApiError::new(
            404,
            "no_such_route",
            "an inbox has no such path",
        )),
    }
}

fn office<'a>(
    store: &'a DurableStorage,
    signer: &'a TreeSigner,
) -> Office<'a, DurableStorage, TreeSigner, WebEntropy> {
    Office {
        storage: store,
        signer,
        entropy: &WebEntropy,
    }
}

async fn take(
    store: &DurableStorage,
    settings: &Settings,
    desk: &Desk,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let signer = identity::keeper(store, settings).await?;
    let gate = Gate::new(&settings.policy()?);
    let arrived = Arrived {
        bytes: incoming.body(),
        place: incoming.query.as_deref().unwrap_or("unknown"),
        answers: true,
    };
    let office = office(store, &signer);
    let (answer, _) = office.answer(desk, arrived, &gate, WebClock.now()).await;
    let response = Response::builder().with_header("content-type", "application/json")?;
    let response = response.fixed(answer.to_bytes());
    Ok(response.with_status(answer.status()))
}

async fn list(store: &DurableStorage) -> Result<Response, ApiError> {
    let mut held = messages::list(store, None, false).await.map_err(failed)?;
    held.sort_by_key(|held| held.letter.received());
    let letters: Vec<Value> = held.iter().map(of_letter).collect();
    Ok(told(&object_of([("letters", letters.into())]))?)
}

async fn give(store: &DurableStorage, given: Given) -> Result<Response, ApiError> {
    let held = messages::read(store, &given.letter).await.map_err(failed)?;
    let held = held.ok_or_else(|| {
        ApiError::new(404, "no_such_letter", "there is no such letter")
            .hint("GET /v1/letters lists them")
    })?;
    if held.session.is_some() {
        return Err(ApiError::new(
            409,
            "given_already",
            "a session was given this letter already",
        ));
    }
    let marked = messages::mark_done(store, &given.letter, &given.session).await;
    marked.map_err(failed)?;
    Ok(told(&held.letter)?)
}

async fn send(
    store: &DurableStorage,
    settings: &Settings,
    desk: &Desk,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let mut fields = incoming.fields()?;
    let to = fields.needed_text("to")?;
    let to = AgentDid::parse_any(&to).map_err(|error| ApiError::invalid(error.to_string()))?;
    let text = fields.needed_text("text")?;
    let url = fields.text("url")?;
    let answers = fields.text("answers")?;
    let way = match fields.text("way")?.as_deref() {
        None | Some("sealed") => Way::Sealed,
        Some("plain") => Way::Plain,
        Some("channel") => Way::Session,
        Some(_) => {
            return Err(ApiError::invalid(
                "way is \"sealed\", \"channel\" or \"plain\"",
            ));
        }
    };
    let kind = kind(fields.text("kind")?.as_deref())?;
    fields.end()?;

    let signer = identity::keeper(store, settings).await?;
    let mut policy = settings.policy()?;
    policy.http.allow.extend(settings.egress()?);
    let gate = Gate::new(&policy);
    let post = Post::new(FetchEgress::default(), WebClock, &policy);
    let office = office(store, &signer);
    if let Some(url) = &url {
        let known = peers::get(store, &to)
            .await
            .map_err(|error| failed(error.into()))?;
        match known {
            Some(_) => office.address(&to, url).await.map_err(failed)?,
            None => {
                let found = office.meet(url, &post).await.map_err(failed)?;
                if found != to {
                    return Err(ApiError::new(
                        422,
                        "recipient_mismatch",
                        format!("messages at this address are taken by {found}"),
                    ));
                }
            }
        }
    }
    // What waits is sent again with the next that is.
    office
        .flush(desk, &gate, &post, &WebClock)
        .await
        .map_err(failed)?;
    if way == Way::Session && !office.has_channel(&to).await.map_err(failed)? {
        let proposal = office.propose(&to, WebClock.now()).await.map_err(failed)?;
        let shaken = office.post(proposal.sent, desk, &gate, &post, &WebClock);
        let shaken = shaken.await.map_err(failed)?;
        if shaken.sent.status != Status::Taken {
            return Ok(told(&of_posted(&shaken))?.with_status(202));
        }
    }
    let draft = Draft {
        answers,
        kind,
        life_ms: HOUR_MS,
        ..Draft::request(to, &text, way)
    };
    let written = office.write(draft, WebClock.now()).await.map_err(failed)?;
    let posted = office.post(written.sent, desk, &gate, &post, &WebClock);
    let posted = posted.await.map_err(failed)?;
    let status = match posted.sent.status {
        Status::Waiting => 202,
        _ => 200,
    };
    Ok(told(&of_posted(&posted))?.with_status(status))
}

fn kind(name: Option<&str>) -> Result<MessageType, ApiError> {
    let Some(name) = name else {
        return Ok(MessageType::Request);
    };
    let mut all = MessageType::ALL.into_iter();
    let found = all.find(|kind| kind.name() == name);
    found.ok_or_else(|| ApiError::invalid(format!("{name:?} is no kind of message")))
}

fn of_letter(held: &Held) -> Value {
    let letter = &held.letter;
    let sender = letter.sender();
    object_of([
        ("name", held.name.as_str().into()),
        ("from", sender.did.as_str().into()),
        ("id", sender.id.as_str().into()),
        ("kind", sender.kind.as_str().into()),
        ("channel", sender.channel.clone().into()),
        ("answers", letter.answers().into()),
        ("text", letter.text().into()),
        ("sealed", letter.is_sealed().into()),
        ("received_ms", letter.received().0.into()),
        (
            "session",
            held.session
                .as_ref()
                .map(|session| session.0.clone())
                .into(),
        ),
    ])
}

fn of_posted(posted: &Posted) -> Value {
    let sent = &posted.sent;
    let status = match sent.status {
        Status::Waiting => "waiting",
        Status::Taken => "taken",
        Status::Handed => "handed",
        Status::Refused => "refused",
        Status::Expired => "expired",
    };
    object_of([
        ("to", sent.to.as_str().into()),
        ("id", sent.id.as_str().into()),
        ("status", status.into()),
        ("attempts", sent.attempts.into()),
        ("why", sent.why.clone().into()),
        ("reason_code", posted.reason_code.clone().into()),
    ])
}

/// What went wrong, as a client is told.
fn failed(error: MessageError) -> ApiError {
    match error {
        MessageError::Store(error) => error.into(),
        error if error.is_refusal() => ApiError::new(422, error.reason_code(), error.to_string()),
        error => ApiError::new(500, error.reason_code(), error.to_string()),
    }
}
