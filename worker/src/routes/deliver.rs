//! `POST …/deliver`: gives a letter to the session, which answers it in a turn.

use std::rc::Rc;
use tau_core::{ids::SessionId, json, message::Letter, session::Command};
use worker::Response;

use super::{message::check, prompt::begun};
use crate::{
    errors::ApiError,
    identity,
    inbox::{GIVE, Given, KEEP},
    object::Home,
    wire::{Incoming, call},
};

/// Hands the letter to the session; answers once it is stored there.
pub(crate) async fn answer(
    home: &Rc<Home>,
    id: &SessionId,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let settings = &home.settings;
    check(settings, incoming.principal.as_deref())?;
    let mut fields = incoming.fields()?;
    let given = Given {
        letter: fields.needed_text("letter")?,
        session: id.clone(),
    };
    fields.end()?;
    home.need_room(id).await?;
    let keeper = identity::object_of(settings)?;
    let given = json::to_vec(&given);
    let mut answered = call(&keeper, GIVE, &given).await?;
    if answered.status_code() != 200 {
        return Ok(answered);
    }
    let letter = Letter::read(&answered.bytes().await?)?;
    let live = home.live(id).await?;
    let before = live.mark();
    home.begin_to_work();
    let letter = Box::new(letter);
    if let Err(error) = live.submit(Command::Deliver { letter }).await {
        home.work_changed();
        call(&keeper, KEEP, &given).await?;
        return Err(error.into());
    }
    begun(live.watch(Some(before)), before).await
}
