//! What lies in the store: written by others, of older formats, lost, damaged, or cut off half-way.

use super::*;

#[test]
fn what_another_process_wrote_is_found() {
    let storage = MemoryStorage::new();
    let first = Home::with(storage.clone(), NoEmbedder);
    let second = Home::with(storage, NoEmbedder);
    let id = first.remember("tea at four");
    assert_eq!(second.found("tea"), ["tea at four"]);
    second.remember("coffee at five");
    assert_eq!(first.found("coffee"), ["coffee at five"]);
    second
        .ask(Action::Forget {
            ids: vec![id],
            purge: false,
        })
        .unwrap();
    assert_eq!(first.found("tea"), Vec::<String>::new());
    // Both at once: one of them loses and tries again.
    for n in 0..40 {
        let home = if n % 2 == 0 { &first } else { &second };
        home.remember(&format!("number {n}"));
    }
    assert_eq!(first.found("number").len(), 8);
    let all = Action::List {
        narrow: Narrow::default(),
        limit: None,
        forgotten: false,
    };
    assert_eq!(texts(&second.ask(all).unwrap()).len(), 41);
}

#[test]
fn entries_of_the_time_before_scopes_are_the_persons() {
    let storage = MemoryStorage::new();
    let row = |id: &str, text: &str| {
        let row = format!(r#"{{"v":1,"id":"{id}","text":"{text}","at":7}}"#);
        (format!("memory/default/{id}"), row.into_bytes())
    };
    let mut put: Vec<_> = (0..300)
        .map(|n| row(&format!("{n:016x}"), &format!("tea number {n}")))
        .collect();
    put.push(("memory/default/bad".into(), vec![0xff]));
    let batch = Batch {
        put,
        ..Batch::default()
    };
    let home = Home::with(storage, NoEmbedder);
    home.sim.block_on(home.storage.commit(batch)).unwrap();
    assert_eq!(home.found("number 17"), {
        let mut found = home.found("number 17");
        found.truncate(8);
        found
    });
    assert!(home.found("17").contains(&"tea number 17".into()));
    let (kept, was) = home.keep(draft("tea number 17"));
    assert_eq!((was, &*kept.entry.id), (Was::Same, "0000000000000011"));
    let left: Vec<String> = home
        .storage
        .rows()
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| key.starts_with("memory/default/"))
        .collect();
    assert_eq!(left, ["memory/default/bad"], "what cannot be read stays");
    let again = Home::with(home.storage.clone(), NoEmbedder);
    assert!(again.found("17").contains(&"tea number 17".into()));
}

#[test]
fn a_lost_index_is_built_again_and_a_damaged_one_is_told() {
    let home = Home::new();
    for n in 0..600 {
        home.remember(&format!("tea number {n}"));
    }
    let gone = |home: &Home<NoEmbedder>| {
        let rows = home.storage.rows().into_iter().map(|(key, _)| key);
        let delete = rows.filter(|key| key.starts_with("index/")).collect();
        let batch = Batch {
            delete,
            ..Batch::default()
        };
        home.sim.block_on(home.storage.commit(batch)).unwrap();
    };
    gone(&home);
    let home = Home::with(home.storage.clone(), NoEmbedder);
    assert!(home.found("599").contains(&"tea number 599".into()));
    let manifest = home.storage.rows();
    let key = manifest
        .iter()
        .map(|(key, _)| key)
        .find(|key| key.ends_with("manifest"));
    let batch = Batch {
        put: vec![(key.unwrap().clone(), b"{".to_vec())],
        ..Batch::default()
    };
    home.sim.block_on(home.storage.commit(batch)).unwrap();
    let home = Home::with(home.storage.clone(), NoEmbedder);
    let told = format!("{}", home.ask(search("tea")).unwrap_err());
    assert!(
        told.contains("damaged") && told.contains("tau memory reindex"),
        "{told}"
    );
    let built = home.sim.block_on(home.service.reindex(&Scope::User));
    assert_eq!(built, Ok(600));
    assert!(home.found("599").contains(&"tea number 599".into()));
}

#[test]
fn searching_writes_nothing() {
    let home = Home::new();
    for n in 0..100 {
        home.remember(&format!("tea number {n}"));
    }
    let before = home.storage.rows();
    let fresh = Home::with(home.storage.clone(), NoEmbedder);
    for n in 0..50 {
        fresh.found(&format!("number {n}"));
    }
    assert_eq!(home.storage.rows(), before);
}

#[test]
fn a_write_that_is_dropped_half_way_is_whole_or_not_there() {
    let home = Home::new();
    home.remember("first");
    let keep = RefCell::new(Vec::new());
    for steps in 0..12 {
        let text = format!("dropped after {steps}");
        let request = Request {
            access: home.access.clone(),
            action: Action::Remember {
                draft: draft(&text),
                scope: None,
            },
        };
        let slow = Slow {
            inner: home.storage.clone(),
            left: Rc::new(Cell::new(steps)),
        };
        let service = Service::new(slow, NoEmbedder, home.sim.clock().clone());
        {
            use futures_util::FutureExt;
            let served = service.serve(request).now_or_never();
            if served.is_some() {
                keep.borrow_mut().push(text.clone());
            }
        }
        let fresh = Home::with(home.storage.clone(), NoEmbedder);
        let by_search =
            fresh.found("dropped").contains(&text) || fresh.found(&text).contains(&text);
        let key = Scope::User.key(&id_of("", &text, 0));
        let stored = home.sim.block_on(home.storage.get(key)).unwrap().is_some();
        assert_eq!(by_search, stored, "{text}");
    }
    assert!(!keep.borrow().is_empty() && keep.borrow().len() < 12);
}

/// A store that never answers once it was asked so often.
struct Slow {
    inner: MemoryStorage,
    left: Rc<Cell<usize>>,
}

impl Slow {
    async fn pass(&self) {
        match self.left.get() {
            0 => core::future::pending().await,
            left => self.left.set(left - 1),
        }
    }
}

impl Storage for Slow {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.pass().await;
        self.inner.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.pass().await;
        self.inner.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.pass().await;
        self.inner.commit(batch).await
    }
}
