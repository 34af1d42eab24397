//! What a person finds in the database, and whose tables are left alone.

use tau_core::session::Range;
use tau_platform::Storage;
use tau_test_postgres::cluster;

use crate::put;

#[tokio::test]
async fn people_can_read_the_views() {
    let schema = cluster().new_schema();
    let store = cluster().store(&format!("{}&schema={schema}", cluster().address()));
    let journal = "session/00c0ffee00c0ffee/journal";
    for (key, value) in [
        (
            format!("{journal}/0000000002"),
            r#"{"v":1,"at":1767225600000,"type":"prompt","message":{"role":"user","parts":[{"type":"text","text":"say 2"}]}}"#,
        ),
        (format!("{journal}/0000000003"), "{"),
        (format!("{journal}/0000000004"), r#"{"type":"a\u0000b"}"#),
        (
            "sessions/00c0ffee00c0ffee".into(),
            r#"{"v":1,"title":"tea","created":1767225600000,"turns":2,"running":false}"#,
        ),
        (
            "memory/home/7".into(),
            r#"{"v":1,"text":"likes tea","at":1767225600000}"#,
        ),
        ("memory/home/8".into(), "no json"),
    ] {
        store
            .commit(put(&key, value.as_bytes()))
            .await
            .expect("a commit");
    }
    let sql = |columns: &str, view: &str| {
        let set = "SET TimeZone = 'UTC'; SELECT concat_ws(' '";
        cluster().sql(&format!("{set}, {columns}) FROM {schema}.{view}"))
    };
    assert_eq!(
        sql("session, seq, at, type, text", "entries ORDER BY seq"),
        [
            "00c0ffee00c0ffee 2 2026-01-01 00:00:00+00 prompt say 2",
            "00c0ffee00c0ffee 3",
            "00c0ffee00c0ffee 4 a\u{fffd}b",
        ]
    );
    assert_eq!(
        sql("session, title, created, turns, running", "sessions"),
        ["00c0ffee00c0ffee tea 2026-01-01 00:00:00+00 2 f"]
    );
    assert_eq!(
        sql("scope, id, text, at", "memories ORDER BY id"),
        ["home 7 likes tea 2026-01-01 00:00:00+00", "home 8"]
    );
}

#[tokio::test]
async fn tables_of_others_and_of_newer_versions_are_left_alone() {
    let told = async |schema: &str| {
        let store = cluster().store(&format!("{}&schema={schema}", cluster().address()));
        let told = store.commit(put("a", b"1")).await;
        told.expect_err("no commit").to_string()
    };
    let foreign = cluster().new_schema();
    cluster().sql(&format!(
        "CREATE SCHEMA {foreign}; CREATE TABLE {foreign}.kv (id int)"
    ));
    assert!(
        told(&foreign)
            .await
            .contains("tables of another program: kv")
    );

    let other = cluster().new_schema();
    cluster().sql(&format!(
        "CREATE SCHEMA {other}; CREATE TABLE {other}.kv (id int); \
         CREATE TABLE {other}.about (application text, format int); \
         INSERT INTO {other}.about VALUES ('notes', 1)"
    ));
    assert!(told(&other).await.contains("another program, \"notes\""));

    let newer = cluster().new_schema();
    let store = cluster().store(&format!("{}&schema={newer}", cluster().address()));
    store.commit(put("a", b"1")).await.expect("a commit");
    cluster().sql(&format!("UPDATE {newer}.about SET format = 99"));
    let words = told(&newer).await;
    assert!(
        words.contains("newer version of Tau (format 99; this one reads 1)"),
        "{words}"
    );

    let gone = cluster().new_schema();
    let store = cluster().store(&format!("{}&schema={gone}", cluster().address()));
    store.commit(put("a", b"1")).await.expect("a commit");
    cluster().sql(&format!("DROP SCHEMA {gone} CASCADE"));
    let told = store
        .get("a".into())
        .await
        .expect_err("no table")
        .to_string();
    assert!(told.contains("changed or removed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_while_the_tables_are_made_waits_for_them() {
    for _ in 0..5 {
        let address = cluster().new_address();
        let openers = (0..6).map(|n| {
            let store = cluster().store(&address);
            tokio::spawn(async move { store.commit(put(&format!("k/{n}"), b"1")).await })
        });
        for opener in openers.collect::<Vec<_>>() {
            opener.await.expect("no panic").expect("a commit");
        }
        let rows = cluster().store(&address).scan(Range::prefix("k/", 9)).await;
        assert_eq!(rows.expect("a scan").len(), 6);
    }
}

#[tokio::test]
async fn names_of_old_commits_do_not_pile_up() {
    let schema = cluster().new_schema();
    let store = cluster().store(&format!("{}&schema={schema}", cluster().address()));
    store.commit(put("a", b"1")).await.expect("a commit");
    cluster().sql(&format!(
        "UPDATE {schema}.commits SET at = now() - interval '2 hours'"
    ));
    let old = format!("SELECT count(*) FROM {schema}.commits WHERE at < now() - interval '1 hour'");
    for _ in 0..40 {
        for _ in 0..50 {
            store.commit(put("a", b"1")).await.expect("a commit");
        }
        if cluster().sql(&old) == ["0"] {
            return;
        }
    }
    panic!("2000 commits did not remove the name of an old one");
}
