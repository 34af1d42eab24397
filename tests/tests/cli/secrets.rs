//! The provider's key goes to the provider and nowhere else.

use serde_json::json;

use crate::support::{Do, KEY, Server, Tau, call, say};

#[track_caller]
fn nowhere(tau: &Tau, shown: &[&str]) {
    for text in shown {
        assert!(!text.contains(KEY), "the key is shown: {text}");
    }
    for (path, bytes) in tau.kept() {
        let found = bytes
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes());
        assert!(!found, "the key is in {}", path.display());
    }
}

#[test]
fn a_key_is_sent_to_the_provider_and_seen_nowhere_else() {
    let tau = Tau::new();
    let server = Server::new([
        call(&[("shell", json!({"command": "env; cat /proc/self/environ"}))]),
        say("Done."),
    ]);
    let mut command = tau.asking(
        &server,
        &["--approve", "shell", "--jsonl", "print everything"],
    );
    command.env(
        "TAU_LOG",
        "tau=trace,tau_platform=trace,reqwest=trace,hyper=trace",
    );
    let done = crate::support::finish(command.spawn().expect("tau starts"), b"");
    done.code(0);
    let asked = server.asked();
    let sent = |name: &str| asked[0].headers.iter().find(|(header, _)| header == name);
    assert_eq!(
        sent("authorization").map(|(_, value)| value.as_str()),
        Some(&*format!("Bearer {KEY}"))
    );
    assert!(
        asked[1].text.contains("PATH="),
        "the program saw an environment"
    );
    let bodies: Vec<&str> = asked.iter().map(|asked| asked.text.as_str()).collect();
    nowhere(
        &tau,
        &[&[&*done.stdout, &*done.stderr][..], &bodies].concat(),
    );
    let export = tau.tau(&["session", "export"]);
    nowhere(&tau, &[&export.code(0).stdout]);
}

#[test]
fn a_provider_that_quotes_the_key_in_its_error_does_not_spread_it() {
    for status in [400, 401, 500] {
        let tau = Tau::new();
        tau.profile("[retry]\nattempts = 1\n");
        let body = json!({"error": {"message": format!("Incorrect API key provided: {KEY}."),
            "type": "invalid_request_error", "code": "invalid_api_key"}});
        let server = Server::new([Do::Status(status, vec![], body.to_string())]);
        let done = tau.ask(&server, &["--json", "hello"]);
        assert_ne!(done.code, 0);
        nowhere(&tau, &[&done.stdout, &done.stderr]);
    }
}

#[test]
fn a_key_that_is_missing_is_told_by_its_name() {
    let tau = Tau::new();
    let server = Server::new([]);
    let mut command = tau.asking(&server, &["hello"]);
    command.env_remove("SIM_KEY");
    let done = crate::support::finish(command.spawn().expect("tau starts"), b"");
    done.tells("SIM_KEY");
    assert!(
        [3, 4].contains(&done.code),
        "{}: {}",
        done.code,
        done.stderr
    );
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn what_tau_keeps_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let tau = Tau::new();
    let server = Server::new([say("Hi.")]);
    tau.ask(&server, &["hello"]).code(0);
    for path in [tau.home().to_owned(), tau.store()] {
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn an_address_with_a_password_or_a_key_in_it_is_refused_before_it_is_stored() {
    let tau = Tau::new();
    for url in [
        format!("http://user:{KEY}@127.0.0.1:9/v1"),
        format!("http://127.0.0.1:9/v1?key={KEY}"),
    ] {
        let done = tau.tau(&["run", "--base-url", &url, "--model", "sim", "hello"]);
        let told = &done.code(2).stderr;
        assert!(told.contains("--key-env"), "{told}");
        nowhere(&tau, &[&done.stdout, told]);
    }
}
