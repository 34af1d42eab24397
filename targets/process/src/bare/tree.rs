//! Ending a command with everything it started.
//!
//! On Linux a process belongs to a call when any of these holds, so that leaving one is not enough
//! to escape: it descends from the call's shell, is in the shell's session or process group, has the
//! call's mark in its environment, or has the call's mark as its limit of resident memory. The last
//! is a resource limit that Linux keeps and inherits but does not apply; it survives `setsid`, double
//! forks and `env -i`. What escapes is a process that does all of this on purpose: forks twice,
//! starts a session, clears its environment and lowers that limit. Processes are ended by handle
//! (`pidfd`) after their start time was checked, so an id that was given to another program in the
//! meantime is not hit, and the search is repeated until it finds nothing.
//!
//! None of this needs privileges or changes the host process. Another user's processes (`sudo`,
//! where allowed) are found but cannot be ended; they are named in the result.
//!
//! On other Unix systems the session's process group is ended, on Windows the job.

use std::{ffi::OsString, io};

use tokio::process::Command;

#[cfg(target_os = "linux")]
use super::linux::{self, end};
use crate::Ended;

/// What sets the processes of one call apart from all others.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// In the environment.
    pub(super) id: String,
    /// As the limit of resident memory, in KiB: an absurdly large number.
    pub(super) resident_kib: u64,
}

impl Mark {
    /// The environment variable that holds the mark, behind those of the calls around this one.
    pub(super) const VARIABLE: &str = "TAU_CALL";

    /// A mark that nobody has.
    pub(super) fn new() -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        Ok(Self {
            id: format!("{random:016x}"),
            // Between 2^51 and 2^52: in bytes it fits the limit's type, and no machine reaches it.
            resident_kib: (1 << 51) | (random & ((1 << 51) - 1)),
        })
    }

    /// The value of [`Self::VARIABLE`].
    pub(super) fn variable(&self) -> String {
        match std::env::var(Self::VARIABLE) {
            // Tau runs inside a call of another Tau, which must find our processes too.
            Ok(outer) => format!("{outer}:{}", self.id),
            Err(_) => self.id.clone(),
        }
    }

    /// What starts `program` with the mark.
    pub(super) fn command(&self, program: &[OsString]) -> io::Result<Command> {
        let [name, arguments @ ..] = program else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no program is named",
            ));
        };
        let mut command = if cfg!(target_os = "linux") {
            let take = format!("ulimit -m {} 2>/dev/null; exec \"$@\"", self.resident_kib);
            let mut shell = Command::new("sh");
            shell.args(["-c", &take, "sh"]).arg(name);
            shell
        } else {
            Command::new(name)
        };
        command.args(arguments);
        Ok(command)
    }
}

/// The processes of one call. Dropping it ends them, which takes some milliseconds and, where one
/// does not want to end, at most two seconds.
#[derive(Debug)]
pub(super) struct Tree(Option<Root>);

/// The shell of a call.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "a group or a job knows its processes itself")
)]
pub(super) struct Root {
    pub(super) pid: i32,
    /// In clock ticks since the system started; `None` when it had already gone.
    #[cfg(target_os = "linux")]
    pub(super) start: Option<u64>,
    pub(super) mark: Mark,
}

impl Tree {
    /// The tree below the process `pid`, which has just been started.
    pub(super) fn new(pid: Option<u32>, mark: Mark) -> Self {
        Self(pid.and_then(|pid| i32::try_from(pid).ok()).map(|pid| Root {
            pid,
            #[cfg(target_os = "linux")]
            start: linux::start_of(pid),
            mark,
        }))
    }

    /// Ends what is left of it.
    pub(super) async fn end(self) -> Ended {
        // Taken only afterwards: if the caller goes away, dropping `self` does it.
        let ended = match self.0.clone() {
            Some(root) => tokio::task::spawn_blocking(move || end(&root)).await.ok(),
            None => None,
        };
        match ended {
            Some(ended) => {
                let mut this = self;
                this.0 = None;
                ended
            }
            None => Ended::default(),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(root) = self.0.take() {
            end(&root);
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn end(root: &Root) -> Ended {
    use rustix::process::{Pid, Signal, kill_process_group};

    // Fails when nothing is left, which is what is wanted.
    let _ = Pid::from_raw(root.pid).map(|group| kill_process_group(group, Signal::KILL));
    Ended::default()
}

#[cfg(windows)]
fn end(_: &Root) -> Ended {
    Ended::default()
}
