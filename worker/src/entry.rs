//! The way in: origin, then token, then route; what is left goes to an object.
//!
//! Invariant: nothing is looked up, read or written for a request that was not let in; but who the
//! agent is, everybody is told, and what another agent signed is taken from anybody.

use futures_util::FutureExt;
use tau_core::json::{object_of, to_vec};
use worker::{Env, Headers, Method, Request, Response, web_sys};

use crate::{
    auth::Principal,
    config::Settings,
    errors::ApiError,
    routes::{self, Route, Verb, begin},
    wire::{Incoming, call, object, told},
};

/// Answers one request from outside.
pub(crate) async fn answer(request: Request, env: Env) -> worker::Result<Response> {
    let settings = Settings::new(env);
    if let Ok(Route::Public(what)) = routes::parse(&request.inner().method(), &request.path()) {
        let url = request.inner().url();
        let answer = routes::well_known::answer(&settings, what, &url);
        return answer.boxed_local().await;
    }
    if let Ok(route @ (Route::Who | Route::Inbox)) =
        routes::parse(&request.inner().method(), &request.path())
    {
        let answer = routes::message::public(&settings, request, route == Route::Inbox);
        return answer.boxed_local().await;
    }
    let origin = request.headers().get("origin")?;
    if let Some(origin) = &origin
        && !settings.allows_origin(origin)
    {
        let refused = ApiError::new(403, "foreign_origin", "pages of this origin may not call")
            .hint("add it to TAU_ALLOWED_ORIGINS");
        return opened(refused.response()?, None);
    }
    let is_preflight =
        origin.is_some() && request.headers().has("access-control-request-method")?;
    let response = if request.method() == Method::Options && is_preflight {
        preflight()?
    } else {
        match admitted(request, &settings).await {
            Ok(response) => response,
            Err(error) => error.response()?,
        }
    };
    opened(response, origin.as_deref())
}

async fn admitted(request: Request, settings: &Settings) -> Result<Response, ApiError> {
    let method = request.inner().method();
    let route = routes::parse(&method, &request.path());
    if matches!(route, Ok(Route::Health)) {
        let version = env!("CARGO_PKG_VERSION").into();
        return Ok(told(&object_of([
            ("name", "tau".into()),
            ("version", version),
        ]))?);
    }
    let authorization = request.headers().get("authorization")?;
    let principal = settings.tokens()?.principal(authorization.as_deref())?;
    let route = route?;
    let incoming = Incoming::read(request).await?;

    let directory = object(&settings.directories()?, principal.name())?;
    match route {
        Route::Health | Route::Public(_) | Route::Who | Route::Inbox => Err(ApiError::no_session()),
        Route::Letters | Route::Send => {
            let answer = routes::message::own(settings, &principal, &route, &incoming);
            answer.boxed_local().await
        }
        Route::List => call(&directory, "/list", b"").await,
        Route::Memory => call(&directory, routes::memory::PATH, incoming.body()).await,
        // Verified where what its principal knows of others is.
        Route::Import => incoming.forward(&directory, &principal).await,
        // Apart from the others, as it is the longest and no prompt waits for it to be compiled.
        Route::Begin => {
            let begun = begin::answer(settings, &principal, &directory, &incoming);
            begun.boxed_local().await
        }
        // Whether it may be asked now, the session's object finds out while it opens the session.
        Route::Session(id, verb) => {
            let stub = object(&settings.sessions()?, &object_name(&principal, &id.0))?;
            let response = incoming.forward(&stub, &principal).await?;
            if verb != Verb::Delete || !matches!(response.status_code(), 204 | 404) {
                return Ok(response);
            }
            // A session that is listed and has nothing stored was half begun: it goes as well.
            let forgotten = to_vec(&object_of([("session", id.0.into())]));
            let forgotten = call(&directory, "/forget", &forgotten).await?;
            if response.status_code() == 404 && forgotten.status_code() == 404 {
                return Ok(response);
            }
            Ok(Response::empty()?.with_status(204))
        }
    }
}

/// What the object of a session is called. A principal's name has no slash.
pub(crate) fn object_name(principal: &Principal, session: &str) -> String {
    format!("{}/{session}", principal.name())
}

fn preflight() -> worker::Result<Response> {
    let response = Response::empty()?.with_status(204);
    let headers = response.headers();
    headers.set("access-control-allow-methods", "GET, POST, DELETE")?;
    headers.set(
        "access-control-allow-headers",
        "authorization, content-type, last-event-id",
    )?;
    headers.set("access-control-max-age", "600")?;
    Ok(response)
}

/// The response with what pages of `origin` need to read it. Headers of a response that came from
/// an object cannot be changed, so they are copied.
fn opened(response: Response, origin: Option<&str>) -> worker::Result<Response> {
    let copied = web_sys::Headers::new_with_headers(&response.headers().0);
    let headers = Headers(copied.map_err(worker::Error::from)?);
    headers.append("vary", "Origin")?;
    if let Some(origin) = origin {
        headers.set("access-control-allow-origin", origin)?;
        headers.set("access-control-expose-headers", "retry-after")?;
    }
    headers.set("x-content-type-options", "nosniff")?;
    Ok(response.with_headers(headers))
}
