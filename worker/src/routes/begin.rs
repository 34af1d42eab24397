//! `POST /v1/sessions`: begins a session.

use std::rc::Rc;
use tau_core::{
    egress::HostRule,
    json::{self, Value, object_of},
    model::Pricing,
    policy::{Policy, Preset},
    safety::{Gate, Source, Untrusted},
    session::{Budgets, CommandError, Session},
};
use tau_platform::{Clock, Entropy};
use tau_target_web::{WebClock, WebEntropy};
use worker::{Response, Stub};

use crate::{
    auth::Principal,
    config::{Settings, Setup, Terms},
    entry::object_name,
    errors::ApiError,
    fields::{Fields, parse},
    object::Home,
    wire::{Incoming, call, object, told},
};

/// The path that an object is told its session at; no path of the outside.
pub(crate) const INSIDE: &str = "/begin";
/// Bytes a session may add to the system prompt.
const SYSTEM_LIMIT_BYTES: usize = 64 * 1024;

/// Lists the session and tells its object; answers with its name.
pub(crate) async fn answer(
    settings: &Settings,
    principal: &Principal,
    directory: &Stub,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let terms = terms(settings, incoming.fields()?)?;
    let config = settings.session(&terms, Vec::new())?;
    let has_no_price = config
        .models
        .iter()
        .all(|m| m.pricing == Pricing::default());
    if terms.budgets.cost_nano_usd.is_some() && has_no_price {
        return Err(
            ApiError::invalid("a limit on cost counts nothing without the model's price")
                .hint("limit tokens, or set TAU_PRICING"),
        );
    }
    let mut seed = [0; 32];
    WebEntropy
        .fill(&mut seed)
        .map_err(|error| ApiError::new(500, "runtime_failed", error.to_string()))?;
    let created = WebClock.now();
    let session = Session::new(config, seed, created);
    let id = session.id().clone();
    let setup = Setup {
        v: 1,
        session: id.clone(),
        principal: principal.name().into(),
        seed,
        created,
        terms,
    };

    let line = json::to_vec(&session.summary());
    let listed = call(directory, "/begin", &line).await?;
    if listed.status_code() != 200 {
        return Ok(listed);
    }
    let name = object_name(principal, &id.0);
    let stub = object(&settings.sessions()?, &name)?;
    let begun = call(&stub, INSIDE, &json::to_vec(&setup)).await?;
    if begun.status_code() != 200 {
        let forgotten = json::to_vec(&object_of([("session", id.0.into())]));
        call(directory, "/forget", &forgotten).await?;
        return Ok(begun);
    }
    Ok(told(&object_of([("session", id.0.into())]))?.with_status(201))
}

fn terms(settings: &Settings, mut fields: Fields) -> Result<Terms, ApiError> {
    let system = fields.text("system")?;
    let policy = match fields.value("policy") {
        None => settings.policy()?,
        Some(Value::String(name)) => {
            let preset: Result<Preset, _> = name.parse();
            Policy::preset(preset.map_err(|error| ApiError::invalid(error.to_string()))?)
        }
        Some(policy) => parse("policy", policy)?,
    };
    refuse_more_egress(&policy)?;
    let budgets: Option<Budgets> = fields.parsed("budgets")?;
    fields.end()?;
    if let Some(system) = &system
        && system.len() > SYSTEM_LIMIT_BYTES
    {
        return Err(ApiError::invalid(format!(
            "the system prompt has {} bytes, at most {SYSTEM_LIMIT_BYTES} are taken",
            system.len()
        )));
    }
    let gate = Gate::new(&policy);
    if let Some(rule) = gate.bad_rule().cloned() {
        return Err(CommandError::BadRule { rule }.into());
    }
    // As the session will have it: what is taken out is not kept beside it either.
    let vetted = |system| gate.vet(Untrusted::new(system, Source::Instructions)).0;
    let system = system.map(|system: String| vetted(system).into_inner());
    Ok(Terms {
        system: system.filter(|system| !system.trim().is_empty()),
        policy,
        budgets: budgets.unwrap_or_default(),
    })
}

/// A caller can close the network further; whose network it is, is the operator's.
fn refuse_more_egress(policy: &Policy) -> Result<(), ApiError> {
    let http = &policy.http;
    let opens = |rule: &HostRule| matches!(rule, HostRule::Origin(_));
    if http.allow_private == Some(true) || http.allow.iter().any(opens) {
        return Err(ApiError::invalid(
            "a session's policy cannot open private networks or single origins",
        )
        .hint("the operator does, with TAU_HTTP_ALLOWED"));
    }
    Ok(())
}

/// In the object: keeps what the session is begun with.
pub(crate) async fn store(home: &Rc<Home>, incoming: &Incoming) -> Result<Response, ApiError> {
    let setup: Setup = json::from_slice(incoming.body())?;
    home.put_setup(&setup).await?;
    Ok(Response::empty()?)
}
