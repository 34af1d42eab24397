//! Chromium, driven by chromedriver: a profile of its own, gone when dropped.

use fantoccini::{
    Client, ClientBuilder,
    wd::{TimeoutConfiguration, WebDriverCompatibleCommand, WindowHandle},
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use std::{process::Stdio, time::Duration};
use tau_homes::{home::FLAGS, tools::Tools};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long a page may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs in the page before each script: opens the agent, and keeps what it tells.
const AGENT: &str = "
    const open = async (options = {}) => {
        const { Agent } = await import('/tau.js');
        window.seen = [];
        window.reads = 0;
        const page = () => { window.reads += 1; return document.body.innerText; };
        window.agent = await Agent.open({ page, ...options });
        for (const name of ['session', 'held', 'released', 'model', 'settings', 'error'])
            agent.addEventListener(name, ({ detail }) =>
                seen.push({ name, detail: detail instanceof Error ? { code: detail.code, message: detail.message, hint: detail.hint, session: detail.session } : detail }));
    };
    const call = (name, args) => agent.call(name, args);
    const until = async (is, what) => {
        for (let left = 1500; left > 0; left -= 1) {
            const found = await is();
            if (found) return found;
            await new Promise((go) => setTimeout(go, 20));
        }
        throw new Error(`${what ?? is} did not come; seen: ${JSON.stringify(window.seen)}`);
    };
    const events = () => seen.filter(({ name }) => name === 'session').map(({ detail }) => detail.event);
    const event = (type) => until(() => events().find((event) => event.type === type), type);
    const told = (name) => until(() => seen.find((one) => one.name === name), name);
";

/// A browser.
#[derive(Debug)]
pub(crate) struct Browser {
    /// For what is not here.
    pub(crate) client: Client,
    // Ended in this order: the browser writes into its profile.
    _driver: Driver,
    _profile: TempDir,
}

/// chromedriver, and the browser it started: they are one process group.
#[derive(Debug)]
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(id) = self.0.id() {
            let group = format!("-{id}");
            let mut kill = std::process::Command::new("kill");
            // A group that has ended is what is wanted.
            kill.args(["-KILL", "--", &group]).status().ok();
        }
    }
}

impl Browser {
    /// Starts it with an empty profile.
    pub(crate) async fn start() -> Self {
        let tools = Tools::find().unwrap();
        let profile = TempDir::new().unwrap();
        let mut driver = Command::new(tools.chromedriver().unwrap())
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
            let line = line.expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Its further words have to go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut args: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        args.push(format!("--user-data-dir={}", profile.path().display()));
        let mut capabilities = Map::new();
        let options = json!({ "binary": tools.chromium().unwrap(), "args": args });
        capabilities.insert("goog:chromeOptions".into(), options);
        capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let timeouts = TimeoutConfiguration::new(Some(PATIENCE), Some(PATIENCE), None);
        client.update_timeouts(timeouts).await.unwrap();
        Self {
            client,
            _driver: Driver(driver),
            _profile: profile,
        }
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// Another tab, which is the one that is driven from here on.
    pub(crate) async fn new_tab(&self) -> WindowHandle {
        let handle = self.client.new_window(true).await.unwrap().handle;
        self.client.switch_to_window(handle.clone()).await.unwrap();
        handle
    }

    pub(crate) async fn tab(&self) -> WindowHandle {
        self.client.window().await.unwrap()
    }

    pub(crate) async fn switch_to(&self, tab: &WindowHandle) {
        self.client.switch_to_window(tab.clone()).await.unwrap();
    }

    pub(crate) async fn close_tab(&self) {
        self.client.close_window().await.unwrap();
    }

    /// What the body of an async function gives, run in the page with the helpers of [`AGENT`].
    /// `given` is `arguments[0]`.
    pub(crate) async fn run(&self, body: &str, given: Value) -> Value {
        self.try_run(body, given)
            .await
            .unwrap_or_else(|error| panic!("{body}\nfailed: {error}"))
    }

    /// The same; what the page throws is `{message, code, hint}`.
    pub(crate) async fn try_run(&self, body: &str, given: Value) -> Result<Value, Value> {
        let script = format!(
            "const [given, done] = arguments;
            (async () => {{ {AGENT} {body} }})().then(
                (ok) => done({{ ok: ok === undefined ? null : ok }}),
                (error) => done({{ error: {{ message: String(error?.message ?? error), code: error?.code, hint: error?.hint }} }}),
            );"
        );
        let outcome = self
            .client
            .execute_async(&script, vec![given])
            .await
            .unwrap();
        match outcome.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(outcome["ok"].clone()),
        }
    }

    /// Takes the network away from the tab.
    pub(crate) async fn go_offline(&self) {
        let conditions = json!({ "offline": true, "latency": 0, "throughput": 0 });
        let conditions = json!({ "network_conditions": conditions });
        let command = Extra(Method::POST, "chromium/network_conditions", conditions);
        self.client.issue_cmd(command).await.unwrap();
    }

    /// What the browser's console says since it was asked last, without what only tells: warnings
    /// and errors.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let command = Extra(Method::POST, "se/log", json!({ "type": "browser" }));
        let log = self.client.issue_cmd(command).await.unwrap();
        let entries = log.as_array().cloned().unwrap_or_default().into_iter();
        entries
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// Ends it in order, after looking at the console once more.
    pub(crate) async fn end(self) {
        assert_eq!(self.complaints().await, Vec::<String>::new());
        self.client.close().await.unwrap();
    }
}

/// A command that fantoccini does not have: method, path below the session, body.
#[derive(Debug)]
struct Extra(Method, &'static str, Value);

impl WebDriverCompatibleCommand for Extra {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.1
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (self.0.clone(), Some(self.2.to_string()))
    }
}
