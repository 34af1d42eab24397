//! Processes that can touch one directory and nothing else, by bubblewrap (`bwrap`), on Linux.
//!
//! Invariant: what is not granted is not there. The file system a program sees is put together from
//! nothing: system folders read-only, a private `/tmp`, one writable directory. A sandbox that
//! cannot be had is an error, never a program that runs without one.
//!
//! | what is kept away | by |
//! |---|---|
//! | files outside, sockets in the file system | an empty root with binds |
//! | other processes | a pid namespace; bwrap ends all of it with its parent |
//! | network, abstract sockets | a network namespace |
//! | privileges | no capabilities, no new ones, no further user namespaces |
//! | the kernel's rarely used doors | seccomp filters (`filter.rs`) |
//! | the parent's environment | bwrap itself is started with an empty one |
//! | too much memory, too many processes | a control group where one can be made, else limits of each process |

#[cfg(target_os = "linux")]
mod arguments;
#[cfg(target_os = "linux")]
mod door;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod group;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[cfg(target_os = "linux")]
use tau_target_process::Limits;
use tau_target_process::{Confinement, Ended, Exit, Job, Running, Sandbox, StartError};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Another operating system.
    #[error("bubblewrap is for Linux")]
    OtherSystem,
    /// A program is not installed.
    #[error("{program} is not installed")]
    Missing {
        /// Its name.
        program: &'static str,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// bwrap is older than what the sandbox needs.
    #[error("{version} is too old: 0.8 is the first that forbids further user namespaces")]
    TooOld {
        /// What it says of itself.
        version: String,
    },
    /// bwrap could not make the namespaces.
    #[error("bwrap cannot make a sandbox here: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// Something did not start.
    #[error("cannot start {program}")]
    Start {
        /// What.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Unavailable {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { package, .. } => format!("apt-get install {package}"),
            Self::TooOld { .. } => "install bubblewrap 0.8 or newer".into(),
            Self::Refused { .. } => "this system may forbid user namespaces: sysctl \
                kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"
                .into(),
            Self::OtherSystem => "run Tau on Linux, or confine programs with Docker".into(),
            Self::Start { .. } => "see whether it can be run by hand".into(),
        }
    }
}

impl From<Unavailable> for StartError {
    fn from(reason: Unavailable) -> Self {
        let hint = reason.hint();
        let reason = match std::error::Error::source(&reason) {
            Some(source) => format!("{reason}: {source}"),
            None => reason.to_string(),
        };
        Self::Unavailable { reason, hint }
    }
}

/// A bwrap that was seen working.
#[derive(Clone, Debug)]
pub struct Bubblewrap {
    #[cfg(target_os = "linux")]
    programs: arguments::Programs,
}

/// A program that runs confined.
#[derive(Debug)]
pub struct Process {
    child: tokio::process::Child,
    // Dropped after the child, of which it ends what is left.
    group: Option<Group>,
}

impl Sandbox for Bubblewrap {
    type Running = Process;

    fn name(&self) -> &'static str {
        "bubblewrap"
    }

    /// Call it on a thread that lives as long as the program: the kernel ends the program with it.
    #[cfg(target_os = "linux")]
    async fn start(&self, job: Job) -> Result<Process, StartError> {
        let confined = self.confine(&job.confinement, &job.program)?;
        let mut command = confined.command;
        command
            .stdin(job.input)
            .stdout(job.output)
            .stderr(job.errors);
        let child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        let process = Process {
            child,
            group: confined.group,
        };
        // The process goes along: should nobody wait for it any more, it ends after bwrap has told
        // which it is, when all of it ends with it, and before the door is gone.
        let mut waiting = (process, confined.door);
        let looked = tokio::task::spawn_blocking(move || (waiting.1.look(), waiting)).await;
        let (looked, (process, mut door)) = looked.map_err(io::Error::other)?;
        match looked.and_then(|()| door.open()) {
            Ok(()) => Ok(process),
            Err(error) => {
                process.end().await;
                Err(error.into())
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn start(&self, _: Job) -> Result<Process, StartError> {
        Err(Unavailable::OtherSystem.into())
    }
}

impl Running for Process {
    async fn wait(&mut self) -> io::Result<Exit> {
        self.child.wait().await.map(Exit::from)
    }

    async fn end(mut self) -> Ended {
        // The first process of the namespace ends with bwrap, and the kernel all others with that.
        let _ = self.child.kill().await;
        let group = self.group.take();
        let _ = tokio::task::spawn_blocking(move || drop(group)).await;
        Ended::default()
    }
}

/// A program that is about to run confined.
#[cfg(target_os = "linux")]
struct Confined {
    /// What starts it.
    command: Command,
    /// Holds the control group: dropping it ends what is left in there.
    group: Option<Group>,
    /// What it waits at until it may run.
    door: door::Door,
}

#[cfg(target_os = "linux")]
pub use group::Group;

/// The control group of one program.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub struct Group(std::convert::Infallible);

#[cfg(not(target_os = "linux"))]
impl Bubblewrap {
    /// Never finds one.
    pub fn find() -> Result<Self, Unavailable> {
        Err(Unavailable::OtherSystem)
    }
}

#[cfg(target_os = "linux")]
impl Bubblewrap {
    /// Looks for bwrap along `PATH`, where root has put it, and starts one sandbox to see that it can.
    pub fn find() -> Result<Self, Unavailable> {
        let programs = arguments::Programs::find()?;
        let found = Self { programs };
        found.check_version()?;
        found.check_working()?;
        Ok(found)
    }

    /// Where bwrap is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.programs.bwrap
    }

    /// Whether memory and processes are limited for a program as a whole on this machine.
    #[must_use]
    pub fn limits_whole(&self) -> bool {
        Group::new(&Limits::default()).is_some()
    }

    /// What starts `program` (its name or path, then its arguments) confined. No descriptor of this
    /// process but the standard ones goes along.
    fn confine(&self, confinement: &Confinement, program: &[OsString]) -> io::Result<Confined> {
        arguments::check(&self.programs, confinement)?;
        // Tau opens nothing that is inherited, but who started Tau may have.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let group = Group::new(&confinement.limits);
        let (command, door) =
            arguments::command(&self.programs, confinement, group.as_ref(), program)?;
        Ok(Confined {
            command,
            group,
            door,
        })
    }

    fn check_version(&self) -> Result<(), Unavailable> {
        let output = Command::new(self.program())
            .arg("--version")
            .env_clear()
            .output()
            .map_err(|source| self.start(source))?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let numbers: Vec<u32> = version
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .split('.')
            .map_while(|number| number.parse().ok())
            .collect();
        if numbers < vec![0, 8] {
            return Err(Unavailable::TooOld { version });
        }
        Ok(())
    }

    fn check_working(&self) -> Result<(), Unavailable> {
        let confinement = Confinement {
            workspace: PathBuf::from("/usr/share"),
            read_only: vec![PathBuf::from("/usr/share")],
            hidden: Vec::new(),
            readable: Vec::new(),
            environment: Vec::new(),
            limits: Limits::default(),
        };
        let program = ["/bin/sh".into(), "-c".into(), ":".into()];
        let tried = || {
            let mut confined = self.confine(&confinement, &program)?;
            let mut child = confined
                .command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            // With it go our copies of what only bwrap is to hold.
            drop(confined.command);
            if let Err(error) = confined.door.look() {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(error);
            }
            confined.door.open()?;
            child.wait_with_output()
        };
        let output = tried().map_err(|source| self.start(source))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Unavailable::Refused {
            reason: match said.trim() {
                "" => output.status.to_string(),
                said => said.to_owned(),
            },
        })
    }

    fn start(&self, source: io::Error) -> Unavailable {
        Unavailable::Start {
            program: self.program().to_owned(),
            source,
        }
    }
}
