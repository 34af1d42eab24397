//! `GET` and `POST /agents/inbox` for other agents; `GET /v1/letters` and `POST /v1/messages` for the
//! principal whose letters they are.
//!
//! Invariant: what comes without a token is a signed envelope or refused; the sender's address is what
//! Cloudflare says it is.

use tau_platform::messages::{Answer, PACKET_LIMIT_BYTES};
use worker::{Request, Response};

use super::{Route, well_known};
use crate::{
    auth::Principal,
    config::Settings,
    errors::ApiError,
    identity, inbox,
    wire::{Incoming, call},
};

/// Where other agents' messages go.
pub(crate) const PATH: &str = "/agents/inbox";

/// Answers another agent.
pub(crate) async fn public(
    settings: &Settings,
    request: Request,
    takes: bool,
) -> worker::Result<Response> {
    let answered = match takes {
        true => take(settings, request).await,
        false => who(settings).await,
    };
    let response = match answered {
        Ok(response) => response,
        Err(error) => error.response()?,
    };
    Ok(response)
}

/// Says who takes messages here.
async fn who(settings: &Settings) -> Result<Response, ApiError> {
    open(settings)?;
    let log = well_known::log(settings).await?;
    let response = Response::builder().with_header("content-type", "application/json")?;
    Ok(response.fixed(Answer::about(&log).to_bytes()))
}

async fn take(settings: &Settings, request: Request) -> Result<Response, ApiError> {
    open(settings)?;
    let place = request.headers().get("cf-connecting-ip")?;
    let place: String = place
        .unwrap_or_else(|| "unknown".into())
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':'))
        .take(64)
        .collect();
    let incoming = Incoming::read(request).await?;
    if incoming.body().len() > PACKET_LIMIT_BYTES {
        return Err(ApiError::new(
            413,
            "too_large",
            format!("a packet has at most {PACKET_LIMIT_BYTES} bytes"),
        ));
    }
    let keeper = identity::object_of(settings)?;
    call(
        &keeper,
        &format!("{}?{place}", inbox::TAKE),
        incoming.body(),
    )
    .await
}

/// Answers the principal whose letters they are.
pub(crate) async fn own(
    settings: &Settings,
    principal: &Principal,
    route: &Route,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    check(settings, Some(principal.name()))?;
    let path = match route {
        Route::Letters => inbox::LIST,
        _ => inbox::SEND,
    };
    call(&identity::object_of(settings)?, path, incoming.body()).await
}

/// Whether the letters are this principal's.
pub(super) fn check(settings: &Settings, principal: Option<&str>) -> Result<(), ApiError> {
    open(settings)?;
    match settings.inbox().as_deref() == principal {
        true => Ok(()),
        false => Err(ApiError::new(
            403,
            "not_your_inbox",
            "the letters of other agents are another principal's",
        )),
    }
}

fn open(settings: &Settings) -> Result<(), ApiError> {
    match settings.inbox() {
        Some(_) => Ok(()),
        None => Err(
            ApiError::new(404, "inbox_closed", "this agent takes no messages")
                .hint("the operator opens it: TAU_INBOX names the principal whose they are"),
        ),
    }
}
