//! A workspace with something to steal beside it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be prepared cannot be tested"
)]

mod unconfined;

pub(crate) use unconfined::Unconfined;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tau_core::{
    ids::{CallId, EffectId, UnixMillis},
    message::ToolStatus,
    policy::Policy,
    tool::{ToolClass, ToolLimits, ToolOutput, ToolRun},
};
use tau_platform::{Clock, HostTools};
use tau_target_native::tools::NativeTools;

/// 2026-08-01T12:00:00Z, always.
#[derive(Debug)]
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_785_585_600_000)
    }

    async fn sleep_until(&self, _: UnixMillis) {}
}

pub(crate) const LIMITS: ToolLimits = ToolLimits {
    timeout_ms: 20_000,
    output_bytes: 20_000,
};

/// `outside/secret.txt` says SECRET; `ws` is the workspace, empty.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) tools: NativeTools<Noon, Unconfined>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("outside/sub")).unwrap();
        fs::create_dir(dir.path().join("ws")).unwrap();
        fs::write(dir.path().join("outside/secret.txt"), "SECRET\n").unwrap();
        let tools = NativeTools::new(&dir.path().join("ws"), Noon, Unconfined).unwrap();
        Self { dir, tools }
    }

    pub(crate) fn ws(&self, path: &str) -> PathBuf {
        self.dir.path().join("ws").join(path)
    }

    pub(crate) fn outside(&self, path: &str) -> PathBuf {
        self.dir.path().join("outside").join(path)
    }

    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.ws(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) async fn call(&self, name: &str, arguments: Value) -> ToolOutput {
        self.call_within(name, arguments, LIMITS).await
    }

    pub(crate) async fn call_within(
        &self,
        name: &str,
        arguments: Value,
        limits: ToolLimits,
    ) -> ToolOutput {
        let run = ToolRun {
            call_id: CallId("call".into()),
            name: name.into(),
            arguments,
            limits,
            rates: Policy::default().rate_limits(ToolClass::Read),
            http: None,
            programs: Some(Policy::default().program_limits()),
        };
        self.tools.run(EffectId(1), run).await
    }

    /// The text of a call that must work.
    pub(crate) async fn ok(&self, name: &str, arguments: Value) -> String {
        let output = self.call(name, arguments.clone()).await;
        assert_eq!(
            output.status,
            ToolStatus::Ok,
            "{name} {arguments}: {}",
            output.text
        );
        output.text
    }

    /// The text of a call that must fail.
    pub(crate) async fn fails(&self, name: &str, arguments: Value) -> String {
        let output = self.call(name, arguments.clone()).await;
        assert_eq!(
            output.status,
            ToolStatus::Error,
            "{name} {arguments}: {}",
            output.text
        );
        output.text
    }

    /// The text of a call that must be refused.
    pub(crate) async fn denied(&self, name: &str, arguments: Value) -> String {
        let output = self.call(name, arguments.clone()).await;
        assert_eq!(
            output.status,
            ToolStatus::Denied,
            "{name} {arguments}: {}",
            output.text
        );
        output.text
    }
}

/// Every file below `root` with its content, to compare before and after.
pub(crate) fn snapshot(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            } else {
                files.push((path.clone(), fs::read(&path).unwrap_or_default()));
            }
        }
    }
    files.sort();
    files
}
