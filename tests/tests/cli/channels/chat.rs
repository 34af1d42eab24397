//! A chat server on loopback as the sample channel knows it, and a person whose agent is on it.

use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    process::{Child, Command},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};
use tau_core::model::Api;

use crate::support::{Do, Done, Server, Tau, finish};

/// What the server has and does.
#[derive(Default)]
struct Room {
    messages: Vec<Value>,
    /// Every POST that came, repetitions included.
    posted: Vec<Value>,
    refuses: Option<u16>,
    /// Takes what is posted and never says so.
    swallows: bool,
    /// Gives everything from the beginning, whatever it is asked for.
    repeats: bool,
}

/// The server.
pub(super) struct Chat {
    server: Mutex<Option<Server>>,
    room: Arc<Mutex<Room>>,
    url: String,
}

impl Chat {
    fn new() -> Self {
        let room = Arc::new(Mutex::new(Room::default()));
        let shared = Arc::clone(&room);
        let server = Server::with(Api::OpenAi, move |asked, _| {
            let is_post = asked.line.starts_with("POST /messages ");
            match is_post {
                true => post(&shared, &asked.body),
                false => get(&shared, &asked.line),
            }
        });
        let url = server.url().trim_end_matches("/v1").to_owned();
        Self {
            server: Mutex::new(Some(server)),
            room,
            url,
        }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().expect("the room")
    }

    /// Somebody writes.
    pub(super) fn write(&self, from: &str, conversation: &str, text: &str) {
        let mut room = self.room();
        let id = format!("m{}", room.messages.len() + 1);
        room.messages.push(json!({
            "id": id, "from": from, "conversation": conversation, "text": text, "at": 1,
        }));
    }

    /// Everything that was posted.
    pub(super) fn posted(&self) -> Vec<Value> {
        self.room().posted.clone()
    }

    /// What people see: each id once.
    pub(super) fn sent(&self) -> Vec<Value> {
        let mut ids = BTreeSet::new();
        let posted = self.posted().into_iter();
        posted
            .filter(|sent| ids.insert(sent["id"].to_string()))
            .collect()
    }

    pub(super) fn refuses(&self, status: u16) {
        self.room().refuses = Some(status);
    }

    pub(super) fn accepts(&self) {
        let mut room = self.room();
        room.refuses = None;
        room.swallows = false;
    }

    pub(super) fn swallows(&self) {
        self.room().swallows = true;
    }

    pub(super) fn repeats(&self) {
        self.room().repeats = true;
    }

    /// The server is gone.
    pub(super) fn ends(&self) {
        drop(self.server.lock().expect("the server").take());
    }
}

fn post(room: &Mutex<Room>, body: &Value) -> Do {
    let mut room = room.lock().expect("the room");
    if let Some(status) = room.refuses {
        return Do::Status(status, vec![], r#"{"error": "not now"}"#.into());
    }
    room.posted.push(body.clone());
    match room.swallows {
        true => Do::Hang,
        false => Do::Status(201, vec![], "{}".into()),
    }
}

fn get(room: &Mutex<Room>, line: &str) -> Do {
    let query = line.split(' ').nth(1).unwrap_or_default();
    let value = |name: &str| {
        let query = query.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    let after: usize = value("after")
        .and_then(|after| after.parse().ok())
        .unwrap_or(0);
    let wait: u64 = value("wait_ms")
        .and_then(|wait| wait.parse().ok())
        .unwrap_or(0);
    let until = Instant::now() + Duration::from_millis(wait);
    loop {
        {
            let room = room.lock().expect("the room");
            let after = if room.repeats { 0 } else { after };
            let messages = room.messages.get(after..).unwrap_or_default();
            if !messages.is_empty() || Instant::now() >= until {
                let place = room.messages.len().to_string();
                let answer = json!({ "messages": messages, "after": place });
                return Do::Status(200, vec![], answer.to_string());
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A person whose agent is on the server by the sample channel.
pub(super) struct Person {
    pub(super) tau: Tau,
    pub(super) chat: Chat,
}

impl Person {
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// The same with more in the profile.
    pub(super) fn with(profile: &str) -> Self {
        let chat = Chat::new();
        let tau = Tau::new().with("CHAT_URL", chat.url.clone());
        tau.profile(&format!(
            "[policy.http]\nallow = [\"{}\"]\n\n{profile}",
            chat.url
        ));
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/tools/chat_poll.wasm");
        let module = std::fs::read(&built)
            .unwrap_or_else(|_| panic!("{} is not built: cargo xtask wasm tools", built.display()));
        let manifest = std::fs::read_to_string(built.with_extension("json")).expect("a manifest");
        let manifest = manifest.replace("chat.example.com", "127.0.0.1");
        std::fs::write(tau.workspace().join("chat_poll.wasm"), module).expect("the module");
        tau.write("chat_poll.json", &manifest);
        tau.tau(&["tool", "install", "chat_poll.wasm", "--yes"])
            .code(0)
            .tells("bring messages");
        Self { tau, chat }
    }

    pub(super) fn allow(&self, sender: &str) {
        self.tau
            .tau(&["channel", "allow", "chat_poll", sender])
            .code(0);
    }

    fn command(&self, channel: &str, model: &Server, more: &[&str]) -> Command {
        let run = [
            "channel",
            "run",
            channel,
            "--base-url",
            model.url(),
            "--model",
            "sim",
            "--key-env",
            "SIM_KEY",
        ];
        self.tau.command(run.iter().chain(more))
    }

    /// Runs `channel` to its end.
    pub(super) fn run_channel(&self, channel: &str, model: &Server, more: &[&str]) -> Done {
        let child = self.command(channel, model, more).spawn();
        finish(child.expect("tau starts"), b"")
    }

    /// Runs the sample to its end.
    pub(super) fn run(&self, model: &Server, more: &[&str]) -> Done {
        self.run_channel("chat_poll", model, more)
    }

    /// Receives once.
    pub(super) fn once(&self, model: &Server) -> Done {
        self.run(model, &["--once"])
    }

    /// Runs the sample until somebody ends it.
    pub(super) fn start(&self, model: &Server) -> Child {
        self.command("chat_poll", model, &[])
            .spawn()
            .expect("tau starts")
    }

    /// The sample as `tau channel list` has it.
    pub(super) fn listed(&self) -> Value {
        let all = self.tau.tau(&["channel", "list", "--json"]).code(0).json();
        let mut channels = all["channels"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter();
        channels
            .find(|channel| channel["name"] == "chat_poll")
            .unwrap_or_else(|| panic!("chat_poll is not in {all}"))
    }
}

/// What was sent.
pub(super) fn text_of(sent: &Value) -> String {
    sent["text"].as_str().unwrap_or_default().to_owned()
}

/// Waits until `so` is.
pub(super) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "{what}: not within 30 s");
        thread::sleep(Duration::from_millis(20));
    }
}
