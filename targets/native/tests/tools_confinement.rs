//! Nothing outside the workspace is seen or changed, whatever the path says.
#![cfg(unix)]

mod tools_support;

use std::{
    fs,
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use tau_core::message::ToolStatus;
use tools_support::{Bench, snapshot};

/// Every tool that takes a path, called with it.
fn every_call(path: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("read", json!({"path": path})),
        ("write", json!({"path": path, "content": "TAKEN"})),
        (
            "edit",
            json!({"path": path, "old": "SECRET", "new": "TAKEN"}),
        ),
        ("ls", json!({"path": path})),
        ("glob", json!({"pattern": "**/*", "path": path})),
        ("grep", json!({"pattern": "SECRET", "path": path})),
    ]
}

async fn nothing_gets_out(bench: &Bench, paths: &[String]) {
    let before = snapshot(&bench.outside(""));
    for path in paths {
        for (tool, arguments) in every_call(path) {
            let output = bench.call(tool, arguments).await;
            assert_ne!(
                output.status,
                ToolStatus::Ok,
                "{tool} {path}: {}",
                output.text
            );
            assert!(
                !output.text.contains("SECRET\n"),
                "{tool} {path}: {}",
                output.text
            );
            assert!(output.images.is_empty());
        }
    }
    assert_eq!(snapshot(&bench.outside("")), before);
}

#[tokio::test]
async fn paths_that_lead_out_are_refused_by_every_tool() {
    let bench = Bench::new();
    bench.file("dir/file.txt", "text\n");
    let outside = bench.outside("").display().to_string();
    let ws = bench.dir.path().join("ws").display().to_string();
    symlink(bench.outside("secret.txt"), bench.ws("file-link")).unwrap();
    symlink("../outside/secret.txt", bench.ws("relative-link")).unwrap();
    symlink("../../outside", bench.ws("dir/up-link")).unwrap();
    symlink(bench.outside(""), bench.ws("dir-link")).unwrap();
    symlink("dir-link", bench.ws("link-to-link")).unwrap();
    symlink(bench.outside("new.txt"), bench.ws("dangling")).unwrap();
    symlink("/proc/self/cwd/../../../etc/passwd", bench.ws("proc-link")).unwrap();
    symlink("loop", bench.ws("loop")).unwrap();
    nothing_gets_out(
        &bench,
        &[
            "..".into(),
            "../".into(),
            "../outside/secret.txt".into(),
            "dir/../../outside/secret.txt".into(),
            "./dir/./../../outside".into(),
            "dir/../dir/../../ws/../outside/secret.txt".into(),
            format!("{outside}/secret.txt"),
            format!("{outside}/new.txt"),
            format!("{ws}/../outside/secret.txt"),
            format!("{ws}x"),
            "/".into(),
            "/etc/passwd".into(),
            "//etc/passwd".into(),
            "file-link".into(),
            "relative-link".into(),
            "dir/up-link/secret.txt".into(),
            "dir-link".into(),
            "dir-link/secret.txt".into(),
            "dir-link/sub/new.txt".into(),
            "link-to-link/secret.txt".into(),
            "dangling".into(),
            "proc-link".into(),
            "loop".into(),
            "loop/x".into(),
            "/proc/self/root/etc/passwd".into(),
            "/proc/self/environ".into(),
            "/proc/self/fd/0".into(),
            "/dev/zero".into(),
            "a\0b".into(),
            "x/".repeat(5_000),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_refusal_of_an_outside_path_says_what_to_do() {
    let bench = Bench::new();
    let text = bench
        .denied("read", json!({"path": "../outside/secret.txt"}))
        .await;
    assert!(
        text.starts_with("../outside/secret.txt is outside the workspace\nhint: use a path inside")
    );
}

#[tokio::test]
async fn links_and_absolute_paths_that_stay_inside_work() {
    let bench = Bench::new();
    bench.file("dir/file.txt", "inside\n");
    symlink("dir", bench.ws("dir-link")).unwrap();
    symlink("../dir/file.txt", bench.ws("dir/round")).unwrap();
    symlink(
        bench.ws("dir/file.txt").canonicalize().unwrap(),
        bench.ws("absolute-link"),
    )
    .unwrap();
    let absolute = bench.ws("dir/file.txt").display().to_string();
    for path in [
        "dir-link/file.txt",
        "dir/round",
        "absolute-link",
        "dir-link/../dir/file.txt",
        &absolute,
    ] {
        assert_eq!(
            bench.ok("read", json!({"path": path})).await,
            "inside\n",
            "{path}"
        );
        assert!(
            bench
                .ok("grep", json!({"pattern": "ins", "path": path}))
                .await
                .contains("dir/file.txt:1: inside")
        );
    }
    bench
        .ok("write", json!({"path": "dir/round", "content": "new\n"}))
        .await;
    assert!(
        bench.ws("dir/round").is_symlink(),
        "the link stays and its target changes"
    );
    assert_eq!(
        fs::read_to_string(bench.ws("dir/file.txt")).unwrap(),
        "new\n"
    );
}

#[tokio::test]
async fn searches_do_not_follow_links() {
    let bench = Bench::new();
    bench.file("own.txt", "SECRET of our own\n");
    symlink(bench.outside(""), bench.ws("dir-link")).unwrap();
    symlink(bench.outside("secret.txt"), bench.ws("file-link")).unwrap();
    let found = bench.ok("grep", json!({"pattern": "SECRET"})).await;
    assert_eq!(found, "own.txt:1: SECRET of our own\n");
    let found = bench.ok("glob", json!({"pattern": "**/*"})).await;
    assert_eq!(found, "dir-link\nfile-link\nown.txt\n");
}

#[tokio::test]
async fn a_rules_file_that_is_a_link_is_not_read() {
    let bench = Bench::new();
    bench.file("own.txt", "x\n");
    fs::write(bench.outside("rules"), "own.txt\n").unwrap();
    symlink(bench.outside("rules"), bench.ws(".gitignore")).unwrap();
    assert!(
        bench
            .ok("glob", json!({"pattern": "**"}))
            .await
            .contains("own.txt")
    );
}

#[tokio::test]
async fn a_hard_link_is_neither_read_nor_replaced() {
    let bench = Bench::new();
    fs::hard_link(bench.outside("secret.txt"), bench.ws("linked.txt")).unwrap();
    nothing_gets_out(&bench, &["linked.txt".into()]).await;
    let text = bench.denied("read", json!({"path": "linked.txt"})).await;
    assert!(
        text.contains("hard link") && text.contains("hint: make a copy"),
        "{text}"
    );
    let found = bench.ok("grep", json!({"pattern": "SECRET"})).await;
    assert!(
        !found.contains("linked.txt:1") && found.contains("1 file not searched"),
        "{found}"
    );
}

#[tokio::test]
async fn what_is_not_a_regular_file_is_refused_without_blocking() {
    let bench = Bench::new();
    let made = std::process::Command::new("mkfifo")
        .arg(bench.ws("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(bench.ws("socket")).unwrap();
    bench.file("file.txt", "SECRET\n");
    for path in ["pipe", "socket"] {
        for (tool, arguments) in every_call(path) {
            let text = bench.fails(tool, arguments).await;
            assert!(text.contains("not a"), "{tool} {path}: {text}");
        }
    }
    // Walks pass them by.
    assert_eq!(
        bench.ok("grep", json!({"pattern": "SECRET"})).await,
        "file.txt:1: SECRET\n"
    );
}

#[tokio::test]
async fn protected_directories_are_not_written_in_any_spelling() {
    let bench = Bench::new();
    bench
        .file(".git/config", "old\n")
        .file(".tau/policy", "old\n")
        .file("sub/.git/config", "old\n");
    symlink(".git", bench.ws("alias")).unwrap();
    symlink("../.git/new-hook", bench.ws("sub/hook")).unwrap();
    let before = snapshot(&bench.ws(""));
    let absolute = bench.ws(".git/config").display().to_string();
    for path in [
        ".git/config",
        ".git",
        ".git/hooks/new/post-commit",
        ".GIT/config",
        ".Git/x",
        ".git./config",
        ".tau/policy",
        ".TAU/policy",
        "sub/.git/config",
        "sub/../.git/config",
        "alias/config",
        "sub/hook",
        "new/.git/config",
        ".g\u{200c}it/config",
        &absolute,
    ] {
        for (tool, arguments) in every_call(path) {
            if ["write", "edit"].contains(&tool) {
                let output = bench.call(tool, arguments).await;
                // An edit of what does not exist need not get as far as the refusal.
                assert_ne!(output.status, ToolStatus::Ok, "{tool} {path}");
                if tool == "write" {
                    assert!(
                        output.text.contains("protected"),
                        "{tool} {path}: {}",
                        output.text
                    );
                }
            }
        }
    }
    assert_eq!(snapshot(&bench.ws("")), before);
    assert!(!bench.ws("new/.git").exists());
    assert_eq!(
        bench.ok("read", json!({"path": ".git/config"})).await,
        "old\n"
    );
    bench
        .ok(
            "write",
            json!({"path": ".github/workflows/ci.yml", "content": "on: push\n"}),
        )
        .await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_swapped_for_a_link_during_the_call_leads_nowhere() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    let bench = Bench::new();
    bench.file("dir/secret.txt", "inside\n");
    fs::write(bench.outside("only-outside"), "").unwrap();
    let before = snapshot(&bench.outside(""));
    symlink(bench.outside(""), bench.ws("other")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (stop, dir, other) = (Arc::clone(&stop), bench.ws("dir"), bench.ws("other"));
        // `dir` is by turns a directory and a link out of the workspace.
        std::thread::spawn(move || {
            let mut swaps = 0;
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        })
    };
    let mut worked = 0;
    for _ in 0..300 {
        for (tool, arguments) in every_call("dir/secret.txt").into_iter().chain([
            (
                "write",
                json!({"path": "dir/sub/new.txt", "content": "TAKEN"}),
            ),
            ("glob", json!({"pattern": "**"})),
            ("grep", json!({"pattern": "SECRET"})),
            ("ls", json!({"path": "dir"})),
        ]) {
            let output = bench.call(tool, arguments).await;
            worked += u32::from(output.status == ToolStatus::Ok);
            for leak in ["SECRET\n", "only-outside"] {
                assert!(!output.text.contains(leak), "{tool}: {}", output.text);
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(swapper.join().unwrap() > 1_000);
    assert!(worked > 300, "the calls were not all refused: {worked}");
    assert_eq!(snapshot(&bench.outside("")), before);
}
