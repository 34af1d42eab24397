//! `tau run`: one turn.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use tau_core::{message::Image, session::Command};
use tau_platform::Host;

use super::block_on;
use crate::{
    cli::AgentFlags,
    conversation::{Begin, Conversation, Ended},
    exit::{Error, Exit},
    home::Home,
    memory,
    printer::{Printer, Shape},
    sessions,
    ui::Ui,
};

/// Bytes of a prompt, whatever the model takes.
const PROMPT_BYTES: usize = 1 << 20;
/// Bytes of a picture.
const IMAGE_BYTES: usize = 10 << 20;
/// How long a prompt waits for the first byte of a pipe beside it.
const PIPE_PATIENCE: Duration = Duration::from_secs(3);

/// Ask once and print the answer.
///
/// Only the answer goes to stdout; which model was taken, tool calls, questions and usage go to
/// stderr. Piped input is added to the prompt. With --session and no prompt, the turn that was left
/// unfinished goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is wanted; `-` reads it from stdin.
    prompt: Option<String>,
    /// Print one JSON object: answer, session, model, usage, tool calls.
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// Print every event as a line of JSON, and that object last.
    #[arg(long)]
    jsonl: bool,
    /// Print the answer as it is written, into a pipe, too.
    #[arg(long, conflicts_with_all = ["json", "jsonl"])]
    stream: bool,
    /// Send a picture along (PNG, JPEG, GIF, WebP); may be repeated.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    #[command(flatten)]
    agent: AgentFlags,
}

/// Whether nothing is piped in.
pub(crate) fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let images = args
        .image
        .iter()
        .map(|file| image(file))
        .collect::<Result<Vec<_>, _>>()?;
    let existing = args.agent.which.session.is_some() || args.agent.which.latest;
    let optional = existing || !images.is_empty();
    let prompt = prompt(args.prompt.as_deref(), optional, ui)?;
    if prompt.is_none() && images.is_empty() && !existing {
        return Err(
            Error::usage("there is no prompt").hint("say what you want: tau \"list the files\"")
        );
    }
    let shape = match (args.json, args.jsonl, args.stream) {
        (true, ..) => Shape::Json,
        (_, true, _) => Shape::JsonLines,
        (.., true) => Shape::Stream,
        _ => Shape::text(),
    };
    block_on(async {
        let mut conversation = sessions::begin(&args.agent, home, ui, "tau run").await?;
        let begin = match prompt {
            None if images.is_empty() => {
                if !conversation.session.is_running() {
                    return Err(
                        Error::usage("nothing is unfinished in this session").hint("add a prompt")
                    );
                }
                ui.note("going on with the unfinished turn");
                Begin::Unfinished
            }
            text => {
                interrupt_unfinished(&mut conversation, ui).await?;
                let text = text.unwrap_or_default();
                Begin::Command(Command::Prompt { text, images })
            }
        };
        turn(&mut conversation, begin, shape).await
    })?
}

/// Runs and shows one turn; an error was not shown yet, but told in JSON where that was asked for.
pub(super) async fn turn(
    conversation: &mut Conversation,
    begin: Begin,
    shape: Shape,
) -> Result<Exit, Error> {
    let config = conversation.session.config();
    let model = config
        .models
        .first()
        .map(|model| model.name.clone())
        .unwrap_or_default();
    let ui = conversation.ui;
    let mut printer = Printer::new(ui, shape, &model);
    let ended = conversation.run(begin, |event| printer.event(event)).await;
    let id = conversation.id().clone();
    let error = printer.end(&id, &ended);
    if !matches!(ended, Ended::Refused(_)) {
        ui.note(format!("session: {id}"));
    }
    let access = conversation.session.config().memory.clone();
    memory::catch_up_briefly(conversation.host.memory(), access.as_ref()).await;
    match error {
        None => Ok(Exit::Ok),
        Some(error) => {
            ui.error(&error);
            Ok(error.exit)
        }
    }
}

/// A new prompt takes the place of what the process before left unfinished.
pub(super) async fn interrupt_unfinished(
    conversation: &mut Conversation,
    ui: Ui,
) -> Result<(), Error> {
    if !conversation.session.is_running() {
        return Ok(());
    }
    ui.warn("the last turn was left unfinished: it is interrupted, what it said and did is kept");
    match conversation
        .run(Begin::Command(Command::Interrupt), |_| {})
        .await
    {
        ended @ (Ended::Refused(_) | Ended::Stopped(_) | Ended::Abandoned) => Err(ended
            .error()
            .unwrap_or_else(|| Error::internal("interrupting failed"))),
        Ended::Turn { .. } | Ended::Done => Ok(()),
    }
}

/// The prompt, with what is piped in; `None` when there is neither. Where it is `optional`, a silent
/// pipe is no reason to wait.
fn prompt(argument: Option<&str>, optional: bool, ui: Ui) -> Result<Option<String>, Error> {
    let text = match argument {
        Some("-") => Some(piped(None)?.unwrap_or_default()),
        Some(prompt) if stdin_may_hold_more() => match piped(Some((PIPE_PATIENCE, ui)))? {
            Some(more) if !more.trim().is_empty() => Some(format!("{prompt}\n\n{more}")),
            _ => Some(prompt.to_owned()),
        },
        Some(prompt) => Some(prompt.to_owned()),
        None if stdin_may_hold_more() => {
            piped(optional.then_some((PIPE_PATIENCE, ui)))?.filter(|text| !text.trim().is_empty())
        }
        None => None,
    };
    match &text {
        Some(text) if text.trim().is_empty() && !optional => {
            Err(tau_core::session::CommandError::EmptyPrompt.into())
        }
        Some(text) if text.len() > PROMPT_BYTES => {
            Err(Error::usage("the prompt is larger than 1 MiB")
                .hint("put the text into a file of the workspace and ask to read it"))
        }
        _ => Ok(text),
    }
}

/// Whether stdin is a file or a pipe; `/dev/null` and terminals hold nothing to add.
fn stdin_may_hold_more() -> bool {
    #[cfg(unix)]
    {
        use std::os::{fd::AsFd, unix::fs::FileTypeExt};
        let stdin = io::stdin().as_fd().try_clone_to_owned().map(fs::File::from);
        stdin
            .and_then(|stdin| stdin.metadata())
            .is_ok_and(|meta| !meta.file_type().is_char_device())
    }
    #[cfg(not(unix))]
    {
        !stdin_is_terminal()
    }
}

/// All of stdin. With a limit on patience, a pipe that gives nothing for so long is left alone.
fn piped(patience: Option<(Duration, Ui)>) -> Result<Option<String>, Error> {
    if let Some((patience, ui)) = patience
        && !has_input(patience)
    {
        ui.warn("nothing came on stdin: going on without it (`tau run -` waits for it)");
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // One more than is taken, so that too much is told as such.
    let read = io::stdin()
        .lock()
        .take(PROMPT_BYTES as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(|error| Error::usage("stdin cannot be read").cause(error))?;
    let too_long = bytes.len() > PROMPT_BYTES;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        // Cut in the middle of a character; the length is what is wrong.
        Err(error) if too_long => Ok(Some(String::from_utf8_lossy(error.as_bytes()).into_owned())),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(
                Error::usage(format!("stdin is not UTF-8 text: byte {at} is wrong"))
                    .hint("save it as a file of the workspace and ask about the file"),
            )
        }
    }
}

/// Whether stdin has something, or has ended, before `patience` runs out.
#[cfg(unix)]
fn has_input(patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let patience = Timespec::try_from(patience).ok();
    let stdin = rustix::stdio::stdin();
    poll(&mut [PollFd::new(&stdin, PollFlags::IN)], patience.as_ref()) != Ok(0)
}

#[cfg(not(unix))]
fn has_input(_: Duration) -> bool {
    true
}

fn image(file: &Path) -> Result<Image, Error> {
    let name = file.display();
    let bytes = fs::read(file)
        .map_err(|error| Error::usage(format!("{name} cannot be read")).cause(error))?;
    if bytes.len() > IMAGE_BYTES {
        return Err(Error::usage(format!("{name} has {} bytes", bytes.len()))
            .hint("pictures of up to 10 MiB are sent"));
    }
    let mime = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "image/webp",
        _ => {
            return Err(
                Error::usage(format!("{name} is no picture that models take"))
                    .hint("PNG, JPEG, GIF and WebP are"),
            );
        }
    };
    Ok(Image {
        mime: mime.into(),
        data: STANDARD.encode(bytes),
    })
}
