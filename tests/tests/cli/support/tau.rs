//! `tau` in folders of its own, with an environment that holds nothing else.

use serde_json::Value;
use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

use super::Server;
use tau_tests::binary;

/// The key that every run has in its environment, and that must be seen nowhere.
pub(crate) const KEY: &str = "sk-this-key-is-seen-nowhere-0123456789";
/// How long a run may take before it is ended and the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// One person's Tau: a home and a workspace.
pub(crate) struct Tau {
    folder: TempDir,
    home: PathBuf,
    /// What else is in the environment of every run.
    more: Vec<(&'static str, OsString)>,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; 128 and the signal for one that was killed.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// The models of this machine, which every home shares: none is fetched by a test.
fn models() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("TAU_MODELS"), set("XDG_DATA_HOME"), set("HOME")) {
        (Some(models), ..) => models.into(),
        (None, Some(data), _) => Path::new(&data).join("tau/models"),
        (None, None, home) => Path::new(&home.unwrap_or_default()).join(".local/share/tau/models"),
    }
}

impl Tau {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("workspace")).expect("a workspace");
        let home = folder.path().join("home");
        let more = Vec::new();
        Self { folder, home, more }
    }

    /// The same with what Tau keeps in `home`.
    pub(crate) fn at(home: &Path) -> Self {
        Self {
            home: home.into(),
            ..Self::new()
        }
    }

    /// The same with something else in its environment.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    /// What Tau keeps.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The folder it works in.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// The store.
    pub(crate) fn store(&self) -> PathBuf {
        self.home().join("tau.db")
    }

    /// Writes a file of the workspace.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.workspace().join(name), text).expect("a file of the workspace");
    }

    /// Writes the profile.
    pub(crate) fn profile(&self, text: &str) {
        std::fs::create_dir_all(self.home()).expect("the home");
        std::fs::write(self.home().join("config.toml"), text).expect("the profile");
    }

    /// `tau` with these arguments, not started.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(binary::tau());
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.workspace());
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The program's path.
    pub(crate) fn program(&self) -> &'static Path {
        binary::tau()
    }

    /// The environment of every run.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut all = vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.folder.path().into()),
            ("TAU_HOME", self.home().into()),
            ("TAU_MODELS", models().into()),
            ("SIM_KEY", KEY.into()),
        ];
        all.extend(self.more.iter().cloned());
        all
    }

    /// Runs `tau` to its end.
    pub(crate) fn tau(&self, arguments: &[&str]) -> Done {
        finish(spawn(&mut self.command(arguments)), b"")
    }

    /// Runs `tau` to its end with something on stdin.
    pub(crate) fn tau_with(&self, arguments: &[&str], stdin: &[u8]) -> Done {
        finish(spawn(self.command(arguments).stdin(Stdio::piped())), stdin)
    }

    /// `tau run` against `server`, not started.
    pub(crate) fn asking(&self, server: &Server, arguments: &[&str]) -> Command {
        let model = [
            "run",
            "--base-url",
            server.url(),
            "--model",
            "sim",
            "--key-env",
            "SIM_KEY",
        ];
        self.command(model.iter().chain(arguments))
    }

    /// Runs `tau run` against `server` to its end.
    pub(crate) fn ask(&self, server: &Server, arguments: &[&str]) -> Done {
        finish(spawn(&mut self.asking(server, arguments)), b"")
    }

    /// The same with something on stdin.
    pub(crate) fn ask_with(&self, server: &Server, arguments: &[&str], stdin: &[u8]) -> Done {
        finish(
            spawn(self.asking(server, arguments).stdin(Stdio::piped())),
            stdin,
        )
    }

    /// Starts `tau run` against `server`.
    pub(crate) fn start(&self, server: &Server, arguments: &[&str]) -> Child {
        spawn(&mut self.asking(server, arguments))
    }

    /// Every byte of every file that Tau keeps.
    pub(crate) fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        read_all(self.home(), &mut files);
        files
    }
}

impl Done {
    /// Fails the test unless the run ended with `code`.
    #[track_caller]
    pub(crate) fn code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails the test unless `text` was told on stderr.
    #[track_caller]
    pub(crate) fn tells(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is not in: {}",
            self.stderr
        );
        self
    }

    /// stdout as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {}\nstderr: {}", self.stdout, self.stderr),
        }
    }
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().expect("tau starts")
}

/// Waits for the end of a run, giving it `stdin`.
pub(crate) fn finish(mut child: Child, stdin: &[u8]) -> Done {
    let started = Instant::now();
    let feed = child.stdin.take().map(|mut pipe| {
        let bytes = stdin.to_vec();
        // Whoever has read enough closes the pipe.
        thread::spawn(move || drop(pipe.write_all(&bytes)))
    });
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = loop {
        if let Some(status) = child.try_wait().expect("the state of a child") {
            break status;
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "tau did not end; stderr: {}",
                stderr.join().unwrap_or_default()
            );
        }
        thread::sleep(Duration::from_millis(2));
    };
    let took = started.elapsed();
    if let Some(feed) = feed {
        let _ = feed.join();
    }
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Done {
        code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)),
        stdout: stdout.join().expect("stdout"),
        stderr: stderr.join().expect("stderr"),
        took,
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn read_all(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, files);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files.push((path, bytes));
        }
    }
}
