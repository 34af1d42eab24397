//! `GET` and `POST /v1/memory`: what a principal's sessions remember, asked by the principal.
//!
//! `GET` lists the entries. The body of a `POST` is one action as the core writes it, such as
//! `{"do": "search", "query": "tea"}`; what is to be kept passes the gate first.

use tau_core::{
    json,
    memory::{Action, Failure, MemoryError, Request, request::Narrow},
    policy::Policy,
    safety::Gate,
};
use tau_platform::MemoryTools;
use worker::Response;

use crate::{
    config::memory_access,
    directory::Memory,
    errors::ApiError,
    wire::{Incoming, told},
};

/// The path inside of the Worker.
pub(crate) const PATH: &str = "/memory";

/// Answers both.
pub(crate) async fn answer(
    memory: &Memory,
    policy: &Policy,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let action = match incoming.body().is_empty() {
        true => Action::List {
            narrow: Narrow::default(),
            limit: None,
            forgotten: false,
        },
        false => json::from_slice::<Action>(incoming.body())?
            .through(&Gate::new(policy))
            .map_err(Failure::from)?,
    };
    let access = memory_access();
    let reply = memory.serve(Request { access, action }).await?;
    Ok(told(&reply)?)
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Refused {
                error: MemoryError::Withheld { .. },
            } => Self::new(422, "memory_withheld", message),
            Failure::Refused {
                error: MemoryError::Full { .. },
            } => Self::new(409, "memory_full", message).hint("forget some entries"),
            Failure::Refused { .. } | Failure::BadQuery { .. } | Failure::NoScope { .. } => {
                Self::new(422, "invalid_memory", message)
            }
            Failure::Missing { .. } => Self::new(404, "no_memory", message),
            Failure::Ambiguous { .. } => Self::new(409, "ambiguous", message),
            Failure::NoVectors { .. } => Self::new(503, "no_vectors", message),
            Failure::Store { error } => error.into(),
            Failure::Damaged { .. } => Self::new(500, "memory_damaged", message),
        }
    }
}
