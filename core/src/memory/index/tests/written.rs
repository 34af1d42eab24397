//! However an index came about, it is the same.

use super::*;

fn entry() -> impl Strategy<Value = Entry> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..12);
    let speaker = prop::sample::select(vec!["", "Ann: ", "Bob: ", "[8 May] Ann: "]);
    let namespace = prop::sample::select(vec!["", "work", "work/tau", "workshop"]);
    let tags = prop::sample::subsequence(vec!["red".to_string(), "blue".into()], 0..=2);
    let vector = prop::option::of(prop::collection::vec(-1.0_f32..1.0, DIMENSIONS as usize));
    (words, speaker, namespace, tags, 0..40_u64, vector).prop_map(
        |(words, speaker, namespace, tags, at, vector)| Entry {
            text: format!("{speaker}{}", words.join(" ")),
            namespace: namespace.into(),
            tags,
            at,
            vector,
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Entry),
    Remove(u8),
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..60_u8, entry()).prop_map(|(id, entry)| Step::Put(id, entry)),
        2 => (0..60_u8).prop_map(Step::Remove),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

/// What the writer's vectors are, which an unchanged text keeps.
fn put(entries: &mut Entries, id: &str, mut entry: Entry) {
    if entry.vector.is_none()
        && let Some(earlier) = entries.get(id)
        && earlier.text == entry.text
    {
        entry.vector = earlier.vector.clone();
    }
    entries.insert(id.into(), entry);
}

fn assert_same(found: &Index, entries: &Entries, asked: &[(String, Vec<f32>)]) {
    let mut whole = Index::new(Some(model()));
    for (id, entry) in entries {
        whole.put(entry.document(id));
    }
    assert_eq!(found.len(), entries.len());
    let filters = [
        Filter::default(),
        Filter {
            namespace: Some("work".into()),
            ..Filter::default()
        },
        Filter {
            tags: vec!["red".into()],
            from: Some(UnixMillis(5)),
            ..Filter::default()
        },
        Filter {
            source: Some("talk".into()),
            until: Some(UnixMillis(30)),
            min_importance: Some(2),
            ..Filter::default()
        },
    ];
    for (text, vector) in asked {
        for method in [Method::Keyword, Method::Vector, Method::Rrf, Method::Fused] {
            for filter in &filters {
                let query = Query {
                    filter: filter.clone(),
                    ..query(text, Some(vector), method)
                };
                let expected = search(&[&whole], &query);
                assert_eq!(search(&[found], &query), expected);
                for hit in &expected {
                    assert!(filter.admits(&entries[&hit.id].document("").facets));
                }
            }
        }
    }
    let mut waiting = found.without_vector(1_000);
    waiting.sort();
    assert_eq!(waiting, whole.without_vector(1_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_it_was_written_and_cut_into_segments_the_same_is_found(
        steps in prop::collection::vec(step(), 1..120),
        asked in prop::collection::vec(
            (prop::collection::vec(prop::sample::select(&WORDS[..]), 1..4),
             prop::collection::vec(-1.0_f32..1.0, DIMENSIONS as usize)), 1..4),
    ) {
        let (mut rows, mut entries) = (Rows::default(), Entries::new());
        let mut store = Store::new("user");
        write(&mut store, &mut rows, |store, batch| assert!(store.set_model(&model(), batch)));
        let mut other = opened(&rows, &entries).unwrap();
        for step in steps {
            match step {
                Step::Put(id, entry) => {
                    let id = format!("id{id}");
                    write(&mut store, &mut rows, |store, batch| store.put(entry.document(&id), batch));
                    put(&mut entries, &id, entry);
                }
                Step::Remove(id) => {
                    let id = format!("id{id}");
                    entries.remove(&id);
                    write(&mut store, &mut rows, |store, batch| store.remove(&id, batch));
                }
                Step::Flush => write(&mut store, &mut rows, |store, batch| {
                    let index = store.index().clone();
                    store.flush(Index { tail: Tail::default(), ..index }, batch);
                }),
                Step::Reopen => {
                    follow(&mut other, &rows, &entries).unwrap();
                    store = opened(&rows, &entries).unwrap();
                }
            }
        }
        let asked: Vec<(String, Vec<f32>)> =
            asked.into_iter().map(|(words, vector)| (words.join(" "), vector)).collect();
        assert_same(store.index(), &entries, &asked);
        maintain(&mut store, &mut rows);
        assert_same(store.index(), &entries, &asked);
        assert_same(opened(&rows, &entries).unwrap().index(), &entries, &asked);
        follow(&mut other, &rows, &entries).unwrap();
        assert_same(other.index(), &entries, &asked);
        let manifest = rows.0.keys().filter(|key| key.contains("/segment/")).count();
        prop_assert_eq!(manifest, store.rows_of_segments());
    }
}

#[test]
fn many_entries_become_few_segments_and_each_write_moves_a_bounded_number() {
    let (mut rows, mut entries) = (Rows::default(), Entries::new());
    let mut store = Store::new("user");
    write(&mut store, &mut rows, |store, batch| {
        assert!(store.set_model(&model(), batch))
    });
    for number in 0..5_000 {
        let id = format!("{number:05}");
        let entry = numbered(number);
        write(&mut store, &mut rows, |store, batch| {
            store.put(entry.document(&id), batch)
        });
        entries.insert(id, entry);
        let mut batch = Batch::default();
        if store.maintain(&mut batch) {
            let moved: usize = batch.put.iter().map(|(_, value)| value.len()).sum();
            assert!(moved <= 3 * segment::LIMIT_BYTES, "{moved}");
            assert!(rows.commit(batch));
            store.committed();
        }
    }
    let segments = rows.0.keys().filter(|key| key.ends_with("/words")).count();
    assert!(segments <= 5_000 / 1_024 + 10, "{segments}");
    let log = rows.0.keys().filter(|key| key.contains("/log/")).count();
    assert!(log <= 2 * 128, "{log}");
    let store = opened(&rows, &entries).unwrap();
    let hits = search(&[store.index()], &query("number4321", None, Method::Fused));
    assert_eq!((hits[0].id.as_str(), store.index().len()), ("04321", 5_000));
}

#[test]
fn two_writers_agree_on_one_order() {
    let (mut rows, mut entries) = (Rows::default(), Entries::new());
    let mut stores = [Store::new("user"), Store::new("user")];
    let mut conflicts = 0;
    for number in 0..900_u64 {
        let writer = (number % 3 % 2) as usize;
        let id = format!("{}", number % 300);
        let entry = Entry {
            vector: None,
            ..numbered(number)
        };
        loop {
            let mut batch = Batch::default();
            stores[writer].put(entry.document(&id), &mut batch);
            if rows.commit(batch) {
                stores[writer].committed();
                break;
            }
            conflicts += 1;
            stores[writer].abandon();
            follow(&mut stores[writer], &rows, &entries).unwrap();
        }
        entries.insert(id, entry);
        let mut batch = Batch::default();
        if stores[writer].maintain(&mut batch) {
            match rows.commit(batch) {
                true => stores[writer].committed(),
                false => stores[writer].abandon(),
            }
        }
    }
    assert!(conflicts > 100, "{conflicts}");
    for store in &mut stores {
        follow(store, &rows, &entries).unwrap();
        assert_eq!(store.index().len(), 300);
        for (id, entry) in &entries {
            assert_eq!(store.index().text_hash(id), Some(TextHash::of(&entry.text)));
        }
    }
}
