//! Which engine confines a program, and what this home adds to its confinement.
//!
//! Invariant: a program for which a sandbox is required is started by an engine that confines it, or
//! not at all. [`Engines`] is the only place of this home that starts programs for anybody else.

#[cfg_attr(not(unix), path = "programs/no_network.rs")]
mod network;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread::available_parallelism,
};
use tau_core::policy::{
    ProgramLimits, Sandbox as Wanted,
    programs::{Container, Engine},
};
use tau_target_bubblewrap::{Bubblewrap, Process};
use tau_target_docker::{self as docker, Configuration, Docker};
use tau_target_native::tools::{Programs, Requests, Started};
use tau_target_process::{
    Bare, BareProcess, Confinement, Ended, Exit, Job, Running, Sandbox, StartError,
};
use tokio::sync::Mutex;

use crate::{
    credentials::Vault,
    exit::{Error, Exit as Code},
    home::Home,
    signals::{Signal, Signals},
};
use network::Network;

/// Variables that lead to places a confined program does not see.
const ELSEWHERE: &[&str] = &["HOME", "TMPDIR"];
/// What lies in a person's folder and opens doors; not there for a program whose folder it is.
const SECRETS: &[&str] = &[
    ".aws",
    ".azure",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/hub",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".local/share/keyrings",
    ".mozilla",
    ".netrc",
    ".npmrc",
    ".password-store",
    ".pgpass",
    ".pypirc",
    ".ssh",
    ".terraform.d/credentials.tfrc.json",
    ".vault-token",
];

/// The engines of this machine, each looked for when it is first needed.
#[derive(Debug)]
pub(crate) struct Engines {
    /// What no program sees, even where its workspace holds it.
    hidden: Vec<PathBuf>,
    /// Where Tau keeps what is its own, or will.
    own: PathBuf,
    vault: Arc<Vault>,
    bubblewrap: OnceLock<Result<Bubblewrap, Missing>>,
    /// With what it was looked for by.
    docker: Mutex<Option<(Container, Docker)>>,
}

/// Why an engine is not to be had.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) reason: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// A program that runs, with what it needs of this process.
#[derive(Debug)]
pub(crate) struct Program {
    running: Engined,
    /// Ends after the program.
    _network: Option<Network>,
}

/// A program of one of the engines, or of none.
#[derive(Debug)]
enum Engined {
    Bubblewrap(Process),
    Docker(docker::Container),
    Unconfined(BareProcess),
}

/// An engine that is there.
enum Found {
    Bubblewrap(Bubblewrap),
    Docker(Docker),
}

impl Missing {
    /// In one line.
    pub(crate) fn told(&self) -> String {
        format!("not available: {} ({})", self.reason, self.hint)
    }
}

impl From<StartError> for Missing {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Unavailable { reason, hint } => Self { reason, hint },
            StartError::Io(error) => Self {
                reason: error.to_string(),
                hint: "see `tau sandbox status`".into(),
            },
        }
    }
}

impl Engines {
    /// Those that keep what is `home`'s out of sight.
    ///
    /// Programs that are granted hosts can name the credentials of `vault`, which go to those alone.
    pub(crate) fn new(home: &Home, vault: Arc<Vault>) -> Self {
        let person = person();
        let secrets = person
            .iter()
            .flat_map(|folder| SECRETS.iter().map(|name| folder.join(name)));
        let own = home.root().canonicalize().ok();
        let mut hidden: Vec<PathBuf> = secrets.chain(own).collect();
        // One that is a link lies elsewhere as well, as in a folder of settings that is kept by git.
        let led_to: Vec<PathBuf> = hidden
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .filter(|path| !hidden.contains(path))
            .collect();
        hidden.extend(led_to);
        Self {
            hidden,
            own: home.root().to_owned(),
            vault,
            bubblewrap: OnceLock::new(),
            docker: Mutex::new(None),
        }
    }

    /// bubblewrap, where it was seen working.
    pub(crate) fn bubblewrap(&self) -> Result<&Bubblewrap, Missing> {
        let find = || {
            let found = Bubblewrap::find();
            found.map_err(|why| Missing::from(StartError::from(why)))
        };
        self.bubblewrap
            .get_or_init(find)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The engine of containers, where it answers and has the image.
    pub(crate) async fn docker(&self, container: Option<&Container>) -> Result<Docker, Missing> {
        let Some(container) = container else {
            return Err(Missing {
                reason: "no image is named for containers".into(),
                hint: "tau config set policy.programs.image sha256:…".into(),
            });
        };
        let mut known = self.docker.lock().await;
        if let Some((of, docker)) = &*known
            && of == container
        {
            return Ok(docker.clone());
        }
        let docker = Docker::connect(Configuration {
            socket: container.socket.clone(),
            image: container.image.clone(),
            milli_cpus: container.milli_cpus,
            as_root: container.as_root,
        })
        .await?;
        *known = Some((container.clone(), docker.clone()));
        Ok(docker)
    }

    /// Starts `job` confined, by the engine that `how` names or the first that is to be had. Its
    /// requests are told to `told`.
    pub(crate) async fn confined(
        &self,
        mut job: Job,
        how: &ProgramLimits,
        told: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Program, StartError> {
        self.complete(&mut job.confinement, how)?;
        let engines = match &how.engine {
            Some(engine) => std::slice::from_ref(engine),
            None => Engine::ALL.as_slice(),
        };
        let mut missing = Vec::new();
        for engine in engines {
            let found = match engine {
                Engine::Bubblewrap => self.bubblewrap().cloned().map(Found::Bubblewrap),
                Engine::Docker => self.docker(how.container.as_ref()).await.map(Found::Docker),
            };
            let found = match found {
                Ok(found) => found,
                Err(why) => {
                    missing.push(why);
                    continue;
                }
            };
            let network = match &how.network {
                None => None,
                Some(how) => Some(Network::open(how, &self.vault, told, &mut job)?),
            };
            let running = match found {
                Found::Bubblewrap(engine) => Engined::Bubblewrap(engine.start(job).await?),
                Found::Docker(engine) => Engined::Docker(engine.start(job).await?),
            };
            return Ok(Program {
                running,
                _network: network,
            });
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
        confinement
            .hidden
            .extend(reserved(&self.own, &confinement.workspace)?);
        // Who could write to this program would write what runs unconfined next.
        confinement.read_only.extend(std::env::current_exe());
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
            Wanted::BestEffort => Some(job.try_clone()?),
        };
        let requests = how.network.as_ref().map(|_| Requests::default());
        let sink = requests.clone();
        let told = move |line: String| {
            if let Some(sink) = &sink {
                sink.tell(line);
            }
        };
        let (job, why) = match (self.confined(job, how, told).await, spare) {
            (Ok(running), _) => {
                return Ok(Started {
                    running,
                    unsandboxed: None,
                    requests,
                });
            }
            // An engine that is there and refuses the job has seen something: no effort is better.
            (Err(StartError::Unavailable { reason, .. }), Some(job)) => (job, reason),
            (Err(error), _) => return Err(error),
        };
        let running = Bare.start(job).await?;
        Ok(Started {
            running: Program {
                running: Engined::Unconfined(running),
                _network: None,
            },
            unsandboxed: Some(why),
            requests: None,
        })
    }
}

impl Program {
    /// Waits for it and ends all it started; a signal to this process ends it as well.
    pub(crate) async fn finish(mut self) -> Result<Exit, Error> {
        let mut signals = Signals::listen()?;
        let exit = tokio::select! {
            exit = self.wait() => {
                exit.map_err(|error| Error::internal("the program was lost").cause(error))
            }
            // The program is a session of its own: what was typed does not reach it.
            signal = signals.next() => Err(Error::new(Code::Interrupted, match signal {
                Signal::Interrupt => "interrupted",
                Signal::Terminate => "ended by a signal",
            })),
        };
        self.end().await;
        exit
    }
}

/// What a person is told where a program was not started; `nothing` says what did not happen.
pub(crate) fn not_started(error: StartError, nothing: &str) -> Error {
    match error {
        StartError::Unavailable { reason, hint } => {
            let what = format!("there is no sandbox, so {nothing}");
            Error::new(Code::Denied, what).cause(reason).hint(hint)
        }
        StartError::Io(error) => Error::usage("the program cannot be confined").cause(error),
    }
}

impl Running for Program {
    async fn wait(&mut self) -> io::Result<Exit> {
        match &mut self.running {
            Engined::Bubblewrap(process) => process.wait().await,
            Engined::Docker(container) => container.wait().await,
            Engined::Unconfined(process) => process.wait().await,
        }
    }

    async fn end(self) -> Ended {
        match self.running {
            Engined::Bubblewrap(process) => process.end().await,
            Engined::Docker(container) => container.end().await,
            Engined::Unconfined(process) => process.end().await,
        }
    }
}

/// The folder `own` where it is to be in `workspace` and is not there yet: made, since a program
/// could make it, and Tau would read its profile there from then on.
fn reserved(own: &Path, workspace: &Path) -> io::Result<Option<PathBuf>> {
    let own = &std::path::absolute(own)?;
    let there = own.ancestors().find_map(|path| path.canonicalize().ok());
    let is_inside = there.is_some_and(|there| there.starts_with(workspace));
    if own.exists() || !is_inside {
        return Ok(None);
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(own)?;
    own.canonicalize().map(Some)
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
