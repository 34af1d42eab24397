//! What the search of memory costs in a home: filled, opened and asked where it is, by its own clock.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tau_core::{
    ids::UnixMillis,
    memory::{
        EmbeddingModel,
        index::{self, Document, Filter, InTurn, Method, Next, Query, Store},
    },
    session::Batch,
};
use tau_platform::{Clock, Storage};

use crate::{
    entries::{DIMENSIONS, Entries, id},
    task::Adapters,
};

/// Entries of a commit while the store is filled.
const BATCH: usize = 500;
/// Questions that are timed together: clocks of homes tell milliseconds.
const TOGETHER: usize = 10;

/// What it cost, in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Entries, each with its vector.
    pub entries: usize,
    /// Writing all of them.
    pub filled_ms: u64,
    /// Opening the store and reading the index.
    pub opened_ms: u64,
    /// A search by each method: the median of means of ten.
    pub searches_ms: BTreeMap<String, f64>,
}

/// Fills a new store of `home` with as many entries, opens it again, and asks.
///
/// # Panics
///
/// Where the store fails, or a question finds nothing.
pub async fn measure(home: &impl Adapters, entries: usize) -> Figures {
    let (clock, entries) = (home.clock(), Entries::new(entries, 0));
    let storage = home.empty_store().await;
    let began = clock.now();
    fill(&storage, &entries).await;
    let filled_ms = clock.now().0 - began.0;
    let storage = home.reopened(storage).await;
    let began = clock.now();
    let mut store = Store::new("bench");
    open(&mut store, &storage, &entries).await;
    let opened_ms = clock.now().0 - began.0;
    assert_eq!(store.index().len(), entries.size, "all of it is there");
    let kinds = [
        ("keyword", Method::Keyword),
        ("vector", Method::Vector),
        ("fused", Method::Fused),
    ];
    let searches = kinds.map(|(name, method)| {
        let took = search(&clock, store.index(), &entries, method);
        (name.to_owned(), took)
    });
    Figures {
        entries: entries.size,
        filled_ms,
        opened_ms,
        searches_ms: searches.into(),
    }
}

async fn fill(storage: &impl Storage, entries: &Entries) {
    let mut store = Store::new("bench");
    let mut batch = Batch::default();
    let model = EmbeddingModel {
        name: "bench".into(),
        dimensions: u32::try_from(DIMENSIONS).unwrap_or(u32::MAX),
    };
    store.set_model(&model, &mut batch);
    commit(&mut store, storage, batch).await;
    for first in (0..entries.size).step_by(BATCH) {
        let mut batch = Batch::default();
        for number in first..(first + BATCH).min(entries.size) {
            store.put(entries.document(number, &id(number), true), &mut batch);
            batch.put.push(entries.row(number));
        }
        commit(&mut store, storage, batch).await;
        // What keeps the index in order.
        loop {
            let mut batch = Batch::default();
            if !store.maintain(&mut batch) {
                break;
            }
            commit(&mut store, storage, batch).await;
        }
    }
}

async fn commit(store: &mut Store, storage: &impl Storage, batch: Batch) {
    let stored = storage.commit(batch).await;
    assert_eq!(stored, Ok(()), "it is stored");
    store.committed();
}

async fn open(store: &mut Store, storage: &impl Storage, entries: &Entries) {
    loop {
        let rows = storage.scan(store.range()).await.unwrap_or_default();
        let wanted = match store.read(&rows) {
            Ok(Next::Ready) => return,
            Ok(Next::Scan) => continue,
            Ok(Next::Supply(wanted)) => wanted,
            Err(error) => panic!("the index: {error}"),
        };
        let mut rows = Vec::new();
        for key in &wanted.rows {
            let value = storage.get(key.clone()).await.ok().flatten();
            rows.extend(value.map(|value| (key.clone(), value)));
        }
        let numbers = wanted.entries.iter();
        let numbers: Vec<_> = numbers
            .filter_map(|id| Some((id.clone(), id.parse().ok()?)))
            .collect();
        let documents: Vec<Document<'_>> = numbers
            .iter()
            .map(|(id, number)| entries.document(*number, id, false))
            .collect();
        let supplied = store.supply(wanted, rows, &documents);
        assert!(supplied.is_ok(), "the index takes what it asked for");
    }
}

fn search(clock: &impl Clock, index: &index::Index, entries: &Entries, method: Method) -> f64 {
    let mut means: Vec<u64> = Vec::new();
    for questions in entries.questions.chunks(TOGETHER) {
        let began = clock.now();
        for (text, vector) in questions {
            let query = Query {
                text,
                vector: Some(vector),
                filter: Filter::default(),
                limit: 10,
                method,
                now: UnixMillis(0),
            };
            let hits = index::search_with(&[index], &query, &InTurn);
            assert!(!hits.is_empty(), "{text} is found");
        }
        means.push(clock.now().0 - began.0);
    }
    means.sort_unstable();
    let median = means.get(means.len() / 2).copied().unwrap_or_default();
    f64::from(u32::try_from(median).unwrap_or(u32::MAX)) / 10.0
}
