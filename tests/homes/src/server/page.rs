//! The page's server: its files, the tasks it asks for and the results it brings.
//!
//! Its port is not the models' port, so that everything a page asks of a model is of a foreign
//! origin, as it is on the web.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tau_tests::task::{Answer, Task};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Notify, oneshot},
};

use super::{
    Listener,
    suite::{Asked, whole},
};

/// Longer than a page takes for any task, also where everything else is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a home says about a task.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It was done.
    Answer(Answer),
    /// It ended in a panic, with these words.
    Panic(String),
}

/// Serves one page.
#[derive(Debug)]
pub struct PageServer {
    listener: Listener,
    tasks: Arc<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    waiting: Mutex<VecDeque<(String, oneshot::Sender<String>)>>,
    added: Notify,
    under_way: Mutex<Option<oneshot::Sender<String>>>,
}

impl PageServer {
    /// Serves the files of `directory`.
    pub async fn start(directory: PathBuf) -> Result<Self> {
        let tasks = Arc::new(Tasks::default());
        let (shared, directory) = (Arc::clone(&tasks), Arc::new(directory));
        let listener = Listener::start(move |mut stream, asked| {
            let (tasks, directory) = (Arc::clone(&shared), Arc::clone(&directory));
            async move { answer(&mut stream, &asked, &tasks, &directory).await }
        });
        Ok(Self {
            listener: listener.await.context("cannot listen on loopback")?,
            tasks,
        })
    }

    /// The page's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/index.html", self.listener.url)
    }

    /// Gives the page a task and waits for what it says.
    pub async fn ask(&self, task: &Task) -> Result<Said> {
        let (sender, receiver) = oneshot::channel();
        let text = serde_json::to_string(task)?;
        lock(&self.tasks.waiting).push_back((text, sender));
        self.tasks.added.notify_one();
        let Ok(said) = tokio::time::timeout(PATIENCE, receiver).await else {
            bail!("the page said nothing for {} s", PATIENCE.as_secs());
        };
        let said = said.context("the page's server is gone")?;
        serde_json::from_str(&said).with_context(|| format!("the page said {said}"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    stream: &mut TcpStream,
    asked: &Asked,
    tasks: &Tasks,
    directory: &Path,
) -> io::Result<()> {
    let path = asked.path.split('?').next().unwrap_or_default();
    match (asked.method.as_str(), path) {
        ("GET", "/next") => {
            let (task, sender) = loop {
                if let Some(next) = lock(&tasks.waiting).pop_front() {
                    break next;
                }
                tasks.added.notified().await;
            };
            *lock(&tasks.under_way) = Some(sender);
            let head = "200 OK\r\ncontent-type: application/json";
            stream.write_all(&whole(head, task.as_bytes())).await
        }
        ("POST", "/result") => {
            let said = String::from_utf8_lossy(&asked.body).into_owned();
            if let Some(sender) = lock(&tasks.under_way).take() {
                // Nobody waits any more when it came too late.
                let _ = sender.send(said);
            }
            stream.write_all(&whole("200 OK", b"")).await
        }
        ("POST", "/broken") => {
            let words = String::from_utf8_lossy(&asked.body).into_owned();
            let said: Value = json!({"panic": words});
            if let Some(sender) = lock(&tasks.under_way).take() {
                let _ = sender.send(said.to_string());
            }
            stream.write_all(&whole("200 OK", b"")).await
        }
        ("GET", path) => {
            let name = path.trim_start_matches('/');
            let file = directory.join(name);
            let is_inside = !name.split('/').any(|part| part == "..");
            match std::fs::read(&file).ok().filter(|_| is_inside) {
                Some(bytes) => {
                    let head = format!("200 OK\r\ncontent-type: {}", kind(&file));
                    stream.write_all(&whole(&head, &bytes)).await
                }
                None => stream.write_all(&whole("404 Not Found", b"")).await,
            }
        }
        _ => stream.write_all(&whole("405 Not Allowed", b"")).await,
    }
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css",
        _ => "application/octet-stream",
    }
}
