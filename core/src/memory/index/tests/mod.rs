use alloc::{collections::BTreeMap, format, string::ToString as _, vec};

mod found;
mod rows;
mod written;

use super::*;
use crate::session::Batch;
use proptest::prelude::*;

const DIMENSIONS: u32 = 12;

fn model() -> EmbeddingModel {
    EmbeddingModel {
        name: "test".into(),
        dimensions: DIMENSIONS,
    }
}

/// A store that commits as the homes' do.
#[derive(Clone, Default)]
struct Rows(BTreeMap<String, Vec<u8>>);

impl Rows {
    fn commit(&mut self, batch: Batch) -> bool {
        if batch
            .require_absent
            .iter()
            .any(|key| self.0.contains_key(key))
        {
            return false;
        }
        for key in batch.delete {
            self.0.remove(&key);
        }
        self.0.extend(batch.put);
        true
    }
}

/// An entry: what a document is made of.
#[derive(Clone, Debug)]
struct Entry {
    text: String,
    namespace: String,
    tags: Vec<String>,
    at: u64,
    vector: Option<Vec<f32>>,
}

impl Entry {
    fn document<'a>(&'a self, id: &'a str) -> Document<'a> {
        Document {
            id,
            text: &self.text,
            facets: Facets {
                namespace: &self.namespace,
                kind: "fact",
                tags: &self.tags,
                source: "talk",
                at: UnixMillis(self.at),
                importance: (self.at % 7) as u8,
            },
            vector: self.vector.as_deref(),
        }
    }
}

type Entries = BTreeMap<String, Entry>;

/// Brings `store` up to date.
fn follow(store: &mut Store, rows: &Rows, entries: &Entries) -> Result<(), IndexError> {
    loop {
        let range = store.range();
        let found = rows.0.range(range.start..range.end);
        let found: Vec<_> = found
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        match store.read(&found)? {
            Next::Ready => return Ok(()),
            Next::Scan => {}
            Next::Supply(wanted) => {
                let keys = wanted.rows.iter();
                let given = keys.filter_map(|key| Some((key.clone(), rows.0.get(key)?.clone())));
                let given = given.collect();
                let ids = wanted.entries.clone();
                // Without its vector: that is in the row.
                let documents: Vec<_> = ids
                    .iter()
                    .filter_map(|id| {
                        Some(Document {
                            vector: None,
                            ..entries.get(id)?.document(id)
                        })
                    })
                    .collect();
                store.supply(wanted, given, &documents)?;
            }
        }
    }
}

fn opened(rows: &Rows, entries: &Entries) -> Result<Store, IndexError> {
    let mut store = Store::new("user");
    follow(&mut store, rows, entries)?;
    Ok(store)
}

fn write(store: &mut Store, rows: &mut Rows, change: impl FnOnce(&mut Store, &mut Batch)) {
    let mut batch = Batch::default();
    change(store, &mut batch);
    assert!(rows.commit(batch));
    store.committed();
}

fn maintain(store: &mut Store, rows: &mut Rows) {
    loop {
        let mut batch = Batch::default();
        if !store.maintain(&mut batch) {
            return;
        }
        assert!(
            batch
                .put
                .iter()
                .all(|(_, value)| value.len() <= segment::LIMIT_BYTES)
        );
        assert!(rows.commit(batch));
        store.committed();
    }
}

fn query<'a>(text: &'a str, vector: Option<&'a [f32]>, method: Method) -> Query<'a> {
    Query {
        text,
        vector,
        filter: Filter::default(),
        limit: 20,
        method,
        now: UnixMillis(0),
    }
}

const WORDS: [&str; 16] = [
    "parser",
    "linker",
    "error",
    "tea",
    "four",
    "kitchen",
    "garden",
    "runs",
    "running",
    "yesterday",
    "E0463",
    "http_server",
    "東京",
    "Ann",
    "Bob",
    "2023",
];

fn numbered(number: u64) -> Entry {
    let vector = (0..DIMENSIONS).map(|at| ((number * 31 + u64::from(at) * 17) % 97) as f32 - 48.0);
    Entry {
        text: format!(
            "entry number{number} about topic{} and {}",
            number % 50,
            WORDS[number as usize % 16]
        ),
        namespace: "n".into(),
        tags: Vec::new(),
        at: number,
        vector: Some(vector.collect()),
    }
}
