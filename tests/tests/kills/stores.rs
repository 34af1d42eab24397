//! Copies and merges of stores, and entries of the time before scopes: many commits each.

use std::collections::{BTreeMap, BTreeSet};
use tau_core::{
    ids::UnixMillis,
    journal::blob,
    memory::{Access, Action, Answer, Request, request::Narrow},
};
use tau_platform::{
    MemoryTools, NoEmbedder, Storage,
    copy::{self, UNFINISHED},
    memory::Service,
};
use tau_target_native::{SqliteStorage, TokioClock};
use tempfile::TempDir;

use crate::{
    Rows,
    child::{BEGINS, done, is_child, say},
    killer::{Found, Kind, fill, rows},
    sessions::used,
};

/// Rows beside what is of sessions and memory.
const MORE: usize = 900;
/// Entries of the time before scopes.
const OLD: usize = 600;

/// Sessions, memories, and many rows of one kind.
async fn many(more: usize) -> Rows {
    let store = used(4, 40).await;
    let row = |n| (format!("grant/{n:08}"), vec![b'x'; 60 + n % 300]);
    let batch = tau_core::session::Batch {
        put: (0..more).map(row).collect(),
        ..Default::default()
    };
    store.commit(batch).await.expect("stored");
    rows(&store).await
}

#[tokio::test]
async fn copying_process() {
    let Some((store, from)) = is_child() else {
        return;
    };
    let from = SqliteStorage::open(&from).expect("the store");
    say(BEGINS);
    let copied = copy::copy(&from, &store, "the source", UnixMillis(1), |_| ()).await;
    copied.expect("a copy");
    done().await;
}

#[tokio::test]
async fn a_copy_of_a_store_killed_anywhere_is_marked_or_whole() {
    let all = many(MORE).await;
    let folder = TempDir::new().expect("a folder");
    let from = folder.path().join("from.db");
    fill(&from, &all).await;
    let kind = Kind {
        name: "copies",
        role: "stores::copying_process",
        from: &from,
        before: &Rows::new(),
    };
    let by_key: BTreeMap<_, _> = all.iter().cloned().collect();
    kind.suffer(|rows| {
        if rows.is_empty() {
            return Found::Nothing;
        }
        if *rows == all {
            return Found::Everything;
        }
        let is_marked = rows.iter().any(|(key, _)| key == UNFINISHED);
        assert!(is_marked, "{} rows without the mark", rows.len());
        let copied = rows.iter().filter(|(key, _)| key != UNFINISHED);
        for (key, value) in copied {
            assert_eq!(by_key.get(key), Some(value), "{key} is as it was");
        }
        Found::Begun
    })
    .await;
}

#[tokio::test]
async fn store_merging_process() {
    let Some((store, from)) = is_child() else {
        return;
    };
    let from = SqliteStorage::open(&from).expect("the store");
    say(BEGINS);
    copy::merge(&from, &store, |_| ()).await.expect("a merge");
    done().await;
}

#[tokio::test]
async fn a_merge_of_stores_killed_anywhere_left_whole_sessions_and_all_that_was_there() {
    let all = many(MORE / 2).await;
    let folder = TempDir::new().expect("a folder");
    let from = folder.path().join("from.db");
    fill(&from, &all).await;
    // What the other has: one of the sessions with its contents, and entries of its own.
    let (first, _) = all
        .iter()
        .find(|(key, _)| key.starts_with("session/"))
        .expect("one");
    let own = first
        .rsplit_once("/journal")
        .expect("a journal")
        .0
        .to_owned();
    let line = own.replacen("session/", "sessions/", 1);
    let mut before: Rows = all
        .iter()
        .filter(|(key, _)| key.starts_with(&own) || *key == line)
        .cloned()
        .collect();
    // With its contents and the marks of their use.
    let contents = referred(&before);
    let marks = contents
        .iter()
        .map(|key| key.replacen("blob/", "blob-used/", 1));
    let theirs: BTreeSet<_> = contents.iter().cloned().chain(marks).collect();
    before.extend(all.iter().filter(|(key, _)| theirs.contains(key)).cloned());
    before.extend((0..40).map(|n| (format!("grant/own{n:05}"), vec![b'y'; 50])));
    before.sort();
    let mut after: BTreeMap<_, _> = all.iter().cloned().collect();
    after.extend(before.iter().cloned());
    let after: Rows = after.into_iter().collect();
    let kind = Kind {
        name: "store merges",
        role: "stores::store_merging_process",
        from: &from,
        before: &before,
    };
    kind.suffer(|rows| {
        if *rows == before {
            return Found::Nothing;
        }
        let here: BTreeMap<_, _> = rows.iter().map(|(k, v)| (&**k, v)).collect();
        assert!(before.iter().all(|(key, value)| here[&**key] == value));
        for key in referred(rows) {
            assert!(here.contains_key(&*key), "{key} is referred to");
        }
        if *rows == after {
            return Found::Everything;
        }
        for (key, _) in all.iter().filter(|(key, _)| key.starts_with("sessions/")) {
            let journal = format!("{}/", key.replacen("sessions/", "session/", 1));
            let count = |rows: &Rows| {
                let of_it = rows.iter().filter(|(key, _)| key.starts_with(&journal));
                of_it.count()
            };
            let there = count(rows);
            assert!(there == 0 || there == count(&all), "a part of {key}");
            assert!(
                there == 0 || here.contains_key(&**key),
                "{key} is not in the list"
            );
        }
        Found::Begun
    })
    .await;
}

/// The keys of the contents that records refer to.
fn referred(rows: &Rows) -> Vec<String> {
    let records = rows.iter().filter(|(key, _)| key.starts_with("session/"));
    let hashes = records.flat_map(|(_, record)| blob::referred(record));
    hashes.map(|hash| blob::key(&hash)).collect()
}

/// Lists what is remembered, which moves what was kept elsewhere first.
async fn remembered(store: impl Storage) -> Vec<String> {
    let memory = Service::new(store, NoEmbedder, TokioClock);
    let action = Action::List {
        narrow: Narrow::default(),
        limit: None,
        forgotten: false,
    };
    let access = Access::of_person();
    let reply = memory.serve(Request { access, action }).await;
    let Answer::Entries { entries } = reply.expect("an answer").answer else {
        panic!("a list is entries");
    };
    entries.into_iter().map(|kept| kept.entry.text).collect()
}

#[tokio::test]
async fn moving_process() {
    let Some((store, _)) = is_child() else {
        return;
    };
    say(BEGINS);
    assert_eq!(remembered(store).await.len(), OLD);
    done().await;
}

#[tokio::test]
async fn a_move_of_old_memories_killed_anywhere_has_each_in_one_place() {
    let text = |n: usize| format!("old fact number{n}");
    let row = |n: usize| {
        let value = format!(r#"{{"v":1,"id":"{n:016x}","text":"{}","at":{n}}}"#, text(n));
        (format!("memory/default/{n:016x}"), value.into_bytes())
    };
    let before: Rows = (0..OLD).map(row).collect();
    let kind = Kind {
        name: "moves of memory",
        role: "stores::moving_process",
        from: "nothing".as_ref(),
        before: &before,
    };
    kind.suffer(|rows| {
        let count = |prefix: &str| {
            rows.iter()
                .filter(|(key, _)| key.starts_with(prefix))
                .count()
        };
        let (old, moved) = (count("memory/default/"), count("memory/user/"));
        assert_eq!(old + moved, OLD, "each is in one place");
        match (old, moved) {
            (OLD, _) => Found::Nothing,
            (0, _) => Found::Everything,
            _ => Found::Begun,
        }
    })
    .await;
}
