use alloc::vec;

use super::*;
use crate::session::Batch;

fn document<'a>(id: &'a str, text: &'a str) -> Document<'a> {
    Document {
        id,
        text,
        facets: Facets::default(),
        vector: None,
    }
}

fn query(text: &str) -> Query<'_> {
    Query {
        text,
        vector: None,
        filter: Filter::default(),
        limit: 10,
        method: Method::Fused,
        now: UnixMillis(0),
    }
}

#[test]
fn a_second_reader_finds_what_the_first_wrote() {
    let mut rows: alloc::collections::BTreeMap<String, Vec<u8>> = Default::default();
    let mut writer = Store::new("user");
    let mut batch = Batch::default();
    writer.put(document("a", "the parser fails with E0463"), &mut batch);
    writer.put(document("b", "tea at four"), &mut batch);
    writer.remove("b", &mut batch);
    writer.committed();
    rows.extend(batch.put);
    let mut reader = Store::new("user");
    let range = reader.range();
    let found: Vec<_> = rows
        .range(range.start..range.end)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let Ok(Next::Supply(wanted)) = reader.read(&found) else {
        panic!()
    };
    assert_eq!(wanted.entries, vec!["a", "b"]);
    reader
        .supply(
            wanted,
            Vec::new(),
            &[document("a", "the parser fails with E0463")],
        )
        .unwrap();
    assert_eq!(search(&[reader.index()], &query("E0463"))[0].id, "a");
    assert_eq!(reader.index().len(), 1);
}
