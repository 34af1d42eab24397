//! Giving a letter to a session.

use tau_core::session::Command;
use tau_platform::{Host, messages};

use crate::{
    cli::AgentFlags,
    commands::run::{interrupt_unfinished, turn},
    conversation::{Begin, Conversation},
    exit::{Error, Exit},
    home::Home,
    messages::of_message,
    printer::Shape,
    sessions,
    ui::Ui,
};

/// Which letter, and the session it is given to.
///
/// The session reads it as content of another agent. Nobody has to be there: what needs a yes is
/// denied then.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The letter's name, as `tau message list` prints it [default: the oldest unread].
    letter: Option<String>,
    /// Print one JSON object, as `tau run --json` does.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    agent: AgentFlags,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let storage = home.store()?;
    let name = match args.letter {
        Some(name) => name,
        None => {
            let mut unread = messages::list(&storage, None, true)
                .await
                .map_err(of_message)?;
            unread.sort_by_key(|held| held.letter.received());
            let first = unread.into_iter().next();
            first
                .ok_or_else(|| Error::usage("there is no unread letter"))?
                .name
        }
    };
    let mut conversation = sessions::begin(&args.agent, home, ui, "tau message").await?;
    let shape = match args.json {
        true => Shape::Json,
        false => Shape::text(),
    };
    deliver(&mut conversation, &name, shape).await
}

/// Gives the letter of that name to the session, which answers it in a turn. That it was given is
/// stored first: a crash does not give it twice.
pub(super) async fn deliver(
    conversation: &mut Conversation,
    name: &str,
    shape: Shape,
) -> Result<Exit, Error> {
    let ui = conversation.ui;
    interrupt_unfinished(conversation, ui).await?;
    let storage = conversation.host.storage().clone();
    let held = messages::read(&storage, name).await.map_err(of_message)?;
    let held = held.ok_or_else(|| {
        Error::usage(format!("there is no letter {name:?}")).hint("`tau message list` names them")
    })?;
    if let Some(session) = held.session {
        return Err(Error::usage(format!(
            "session {session} was given this letter already"
        )));
    }
    let marked = messages::mark_done(&storage, name, conversation.id()).await;
    marked.map_err(of_message)?;
    let letter = Box::new(held.letter);
    let entries = conversation.session.entries().len();
    let done = turn(
        conversation,
        Begin::Command(Command::Deliver { letter }),
        shape,
    )
    .await;
    if conversation.session.entries().len() == entries {
        // It was not taken: somebody may give it to another session.
        messages::unmark(&storage, name).await.map_err(of_message)?;
    }
    done
}
