//! Rows of the search index: any bytes as a segment, under a checksum that fits and under none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_core::{
    ids::UnixMillis,
    memory::{
        EmbeddingModel,
        index::{self, Document, Facets, Filter, Method, Next, Query, Store},
    },
};

const SCOPE: &str = "fuzz";

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let (words, vectors) = data.split_at(data.len() * usize::from(*first) / 255);
    let model = EmbeddingModel {
        name: "fuzz".into(),
        dimensions: 4,
    };
    let manifest = br#"{"v":1,"number":1,"seq":0,"next":1,
        "model":{"name":"fuzz","dimensions":4},
        "segments":[{"number":0,"vectors":true,"gone":"AQ=="}]}"#;
    let key = |rest: &str| format!("index/{SCOPE}/{rest}");
    let head = [(key("head/manifest"), manifest.to_vec())];
    for sealed in [false, true] {
        let bytes = |magic: &[u8; 8], bytes: &[u8]| match sealed {
            true => index::sealed(*magic, bytes),
            false => bytes.to_vec(),
        };
        let mut store = Store::new(SCOPE);
        assert_eq!(store.read(&head), Ok(Next::Scan));
        let Ok(Next::Supply(wanted)) = store.read(&head) else {
            panic!("the manifest names a segment");
        };
        let rows = wanted
            .rows
            .iter()
            .zip([bytes(b"TAUWORDS", words), bytes(b"TAUVECTS", vectors)]);
        let rows = rows.map(|(key, bytes)| (key.clone(), bytes)).collect();
        if store.supply(wanted, rows, &[]).is_ok() {
            assert!(sealed, "no checksum fits by chance");
            look(&mut store, &model);
        }
    }
    // Any text is read, and what it says is found by saying it.
    let text = String::from_utf8_lossy(data);
    let mut index = index::Index::new(None);
    index.put(Document {
        id: "a",
        text: &text,
        facets: Facets::default(),
        vector: None,
    });
    let _ = index::search(&[&index], &query(&text, None, Method::Fused));
});

fn query<'a>(text: &'a str, vector: Option<&'a [f32]>, method: Method) -> Query<'a> {
    Query {
        text,
        vector,
        filter: Filter {
            namespace: Some("a".into()),
            tags: vec!["b".into()],
            ..Filter::default()
        },
        limit: 10,
        method,
        now: UnixMillis(0),
    }
}

/// Everything that can be done with an index.
fn look(store: &mut Store, model: &EmbeddingModel) {
    let index = store.index();
    let _ = (
        index.len(),
        index.text_hash("a"),
        index.without_vector(usize::MAX),
    );
    for filter in [true, false] {
        let mut query = query("a b error", Some(&[0.5; 4]), Method::Fused);
        if filter {
            query.filter = Filter::default();
        }
        let _ = index::search(&[index], &query);
    }
    let mut batch = tau_core::session::Batch::default();
    for number in 0..130 {
        let id = format!("{number}");
        store.put(
            Document {
                id: &id,
                text: "a: b",
                facets: Facets::default(),
                vector: Some(&vec![0.5; model.dimensions as usize]),
            },
            &mut batch,
        );
    }
    store.committed();
    for _ in 0..2 {
        store.maintain(&mut batch);
        store.committed();
    }
}
