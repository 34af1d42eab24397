//! An agent in one file: carried to another home, where it goes on; what was changed is refused by
//! the part.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Do, Server, Tau, finish, say};

const PASSPHRASE: &str = "four words of mine";

fn server() -> Server {
    Server::with(tau_core::model::Api::OpenAi, |_, _| -> Do { say("Noted.") })
}

/// A home with a conversation and a memory; the session's name.
fn agent(server: &Server) -> (Tau, String) {
    let tau = Tau::new();
    tau.ask(server, &["the boat is green"]).code(0);
    tau.tau(&["memory", "add", "the harbour is north"]).code(0);
    let id = session(&tau);
    (tau, id)
}

fn session(tau: &Tau) -> String {
    let list = tau.tau(&["session", "list", "--json"]).code(0).json();
    text(&list["sessions"][0]["session"])
}

fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}")).into()
}

fn exported(tau: &Tau, more: &[&str]) -> PathBuf {
    let file = tau.workspace().join("agent.bundle");
    let name = file.display().to_string();
    let all = [&["bundle", "export", "-o", &name], more].concat();
    tau.tau(&all).code(0);
    file
}

fn import(tau: &Tau, file: &Path, more: &[&str]) -> Value {
    let file = file.display().to_string();
    let all = [&["bundle", "import", &file, "--json"], more].concat();
    tau.tau(&all).code(0).json()
}

fn memories(tau: &Tau) -> Vec<Value> {
    let list = tau.tau(&["memory", "list", "--json"]).code(0).json();
    list["memories"].as_array().cloned().unwrap_or_default()
}

#[test]
fn an_agent_goes_on_in_another_home_and_again_brings_nothing_twice() {
    let server = server();
    let (here, id) = agent(&server);
    let file = exported(&here, &[]);
    let there = Tau::new();
    let done = import(&there, &file, &[]);
    assert_eq!(
        (&done["author"], &done["memories"]["new"]),
        (&"new".into(), &1.into())
    );
    assert_eq!(done["sessions"][0]["outcome"], "new");
    let view = there.tau(&["session", "show", &id, "--json"]);
    view.code(0);
    assert!(view.stdout.contains("the boat is green"));
    // What another agent remembered is words of others, and searched like any.
    assert_eq!(memories(&there)[0]["labels"]["untrusted"], true);
    let found = there.tau(&["memory", "search", "harbour"]);
    found.code(0);
    assert!(found.stdout.contains("north"));
    there.ask(&server, &["--session", &id, "and now?"]).code(0);
    there.tau(&["verify"]).code(0);
    let again = import(&there, &file, &[]);
    assert_eq!(again["author"], "known");
    assert_eq!(
        (&again["memories"]["new"], &again["sessions"][0]["added"]),
        (&0.into(), &0.into())
    );
    // And back: what was said there is added.
    let back = exported(&there, &["--session", &id]);
    let merged = import(&here, &back, &[]);
    assert_eq!(merged["sessions"][0]["outcome"], "merged");
    let graph = here.tau(&["session", "graph", "--json", &id]);
    graph.code(0);
    assert!(graph.stdout.contains("and now?"), "{}", graph.stdout);
    here.ask(&server, &["--session", &id, "home again"]).code(0);
}

#[test]
fn a_changed_byte_is_refused_by_the_part_it_is_in_and_nothing_is_imported() {
    let server = server();
    let (here, id) = agent(&server);
    let file = exported(&here, &[]);
    let whole = fs::read(&file).unwrap();
    here.tau(&["verify", &file.display().to_string()]).code(0);
    let there = Tau::new();
    let changed = there.workspace().join("changed.bundle");
    let name = changed.display().to_string();
    let at = |what: &str| {
        let found = whole
            .windows(what.len())
            .position(|part| part == what.as_bytes());
        found.unwrap_or_else(|| panic!("no {what}"))
    };
    let session = format!("part session/{id}");
    for (place, part) in [
        (at("the boat is green"), session.as_str()),
        (at("the harbour is north"), "part memory/user"),
        (whole.len() - 2, "part policy/agent"),
        (20, "the manifest"),
    ] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&changed, bytes).unwrap();
        let refused = there.tau(&["bundle", "import", &name]);
        assert!(
            refused.stderr.contains(&format!("{part} is refused")),
            "{}",
            refused.stderr
        );
        refused.code(2);
        let told = there.tau(&["verify", &name, "--json"]);
        let told = told.code(2).json();
        assert_eq!(told["ok"], false);
        let named = text(&told["first_bad"]["part"]);
        assert_eq!(part.strip_prefix("part ").unwrap_or(part), named);
    }
    fs::write(&changed, &whole[..whole.len() - 1]).unwrap();
    let cut = there
        .tau(&["bundle", "show", &name, "--json"])
        .code(2)
        .json();
    assert_eq!(cut["first_bad"]["reason_code"], "bundle_truncated");
    let list = there.tau(&["session", "list", "--json"]).code(0).json();
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(0));
    assert!(memories(&there).is_empty());
}

#[test]
fn a_sealed_bundle_opens_for_its_agent_or_with_its_passphrase_alone() {
    let server = server();
    let (here, _) = agent(&server);
    let there = Tau::new();
    there.tau(&["identity", "new"]).code(0);
    let shown = there.tau(&["identity", "show", "--json"]).json();
    let did = text(&shown["did"]);
    let name = here.workspace().join("agent.bundle").display().to_string();
    // Nobody is sealed for whose keys are not known.
    here.tau(&["bundle", "export", "-o", &name, "--encrypt-to", &did])
        .code(2);
    let log = there.tau(&["identity", "export"]).code(0).stdout.clone();
    here.tau_with(&["identity", "import", "-"], log.as_bytes())
        .code(0);
    let file = exported(&here, &["--encrypt-to", &did]);
    let bytes = fs::read(&file).unwrap();
    let has = |what: &str| {
        bytes
            .windows(what.len())
            .any(|part| part == what.as_bytes())
    };
    assert!(!has("the boat is green") && !has("memory/user"));
    assert_eq!(import(&there, &file, &[])["memories"]["new"], 1);
    let other = Tau::new();
    other.tau(&["identity", "new"]).code(0);
    let refused = other.tau(&["bundle", "import", &file.display().to_string()]);
    assert!(
        refused.stderr.contains("not sealed for"),
        "{}",
        refused.stderr
    );
    refused.code(4);

    let secret = here.workspace().join("secret.txt");
    fs::write(&secret, PASSPHRASE).unwrap();
    let secret = secret.display().to_string();
    let file = exported(&here, &["--passphrase-file", &secret]);
    let name = file.display().to_string();
    other.tau(&["bundle", "import", &name]).code(4);
    let with = Tau::new().with("TAU_PASSPHRASE", "another one it is");
    with.tau(&["bundle", "import", &name]).code(2);
    let done = import(&other, &file, &["--passphrase-file", &secret]);
    assert_eq!(done["memories"]["new"], 1);
}

#[test]
fn an_incremental_bundle_has_what_is_new_and_a_partial_one_what_was_named() {
    let server = server();
    let (here, id) = agent(&server);
    let first = exported(&here, &[]);
    let base = here.workspace().join("base.bundle");
    fs::rename(&first, &base).unwrap();
    here.tau(&["memory", "add", "the mast is tall"]).code(0);
    let base = base.display().to_string();
    let news = exported(&here, &["--since", &base]);
    let name = news.display().to_string();
    let shown = here
        .tau(&["bundle", "show", &name, "--json"])
        .code(0)
        .json();
    assert_eq!(shown["parts"][0]["name"], "memory/user");
    assert_eq!(shown["parts"].as_array().map(Vec::len), Some(1));
    assert!(
        shown["unchanged"]
            .to_string()
            .contains(&format!("session/{id}"))
    );
    let there = Tau::new();
    let done = import(&there, Path::new(&base), &["--only", "memory"]);
    assert_eq!(done["sessions"].as_array().map(Vec::len), Some(0));
    assert!(
        done["left_behind"]
            .to_string()
            .contains(&format!("session/{id}"))
    );
    let done = import(&there, &news, &[]);
    assert_eq!(
        (&done["memories"]["new"], &done["memories"]["same"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn a_policy_only_tightens_and_files_and_tools_come_where_nothing_is() {
    let server = server();
    let (here, _) = agent(&server);
    here.profile("[policy]\npreset = \"strict\"\nnetwork = \"allow\"\n");
    fs::create_dir_all(here.workspace().join(".tau")).unwrap();
    here.write(".tau/SOUL.md", "I am calm.");
    here.write(".tau/USER.md", "Ada.");
    let tools = here.home().join("tools");
    fs::create_dir_all(&tools).unwrap();
    let module = b"\0asm\x01\0\0\0";
    fs::write(tools.join("nothing.wasm"), module).unwrap();
    let manifest = r#"{"name":"nothing","description":"Does nothing."}"#;
    fs::write(tools.join("nothing.json"), manifest).unwrap();
    let file = exported(&here, &[]);

    let there = Tau::new();
    there.profile("[policy]\nexecute = \"deny\"\nnetwork = \"ask\"\n");
    fs::create_dir_all(there.workspace().join(".tau")).unwrap();
    there.write(".tau/USER.md", "Grace.");
    let before = fs::read_to_string(there.home().join("config.toml")).unwrap();
    import(&there, &file, &[]);
    let after = fs::read_to_string(there.home().join("config.toml")).unwrap();
    assert_eq!(before, after, "nothing of it comes unasked");
    let done = import(&there, &file, &["--only", "policy,tools,files"]);
    let changed: Vec<&str> = done["policy"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["key"].as_str())
        .collect();
    assert!(
        changed.contains(&"preset") && !changed.contains(&"network"),
        "{changed:?}"
    );
    let show = there.tau(&["policy", "show", "--json"]).code(0).json();
    assert_eq!(show["values"]["execute"]["value"], "deny");
    assert_eq!(show["values"]["network"]["value"], "ask");
    assert_eq!(show["values"]["write"]["value"], "ask");
    let soul = fs::read_to_string(there.workspace().join(".tau/SOUL.md")).unwrap();
    let user = fs::read_to_string(there.workspace().join(".tau/USER.md")).unwrap();
    assert_eq!((soul.as_str(), user.as_str()), ("I am calm.", "Grace."));
    assert_eq!(
        fs::read(there.home().join("tools/nothing.wasm")).unwrap(),
        module
    );
    let listed = there.tau(&["instructions", "list", "--json"]);
    assert!(
        !listed.stdout.contains("\"confirmed\":true"),
        "{}",
        listed.stdout
    );
}

/// Kills in one import.
const KILLS: u32 = 12;

#[test]
fn an_import_that_is_killed_left_all_of_it_or_nothing() {
    let server = server();
    let (here, _) = agent(&server);
    for number in 0..30 {
        here.tau(&["memory", "add", &format!("fact {number}")])
            .code(0);
    }
    let file = exported(&here, &[]);
    let name = file.display().to_string();
    let arguments = ["bundle", "import", name.as_str()];
    let started = Instant::now();
    Tau::new().tau(&arguments).code(0);
    let whole = started.elapsed();
    for nth in 0..KILLS {
        let there = Tau::new();
        let mut child = there.command(arguments).spawn().expect("tau starts");
        thread::sleep(whole * nth / KILLS + Duration::from_millis(1));
        // Gone already is as good.
        let _ = child.kill();
        finish(child, b"");
        let sessions = there.tau(&["session", "list", "--json"]).code(0).json();
        let sessions = sessions["sessions"].as_array().map_or(0, Vec::len);
        let kept = memories(&there).len();
        assert!(
            [(0, 0), (1, 31)].contains(&(sessions, kept)),
            "{sessions} and {kept}"
        );
        let done = import(&there, &file, &[]);
        assert_eq!(
            done["sessions"][0]["session"].as_str().map(str::len),
            Some(16)
        );
        assert_eq!(memories(&there).len(), 31);
    }
}
