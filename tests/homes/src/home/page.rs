//! Chromium: a page whose Web Worker plays. Between processes the page loads itself again, and with
//! it everything but IndexedDB is gone.

use anyhow::{Context, Result, bail};
use std::{path::Path, process::Stdio, time::Duration};
use tau_tests::task::Task;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::Lane;
use crate::{
    server::page::{PageServer, Said},
    tools::{self, Tools},
};

/// Headless, alone, and without a word to anybody but the page's servers.
pub const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page.
#[derive(Debug)]
pub struct PageLane {
    server: PageServer,
    browser: Child,
    profile: TempDir,
}

impl PageLane {
    /// Starts it.
    pub async fn start(tools: &Tools) -> Result<Self> {
        tools::built("build/stage/page", "index.html")?;
        let stage = tools::built("build/stage/page", "tau_bg.wasm")?;
        let server = PageServer::start(stage).await?;
        let profile = TempDir::new()?;
        let browser = browser(tools.chromium()?, profile.path(), &server.url())?;
        Ok(Self {
            server,
            browser,
            profile,
        })
    }
}

fn browser(program: &Path, profile: &Path, url: &str) -> Result<Child> {
    Command::new(program)
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

impl Drop for PageLane {
    /// Removes the profile once nobody writes into it: the browser's helpers end after it does.
    fn drop(&mut self) {
        // One that has ended is what is wanted.
        self.browser.start_kill().ok();
        for _ in 0..300 {
            let has_ended = !matches!(self.browser.try_wait(), Ok(None));
            if has_ended && std::fs::remove_dir_all(self.profile.path()).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Lane for PageLane {
    async fn perform(&mut self, task: &Task) -> Result<Said> {
        tokio::select! {
            said = self.server.ask(task) => said,
            ended = self.browser.wait() => bail!("Chromium ended: {}", ended?),
        }
    }

    /// The page does it by itself whenever it said that another process goes on, or panicked.
    async fn restart(&mut self) -> Result<()> {
        Ok(())
    }
}
