//! Messages between this page's agent and others: written, carried or sent, taken once, given to a session.
//!
//! All of it is decided in [`tau_platform::messages`]. A page listens nowhere: what others write comes in
//! by a call, whoever carried it, and what is written leaves as text or by `fetch`, within the policy.
//!
//! Invariant: a letter is given to one session, and which one is stored before the session has it.

use serde_json::{Value, json};
use std::{collections::BTreeMap, rc::Rc};
use tau_core::{
    egress::HostRule,
    ids::SessionId,
    json::FromJson,
    order,
    policy::Policy,
    safety::Gate,
    session::{Command, StoreError},
};
use tau_kamn::{AgentDid, envelope, envelope::MessageType};
use tau_platform::{
    Signer,
    messages::{
        self, Arrived, Draft, Held, MessageError, Office, Packet, Post, Posted, Sent, Status, Way,
    },
    peers,
};
use tau_target_indexeddb::IdbStorage;
use tau_target_web::{FetchEgress, WebClock, WebEntropy};

use crate::{
    State,
    calls::{no_such_call, read},
    error::Refused,
    identity,
    keys::{PageSigner, of_signer, refuse},
};

/// For how long a message is of use where nothing else is said.
const HOUR_MS: u64 = 3_600_000;
/// Where a page's packets come from: what is taken by calls is counted together.
const PLACE: &str = "page";

type PageOffice<'a> = Office<'a, IdbStorage, PageSigner, WebEntropy>;

/// What is said to whom, and how.
#[derive(FromJson)]
struct Say {
    to: String,
    text: String,
    kind: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    answers: Option<String>,
    life_ms: Option<u64>,
    way: Option<String>,
}

/// How what is sent leaves.
#[derive(FromJson)]
struct Going {
    /// A message that was written before, instead of another one.
    id: Option<String>,
    /// Where its recipient takes messages; remembered from then on.
    url: Option<String>,
    /// Hosts that this call may reach where the policy does not.
    #[serde(default)]
    allow: Vec<String>,
}

#[derive(FromJson)]
struct To {
    to: String,
}

#[derive(FromJson)]
struct Carried {
    packet: String,
}

#[derive(FromJson)]
struct Wanted {
    from: Option<String>,
    #[serde(default)]
    unread: bool,
}

#[derive(FromJson)]
struct Named {
    letter: String,
}

#[derive(FromJson)]
struct Give {
    letter: String,
    session: SessionId,
}

/// Answers the calls that begin with `message.`.
pub(crate) async fn answer(
    state: &Rc<State>,
    name: &str,
    arguments: &str,
) -> Result<Value, Refused> {
    match name {
        "message.write" => write(state, read(name, arguments)?).await,
        "message.shake" => shake(state, &read::<To>(name, arguments)?.to).await,
        "message.send" => {
            let going: Going = read(name, arguments)?;
            let said = match going.id {
                None => Some(read::<Say>(name, arguments)?),
                Some(_) => None,
            };
            send(state, &going, said).await
        }
        "message.flush" => flush(state, &read::<Going>(name, arguments)?.allow).await,
        "message.take" => take(state, &read::<Carried>(name, arguments)?.packet).await,
        "message.list" => list(state, read(name, arguments)?).await,
        "message.sent" => sent(state).await,
        "message.channels" => channels(state).await,
        "message.read" => Ok(of_letter(
            &letter(state, &read::<Named>(name, arguments)?.letter).await?,
        )),
        "message.give" => give(state, read(name, arguments)?).await,
        _ => Err(no_such_call(name)),
    }
}

fn office(state: &State) -> Result<PageOffice<'_>, Refused> {
    Ok(Office {
        storage: state.storage(),
        signer: identity::signer(state)?,
        entropy: &WebEntropy,
    })
}

/// Writes a message that somebody else carries.
async fn write(state: &State, said: Say) -> Result<Value, Refused> {
    let office = office(state)?;
    let written = office.write(draft(said)?, state.now()).await;
    handed(&office, written.map_err(failed)?.sent).await
}

/// Writes the first message of a session of two.
async fn shake(state: &State, to: &str) -> Result<Value, Refused> {
    let office = office(state)?;
    let written = office.propose(&agent(to)?, state.now()).await;
    handed(&office, written.map_err(failed)?.sent).await
}

/// A message as somebody else carries it.
async fn handed(office: &PageOffice<'_>, sent: Sent) -> Result<Value, Refused> {
    let sent = office.hand_over(sent).await.map_err(failed)?;
    let mut told = of_sent(&sent);
    told["packet"] = packet(office, &sent);
    Ok(told)
}

fn packet(office: &PageOffice<'_>, sent: &Sent) -> Value {
    let packet = Packet::of(sent.envelope().into(), office.signer.log());
    String::from_utf8_lossy(&packet.to_bytes()).into()
}

/// Sends a message, after shaking hands where it goes under a session and there is none.
async fn send(state: &State, going: &Going, said: Option<Say>) -> Result<Value, Refused> {
    let office = office(state)?;
    let policy = reach(state, &going.allow)?;
    let gate = Gate::new(&policy);
    let post = Post::new(FetchEgress::default(), WebClock, &policy);
    let attempt = async |sent| {
        let posted = office.post(sent, &state.desk, &gate, &post, &WebClock);
        posted.await.map_err(failed)
    };
    let sent = match (&going.id, said) {
        (Some(id), _) => {
            let sent = written(state, id).await?;
            meet(&office, &post, &agent(&sent.to)?, going.url.as_deref()).await?;
            sent
        }
        (None, Some(said)) => {
            let draft = draft(said)?;
            meet(&office, &post, &draft.to, going.url.as_deref()).await?;
            let has_channel = match draft.way {
                Way::Session => office.has_channel(&draft.to).await.map_err(failed)?,
                Way::Plain | Way::Sealed => true,
            };
            if !has_channel {
                let proposal = office.propose(&draft.to, state.now()).await;
                let shaken = attempt(proposal.map_err(failed)?.sent).await?;
                if shaken.sent.status != Status::Taken {
                    return Ok(of_posted(&shaken));
                }
            }
            office.write(draft, state.now()).await.map_err(failed)?.sent
        }
        (None, None) => {
            return Err(Refused::bad_request(
                "message.send takes id, or to and text",
            ));
        }
    };
    Ok(of_posted(&attempt(sent).await?))
}

/// Sends what waits and is due.
async fn flush(state: &State, allow: &[String]) -> Result<Value, Refused> {
    let policy = reach(state, allow)?;
    let gate = Gate::new(&policy);
    let post = Post::new(FetchEgress::default(), WebClock, &policy);
    let office = office(state)?;
    let flushed = office.flush(&state.desk, &gate, &post, &WebClock);
    let (posted, next) = flushed.await.map_err(failed)?;
    let posted: Vec<Value> = posted.iter().map(of_posted).collect();
    Ok(json!({ "sent": posted, "next_ms": next.map(|next| next.0) }))
}

/// Takes a packet, however it came. What is not taken is the error.
async fn take(state: &State, packet_text: &str) -> Result<Value, Refused> {
    let office = office(state)?;
    let gate = Gate::new(&state.settings.borrow().policy());
    let arrived = Arrived {
        bytes: packet_text.as_bytes(),
        place: PLACE,
        // Whoever brought it has what is replied, and brings it back.
        answers: true,
    };
    let taken = office.receive(&state.desk, arrived, &gate, state.now());
    let taken = taken.await.map_err(failed)?;
    let letter = taken.letter.as_ref();
    Ok(json!({
        "taken": taken.id,
        "from": taken.from.as_kamn(),
        "letter": taken.name,
        "text": letter.map(|letter| letter.text()),
        "sealed": letter.is_some_and(|letter| letter.is_sealed()),
        "kind": taken.received.envelope().message_type.name(),
        "body": taken.body,
        "reply": taken.replies.first().map(|sent| packet(&office, sent)),
    }))
}

/// The letters that came, the oldest first.
async fn list(state: &State, wanted: Wanted) -> Result<Value, Refused> {
    let from = wanted.from.as_deref().map(agent).transpose()?;
    let held = messages::list(state.storage(), from.as_ref(), wanted.unread).await;
    let mut held = held.map_err(failed)?;
    order::sort_by(&mut held, |a, b| a.letter.received() < b.letter.received());
    Ok(held.iter().map(of_letter).collect())
}

/// What was written, the oldest first.
async fn sent(state: &State) -> Result<Value, Refused> {
    let mut sent = messages::outbox(state.storage()).await.map_err(failed)?;
    order::sort_by(&mut sent, |a, b| a.created < b.created);
    Ok(sent.iter().map(of_sent).collect())
}

async fn channels(state: &State) -> Result<Value, Refused> {
    let channels = office(state)?.channels().await.map_err(failed)?;
    let channels = channels.iter();
    Ok(channels
        .map(|(did, channel)| json!({ "with": did.as_kamn(), "channel": channel }))
        .collect())
}

/// Gives a letter to an open session, which answers it in a turn.
async fn give(state: &Rc<State>, given: Give) -> Result<Value, Refused> {
    let Give {
        letter: name,
        session,
    } = given;
    let held = letter(state, &name).await?;
    if let Some(session) = held.session {
        return Err(given_already(&format!("session {session}")));
    }
    let marked = messages::mark_done(state.storage(), &name, &session).await;
    marked.map_err(|error| match error {
        MessageError::Store(StoreError::Conflict { .. }) => given_already("another tab's session"),
        error => failed(error),
    })?;
    let letter = Box::new(held.letter);
    let submitted = state.submit(&session, Command::Deliver { letter }).await;
    if submitted.is_err() {
        // It was not taken: somebody may give it to another session.
        let kept = messages::unmark(state.storage(), &name).await;
        kept.map_err(failed)?;
    }
    submitted.map(|()| Value::Null)
}

async fn letter(state: &State, name: &str) -> Result<Held, Refused> {
    let held = messages::read(state.storage(), name).await;
    held.map_err(failed)?.ok_or_else(|| {
        Refused::new("no_letter", format!("there is no letter {name:?}"))
            .hint("message.list names them")
    })
}

fn given_already(whom: &str) -> Refused {
    Refused::new(
        "given_already",
        format!("{whom} was given this letter already"),
    )
}

/// The message of that id, if it can still be sent.
async fn written(state: &State, id: &str) -> Result<Sent, Refused> {
    let outbox = messages::outbox(state.storage()).await.map_err(failed)?;
    let sent = outbox.into_iter().find(|sent| sent.id == id);
    let sent = sent.ok_or_else(|| {
        Refused::new("no_message", format!("no message {id:?} was written here"))
            .hint("message.sent names them")
    })?;
    match sent.status {
        Status::Waiting | Status::Handed => Ok(sent),
        status => Err(Refused::new(
            "message_ended",
            format!("the message is {}: write another one", word(status)),
        )),
    }
}

/// Sees to it that the agent and where it takes messages are known.
async fn meet(
    office: &PageOffice<'_>,
    post: &Post<FetchEgress, WebClock>,
    to: &AgentDid,
    url: Option<&str>,
) -> Result<(), Refused> {
    let Some(url) = url else { return Ok(()) };
    let known = peers::get(office.storage, to).await;
    if known.map_err(|error| failed(error.into()))?.is_some() {
        return office.address(to, url).await.map_err(failed);
    }
    let found = office.meet(url, post).await.map_err(failed)?;
    match found == *to {
        true => Ok(()),
        false => Err(Refused::new(
            "recipient_mismatch",
            format!("messages at {url} are taken by {found}"),
        )),
    }
}

/// The policy, with what this call may reach beside it.
fn reach(state: &State, allow: &[String]) -> Result<Policy, Refused> {
    let mut policy = state.settings.borrow().policy();
    for rule in allow {
        let rule: HostRule = rule
            .parse()
            .map_err(|_| Refused::bad_request(format!("{rule:?} is no host to allow")))?;
        policy.http.allow.push(rule);
    }
    Ok(policy)
}

fn draft(said: Say) -> Result<Draft, Refused> {
    if said.text.trim().is_empty() {
        return Err(Refused::bad_request("there is nothing to say"));
    }
    let way = match said.way.as_deref() {
        None | Some("sealed") => Way::Sealed,
        Some("plain") => Way::Plain,
        Some("channel") => Way::Session,
        Some(_) => {
            let ways = "way is \"sealed\", \"channel\" or \"plain\"";
            return Err(Refused::bad_request(ways));
        }
    };
    let kind = match said.kind.as_deref() {
        None => MessageType::Request,
        Some(name) => {
            let mut all = MessageType::ALL.into_iter();
            let found = all.find(|kind| kind.name() == name);
            found.ok_or_else(|| Refused::bad_request(format!("{name:?} is no kind of message")))?
        }
    };
    let mut draft = Draft {
        kind,
        answers: said.answers,
        life_ms: said.life_ms.unwrap_or(HOUR_MS),
        ..Draft::request(agent(&said.to)?, &said.text, way)
    };
    // What is read first is the text, whatever else has its name.
    for (name, text) in said.fields {
        draft.body.entry(name).or_insert(text);
    }
    Ok(draft)
}

fn agent(did: &str) -> Result<AgentDid, Refused> {
    AgentDid::parse_any(did.trim()).map_err(refuse)
}

fn of_letter(held: &Held) -> Value {
    let letter = &held.letter;
    let sender = letter.sender();
    json!({
        "name": held.name,
        "from": sender.did,
        "id": sender.id,
        "kind": sender.kind,
        "channel": sender.channel,
        "answers": letter.answers(),
        "text": letter.text(),
        "sealed": letter.is_sealed(),
        "received_ms": letter.received().0,
        "session": held.session,
    })
}

fn of_sent(sent: &Sent) -> Value {
    json!({
        "to": sent.to,
        "id": sent.id,
        "created_ms": sent.created.0,
        "expires_ms": sent.expires.0,
        "attempts": sent.attempts,
        "next_ms": (sent.status == Status::Waiting).then_some(sent.next.0),
        "status": word(sent.status),
        "why": sent.why,
    })
}

fn of_posted(posted: &Posted) -> Value {
    let mut told = of_sent(&posted.sent);
    told["reason_code"] = posted.reason_code.as_deref().into();
    told
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Taken => "taken",
        Status::Handed => "handed",
        Status::Refused => "refused",
        Status::Expired => "expired",
    }
}

/// Why a message was not taken or not sent, as a page is told.
fn failed(error: MessageError) -> Refused {
    let told = Refused::new(error.reason_code(), error.to_string());
    match error {
        MessageError::Store(error) => error.into(),
        MessageError::Signer(error) => of_signer(error),
        MessageError::NoAddress { .. } => told.hint("give its url; it is remembered from then on"),
        MessageError::NoSession { .. } => told.hint("message.shake begins one"),
        MessageError::Secret { .. } => {
            told.hint("leave it out: whoever gets a message has what it holds")
        }
        MessageError::Envelope(envelope::Error::Unresolved { .. }) => {
            told.hint("identity.learn takes the log of an agent's keys; a url asks for it")
        }
        _ => told,
    }
}
