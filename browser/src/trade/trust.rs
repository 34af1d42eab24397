//! Scores with what they are made of, and what agents say of each other.

use serde_json::{Value, json};
use tau_core::{json::FromJson, order};
use tau_kamn::{AgentDid, attest::Kind};
use tau_platform::trade::{Explained, File, Statement, Taken, TradeError, Uncounted, height_at};

use super::{Handed, agent, desk, failed, of_refused, open, random, read_file, text_of};
use crate::{
    State,
    calls::{no_such_call, read},
    error::Refused,
};

#[derive(FromJson)]
struct Of {
    did: String,
}

/// What is said of an agent: how a task went, a good word, or what it can do.
#[derive(FromJson)]
struct Said {
    did: String,
    /// The escrow of the task.
    task: Option<String>,
    outcome: Option<String>,
    response_ms: Option<u64>,
    /// Why; of a dispute.
    note: Option<String>,
    endorse: Option<String>,
    capability: Option<String>,
    /// Where the proof of the capability is.
    proof: Option<String>,
}

/// Answers the calls that begin with `trust.`.
pub(crate) async fn answer(state: &State, name: &str, arguments: &str) -> Result<Value, Refused> {
    match name {
        "trust.list" => list(state).await,
        "trust.show" => {
            let did = agent(&read::<Of>(name, arguments)?.did)?;
            let trade = open(state).await?;
            let explained = trade.explain(&did, height_at(state.now()));
            Ok(of_explained(&explained.map_err(failed)?))
        }
        "trust.attest" => attest(state, &read(name, arguments)?).await,
        "trust.import" => import(state, &read::<Handed>(name, arguments)?.text).await,
        "trust.export" => {
            let height = height_at(state.now());
            let file = open(state)
                .await?
                .export_trust(height, state.storage())
                .await;
            text_of(&file.map_err(failed)?)
        }
        _ => Err(no_such_call(name)),
    }
}

/// Everybody something is known of, this agent too, the best first.
async fn list(state: &State) -> Result<Value, Refused> {
    let trade = open(state).await?;
    let height = height_at(state.now());
    let mut agents = Vec::new();
    for did in trade.others().iter().chain(trade.own()) {
        agents.push(trade.explain(did, height).map_err(failed)?);
    }
    order::sort_by(&mut agents, |a, b| {
        (b.score.score, &a.did) < (a.score.score, &b.did)
    });
    let agents: Vec<Value> = agents.iter().map(of_explained).collect();
    Ok(json!({
        "height": height,
        "agents": agents,
        "uncounted": of_refused(trade.uncounted()),
    }))
}

/// Says something of another agent, signed, to be handed on.
async fn attest(state: &State, said: &Said) -> Result<Value, Refused> {
    let desk = desk(state)?;
    let mut trade = open(state).await?;
    let number = u64::from_le_bytes(random(state)?) >> 11;
    let (reference, kind) = statement(said, number)?;
    let statement = Statement {
        kind,
        subject: agent(&said.did)?,
        reference,
    };
    let signed = trade.attest(statement, number, &desk).await;
    let signed = signed.map_err(failed)?;
    let id = signed.id().map_err(|error| failed(error.into()))?;
    let text = text_of(&File::Attestation(signed))?;
    Ok(json!({ "id": id, "text": text }))
}

/// What is said, and about what.
fn statement(said: &Said, number: u64) -> Result<(String, Kind), Refused> {
    let missing = Refused::bad_request;
    if let Some(note) = said.endorse.clone() {
        return Ok((format!("endorsement:{number}"), Kind::Endorsement { note }));
    }
    if let Some(capability) = said.capability.clone() {
        let proof_ref = said.proof.clone();
        let proof_ref = proof_ref.ok_or_else(|| missing("a capability needs its proof"))?;
        let reference = format!("capability:{capability}");
        let kind = Kind::Capability {
            capability,
            proof_ref,
        };
        return Ok((reference, kind));
    }
    let task = said.task.clone();
    let task = task.ok_or_else(|| missing("it is about task, endorse or capability"))?;
    let response = || {
        let response_ms = said.response_ms;
        response_ms.ok_or_else(|| missing("response_ms says how long the first answer took"))
    };
    let kind = match said.outcome.as_deref() {
        Some("completed") => Kind::TaskCompleted {
            response_ms: response()?,
        },
        Some("failed") => Kind::TaskFailed {
            response_ms: response()?,
        },
        Some("delegated") => Kind::TaskDelegated,
        Some("disputed") => {
            let reason = said.note.clone();
            Kind::DisputeOpened {
                reason: reason.ok_or_else(|| missing("a dispute needs a note that says why"))?,
            }
        }
        Some("lost") => Kind::DisputeResolved { is_upheld: true },
        Some("won") => Kind::DisputeResolved { is_upheld: false },
        _ => {
            return Err(missing(
                "outcome is completed, failed, delegated, disputed, lost or won",
            ));
        }
    };
    Ok((task, kind))
}

/// Takes in what others said; each thing counts by itself.
async fn import(state: &State, text: &str) -> Result<Value, Refused> {
    let file = read_file(text)?;
    let mut trade = open(state).await?;
    let (storage, now) = (state.storage(), state.now());
    let taken = match file {
        File::Trust(trust) => trade.import_trust(&trust, storage, now).await,
        File::Attestation(signed) => {
            let id = signed.id().map_err(|error| failed(error.into()))?;
            let mut taken = Taken::default();
            match trade.admit(signed, storage, now).await {
                Ok(true) => taken.admitted.push(id),
                Ok(false) => taken.known = 1,
                Err(TradeError::Attest(error)) => taken.refused.push(Uncounted {
                    id,
                    reason_code: error.reason_code(),
                    why: error.to_string(),
                }),
                Err(error) => return Err(failed(error)),
            }
            Ok(taken)
        }
        File::Ledger { .. } | File::Command(_) => {
            return Err(
                Refused::bad_request("that is for the ledger").hint("escrow.import takes it")
            );
        }
    };
    Ok(of_taken(&taken.map_err(failed)?))
}

fn of_taken(taken: &Taken) -> Value {
    let names = |dids: &[AgentDid]| -> Vec<String> { dids.iter().map(AgentDid::as_kamn).collect() };
    let ledgers = taken
        .ledgers
        .iter()
        .map(|one| json!({ "ledger": one.ledger, "new": one.new, "events": one.events }));
    json!({
        "learned": names(&taken.learned),
        "forked": names(&taken.forked),
        "ledgers": ledgers.collect::<Vec<_>>(),
        "refused_ledgers": of_refused(&taken.refused_ledgers),
        "admitted": taken.admitted,
        "known": taken.known,
        "refused": of_refused(&taken.refused),
    })
}

/// A score with what it is made of; `begin` and the terms sum to it before fading and cutting.
fn of_explained(explained: &Explained<'_>) -> Value {
    let terms = &explained.terms;
    let counted = explained.counted.iter().map(|counted| {
        let attestation = counted.admitted.signed.attestation();
        json!({
            "id": counted.id,
            "weight": counted.weight,
            "kind": attestation.kind.name(),
            "issuer": attestation.issuer.as_kamn(),
            "ref": attestation.reference,
            "created_ms": attestation.created.unix_ms(),
            "seen_ms": counted.admitted.seen_ms,
        })
    });
    json!({
        "did": explained.did.as_kamn(),
        "score": explained.score.score,
        "tier": explained.tier.name(),
        "standing": explained.standing.name(),
        "height": explained.height,
        "freshness_permille": explained.score.freshness,
        "terms": {
            "begin": 500,
            "delivery": terms.delivery,
            "response": terms.response,
            "penalty": terms.penalty,
            "volume": terms.volume,
            "endorse": terms.endorse,
            "abuse": terms.abuse,
        },
        "counted": counted.collect::<Vec<_>>(),
    })
}
