//! A store that several machines share: the program with everything in a PostgreSQL server, over
//! TLS. Each `Tau` here is a machine of its own, with a home of its own.

use serde_json::json;
use std::{
    thread,
    time::{Duration, Instant},
};
use tau_test_postgres::{Cluster, PASSWORD, Proxy, cluster};

use crate::support::{Do, Server, Tau, call, finish, say};

/// A machine whose profile names the store at `address`, with the password in its environment.
fn machine(address: &str) -> Tau {
    let tau = Tau::new().with("PGPASSWORD", PASSWORD);
    tau.profile(&format!("[store]\nurl = \"{address}\"\n"));
    tau
}

/// Fails the test when the password is anywhere that it could be seen.
#[track_caller]
fn tells_no_password(tau: &Tau, shown: &[&str]) {
    for text in shown {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    for (path, bytes) in tau.kept() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PASSWORD), "{}", path.display());
    }
}

#[test]
fn everything_is_in_the_server_and_a_person_can_read_it() {
    let schema = cluster().new_schema();
    let tau = machine(&format!("{}&schema={schema}", cluster().address()));
    let server = Server::new([
        call(&[("remember", json!({"text": "the cat is called Tom"}))]),
        say("Noted."),
        say("Tom."),
    ]);
    tau.ask(&server, &["my cat is called Tom"]).code(0);
    let done = tau.ask(&server, &["--continue", "its name?"]);
    assert_eq!(done.code(0).stdout, "Tom.\n");
    assert!(!tau.store().exists(), "no file is made beside it");
    let sql = |query: &str| cluster().sql(&query.replace("$", &schema));
    assert_eq!(
        sql("SELECT title FROM $.sessions"),
        ["my cat is called Tom"]
    );
    assert_eq!(sql("SELECT turns FROM $.sessions"), ["2"]);
    assert_eq!(
        sql("SELECT text FROM $.memories"),
        ["the cat is called Tom"]
    );
    assert_eq!(
        sql("SELECT text FROM $.entries WHERE type = 'prompt' ORDER BY seq"),
        ["my cat is called Tom", "its name?"]
    );

    let doctor = tau.tau(&["doctor", "--json"]);
    let checks = doctor.json()["checks"].clone();
    let store = checks.as_array().expect("checks").iter();
    let store = store.clone().find(|check| check["name"] == "store");
    let store = store.expect("a check of the store");
    let detail = store["detail"].as_str().expect("words");
    assert!(
        detail.contains("encrypted, the server is verified"),
        "{detail}"
    );
    // The tests' own server is one that keeps nothing over a power cut, and that is told.
    assert!(detail.contains("fsync is off"), "{detail}");
    tau.tau(&["verify"]).code(0);
    tau.tau(&["session", "repair"])
        .code(2)
        .tells("SQLite alone");
    tells_no_password(&tau, &[&doctor.stdout, &doctor.stderr, &done.stderr]);
}

#[test]
fn two_machines_take_turns_in_one_session_and_the_second_is_told_who_has_it() {
    let address = cluster().new_address();
    let (here, there) = (machine(&address), machine(&address));
    let server = Server::new([say("First."), say("Second."), Do::Hang, say("After.")]);
    let first = here.ask(&server, &["--json", "one"]).code(0).json();
    let id = first["session"].as_str().expect("a name");
    let second = there.ask(&server, &["--session", id, "two"]);
    assert_eq!(second.code(0).stdout, "Second.\n");
    assert!(
        server.asked()[1].text.contains("First."),
        "it read what the other wrote"
    );

    let mut holder = here.start(&server, &["--session", id, "three"]);
    while server.asked().len() < 3 {
        thread::sleep(Duration::from_millis(5));
    }
    let refused = there.ask(&server, &["--session", id, "four"]);
    let process = format!("(process {} on ", holder.id());
    refused
        .code(9)
        .tells("is in use by tau run")
        .tells(&process);
    assert_eq!(server.asked().len(), 3, "it asked nobody");

    // Killed, it leaves the session to others at once, with the turn it was in.
    holder.kill().expect("its end");
    finish(holder, b"");
    let after = there.ask(&server, &["--session", id, "four"]);
    assert_eq!(after.code(0).tells("unfinished").stdout, "After.\n");
    here.tau(&["verify"]).code(0);
}

#[test]
fn processes_that_want_one_session_at_once_neither_lose_nor_mix_a_turn() {
    let address = cluster().new_address();
    let machines = [machine(&address), machine(&address)];
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Hi."));
    let first = machines[0]
        .ask(&server, &["--json", "start"])
        .code(0)
        .json();
    let id = first["session"].as_str().expect("a name");
    let mut done = 0;
    for round in 0..6 {
        let running: Vec<_> = (0..4)
            .map(|n| {
                let prompt = format!("prompt {round} {n}");
                machines[n % 2].start(&server, &["--session", id, &prompt])
            })
            .collect();
        for child in running {
            let ended = finish(child, b"");
            assert!([0, 9].contains(&ended.code), "{ended:?}");
            done += u32::from(ended.code == 0);
        }
    }
    assert!(
        done >= 6,
        "in each round at least one got the session: {done}"
    );
    let listed = machines[1]
        .tau(&["session", "list", "--json"])
        .code(0)
        .json();
    assert_eq!(listed["sessions"][0]["turns"], done + 1);
    machines[0].tau(&["verify"]).code(0);
    let export = machines[0].tau(&["session", "export", id]);
    let replayed = machines[1].tau_with(&["replay", "-"], export.code(0).stdout.as_bytes());
    replayed.code(0);
}

#[test]
fn a_process_that_is_killed_loses_at_most_the_turn_it_was_in() {
    let address = cluster().new_address();
    let (tau, other) = (machine(&address), machine(&address));
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Hi."));
    // The program may have to be built before.
    tau.tau(&["session", "list"]).code(0);
    let begun = Instant::now();
    let first = tau.ask(&server, &["--json", "first"]).code(0).json();
    let whole = begun.elapsed();
    let id = first["session"].as_str().expect("a name");
    let mut acknowledged = vec!["first".to_owned()];
    for kill in 0..20 {
        let prompt = format!("prompt {kill}");
        let mut child = tau.start(&server, &["--session", id, &prompt]);
        thread::sleep(whole * kill / 20);
        child.kill().expect("a kill");
        if finish(child, b"").code == 0 {
            acknowledged.push(prompt);
        }
        if kill % 5 == 4 {
            let prompt = format!("whole {kill}");
            // From another machine: the dead one's hold is gone with it.
            other.ask(&server, &["--session", id, &prompt]).code(0);
            acknowledged.push(prompt);
        }
    }
    let shown = other.tau(&["session", "show", id]).code(0).stdout.clone();
    for prompt in &acknowledged {
        assert!(
            shown.contains(prompt.as_str()),
            "{prompt:?} is gone: {shown}"
        );
    }
    other.tau(&["verify"]).code(0);
}

#[test]
fn a_server_that_goes_away_in_mid_turn_and_comes_back_is_waited_for() {
    let proxy = Proxy::start(cluster().port());
    let address = format!(
        "{}&schema={}",
        cluster().address_through(proxy.port()),
        cluster().new_schema()
    );
    let tau = machine(&address);
    let words = |count: usize| {
        use tau_tests::wire::Piece;
        let pieces = (0..count).flat_map(|_| [Piece::Text("word ".into()), Piece::Wait(40)]);
        Do::Stream(pieces.collect())
    };
    let server = Server::new([say("One."), words(40), words(40)]);
    tau.ask(&server, &["one"]).code(0);
    let child = tau.start(&server, &["--continue", "two"]);
    while server.asked().len() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    proxy.cut(false);
    thread::sleep(Duration::from_millis(2_500));
    proxy.open();
    let done = finish(child, b"");
    assert_eq!(done.code(0).stdout.trim(), "word ".repeat(40).trim());

    // One that does not come back: the turn is not told as stored, and what was before is there.
    let child = tau.start(&server, &["--continue", "three"]);
    while server.asked().len() < 3 {
        thread::sleep(Duration::from_millis(5));
    }
    proxy.cut(false);
    finish(child, b"").code(8).tells("cannot be reached");
    proxy.open();
    let shown = tau.tau(&["session", "show"]).code(0).stdout.clone();
    assert!(shown.contains("two") && shown.contains("three"), "{shown}");
    tau.tau(&["verify"]).code(0);
}

#[test]
fn a_store_that_cannot_be_used_is_told_without_its_password() {
    let server = Server::new([]);
    let at = |url: &str| {
        let tau = machine(url);
        let done = tau.ask(&server, &["hello"]);
        tells_no_password(&tau, &[&done.stdout, &done.stderr]);
        done
    };
    at("postgres://tau@127.0.0.1:1/tau")
        .code(8)
        .tells("cannot be reached");
    let wrong = cluster().address().replace("ca.pem", "wrong-ca.pem");
    at(&wrong).code(8).tells("certificate");
    let stranger = cluster().address().replace("//tau@", "//stranger@");
    at(&stranger).code(8).tells("refused the login");
    let with_password = cluster().address().replace("//tau@", "//tau:abcd1234@");
    let done = at(&with_password);
    done.code(3)
        .tells("it holds a password")
        .tells("PGPASSWORD");
    assert!(!done.stderr.contains("abcd1234"), "{}", done.stderr);
    at("postgres://tau@db.example/tau?sslmode=prefer")
        .code(3)
        .tells("verify-full");
    at("sqlite://somewhere").code(3).tells("postgres://");

    // Fails closed: a name that is no loopback is never spoken to without a certificate.
    let tau = Tau::new().with("TAU_STORE", "mysql://x/y");
    tau.tau(&["session", "list"]).code(3).tells("TAU_STORE");
    assert!(server.asked().is_empty());
}

#[test]
fn the_password_is_a_stored_credential_or_a_variable_of_ones_own() {
    let address = cluster().new_address();
    let host = format!("127.0.0.1:{}", cluster().port());
    let server = Server::new([say("Hi."), say("Hi.")]);
    let tau = Tau::new().with("TAU_PASSPHRASE", "four words of mine");
    let profile = format!("[store]\nurl = \"{address}\"\npassword = \"secret:pg\"\n");
    tau.profile(&profile);
    tau.ask(&server, &["hello"])
        .code(8)
        .tells("there is no credential pg");
    tau.tau_with(
        &["secret", "set", "pg", "--host", &host],
        PASSWORD.as_bytes(),
    )
    .code(0);
    let done = tau.ask(&server, &["hello"]);
    done.code(0);
    tells_no_password(&tau, &[&done.stdout, &done.stderr]);

    let elsewhere = Tau::new().with("TAU_PASSPHRASE", "four words of mine");
    elsewhere.profile(&profile);
    elsewhere
        .tau_with(
            &["secret", "set", "pg", "--host", "db.example:5432"],
            PASSWORD.as_bytes(),
        )
        .code(0);
    elsewhere
        .ask(&server, &["hello"])
        .code(8)
        .tells("belongs to db.example:5432");

    let tau = Tau::new().with("DB_WORD", PASSWORD);
    tau.profile(&format!(
        "[store]\nurl = \"{address}\"\npassword_env = \"DB_WORD\"\n"
    ));
    tau.ask(&server, &["hello"]).code(0);
    let tau = Tau::new();
    tau.profile(&format!(
        "[store]\nurl = \"{address}\"\npassword_env = \"DB_WORD\"\n"
    ));
    tau.ask(&server, &["hello"])
        .code(8)
        .tells("DB_WORD, which is not set");
    tau.profile("[store]\nurl = \"/var/lib/tau.db\"\n");
    tau.tau(&["session", "list"])
        .code(3)
        .tells("store.url: begins with postgres://");
    tau.profile("[store]\npassword = \"hunter2\"\n");
    let done = tau.tau(&["session", "list"]);
    done.code(3).tells("store.password: is not secret:NAME");
    assert!(!done.stderr.contains("hunter2"));
}

#[test]
fn a_server_that_is_killed_while_sessions_go_on_loses_nothing_acknowledged() {
    let cluster = Cluster::start();
    let tau = machine(&cluster.address());
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Hi."));
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let prompts: Vec<String> = (0..3).map(|n| format!("prompt {round} {n}")).collect();
        let running: Vec<_> = prompts
            .iter()
            .map(|prompt| tau.start(&server, &[prompt]))
            .collect();
        thread::sleep(Duration::from_millis(60 + round * 50));
        cluster.crash();
        cluster.restart();
        for (child, prompt) in running.into_iter().zip(prompts) {
            if finish(child, b"").code == 0 {
                acknowledged.push(prompt);
            }
        }
    }
    tau.ask(&server, &["after all"]).code(0);
    let listed = tau
        .tau(&["session", "list", "--json"])
        .code(0)
        .stdout
        .clone();
    for prompt in &acknowledged {
        assert!(listed.contains(prompt.as_str()), "{prompt:?} is gone");
    }
    tau.tau(&["verify"]).code(0);
}
