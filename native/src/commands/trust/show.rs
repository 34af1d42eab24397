//! Scores, and who is asked because of them.

use serde_json::{Value, json};
use std::path::PathBuf;
use tau_kamn::{
    AgentDid,
    attest::{Counted, Kind},
    trust::v3::Abuse,
};
use tau_platform::trade::{Candidacy, Explained, File, Standing, Trade, height_at};

use super::trade::{Market, agent, failed, now, read_file, short};
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::{self, Ui},
};

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The agent; without one, everybody something is known of.
    did: Option<String>,
    /// Compute it from this export alone, at the height it was made at; `-` reads stdin.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, home: &Home, ui: Ui) -> Result<Exit, Error> {
        let (trade, height) = match &self.from {
            None => {
                let market = Market::open(home, ui).await?;
                (market.trade, height_at(now()))
            }
            Some(file) => match read_file(file)? {
                File::Trust(trust) => {
                    let height = trust.height;
                    (Trade::of_export(trust).map_err(failed)?, height)
                }
                _ => {
                    return Err(Error::usage("that is no export of attestations")
                        .hint("`tau trust export` makes one"));
                }
            },
        };
        for uncounted in trade.uncounted() {
            let (id, why) = (&uncounted.id, ui::plain(&uncounted.why));
            ui.warn(format!("attestation {id} does not count: {why}"));
        }
        match &self.did {
            Some(did) => {
                let explained = trade.explain(&agent(did)?, height).map_err(failed)?;
                match self.json {
                    true => ui.json(&explained_json(&explained)),
                    false => print(&explained, ui),
                }
            }
            None => all(&trade, height, self.json, ui)?,
        }
        Ok(Exit::Ok)
    }
}

fn all(trade: &Trade, height: u64, json: bool, ui: Ui) -> Result<(), Error> {
    let mut agents = Vec::new();
    for did in trade.others().iter().chain(trade.own()) {
        agents.push(trade.explain(did, height).map_err(failed)?);
    }
    agents.sort_by(|a, b| (b.score.score, &a.did).cmp(&(a.score.score, &b.did)));
    if json {
        let agents: Vec<Value> = agents.iter().map(explained_json).collect();
        let uncounted = trade
            .uncounted()
            .iter()
            .map(|one| json!({ "id": one.id, "reason_code": one.reason_code, "why": one.why }));
        ui.json(&json!({
            "height": height,
            "agents": agents,
            "uncounted": uncounted.collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    if agents.is_empty() {
        ui.note("nobody is known yet: `tau identity import FILE` takes another agent's log");
    }
    for explained in &agents {
        let own = match Some(&explained.did) == trade.own() {
            true => " (this agent)",
            false => "",
        };
        let standing = match explained.standing {
            Standing::Known => String::new(),
            other => format!("  {other}"),
        };
        ui.line(format!(
            "{:>4}  {:<9} {:>4} said  {}{own}{}",
            explained.score.score,
            explained.tier.name(),
            explained.counted.len(),
            explained.did,
            ui::dim(standing),
        ));
    }
    Ok(())
}

fn print(explained: &Explained<'_>, ui: Ui) {
    let (score, terms, known) = (&explained.score, &explained.terms, &explained.evidence);
    ui.line(ui::bold(&explained.did));
    ui.line(format!(
        "score      {} of 1000, {}",
        score.score,
        explained.tier.name()
    ));
    ui.line(format!("keys       {}", explained.standing));
    ui.line("           500  where everybody begins");
    // What adds nothing is not told.
    let term = |points: i64, why: String| {
        if points != 0 {
            ui.line(format!("          {points:>+4}  {why}"));
        }
    };
    let answers = format!("answers after {} ms", known.response_ms);
    let endorsed = format!(
        "endorsed by {}, whose own scores sum to {}",
        known.endorsers, known.endorser_scores
    );
    term(
        terms.delivery,
        format!(
            "tasks: {} completed, {} failed",
            known.completed, known.failed
        ),
    );
    term(terms.response, answers);
    term(terms.penalty, format!("disputes lost: {}", known.upheld));
    term(terms.volume, "one for every ten tasks completed".into());
    term(terms.endorse, endorsed);
    if score.abuse != Abuse::None {
        term(terms.abuse, format!("found amiss: {}", abuse(score.abuse)));
    }
    if score.freshness < 1000 && score.raw > 500 {
        let age = known.age.map_or("no task".into(), |age| {
            format!("the last task is {age} hours ago")
        });
        ui.line(format!(
            "           {}%  of what is above 500 is left: {age}",
            score.freshness / 10
        ));
    }
    for counted in &explained.counted {
        ui.line(line(counted));
    }
    if !explained.counted.is_empty() {
        ui.note("+N is what the score would lose without that one alone");
    }
}

fn line(counted: &Counted<'_>) -> String {
    let attestation = counted.admitted.signed.attestation();
    format!(
        "{:>+5}  {} {:<16} by {}  {}",
        counted.weight,
        ui::dim(&counted.id[..8]),
        attestation.kind.name(),
        short(attestation.issuer.as_did()),
        ui::plain(&said(&attestation.kind, &attestation.reference)),
    )
}

fn said(kind: &Kind, reference: &str) -> String {
    match kind {
        Kind::TaskCompleted { response_ms } | Kind::TaskFailed { response_ms } => {
            format!("{reference} after {response_ms} ms")
        }
        Kind::TaskDelegated => reference.into(),
        Kind::Endorsement { note } => format!("{note:?}"),
        Kind::DisputeOpened { reason } => format!("{reference}: {reason:?}"),
        Kind::DisputeResolved { is_upheld: true } => format!("{reference}: lost"),
        Kind::DisputeResolved { is_upheld: false } => format!("{reference}: won"),
        Kind::Capability {
            capability,
            proof_ref,
        } => format!("{capability}, see {proof_ref}"),
    }
}

fn abuse(abuse: Abuse) -> &'static str {
    match abuse {
        Abuse::None => "none",
        Abuse::Ring => "ring",
        Abuse::Burst => "burst",
        Abuse::Churn => "churn",
        Abuse::Compound => "compound",
    }
}

/// A score, for programs.
fn explained_json(explained: &Explained<'_>) -> Value {
    let (score, terms, known) = (&explained.score, &explained.terms, &explained.evidence);
    let counted = explained.counted.iter().map(|counted| {
        let attestation = counted.admitted.signed.attestation();
        json!({
            "id": counted.id,
            "weight": counted.weight,
            "kind": attestation.kind.name(),
            "issuer": attestation.issuer.as_kamn(),
            "ref": attestation.reference,
            "height": attestation.height,
            "created_ms": attestation.created.unix_ms(),
            "seen_ms": counted.admitted.seen_ms,
            "says": said(&attestation.kind, &attestation.reference),
        })
    });
    json!({
        "did": explained.did.as_kamn(),
        "score": score.score,
        "tier": explained.tier.name(),
        "standing": explained.standing.name(),
        "height": explained.height,
        "raw": score.raw,
        "freshness_permille": score.freshness,
        "abuse": abuse(score.abuse),
        "terms": {
            "begin": 500,
            "delivery": terms.delivery,
            "response": terms.response,
            "penalty": terms.penalty,
            "volume": terms.volume,
            "endorse": terms.endorse,
            "abuse": terms.abuse,
        },
        "evidence": {
            "completed": known.completed,
            "failed": known.failed,
            "response_ms": known.response_ms,
            "disputes_lost": known.upheld,
            "endorsers": known.endorsers,
            "endorser_scores": known.endorser_scores,
            "mutual": known.mutual,
            "age": known.age,
        },
        "counted": counted.collect::<Vec<_>>(),
    })
}

#[derive(Debug, clap::Args)]
pub(super) struct Route {
    /// What must be verified of whoever is asked; who lacks it comes later in the order.
    capabilities: Vec<String>,
    /// The least score, 0 to 1000.
    #[arg(long, value_name = "N", default_value_t = 400)]
    threshold: u16,
    /// Among whom; may be given several times [default: everybody that is known].
    #[arg(long, value_name = "DID", num_args = 1..)]
    among: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Route {
    pub(super) async fn run(self, home: &Home, ui: Ui) -> Result<Exit, Error> {
        let market = Market::open(home, ui).await?;
        let among: Result<Vec<AgentDid>, Error> = self.among.iter().map(|did| agent(did)).collect();
        let candidacy = Candidacy {
            required: self.capabilities,
            among: among?,
            minimum: self.threshold,
        };
        let route = market.trade.route(&candidacy, now());
        if self.json {
            ui.json(&route_json(&route, candidacy.minimum));
        } else {
            print_route(&route, candidacy.minimum, ui);
        }
        match route.ranking {
            Ok(_) => Ok(Exit::Ok),
            // As JSON it was told already, with every candidate.
            Err(_) if self.json => Ok(Exit::Denied),
            Err(error) => Err(failed(error.into())),
        }
    }
}

fn print_route(route: &tau_platform::trade::Route, minimum: u16, ui: Ui) {
    if let Ok(ranking) = &route.ranking {
        for (at, place) in ranking.places.iter().enumerate() {
            let missing = match place.missing.is_empty() {
                true => String::new(),
                false => format!("  without {}", ui::plain(&place.missing.join(", "))),
            };
            ui.line(format!(
                "{:>2}. {:>4}  trust {} {:+}{missing}  {}",
                at + 1,
                place.routing,
                place.trust,
                place.adjustment,
                place.did,
            ));
        }
    }
    for one in route.candidates.iter().filter(|one| !one.passes) {
        let why = match one.score {
            Some(score) => format!("its score is {score}, {minimum} is the least"),
            None => one.standing.to_string(),
        };
        ui.note(format!("not asked: {}: {why}", one.did));
    }
}

fn route_json(route: &tau_platform::trade::Route, minimum: u16) -> Value {
    let places = route.ranking.iter().flat_map(|ranking| &ranking.places);
    let places = places.map(|place| {
        json!({
            "did": place.did.as_kamn(),
            "routing": place.routing,
            "trust": place.trust,
            "adjustment": place.adjustment,
            "missing": place.missing,
        })
    });
    let candidates = route.candidates.iter().map(|one| {
        let why = match (one.score, one.passes) {
            (_, true) => "reaches_threshold",
            (Some(_), false) => "below_threshold",
            (None, false) => one.standing.name(),
        };
        json!({ "did": one.did.as_kamn(), "score": one.score, "passes": one.passes, "why": why })
    });
    let error = route.ranking.as_ref().err();
    let weights = tau_kamn::routing::Weights::default();
    json!({
        "chosen": route.ranking.as_ref().ok().map(|ranking| ranking.places[0].did.as_kamn()),
        "threshold": minimum,
        "reason_code": error.map(tau_kamn::routing::RoutingError::reason_code),
        "why": error.map(ToString::to_string),
        "order": places.collect::<Vec<_>>(),
        "candidates": candidates.collect::<Vec<_>>(),
        "weights": {
            "endorsement": weights.endorsement,
            "verified": weights.verified,
            "dispute": -weights.dispute,
            "matched": weights.matched,
            "missing": -weights.missing,
        },
    })
}
