//! What is written to others: as text for whoever carries it, or sent where the policy lets it go.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tau_core::{egress::HostRule, json::FromJson, policy::Policy, safety::Gate};
use tau_kamn::{AgentDid, envelope::MessageType};
use tau_platform::{
    messages::{self, Draft, Post, Posted, Sent, Status, Way},
    peers,
};
use tau_target_web::{FetchEgress, WebClock};

use super::{PageOffice, agent, failed, of_sent, office, packet, word};
use crate::{State, calls::read, error::Refused};

/// For how long a message is of use where nothing else is said.
const HOUR_MS: u64 = 3_600_000;

/// What is said to whom, and how.
#[derive(FromJson)]
pub(super) struct Say {
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
pub(super) struct Going {
    /// A message that was written before, instead of another one.
    id: Option<String>,
    /// Where its recipient takes messages; remembered from then on.
    url: Option<String>,
    /// Hosts that this call may reach where the policy does not.
    #[serde(default)]
    allow: Vec<String>,
}

#[derive(FromJson)]
pub(super) struct To {
    to: String,
}

/// Writes a message that somebody else carries.
pub(super) async fn write(state: &State, said: Say) -> Result<Value, Refused> {
    let office = office(state)?;
    let written = office.write(draft(said)?, state.now()).await;
    handed(&office, written.map_err(failed)?.sent).await
}

/// Writes the first message of a session of two.
pub(super) async fn shake(state: &State, To { to }: To) -> Result<Value, Refused> {
    let office = office(state)?;
    let written = office.propose(&agent(&to)?, state.now()).await;
    handed(&office, written.map_err(failed)?.sent).await
}

/// A message as somebody else carries it.
async fn handed(office: &PageOffice<'_>, sent: Sent) -> Result<Value, Refused> {
    let sent = office.hand_over(sent).await.map_err(failed)?;
    let mut told = of_sent(&sent);
    told["packet"] = packet(office, &sent);
    Ok(told)
}

/// Sends a message, after shaking hands where it goes under a session and there is none.
pub(super) async fn send(state: &State, name: &str, arguments: &str) -> Result<Value, Refused> {
    let going: Going = read(name, arguments)?;
    let office = office(state)?;
    let policy = reach(state, &going.allow)?;
    let gate = Gate::new(&policy);
    let post = Post::new(FetchEgress::default(), WebClock, &policy);
    let attempt = async |sent| {
        let posted = office.post(sent, &state.desk, &gate, &post, &WebClock);
        posted.await.map_err(failed)
    };
    let sent = match &going.id {
        Some(id) => {
            let sent = written(state, id).await?;
            meet(&office, &post, &agent(&sent.to)?, going.url.as_deref()).await?;
            sent
        }
        None => {
            let draft = draft(read(name, arguments)?)?;
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
    };
    Ok(of_posted(&attempt(sent).await?))
}

/// Sends what waits and is due.
pub(super) async fn flush(state: &State, going: Going) -> Result<Value, Refused> {
    let policy = reach(state, &going.allow)?;
    let gate = Gate::new(&policy);
    let post = Post::new(FetchEgress::default(), WebClock, &policy);
    let office = office(state)?;
    let flushed = office.flush(&state.desk, &gate, &post, &WebClock);
    let (posted, next) = flushed.await.map_err(failed)?;
    let posted: Vec<Value> = posted.iter().map(of_posted).collect();
    Ok(json!({ "sent": posted, "next_ms": next.map(|next| next.0) }))
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

fn of_posted(posted: &Posted) -> Value {
    let mut told = of_sent(&posted.sent);
    told["reason_code"] = posted.reason_code.as_deref().into();
    told
}
