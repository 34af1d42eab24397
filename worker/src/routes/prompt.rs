//! `POST …/prompt`: begins a turn.

use futures_util::StreamExt;
use std::rc::Rc;
use tau_core::{
    ids::SessionId,
    json::object_of,
    message::Image,
    session::{Command, CommandError, Event},
};
use tau_platform::live::{Mark, Watch};
use worker::Response;

use crate::{
    errors::ApiError,
    object::Home,
    sse::{self, Until},
    wire::{Incoming, told},
};

/// Bytes of a prompt's text; pictures have the rest of the body.
const TEXT_LIMIT_BYTES: usize = 256 * 1024;

/// The turn as server-sent events where the client takes them; else where to watch it from, once
/// its prompt is stored.
pub(crate) async fn answer(
    home: &Rc<Home>,
    id: &SessionId,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let mut fields = incoming.fields()?;
    let text = fields.needed_text("text")?;
    let images: Option<Vec<Image>> = fields.parsed("images")?;
    fields.end()?;
    if text.len() > TEXT_LIMIT_BYTES {
        return Err(ApiError::new(
            413,
            "too_large",
            format!(
                "the text has {} bytes, at most {TEXT_LIMIT_BYTES} are taken",
                text.len()
            ),
        ));
    }
    home.need_room(id).await?;
    let live = home.live(id).await?;
    let before = live.mark();
    let images = images.unwrap_or_default();
    home.begin_to_work();
    let taken = live.submit(Command::Prompt { text, images }).await;
    taken.inspect_err(|_| home.work_changed())?;
    let watch = live.watch(Some(before));
    match incoming.accepts_events() {
        true => Ok(sse::response(watch, None, Until::TurnEnds)?),
        false => begun(watch, before).await,
    }
}

/// Where to watch a turn from, once what it begins with is stored.
pub(super) async fn begun(mut watch: Watch, before: Mark) -> Result<Response, ApiError> {
    while let Some((_, event)) = watch.next().await {
        match event {
            Event::TurnStarted { .. } => {
                let mark = object_of([("mark", before.to_string().into())]);
                return Ok(told(&mark)?.with_status(202));
            }
            Event::Stopped { error } => return Err(error.into()),
            _ => {}
        }
    }
    Err(CommandError::Stopped.into())
}
