//! Stored credentials: sealed on the disk, sent to their own host, seen nowhere else.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{fs, process::Stdio, thread};

use crate::support::{Do, Server, Tau, Terminal, call, finish, say};

const PASSPHRASE: &str = "four words of mine";

/// Put together here, so that no scanner finds one in this file.
fn value(tail: &str) -> String {
    ["tk", "Qx7Lm2Vp9Rw4", tail].join("-")
}

/// Runs `tau` with the passphrase and something on stdin.
fn run(tau: &Tau, passphrase: &str, arguments: &[&str], stdin: &str) -> crate::support::Done {
    let mut command = tau.command(arguments);
    command.env("TAU_PASSPHRASE", passphrase);
    command.stdin(Stdio::piped());
    finish(command.spawn().expect("tau starts"), stdin.as_bytes())
}

fn set(tau: &Tau, name: &str, host: &str, value: &str) {
    run(
        tau,
        PASSPHRASE,
        &["secret", "set", name, "--host", host],
        value,
    )
    .code(0);
}

fn store(tau: &Tau) -> std::path::PathBuf {
    tau.home().join("credentials.json")
}

/// Fails when `value` can be read in a text or in any file Tau keeps, plain or in base64.
#[track_caller]
fn nowhere(tau: &Tau, value: &str, shown: &[&str]) {
    let files = tau.kept();
    let told = shown
        .iter()
        .map(|text| ("what is shown".into(), text.as_bytes()));
    let kept = files
        .iter()
        .map(|(path, bytes)| (path.display().to_string(), bytes.as_slice()));
    for (place, bytes) in told.chain(kept) {
        for spelling in [value.to_owned(), STANDARD.encode(value)] {
            let found = bytes
                .windows(spelling.len())
                .any(|window| window == spelling.as_bytes());
            assert!(!found, "the value is in {place}");
        }
    }
}

/// A profile whose model is at `server`, with the stored credential `model` as its key.
fn with_key(tau: &Tau, server: &Server) -> String {
    let value = value("model");
    let origin = server.url().trim_end_matches("/v1");
    set(tau, "model", origin, &value);
    tau.profile(&format!(
        "[retry]\nattempts = 1\n[provider]\nbase_url = \"{}\"\nmodel = \"sim\"\nkey = \"secret:model\"\n",
        server.url()
    ));
    value
}

#[test]
fn a_value_is_sealed_on_the_disk_and_never_shown_again() {
    use std::os::unix::fs::PermissionsExt;
    let tau = Tau::new();
    let value = value("github");
    let arguments = [
        "secret",
        "set",
        "github",
        "--host",
        "API.github.com",
        "--header",
        "Authorization",
        "--json",
    ];
    let done = run(&tau, PASSPHRASE, &arguments, &format!("{value}\n"));
    let stored = done.code(0).json();
    assert_eq!(
        (&stored["host"], &stored["header"]),
        (&json!("api.github.com"), &json!("authorization"))
    );
    // Looking needs no key, and gives none away.
    let list = tau.tau(&["secret", "list", "--json"]);
    let show = tau.tau(&["secret", "show", "github"]);
    let listed = list.code(0).json();
    assert_eq!(listed["credentials"][0]["name"], "github");
    assert_eq!(listed["key_held_by"], "passphrase");
    show.code(0);
    let shown = [&done, &list, &show].map(|done| format!("{}{}", done.stdout, done.stderr));
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    nowhere(&tau, &value, &shown);
    nowhere(&tau, PASSPHRASE, &shown);
    let mode = fs::metadata(store(&tau))
        .expect("the store")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // The same value again is sealed otherwise, and has the same fingerprint.
    let before = fs::read_to_string(store(&tau)).expect("the store");
    let again = run(&tau, PASSPHRASE, &arguments, &value).code(0).json();
    assert_eq!(again["fingerprint"], stored["fingerprint"]);
    assert_ne!(fs::read_to_string(store(&tau)).expect("the store"), before);
}

#[test]
fn a_wrong_passphrase_and_an_altered_file_are_told_apart() {
    let tau = Tau::new();
    set(&tau, "one", "one.example.com", &value("1"));
    let other = run(
        &tau,
        "another passphrase",
        &["secret", "rotate", "one"],
        &value("2"),
    );
    other.code(4).tells("wrong");

    let whole = fs::read_to_string(store(&tau)).expect("the store");
    let parsed: Value = serde_json::from_str(&whole).expect("JSON");
    let sealed = parsed["entries"]["one"]["sealed"]["data"]
        .as_str()
        .expect("sealed");
    let key = parsed["key"]["sealed"]["data"].as_str().expect("a key");
    // Any byte of the sealed value or of the key, and what is sealed together with it.
    let flip = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("text")
    };
    let altered = [
        whole.replace(sealed, &flip(sealed, 0)),
        whole.replace(sealed, &flip(sealed, sealed.len() / 2)),
        whole.replace(key, &flip(key, 3)),
        whole.replace("one.example.com", "evil.example.com"),
        whole.get(..whole.len() / 2).expect("half of it").to_owned(),
    ];
    for text in altered {
        assert_ne!(text, whole);
        fs::write(store(&tau), &text).expect("the store");
        let done = run(&tau, PASSPHRASE, &["secret", "rotate", "one"], &value("3"));
        done.code(8).tells("damaged");
        assert_eq!(
            fs::read_to_string(store(&tau)).expect("the store"),
            text,
            "nothing is written"
        );
    }
}

#[test]
fn what_is_no_value_no_host_or_no_name_is_refused_without_being_repeated() {
    let tau = Tau::new();
    let value = value("refused");
    let long = "x".repeat(9_000);
    for (arguments, stdin) in [
        (vec!["a", "--host", "a.example.com"], "short"),
        (
            vec!["a", "--host", "a.example.com"],
            "line one of it\nline two of it",
        ),
        (vec!["a", "--host", "a.example.com"], long.as_str()),
        (vec!["a", "--host", "http://a.example.com"], value.as_str()),
        (vec!["a", "--host", "a.example.com/path"], value.as_str()),
        (vec!["a b", "--host", "a.example.com"], value.as_str()),
        (
            vec!["a", "--host", "a.example.com", "--header", "x y"],
            value.as_str(),
        ),
        (vec!["a"], value.as_str()),
        // As an argument it would be in the shell's history.
        (vec!["a", &value, "--host", "a.example.com"], ""),
    ] {
        let arguments = [vec!["secret", "set"], arguments].concat();
        let done = run(&tau, PASSPHRASE, &arguments, stdin);
        done.code(2);
        nowhere(&tau, &value, &[&done.stdout, &done.stderr]);
        assert!(!done.stderr.contains("line two of it"), "{}", done.stderr);
    }
    assert_eq!(
        tau.tau(&["secret", "list", "--json"]).json()["credentials"],
        json!([])
    );
    tau.tau(&["secret", "set", "a", "--host", "a.example.com"])
        .code(4)
        .tells("TAU_PASSPHRASE");
}

#[test]
fn a_rekeyed_store_opens_with_the_new_passphrase_alone() {
    let tau = Tau::new();
    for name in ["one", "two"] {
        set(&tau, name, "a.example.com", &value(name));
    }
    let mut command = tau.command(["secret", "rekey", "--json"]);
    command.env("TAU_PASSPHRASE", PASSPHRASE);
    command.env("TAU_NEW_PASSPHRASE", "other words of mine");
    let done = finish(command.spawn().expect("tau starts"), b"");
    assert_eq!(done.code(0).json()["rekeyed"], 2);
    let rotate = ["secret", "rotate", "two"];
    run(&tau, PASSPHRASE, &rotate, &value("x")).code(4);
    run(&tau, "other words of mine", &rotate, &value("x")).code(0);
    tau.tau(&["secret", "rm", "one", "tow"])
        .code(2)
        .tells("two");
    tau.tau(&["secret", "rm", "one"]).code(0);
    let left = tau.tau(&["secret", "list", "--jsonl"]).stdout.clone();
    assert!(
        left.contains("\"two\"") && !left.contains("\"one\""),
        "{left}"
    );
}

#[test]
fn processes_at_the_same_time_lose_nothing() {
    let tau = Tau::new();
    thread::scope(|scope| {
        for process in 0..4 {
            let tau = &tau;
            scope.spawn(move || {
                for number in 0..2 {
                    let name = format!("n{process}{number}");
                    set(tau, &name, "a.example.com", &value(&name));
                }
            });
        }
    });
    let all = tau.tau(&["secret", "list", "--json"]).code(0).json();
    assert_eq!(all["credentials"].as_array().map(Vec::len), Some(8));
    // One of them made the store; all use its key.
    let mut command = tau.command(["secret", "rekey", "--json"]);
    command.env("TAU_PASSPHRASE", PASSPHRASE);
    command.env("TAU_NEW_PASSPHRASE", PASSPHRASE);
    let done = finish(command.spawn().expect("tau starts"), b"");
    assert_eq!(done.code(0).json()["rekeyed"], 8);
}

#[test]
fn a_process_that_is_killed_while_it_writes_loses_nothing() {
    let tau = Tau::new();
    set(&tau, "kept", "a.example.com", &value("kept"));
    // The moment of the kill wanders over a whole run and beyond its end.
    let whole = run(
        &tau,
        PASSPHRASE,
        &["secret", "rotate", "kept"],
        &value("again"),
    )
    .took;
    let moments = 40;
    for moment in 0..moments {
        let name = format!("n{moment}");
        let mut command = tau.command(["secret", "set", &name, "--host", "a.example.com"]);
        command.env("TAU_PASSPHRASE", PASSPHRASE);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("tau starts");
        drop(std::io::Write::write_all(
            &mut child.stdin.take().expect("stdin"),
            value(&name).as_bytes(),
        ));
        thread::sleep(whole * 5 / 4 * moment / moments);
        let _ = child.kill();
        let _ = child.wait();
        let all = tau.tau(&["secret", "list", "--json"]).code(0).json();
        assert_eq!(all["credentials"][0]["name"], "kept");
    }
    run(
        &tau,
        PASSPHRASE,
        &["secret", "rotate", "kept"],
        &value("again"),
    )
    .code(0);
}

#[test]
fn a_person_types_unseen() {
    let tau = Tau::new();
    let value = value("typed");
    let mut terminal = Terminal::start(
        &tau,
        &[
            "secret",
            "set",
            "github",
            "--host",
            "api.github.com",
            "--passphrase",
        ],
    );
    terminal.shows("new passphrase");
    terminal.types(&format!("{PASSPHRASE}\r"));
    terminal.shows("the same again");
    terminal.types(&format!("{PASSPHRASE}\r"));
    terminal.shows("passphrase of the credential store: ");
    terminal.types(&format!("{PASSPHRASE}\r"));
    terminal.shows("value of github");
    // A mistake is taken back unseen, too.
    terminal.types(&format!("{value}ü\u{7f}\r"));
    terminal.shows("github is stored");
    let seen = terminal.seen();
    assert_eq!(terminal.ends(), 0);
    nowhere(&tau, &value, &[&seen]);
    nowhere(&tau, PASSPHRASE, &[&seen]);
    run(&tau, PASSPHRASE, &["secret", "rotate", "github"], &value).code(0);
    let before = fs::read_to_string(store(&tau)).expect("the store");

    // Ctrl-C leaves the terminal and the store as they were.
    let mut terminal = Terminal::start(&tau, &["secret", "rotate", "github"]);
    terminal.shows("passphrase of the credential store: ");
    terminal.types("half a pass\u{3}");
    terminal.shows("interrupted");
    assert!(!terminal.seen().contains("half a pass"));
    assert_eq!(terminal.ends(), 130);
    assert_eq!(fs::read_to_string(store(&tau)).expect("the store"), before);
}

#[test]
fn a_stored_key_goes_to_the_provider_and_nowhere_else() {
    let tau = Tau::new();
    let look = "env; tr '\\0' '\\n' < /proc/$PPID/environ; cat held.txt; base64 held.txt";
    let server = Server::new([call(&[("shell", json!({ "command": look }))]), say("Done.")]);
    let value = with_key(&tau, &server);
    // A program finds the value in a file, and tells it in two spellings.
    tau.write("held.txt", &value);
    let mut command = tau.command(["run", "--approve", "shell", "--jsonl", "look around"]);
    command.env("TAU_PASSPHRASE", PASSPHRASE);
    command.env(
        "TAU_LOG",
        "tau=trace,tau_platform=trace,reqwest=trace,hyper=trace,h2=trace,zbus=trace",
    );
    let done = finish(command.spawn().expect("tau starts"), b"");
    done.code(0).tells("credential used");
    let asked = server.asked();
    let sent = asked[0]
        .headers
        .iter()
        .find(|(name, _)| name == "authorization");
    assert_eq!(
        sent.map(|(_, sent)| sent.as_str()),
        Some(&*format!("Bearer {value}"))
    );
    let heard = &asked[1].text;
    assert!(
        heard.contains("PATH=") && heard.contains("[redacted:model]"),
        "{heard}"
    );
    fs::remove_file(tau.workspace().join("held.txt")).expect("the file");
    let bodies: Vec<&str> = asked.iter().map(|asked| asked.text.as_str()).collect();
    let shown = [&[&*done.stdout, &*done.stderr][..], &bodies].concat();
    nowhere(&tau, &value, &shown);
    nowhere(&tau, PASSPHRASE, &shown);
    let used = tau.tau(&["secret", "show", "model", "--json"]).json();
    assert!(used["used_ms"].as_u64() > used["created_ms"].as_u64().map(|at| at - 1));
}

#[test]
fn a_provider_that_echoes_the_key_is_not_repeated() {
    for status in [200, 400, 401, 500] {
        let tau = Tau::new();
        let server = Server::with(tau_core::model::Api::OpenAi, move |asked, _| {
            let sent = asked
                .headers
                .iter()
                .find(|(name, _)| name == "authorization");
            let sent = sent.map(|(_, sent)| sent.clone()).unwrap_or_default();
            let (code, bare) = (STANDARD.encode(&sent), sent.trim_start_matches("Bearer "));
            let told = format!("you sent {sent} ({code}), which is {}", bare.to_uppercase());
            match status {
                200 => say(&told),
                status => Do::Status(
                    status,
                    vec![],
                    json!({"error": {"message": told}}).to_string(),
                ),
            }
        });
        let value = with_key(&tau, &server);
        let done = run(&tau, PASSPHRASE, &["run", "--jsonl", "hello"], "");
        assert_eq!(done.code == 0, status == 200, "{}", done.stderr);
        let shown = format!("{}{}", done.stdout, done.stderr);
        assert!(shown.contains("[redacted:model]"), "{shown}");
        nowhere(&tau, &value, &[&shown, &shown.to_lowercase()]);
        nowhere(&tau, &value.to_uppercase(), &[&shown]);
    }
}

#[test]
fn a_key_that_belongs_to_another_host_is_not_sent() {
    let tau = Tau::new();
    let server = Server::new([]);
    with_key(&tau, &server);
    let key = |line: &str| {
        tau.profile(&format!(
            "[retry]\nattempts = 1\n[provider]\nbase_url = \"{}\"\nmodel = \"sim\"\n{line}\n",
            server.url()
        ));
        run(&tau, PASSPHRASE, &["run", "hello"], "")
    };
    set(&tau, "other", "other.example.com", &value("other"));
    key("key = \"secret:other\"")
        .code(4)
        .tells("belongs to other.example.com");
    key("key = \"secret:none\"")
        .code(4)
        .tells("there is no credential none");
    let told = key(&format!("key = \"{}\"", value("plain")));
    told.code(3).tells("tau secret set");
    assert!(!told.stderr.contains(&value("plain")), "{}", told.stderr);
    key("key = \"secret:other\"\nkey_env = \"SIM_KEY\"").code(3);
    key("key = \"secret:model\"");
    assert_eq!(server.asked().len(), 1, "only the last was sent");
    // Locked, it is not sent either.
    tau.tau(&["run", "hello"]).code(4).tells("locked");
    assert_eq!(server.asked().len(), 1);
}

/// The stored credential `api`, for the first of two servers that tools may reach.
fn with_api(tau: &Tau, declared: &Server, other: &Server) -> String {
    let origins = [declared, other].map(|server| server.url().trim_end_matches("/v1").to_owned());
    let value = value("api");
    set(tau, "api", &origins[0], &value);
    tau.profile(&format!(
        "[policy.http]\nallow = [\"{}\", \"{}\"]\n",
        origins[0], origins[1]
    ));
    value
}

/// Calls the `http` tool with the handle of `api` in a header.
fn fetch(tau: &Tau, url: &str, more: &Value) -> crate::support::Done {
    let mut arguments = json!({"url": url, "headers": {"Authorization": "Bearer {{secret:api}}"}});
    if let (Some(arguments), Some(more)) = (arguments.as_object_mut(), more.as_object()) {
        arguments.extend(more.clone());
    }
    let arguments = arguments.to_string();
    let call = ["tool", "call", "http", &arguments, "--json", "--yes"];
    run(tau, PASSPHRASE, &call, "")
}

fn sent(server: &Server) -> Vec<Option<String>> {
    let of = |headers: &[(String, String)]| {
        let found = headers.iter().find(|(name, _)| name == "authorization");
        found.map(|(_, value)| value.clone())
    };
    server
        .asked()
        .iter()
        .map(|asked| of(&asked.headers))
        .collect()
}

#[test]
fn a_tool_sends_a_credential_to_its_own_host_and_not_after_a_redirect() {
    let tau = Tau::new();
    let other = Server::new([
        Do::Status(200, vec![], "{\"who\": \"the other\"}".into()),
        Do::Status(200, vec![], "{}".into()),
    ]);
    let elsewhere = format!("{}/elsewhere", other.url());
    let declared = Server::with(tau_core::model::Api::OpenAi, move |asked, _| {
        let sent = asked
            .headers
            .iter()
            .find(|(name, _)| name == "authorization");
        let echo = json!({"echo": sent.map(|(_, sent)| sent.clone())}).to_string();
        match asked.line.split(' ').nth(1) {
            Some("/v1/away") => {
                Do::Status(302, vec![("location", elsewhere.clone())], String::new())
            }
            Some("/v1/here") => {
                Do::Status(302, vec![("location", "/v1/echo".into())], String::new())
            }
            _ => Do::Status(200, vec![("x-echo", echo.clone())], echo),
        }
    });
    let value = with_api(&tau, &declared, &other);
    let bearer = Some(format!("Bearer {value}"));

    let echoed = fetch(&tau, &format!("{}/echo", declared.url()), &json!({}));
    assert!(
        echoed.code(0).stdout.contains("[redacted:api]"),
        "{}",
        echoed.stdout
    );
    let here = fetch(&tau, &format!("{}/here", declared.url()), &json!({}));
    assert!(
        here.code(0).stdout.contains("[redacted:api]"),
        "{}",
        here.stdout
    );
    assert_eq!(sent(&declared), vec![bearer.clone(); 3]);

    let away = fetch(&tau, &format!("{}/away", declared.url()), &json!({}));
    assert!(away.code(0).stdout.contains("the other"), "{}", away.stdout);
    assert_eq!(sent(&declared).len(), 4);
    assert_eq!(
        sent(&other),
        [None],
        "after a redirect elsewhere it is not sent"
    );

    let wrong = fetch(&tau, other.url(), &json!({}));
    assert_ne!(wrong.code, 0);
    let told = format!("{}{}", wrong.stdout, wrong.stderr);
    assert!(told.contains("belongs to http://127.0.0.1:"), "{told}");
    assert_eq!(sent(&other).len(), 1, "nothing was sent");
    let all = [&echoed, &here, &away, &wrong].map(|done| format!("{}{}", done.stdout, done.stderr));
    nowhere(&tau, &value, &all.each_ref().map(String::as_str));
}

#[test]
fn a_handle_in_an_address_a_body_or_the_middle_of_a_header_is_refused() {
    let tau = Tau::new();
    let (declared, other) = (Server::new([]), Server::new([]));
    with_api(&tau, &declared, &other);
    let url = declared.url();
    for (url, more) in [
        (format!("{url}/?key={{{{secret:api}}}}"), json!({})),
        (
            url.to_owned(),
            json!({"method": "POST", "body": "{{secret:api}}"}),
        ),
        (
            url.to_owned(),
            json!({"headers": {"x-a": "{{secret:api}} and more"}}),
        ),
        (
            url.to_owned(),
            json!({"headers": {"x-a": "{{secret:none}}"}}),
        ),
    ] {
        let done = fetch(&tau, &url, &more);
        assert_ne!(done.code, 0, "{}", done.stdout);
    }
    let unknown = fetch(&tau, url, &json!({"headers": {"x-a": "{{secret:none}}"}}));
    assert!(
        unknown
            .stdout
            .contains("{{secret:api}} for http://127.0.0.1:"),
        "{}",
        unknown.stdout
    );
    assert_eq!(declared.asked().len() + other.asked().len(), 0);
}
