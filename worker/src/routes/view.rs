//! `GET /v1/sessions/ID`: the session as a screen shows it.

use tau_core::ids::SessionId;
use worker::Response;

use crate::{errors::ApiError, object::Home, wire::told};

/// From what is stored, never from the running session: what is shown would survive a crash.
pub(crate) async fn answer(home: &Home, id: &SessionId) -> Result<Response, ApiError> {
    Ok(told(&home.stored(id).await?.view())?)
}
