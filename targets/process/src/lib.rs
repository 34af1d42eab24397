//! Programs that a home starts: what they may touch, who confines them, and how all of it ends.
//!
//! An engine is a [`Sandbox`]: it starts a [`Job`] confined, or says why it cannot. [`Bare`] starts
//! it unconfined, for whoever decided that this is good enough; nothing else here does.
//!
//! Invariants: an engine never starts a program with less than its [`Confinement`] asks for; a
//! [`Running`] that is dropped or ended leaves no process behind.

#![expect(
    async_fn_in_trait,
    reason = "futures are Send exactly where an engine's own types are"
)]

mod bare;
#[cfg(target_os = "linux")]
pub mod mounts;

use std::{
    ffi::OsString,
    io::{self, PipeReader, PipeWriter},
    path::PathBuf,
    process::{ExitStatus, Stdio},
};

pub use bare::{Bare, BareProcess};

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
    /// Memory, in bytes; of each process where an engine cannot limit them together.
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

/// A program to be run.
#[derive(Debug)]
pub struct Job {
    /// Its name or path, then its arguments.
    pub program: Vec<OsString>,
    /// What it may touch and use.
    pub confinement: Confinement,
    /// Its standard input.
    pub input: Input,
    /// Its standard output.
    pub output: Output,
    /// Its standard error.
    pub errors: Output,
}

impl Job {
    /// The same once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            program: self.program.clone(),
            confinement: self.confinement.clone(),
            input: self.input.try_clone()?,
            output: self.output.try_clone()?,
            errors: self.errors.try_clone()?,
        })
    }
}

/// The variables of this process that are called one of `names`, and those of the locale.
pub fn variables(names: &[&str]) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        name.to_str()
            .is_some_and(|name| names.contains(&name) || name.starts_with("LC_"))
    })
}

/// Where a program reads from.
#[derive(Debug)]
pub enum Input {
    /// Nothing.
    Null,
    /// What this process reads from.
    Inherit,
    /// A pipe.
    Pipe(PipeReader),
}

/// Where a program writes to.
#[derive(Debug)]
pub enum Output {
    /// Where this process writes to.
    Inherit,
    /// A pipe.
    Pipe(PipeWriter),
}

impl Input {
    /// The same once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Null => Self::Null,
            Self::Inherit => Self::Inherit,
            Self::Pipe(pipe) => Self::Pipe(pipe.try_clone()?),
        })
    }
}

impl Output {
    /// The same once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Inherit => Self::Inherit,
            Self::Pipe(pipe) => Self::Pipe(pipe.try_clone()?),
        })
    }
}

impl From<Input> for Stdio {
    fn from(input: Input) -> Self {
        match input {
            Input::Null => Self::null(),
            Input::Inherit => Self::inherit(),
            Input::Pipe(pipe) => pipe.into(),
        }
    }
}

impl From<Output> for Stdio {
    fn from(output: Output) -> Self {
        match output {
            Output::Inherit => Self::inherit(),
            Output::Pipe(pipe) => pipe.into(),
        }
    }
}

/// Why an engine did not start a program.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine is not to be had on this machine.
    #[error("{reason}")]
    Unavailable {
        /// What is missing, in a sentence's words.
        reason: String,
        /// What to do about it: a command where there is one.
        hint: String,
    },
    /// The engine is there and did not take this job.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Something that starts programs confined.
pub trait Sandbox {
    /// A program that it has started.
    type Running: Running;

    /// As it is written in a profile.
    fn name(&self) -> &'static str;

    /// Starts a program with what its confinement allows, and no more. Until the future is done
    /// dropping it leaves nothing behind.
    async fn start(&self, job: Job) -> Result<Self::Running, StartError>;
}

/// A program that runs. Dropping it ends it with all it started.
pub trait Running {
    /// Waits for the program itself. May be dropped and called again.
    async fn wait(&mut self) -> io::Result<Exit>;

    /// Ends it and everything it started.
    async fn end(self) -> Ended;
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// As shells tell it: a signal is 128 and its number.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Self::Signal(signal);
        }
        Self::Code(status.code().unwrap_or(1))
    }
}

/// How ending a program with all it started went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Processes that were ended, the program itself not counted; where nobody can know, none.
    pub others: u64,
    /// Processes that would not end, as `name (id)`.
    pub left: Vec<String>,
}
