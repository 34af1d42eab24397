//! Reading, writing, editing and listing.

mod tools_support;

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tau_core::{message::ToolStatus, tool::ToolLimits};
use tau_platform::HostTools;
use tools_support::{Bench, LIMITS};

#[tokio::test]
async fn a_file_is_read_whole_or_by_pages() {
    let bench = Bench::new();
    let lines: String = (1..=5_000).map(|n| format!("line {n}\n")).collect();
    bench
        .file("small.txt", "one\ntwo\n")
        .file("large.txt", lines)
        .file("end.txt", "no end");
    assert_eq!(
        bench.ok("read", json!({"path": "small.txt"})).await,
        "one\ntwo\n"
    );
    assert_eq!(
        bench.ok("read", json!({"path": "end.txt"})).await,
        "no end\n"
    );
    let page = bench
        .ok(
            "read",
            json!({"path": "large.txt", "offset": 201, "limit": 2}),
        )
        .await;
    assert_eq!(
        page,
        "[lines 201-202 of 5,000; continue with offset 203]\nline 201\nline 202\n"
    );
    let page = bench
        .ok("read", json!({"path": "large.txt", "offset": 4_999}))
        .await;
    assert_eq!(page, "[lines 4999-5000 of 5,000]\nline 4999\nline 5000\n");
    let page = bench.ok("read", json!({"path": "large.txt"})).await;
    assert!(page.starts_with("[lines 1-"), "{}", &page[..80]);
    assert!(page.len() <= 20_000);
    let text = bench
        .fails("read", json!({"path": "large.txt", "offset": 6_000}))
        .await;
    assert!(text.contains("only 5,000 lines"), "{text}");
}

#[tokio::test]
async fn pages_joined_are_the_file() {
    let bench = Bench::new();
    let content: String = (1..=300).map(|n| "x".repeat(n % 90) + "é\n").collect();
    bench.file("file.txt", &content);
    let limits = ToolLimits {
        output_bytes: 1_000,
        ..LIMITS
    };
    let (mut joined, mut offset) = (String::new(), 1);
    while offset <= 300 {
        let output = bench
            .call_within(
                "read",
                json!({"path": "file.txt", "offset": offset}),
                limits,
            )
            .await;
        assert!(output.text.len() <= 1_000);
        let (header, page) = output.text.split_once('\n').unwrap();
        assert!(header.starts_with(&format!("[lines {offset}-")), "{header}");
        joined.push_str(page);
        offset += page.lines().count();
    }
    assert_eq!(joined, content);
}

#[tokio::test]
async fn a_huge_file_is_read_in_bounded_time_and_output() {
    let bench = Bench::new();
    // Sparse: ten gigabytes of nothing behind a few lines and one enormous line.
    let file = fs::File::create(bench.ws("huge.log")).unwrap();
    let mut start = "first\nsecond\n".to_owned();
    start.push_str(&"long ".repeat(100_000));
    std::io::Write::write_all(&mut &file, start.as_bytes()).unwrap();
    file.set_len(10 << 30).unwrap();
    let text = bench
        .ok("read", json!({"path": "huge.log", "limit": 2}))
        .await;
    assert!(
        text.contains("first\nsecond\n") && text.contains("10,737,418,240 bytes"),
        "{text}"
    );
    let text = bench
        .ok("read", json!({"path": "huge.log", "offset": 3}))
        .await;
    assert!(text.len() <= 20_000 && text.contains("longer than the output limit"));
}

#[tokio::test]
async fn what_cannot_be_shown_as_text_is_named() {
    let bench = Bench::new();
    bench
        .file("program", b"\x7fELF\x02\x01\x01\0\0\0")
        .file(
            "late.bin",
            [b"text\n".repeat(3_000), vec![0, 1, 2]].concat(),
        )
        .file("empty", "")
        .file("latin1.txt", b"caf\xe9\n")
        .file("dos.txt", "\u{feff}a\r\nb\r\n")
        .file("dir/main.rs", "");
    let text = bench.fails("read", json!({"path": "program"})).await;
    assert!(text.contains("ELF program, 10 bytes"), "{text}");
    let text = bench
        .fails("read", json!({"path": "late.bin", "offset": 3_000}))
        .await;
    assert!(text.contains("not text"), "{text}");
    assert_eq!(
        bench.ok("read", json!({"path": "empty"})).await,
        "empty is empty"
    );
    let text = bench.ok("read", json!({"path": "latin1.txt"})).await;
    assert_eq!(
        text,
        "[some bytes are not UTF-8 and shown as \u{fffd}]\ncaf\u{fffd}\n"
    );
    let text = bench.ok("read", json!({"path": "dos.txt"})).await;
    assert_eq!(text, "[lines end in CRLF]\na\nb\n");
    let text = bench.fails("read", json!({"path": "dir"})).await;
    assert_eq!(text, "dir is a directory\nhint: use ls to list it");
    let text = bench.fails("read", json!({"path": "dir/mian.rs"})).await;
    assert_eq!(
        text,
        "dir/mian.rs does not exist\nhint: did you mean main.rs?"
    );
    let text = bench.fails("read", json!({"path": "dri/main.rs"})).await;
    assert_eq!(text, "dri does not exist\nhint: did you mean dir?");
}

#[tokio::test]
async fn an_image_is_returned_as_an_image() {
    let bench = Bench::new();
    let png = b"\x89PNG\r\n\x1a\nrest".to_vec();
    bench
        .file("a.txt", &png)
        .file("large.png", [png.clone(), vec![0; 6 << 20]].concat());
    let output = bench.call("read", json!({"path": "a.txt"})).await;
    assert_eq!(output.images[0].mime, "image/png");
    assert_eq!(STANDARD.decode(&output.images[0].data).unwrap(), png);
    assert!(
        bench
            .fails("read", json!({"path": "large.png"}))
            .await
            .contains("too large")
    );
}

#[tokio::test]
async fn a_write_makes_directories_and_tells_what_changed() {
    let bench = Bench::new();
    let text = bench
        .ok(
            "write",
            json!({"path": "a/b/c.txt", "content": "one\ntwo\n"}),
        )
        .await;
    assert_eq!(text, "created a/b/c.txt: 2 lines, 8 bytes");
    let text = bench
        .ok("write", json!({"path": "a/b/c.txt", "content": "one\n2\n"}))
        .await;
    assert_eq!(
        text,
        "replaced a/b/c.txt: 2 lines, 6 bytes\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    );
    let text = bench
        .ok("write", json!({"path": "a/b/c.txt", "content": "one\n2\n"}))
        .await;
    assert!(text.contains("already has this content"));
    let text = bench
        .fails("write", json!({"path": "a/b", "content": ""}))
        .await;
    assert!(text.starts_with("a/b is a directory"), "{text}");
    let text = bench
        .fails("write", json!({"path": "a/b/c.txt/d", "content": ""}))
        .await;
    assert!(text.contains("c.txt is not a directory"), "{text}");
    let left: Vec<_> = fs::read_dir(bench.ws("a/b")).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file stays");
}

#[cfg(unix)]
#[tokio::test]
async fn a_write_keeps_permissions_and_leaves_read_only_files() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.file("run.sh", "#!/bin/sh\n").file("fixed", "x");
    fs::set_permissions(bench.ws("run.sh"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::set_permissions(bench.ws("fixed"), fs::Permissions::from_mode(0o444)).unwrap();
    bench
        .ok(
            "edit",
            json!({"path": "run.sh", "old": "sh\n", "new": "sh -e\n"}),
        )
        .await;
    assert_eq!(
        fs::metadata(bench.ws("run.sh"))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o750
    );
    for (tool, arguments) in [
        ("write", json!({"path": "fixed", "content": "y"})),
        ("edit", json!({"path": "fixed", "old": "x", "new": "y"})),
    ] {
        assert_eq!(bench.fails(tool, arguments).await, "fixed is read-only");
    }
}

#[tokio::test]
async fn an_edit_replaces_exactly_what_was_asked() {
    let bench = Bench::new();
    bench.file("a.txt", "one\ntwo\ntwo\nthree\n");
    let text = bench
        .ok(
            "edit",
            json!({"path": "a.txt", "old": "one\n", "new": "1\n"}),
        )
        .await;
    assert_eq!(
        text,
        "edited a.txt in 1 place\n@@ -1,3 +1,3 @@\n-one\n+1\n two\n two\n"
    );
    let text = bench
        .fails("edit", json!({"path": "a.txt", "old": "two", "new": "2"}))
        .await;
    assert!(
        text.starts_with("old occurs 2 times in a.txt, at lines 2, 3\nhint:"),
        "{text}"
    );
    bench
        .ok(
            "edit",
            json!({"path": "a.txt", "old": "two", "new": "2", "all": true}),
        )
        .await;
    assert_eq!(
        fs::read_to_string(bench.ws("a.txt")).unwrap(),
        "1\n2\n2\nthree\n"
    );
    let text = bench
        .fails(
            "edit",
            json!({"path": "a.txt", "old": "  thre", "new": "x"}),
        )
        .await;
    assert!(text.contains("4: three"), "{text}");
    for (old, new) in [("", "x"), ("1", "1")] {
        bench
            .fails("edit", json!({"path": "a.txt", "old": old, "new": new}))
            .await;
    }
}

#[tokio::test]
async fn an_edit_keeps_line_ends_and_the_byte_order_mark() {
    let bench = Bench::new();
    bench
        .file("dos.txt", "\u{feff}one\r\ntwo\r\nthree\r\n")
        .file("bytes", b"a\xff\n");
    bench
        .ok(
            "edit",
            json!({"path": "dos.txt", "old": "one\ntwo\n", "new": "1\n1.5\n2\n"}),
        )
        .await;
    let edited = fs::read_to_string(bench.ws("dos.txt")).unwrap();
    assert_eq!(edited, "\u{feff}1\r\n1.5\r\n2\r\nthree\r\n");
    let text = bench
        .fails("edit", json!({"path": "bytes", "old": "a", "new": "b"}))
        .await;
    assert!(text.contains("not UTF-8"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_one_file_at_once_are_all_kept() {
    let bench = Bench::new();
    let names: Vec<String> = (0..20).map(|n| format!("<{n}>")).collect();
    bench.file("shared.txt", names.join("\n"));
    let edits = names.iter().map(|name| {
        bench.ok(
            "edit",
            json!({"path": "shared.txt", "old": name, "new": format!("{name}!")}),
        )
    });
    futures_util::future::join_all(edits).await;
    assert_eq!(
        fs::read_to_string(bench.ws("shared.txt"))
            .unwrap()
            .matches('!')
            .count(),
        20
    );
}

#[tokio::test]
async fn a_listing_is_sorted_and_limited() {
    let bench = Bench::new();
    bench
        .file("b.txt", "12345")
        .file("a/x", "")
        .file("many/0", "");
    assert_eq!(bench.ok("ls", json!({})).await, "a/\nb.txt  5\nmany/\n");
    for n in 1..1_500 {
        bench.file(&format!("many/{n}"), "");
    }
    let text = bench.ok("ls", json!({"path": "many"})).await;
    assert!(text.ends_with("[500 more entries]\n"), "{text}");
    assert!(
        bench
            .fails("ls", json!({"path": "b.txt"}))
            .await
            .contains("not a directory")
    );
    fs::create_dir(bench.ws("none")).unwrap();
    assert_eq!(
        bench.ok("ls", json!({"path": "none"})).await,
        "none is empty"
    );
}

#[tokio::test]
async fn the_time_comes_from_the_clock_passed_in() {
    let bench = Bench::new();
    let text = bench.ok("time", json!({"timezone": "Asia/Tokyo"})).await;
    assert_eq!(text, "2026-08-01T21:00:00+09:00 Saturday Asia/Tokyo");
}

#[tokio::test]
async fn every_result_keeps_to_the_output_limit() {
    let bench = Bench::new();
    for n in 0..200 {
        bench.file(
            &format!("some-directory/file-{n}.txt"),
            format!("match {n}\n").repeat(50),
        );
    }
    for output_bytes in [0, 1, 50, 500, 5_000] {
        let limits = ToolLimits {
            output_bytes,
            ..LIMITS
        };
        for (tool, arguments) in [
            ("read", json!({"path": "some-directory/file-1.txt"})),
            (
                "write",
                json!({"path": "new.txt", "content": "x\n".repeat(9_000 + output_bytes as usize)}),
            ),
            (
                "edit",
                json!({"path": "some-directory/file-2.txt", "old": "match 2", "new": "x", "all": true}),
            ),
            ("ls", json!({"path": "some-directory"})),
            ("glob", json!({"pattern": "**/*.txt"})),
            ("grep", json!({"pattern": "match", "context": 1})),
            ("shell", json!({"command": "seq 1 100000"})),
            ("time", json!({"timezone": "Mars/Olympus"})),
            ("no such tool", json!({})),
        ] {
            let output = bench.call_within(tool, arguments, limits).await;
            assert!(
                output.text.len() as u64 <= output_bytes,
                "{tool}: {}",
                output.text.len()
            );
        }
        bench.file("some-directory/file-2.txt", "match 2\n".repeat(50));
    }
}

#[tokio::test]
async fn odd_arguments_fail_the_call_and_nothing_else() {
    let bench = Bench::new();
    for spec in bench.tools.specs() {
        for arguments in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"path": 1, "pattern": [], "command": {}, "timezone": 7}),
        ] {
            let output = bench.call(&spec.name, arguments.clone()).await;
            assert_eq!(
                output.status,
                ToolStatus::Error,
                "{} {arguments}: {}",
                spec.name,
                output.text
            );
        }
    }
    bench.file("a", "x\n");
    for arguments in [
        json!({"path": "a", "offset": 0}),
        json!({"path": "a", "limit": 0}),
        json!({"path": "a", "limit": u64::MAX}),
    ] {
        bench.ok("read", arguments).await;
    }
    bench
        .fails("read", json!({"path": "a", "offset": u64::MAX}))
        .await;
}

#[tokio::test]
async fn the_tools_cost_a_model_little() {
    let bench = Bench::new();
    let specs = bench.tools.specs();
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "read", "write", "edit", "ls", "glob", "grep", "shell", "time", "http"
        ]
    );
    let sent: usize = specs
        .iter()
        .map(|spec| json!({"type": "function", "function": {"name": spec.name, "description": spec.description, "parameters": spec.parameters}}).to_string().len())
        .sum();
    assert!(sent / 4 < 800, "{} tokens or so", sent / 4);
    println!("{} tokens or so", sent / 4);
}
