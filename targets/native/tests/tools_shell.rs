//! Commands, and that nothing of them stays.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be prepared cannot be tested"
)]

mod tools_support;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tau_core::{message::ToolStatus, tool::ToolLimits};
use tools_support::{Bench, LIMITS};

fn within(timeout_ms: u64) -> ToolLimits {
    ToolLimits {
        timeout_ms,
        ..LIMITS
    }
}

/// Running processes whose command line holds `text`.
#[cfg(target_os = "linux")]
fn running(text: &str) -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text) && !line.contains("cargo"))
        .collect()
}

#[tokio::test]
async fn output_and_exit_code_are_reported() {
    let bench = Bench::new();
    bench.file("here.txt", "x");
    for (command, status, text) in [
        (
            "echo out; echo err >&2; echo out",
            ToolStatus::Ok,
            "out\nerr\nout\n",
        ),
        ("ls", ToolStatus::Ok, "here.txt\n"),
        ("true", ToolStatus::Ok, "[no output]"),
        (
            "printf half; exit 3",
            ToolStatus::Error,
            "half\n[exit code 3]",
        ),
        ("cat", ToolStatus::Ok, "[no output]"),
        ("printf 'a\\377b'", ToolStatus::Ok, "a\u{fffd}b"),
        (
            "echo \"$0 $# $1\"; echo 'a\"b'",
            ToolStatus::Ok,
            "sh 0 \na\"b\n",
        ),
    ] {
        let output = bench.call("shell", json!({"command": command})).await;
        assert_eq!(
            (output.status, output.text.as_str()),
            (status, text),
            "{command}"
        );
    }
    let output = bench.call("shell", json!({"command": "kill -9 $$"})).await;
    assert!(output.text.contains("signal 9"), "{}", output.text);
    let text = bench
        .fails("shell", json!({"command": "no-such-program"}))
        .await;
    assert!(text.contains("exit code 127"), "{text}");
}

#[tokio::test]
async fn commands_have_no_terminal() {
    let bench = Bench::new();
    let output = bench
        .call("shell", json!({"command": "exec 3<>/dev/tty"}))
        .await;
    assert_eq!(output.status, ToolStatus::Error, "{}", output.text);
}

#[tokio::test]
async fn huge_output_is_kept_in_part() {
    let bench = Bench::new();
    let text = bench.ok("shell", json!({"command": "echo START; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo END"})).await;
    assert!(
        text.starts_with("START") && text.ends_with("END\n"),
        "{}",
        text.len()
    );
    assert!(text.len() <= 20_000 && text.contains("bytes left out"));
}

#[tokio::test]
async fn a_model_may_lower_the_time_but_not_raise_it() {
    let bench = Bench::new();
    for (limit, asked) in [(20_000, 200), (200, 20_000)] {
        let started = Instant::now();
        let output = bench
            .call_within(
                "shell",
                json!({"command": "echo before; sleep 30", "timeout_ms": asked}),
                within(limit),
            )
            .await;
        assert_eq!(output.status, ToolStatus::TimedOut);
        assert_eq!(output.text.lines().next(), Some("before"));
        assert!(
            output.text.contains("timed out after 200 ms"),
            "{}",
            output.text
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_timeout_ends_every_process_however_it_hides() {
    let bench = Bench::new();
    let cases = [
        ("{sleep} & wait", "731001"),
        ("setsid {sleep} & wait", "731002"),
        (
            "setsid sh -c '{sleep} & {sleep} & wait' & sleep 60",
            "731003",
        ),
        (
            "(setsid sh -c '(setsid {sleep} >/dev/null 2>&1 &) &' &); sleep 60",
            "731004",
        ),
        (
            "env -i setsid -f \"$(command -v sleep)\" 731005; sleep 60",
            "731005",
        ),
        ("trap '' TERM HUP INT; {sleep}", "731006"),
        ("nohup {sleep} >/dev/null 2>&1 & sleep 60", "731007"),
        (
            "setsid sh -c 'while :; do {sleep} & sleep 0.01; done' & sleep 60",
            "731008",
        ),
    ];
    for (command, seconds) in cases {
        let command = command.replace("{sleep}", &format!("sleep {seconds}"));
        let seen = async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            running(&format!("sleep {seconds}"))
                .len()
                .max(running(&format!("sleep\0{seconds}")).len())
        };
        let call = bench.call_within("shell", json!({"command": command}), within(500));
        let (output, seen) = futures_util::future::join(call, seen).await;
        assert!(seen > 0, "{command} did not start: {}", output.text);
        assert_eq!(
            output.status,
            ToolStatus::TimedOut,
            "{command}: {}",
            output.text
        );
        assert_eq!(
            running(seconds),
            Vec::<String>::new(),
            "{command}: {}",
            output.text
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn dropping_the_call_ends_every_process() {
    let bench = Bench::new();
    let command = "setsid sleep 732001 & sleep 732001";
    let call = bench.call("shell", json!({"command": command}));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), call)
            .await
            .is_err()
    );
    assert_eq!(running("732001"), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_background_process_neither_holds_up_the_call_nor_outlives_it() {
    let bench = Bench::new();
    let started = Instant::now();
    let output = bench
        .call(
            "shell",
            json!({"command": "sleep 733001 & setsid sleep 733001 & echo started"}),
        )
        .await;
    assert_eq!(output.status, ToolStatus::Ok);
    assert_eq!(output.text, "started\n[2 processes left running: ended]");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(running("733001"), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ending_one_call_leaves_the_others_alone() {
    let bench = Bench::new();
    let long = bench.call("shell", json!({"command": "sleep 1; echo whole"}));
    let short = bench.call(
        "shell",
        json!({"command": "setsid sleep 734001 & sleep 30", "timeout_ms": 200}),
    );
    let (long, short) = futures_util::future::join(long, short).await;
    assert_eq!(long.text, "whole\n");
    assert_eq!(short.status, ToolStatus::TimedOut);
}

#[tokio::test]
async fn calls_run_side_by_side() {
    let bench = Bench::new();
    let started = Instant::now();
    let sleep = || bench.ok("shell", json!({"command": "sleep 1"}));
    futures_util::future::join(sleep(), sleep()).await;
    assert!(
        started.elapsed() < Duration::from_millis(1_800),
        "{:?}",
        started.elapsed()
    );
}

/// A process of its own that calls one tool in `folder`.
fn call_tool(folder: &Path, name: &str, arguments: &serde_json::Value) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call_tool"));
    command.arg(folder).arg(name).arg(arguments.to_string());
    command
}

#[test]
fn keys_in_the_environment_do_not_reach_commands() {
    let folder = tempfile::tempdir().unwrap();
    let output = call_tool(folder.path(), "shell", &json!({"command": "env"}))
        .env("OPENAI_API_KEY", "sk-leaked")
        .env("LD_PRELOAD", "")
        .env("LC_TIME", "C")
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        .collect();
    assert!(!text.contains("sk-leaked"), "{text}");
    for name in &names {
        let expected = [
            "PATH", "HOME", "LANG", "TZ", "USER", "TMPDIR", "TERM", "TAU_CALL", "PWD", "OLDPWD",
            "SHLVL", "_",
        ];
        assert!(expected.contains(name) || name.starts_with("LC_"), "{name}");
    }
    assert!(
        names.contains(&"PATH") && names.contains(&"LC_TIME") && text.contains("TERM=dumb"),
        "{text}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_file() {
    let mount = tempfile::tempdir().unwrap();
    let large = json!({"path": "kept.txt", "content": "x".repeat(100 << 10)});
    let call = call_tool(mount.path(), "write", &large);
    let script = "mount -t tmpfs -o size=64k tmpfs \"$0\" && echo old > \"$0/kept.txt\" \
                  && { \"$@\"; echo \"exit $?\"; ls -A \"$0\"; cat \"$0/kept.txt\"; }";
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .arg(mount.path())
        .arg(call.get_program())
        .args(call.get_args())
        .output()
        .expect("unshare makes the small disk: apt-get install util-linux");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "namespaces are needed to mount a small disk: {errors}"
    );
    assert!(
        text.contains("unchanged") && text.contains("free some space"),
        "{text}"
    );
    assert!(
        text.ends_with("exit 1\nkept.txt\nold\n"),
        "the old file and nothing else: {text}"
    );
}
