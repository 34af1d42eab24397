//! Finding files and lines.

mod tools_support;

use std::time::{Duration, Instant};

use serde_json::json;
use tau_core::{message::ToolStatus, tool::ToolLimits};
use tools_support::{Bench, LIMITS};

fn tree() -> Bench {
    let bench = Bench::new();
    bench
        .file("a-b.rs", "fn dash() {}\n")
        .file("a/lib.rs", "use x;\nfn Main() {\n    call();\n}\n")
        .file("a/deep/mod.rs", "fn main() {}\n")
        .file("a/notes.md", "main idea\n")
        .file("target/out.rs", "fn main() {}\n")
        .file("a/local.log", "main\n")
        .file("a/keep.log", "main\n")
        .file(".hidden/x.rs", "fn main() {}\n")
        .file(".git/config", "main\n")
        .file(".gitignore", "/target/\n*.log\n")
        .file("a/.gitignore", "!keep.log\n")
        .file("data.bin", b"main\0main\n");
    bench
}

#[tokio::test]
async fn globs_find_files_in_path_order_and_respect_ignore_rules() {
    let bench = tree();
    for (arguments, expected) in [
        (
            json!({"pattern": "**/*.rs"}),
            ".hidden/x.rs\na-b.rs\na/deep/mod.rs\na/lib.rs\n",
        ),
        (json!({"pattern": "*.rs"}), "a-b.rs\n"),
        (json!({"pattern": "*.rs", "path": "a"}), "a/lib.rs\n"),
        (
            json!({"pattern": "{a,b}/*.{md,log}"}),
            "a/keep.log\na/notes.md\n",
        ),
        (
            json!({"pattern": "*.rs", "path": "target"}),
            "target/out.rs\n",
        ),
        (json!({"pattern": "*", "path": ".git"}), ".git/config\n"),
        (
            json!({"pattern": "*.toml"}),
            "no file matches *.toml; **/*.toml looks in all directories",
        ),
        (json!({"pattern": "a/*.toml"}), "no file matches a/*.toml"),
    ] {
        assert_eq!(
            bench.ok("glob", arguments.clone()).await,
            expected,
            "{arguments}"
        );
    }
    for pattern in ["/etc/*", "../*", "a/../../*", "[", "{a"] {
        bench.fails("glob", json!({"pattern": pattern})).await;
    }
}

#[tokio::test]
async fn lines_are_found_with_path_and_number() {
    let bench = tree();
    for (arguments, expected) in [
        (
            json!({"pattern": "fn main"}),
            ".hidden/x.rs:1: fn main() {}\na/deep/mod.rs:1: fn main() {}\n",
        ),
        (
            json!({"pattern": "^fn main", "ignore_case": true, "glob": "lib.rs"}),
            "a/lib.rs:2: fn Main() {\n",
        ),
        (
            json!({"pattern": "main", "path": "a", "glob": "*.{md,log}"}),
            "a/keep.log:1: main\na/notes.md:1: main idea\n",
        ),
        (
            json!({"pattern": "main", "path": "a/notes.md"}),
            "a/notes.md:1: main idea\n",
        ),
        (
            json!({"pattern": "Main", "context": 1}),
            "a/lib.rs-1- use x;\na/lib.rs:2: fn Main() {\na/lib.rs-3-     call();\n",
        ),
        (json!({"pattern": "nowhere"}), "no matches\n"),
    ] {
        assert_eq!(
            bench.ok("grep", arguments.clone()).await,
            expected,
            "{arguments}"
        );
    }
    bench
        .fails("grep", json!({"pattern": "x", "path": "a/lib.rc"}))
        .await;
}

#[tokio::test]
async fn a_bad_pattern_is_answered_with_the_place_of_the_mistake() {
    let text = tree().fails("grep", json!({"pattern": "fn (main"})).await;
    assert!(
        text.contains("unclosed group") && text.contains("    ^"),
        "{text}"
    );
}

#[tokio::test]
async fn long_lines_and_many_matches_are_cut() {
    let bench = Bench::new();
    bench.file(
        "min.js",
        format!("{}needle{}\n", "é".repeat(50_000), "-".repeat(50_000)),
    );
    bench.file("many.txt", "hit\n".repeat(100_000));
    let text = bench.ok("grep", json!({"pattern": "needle"})).await;
    assert!(
        text.len() < 500
            && text.contains("needle")
            && text.contains('…')
            && !text.contains('\u{fffd}'),
        "{text}"
    );
    let text = bench.ok("grep", json!({"pattern": "hit"})).await;
    assert!(
        text.contains("[stopped after 500 matches in 1 file"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_takes_too_long_is_ended() {
    let bench = Bench::new();
    for n in 0..30 {
        bench.file(&format!("{n}.txt"), "a\n".repeat(1 << 20));
    }
    let limits = ToolLimits {
        timeout_ms: 1,
        ..LIMITS
    };
    let started = Instant::now();
    let output = bench
        .call_within("grep", json!({"pattern": "(a|b)+c"}), limits)
        .await;
    assert_eq!(output.status, ToolStatus::TimedOut, "{}", output.text);
    assert!(
        output.text.contains("did not finish in 1 ms"),
        "{}",
        output.text
    );
    assert!(started.elapsed() < Duration::from_secs(1));
}
