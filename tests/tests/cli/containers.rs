//! What a model starts, confined by an engine of containers that the profile names.
#![cfg(target_os = "linux")]

use serde_json::json;
use std::fs;
use tau_sandbox_tests::{PrivateEngine, readable};

use crate::support::{Server, Tau, call, say};

#[test]
fn a_profile_has_a_models_commands_run_in_containers_or_not_at_all() {
    let tau = Tau::new();
    let folder = tempfile::tempdir().expect("a folder");
    let engine = PrivateEngine::start(&folder.path().join("engine")).expect("an engine");
    let image = engine.image().expect("an image");
    let socket = engine.socket().display().to_string();
    let read: Vec<String> = readable()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    tau.profile(&format!(
        "[policy.programs]\nengine = \"docker\"\nimage = \"{image}\"\nsocket = \"{socket}\"\nas_root = true\nread = {read:?}\n"
    ));
    let outside = tau.home().with_file_name("beside.txt");
    fs::write(&outside, "PRIVATE").expect("a file");
    let run = || {
        let command = format!(
            "echo in > in.txt; cat {}; cat /proc/self/cgroup; hostname; exit 3",
            outside.display()
        );
        let server = Server::new([
            call(&[("shell", json!({ "command": command }))]),
            say("Done."),
        ]);
        let done = tau.ask(&server, &["--json", "--approve", "shell", "do it"]);
        let status = done.code(0).json()["tool_calls"][0]["status"].clone();
        (status, server.asked()[1].body["messages"].to_string())
    };
    let (status, text) = run();
    assert_eq!(status, "error", "{text}");
    assert!(text.contains("[exit code 3]"), "{text}");
    assert!(!text.contains("PRIVATE"), "{text}");
    assert!(tau.workspace().join("in.txt").exists(), "{text}");

    let done = tau.tau(&["sandbox", "run", "--", "sh", "-c", "echo said; exit 41"]);
    assert_eq!(done.code(41).stdout, "said\n");
    let status = tau.tau(&["sandbox", "status", "--json"]).code(0).json();
    assert_eq!(status["docker"]["available"], true, "{status}");
    let tag = [
        "sandbox",
        "run",
        "--backend",
        "docker",
        "--image",
        "debian:12",
        "--",
        "true",
    ];
    tau.tau(&tag).code(77).tells("is named by a tag");

    drop(engine);
    fs::remove_file(tau.workspace().join("in.txt")).expect("a file");
    let (status, text) = run();
    assert_eq!(status, "denied", "{text}");
    assert!(text.contains("nothing was run"), "{text}");
    assert!(!tau.workspace().join("in.txt").exists());
}
