//! `POST …/approve`, `deny`, `interrupt`, `undo`, `redo`, `switch`, `compact`.

use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use std::rc::Rc;
use tau_core::{
    ids::{CallId, EntryId, SessionId},
    session::{Command, CommandError, Event},
};
use worker::Response;

use crate::{errors::ApiError, object::Home, routes::Verb, wire::Incoming};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    call_id: CallId,
    #[serde(default)]
    for_session: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deny {
    call_id: CallId,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    to: EntryId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Hands the command to the session. Moving in the conversation is answered once it is stored.
pub(crate) async fn answer(
    home: &Rc<Home>,
    id: &SessionId,
    verb: Verb,
    incoming: &Incoming,
) -> Result<Response, ApiError> {
    let command = command(verb, incoming)?;
    let live = home.live(id).await?;
    let before = live.mark();
    live.submit(command).await?;
    if !matches!(verb, Verb::Undo | Verb::Redo | Verb::Switch) {
        let mark = json!({ "mark": before.to_string() });
        return Ok(Response::from_json(&mark)?.with_status(202));
    }
    let mut watch = live.watch(Some(before));
    while let Some((_, event)) = watch.next().await {
        match event {
            Event::Moved { head } => return Ok(Response::from_json(&json!({ "head": head }))?),
            Event::Stopped { error } => return Err(error.into()),
            _ => {}
        }
    }
    Err(CommandError::Stopped.into())
}

fn command(verb: Verb, incoming: &Incoming) -> Result<Command, ApiError> {
    let plain = |command| {
        let Nothing {} = incoming.json()?;
        Ok(command)
    };
    match verb {
        Verb::Approve => {
            let Approve {
                call_id,
                for_session,
            } = incoming.json()?;
            Ok(Command::Approve {
                call_id,
                for_session,
            })
        }
        Verb::Deny => {
            let Deny { call_id, reason } = incoming.json()?;
            Ok(Command::Deny { call_id, reason })
        }
        Verb::Switch => {
            let Switch { to } = incoming.json()?;
            Ok(Command::Switch { to })
        }
        Verb::Interrupt => plain(Command::Interrupt),
        Verb::Undo => plain(Command::Undo),
        Verb::Redo => plain(Command::Redo),
        Verb::Compact => plain(Command::Compact),
        _ => Err(ApiError::new(404, "no_such_route", "this is no command")),
    }
}
