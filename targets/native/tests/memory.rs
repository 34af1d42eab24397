//! Memory over the SQLite store: what is left when a process is killed anywhere, and what two
//! processes see of each other.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tau_core::{
    memory::{
        Access, Action, Answer, Draft, Failure, Memory, Request, Scope, Search,
        index::{Next, Store},
        request::Narrow,
    },
    session::Range,
};
use tau_platform::{MemoryTools, NoEmbedder, Storage, memory::Service};
use tau_target_native::{SqliteStorage, TokioClock};

/// Where the child's store is, in its environment.
const STORE: &str = "TAU_TEST_MEMORY";
/// The first number the child writes.
const FROM: &str = "TAU_TEST_FROM";
/// After so many writes the index is flushed.
const FLUSHED_BY: usize = 128;
/// Entries that are there before the first kill: soon after, segments are merged.
const FIRST: usize = 900;
/// Kills; so many that they fall into every part of writing, flushing and merging.
const KILLS: usize = 500;

type NativeMemory = Service<SqliteStorage, NoEmbedder, TokioClock>;

fn memory(path: &Path) -> NativeMemory {
    let store = SqliteStorage::open(path).unwrap();
    Service::new(store, NoEmbedder, TokioClock)
}

async fn ask(memory: &NativeMemory, action: Action) -> Result<Answer, Failure> {
    let access = Access::of_person();
    let reply = memory.serve(Request { access, action }).await?;
    Ok(reply.answer)
}

fn text(n: usize) -> String {
    format!("entry number{n} of the {}th hundred", n / 100)
}

async fn remember(memory: &NativeMemory, text: &str) -> Memory {
    let draft = Draft {
        text: text.into(),
        ..Draft::default()
    };
    match ask(memory, Action::Remember { draft, scope: None })
        .await
        .unwrap()
    {
        Answer::Remembered { kept, .. } => kept.entry,
        other => panic!("{other:?}"),
    }
}

/// The child: writes numbers until it is killed, forgets every tenth, and says each when it is
/// stored.
#[tokio::test]
async fn remembering_process() {
    let (Ok(path), Ok(from)) = (std::env::var(STORE), std::env::var(FROM)) else {
        return;
    };
    let memory = memory(Path::new(&path));
    for n in from.parse::<usize>().unwrap().. {
        let entry = remember(&memory, &text(n)).await;
        say(&format!("kept {n}"));
        if n % 10 == 0 {
            let ids = vec![entry.id];
            let purge = n % 20 == 0;
            ask(&memory, Action::Forget { ids, purge }).await.unwrap();
            say(&format!("forgot {n}"));
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn kills_anywhere_lose_nothing_that_was_acknowledged_and_show_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let (mut kept, mut forgotten) = (FIRST, BTreeSet::new());
    let first = memory(&path);
    for n in 0..FIRST {
        remember(&first, &text(n)).await;
    }
    drop(first);
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "remembering_process", "--nocapture"])
            .env(STORE, &path)
            .env(FROM, kept.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let killer = std::thread::spawn(move || {
            // From within the opening to some dozen writes in, each time at another moment.
            std::thread::sleep(Duration::from_micros(
                9_000 + (round as u64 * 7_919) % 110_000,
            ));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in out.lines() {
            let line = line.unwrap();
            if let Some(n) = line.strip_prefix("kept ") {
                kept = n.parse::<usize>().unwrap() + 1;
            } else if let Some(n) = line.strip_prefix("forgot ") {
                forgotten.insert(n.parse().unwrap());
            }
        }
        killer.join().unwrap();
        if round % 25 == 24 || round + 1 == KILLS {
            is_whole(&path, kept, &forgotten).await;
        }
    }
    println!(
        "{:<16} {KILLS:>5} kills: {} writes and {} removals, all of them acknowledged, are there",
        "memory",
        kept - FIRST,
        forgotten.len()
    );
    assert!(
        kept > FIRST + 2 * FLUSHED_BY,
        "only {kept} were written: the index was not flushed often enough"
    );
}

/// What is stored is what was acknowledged, perhaps one step further, and the index says the same
/// as the entries.
async fn is_whole(path: &Path, kept: usize, forgotten: &BTreeSet<usize>) {
    let memory = memory(path);
    let all = |forgotten| Action::List {
        narrow: Narrow::default(),
        limit: None,
        forgotten,
    };
    let Answer::Entries { entries } = ask(&memory, all(false)).await.unwrap() else {
        panic!("a list is entries");
    };
    let mut texts: Vec<String> = entries.into_iter().map(|kept| kept.entry.text).collect();
    texts.sort();
    for n in 0..kept {
        let is_there = texts.binary_search(&text(n)).is_ok();
        // Whether one was forgotten that was to be, only who heard of it can tell.
        let is_certain = n < FIRST || n % 10 != 0 || forgotten.contains(&n);
        assert!(
            !is_certain || is_there != forgotten.contains(&n),
            "number {n} of {kept}: there {is_there}"
        );
    }
    assert!(texts.len() <= kept + 1, "{} of {kept}", texts.len());

    let storage = SqliteStorage::open(path).unwrap();
    let mut store = Store::new(&Scope::User.segment());
    let live = indexed(&storage, &mut store).await;
    assert_eq!(live, texts.len(), "the index holds what is remembered");
    for n in [1, (kept / 2) | 1, kept.saturating_sub(2) | 1] {
        let search = Search {
            query: format!("number{n}"),
            ..Search::default()
        };
        let Answer::Found { found } = ask(&memory, Action::Search(search)).await.unwrap() else {
            panic!("a search finds");
        };
        if texts.binary_search(&text(n)).is_ok() {
            assert_eq!(
                found.first().map(|found| &*found.entry.text),
                Some(&*text(n))
            );
        }
    }
    assert_eq!(storage.integrity_check().await, Ok(Vec::new()));
}

/// Opens the index from its rows and the entries, and counts what is in it.
async fn indexed(storage: &SqliteStorage, store: &mut Store) -> usize {
    loop {
        let rows = storage.scan(store.range()).await.unwrap();
        match store.read(&rows).unwrap() {
            Next::Ready => return store.index().len(),
            Next::Scan => {}
            Next::Supply(wanted) => {
                let mut rows = Vec::new();
                for key in &wanted.rows {
                    let row = storage.get(key.clone()).await.unwrap();
                    rows.push((key.clone(), row.unwrap()));
                }
                let mut entries = Vec::new();
                for id in &wanted.entries {
                    let row = storage.get(Scope::User.key(id)).await.unwrap();
                    entries.extend(row.map(|row| Memory::read(&row).unwrap()));
                }
                let live = entries.iter().filter(|entry| entry.is_live());
                let documents: Vec<_> = live
                    .map(|entry| tau_core::memory::index::Document {
                        id: &entry.id,
                        text: &entry.text,
                        facets: entry.facets(),
                        vector: None,
                    })
                    .collect();
                store.supply(wanted, rows, &documents).unwrap();
                return store.index().len();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_write_at_once_lose_nothing_and_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let writer = |side: &'static str| {
        let memory = memory(&path);
        async move {
            for n in 0..200 {
                remember(&memory, &format!("{side} wrote item{n}")).await;
                // Both write this one: it is one entry.
                remember(&memory, &format!("shared item{n}")).await;
            }
        }
    };
    tokio::join!(writer("left"), writer("right"));
    let storage = SqliteStorage::open(&path).unwrap();
    let rows = storage.scan(Range::prefix("memory/user/", u32::MAX)).await;
    assert_eq!(rows.unwrap().len(), 600);
    let mut store = Store::new(&Scope::User.segment());
    assert_eq!(indexed(&storage, &mut store).await, 600);
}

#[tokio::test]
async fn searching_does_not_grow_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tau.db");
    let writer = memory(&path);
    for n in 0..700 {
        remember(&writer, &text(n)).await;
    }
    drop(writer);
    let size = || {
        let names = ["tau.db", "tau.db-wal"];
        let sizes =
            names.map(|name| std::fs::metadata(dir.path().join(name)).map_or(0, |m| m.len()));
        sizes.iter().sum::<u64>()
    };
    let reader = memory(&path);
    let search = |n: usize| {
        Action::Search(Search {
            query: format!("number{n}"),
            ..Search::default()
        })
    };
    ask(&reader, search(1)).await.unwrap();
    let before = size();
    for n in 0..300 {
        ask(&reader, search(n)).await.unwrap();
    }
    assert_eq!(size(), before);
}
