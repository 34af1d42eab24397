//! Rows of a store: damaged, newer, missing, of another model.

use super::*;

/// A store with a segment and a log.
fn sample() -> (Rows, Entries) {
    let (mut rows, mut entries) = (Rows::default(), Entries::new());
    let mut store = Store::new("user");
    write(&mut store, &mut rows, |store, batch| {
        assert!(store.set_model(&model(), batch))
    });
    for number in 0..132 {
        let (id, entry) = (format!("{number}"), numbered(number));
        write(&mut store, &mut rows, |store, batch| {
            store.put(entry.document(&id), batch)
        });
        entries.insert(id, entry);
        if number == 129 {
            maintain(&mut store, &mut rows);
        }
    }
    (rows, entries)
}

#[test]
fn every_cut_and_every_flipped_bit_of_a_segment_is_told() {
    let entries: Vec<_> = (0..6)
        .map(|number| (format!("{number}"), numbered(number)))
        .collect();
    let owned: Vec<_> = entries
        .iter()
        .map(|(id, entry)| Owned::new(entry.document(id), 12))
        .collect();
    let documents: Vec<_> = entries
        .iter()
        .map(|(id, _)| id.as_str())
        .zip(&owned)
        .collect();
    let rows = segment::build(&documents, Some(&model())).remove(0);
    let opened = |rows: segment::Rows| Segment::open(1, "segment/1", rows, &[], Some(&model()));
    assert_eq!(opened(rows.clone()).unwrap().len(), 6);
    let with = |half: usize, bytes: Vec<u8>| {
        let mut rows = rows.clone();
        match half {
            0 => rows.words = bytes.into(),
            _ => rows.vectors = Some(bytes.into()),
        }
        let told = opened(rows).unwrap_err().to_string();
        assert!(
            told.contains(["segment/1/words", "segment/1/vectors"][half]),
            "{told}"
        );
    };
    for (half, bytes) in [rows.words.to_vec(), rows.vectors.as_ref().unwrap().to_vec()]
        .iter()
        .enumerate()
    {
        for length in 0..bytes.len() {
            with(half, bytes[..length].to_vec());
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            with(half, bytes);
        }
    }
}

#[test]
fn damaged_newer_and_missing_rows_are_told_by_name() {
    let (rows, entries) = sample();
    let error_of = |change: &dyn Fn(&mut Rows)| {
        let mut rows = rows.clone();
        change(&mut rows);
        opened(&rows, &entries).unwrap_err()
    };
    let key = |part: &str| {
        rows.0
            .keys()
            .find(|key| key.contains(part))
            .unwrap()
            .clone()
    };
    let (log, manifest, words) = (key("/log/"), key("/manifest"), key("/words"));
    let set = |key: &str, value: &[u8]| {
        let (key, value) = (String::from(key), value.to_vec());
        move |rows: &mut Rows| drop(rows.0.insert(key.clone(), value.clone()))
    };
    for key in [&log, &manifest] {
        for broken in [&b""[..], b"{", b"{\"v\":1}", b"[]"] {
            let error = error_of(&set(key, broken));
            assert!(
                matches!(&error, IndexError::Damaged { key: told, .. } if told == key),
                "{error}"
            );
        }
        let error = error_of(&set(key, b"{\"v\":2,\"new\":[]}"));
        assert_eq!(
            error,
            IndexError::Newer {
                key: key.clone(),
                found: 2,
                known: 1
            }
        );
    }
    let error = error_of(&|rows| drop(rows.0.remove(&words)));
    assert_eq!(error, IndexError::Missing { key: words.clone() });
    let error = error_of(&|rows| {
        let value = rows.0.get_mut(&words).unwrap();
        value[8] = 2;
    });
    assert_eq!(
        error,
        IndexError::Newer {
            key: words.clone(),
            found: 2,
            known: 1
        }
    );
}

#[test]
fn another_model_forgets_every_vector_and_asks_for_each_once() {
    let (mut rows, entries) = sample();
    let mut store = opened(&rows, &entries).unwrap();
    assert!(store.index().without_vector(1_000).is_empty());
    let other = EmbeddingModel {
        name: "other".into(),
        dimensions: 4,
    };
    write(&mut store, &mut rows, |store, batch| {
        assert!(store.set_model(&other, batch))
    });
    assert!(!rows.0.keys().any(|key| key.ends_with("/vectors")));
    let mut store = opened(&rows, &entries).unwrap();
    assert_eq!(
        (store.model(), store.index().without_vector(1_000).len()),
        (Some(&other), 132)
    );
    let mut rounds = 0;
    loop {
        let waiting = store.index().without_vector(50);
        if waiting.is_empty() {
            break;
        }
        write(&mut store, &mut rows, |store, batch| {
            for id in &waiting {
                let document = entries[id].document(id);
                store.put(
                    Document {
                        vector: Some(&[0.5, 0.5, 0.5, 0.5]),
                        ..document
                    },
                    batch,
                );
            }
        });
        maintain(&mut store, &mut rows);
        rounds += 1;
    }
    assert_eq!(rounds, 3);
    assert!(
        opened(&rows, &entries)
            .unwrap()
            .index()
            .without_vector(1)
            .is_empty()
    );
}

#[test]
fn an_unchanged_text_keeps_its_vector_and_a_changed_one_does_not() {
    let mut index = Index::new(Some(model()));
    let entry = numbered(1);
    index.put(entry.document("a"));
    index.put(Document {
        vector: None,
        ..entry.document("a")
    });
    assert!(index.without_vector(1).is_empty());
    index.put(Document {
        vector: None,
        text: "another",
        ..entry.document("a")
    });
    assert_eq!(index.without_vector(1), vec!["a"]);
    // One of another length, without a direction or without a number is none.
    for vector in [
        &[1.0; 3][..],
        &[0.0; 12],
        &[f32::NAN; 12],
        &[f32::INFINITY; 12],
    ] {
        index.put(Document {
            vector: Some(vector),
            ..entry.document("b")
        });
        assert!(index.without_vector(9).contains(&"b".into()));
    }
}
