//! Attempts to get out of the sandboxes, and the engine that some of them need: see `README.md`.
//!
//! An engine that is there is used; otherwise the tests start one of their own. A test that can
//! have neither fails and says how to get one: nothing is left out.
#![cfg(target_os = "linux")]

mod image;
mod shared;

use std::{
    env, fs,
    fs::File,
    io,
    os::unix::net::UnixStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

pub use image::{DATA, readable};
pub use shared::{Shared, supervise};

/// How long an engine may take to answer for the first time, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Its socket.
    pub socket: PathBuf,
    /// The identifier of the image that the tests use.
    pub image: String,
}

/// The socket of an engine that somebody else has started.
#[must_use]
pub fn foreign() -> Option<PathBuf> {
    let named = env::var("DOCKER_HOST").ok();
    let named = named.map(|host| PathBuf::from(host.trim_start_matches("unix://")));
    named
        .into_iter()
        .chain([PathBuf::from("/var/run/docker.sock")])
        .find(|socket| UnixStream::connect(socket).is_ok())
}

/// An engine of our own, in a folder of its own, without any network. Dropping it ends it.
#[derive(Debug)]
pub struct PrivateEngine {
    dockerd: Child,
    folder: PathBuf,
}

impl PrivateEngine {
    /// Starts one that keeps everything in `folder`, and waits until it listens.
    pub fn start(folder: &Path) -> io::Result<Self> {
        if !geteuid().is_root() {
            return Err(io::Error::other(
                "starting an engine takes root: start one and set DOCKER_HOST, or run as root",
            ));
        }
        let folder = folder.to_owned();
        let path = |name: &str| folder.join(name);
        fs::create_dir_all(&folder)?;
        let log = File::create(path("log"))?;
        let mut command = Command::new("dockerd");
        command
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .arg("--host")
            .arg(format!("unix://{}", path("docker.sock").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A signal for the tests is none for the engine.
            .process_group(0);
        let dockerd = command.spawn().map_err(|error| {
            io::Error::other(format!("cannot start dockerd ({error}): cargo xtask setup"))
        })?;
        let mut engine = Self { dockerd, folder };
        let start = Instant::now();
        while UnixStream::connect(engine.socket()).is_err() {
            let status = engine.dockerd.try_wait()?;
            if status.is_some() || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(engine.folder.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("dockerd does not listen:\n{log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(engine)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.dockerd.id()
    }

    /// Makes the image of the tests.
    pub fn image(&self) -> io::Result<String> {
        image::import(&self.socket())
    }

    /// Ends it without a word.
    pub fn kill(mut self) -> io::Result<()> {
        self.dockerd.kill()?;
        self.dockerd.wait()?;
        // Its containerd ends with it. Where nobody takes notice of that, the next engine would take
        // the file for a sign of life.
        let file = self.folder.join("exec/containerd/containerd.pid");
        let id = fs::read_to_string(&file)?;
        let start = Instant::now();
        while is_alive(id.trim()) && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        fs::remove_file(file)?;
        // What it mounted stays otherwise, and the folder with it.
        let data = self.folder.join("data");
        Command::new("umount")
            .args(["--recursive", "--lazy"])
            .arg(data)
            .status()?;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.dockerd.try_wait()?.is_some() {
            return Ok(());
        }
        let id = i32::try_from(self.dockerd.id()).map_err(io::Error::other)?;
        if let Some(id) = Pid::from_raw(id) {
            // Asked, so that it ends its own children and lets go of what it mounted.
            kill_process(id, Signal::TERM)?;
        }
        let start = Instant::now();
        while self.dockerd.try_wait()?.is_none() {
            if start.elapsed() > PATIENCE {
                self.dockerd.kill()?;
                self.dockerd.wait()?;
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Whether the process runs; one that has ended may still be listed.
#[must_use]
pub fn is_alive(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next())
        .is_some_and(|state| state != "Z")
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
