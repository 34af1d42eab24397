//! workerd: a Worker whose Durable Object plays. Between processes the runtime is killed, without a
//! word, and started again on the same disk.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tau_core::session::HttpRequest;
use tau_platform::{Body, Http};
use tau_target_native::ReqwestHttp;
use tau_tests::task::Task;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::Lane;
use crate::{
    server::page::Said,
    tools::{self, Tools},
};

/// Longer than the runtime takes to start, also where everything else is busy.
const START: Duration = Duration::from_secs(60);
/// Longer than any task takes.
const PATIENCE_MS: u64 = 180_000;

/// The files of the stage.
const MODULES: &[&str] = &["shim.mjs", "index.js", "index_bg.wasm"];

/// A running workerd. Killed when it is dropped.
#[derive(Debug)]
struct Workerd {
    child: Child,
    /// Its address, without trailing slash.
    url: String,
}

/// What it says on its control channel.
#[derive(Debug, Deserialize)]
struct Control {
    event: String,
    #[serde(default)]
    port: u16,
}

impl Workerd {
    /// Starts `program` with the configuration file `config`, whose socket is called `http` and
    /// whose disk is called `do-disk`; `disk` is where that is.
    async fn start(program: &Path, config: &Path, disk: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("serve")
            .arg(config)
            .args(["--socket-addr=http=127.0.0.1:0", "--control-fd=1"])
            .arg(format!("--directory-path=do-disk={}", disk.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let out = child.stdout.take().context("workerd has no output")?;
        let mut lines = BufReader::new(out).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await? {
                let control: Control = serde_json::from_str(&line)?;
                if control.event == "listen" {
                    return Ok(control.port);
                }
            }
            bail!("workerd ended before it listened")
        };
        let port = tokio::time::timeout(START, listening)
            .await
            .context("workerd does not listen")??;
        Ok(Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        })
    }

    /// Kills it and waits until it is gone.
    async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("workerd cannot be killed")
    }
}

/// A lane with a disk.
#[derive(Debug)]
pub struct WorkerdLane {
    program: PathBuf,
    folder: TempDir,
    running: Option<Workerd>,
    client: ReqwestHttp,
}

impl WorkerdLane {
    /// Starts it.
    pub async fn start(tools: &Tools) -> Result<Self> {
        let folder = TempDir::new()?;
        let stage = tools::built("build/stage/workerd", "index_bg.wasm")?;
        for file in MODULES {
            std::fs::copy(stage.join(file), folder.path().join(file))
                .with_context(|| format!("no {}", stage.join(file).display()))?;
        }
        std::fs::write(folder.path().join("config.capnp"), CONFIG)?;
        std::fs::create_dir(folder.path().join("disk"))?;
        let mut lane = Self {
            program: tools.workerd()?.to_owned(),
            folder,
            running: None,
            client: ReqwestHttp::new(|_: &str| None),
        };
        lane.restart().await?;
        Ok(lane)
    }
}

const CONFIG: &str = r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "stage", worker = .stage),
    (name = "internet", network = (allow = ["local"])),
    (name = "do-disk", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "stage")],
);

const stage :Workerd.Worker = (
  modules = [
    (name = "shim.mjs", esModule = embed "shim.mjs"),
    (name = "./index.js", esModule = embed "index.js"),
    (name = "./index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "STAGE", durableObjectNamespace = "Stage")],
  durableObjectNamespaces = [(className = "Stage", uniqueKey = "tau-stage", enableSql = true)],
  durableObjectStorage = (localDisk = "do-disk"),
);
"#;

impl Lane for WorkerdLane {
    async fn perform(&mut self, task: &Task) -> Result<Said> {
        let running = self.running.as_ref().context("workerd does not run")?;
        // One object for each play, as one for each session.
        let object = match task {
            Task::Play(job) => job.play.as_str(),
            Task::Suite(_) | Task::Search(_) => "suite",
            Task::Wasm(case) => &case.name,
        };
        let body = serde_json::to_vec(task)?;
        let request = HttpRequest {
            method: "POST".into(),
            url: format!("{}/{object}", running.url),
            headers: Vec::new(),
            body: Arc::from(body),
            idle_timeout_ms: PATIENCE_MS,
        };
        let (head, mut body) = self.client.send(request).await?;
        let mut text = Vec::new();
        while let Some(piece) = body.chunk().await? {
            text.extend(piece);
        }
        serde_json::from_slice(&text).with_context(|| {
            let text = String::from_utf8_lossy(&text);
            format!("workerd said {} {text}", head.status)
        })
    }

    async fn restart(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            running.kill().await?;
        }
        let folder = self.folder.path();
        let (config, disk) = (folder.join("config.capnp"), folder.join("disk"));
        let started = Workerd::start(&self.program, &config, &disk).await?;
        self.running = Some(started);
        Ok(())
    }
}
