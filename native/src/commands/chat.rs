//! `tau chat`: a conversation, turn by turn.

mod history;
mod lines;
mod slash;

use tau_core::{
    policy::{Action, Policy},
    safety::Gate,
    session::{Command, Event},
};
use tau_platform::Host;

use super::{
    block_on,
    session::{graph, moves},
};
use crate::{
    cli::AgentFlags,
    conversation::{Begin, Conversation, Ended},
    exit::{Error, Exit},
    home::Home,
    memory,
    printer::{Printer, Shape, usage_line},
    sessions,
    ui::{self, Ui},
};
use lines::{Lines, Typed};
use slash::Slash;

/// Hold a conversation.
///
/// Ctrl-C interrupts an answer; Ctrl-C or Ctrl-D on an empty prompt leaves. /help lists what else
/// can be done. Without a terminal each line of stdin is a message.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    agent: AgentFlags,
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Message,
    Leave,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        let mut conversation = sessions::begin(&args.agent, home, ui, "tau chat").await?;
        home.make()?;
        let lines = Lines::new(
            home.history_file(),
            Gate::new(conversation.session.policy()),
        );
        ui.note(format!(
            "session: {} (/help, Ctrl-D leaves)",
            conversation.id()
        ));
        if conversation.session.is_running() {
            ui.warn("going on with the turn that was left unfinished");
            turn(&mut conversation, Begin::Unfinished).await?;
        }
        loop {
            let access = conversation.session.config().memory.clone();
            let idle = memory::catch_up_idly(conversation.host.memory(), access.as_ref());
            let typed = tokio::select! {
                typed = lines.next() => typed,
                () = idle => continue,
                _ = conversation.signals.next() => {
                    // The editor gives the terminal back before it returns.
                    lines.stop();
                    if lines.editing {
                        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    }
                    Typed::Leave
                }
            };
            match typed {
                Typed::Leave => return Ok(Exit::Ok),
                Typed::Wrong(why) => ui.warn(format!("{why}: it is left out")),
                Typed::Broken(why) => {
                    return Err(Error::usage("standard input cannot be read").cause(why));
                }
                Typed::Text(text) => {
                    if message(&mut conversation, text.trim()).await? == Next::Leave {
                        return Ok(Exit::Ok);
                    }
                }
            }
        }
    })?
}

async fn message(conversation: &mut Conversation, text: &str) -> Result<Next, Error> {
    let ui = conversation.ui;
    if text.is_empty() {
        return Ok(Next::Message);
    }
    // A path is no command.
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.starts_with('/') || first.trim_start_matches('/').contains('/') {
        let text = text.to_owned();
        let images = Vec::new();
        turn(
            conversation,
            Begin::Command(Command::Prompt { text, images }),
        )
        .await?;
        return Ok(Next::Message);
    }
    match slash::read(text) {
        Err(why) => ui.warn(why),
        Ok(Slash::Quit) => return Ok(Next::Leave),
        Ok(Slash::Help) => ui.tell(slash::HELP),
        Ok(Slash::Session) => show_session(conversation),
        Ok(Slash::Model) => {
            for model in &conversation.session.config().models {
                ui.tell(format!("{} {}", model.name, ui::dim(&model.base_url)));
            }
        }
        Ok(Slash::Tools) => show_tools(conversation),
        Ok(Slash::Policy(None)) => {
            let policy = conversation.session.policy();
            ui.tell(format!("{} (/tools shows what it means)", policy.preset));
        }
        Ok(Slash::Policy(Some(preset))) => {
            let policy = Policy {
                preset,
                ..conversation.session.policy().clone()
            };
            turn(conversation, Begin::Command(Command::SetPolicy { policy })).await?;
            ui.tell(format!("policy: {}", conversation.session.policy().preset));
        }
        Ok(Slash::Undo) => {
            moved(conversation, Command::Undo).await?;
            ui.note(moves::OUTSIDE);
        }
        Ok(Slash::Redo) => moved(conversation, Command::Redo).await?,
        Ok(Slash::Branch(None)) => {
            moves::list_branches(ui, &conversation.session.graph(), false);
        }
        Ok(Slash::Graph) => {
            let lines = graph::lines(&conversation.session.graph());
            lines.into_iter().for_each(|line| ui.tell(line));
        }
        Ok(Slash::Branch(Some(name))) => {
            moved(conversation, Command::Branch { name, at: None }).await?;
        }
        Ok(Slash::Bookmark(name)) => {
            moved(conversation, Command::Bookmark { name, at: None }).await?;
        }
        Ok(Slash::Rename(to)) => {
            moved(conversation, Command::Rename { from: None, to }).await?;
        }
        Ok(Slash::Switch(to)) => match moves::switch(&conversation.session, to) {
            Ok(command) => moved(conversation, command).await?,
            Err(error) => ui.error(&error),
        },
        Ok(Slash::Merge(from, squash)) => match moves::find(&conversation.session, &from) {
            Ok(from) => {
                let how = moves::how(squash);
                moved(conversation, Command::Merge { from, how }).await?;
            }
            Err(error) => ui.error(&error),
        },
        Ok(Slash::Compact) => turn(conversation, Begin::Command(Command::Compact)).await?,
    }
    Ok(Next::Message)
}

/// Carries out what asks no model, and says where the conversation stands then.
async fn moved(conversation: &mut Conversation, command: Command) -> Result<(), Error> {
    turn(conversation, Begin::Command(command)).await?;
    conversation.ui.note(moves::sentence(&conversation.session));
    Ok(())
}

/// Runs and shows one turn. What failed is said; the conversation goes on where it can.
async fn turn(conversation: &mut Conversation, begin: Begin) -> Result<(), Error> {
    let ui = conversation.ui;
    let config = conversation.session.config();
    let model = config
        .models
        .first()
        .map(|model| model.name.clone())
        .unwrap_or_default();
    let compacting = matches!(begin, Begin::Command(Command::Compact));
    let mut printer = Printer::new(ui, Shape::text(), &model);
    let ended = conversation
        .run(begin, |event: &Event| printer.event(event))
        .await;
    let id = conversation.id().clone();
    let error = printer.end(&id, &ended);
    match &ended {
        Ended::Abandoned => {
            return Err(error.unwrap_or_else(|| Error::new(Exit::Interrupted, "interrupted")));
        }
        Ended::Stopped(_) => {
            if let Some(error) = &error {
                ui.error(error);
            }
            conversation.reopen().await?;
            ui.warn("the session was opened again as it is stored; say it once more");
            if conversation.session.is_running() {
                let _ = conversation
                    .run(Begin::Command(Command::Interrupt), |_| {})
                    .await;
            }
        }
        Ended::Refused(_) | Ended::Turn { .. } => match error {
            Some(error) => ui.error(&error),
            None if compacting => ui.tell("summarised"),
            None => {}
        },
        Ended::Done => {}
    }
    Ok(())
}

fn show_session(conversation: &Conversation) {
    let summary = conversation.session.summary();
    let ui = conversation.ui;
    ui.tell(format!(
        "{} {}",
        summary.session,
        ui::dim(ui::one_line(&summary.title, 60))
    ));
    ui.tell(format!(
        "{} turns, {} messages, {}",
        summary.turns,
        summary.entries,
        usage_line(conversation.session.usage())
    ));
}

fn show_tools(conversation: &Conversation) {
    let policy = conversation.session.policy();
    for tool in conversation.session.tools() {
        let (action, rule) = policy.action(tool);
        let action = match action {
            Action::Allow => ui::good(action.name()),
            Action::Ask => ui::caution(action.name()),
            Action::Deny => ui::bad(action.name()),
        };
        conversation
            .ui
            .tell(format!("{:<10} {action} {}", tool.name, ui::dim(rule)));
    }
}
