//! The file that everything is kept in: readable by others, and clear about what is wrong with it.

use rusqlite::Connection;
use serde_json::json;
use std::{fs, path::Path, process::Command, thread, time::Duration};

use crate::support::{Do, Server, Tau, call, say};

/// A Tau with some conversation in its store.
fn used(turns: usize) -> Tau {
    let tau = Tau::new();
    let long = "a long answer ".repeat(300);
    let server = Server::new((0..turns).map(|_| say(&long)));
    for turn in 0..turns {
        let prompt = format!("prompt {turn}");
        tau.ask(
            &server,
            if turn == 0 {
                vec![&*prompt]
            } else {
                vec!["--continue", &*prompt]
            }
            .as_slice(),
        )
        .code(0);
    }
    tau
}

#[test]
fn everything_is_in_one_sqlite_file_that_a_person_can_read() {
    let tau = Tau::new();
    let server = Server::new([
        call(&[("remember", json!({"text": "the cat is called Tom"}))]),
        say("Noted."),
    ]);
    tau.ask(&server, &["my cat is called Tom"]).code(0);

    let store = Connection::open(tau.store()).expect("a SQLite file");
    let read =
        |query: &str| -> String { store.query_row(query, [], |row| row.get(0)).expect(query) };
    for name in ["kv", "sessions", "entries", "memories"] {
        let schema = read(&format!(
            "SELECT sql FROM sqlite_schema WHERE name = '{name}'"
        ));
        assert!(schema.starts_with("CREATE "), "{schema}");
    }
    assert_eq!(read("SELECT title FROM sessions"), "my cat is called Tom");
    assert_eq!(read("SELECT CAST(turns AS TEXT) FROM sessions"), "1");
    assert_eq!(read("SELECT text FROM memories"), "the cat is called Tom");
    assert_eq!(
        read("SELECT text FROM entries WHERE type = 'prompt'"),
        "my cat is called Tom"
    );
    assert_eq!(
        read("SELECT type FROM entries ORDER BY seq LIMIT 1"),
        "created"
    );
    assert_eq!(read("PRAGMA integrity_check"), "ok");
}

#[test]
fn a_store_that_was_cut_is_told_with_the_command_that_mends_it() {
    let tau = used(6);
    let whole = fs::read(tau.store()).expect("the store");
    assert!(
        whole.len() > 20_000,
        "{} bytes are too few to be cut",
        whole.len()
    );
    fs::write(tau.store(), &whole[..whole.len() * 2 / 3]).expect("a shorter file");
    let server = Server::new([say("Hi.")]);
    tau.ask(&server, &["hello"])
        .code(8)
        .tells("damaged")
        .tells("tau session repair");
    tau.tau(&["session", "list"])
        .code(8)
        .tells("tau session repair");
    assert_eq!(
        server.asked().len(),
        0,
        "nobody is asked what cannot be stored"
    );

    let report = tau.tau(&["session", "repair", "--json"]).code(0).json();
    let kept = report["damaged"]
        .as_str()
        .expect("where the damaged file is");
    assert_eq!(
        fs::metadata(kept).map(|file| file.len()).ok(),
        Some(whole.len() as u64 * 2 / 3)
    );
    tau.ask(&server, &["hello"]).code(0);
    tau.tau(&["session", "list", "--json"]).code(0);
}

#[test]
fn a_file_that_is_no_store_is_told_and_left_alone() {
    let tau = Tau::new();
    fs::create_dir_all(tau.home()).expect("the home");
    fs::write(tau.store(), "this is a letter to my aunt\n".repeat(100)).expect("a file");
    let server = Server::new([]);
    tau.ask(&server, &["hello"])
        .code(8)
        .tells("tau session repair");
    assert!(fs::read_to_string(tau.store()).is_ok_and(|text| text.starts_with("this is a letter")));
}

#[test]
fn a_sound_store_is_not_changed_by_a_repair() {
    let tau = used(1);
    let before = fs::read(tau.store()).expect("the store");
    let report = tau.tau(&["session", "repair", "--json"]).code(0).json();
    assert_eq!(report["damaged"], json!(null));
    assert_eq!(fs::read(tau.store()).expect("the store"), before);
}

#[test]
fn a_store_somebody_else_is_writing_is_waited_for_and_then_told() {
    let tau = used(1);
    let store = Connection::open(tau.store()).expect("the store");
    store.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let server = Server::new([say("Hi.")]);
    let done = tau.ask(&server, &["--continue", "hello"]);
    done.code(8).tells("another process").tells("try again");
    assert_eq!(server.asked().len(), 0);
    store.execute_batch("ROLLBACK").expect("its end");

    // Somebody who is done soon is waited for.
    store.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let soon = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        store.execute_batch("ROLLBACK").expect("its end");
    });
    tau.ask(&server, &["--continue", "hello"]).code(0);
    soon.join().expect("the other writer");
}

#[test]
fn a_home_that_cannot_be_made_is_told() {
    // Nobody can make folders there.
    let tau = Tau::at(Path::new("/proc/no-home-for-tau"));
    let server = Server::new([]);
    tau.ask(&server, &["hello"])
        .code(8)
        .tells("cannot be made")
        .tells("TAU_HOME");
}

/// A file system of its own, which ends with its value.
struct Disk<'p>(&'p Path);

impl<'p> Disk<'p> {
    fn mount(place: &'p Path, size: &str) -> Self {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(place);
        let mounted = mount.status().is_ok_and(|status| status.success());
        assert!(
            mounted,
            "this test needs a small file system: run it where \
             `mount -t tmpfs -o size={size} none DIR` works, as root or inside `unshare --map-root-user --mount`"
        );
        Self(place)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // A file system that stays mounted goes with the machine.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_what_was_stored_is_intact() {
    let folder = tempfile::tempdir().expect("a folder");
    let _disk = Disk::mount(folder.path(), "1m");
    let tau = Tau::at(&folder.path().join("home"));
    let server = Server::with(tau_core::model::Api::OpenAi, |_, _| say("Fine."));
    let first = tau.ask(&server, &["--json", "one"]).code(0).json();
    let id = first["session"].as_str().expect("a name");

    let filler = folder.path().join("filler");
    let room = Command::new("dd")
        .args(["if=/dev/zero", "bs=4k", &format!("of={}", filler.display())])
        .output();
    assert!(
        room.is_ok_and(|dd| !dd.status.success()),
        "the disk is full"
    );
    let asked = server.asked().len();
    let big = "word ".repeat(20_000);
    let done = tau.ask(&server, &["--session", id, &big]);
    done.code(8).tells("full").tells("free some space");
    assert_eq!(
        server.asked().len(),
        asked,
        "what cannot be stored is not asked"
    );

    fs::remove_file(filler).expect("room");
    let shown = tau.tau(&["session", "show", id, "--json"]).code(0).json();
    assert_eq!(
        (&shown["turns"], &shown["running"]),
        (&json!(1), &json!(false))
    );
    tau.ask(&server, &["--session", id, "two"]).code(0);
}

#[test]
fn a_disk_that_fills_up_during_a_turn_loses_only_that_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let _disk = Disk::mount(folder.path(), "1m");
    let tau = Tau::at(&folder.path().join("home"));
    let huge = "an answer larger than the disk ".repeat(60_000);
    let server = Server::new([say("Fine."), say(&huge), say("Better.")]);
    let first = tau.ask(&server, &["--json", "one"]).code(0).json();
    let id = first["session"].as_str().expect("a name");
    tau.ask(&server, &["--session", id, "two"])
        .code(8)
        .tells("full");
    let shown = tau.tau(&["session", "show", id, "--json"]).code(0).json();
    assert_eq!(shown["entries"][1]["message"]["parts"][0]["text"], "Fine.");
    let done = tau.ask(&server, &["--session", id, "three"]);
    assert_eq!(done.code(0).stdout, "Better.\n");
}

#[test]
fn a_model_that_hangs_holds_no_lock_on_the_store() {
    let tau = used(1);
    let hanging = Server::new([Do::Hang]);
    let mut child = tau.start(&hanging, &["hello"]);
    while hanging.asked().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let server = Server::new([say("Hi.")]);
    let done = tau.ask(&server, &["another session"]);
    assert!(
        done.code(0).took < Duration::from_secs(4),
        "{:?}",
        done.took
    );
    child.kill().expect("its end");
    crate::support::finish(child, b"");
}
