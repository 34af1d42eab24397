//! From the start of workerd to the first bytes of an answer: Tau's Worker and one that only greets.
//!
//! Each run is a process of its own, on the store that one earlier process left, so that every run
//! finds the same. The two take turns, so that whatever else the machine does falls on both. The
//! session is there already, as it is after a Worker was evicted; the model answers at once from
//! loopback.

use super::{modules::HELLO, provider::Provider};
use crate::{
    tools::{self, toolchain::Toolchain},
    wasm::{
        finish,
        module::{Module, Profile},
    },
    worker::{
        self,
        capnp::{self, Config, Object, Server},
    },
    workspace,
};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

/// Processes of each Worker that are timed; the median is told.
const RUNS: usize = 15;

/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(20);

const GREET: &str = "GET / HTTP/1.1\r\nhost: hello\r\n\r\n";

const TOKEN: &str = "measured-on-loopback";

/// The medians.
pub(super) struct Starts {
    hello: Duration,
    first_byte: Duration,
    first_word: Duration,
}

impl Starts {
    pub(super) fn measure() -> Result<Self> {
        let toolchain = Toolchain::need()?;
        let worker = worker::worker()?;
        for module in [worker, &HELLO] {
            module.build(&toolchain, Profile::Shipped)?;
        }
        let provider = Provider::start()?;
        let hello = Stage::new("start-hello", &HELLO, &[("GREETER", "Greeter")], &[])?;
        let tokens = format!("size={TOKEN}");
        let values = [
            ("TAU_TOKENS", tokens.as_str()),
            ("TAU_MODEL", "mock"),
            ("TAU_BASE_URL", provider.base_url.as_str()),
        ];
        let objects = [("SESSIONS", "SessionObject"), ("DIRECTORIES", "Directory")];
        let tau = Stage::new("start-tau", worker, &objects, &values)?;
        hello.time(GREET, &["Hello"])?;
        let session = begin(&tau)?;
        for stage in [&hello, &tau] {
            stage.keep()?;
        }

        let mut times = [(); 3].map(|()| Vec::with_capacity(RUNS));
        for run in 0..=RUNS {
            let greeted = hello.again(GREET, &["Hello"])?;
            let prompted = tau.again(&prompt(&session), &["", "hello"])?;
            // The first of each reads files that no cache holds yet.
            if run > 0 {
                times[0].push(greeted[0]);
                times[1].push(prompted[0]);
                times[2].push(prompted[1]);
            }
        }
        let [hello, first_byte, first_word] = times.map(median);
        Ok(Self {
            hello,
            first_byte,
            first_word,
        })
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let ms = |time: Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        super::fields(json!({
            "start": {
                "hello_first_byte_ms": ms(self.hello),
                "worker_first_byte_ms": ms(self.first_byte),
                "worker_first_word_ms": ms(self.first_word),
            }
        }))
    }

    pub(super) fn print(&self) {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let ratio = |time: Duration| time.as_secs_f64() / self.hello.as_secs_f64();
        let verdict = match ratio(self.first_byte) <= 1.5 {
            true => "kept",
            false => "MISSED",
        };
        println!(
            "greeting Worker  {:.0} ms from its process's start to the first byte (median of {RUNS})",
            ms(self.hello)
        );
        println!(
            "Worker           {:.0} ms to the first streamed byte, {:.2} times, aim 1.5 {verdict}; {:.0} ms to the model's first word",
            ms(self.first_byte),
            ratio(self.first_byte),
            ms(self.first_word)
        );
    }
}

/// A Worker with a store, to be started again and again.
struct Stage {
    workerd: PathBuf,
    config: PathBuf,
    objects: PathBuf,
    values: Vec<(String, String)>,
}

impl Stage {
    fn new(
        name: &str,
        module: &Module,
        objects: &[(&str, &str)],
        values: &[(&str, &str)],
    ) -> Result<Self> {
        let directory = workspace::scratch(name)?;
        let objects: Vec<Object> = objects
            .iter()
            .map(|(binding, class)| Object {
                binding: (*binding).to_owned(),
                class: (*class).to_owned(),
            })
            .collect();
        let stage = Self {
            workerd: tools::workerd()?.context("no workerd here: cargo xtask setup")?,
            config: directory.join("config.capnp"),
            objects: directory.join("objects"),
            values: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        fs::create_dir_all(&stage.objects)?;
        let text = capnp::text(&Config {
            modules: &workspace::root().join(module.output),
            compatibility_date: "2026-11-01",
            objects: &objects,
            variables: &values.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            networks: &["local"],
        });
        fs::write(&stage.config, text)?;
        Ok(stage)
    }

    fn start(&self) -> Result<Server> {
        let mut command = Command::new(&self.workerd);
        command
            .arg("serve")
            .arg(&self.config)
            .args(capnp::arguments(0, &self.objects))
            .env_clear()
            .envs(self.values.iter().cloned());
        Server::start(&mut command)
    }

    /// Keeps what is stored now for [`Stage::again`].
    fn keep(&self) -> Result<()> {
        finish::copy(&self.objects, &self.kept())
    }

    fn kept(&self) -> PathBuf {
        self.objects.with_extension("kept")
    }

    /// Like [`Stage::time`], on what was kept.
    fn again(&self, request: &str, marks: &[&str]) -> Result<Vec<Duration>> {
        fs::remove_dir_all(&self.objects)?;
        finish::copy(&self.kept(), &self.objects)?;
        self.time(request, marks)
    }

    /// Starts a process and asks it; says when the body had each of `marks`, one after another.
    fn time(&self, request: &str, marks: &[&str]) -> Result<Vec<Duration>> {
        let start = Instant::now();
        let server = self.start()?;
        let mut body = ask(server.port, request)?;
        let mut seen = Vec::new();
        let mut times = Vec::with_capacity(marks.len());
        while times.len() < marks.len() {
            let piece = body.fill_buf()?;
            if piece.is_empty() {
                bail!("the answer ended early: {}", String::from_utf8_lossy(&seen));
            }
            seen.extend_from_slice(piece);
            let length = piece.len();
            body.consume(length);
            let text = String::from_utf8_lossy(&seen);
            while times.len() < marks.len() && text.contains(marks[times.len()]) {
                times.push(start.elapsed());
            }
        }
        Ok(times)
    }
}

/// Begins a session in a process of its own, and has it answer once.
fn begin(stage: &Stage) -> Result<String> {
    let server = stage.start()?;
    let mut text = String::new();
    ask(server.port, &post("/v1/sessions", "", "{}"))?.read_to_string(&mut text)?;
    let start = text.find('{').context("no JSON in the answer")?;
    let end = text.rfind('}').context("no JSON in the answer")?;
    let answer: Value = serde_json::from_str(&text[start..=end])
        .with_context(|| format!("the Worker answered {text}"))?;
    let session = answer["session"]
        .as_str()
        .with_context(|| format!("the Worker answered {text}"))?;
    ask(server.port, &prompt(session))?.read_to_string(&mut text)?;
    if !text.contains("turn_finished") {
        bail!("the turn did not finish: {text}");
    }
    Ok(session.to_owned())
}

fn prompt(session: &str) -> String {
    post(
        &format!("/v1/sessions/{session}/prompt"),
        "accept: text/event-stream\r\n",
        r#"{"text": "hi"}"#,
    )
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: tau\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends the request and reads the response's head; what is left to read is the body.
fn ask(port: u16, request: &str) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 0 && !header.trim().is_empty() {
        header.clear();
    }
    if !status.starts_with("HTTP/1.1 2") {
        let mut body = String::new();
        // Whatever can still be read says more than the status alone.
        let _ = reader.read_to_string(&mut body);
        bail!("the Worker answered {} {body}", status.trim());
    }
    Ok(reader)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
