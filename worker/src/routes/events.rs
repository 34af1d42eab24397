//! `GET …/events`: what happens in the session, as server-sent events.

use std::rc::Rc;
use tau_core::ids::SessionId;
use worker::Response;

use crate::{
    errors::ApiError,
    object::Home,
    sse::{self, Until, frame},
    wire::Incoming,
};

/// From the mark the client names, if events since then are kept; else a `view` of the session
/// comes first, then what is not stored yet.
pub(crate) async fn answer(
    home: &Rc<Home>,
    id: &SessionId,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let live = home.watched(id).await?;
    let after = incoming.after().and_then(|mark| mark.parse().ok());
    let watch = live.watch(after);
    let first = if watch.resumed {
        None
    } else {
        // Without an id: who loses the connection here has seen nothing to go on from.
        let view = tau_core::json::to_string(&home.stored(id).await?.view());
        Some(frame(None, "view", &view).into_bytes())
    };
    Ok(sse::response(watch, first, Until::RunEnds)?)
}
