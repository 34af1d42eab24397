//! Everything of one store in another: from a file to a server and back.

use rusqlite::Connection;
use serde_json::json;
use std::{fs, path::Path, thread, time::Duration};
use tau_test_postgres::{PASSWORD, cluster};

use crate::support::{Done, Server, Tau, call, finish, say};

type Rows = Vec<(String, Vec<u8>)>;

/// Every row of a file.
fn rows(file: &Path) -> Rows {
    let store = Connection::open(file).expect("a file");
    let mut query = store
        .prepare("SELECT key, value FROM kv ORDER BY key")
        .expect("the table");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

/// A Tau with a conversation, and `more` rows beside it.
fn used(more: usize) -> Tau {
    let tau = Tau::new().with("PGPASSWORD", PASSWORD);
    let server = Server::new([
        call(&[("remember", json!({"text": "the cat is called Tom"}))]),
        say("Noted."),
    ]);
    tau.ask(&server, &["my cat is called Tom"]).code(0);
    let mut store = Connection::open(tau.store()).expect("the store");
    let transaction = store.transaction().expect("a transaction");
    for n in 0..more {
        let (key, value) = (format!("grant/{n:08}"), vec![b'x'; 200 + n % 700]);
        transaction
            .execute("INSERT INTO kv VALUES (?1, ?2)", (key, value))
            .expect("a row");
    }
    transaction.commit().expect("a commit");
    tau
}

fn copy(tau: &Tau, from: &str, to: &str) -> Done {
    tau.tau(&["store", "copy", from, to, "--json"])
}

#[test]
fn a_store_that_goes_to_a_server_and_back_is_the_same_row_for_row() {
    let tau = used(700);
    let file = tau.store().display().to_string();
    let before = rows(&tau.store());
    let address = cluster().new_address();
    let done = copy(&tau, &file, &address).code(0).json();
    assert_eq!(
        (&done["rows"], &done["kept"]),
        (&json!(before.len()), &json!(0))
    );
    let back = tau.workspace().join("back.db");
    copy(&tau, &address, &back.display().to_string()).code(0);
    assert_eq!(rows(&back), before);
    assert_eq!(rows(&tau.store()), before, "the source is only read");

    // And it is in use: the same session, from a machine that only knows the server.
    let other = Tau::new()
        .with("PGPASSWORD", PASSWORD)
        .with("TAU_STORE", &address);
    let server = Server::new([say("Tom.")]);
    let answer = other.ask(&server, &["--continue", "its name?"]);
    assert_eq!(answer.code(0).stdout, "Tom.\n");
    assert!(server.asked()[0].text.contains("my cat is called Tom"));
    other.tau(&["verify"]).code(0);
    let shown = other.tau(&["store", "show", "--json"]).json();
    assert!(
        shown["about"]
            .as_str()
            .expect("words")
            .contains("PostgreSQL")
    );
    let shown = tau.tau(&["store", "show"]).code(0).stdout.clone();
    assert!(
        shown.contains("tau.db") && shown.contains("sound"),
        "{shown}"
    );
}

#[test]
fn what_is_there_is_left_alone_unless_a_merge_is_asked_for() {
    let (tau, other) = (used(3), used(3));
    let rex = "the dog is called Rex";
    tau.tau(&["memory", "add", rex]).code(0);
    let (from, to) = (tau.store(), other.store());
    let (from_name, to_name) = (from.display().to_string(), to.display().to_string());
    let before = rows(&to);
    copy(&tau, &from_name, &to_name).code(2).tells("--merge");
    assert_eq!(rows(&to), before);
    copy(&tau, &from_name, &from_name)
        .code(2)
        .tells("the same store");
    let nowhere = tau.workspace().join("nowhere.db");
    copy(&tau, &nowhere.display().to_string(), &to_name)
        .code(2)
        .tells("there is no store");
    assert!(!nowhere.exists());

    let merge = ["store", "copy", &from_name, &to_name, "--merge", "--json"];
    let done = tau.tau(&merge).code(0).json();
    assert!(done["written"].as_u64().expect("a number") > 3, "{done}");
    let after = rows(&to);
    // An index is made again, of what both hold.
    let mut kept = before.iter().filter(|(key, _)| !key.starts_with("index/"));
    assert!(
        kept.all(|row| after.contains(row)),
        "nothing of it is changed"
    );
    let listed = other.tau(&["session", "list", "--json"]).code(0).json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(2));
    let memories = other
        .tau(&["memory", "list", "--json"])
        .code(0)
        .stdout
        .clone();
    // What both remember is one entry.
    assert_eq!(memories.matches("called Tom").count(), 1);
    assert_eq!(memories.matches(rex).count(), 1);
    let found = other.tau(&["memory", "search", "Rex"]);
    assert!(found.code(0).stdout.contains(rex));
    other.tau(&["verify"]).code(0);
    let again = tau.tau(&merge).code(0).json();
    assert_eq!(again["written"], 0, "{again}");
}

#[test]
fn a_copy_that_is_killed_anywhere_is_named_unfinished_or_is_whole() {
    let tau = used(4_000);
    let from = tau.store().display().to_string();
    let before = rows(&tau.store());
    let source = fs::read(tau.store()).expect("the store");
    let mut met = (0, 0, 0);
    for to_server in [false, true] {
        let mut target = String::new();
        for kill in 0..30_u64 {
            if target.is_empty() {
                let number = format!("{to_server}-{kill}.db");
                target = match to_server {
                    true => cluster().new_address(),
                    false => tau.workspace().join(number).display().to_string(),
                };
            }
            let mut command = tau.command(["store", "copy", &from, &target]);
            let mut child = command.spawn().expect("tau starts");
            thread::sleep(Duration::from_millis(20 + kill * 37 % 400));
            child.kill().expect("a kill");
            let ended = finish(child, b"").code == 0;
            let other = Tau::new()
                .with("PGPASSWORD", PASSWORD)
                .with("TAU_STORE", &target);
            let listed = other.tau(&["session", "list", "--json"]);
            match listed.code {
                // Either nothing is there at all, or everything is.
                0 if listed.json()["sessions"] == json!([]) => met.0 += 1,
                0 => {
                    met.2 += 1;
                    let back = other.workspace().join("back.db").display().to_string();
                    copy(&other, &target, &back).code(0);
                    assert_eq!(rows(Path::new(&back)), before);
                    target.clear();
                }
                _ => {
                    assert!(!ended, "it said that it was done");
                    met.1 += 1;
                    listed
                        .code(8)
                        .tells("unfinished copy of")
                        .tells("tau store copy");
                }
            }
        }
        if !target.is_empty() {
            copy(&tau, &from, &target).code(0);
            let back = tau.workspace().join(format!("{to_server}-last.db"));
            copy(&tau, &target, &back.display().to_string()).code(0);
            assert_eq!(rows(&back), before);
        }
    }
    assert!(met.1 > 10, "nothing there, unfinished, whole: {met:?}");
    let after = fs::read(tau.store()).expect("the store");
    assert_eq!(after, source, "the source is untouched");
}

#[test]
fn a_copy_of_another_store_or_of_half_a_one_is_refused() {
    let (tau, other) = (used(3), used(3));
    let target = tau.workspace().join("half.db");
    let target_name = target.display().to_string();
    copy(&tau, &tau.store().display().to_string(), &target_name).code(0);
    let marker = json!({"v": 1, "from": "/somewhere/else.db", "at": 7}).to_string();
    Connection::open(&target)
        .and_then(|store| {
            let marker = marker.as_bytes();
            store.execute("INSERT INTO kv VALUES ('unfinished-copy', ?1)", (marker,))
        })
        .expect("a mark");
    let from = other.store().display().to_string();
    copy(&tau, &from, &target_name)
        .code(2)
        .tells("/somewhere/else.db");
    let onwards = tau.workspace().join("onwards.db").display().to_string();
    copy(&tau, &target_name, &onwards)
        .code(2)
        .tells("unfinished copy");
    let with_password = cluster().address().replace("//tau@", "//tau:abcd1234@");
    let done = copy(&tau, &from, &with_password);
    done.code(2).tells("it holds a password");
    assert!(!done.stderr.contains("abcd1234") && !done.stdout.contains("abcd1234"));
}
