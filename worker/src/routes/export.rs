//! `GET …/export`: the session's records as they are stored, as `tau session export` prints them.

use tau_core::ids::SessionId;
use tau_platform::open::{self, OpenError};
use worker::Response;

use crate::{errors::ApiError, object::Home};

/// One record a line, then the line with their number and the last one's hash.
pub(crate) async fn answer(home: &Home, id: &SessionId) -> Result<Response, ApiError> {
    home.setup().await?;
    let storage = home.store()?;
    let stored = match open::load(&storage, id).await {
        Err(OpenError::Missing(_)) => {
            return Err(ApiError::new(
                409,
                "nothing_to_export",
                "nothing was said in this session yet",
            ));
        }
        stored => stored?,
    };
    let response = Response::from_bytes(stored.export())?;
    let headers = response.headers();
    headers.set("content-type", "application/jsonl")?;
    headers.set("cache-control", "no-store")?;
    Ok(response)
}
