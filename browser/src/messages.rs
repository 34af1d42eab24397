//! Messages between this page's agent and others: written, carried or sent, taken once, given to a session.
//!
//! All of it is decided in [`tau_platform::messages`]. A page listens nowhere: what others write comes in
//! by a call, whoever carried it, and what is written leaves as text or by `fetch`, within the policy.
//!
//! Invariant: a letter is given to one session, and which one is stored before the session has it.

mod send;

use serde_json::{Value, json};
use std::rc::Rc;
use tau_core::{
    ids::SessionId,
    json::FromJson,
    order,
    safety::Gate,
    session::{Command, StoreError},
};
use tau_kamn::{AgentDid, envelope};
use tau_platform::{
    Signer,
    messages::{self, Arrived, Held, MessageError, Office, Packet, Sent, Status},
};
use tau_target_indexeddb::IdbStorage;
use tau_target_web::WebEntropy;

use crate::{
    State,
    calls::{no_such_call, read},
    error::Refused,
    identity,
    keys::{PageSigner, of_signer, refuse},
};

/// Where a page's packets come from: what is taken by calls is counted together.
const PLACE: &str = "page";

type PageOffice<'a> = Office<'a, IdbStorage, PageSigner, WebEntropy>;

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
        "message.write" => send::write(state, read(name, arguments)?).await,
        "message.shake" => send::shake(state, read(name, arguments)?).await,
        "message.send" => send::send(state, name, arguments).await,
        "message.flush" => send::flush(state, read(name, arguments)?).await,
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

/// A message with the log of this agent's keys, as it travels.
fn packet(office: &PageOffice<'_>, sent: &Sent) -> Value {
    let packet = Packet::of(sent.envelope().into(), office.signer.log());
    String::from_utf8_lossy(&packet.to_bytes()).into()
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
