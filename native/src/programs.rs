//! Which engine confines a program, and what this home adds to its confinement.
//!
//! Invariant: a program for which a sandbox is required is started by an engine that confines it, or
//! not at all. [`Engines`] is the only place of this home that starts programs for anybody else.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread::available_parallelism,
};
use tau_core::policy::{ProgramLimits, Sandbox as Wanted, programs::Engine};
use tau_target_bubblewrap::{Bubblewrap, Process};
use tau_target_native::tools::{Programs, Started};
use tau_target_process::{
    Bare, BareProcess, Confinement, Ended, Exit, Job, Running, Sandbox, StartError,
};

use crate::home::Home;

/// Variables that lead to places a confined program does not see.
const ELSEWHERE: &[&str] = &["HOME", "TMPDIR"];
/// What lies in a person's folder and opens doors; not there for a program whose folder it is.
const SECRETS: &[&str] = &[
    ".aws",
    ".azure",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".local/share/keyrings",
    ".mozilla",
    ".netrc",
    ".npmrc",
    ".password-store",
    ".pypirc",
    ".ssh",
];

/// The engines of this machine, each looked for when it is first needed.
#[derive(Debug)]
pub(crate) struct Engines {
    /// What no program sees, even where its workspace holds it.
    hidden: Vec<PathBuf>,
    bubblewrap: OnceLock<Result<Bubblewrap, Missing>>,
}

/// Why an engine is not to be had.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) reason: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// A program of one of the engines, or of none.
#[derive(Debug)]
pub(crate) enum Program {
    Bubblewrap(Process),
    Unconfined(BareProcess),
}

impl Engines {
    /// Those that keep what is `home`'s out of sight.
    pub(crate) fn new(home: &Home) -> Self {
        let person = person();
        let secrets = person
            .iter()
            .flat_map(|folder| SECRETS.iter().map(|name| folder.join(name)));
        let own = home.root().canonicalize().ok();
        Self {
            hidden: secrets.chain(own).collect(),
            bubblewrap: OnceLock::new(),
        }
    }

    /// bubblewrap, where it was seen working.
    pub(crate) fn bubblewrap(&self) -> Result<&Bubblewrap, &Missing> {
        let find = || {
            Bubblewrap::find().map_err(|why| {
                let hint = why.hint();
                match StartError::from(why) {
                    StartError::Unavailable { reason, hint } => Missing { reason, hint },
                    StartError::Io(error) => Missing {
                        reason: error.to_string(),
                        hint,
                    },
                }
            })
        };
        self.bubblewrap.get_or_init(find).as_ref()
    }

    /// Starts `job` confined, by the engine that `how` names or the first that is to be had.
    pub(crate) async fn confined(
        &self,
        mut job: Job,
        how: &ProgramLimits,
    ) -> Result<Program, StartError> {
        self.complete(&mut job.confinement, how)?;
        let engines = match &how.engine {
            Some(engine) => std::slice::from_ref(engine),
            None => Engine::ALL.as_slice(),
        };
        let mut missing = Vec::new();
        for engine in engines {
            match engine {
                Engine::Bubblewrap => match self.bubblewrap() {
                    Ok(engine) => return Ok(Program::Bubblewrap(engine.start(job).await?)),
                    Err(why) => missing.push(why.clone()),
                },
                Engine::Docker => {}
            }
        }
        let told = |of: fn(&Missing) -> &str| {
            let parts: Vec<&str> = missing.iter().map(of).collect();
            parts.join("; ")
        };
        Err(StartError::Unavailable {
            reason: told(|missing| &missing.reason),
            hint: told(|missing| &missing.hint),
        })
    }

    /// Adds to what a tool asks for what `how` grants and what this home keeps to itself.
    fn complete(&self, confinement: &mut Confinement, how: &ProgramLimits) -> io::Result<()> {
        confinement.hidden.extend(self.hidden.iter().cloned());
        for folder in &how.read {
            confinement.readable.push(readable(folder)?);
        }
        let processors = available_parallelism().map_or(1, |count| count.get() as u64);
        let limits = &mut confinement.limits;
        limits.cpu_seconds = limits.cpu_seconds.saturating_mul(processors);
        confinement.environment = environment(std::mem::take(&mut confinement.environment));
        Ok(())
    }
}

impl Programs for Engines {
    type Running = Program;

    async fn start(&self, job: Job, how: &ProgramLimits) -> Result<Started<Program>, StartError> {
        let spare = match how.sandbox {
            Wanted::Required => None,
            Wanted::BestEffort => Some(copy(&job)?),
        };
        let error = match self.confined(job, how).await {
            Ok(running) => {
                return Ok(Started {
                    running,
                    unsandboxed: None,
                });
            }
            Err(error) => error,
        };
        let Some(job) = spare else {
            return Err(error);
        };
        let running = Bare.start(job).await?;
        Ok(Started {
            running: Program::Unconfined(running),
            unsandboxed: Some(error.to_string()),
        })
    }
}

/// The same job once more.
fn copy(job: &Job) -> io::Result<Job> {
    Ok(Job {
        program: job.program.clone(),
        confinement: job.confinement.clone(),
        input: job.input.try_clone()?,
        output: job.output.try_clone()?,
        errors: job.errors.try_clone()?,
    })
}

impl Running for Program {
    async fn wait(&mut self) -> io::Result<Exit> {
        match self {
            Self::Bubblewrap(process) => process.wait().await,
            Self::Unconfined(process) => process.wait().await,
        }
    }

    async fn end(self) -> Ended {
        match self {
            Self::Bubblewrap(process) => process.end().await,
            Self::Unconfined(process) => process.end().await,
        }
    }
}

fn person() -> Option<PathBuf> {
    std::env::home_dir().and_then(|folder| folder.canonicalize().ok())
}

/// A folder that the profile names.
fn readable(folder: &str) -> io::Result<PathBuf> {
    let path = match (folder.strip_prefix('~'), person()) {
        (Some(rest), Some(person)) => person.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(folder),
    };
    let told = |why: &str| {
        let text = format!("policy.programs.read: {folder} {why}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    if !path.is_absolute() {
        return Err(told("is not the whole path of a folder"));
    }
    Path::canonicalize(&path).map_err(|error| told(&format!("cannot be read: {error}")))
}

/// `given` without what Tau itself got and leads elsewhere; a home there is always.
fn environment(given: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let is_own = |(name, value): &(OsString, OsString)| {
        ELSEWHERE.iter().any(|elsewhere| name == elsewhere)
            && std::env::var_os(name).as_ref() == Some(value)
    };
    let mut environment = vec![("HOME".into(), "/tmp".into())];
    environment.extend(given.into_iter().filter(|variable| !is_own(variable)));
    environment
}
