//! A session: commands in, effects and events out.

mod command;
mod config;
mod effect;
mod event;

pub use command::{Command, CommandError};
pub use config::{Budgets, Config, Retry};
pub use effect::{
    Answer, Batch, Effect, GenerateError, HeaderValue, HttpError, HttpHead, HttpRequest, Range,
    StoreError,
};
pub use event::{Budget, Event, Failure, FailureKind, Outcome};
