//! What is protected is not changed: refused to the tools that write, put back after commands.
#![cfg(unix)]

mod tools_support;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use serde_json::json;
use tau_core::{message::ToolStatus, policy::Paths};
use tau_target_native::tools::{Kept, NativeTools, written_by_tau};
use tools_support::{Bench, Noon, Unconfined, snapshot};

/// A workspace with Tau's data beside it and a project's `.tau` in it.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.file(".tau/project.toml", "project\n");
    bench.file("keys/server.pem", "KEY\n");
    bench.file("src/main.rs", "fn main() {}\n");
    fs::create_dir(home(&bench, "")).expect("a bench that works");
    fs::write(home(&bench, "config.toml"), "preset = \"strict\"\n").expect("a bench that works");
    let paths = Paths {
        protect: vec!["*.pem".into()],
        own: vec![home(&bench, "").display().to_string()],
        ..Paths::default()
    };
    let kept = Kept {
        files: vec![
            home(&bench, "config.toml"),
            home(&bench, "credentials.json"),
        ],
        rejected: Some(home(&bench, "rejected")),
    };
    bench.tools = NativeTools::protecting(&bench.ws(""), Noon, Unconfined, paths, kept)
        .expect("a bench that works");
    bench
}

fn home(bench: &Bench, path: &str) -> PathBuf {
    bench.dir.path().join("home").join(path)
}

fn unchanged(bench: &Bench, after: &str) {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        text(home(bench, "config.toml")),
        "preset = \"strict\"\n",
        "{after}"
    );
    assert!(!home(bench, "credentials.json").exists(), "{after}");
    assert_eq!(text(bench.ws("keys/server.pem")), "KEY\n", "{after}");
    let project: Vec<_> = fs::read_dir(bench.ws(".tau"))
        .expect("a bench that works")
        .map(|entry| entry.expect("a bench that works").file_name())
        .collect();
    assert_eq!(project, ["project.toml"], "{after}");
    let file = fs::symlink_metadata(bench.ws(".tau/project.toml")).expect("a bench that works");
    assert!(file.is_file(), "{after}");
    assert_eq!(text(bench.ws(".tau/project.toml")), "project\n", "{after}");
}

#[tokio::test]
async fn tools_that_write_are_refused_and_told_why() {
    let bench = bench();
    bench.file("a.txt", "a\n");
    symlink(".tau", bench.ws("tau-link")).expect("a bench that works");
    symlink("keys/server.pem", bench.ws("key-link")).expect("a bench that works");
    symlink(".tau/project.toml", bench.ws("project-link")).expect("a bench that works");
    fs::hard_link(bench.ws(".tau/project.toml"), bench.ws("hard")).expect("a bench that works");
    fs::hard_link(home(&bench, "config.toml"), bench.ws("config")).expect("a bench that works");
    let before = snapshot(bench.dir.path());
    for (path, reason) in [
        (".tau/project.toml", ".tau is protected everywhere"),
        (".tau/new/deep.toml", ".tau is protected everywhere"),
        (".TAU/project.toml", ".tau is protected everywhere"),
        ("./src/../.tau/project.toml", ".tau is protected everywhere"),
        ("src/.tau/x", ".tau is protected everywhere"),
        (".git/hooks/pre-commit", ".git is protected everywhere"),
        ("tau-link/project.toml", ".tau is protected everywhere"),
        ("project-link", ".tau is protected everywhere"),
        ("keys/server.pem", "paths.protect \"*.pem\""),
        ("keys/SERVER.PEM", "paths.protect \"*.pem\""),
        ("key-link", "paths.protect \"*.pem\""),
        ("new/deep/x.pem", "paths.protect \"*.pem\""),
        ("hard", "more than one hard link"),
        ("config", "more than one hard link"),
    ] {
        for (tool, arguments) in [
            ("write", json!({"path": path, "content": "TAKEN"})),
            ("edit", json!({"path": path, "old": "e", "new": "TAKEN"})),
        ] {
            // Nothing to edit where nothing is.
            if tool == "edit"
                && (path.contains("new") || path.contains("hook") || path == "src/.tau/x")
            {
                continue;
            }
            let text = bench.denied(tool, arguments).await;
            assert!(text.contains(reason), "{tool} {path}: {text}");
        }
    }
    assert_eq!(snapshot(bench.dir.path()), before);
    bench
        .ok("write", json!({"path": "a.txt", "content": "b"}))
        .await;
}

#[tokio::test]
async fn data_of_tau_inside_the_workspace_is_not_written_either() {
    let mut bench = Bench::new();
    bench.file("data/config.toml", "x\n");
    let paths = Paths {
        own: vec![
            bench
                .ws("data")
                .canonicalize()
                .expect("a bench that works")
                .display()
                .to_string(),
        ],
        unprotect: vec!["**".into()],
        ..Paths::default()
    };
    bench.tools = NativeTools::protecting(&bench.ws(""), Noon, Unconfined, paths, Kept::default())
        .expect("a bench that works");
    symlink("data", bench.ws("link")).expect("a bench that works");
    for path in [
        "data/config.toml",
        "link/config.toml",
        "DATA/new",
        "./data/x/y",
    ] {
        let text = bench
            .denied("write", json!({"path": path, "content": "y"}))
            .await;
        assert!(text.contains("Tau's own data"), "{text}");
    }
    bench
        .ok(
            "write",
            json!({"path": ".tau/x", "content": "unprotected by a person"}),
        )
        .await;
}

#[tokio::test]
async fn what_a_command_changes_all_the_same_is_put_back() {
    for command in [
        "echo TAKEN > .tau/project.toml",
        "printf x >> .t''au/project.toml",
        "d=.ta; echo TAKEN > ${d}u/project.toml",
        "ln -s .tau t; echo TAKEN > t/project.toml; rm t",
        "ln .tau/project.toml h; echo TAKEN > h; rm h",
        "ln .tau/project.toml h",
        "rm -rf .tau",
        "mv .tau elsewhere",
        "mv .tau elsewhere; mkdir .tau; echo TAKEN > .tau/project.toml",
        "mv .tau elsewhere; ln -s elsewhere .tau; echo TAKEN > elsewhere/project.toml",
        "rm .tau/project.toml; ln -s /etc/hostname .tau/project.toml",
        "rm .tau/project.toml; mkdir -p .tau/project.toml/deep",
        "mkdir -p .tau/a/b; echo TAKEN > .tau/a/b/c",
        "echo TAKEN > keys/server.pem",
        "rm -r keys",
        "chmod 777 .tau/project.toml; echo TAKEN > ../home/config.toml",
        "rm ../home/config.toml",
        "echo TAKEN > ../home/credentials.json",
        "python3 -c 'open(\"../home/config.toml\", \"w\").write(\"TAKEN\")' || echo TAKEN > ../home/config.toml",
        "(sleep 0.1; echo TAKEN > .tau/project.toml) & sleep 0.3",
    ] {
        let bench = bench();
        let mode = |bench: &Bench| {
            fs::metadata(bench.ws(".tau/project.toml"))
                .expect("a bench that works")
                .permissions()
                .mode()
        };
        let before = mode(&bench);
        let output = bench.call("shell", json!({"command": command})).await;
        unchanged(&bench, command);
        assert_eq!(mode(&bench), before, "{command}");
        assert_eq!(
            output.status,
            ToolStatus::Denied,
            "{command}: {}",
            output.text
        );
        assert!(
            output
                .text
                .starts_with("the command changed what no tool may change\n/"),
            "{command}: {}",
            output.text
        );
        assert!(!output.text.contains("NOT"), "{command}: {}", output.text);
        // And nothing more is found by the next one.
        bench.ok("shell", json!({"command": "true"})).await;
    }
}

#[tokio::test]
async fn nothing_elsewhere_is_repaired_by_way_of_a_link_that_a_command_put_above() {
    let bench = bench();
    let elsewhere = bench.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a bench that works");
    fs::write(elsewhere.join("server.pem"), "THEIRS\n").expect("a bench that works");
    let command = format!("mv keys away; ln -s {} keys", elsewhere.display());
    let output = bench.call("shell", json!({ "command": command })).await;
    assert_eq!(output.status, ToolStatus::Denied, "{}", output.text);
    assert!(
        output.text.contains("became a link: taken away"),
        "{}",
        output.text
    );
    let text = |path: PathBuf| fs::read_to_string(path).expect("a file");
    assert_eq!(text(elsewhere.join("server.pem")), "THEIRS\n");
    unchanged(&bench, &output.text);
    assert!(!bench.ws("keys").is_symlink());
}

#[tokio::test]
async fn a_command_that_runs_out_of_time_or_is_dropped_is_put_back_too() {
    let bench = bench();
    let limits = tau_core::tool::ToolLimits {
        timeout_ms: 300,
        ..tools_support::LIMITS
    };
    let command = json!({"command": "echo TAKEN > .tau/project.toml; sleep 5"});
    let output = bench.call_within("shell", command.clone(), limits).await;
    assert!(output.text.contains("timed out"), "{}", output.text);
    unchanged(&bench, "timed out");
    let dropped = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        bench.call("shell", command),
    );
    assert!(dropped.await.is_err());
    unchanged(&bench, "dropped");
}

#[tokio::test]
async fn commands_at_the_same_time_do_not_take_each_others_changes_for_what_was_there() {
    let bench = bench();
    let first = bench.call(
        "shell",
        json!({"command": "echo TAKEN > .tau/project.toml; sleep 0.3"}),
    );
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        bench.call("shell", json!({"command": "sleep 0.4"})).await
    };
    let (_, _) = tokio::join!(first, second);
    unchanged(&bench, "both");
}

#[tokio::test]
async fn what_was_not_accepted_is_kept_for_the_person_and_what_tau_writes_stays() {
    let bench = bench();
    bench
        .call(
            "shell",
            json!({"command": "echo theirs > ../home/config.toml"}),
        )
        .await;
    assert_eq!(
        fs::read_to_string(home(&bench, "rejected/config.toml.0")).expect("a bench that works"),
        "theirs\n"
    );
    let command = bench.call("shell", json!({"command": "sleep 0.4"}));
    let person = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let path = home(&bench, "config.toml");
        fs::write(&path, "approved\n").expect("a bench that works");
        written_by_tau(&path, b"approved\n");
    };
    let (output, ()) = tokio::join!(command, person);
    assert_eq!(output.status, ToolStatus::Ok, "{}", output.text);
    assert_eq!(
        fs::read_to_string(home(&bench, "config.toml")).expect("a bench that works"),
        "approved\n"
    );
}

#[tokio::test]
async fn commands_that_leave_it_alone_are_not_disturbed() {
    let bench = bench();
    for command in [
        "cat .tau/project.toml ../home/config.toml keys/server.pem",
        "touch .tau/project.toml",
        "mkdir -p a/b && echo x > a/b/c && rm -r a",
        "git init -q . 2>/dev/null || true",
    ] {
        bench.ok("shell", json!({"command": command})).await;
    }
    unchanged(&bench, "all");
}
