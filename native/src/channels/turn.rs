//! One message and the turn it begins, in the session of its conversation.

use tau_core::session::{Command, CommandError, Event, Outcome, Received};

use super::{
    intake::not_taken,
    ledger::{Ledger, Waiting},
    reply,
};
use crate::{
    cli::{AgentFlags, Guest},
    conversation::{Begin, Conversation, Ended},
    exit::{Error, Exit},
    home::Home,
    printer::screened_line,
    sessions,
    ui::{self, Ui},
};

/// A message that was answered.
#[derive(Debug)]
pub(super) struct Answered {
    /// What its sender is told.
    pub(super) text: String,
    pub(super) session: String,
    pub(super) calls: usize,
    /// Why there is no answer, for the person whose agent it is.
    pub(super) error: Option<Error>,
}

/// Answers `waiting`, or finds the answer that another process left.
pub(super) async fn answer(
    channel: &str,
    ledger: &Ledger,
    waiting: &Waiting,
    flags: &AgentFlags,
    home: &Home,
    ui: Ui,
) -> Result<Answered, Error> {
    let seat = ledger
        .seat(&waiting.conversation, sessions::seed()?)
        .await?;
    let Some(seed) = seat.seed() else {
        let what = format!("the session of {:?} has no seed", seat.conversation);
        return Err(Error::new(Exit::Store, what));
    };
    let flags = AgentFlags {
        guest: Some(Guest {
            seed,
            memory: ledger.scope(&waiting.conversation),
        }),
        ..flags.clone()
    };
    let program = format!("tau channel run {channel}");
    let mut conversation = sessions::begin(&flags, home, ui.quietly(), &program).await?;
    let known = reply::turn_of(&conversation.session, channel, &waiting.id);
    let ended = match (known, conversation.session.is_running()) {
        // The process before came this far.
        (Some(_), false) => Ended::Done,
        (Some(_), true) => run(&mut conversation, Begin::Unfinished, ui).await,
        (None, is_running) => {
            if is_running {
                run(&mut conversation, Begin::Command(Command::Interrupt), ui).await;
            }
            let deliver = Command::Relay {
                received: Received {
                    channel: channel.into(),
                    id: waiting.id.clone(),
                    from: waiting.from.clone(),
                },
                text: waiting.text.clone(),
            };
            run(&mut conversation, Begin::Command(deliver), ui).await
        }
    };
    let session = conversation.id().to_string();
    let refused = |text: String| Answered {
        text,
        session: session.clone(),
        calls: 0,
        error: None,
    };
    match &ended {
        Ended::Refused(CommandError::Withheld { families }) => {
            return Ok(refused(not_taken(families)));
        }
        Ended::Refused(CommandError::PromptTooLarge { .. }) => {
            return Ok(refused(
                "Your message is too long for the model here.".into(),
            ));
        }
        Ended::Refused(_) | Ended::Stopped(_) | Ended::Abandoned => {
            let error = ended.error();
            return Err(error.unwrap_or_else(|| Error::internal("the turn did not end")));
        }
        Ended::Turn { .. } | Ended::Done => {}
    }
    let Some(turn) = reply::turn_of(&conversation.session, channel, &waiting.id) else {
        return Err(Error::internal("the message is not in its session"));
    };
    let (text, calls) = reply::of_turn(&conversation.session, turn);
    let error = match &ended {
        Ended::Turn { outcome, .. } if *outcome != Outcome::Answered => ended.error(),
        _ => None,
    };
    Ok(Answered {
        text,
        session,
        calls,
        error,
    })
}

/// Runs a turn; says what needs attention.
async fn run(conversation: &mut Conversation, begin: Begin, ui: Ui) -> Ended {
    let tell = |event: &Event| match event {
        Event::Screened { source, findings } => ui.warn(screened_line(source, findings)),
        Event::ToolDenied { name, refusal, .. } => ui.warn(format!(
            "{} denied: {}",
            ui::plain(name),
            ui::plain(&refusal.reason)
        )),
        Event::Notice { text } => ui.warn(ui::plain(text)),
        Event::Retrying { error, .. } => ui.note(ui::plain(error)),
        _ => {}
    };
    conversation.run(begin, tell).await
}
