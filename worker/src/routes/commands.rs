//! `POST …/approve`, `deny`, `interrupt`, `undo`, `redo`, `switch`, `branch`, `merge`, `compact`.

use futures_util::StreamExt;
use std::rc::Rc;
use tau_core::{
    ids::{CallId, EntryId, SessionId},
    json::{object_of, to_value},
    policy::Extent,
    session::{Command, CommandError, Event},
};
use worker::Response;

use crate::{
    errors::ApiError,
    fields::Fields,
    object::Home,
    routes::Verb,
    wire::{Incoming, told},
};

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
    let moves = [
        Verb::Undo,
        Verb::Redo,
        Verb::Switch,
        Verb::Branch,
        Verb::Merge,
    ];
    if !moves.contains(&verb) {
        let mark = object_of([("mark", before.to_string().into())]);
        return Ok(told(&mark)?.with_status(202));
    }
    let mut watch = live.watch(Some(before));
    while let Some((_, event)) = watch.next().await {
        match event {
            Event::Moved { head } => return Ok(told(&object_of([("head", to_value(&head))]))?),
            Event::Stopped { error } => return Err(error.into()),
            _ => {}
        }
    }
    Err(CommandError::Stopped.into())
}

fn command(verb: Verb, incoming: &Incoming) -> Result<Command, ApiError> {
    let mut fields = incoming.fields()?;
    let command = match verb {
        Verb::Approve => Command::Approve {
            call_id: CallId(fields.needed_text("call_id")?),
            extent: extent(&mut fields)?,
            digest: fields.text("digest")?,
        },
        Verb::Deny => Command::Deny {
            call_id: CallId(fields.needed_text("call_id")?),
            reason: fields.text("reason")?,
            absent: false,
        },
        Verb::Switch => match fields.text("name")? {
            Some(name) => Command::SwitchTo { name },
            None => Command::Switch {
                to: EntryId(fields.needed_text("to")?),
            },
        },
        Verb::Branch => Command::Branch {
            name: fields.needed_text("name")?,
            at: fields.text("at")?.map(EntryId),
        },
        Verb::Merge => Command::Merge {
            from: EntryId(fields.needed_text("from")?),
            how: fields.parsed("how")?.unwrap_or_default(),
        },
        Verb::Interrupt => Command::Interrupt,
        Verb::Undo => Command::Undo,
        Verb::Redo => Command::Redo,
        Verb::Compact => Command::Compact,
        _ => return Err(ApiError::new(404, "no_such_route", "this is no command")),
    };
    fields.end()?;
    Ok(command)
}

/// How far a yes reaches: no further than the session, whose object is all that would know of it.
fn extent(fields: &mut Fields) -> Result<Extent, ApiError> {
    match fields.parsed("extent")?.unwrap_or_default() {
        Extent::Always => Err(ApiError::invalid(
            "a yes reaches no further than its session here: say \"session\"",
        )
        .hint("begin the session with a policy that names the rule in \"approved\"")),
        extent => Ok(extent),
    }
}
