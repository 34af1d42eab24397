//! Tools of a person's own, made of WebAssembly: found, agreed to, called, refused.

use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{Do, Server, Tau, call, finish, say};

const PRELUDE: &str = include_str!("../../wasm/corpus/prelude.wat");

/// A module with these fields.
fn module(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {PRELUDE} {fields})")).expect("a module")
}

/// Answers with its arguments.
fn echo() -> Vec<u8> {
    module(
        r#"(func (export "_start") (local $read i32)
          (loop $more
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 1000))
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (local.set $read (i32.load (i32.const 8)))
            (call $print (i32.const 100) (local.get $read))
            (br_if $more (local.get $read))))"#,
    )
}

/// Opens `path` below its first directory with these flags and rights, shows the error number, and
/// what can be read or written there.
fn opens(path: &str, creates: bool, writes: bool) -> Vec<u8> {
    let (flags, rights) = (i32::from(creates), if writes { 64 } else { 2 });
    let length = path.len();
    module(&format!(
        r#"(data (i32.const 300) "{path}") (data (i32.const 600) "TAKEN")
        (func (export "_start") (local $fd i32)
          (local.set $fd (call $open (i32.const 300) (i32.const {length}) (i32.const {flags}) (i64.const {rights})))
          (i32.store (i32.const 0) (i32.const 700)) (i32.store (i32.const 4) (i32.const 100))
          (if (i32.eqz (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
            (then (call $print (i32.const 700) (i32.load (i32.const 8)))))
          (i32.store (i32.const 0) (i32.const 600)) (i32.store (i32.const 4) (i32.const 5))
          (call $show (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))"#
    ))
}

fn folder(tau: &Tau) -> PathBuf {
    let folder = tau.workspace().join(".tau/tools");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn drop_tool(folder: &Path, module: &[u8], manifest: &Value) {
    let name = manifest["name"].as_str().expect("a name");
    fs::write(folder.join(format!("{name}.wasm")), module).expect("a module");
    fs::write(folder.join(format!("{name}.json")), manifest.to_string()).expect("a manifest");
}

fn listed(tau: &Tau, name: &str) -> Value {
    let all = tau.tau(&["tool", "list", "--json"]).code(0).json();
    let mut tools = all["tools"]
        .as_array()
        .cloned()
        .unwrap_or_default()
        .into_iter();
    tools
        .find(|tool| tool["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not in {all}"))
}

fn called(tau: &Tau, name: &str, arguments: &str) -> Value {
    tau.tau(&["tool", "call", name, arguments, "--json"]).json()
}

#[test]
fn a_module_dropped_into_the_folder_is_listed_and_called_with_or_without_a_manifest() {
    let tau = Tau::new();
    let folder = folder(&tau);
    fs::write(folder.join("parrot.wasm"), echo()).expect("a module");
    assert_eq!(listed(&tau, "parrot")["state"], "ready");
    let said = called(&tau, "parrot", r#"{"any": "thing"}"#);
    assert_eq!(said["text"], r#"{"any":"thing"}"#, "{said}");

    let manifest = json!({
        "name": "parrot2", "description": "Says it again.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    });
    drop_tool(&folder, &echo(), &manifest);
    assert_eq!(listed(&tau, "parrot2")["description"], "Says it again.");
    tau.tau(&["tool", "call", "parrot2", "{}"])
        .code(2)
        .tells("text: missing (string)");

    // A model is offered it, and reads its answer.
    let server = Server::new([
        call(&[("parrot2", json!({"text": "forty-two"}))]),
        say("It says forty-two."),
    ]);
    let result = tau.ask(&server, &["--json", "let it speak"]).code(0).json();
    assert_eq!(result["tool_calls"][0]["status"], "ok", "{result}");
    let asked = server.asked();
    assert!(
        asked[0].body["tools"]
            .to_string()
            .contains("Says it again.")
    );
    assert!(asked[1].body["messages"].to_string().contains("forty-two"));
}

#[test]
fn what_asks_for_more_runs_once_a_person_agreed_to_just_that() {
    let tau = Tau::new();
    let folder = folder(&tau);
    fs::create_dir(tau.workspace().join("data")).expect("a folder");
    tau.write("data/a.txt", "GRANTED");
    tau.write("beside.txt", "PRIVATE");
    let manifest = json!({
        "name": "reader", "description": "Reads a file.",
        "capabilities": {"directories": [{"path": "data"}]},
    });
    drop_tool(&folder, &opens("a.txt", false, false), &manifest);
    let tool = listed(&tau, "reader");
    assert_eq!(tool["state"], "unapproved");
    assert_eq!(tool["asks"], json!(["read data in the workspace"]));
    tau.tau(&["tool", "call", "reader", "--yes"])
        .code(77)
        .tells("nobody agreed to that yet");
    // Nor is a model offered it.
    let server = Server::new([say("Nothing.")]);
    tau.ask(&server, &["what can you do?"])
        .code(0)
        .tells("reader asks to read data in the workspace");
    assert!(
        !server.asked()[0].body["tools"]
            .to_string()
            .contains("reader")
    );

    tau.tau(&["tool", "approve", "reader"])
        .code(77)
        .tells("agree with --yes");
    tau.tau(&["tool", "approve", "reader", "--yes"])
        .code(0)
        .tells("read data in the workspace");
    let said = called(&tau, "reader", "{}");
    assert!(said["text"].to_string().contains("GRANTED"), "{said}");

    // Another module, or another manifest, is another question.
    drop_tool(&folder, &opens("../beside.txt", false, false), &manifest);
    assert_eq!(listed(&tau, "reader")["state"], "unapproved");
    tau.tau(&["tool", "approve", "reader", "--yes"]).code(0);
    let said = called(&tau, "reader", "{}");
    assert!(!said["text"].to_string().contains("PRIVATE"), "{said}");
    let more = json!({
        "name": "reader", "description": "Reads a file.",
        "capabilities": {"directories": [{"path": "."}]},
    });
    drop_tool(&folder, &opens("../beside.txt", false, false), &more);
    assert_eq!(listed(&tau, "reader")["state"], "unapproved");
}

#[test]
fn a_tool_that_may_write_writes_nothing_that_is_protected() {
    let tau = Tau::new();
    let folder = folder(&tau);
    fs::create_dir(tau.workspace().join(".git")).expect("a folder");
    tau.write(".git/config", "as it was");
    for (name, path) in [
        ("one", "new.txt"),
        ("two", ".git/config"),
        ("three", ".tau/x"),
    ] {
        let manifest = json!({
            "name": name, "description": "Writes a file.",
            "capabilities": {"directories": [{"path": ".", "writes": true}]},
        });
        drop_tool(&folder, &opens(path, true, true), &manifest);
        tau.tau(&["tool", "approve", name, "--yes"]).code(0);
        called(&tau, name, "{}");
    }
    let read = |path: &str| fs::read_to_string(tau.workspace().join(path)).ok();
    assert_eq!(read("new.txt").as_deref(), Some("TAKEN"));
    assert_eq!(read(".git/config").as_deref(), Some("as it was"));
    assert_eq!(read(".tau/x"), None);
}

#[test]
fn a_limit_that_ends_a_tool_is_named_and_the_host_goes_on() {
    let tau = Tau::new();
    let folder = folder(&tau);
    for (name, body, limits, told) in [
        (
            "spins",
            "(loop $l (br $l))",
            json!({"fuel": 100_000}),
            "fuel (limits.fuel = 100000)",
        ),
        (
            "grows",
            "(loop $l (drop (memory.grow (i32.const 1))) (br $l))",
            json!({"memory_bytes": 1_048_576}),
            "memory (limits.memory_bytes = 1048576)",
        ),
        (
            "spins_long",
            "(loop $l (br $l))",
            json!({"fuel": u64::MAX, "wall_ms": 200}),
            "deadline (limits.wall_ms = 200)",
        ),
        (
            "floods",
            "(loop $l (call $print (i32.const 0) (i32.const 1000)) (br $l))",
            json!({"output_bytes": 5000}),
            "output (limits.output_bytes = 5000)",
        ),
    ] {
        let body = format!("(func (export \"_start\") {body})");
        let manifest = json!({"name": name, "description": "Takes too much.", "limits": limits});
        drop_tool(&folder, &module(&body), &manifest);
        let said = called(&tau, name, "{}");
        assert!(said["text"].to_string().contains(told), "{said}");
        assert_ne!(said["status"], "ok");
    }
    // One that is ended within a turn leaves the turn as it was.
    let server = Server::new([call(&[("spins", json!({}))]), say("It never ends.")]);
    let result = tau.ask(&server, &["--json", "spin"]).code(0).json();
    assert_eq!(result["answer"], "It never ends.");
}

#[test]
fn what_is_broken_is_listed_with_the_reason_and_hides_no_other() {
    let tau = Tau::new();
    let folder = folder(&tau);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a file");
    write("good.wasm", &echo());
    write("text.wasm", b"#!/bin/sh");
    write("empty.wasm", b"");
    // The header of a component (Component Model, binary format).
    write("component.wasm", b"\0asm\x0d\0\x01\0");
    write("sheII.wasm", &echo());
    write("cut.wasm", &echo()[..200]);
    write("lies.wasm", &echo());
    write(
        "lies.json",
        br#"{"name": "lies", "description": "x", "network": true}"#,
    );
    write("other.wasm", &echo());
    let zeros = "0".repeat(64);
    let hash = format!(r#"{{"name": "other", "description": "x", "hash": "sha256:{zeros}"}}"#);
    write("other.json", hash.as_bytes());
    write("huge.wasm", &echo());
    write("huge.json", &vec![b' '; 100_000]);
    fs::create_dir(folder.join("folder.wasm")).expect("a folder");
    for (name, reason) in [
        ("text", "not a WebAssembly module"),
        ("empty", "not a WebAssembly module"),
        ("component", "a WebAssembly component"),
        ("sheII", "too much like shell"),
        ("lies", "unknown field `network`"),
        ("other", "the manifest is about sha256:000"),
        ("huge", "more than 65536 bytes"),
        ("folder", "not a regular file"),
    ] {
        let tool = listed(&tau, name);
        assert_eq!(tool["state"], "refused", "{tool}");
        assert!(tool["reason"].to_string().contains(reason), "{tool}");
        tau.tau(&["tool", "call", name, "--yes"]).code(77);
    }
    let said = called(&tau, "cut", "{}");
    assert!(said["text"].to_string().contains("cannot run"), "{said}");
    assert_eq!(called(&tau, "good", "{}")["status"], "ok");
}

#[test]
fn nothing_of_a_workspace_takes_the_name_of_a_persons_own_tool() {
    let tau = Tau::new();
    let file = tau.workspace().join("mine.wasm");
    fs::write(&file, echo()).expect("a module");
    tau.tau(&["tool", "install", "mine.wasm"])
        .code(0)
        .tells("asks for nothing");
    assert_eq!(listed(&tau, "mine")["origin"], "own");
    fs::write(
        folder(&tau).join("mine.wasm"),
        module("(func (export \"_start\"))"),
    )
    .expect("a module");
    assert_eq!(called(&tau, "mine", r#"{"a":1}"#)["text"], r#"{"a":1}"#);
    tau.tau(&["tool", "remove", "mine"]).code(0);
    assert_eq!(listed(&tau, "mine")["origin"], "workspace");
    tau.tau(&["tool", "remove", "mine"]).code(0);
    tau.tau(&["tool", "remove", "mine"]).code(2);
}

#[test]
fn a_signature_counts_where_it_is_asked_for_and_a_revoked_one_nowhere() {
    let tau = Tau::new();
    let folder = folder(&tau);
    let file = folder.join("signed.wasm");
    drop_tool(
        &folder,
        &echo(),
        &json!({"name": "signed", "description": "x"}),
    );
    let key = tau.workspace().join("tool.key");
    fs::write(&key, "07".repeat(32)).expect("a key");
    let (file, key) = (file.display().to_string(), key.display().to_string());
    let did = tau
        .tau(&["tool", "sign", &file, "--key", &key])
        .code(0)
        .stdout
        .trim()
        .to_owned();
    assert!(did.starts_with("did:key:z6Mk"), "{did}");
    assert_eq!(listed(&tau, "signed")["signed_by"], did.as_str());

    let unsigned = json!({"name": "unsigned", "description": "x"});
    drop_tool(&folder, &echo(), &unsigned);
    tau.profile(&format!(
        "[tools]\nrequire_signature = true\nsigners = [\"{did}\"]\n"
    ));
    assert_eq!(listed(&tau, "signed")["state"], "ready");
    let refused = listed(&tau, "unsigned");
    assert!(
        refused["reason"].to_string().contains("nobody signed it"),
        "{refused}"
    );
    tau.profile(&format!("[tools]\nrevoked = [\"{did}\"]\n"));
    let refused = listed(&tau, "signed");
    assert!(
        refused["reason"].to_string().contains("is revoked"),
        "{refused}"
    );
    tau.profile("");

    // One byte, of the module or of the manifest.
    let manifest = fs::read_to_string(folder.join("signed.json")).expect("a manifest");
    fs::write(
        folder.join("signed.json"),
        manifest.replace("\"x\"", "\"y\""),
    )
    .expect("a manifest");
    let refused = listed(&tau, "signed");
    assert!(
        refused["reason"]
            .to_string()
            .contains("something was changed"),
        "{refused}"
    );
    fs::write(folder.join("signed.json"), manifest).expect("a manifest");
    let other = module("(func (export \"_start\"))");
    fs::write(folder.join("signed.wasm"), other).expect("a module");
    let refused = listed(&tau, "signed");
    assert!(
        refused["reason"]
            .to_string()
            .contains("the manifest is about"),
        "{refused}"
    );
    tau.tau(&["tool", "install", &file])
        .code(77)
        .tells("the manifest is about");
}

#[test]
fn requests_go_to_granted_hosts_through_taus_own_egress() {
    let tau = Tau::new();
    let folder = folder(&tau);
    let server = Server::new([Do::Status(200, vec![], "FROM THE SERVER".into())]);
    let origin = server.url().trim_end_matches("/v1").to_owned();
    let asks = |url: &str| {
        let request = format!(r#"{{\22url\22:\22{url}\22}}"#);
        let length = request.matches('\\').count();
        let length = request.len() - 2 * length;
        module(&format!(
            r#"(data (i32.const 300) "{request}")
            (func (export "_start") (local $read i32)
              (drop (call $http (i32.const 300) (i32.const {length}) (i32.const 0)))
              (drop (call $http_read (i32.const 1000) (i32.const 8000) (i32.const 8)))
              (call $print (i32.const 1000) (i32.load (i32.const 8))))"#
        ))
    };
    let manifest = json!({
        "name": "asks", "description": "Asks a server.",
        "capabilities": {"hosts": ["127.0.0.1"]},
    });
    let run = |url: &str| {
        drop_tool(&folder, &asks(url), &manifest);
        tau.tau(&["tool", "approve", "asks", "--yes"]).code(0);
        let done = tau.tau(&["tool", "call", "asks", "--yes", "--json"]);
        done.json()["text"].to_string()
    };
    // Granted to the tool, and closed to everybody.
    let text = run(&format!("{origin}/page"));
    assert!(text.contains("denied"), "{text}");
    assert!(server.asked().is_empty());
    tau.profile(&format!("[policy.http]\nallow = [\"{origin}\"]\n"));
    let text = run(&format!("{origin}/page"));
    assert!(text.contains("FROM THE SERVER"), "{text}");
    // Open to everybody, and not granted to the tool.
    let text = run("https://example.com/");
    assert!(text.contains("was not granted to this program"), "{text}");
    let text = run("http://169.254.169.254/latest/meta-data");
    assert!(text.contains("denied"), "{text}");
}

#[test]
fn a_hundred_tools_are_found_and_run_at_once() {
    let tau = Tau::new();
    let folder = folder(&tau);
    for number in 0..100 {
        fs::write(folder.join(format!("own{number}.wasm")), echo()).expect("a module");
    }
    let calls: Vec<(String, Value)> = (0..100)
        .map(|number| (format!("own{number}"), json!({"number": number})))
        .collect();
    let calls: Vec<(&str, Value)> = calls
        .iter()
        .map(|(name, arguments)| (name.as_str(), arguments.clone()))
        .collect();
    let server = Server::new([call(&calls), say("All of them.")]);
    let result = tau.ask(&server, &["--json", "all at once"]).code(0).json();
    let done = result["tool_calls"].as_array().map_or(0, |calls| {
        calls.iter().filter(|call| call["status"] == "ok").count()
    });
    assert_eq!(done, 100, "{result}");
}

/// An example, as `cargo xtask wasm tools` builds it.
fn example(tau: &Tau, name: &str) {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/tools");
    let module = built.join(name).with_extension("wasm");
    assert!(
        module.is_file(),
        "{} is not built: cargo xtask wasm tools",
        module.display()
    );
    let module = module.display().to_string();
    tau.tau(&["tool", "install", &module, "--yes"]).code(0);
}

#[test]
fn the_examples_do_what_they_say() {
    let tau = Tau::new();
    example(&tau, "count_vowels");
    let said = called(
        &tau,
        "count_vowels",
        r#"{"text": "An Agent where you are"}"#,
    );
    let answer: Value = serde_json::from_str(said["text"].as_str().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(
        answer,
        json!({"vowels": 9, "each": {"a": 3, "e": 4, "o": 1, "u": 1}})
    );

    example(&tau, "csv_columns");
    fs::create_dir(tau.workspace().join("data")).expect("a folder");
    tau.write(
        "data/a.csv",
        "name,\"age, in years\"\nAda,36\n\"Grace\nH.\",85\n",
    );
    let said = called(&tau, "csv_columns", r#"{"file": "a.csv"}"#);
    let answer = said["text"].as_str().unwrap_or_default();
    assert_eq!(
        answer, r#"{"columns":["name","age, in years"],"rows":2}"#,
        "{said}"
    );
    tau.write("beside.csv", "private\n");
    let said = called(&tau, "csv_columns", r#"{"file": "../beside.csv"}"#);
    assert_eq!(said["status"], "error", "{said}");
    assert!(!said["text"].to_string().contains("private"), "{said}");

    // In another language.
    example(&tau, "roll_dice");
    let said = called(&tau, "roll_dice", r#"{"sides": 6, "count": 4}"#);
    let answer: Value = serde_json::from_str(said["text"].as_str().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{said}"));
    let rolls: Vec<u64> = answer["rolls"]
        .as_array()
        .map(|rolls| rolls.iter().filter_map(Value::as_u64).collect())
        .unwrap_or_default();
    assert_eq!(rolls.len(), 4, "{said}");
    assert_eq!(answer["sum"], rolls.iter().sum::<u64>());

    example(&tau, "page_title");
    let asks = listed(&tau, "page_title")["asks"].to_string();
    assert!(asks.contains("send requests to example.com"), "{asks}");
    let call = [
        "tool",
        "call",
        "page_title",
        r#"{"url": "https://elsewhere.org/"}"#,
        "--yes",
        "--json",
    ];
    let said = tau.tau(&call).json();
    assert!(
        said["text"].to_string().contains("was not granted"),
        "{said}"
    );
}

#[test]
fn a_tool_that_was_begun_builds_in_its_sandbox_and_answers() {
    let tau = Tau::new();
    tau.tau(&["tool", "new", "greet"]).code(0);
    tau.tau(&["tool", "new", "greet"])
        .code(2)
        .tells("there already");
    tau.tau(&["tool", "new", "she11"])
        .code(2)
        .tells("too much like shell");
    let folder = tau.workspace().join("greet");
    // A build that reaches out, or writes elsewhere.
    fs::write(
        folder.join("build.rs"),
        r#"fn main() {
            let _ = std::fs::write("../escaped.txt", "x");
            println!("cargo::warning=online {}", std::net::TcpStream::connect("1.1.1.1:53").is_ok());
        }"#,
    )
    .expect("a build script");
    let person = std::env::home_dir().expect("a home");
    let of = |variable: &str, usual: &str| match std::env::var_os(variable) {
        Some(folder) => folder,
        None => person.join(usual).into(),
    };
    let environment = [
        ("CARGO_HOME", of("CARGO_HOME", ".cargo")),
        ("RUSTUP_HOME", of("RUSTUP_HOME", ".rustup")),
    ];
    let fetched = Command::new("cargo")
        .args(["fetch", "--quiet"])
        .current_dir(&folder)
        .status();
    assert!(fetched.expect("cargo").success());
    let mut build = tau.command(["tool", "build", "greet"]);
    let done = finish(build.envs(environment).spawn().expect("tau"), b"");
    done.code(0).tells("online false");
    assert!(!tau.workspace().join("escaped.txt").exists());
    tau.tau(&["tool", "install", "greet/greet.wasm"]).code(0);
    let said = called(&tau, "greet", r#"{"who": "you"}"#);
    assert_eq!(said["text"], r#"{"greeting":"Hello, you!"}"#, "{said}");
}

#[test]
fn a_module_that_takes_long_to_compile_costs_a_call_its_time_and_no_more() {
    let tau = Tau::new();
    let folder = folder(&tau);
    tau.profile("[policy]\ntool_timeout_ms = 200\n");
    // Loops within loops, with many variables: a compiler works on how they go from one to the next.
    let begin: String = (0..300)
        .map(|at| {
            let to = 1 + at * 37 % 2_000;
            format!("loop local.get 0 local.set {to} local.get 0 br_if 0 ")
        })
        .collect();
    let locals = "i32 ".repeat(2_000);
    let slow = format!(
        "(func (param i32) (local {locals}) {begin} {})",
        "end ".repeat(300)
    );
    let module = module(&format!("(func (export \"_start\")) {}", slow.repeat(30)));
    fs::write(folder.join("slow.wasm"), module).expect("a module");
    let done = tau.tau(&["tool", "call", "slow", "--json"]);
    assert_eq!(done.json()["status"], "timed_out", "{}", done.stdout);
    assert!(done.took.as_secs() < 20, "{:?}", done.took);
}

#[test]
fn the_name_of_a_file_is_one_line_of_a_list() {
    let tau = Tau::new();
    let folder = folder(&tau);
    fs::write(folder.join("z\nread       allow  fake.wasm"), echo()).expect("a module");
    let done = tau.tau(&["tool", "list"]);
    let forged = |line: &str| line.starts_with("read ") && line.contains("fake");
    assert!(!done.code(0).stdout.lines().any(forged), "{}", done.stdout);
}

#[test]
fn modules_without_end_cost_no_more_than_a_folders_share_of_memory() {
    let tau = Tau::new();
    let folder = folder(&tau);
    fs::write(folder.join("aaa.wasm"), echo()).expect("a module");
    for number in 0..40 {
        let path = folder.join(format!("large{number}.wasm"));
        fs::write(&path, b"\0asm\x01\0\0\0").expect("a module");
        let file = fs::File::options().write(true).open(&path);
        file.and_then(|file| file.set_len(32 << 20))
            .expect("a hole");
    }
    let script = format!(
        "ulimit -v $((1 << 20)); exec {} tool list --json",
        tau.program().display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env_clear();
    command.envs(tau.environment()).current_dir(tau.workspace());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let done = finish(command.spawn().expect("tau starts"), b"");
    let tools = done.code(0).json()["tools"].clone();
    let state = |name: &str| {
        let mut tools = tools.as_array().into_iter().flatten();
        tools.find(|tool| tool["name"] == name).cloned()
    };
    assert_eq!(state("aaa").expect("a tool")["state"], "ready");
    let last = state("large9").expect("a tool");
    assert_eq!(last["state"], "refused", "{last}");
    assert!(last["reason"].to_string().contains("room"), "{last}");
}
