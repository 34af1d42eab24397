use alloc::{collections::BTreeMap, format, string::ToString as _, vec};

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

#[test]
fn nothing_that_shares_no_word_and_is_far_off_is_found() {
    let mut index = Index::new(Some(EmbeddingModel {
        name: "m".into(),
        dimensions: 2,
    }));
    index.put(Document {
        vector: Some(&[1.0, 0.0]),
        ..numbered(1).document("a")
    });
    for method in [Method::Keyword, Method::Vector, Method::Rrf, Method::Fused] {
        assert_eq!(
            search(
                &[&index],
                &query("xqzv blorp", Some(&[0.29, 0.957]), method)
            ),
            vec![]
        );
    }
    let close = search(
        &[&index],
        &query("xqzv blorp", Some(&[0.31, 0.95]), Method::Fused),
    );
    assert_eq!(close.len(), 1);
}

#[test]
fn reciprocal_ranks_can_be_added_up_by_hand() {
    let mut index = Index::new(Some(model()));
    for number in 0..40 {
        let id = format!("{number}");
        index.put(numbered(number).document(&id));
    }
    let vector = numbered(7).vector.unwrap();
    let hits = search(
        &[&index],
        &query("topic7 error", Some(&vector), Method::Rrf),
    );
    assert_eq!(hits[0].id, "7");
    for hit in &hits {
        let sum: f64 = [hit.keyword, hit.vector]
            .into_iter()
            .flatten()
            .map(|ranked| 1.0 / (60.0 + f64::from(ranked.rank)))
            .sum();
        assert_eq!(hit.score.to_bits(), sum.to_bits());
    }
}

#[test]
fn a_rare_word_is_found_first_among_a_thousand() {
    let mut index = Index::new(None);
    for number in 0..1_000 {
        let id = format!("{number}");
        index.put(Document {
            vector: None,
            ..numbered(number).document(&id)
        });
    }
    let text = "the build failed with error E0599 in entry";
    index.put(Document {
        text,
        vector: None,
        ..numbered(0).document("rare")
    });
    for asked in ["E0599", "error e0599 about entry"] {
        assert_eq!(
            search(&[&index], &query(asked, None, Method::Fused))[0].id,
            "rare"
        );
    }
}

#[test]
fn an_answer_gets_of_the_score_of_the_question_before_it() {
    let mut index = Index::new(None);
    let talk = [
        "Ann: Which garden do you like?",
        "Bob: The one of my aunt.",
        "Ann: We sold it yesterday.",
    ];
    for (at, text) in talk.iter().enumerate() {
        let id = format!("{at}");
        let facets = Facets {
            source: "talk",
            at: UnixMillis(at as u64),
            ..Facets::default()
        };
        index.put(Document {
            id: &id,
            text,
            facets,
            vector: None,
        });
    }
    let hits = search(
        &[&index],
        &query(
            "When did Ann sell the garden of the aunt?",
            None,
            Method::Fused,
        ),
    );
    let hit = |id: &str| hits.iter().find(|hit| hit.id == id).unwrap().boosts;
    assert!(hit("1").neighbours > 0.0 && hit("1").speaker == 0.0 && hit("1").time == 0.0);
    assert!(hit("2").neighbours > 0.0 && hit("2").speaker > 0.0 && hit("2").time > 0.0);
}

#[test]
fn several_scopes_are_ranked_as_one_and_threads_change_nothing() {
    struct Threads;
    impl Workers for Threads {
        fn count(&self) -> usize {
            3
        }
        fn run(&self, pieces: Vec<Piece<'_>>) {
            // In another order, as threads may be.
            for piece in pieces.into_iter().rev() {
                piece();
            }
        }
    }
    let (mut one, mut two) = (Index::new(Some(model())), Index::new(Some(model())));
    let mut both = Index::new(Some(model()));
    for number in 0..60 {
        let (id, entry) = (format!("{number}"), numbered(number));
        if number % 2 == 0 { &mut one } else { &mut two }.put(entry.document(&id));
        both.put(entry.document(&id));
    }
    let vector = numbered(9).vector.unwrap();
    for method in [Method::Keyword, Method::Vector, Method::Rrf] {
        let query = query("topic9 error", Some(&vector), method);
        let found = search_with(&[&one, &two], &query, &Threads);
        assert!(
            found
                .iter()
                .all(|hit| hit.index == hit.id.parse::<usize>().unwrap() % 2)
        );
        let found: Vec<_> = found.into_iter().map(|hit| (hit.id, hit.score)).collect();
        let whole = search(&[&both], &query)
            .into_iter()
            .map(|hit| (hit.id, hit.score));
        assert_eq!(found, whole.collect::<Vec<_>>());
    }
}
