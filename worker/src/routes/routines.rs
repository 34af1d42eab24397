//! `GET` and `POST …/routines`, `DELETE …/routines/NAME`: prompts that come by themselves.

use tau_core::{
    ids::{SessionId, UnixMillis},
    json::{object_of, to_value},
    routine::Routine,
    safety::Gate,
};
use tau_platform::{Clock, Storage, routine};
use tau_target_web::WebClock;
use worker::Response;

use crate::{
    errors::ApiError,
    object::Home,
    wire::{Incoming, told},
};

/// Bytes of a routine's name.
const NAME_BYTES: usize = 64;

/// The session's routines, each with its runs.
pub(crate) async fn list(home: &Home, id: &SessionId) -> Result<Response, ApiError> {
    home.setup().await?;
    let store = home.store()?;
    let mut routines = Vec::new();
    for routine in routine::list(&store, id).await? {
        let mut shown = to_value(&routine);
        shown["runs"] = to_value(&routine::runs(&store, id, &routine.id).await?);
        routines.push(shown);
    }
    Ok(told(&object_of([("routines", routines.into())]))?)
}

/// Adds one, and has the alarm go off at its time.
pub(crate) async fn add(
    home: &Home,
    id: &SessionId,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let mut fields = incoming.fields()?;
    let name = fields.needed_text("id")?;
    let prompt = fields.needed_text("prompt")?;
    let at = fields.number("at")?.map(UnixMillis);
    let every_ms = fields.number("every_ms")?;
    fields.end()?;
    let setup = home.setup().await?;
    home.need_room(id).await?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(1..=NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_name) {
        return Err(ApiError::invalid(format!(
            "a routine's id is 1 to {NAME_BYTES} letters, digits, - and _"
        )));
    }
    let first = match (at, every_ms) {
        (Some(at), _) => at,
        (None, Some(every_ms)) => WebClock.now().plus(every_ms),
        (None, None) => return Err(ApiError::invalid("a routine needs at, every_ms or both")),
    };
    let gate = Gate::new(&setup.terms.policy);
    let routine = Routine::new(&name, id, &prompt, first, every_ms, &gate)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    let store = home.store()?;
    let have = routine::list(&store, id).await?;
    if have.iter().any(|known| known.id == routine.id) {
        let message = format!("there is a routine {} already", routine.id);
        return Err(ApiError::new(409, "routine_exists", message).hint("DELETE it first"));
    }
    if have.len() >= routine::LIMIT as usize {
        let message = format!("there are {} routines already", routine::LIMIT);
        return Err(ApiError::new(409, "too_many_routines", message).hint("DELETE some"));
    }
    store.commit(routine.save()).await?;
    home.plan(id).await?;
    Ok(told(&routine)?.with_status(201))
}

/// Removes one and the records of its runs.
pub(crate) async fn remove(
    home: &Home,
    id: &SessionId,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    home.setup().await?;
    let name = incoming.path.rsplit('/').next().unwrap_or_default();
    if !routine::remove(&home.store()?, id, name).await? {
        return Err(ApiError::new(
            404,
            "no_such_routine",
            "there is no such routine in this session",
        ));
    }
    home.plan(id).await?;
    Ok(Response::empty()?.with_status(204))
}
