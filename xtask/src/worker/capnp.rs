//! workerd: what it is told in its configuration language, and how it is started.
//!
//! No value of a variable is in the configuration, only its name: workerd takes values from its
//! environment, so that no secret is written to a file.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// A Worker, as workerd is told.
pub(crate) struct Config<'a> {
    /// The directory with `shim.mjs`, `index.js` and `index_bg.wasm`.
    pub(crate) modules: &'a Path,
    pub(crate) compatibility_date: &'a str,
    pub(crate) objects: &'a [Object],
    /// Names of variables and secrets; their values are in workerd's environment.
    pub(crate) variables: &'a [&'a str],
    /// What `fetch` may reach: `public`, `private`, `local`.
    pub(crate) networks: &'a [&'a str],
}

/// A class of Durable Objects and the binding it is reached by.
pub(crate) struct Object {
    pub(crate) binding: String,
    pub(crate) class: String,
}

/// The configuration's text.
pub(crate) fn text(config: &Config) -> String {
    let list = |items: Vec<String>| items.join(",\n    ");
    let embed = |name: &str| quoted(&config.modules.join(name).to_string_lossy());
    let networks = config.networks.iter().map(|network| quoted(network));
    let namespaces = config.objects.iter().map(|object| {
        // The key names the object's directory: another key is another, empty world.
        format!(
            "(className = {}, uniqueKey = {}, enableSql = true)",
            quoted(&object.class),
            quoted(&format!("tau-{}", object.class))
        )
    });
    let objects = config.objects.iter().map(|object| {
        let (name, class) = (quoted(&object.binding), quoted(&object.class));
        format!("(name = {name}, durableObjectNamespace = {class})")
    });
    let variables = config.variables.iter().map(|name| {
        let name = quoted(name);
        format!("(name = {name}, fromEnvironment = {name})")
    });
    let mut text = String::from("using Workerd = import \"/workerd/workerd.capnp\";\n\n");
    // Writing to a string does not fail.
    let _ = write!(
        text,
        r#"const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = [{networks}], tlsOptions = (trustBrowserCas = true))),
    (name = "objects", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "shim.mjs", esModule = embed {shim}),
    (name = "./index.js", esModule = embed {script}),
    (name = "./index_bg.wasm", wasm = embed {module}),
  ],
  compatibilityDate = {date},
  bindings = [
    {bindings}
  ],
  durableObjectNamespaces = [
    {namespaces}
  ],
  durableObjectStorage = (localDisk = "objects"),
);
"#,
        networks = networks.collect::<Vec<_>>().join(", "),
        shim = embed("shim.mjs"),
        script = embed("index.js"),
        module = embed("index_bg.wasm"),
        date = quoted(config.compatibility_date),
        bindings = list(objects.chain(variables).collect()),
        namespaces = list(namespaces.collect()),
    );
    text
}

/// A string of the configuration language.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

/// What workerd is told beyond the configuration: where to listen, and where objects store.
pub(crate) fn arguments(port: u16, objects: &Path) -> [OsString; 5] {
    let mut directory = OsString::from("objects=");
    directory.push(objects);
    [
        format!("--socket-addr=http=127.0.0.1:{port}").into(),
        "--control-fd=1".into(),
        "--directory-path".into(),
        directory,
        "--import-path=/".into(),
    ]
}

/// A workerd that listens. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// Kept open: workerd goes on writing here.
    _events: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `command` and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("workerd does not start")?;
        let stdout = child.stdout.take().context("stdout was not piped")?;
        let mut server = Self {
            child,
            port: 0,
            _events: BufReader::new(stdout),
        };
        let mut line = String::new();
        while server._events.read_line(&mut line)? > 0 {
            if let Some(port) = listening(&line) {
                server.port = port;
                return Ok(server);
            }
            line.clear();
        }
        let status = server.child.wait()?;
        anyhow::bail!("workerd ended with {status} before it listened")
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port in a line of workerd's about its socket.
fn listening(line: &str) -> Option<u16> {
    let event: Value = serde_json::from_str(line).ok()?;
    let is_listening = event["event"] == "listen" && event["socket"] == "http";
    is_listening.then(|| u16::try_from(event["port"].as_u64()?).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_variables_and_holds_no_value() {
        let text = text(&Config {
            modules: Path::new("/a \"b\""),
            compatibility_date: "2026-11-01",
            objects: &[Object {
                binding: "SESSIONS".into(),
                class: "SessionObject".into(),
            }],
            variables: &["TAU_TOKENS"],
            networks: &["local"],
        });
        for expected in [
            r#"esModule = embed "/a \"b\"/shim.mjs""#,
            r#"(name = "SESSIONS", durableObjectNamespace = "SessionObject")"#,
            r#"(name = "TAU_TOKENS", fromEnvironment = "TAU_TOKENS")"#,
            r#"(className = "SessionObject", uniqueKey = "tau-SessionObject", enableSql = true)"#,
            r#"allow = ["local"]"#,
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn the_port_is_read_from_the_event_of_the_socket() {
        let line = r#"{"event":"listen","socket":"http","port":4711}"#;
        assert_eq!(listening(line), Some(4711));
        assert_eq!(listening(r#"{"event":"listen-inspector","port":1}"#), None);
        assert_eq!(listening("nothing"), None);
    }
}
