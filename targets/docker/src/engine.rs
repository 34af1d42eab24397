//! The engine: where it listens, what it must be able to do, and what its answers mean.

use std::{env, fmt, io, path::PathBuf, time::Duration};

use bollard::{API_DEFAULT_VERSION, models::SystemInfo};
use tau_target_process::StartError;

use crate::{ANSWER, WORK, image::is_missing};

/// The oldest API that containers were tried with: Docker 20.10, Podman 4.
const OLDEST_API: (u32, u32) = (1, 41);

/// An engine that answers and can limit what it starts.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) client: bollard::Docker,
    pub(crate) address: Address,
    pub(crate) info: SystemInfo,
    /// Of its API.
    pub(crate) api: String,
    /// All of its processors, in thousandths.
    pub(crate) milli_cpus: u32,
}

impl Engine {
    /// Finds the engine, and whether it can do what is needed.
    pub(crate) async fn connect(socket: Option<&str>) -> Result<Self, StartError> {
        let address = Address::find(socket, env::var("DOCKER_HOST").ok())?;
        address.check().await?;
        let client = address.client()?;
        let late = |failure: Failure| match failure {
            Failure::Late(_) => unavailable(
                format!(
                    "the engine at {address} does not answer within {} s",
                    ANSWER.as_secs()
                ),
                "see whether `docker info` answers, and restart the engine",
            ),
            other => unavailable(
                format!("what listens at {address} is no engine: {other}"),
                "name the engine's socket",
            ),
        };
        let version = within(ANSWER, client.version()).await.map_err(late)?;
        let api = version.api_version.unwrap_or_default();
        if number(&api) < OLDEST_API {
            let (major, minor) = OLDEST_API;
            return Err(unavailable(
                format!("the engine's API {api} is older than {major}.{minor}"),
                "install Docker 20.10 or newer",
            ));
        }
        let client = within(ANSWER, client.negotiate_version())
            .await
            .map_err(late)?;
        let info = within(ANSWER, client.info()).await.map_err(late)?;
        check(&info)?;
        Ok(Self {
            client,
            address,
            milli_cpus: u32::try_from(info.ncpu.unwrap_or(1).max(1))
                .map_or(u32::MAX, |count| count.saturating_mul(1_000)),
            info,
            api,
        })
    }

    /// Whether the engine's root is a person's own identity, so that root within is that person.
    pub(crate) fn is_rootless(&self) -> bool {
        self.has_option("rootless")
    }

    /// Whether the engine names `option` among its security options.
    pub(crate) fn has_option(&self, option: &str) -> bool {
        let name = format!("name={option}");
        self.info
            .security_options
            .iter()
            .flatten()
            .any(|said| said.split(',').any(|part| part == name))
    }
}

/// Whether the engine can confine what it starts.
fn check(info: &SystemInfo) -> Result<(), StartError> {
    if info.os_type.as_deref().is_some_and(|os| os != "linux") {
        return Err(unavailable(
            "the engine runs containers of Windows".into(),
            "switch Docker Desktop to Linux containers",
        ));
    }
    for (what, can) in [
        ("memory", info.memory_limit),
        ("processes", info.pids_limit),
        ("processor time", info.cpu_cfs_quota),
    ] {
        // An engine that does not say is held to what it answers when a container is made.
        if can == Some(false) {
            return Err(unavailable(
                format!("the engine cannot limit {what}"),
                "give it control groups: version 2, or one that is delegated to the engine's user",
            ));
        }
    }
    Ok(())
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Socket(PathBuf),
    /// By its path `\\.\pipe\NAME`.
    Pipe(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Pipe(path) => path.fmt(f),
        }
    }
}

impl Address {
    /// What is asked for, else what the environment says, else the system's default.
    fn find(asked: Option<&str>, variable: Option<String>) -> Result<Self, StartError> {
        match asked.map(str::to_owned).or(variable) {
            Some(text) if !text.is_empty() => Self::parse(&text),
            _ if cfg!(windows) => Ok(Self::Pipe(r"\\.\pipe\docker_engine".into())),
            _ => Ok(Self::default_socket(
                env::var_os("HOME").map(PathBuf::from),
                env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            )),
        }
    }

    fn parse(text: &str) -> Result<Self, StartError> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Socket(path.into()));
        }
        if let Some(path) = text.strip_prefix("npipe://") {
            return Ok(Self::Pipe(path.replace('/', r"\")));
        }
        if text.starts_with(r"\\.\pipe\") {
            return Ok(Self::Pipe(text.to_owned()));
        }
        if text.starts_with('/') {
            return Ok(Self::Socket(text.into()));
        }
        Err(unavailable(
            format!("{text} is no socket of this machine"),
            "name it as unix:///PATH or npipe:////./pipe/NAME: an engine elsewhere has no workspace",
        ))
    }

    /// The system's socket; where there is none, that of a person's own engine.
    fn default_socket(home: Option<PathBuf>, runtime: Option<PathBuf>) -> Self {
        let system = PathBuf::from("/var/run/docker.sock");
        let own = [
            home.map(|home| home.join(".docker/run/docker.sock")),
            runtime.map(|runtime| runtime.join("docker.sock")),
        ];
        let found = own.into_iter().flatten().find(|path| path.exists());
        Self::Socket(match found {
            Some(own) if !system.exists() => own,
            _ => system,
        })
    }

    fn client(&self) -> Result<bollard::Docker, StartError> {
        let timeout = WORK.as_secs();
        let client = match self {
            #[cfg(unix)]
            Self::Socket(path) => bollard::Docker::connect_with_unix(
                &path.to_string_lossy(),
                timeout,
                API_DEFAULT_VERSION,
            ),
            #[cfg(windows)]
            Self::Pipe(path) => {
                bollard::Docker::connect_with_named_pipe(path, timeout, API_DEFAULT_VERSION)
            }
            #[cfg(unix)]
            Self::Pipe(path) => return Err(elsewhere(path)),
            #[cfg(windows)]
            Self::Socket(path) => return Err(elsewhere(&path.to_string_lossy())),
        };
        Ok(client.map_err(Failure::from)?)
    }

    /// Whether somebody listens there, in words that a person can use.
    async fn check(&self) -> Result<(), StartError> {
        #[cfg(unix)]
        if let Self::Socket(path) = self
            && let Err(error) = tokio::net::UnixStream::connect(path).await
        {
            let path = path.display();
            return Err(match error.kind() {
                io::ErrorKind::NotFound => unavailable(
                    format!("no Docker engine: there is no socket {path}"),
                    "install and start one, or name its socket",
                ),
                io::ErrorKind::PermissionDenied => unavailable(
                    format!("this user may not use the Docker engine at {path}"),
                    "have an administrator run: usermod --append --groups docker USER; or use a \
                     rootless engine",
                ),
                io::ErrorKind::ConnectionRefused => unavailable(
                    format!("no Docker engine listens at {path}"),
                    "start it: systemctl start docker",
                ),
                _ => unavailable(format!("cannot connect to {path}: {error}"), "docker info"),
            });
        }
        Ok(())
    }
}

fn elsewhere(path: &str) -> StartError {
    unavailable(
        format!("{path} is an address of another system"),
        "name a socket on Unix, a pipe on Windows",
    )
}

pub(crate) fn unavailable(reason: String, hint: &str) -> StartError {
    StartError::Unavailable {
        reason,
        hint: hint.to_owned(),
    }
}

/// `1.41` as numbers.
fn number(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Why the engine did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It did not answer in this time.
    Late(Duration),
    /// It said no, or something went wrong on the way.
    Error(Box<bollard::errors::Error>),
}

impl Failure {
    /// Whether there is no such image or container.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Error(error) if is_missing(error))
    }
}

impl From<bollard::errors::Error> for Failure {
    fn from(error: bollard::errors::Error) -> Self {
        Self::Error(Box::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(limit) => {
                write!(f, "the engine did not answer within {} s", limit.as_secs())
            }
            Self::Error(error) => match &**error {
                bollard::errors::Error::DockerResponseServerError {
                    status_code,
                    message,
                } => write!(f, "the engine answered {status_code}: {}", message.trim()),
                other => write!(f, "the engine cannot be reached: {other}"),
            },
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::Late(_) => io::ErrorKind::TimedOut,
            Failure::Error(_) => io::ErrorKind::Other,
        };
        Self::new(kind, failure.to_string())
    }
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Io(failure.into())
    }
}

/// The engine's answer, if it comes in time.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Late(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_pipe_of_this_machine() {
        for (text, address) in [
            (
                "/run/docker.sock",
                Address::Socket("/run/docker.sock".into()),
            ),
            (
                "unix:///run/user/1/podman.sock",
                Address::Socket("/run/user/1/podman.sock".into()),
            ),
            (
                "npipe:////./pipe/docker_engine",
                Address::Pipe(r"\\.\pipe\docker_engine".into()),
            ),
            (r"\\.\pipe\podman", Address::Pipe(r"\\.\pipe\podman".into())),
        ] {
            assert_eq!(Address::parse(text).unwrap(), address, "{text}");
        }
        for text in [
            "tcp://10.0.0.1:2375",
            "ssh://me@there",
            "docker.sock",
            "http://localhost",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.to_string().ends_with("no socket of this machine"));
        }
    }

    #[test]
    fn what_is_asked_for_comes_before_the_environment() {
        let variable = Some("unix:///variable".to_owned());
        let asked = Address::find(Some("/asked"), variable.clone()).unwrap();
        assert_eq!(asked, Address::Socket("/asked".into()));
        let found = Address::find(None, variable).unwrap();
        assert_eq!(found, Address::Socket("/variable".into()));
    }

    #[test]
    fn an_engine_that_cannot_limit_is_none() {
        let able = SystemInfo {
            memory_limit: Some(true),
            pids_limit: Some(true),
            cpu_cfs_quota: Some(true),
            ..Default::default()
        };
        check(&able).unwrap();
        let unable = |change: fn(&mut SystemInfo)| {
            let mut info = able.clone();
            change(&mut info);
            check(&info).unwrap_err().to_string()
        };
        assert!(unable(|info| info.memory_limit = Some(false)).ends_with("limit memory"));
        assert!(unable(|info| info.pids_limit = Some(false)).ends_with("limit processes"));
        assert!(unable(|info| info.cpu_cfs_quota = Some(false)).ends_with("processor time"));
        assert!(unable(|info| info.os_type = Some("windows".into())).ends_with("Windows"));
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(number("1.9") < OLDEST_API);
        assert!(number("1.41") >= OLDEST_API);
        assert!(number("1.100") >= OLDEST_API);
        assert!(number("") < OLDEST_API);
    }
}
