//! `shell`: one command, and nothing of it left behind.
//!
//! The command runs in the workspace directory, confined as the policy of the call asks for
//! ([`Programs`]), without a terminal, with standard input closed. It sees [`PASSED`] of the
//! environment and nothing else: keys and tokens that Tau was started with do not reach it.
//!
//! Output is read while the command runs, standard output and error through one pipe, so they are
//! in the order they were written; of a long output the first and the last part are kept.
//!
//! When the shell has exited, or its time is up, or the future is dropped, every process it started
//! is ended. A background process therefore lasts no longer than the call.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{PipeReader, Read},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use tau_core::{
    message::ToolStatus,
    tool::{ToolClass, ToolOutput, ToolRun, ToolSpec},
};
use tau_target_process::{
    Confinement, Ended, Exit, Input, Job, Output, Running, StartError, variables,
};
use tokio::{sync::oneshot, time::timeout};

use super::{
    output::{Fault, gap, plural},
    programs::{Programs, Requests, Started, limits},
};

/// The environment variables a command gets, and those whose name starts with `LC_`.
const PASSED: &[&str] = if cfg!(windows) {
    &[
        "PATH",
        "PATHEXT",
        "ComSpec",
        "SystemRoot",
        "SystemDrive",
        "TEMP",
        "TMP",
        "USERPROFILE",
        "USERNAME",
        "TZ",
    ]
} else {
    &["PATH", "HOME", "LANG", "TZ", "USER", "TMPDIR"]
};
/// What the last line may take of the output.
const NOTICE_BYTES: usize = 250;
/// How long the pipe is read after the last process of the tree was ended.
const DRAIN: Duration = Duration::from_millis(500);

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "shell",
        "Run a shell command in the workspace. No input; background processes end with it.",
        ToolClass::Execute,
        json!({
            "command": {"type": "string"},
            "timeout_ms": {"type": "integer", "minimum": 1},
        }),
        &["command"],
    )
}

#[derive(Deserialize)]
struct Arguments {
    command: String,
    timeout_ms: Option<u64>,
}

/// Where a command works, and what of that it must not write.
pub(super) struct Place {
    pub(super) workspace: PathBuf,
    pub(super) read_only: Vec<PathBuf>,
}

pub(super) async fn run<P: Programs>(
    programs: &P,
    place: Place,
    run: ToolRun,
) -> Result<ToolOutput, Fault> {
    let Arguments {
        command,
        timeout_ms,
    } = super::arguments(&run.arguments)?;
    let Some(how) = run.programs else {
        // Only a call that was decided about as one that starts programs says how.
        return Err(Fault::new("this call may not start programs"));
    };
    let limit = run.limits.timeout_ms;
    let millis = timeout_ms.map_or(limit, |asked| asked.min(limit));
    let room = usize::try_from(run.limits.output_bytes)
        .unwrap_or(usize::MAX)
        .saturating_sub(NOTICE_BYTES);

    let failed = |error| Fault::io("cannot start the shell", &error);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let job = Job {
        program: shell_command(&command),
        confinement: Confinement {
            workspace: place.workspace,
            read_only: place.read_only,
            hidden: Vec::new(),
            readable: Vec::new(),
            environment: environment().collect(),
            limits: limits(&how),
        },
        input: Input::Null,
        output: Output::Pipe(writer.try_clone().map_err(failed)?),
        errors: Output::Pipe(writer),
    };
    let Started {
        mut running,
        unsandboxed,
        requests,
    } = match programs.start(job, &how).await {
        Ok(started) => started,
        Err(StartError::Unavailable { reason, hint }) => return Ok(refused(&reason, &hint)),
        Err(StartError::Io(error)) => return Err(failed(error)),
    };
    let (captured, drained) = capture(reader, room);

    let exited = timeout(Duration::from_millis(millis), running.wait()).await;
    let ended = running.end().await;
    let exit = match exited {
        Ok(exit) => Some(exit.map_err(|error| Fault::io("lost the shell", &error))?),
        Err(_) => None,
    };
    // A process that could not be ended may hold the pipe for ever.
    let _ = timeout(DRAIN, drained).await;
    let notices = notices(exit, millis, &ended, unsandboxed);
    let mut output = report(&captured, exit, notices);
    if let Some(requests) = requests {
        output.text.push_str(&network(&requests));
    }
    Ok(output)
}

/// What the model reads where nothing was run.
fn refused(reason: &str, hint: &str) -> ToolOutput {
    ToolOutput {
        status: ToolStatus::Denied,
        ..ToolOutput::error(format!(
            "nothing was run: programs run in a sandbox (policy: sandbox = required), and there is none: {reason}. \
             The person can provide one ({hint}), or let programs run without: tau config set policy.sandbox best_effort"
        ))
    }
}

fn shell_command(command: &str) -> Vec<OsString> {
    let shell = if cfg!(windows) {
        ["cmd", "/C"]
    } else {
        ["sh", "-c"]
    };
    shell.into_iter().chain([command]).map(Into::into).collect()
}

fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    variables(PASSED).chain([("TERM".into(), "dumb".into())])
}

fn notices(
    exit: Option<Exit>,
    millis: u64,
    ended: &Ended,
    unsandboxed: Option<String>,
) -> Vec<String> {
    let mut notices = Vec::new();
    match exit {
        None => notices.push(format!("timed out after {millis} ms and was ended")),
        Some(Exit::Code(0)) => {}
        Some(Exit::Code(code)) => notices.push(format!("exit code {code}")),
        Some(Exit::Signal(signal)) => notices.push(format!("ended by signal {signal}")),
    }
    if ended.others > 0 && exit.is_some() {
        notices.push(format!(
            "{} left running: ended",
            plural(ended.others, "process", "processes")
        ));
    }
    if !ended.left.is_empty() {
        notices.push(format!("could not be ended: {}", ended.left.join(", ")));
    }
    if let Some(why) = unsandboxed {
        notices.push(format!("ran unsandboxed: {why}"));
    }
    notices
}

/// What is told of a program's requests.
fn network(requests: &Requests) -> String {
    let (told, more) = requests.told();
    let mut text: String = told
        .iter()
        .map(|line| format!("\n[network: {line}]"))
        .collect();
    if more > 0 {
        text.push_str(&format!("\n[network: {more} more]"));
    }
    text
}

fn report(captured: &Mutex<Captured>, exit: Option<Exit>, mut notices: Vec<String>) -> ToolOutput {
    let mut text = locked(captured).text();
    let status = match exit {
        None => ToolStatus::TimedOut,
        Some(Exit::Code(0)) => ToolStatus::Ok,
        Some(_) => ToolStatus::Error,
    };
    if text.is_empty() && notices.is_empty() {
        notices.push("no output".into());
    }
    if !notices.is_empty() {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("[{}]", notices.join("; ")));
    }
    ToolOutput {
        status,
        text,
        images: Vec::new(),
        labels: None,
        ran: None,
    }
}

/// Reads the pipe on a thread of its own until every writer is gone.
///
/// Not a thread of the runtime: a runtime waits for its threads, and this one waits for processes.
fn capture(mut reader: PipeReader, room: usize) -> (Arc<Mutex<Captured>>, oneshot::Receiver<()>) {
    let captured = Arc::new(Mutex::new(Captured::new(room)));
    let (done, drained) = oneshot::channel();
    let shared = Arc::clone(&captured);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => locked(&shared).push(&buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let _ = done.send(());
    });
    (captured, drained)
}

fn locked(captured: &Mutex<Captured>) -> MutexGuard<'_, Captured> {
    captured.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first and the last bytes of an output of any length.
struct Captured {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    left_out: u64,
}

impl Captured {
    fn new(room: usize) -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            half: room / 2,
            left_out: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(head);
        // Of the rest only what can stay: one read may be larger than the tail.
        let skipped = rest.len().saturating_sub(self.half);
        let overflow = (self.tail.len() + rest.len() - skipped).saturating_sub(self.half);
        self.tail.drain(..overflow);
        self.tail.extend(&rest[skipped..]);
        self.left_out += (skipped + overflow) as u64;
    }

    fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        if self.left_out == 0 {
            let mut whole = self.head.clone();
            whole.extend(tail);
            return String::from_utf8_lossy(&whole).into_owned();
        }
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&tail);
        // Cutting by bytes leaves halves of characters at both ends.
        let (head, tail) = (
            head.trim_end_matches('\u{fffd}'),
            tail.trim_start_matches('\u{fffd}'),
        );
        format!("{head}\n{}\n{tail}", gap(self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_keeps_its_start_and_its_end_in_bounded_memory() {
        for chunk in [1, 7, 64, 5_000] {
            let mut captured = Captured::new(100);
            let written: Vec<u8> = (0..20_000).map(|n| b'a' + (n % 26) as u8).collect();
            written.chunks(chunk).for_each(|bytes| captured.push(bytes));
            assert_eq!(captured.head, written[..50]);
            assert_eq!(captured.tail, &written[19_950..]);
            assert_eq!(captured.left_out, 19_900);
            assert!(captured.tail.capacity() < 10_000);
        }
    }

    #[test]
    fn an_output_that_fits_is_kept_whole_even_across_the_halves() {
        let mut captured = Captured::new(6);
        captured.push("a€€".as_bytes().split_at(5).0);
        captured.push(b"\xac");
        captured.push(b"");
        assert_eq!(captured.left_out, 0);
        assert_eq!(captured.text().chars().count(), 3);
    }
}
