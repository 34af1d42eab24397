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
mod filter;
#[cfg(target_os = "linux")]
mod group;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// What a program may touch and use.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// The one directory that can be written, by its canonical path; also where the program starts.
    pub workspace: PathBuf,
    /// What of it stays read-only. Paths that do not exist are left out.
    pub read_only: Vec<PathBuf>,
    /// What of it is not there. Paths that do not exist are left out.
    pub hidden: Vec<PathBuf>,
    /// What can be read beside the system's own folders.
    pub readable: Vec<PathBuf>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How much of the machine.
    pub limits: Limits,
}

/// How much of the machine a program and all it starts may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes; of each process where no control group can be made.
    pub memory_bytes: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// The largest file that can be written, in bytes.
    pub file_bytes: u64,
    /// Processor time of each process, in seconds.
    pub cpu_seconds: u64,
    /// What fits into `/tmp` and `/dev/shm`, in bytes.
    pub scratch_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            processes: 512,
            file_bytes: 4 << 30,
            cpu_seconds: 3_600,
            scratch_bytes: 1 << 30,
        }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Another operating system.
    #[error("bubblewrap is for Linux")]
    OtherSystem,
    /// A program is not installed.
    #[error("{program} is not installed (apt-get install {package})")]
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

/// A bwrap that was seen working.
#[derive(Clone, Debug)]
pub struct Bubblewrap {
    #[cfg(target_os = "linux")]
    programs: arguments::Programs,
}

/// A program that is about to run confined.
#[derive(Debug)]
pub struct Confined {
    /// What starts it: standard input and output are the caller's to set.
    pub command: Command,
    /// Holds the control group: dropping it ends what is left in there.
    pub group: Option<Group>,
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

    /// Never called: there is no value to call it on.
    pub fn confine(&self, _: &Confinement, _: &[OsString]) -> io::Result<Confined> {
        Err(io::ErrorKind::Unsupported.into())
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
    pub fn confine(&self, confinement: &Confinement, program: &[OsString]) -> io::Result<Confined> {
        arguments::check(&self.programs, confinement)?;
        // Tau opens nothing that is inherited, but who started Tau may have.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let group = Group::new(&confinement.limits);
        let command = arguments::command(&self.programs, confinement, group.as_ref(), program)?;
        Ok(Confined { command, group })
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
        let mut confined = self
            .confine(&confinement, &["/bin/sh".into(), "-c".into(), ":".into()])
            .map_err(|source| self.start(source))?;
        let output = confined
            .command
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|source| self.start(source))?;
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
