//! What the search of memory costs at 1,000, 10,000 and 100,000 entries, in a store in a file.
//!
//! Peers in the same run, with the same texts, vectors and questions: SQLite's own full-text index
//! (FTS5), and sqlite-vec, a public vector store that compares every vector too. Texts are made of
//! words as rare as in a language, vectors lie in clusters as those of texts do. Embedding is not
//! measured here. Printed as a table, or as JSON lines with `--json`; sizes may be given.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    collections::BTreeMap,
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use serde_json::json;
use tau_core::{
    ids::UnixMillis,
    memory::{
        EmbeddingModel,
        index::{self, Document, Filter, InTurn, Method, Next, Query, Store, Workers},
    },
    session::Batch,
};
use tau_platform::Storage;
use tau_target_native::{SqliteStorage, ThreadWorkers};
use tau_tests::entries::{DIMENSIONS, Entries, QUESTIONS, id};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SINGLE_WRITES: usize = 200;
/// Entries of a commit while the store is filled.
const BATCH: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let mut sizes: Vec<usize> = arguments
        .iter()
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    for size in sizes {
        let folder = tempfile::tempdir()?;
        let entries = Entries::new(size, SINGLE_WRITES);
        let mut figures = Figures::new(size);
        tau(&entries, folder.path(), &mut figures).await?;
        full_text(&entries, folder.path(), &mut figures)?;
        vectors(&entries, folder.path(), &mut figures)?;
        figures.print(as_json);
    }
    Ok(())
}

async fn tau(entries: &Entries, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    let path = folder.join("tau.db");
    let storage = SqliteStorage::open(&path)?;
    let mut store = Store::new("bench");
    let mut batch = Batch::default();
    let model = EmbeddingModel {
        name: "bench".into(),
        dimensions: DIMENSIONS as u32,
    };
    store.set_model(&model, &mut batch);
    storage.commit(batch).await?;
    store.committed();
    let start = Instant::now();
    for first in (0..entries.size).step_by(BATCH) {
        let mut batch = Batch::default();
        for number in first..(first + BATCH).min(entries.size) {
            store.put(entries.document(number, &id(number), true), &mut batch);
            batch.put.push(entries.row(number));
        }
        storage.commit(batch).await?;
        store.committed();
        tidy(&mut store, &storage).await?;
    }
    let per_entry = start.elapsed().as_secs_f64() * 1e6 / entries.size as f64;
    figures.add("filling, an entry with its vector", per_entry, "us", None);

    let (mut writes, mut upkeep) = (Vec::new(), Vec::new());
    for number in entries.size..entries.size + SINGLE_WRITES {
        let start = Instant::now();
        let mut batch = Batch::default();
        store.put(entries.document(number, &id(number), false), &mut batch);
        batch.put.push(entries.row(number));
        storage.commit(batch).await?;
        store.committed();
        writes.push(start.elapsed());
        let start = Instant::now();
        tidy(&mut store, &storage).await?;
        upkeep.push(start.elapsed());
    }
    figures.add("write, p50", percentile(&writes, 0.5), "ms", Some(1.0));
    figures.add("write, p99", percentile(&writes, 0.99), "ms", None);
    let longest = upkeep.iter().max().copied().unwrap_or_default();
    figures.add(
        "the longest tidying after a write",
        millis(longest),
        "ms",
        None,
    );
    drop(storage);

    let storage = SqliteStorage::open(&path)?;
    let start = Instant::now();
    let mut store = Store::new("bench");
    follow(&mut store, &storage, entries).await?;
    figures.add("opening", millis(start.elapsed()), "ms", Some(1_000.0));
    assert_eq!(store.index().len(), entries.size + SINGLE_WRITES);
    let start = Instant::now();
    follow(&mut store, &storage, entries).await?;
    figures.add(
        "looking for what others wrote",
        millis(start.elapsed()),
        "ms",
        None,
    );

    let before = size(&path)?;
    figures.add("file", before as f64 / 1024.0 / 1024.0, "MiB", None);
    search(entries, store.index(), figures);
    drop(storage);
    figures.add(
        "file grown by searching",
        (size(&path)? - before) as f64,
        "bytes",
        Some(0.0),
    );
    Ok(())
}

fn search(entries: &Entries, index: &index::Index, figures: &mut Figures) {
    let threads = ThreadWorkers::default();
    let kinds: [(&str, Method, &dyn Workers); 5] = [
        ("keyword search, p50", Method::Keyword, &InTurn),
        ("vector search, p50", Method::Vector, &threads),
        ("vector search on one thread, p50", Method::Vector, &InTurn),
        ("fused search, p50", Method::Fused, &threads),
        ("fused search on one thread, p50", Method::Fused, &InTurn),
    ];
    for (name, method, workers) in kinds {
        let mut times = Vec::new();
        for (text, vector) in &entries.questions {
            let query = Query {
                text,
                vector: Some(vector),
                filter: Filter::default(),
                limit: 10,
                method,
                now: UnixMillis(0),
            };
            let start = Instant::now();
            let hits = index::search_with(&[index], &query, workers);
            times.push(start.elapsed());
            assert!(!hits.is_empty());
        }
        let aim = (!name.contains("one thread")).then_some(5.0);
        figures.add(name, percentile(&times, 0.5), "ms", aim);
    }
}

async fn tidy(store: &mut Store, storage: &SqliteStorage) -> Outcome<()> {
    loop {
        let mut batch = Batch::default();
        if !store.maintain(&mut batch) {
            return Ok(());
        }
        storage.commit(batch).await?;
        store.committed();
    }
}

async fn follow(store: &mut Store, storage: &SqliteStorage, entries: &Entries) -> Outcome<()> {
    loop {
        match store.read(&storage.scan(store.range()).await?)? {
            Next::Ready => return Ok(()),
            Next::Scan => {}
            Next::Supply(wanted) => {
                let mut rows = Vec::new();
                for key in &wanted.rows {
                    if let Some(value) = storage.get(key.clone()).await? {
                        rows.push((key.clone(), value));
                    }
                }
                let mut texts = BTreeMap::new();
                for id in &wanted.entries {
                    let number: usize = id.parse()?;
                    let row = storage.get(format!("memory/bench/{id}")).await?;
                    let row: serde_json::Value = serde_json::from_slice(&row.unwrap_or_default())?;
                    assert_eq!(row["text"], entries.texts[number]);
                    texts.insert(id.clone(), number);
                }
                let documents: Vec<Document<'_>> = texts
                    .iter()
                    .map(|(id, number)| entries.document(*number, id, false))
                    .collect();
                store.supply(wanted, rows, &documents)?;
            }
        }
    }
}

/// SQLite's full-text index: any of the words, best by its BM25.
fn full_text(entries: &Entries, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    let path = folder.join("fts.db");
    let mut connection = Connection::open(&path)?;
    connection.execute_batch("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='porter')")?;
    let transaction = connection.transaction()?;
    for (number, text) in entries.texts.iter().enumerate() {
        let mut insert =
            transaction.prepare_cached("INSERT INTO texts(rowid, text) VALUES (?, ?)")?;
        insert.execute(params![number as i64, text])?;
    }
    transaction.commit()?;
    let mut select =
        connection.prepare("SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT 10")?;
    let mut times = Vec::new();
    for (text, _) in &entries.questions {
        let words: Vec<String> = text.split(' ').map(|word| format!("\"{word}\"")).collect();
        let start = Instant::now();
        let found = select.query_map([words.join(" OR ")], |row| row.get(0))?;
        let found: Vec<i64> = found.collect::<Result<_, _>>()?;
        times.push(start.elapsed());
        assert!(!found.is_empty());
    }
    figures.add(
        "SQLite FTS5, keyword search, p50",
        percentile(&times, 0.5),
        "ms",
        None,
    );
    figures.add(
        "SQLite FTS5, file",
        size(&path)? as f64 / 1024.0 / 1024.0,
        "MiB",
        None,
    );
    Ok(())
}

/// sqlite-vec: every vector compared, in four bytes a number and in one.
fn vectors(entries: &Entries, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    register();
    let path = folder.join("vec.db");
    let mut connection = Connection::open(&path)?;
    connection.execute_batch(&format!(
        "CREATE VIRTUAL TABLE vectors USING vec0(v float[{DIMENSIONS}] distance_metric=cosine);
         CREATE VIRTUAL TABLE small USING vec0(v int8[{DIMENSIONS}] distance_metric=cosine)"
    ))?;
    let bytes = |vector: &[f32]| {
        vector
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let small = |vector: &[f32]| {
        let most = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        vector
            .iter()
            .map(|x| ((x * 127.0 / most).round() as i8).cast_unsigned())
            .collect::<Vec<u8>>()
    };
    let transaction = connection.transaction()?;
    for (number, vector) in entries.vectors.iter().enumerate() {
        let mut insert =
            transaction.prepare_cached("INSERT INTO vectors(rowid, v) VALUES (?, ?)")?;
        insert.execute(params![number as i64, bytes(vector)])?;
        let mut insert =
            transaction.prepare_cached("INSERT INTO small(rowid, v) VALUES (?, vec_int8(?))")?;
        insert.execute(params![number as i64, small(vector)])?;
    }
    transaction.commit()?;
    let kinds = [
        ("sqlite-vec, floats, vector search, p50", "vectors", "?"),
        (
            "sqlite-vec, bytes, vector search, p50",
            "small",
            "vec_int8(?)",
        ),
    ];
    for (name, table, value) in kinds {
        let mut select = connection.prepare(&format!(
            "SELECT rowid FROM {table} WHERE v MATCH {value} AND k = 10 ORDER BY distance"
        ))?;
        let mut times = Vec::new();
        for (_, vector) in &entries.questions[..QUESTIONS / 10] {
            let asked = if table == "small" {
                small(vector)
            } else {
                bytes(vector)
            };
            let start = Instant::now();
            let found = select.query_map([asked], |row| row.get(0))?;
            let found: Vec<i64> = found.collect::<Result<_, _>>()?;
            times.push(start.elapsed());
            assert_eq!(found.len(), 10);
        }
        figures.add(name, percentile(&times, 0.5), "ms", None);
    }
    figures.add(
        "sqlite-vec, file of both",
        size(&path)? as f64 / 1024.0 / 1024.0,
        "MiB",
        None,
    );
    Ok(())
}

#[expect(
    unsafe_code,
    clippy::missing_transmute_annotations,
    reason = "how sqlite-vec says it is to be registered"
)]
fn register() {
    unsafe {
        rusqlite::ffi::sqlite3_auto_extension(Some(std::mem::transmute(
            sqlite_vec::sqlite3_vec_init as *const (),
        )));
    }
}

/// The bytes of a database, what is still in its log among them.
fn size(path: &Path) -> Outcome<u64> {
    let log = path.with_extension("db-wal");
    let logged = log.metadata().map_or(0, |log| log.len());
    Ok(path.metadata()?.len() + logged)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The time below which `share` of `times` lie, in milliseconds.
fn percentile(times: &[Duration], share: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times
        .get(((times.len().max(1) - 1) as f64 * share) as usize)
        .map_or(0.0, |time| millis(*time))
}

struct Figures {
    entries: usize,
    all: Vec<(&'static str, f64, &'static str, Option<f64>)>,
}

impl Figures {
    fn new(size: usize) -> Self {
        Self {
            entries: size,
            all: Vec::new(),
        }
    }

    fn add(&mut self, name: &'static str, value: f64, unit: &'static str, at_most: Option<f64>) {
        self.all.push((name, value, unit, at_most));
    }

    fn print(&self, as_json: bool) {
        if as_json {
            let figures: serde_json::Map<_, _> = (self.all.iter())
                .map(|(name, value, unit, aim)| {
                    (
                        (*name).into(),
                        json!({"value": value, "unit": unit, "at_most": aim}),
                    )
                })
                .collect();
            println!("{}", json!({"entries": self.entries, "figures": figures}));
            return;
        }
        println!("{} entries", self.entries);
        for (name, value, unit, aim) in &self.all {
            let aim = aim.map(|aim| {
                let met = if *value <= aim { "met" } else { "MISSED" };
                format!("   at most {aim} {unit}: {met}")
            });
            println!(
                "  {name:<42} {value:>10.3} {unit:<6}{}",
                aim.unwrap_or_default()
            );
        }
    }
}
