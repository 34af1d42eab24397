//! Tau in a Cloudflare Worker.
//!
//! ```text
//!            entry                         Directory (one a principal)
//! request ─> origin, token, route ───────> rate, list of sessions, memory
//!            │                             ^
//!            └──────────────> SessionObject (one a session) ─────> provider
//!                             store, alarm, the running session
//! ```
//!
//! Invariants:
//! - An object's name is made of the principal and the session: no request of one principal can
//!   name an object of another.
//! - What a session is, stands in its object's journal. An object that is evicted or killed is made
//!   again by the next request, or by its alarm with nobody connected, and goes on.
//! - The values of `TAU_TOKENS`, `TAU_API_KEY` and `TAU_IDENTITY_SEED` are in no answer, log or record.

mod activity;
mod ai;
mod auth;
mod config;
#[expect(
    missing_docs,
    reason = "the library's macro writes methods without any"
)]
mod directory;
mod embed;
mod entry;
mod errors;
mod fields;
mod host;
mod identity;
#[expect(
    missing_docs,
    reason = "the library's macro writes methods without any"
)]
mod object;
mod routes;
mod sse;
mod wire;

pub use directory::Directory;
pub use object::SessionObject;

use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    entry::answer(request, env).await
}
