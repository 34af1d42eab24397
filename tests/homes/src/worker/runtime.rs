//! workerd with the Worker in it, as it is deployed.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

use super::{client::Client, model::Model};
use crate::tools::{self, Tools};

/// Longer than the runtime takes to start, also where everything else is busy.
const START: Duration = Duration::from_secs(60);
/// The tokens that the Worker is started with.
pub const ALICE: &str = "alice-0123456789abcdef";
/// Of somebody else.
pub const BOB: &str = "bob-0123456789abcdef";
/// The provider's key.
pub const KEY: &str = "sk-key-that-nobody-may-see";

/// A running Worker with a disk. Killed when it is dropped.
pub struct Worker {
    tools: Tools,
    folder: TempDir,
    variables: BTreeMap<String, String>,
    child: Option<Child>,
    /// Its address, without trailing slash.
    pub url: String,
    said: Arc<Mutex<String>>,
}

impl Worker {
    /// Starts it for Alice and Bob, with `model` as its provider.
    pub async fn start(model: &Model) -> Result<Self> {
        Self::with(model, &[]).await
    }

    /// The same with other variables: those given win, an empty one is not set.
    pub async fn with(model: &Model, variables: &[(&str, &str)]) -> Result<Self> {
        let tokens = format!("{{\"alice\": \"{ALICE}\", \"bob\": \"{BOB}\"}}");
        let base_url = format!("{}/v1", model.origin);
        let usual = [
            ("TAU_TOKENS", tokens.as_str()),
            ("TAU_API_KEY", KEY),
            ("TAU_MODEL", "m"),
            ("TAU_BASE_URL", &base_url),
            ("TAU_HTTP_ALLOWED", &model.origin),
            ("TAU_REQUESTS_PER_MINUTE", "100000"),
        ];
        let all = usual.iter().chain(variables);
        let variables: BTreeMap<String, String> = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let tools = Tools::find()?;
        let folder = TempDir::new()?;
        let built = tools::built("build/worker", "index_bg.wasm")?;
        for file in ["shim.mjs", "index.js", "index_bg.wasm"] {
            let from = built.join(file);
            std::fs::copy(&from, folder.path().join(file))
                .with_context(|| format!("no {}", from.display()))?;
        }
        std::fs::create_dir(folder.path().join("disk"))?;
        let ai = AI.replace("MODEL", &model.origin);
        std::fs::write(folder.path().join("ai.mjs"), ai)?;
        let mut worker = Self {
            tools,
            folder,
            variables,
            child: None,
            url: String::new(),
            said: Arc::default(),
        };
        worker.launch().await?;
        Ok(worker)
    }

    /// Whether `text` is anywhere on the disk.
    pub fn keeps(&self, text: &str) -> Result<bool> {
        let mut folders = vec![self.folder.path().join("disk")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let bytes = std::fs::read(entry.path())?;
                if bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Kills the runtime without a word and starts it again on the same disk.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        self.launch().await
    }

    /// Kills the runtime without a word.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("workerd cannot be killed")?;
        }
        Ok(())
    }

    /// Changes a variable from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.into(), value.into());
    }

    /// Starts the runtime on the disk.
    pub async fn launch(&mut self) -> Result<()> {
        let config = self.folder.path().join("config.capnp");
        std::fs::write(&config, self.config())?;
        let disk = self.folder.path().join("disk");
        let mut child = Command::new(self.tools.workerd()?)
            .args(["serve", "--experimental"])
            .arg(&config)
            .args(["--socket-addr=http=127.0.0.1:0", "--control-fd=1"])
            .arg(format!("--directory-path=disk={}", disk.display()))
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("workerd does not start")?;
        let out = child.stdout.take().context("no output")?;
        let errors = child.stderr.take().context("no output")?;
        self.child = Some(child);
        self.listen_to(BufReader::new(errors));
        let mut lines = BufReader::new(out);
        let listening = async {
            let mut line = String::new();
            while lines.read_line(&mut line).await? > 0 {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if event["event"] == "listen" {
                    return Ok(event["port"].as_u64().unwrap_or_default());
                }
                line.clear();
            }
            bail!("workerd ended before it listened: {}", self.output())
        };
        let port = tokio::time::timeout(START, listening)
            .await
            .context("workerd does not listen")??;
        self.listen_to(lines);
        self.url = format!("http://127.0.0.1:{port}");
        Ok(())
    }

    fn listen_to(&self, mut stream: impl AsyncRead + AsyncBufReadExt + Unpin + Send + 'static) {
        let said = Arc::clone(&self.said);
        tokio::spawn(async move {
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                line.clear();
            }
        });
    }

    /// Everything the runtime has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        let said = self.said.lock();
        said.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody with this token.
    #[must_use]
    pub fn client(&self, token: &str) -> Client {
        Client::new(&self.url, Some(token))
    }

    /// Alice.
    #[must_use]
    pub fn alice(&self) -> Client {
        self.client(ALICE)
    }

    fn config(&self) -> String {
        let mut variables = String::new();
        for (name, _) in self.variables.iter().filter(|(_, value)| !value.is_empty()) {
            // Writing to a string does not fail.
            let _ = writeln!(
                variables,
                "    (name = \"{name}\", fromEnvironment = \"{name}\"),"
            );
        }
        CONFIG.replace("    VARIABLES\n", &variables)
    }
}

/// Workers AI as this test has it: the model's server behind the binding.
const AI: &str = r#"export default (env) => ({
  async run(model, input) {
    const body = JSON.stringify({ model, ...input });
    const answer = await env.internet.fetch("MODEL/ai", { method: "POST", body });
    if (!answer.ok) throw new Error(await answer.text());
    return input.stream ? answer.body : answer.json();
  },
});
"#;

const CONFIG: &str = r#"using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["local"])),
    (name = "disk", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
  extensions = [(modules = [(name = "test:ai", internal = true, esModule = embed "ai.mjs")])],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "shim.mjs", esModule = embed "shim.mjs"),
    (name = "./index.js", esModule = embed "index.js"),
    (name = "./index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  bindings = [
    (name = "SESSIONS", durableObjectNamespace = "SessionObject"),
    (name = "DIRECTORIES", durableObjectNamespace = "Directory"),
    (name = "AI", wrapped = (
      moduleName = "test:ai",
      innerBindings = [(name = "internet", service = "internet")],
    )),
    VARIABLES
  ],
  durableObjectNamespaces = [
    (className = "SessionObject", uniqueKey = "tau-SessionObject", enableSql = true),
    (className = "Directory", uniqueKey = "tau-Directory", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
);
"#;
