//! What an engine's containers keep of what they promise, seen on a real engine.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod engine_dies;
mod limits;
mod refusals;
mod secrets;
mod sees;
mod streams;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
};

use tau_sandbox_tests::{Engine, PrivateEngine, Shared, readable};
use tau_target_docker::{Configuration, Container, Docker};
use tau_target_process::{Confinement, Exit, Input, Job, Limits, Output, Running, Sandbox};
use tempfile::TempDir;

/// A user that is not root.
const ORDINARY: u32 = 1_000;

/// An engine and a workspace.
struct Place {
    docker: Docker,
    engine: Engine,
    folder: TempDir,
    _shared: Option<Arc<Shared>>,
}

/// How a program ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    async fn new() -> Self {
        let shared = tokio::task::spawn_blocking(shared).await.unwrap();
        let mut place = Self::at(&shared.engine).await;
        place._shared = Some(shared);
        place
    }

    async fn at(engine: &Engine) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        Self {
            docker: Docker::connect(configuration(engine)).await.unwrap(),
            engine: engine.clone(),
            folder,
            _shared: None,
        }
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn confinement(&self) -> Confinement {
        Confinement {
            workspace: self.workspace(),
            read_only: Vec::new(),
            hidden: Vec::new(),
            readable: readable(),
            environment: Vec::new(),
            limits: Limits {
                memory_bytes: 128 << 20,
                processes: 50,
                file_bytes: 64 << 20,
                cpu_seconds: 20,
                scratch_bytes: 4 << 20,
            },
        }
    }

    /// A job that runs `script`, and what it writes.
    fn job(&self, script: &str) -> (Job, [io::PipeReader; 2]) {
        let (out, output) = io::pipe().unwrap();
        let (err, errors) = io::pipe().unwrap();
        let job = Job {
            program: ["/bin/sh", "-c", script].map(Into::into).into(),
            confinement: self.confinement(),
            input: Input::Null,
            output: Output::Pipe(output),
            errors: Output::Pipe(errors),
        };
        (job, [out, err])
    }

    async fn start(&self, script: &str) -> Container {
        let (job, _) = self.job(script);
        self.docker.start(job).await.unwrap()
    }

    async fn run(&self, script: &str) -> Said {
        let (job, pipes) = self.job(script);
        self.finish(job, pipes).await
    }

    async fn finish(&self, job: Job, pipes: [io::PipeReader; 2]) -> Said {
        let mut running = self.docker.start(job).await.unwrap();
        let [out, err] = pipes.map(|pipe| thread::spawn(move || read(pipe)));
        let exit = running.wait().await.unwrap();
        assert_eq!(running.end().await, tau_target_process::Ended::default());
        let Exit::Code(code) = exit else {
            panic!("{exit:?}");
        };
        Said {
            code,
            out: out.join().unwrap(),
            err: err.join().unwrap(),
        }
    }

    /// A process of its own that runs `script` in a container with its own streams.
    fn process(&self, script: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_test-run"));
        command
            .arg(&self.engine.socket)
            .arg(&self.engine.image)
            .arg(self.workspace())
            .arg(script);
        command
    }

    /// The engine, asked from beside.
    fn client(&self) -> bollard::Docker {
        client(&self.engine.socket)
    }

    /// The containers of that name there are.
    async fn exists(&self, name: &str) -> bool {
        self.client().inspect_container(name, None).await.is_ok()
    }
}

fn shared() -> Arc<Shared> {
    let supervisor = Path::new(env!("CARGO_BIN_EXE_test-engine"));
    Arc::new(Shared::get(supervisor, Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap())
}

/// An engine of a test's own, with the image.
async fn private(folder: &Path) -> (PrivateEngine, String) {
    let folder = folder.to_owned();
    let start = move || {
        let engine = PrivateEngine::start(&folder)?;
        let image = engine.image()?;
        io::Result::Ok((engine, image))
    };
    tokio::task::spawn_blocking(start).await.unwrap().unwrap()
}

fn configuration(engine: &Engine) -> Configuration {
    Configuration {
        socket: Some(engine.socket.to_str().unwrap().to_owned()),
        image: engine.image.clone(),
        milli_cpus: 500,
        as_root: false,
    }
}

fn client(socket: &Path) -> bollard::Docker {
    let version = &bollard::ClientVersion {
        major_version: 1,
        minor_version: 41,
    };
    bollard::Docker::connect_with_unix(socket.to_str().unwrap(), 60, version).unwrap()
}

fn read(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
