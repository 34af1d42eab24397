use alloc::{format, rc::Rc, string::String, vec, vec::Vec};
use core::cell::{Cell, RefCell};
use tau_core::{
    memory::{
        Access, Action, Answer, Draft, EmbedError, EmbeddingModel, Failure, Kept, Reply, Request,
        Scope, Search,
        entry::id_of,
        request::{Changes, Method, Narrow, Was},
    },
    session::{Batch, Range},
};

use super::*;
use crate::{
    MemoryStorage, NoEmbedder,
    sim::{SimClock, SimHost},
};

/// Vectors of made-up meanings: a word of a list is a direction. Counts its texts.
#[derive(Clone, Default)]
struct Meanings {
    name: &'static str,
    embedded: Rc<Cell<usize>>,
    fails: Rc<Cell<bool>>,
    hangs: Rc<Cell<bool>>,
}

impl Embedder for Meanings {
    fn model(&self) -> Option<EmbeddingModel> {
        Some(EmbeddingModel {
            name: self.name.into(),
            dimensions: 4,
        })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if self.fails.get() {
            return Err(EmbedError::Failed {
                detail: "the endpoint is down".into(),
                retry: true,
            });
        }
        if self.hangs.get() {
            core::future::pending::<()>().await;
        }
        self.embedded.set(self.embedded.get() + texts.len());
        let vector = |text: &String| {
            let is = |words: &[&str]| words.iter().any(|word| text.contains(word));
            let mut vector = vec![0.0; 4];
            let place = match () {
                () if is(&["cat", "feline"]) => 0,
                () if is(&["tea", "drink"]) => 1,
                () => 2,
            };
            vector[place] = 1.0;
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }
}

struct Home<E> {
    sim: SimHost,
    storage: MemoryStorage,
    service: Service<MemoryStorage, E, SimClock>,
    access: Access,
}

impl Home<NoEmbedder> {
    fn new() -> Self {
        Self::with(MemoryStorage::new(), NoEmbedder)
    }
}

impl<E: Embedder> Home<E> {
    fn with(storage: MemoryStorage, embedder: E) -> Self {
        let sim = SimHost::new();
        Self {
            service: Service::new(storage.clone(), embedder, sim.clock().clone()),
            sim,
            storage,
            access: Access::of_person(),
        }
    }

    fn ask(&self, action: Action) -> Result<Reply, Failure> {
        self.ask_as(&self.access, action)
    }

    fn ask_as(&self, access: &Access, action: Action) -> Result<Reply, Failure> {
        let access = access.clone();
        self.sim
            .block_on(self.service.serve(Request { access, action }))
    }

    fn keep(&self, draft: Draft) -> (Kept, Was) {
        match self
            .ask(Action::Remember { draft, scope: None })
            .unwrap()
            .answer
        {
            Answer::Remembered { kept, was } => (kept, was),
            other => panic!("{other:?}"),
        }
    }

    fn remember(&self, text: &str) -> String {
        self.keep(draft(text)).0.entry.id
    }

    fn found(&self, query: &str) -> Vec<String> {
        self.found_as(&self.access, query)
    }

    fn found_as(&self, access: &Access, query: &str) -> Vec<String> {
        texts(&self.ask_as(access, search(query)).unwrap())
    }

    fn index_rows(&self) -> usize {
        let rows = self.storage.rows();
        let keys = rows.iter().filter(|(key, _)| key.starts_with("index/"));
        keys.count()
    }
}

fn draft(text: &str) -> Draft {
    Draft {
        text: text.into(),
        ..Draft::default()
    }
}

fn search(query: &str) -> Action {
    Action::Search(Search {
        query: query.into(),
        ..Search::default()
    })
}

fn texts(reply: &Reply) -> Vec<String> {
    match &reply.answer {
        Answer::Found { found } => found.iter().map(|found| found.entry.text.clone()).collect(),
        Answer::Entries { entries } => entries.iter().map(|kept| kept.entry.text.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn scoped(scope: &str) -> Access {
    Access::to(scope.parse().unwrap())
}

#[test]
fn what_is_remembered_is_found_read_and_seen_in_the_tree() {
    let home = Home::new();
    let id = home.remember("the cat is called Tom");
    home.keep(Draft {
        namespace: "projects/tau".into(),
        ..draft("the build needs Rust")
    });
    assert_eq!(home.found("cat"), ["the cat is called Tom"]);
    assert_eq!(home.found("xyzzy"), Vec::<String>::new());
    let read = Action::Read {
        ids: vec![id[..6].into()],
        forgotten: false,
    };
    assert_eq!(texts(&home.ask(read).unwrap()), ["the cat is called Tom"]);
    let tree = |namespace: &str| {
        let namespace = namespace.into();
        match home.ask(Action::Tree { namespace }).unwrap().answer {
            Answer::Tree { branches } => branches
                .into_iter()
                .map(|branch| (branch.namespace, branch.entries))
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tree(""), [(String::new(), 1), ("projects/tau".into(), 1)]);
    assert_eq!(tree("projects"), [("projects/tau".into(), 1)]);
}

#[test]
fn the_same_text_is_one_entry_with_all_that_was_said_of_it() {
    let home = Home::new();
    let tagged = |text: &str, tag: &str| Draft {
        tags: vec![tag.into()],
        ..draft(text)
    };
    let (first, was) = home.keep(tagged("tea at four", "a"));
    assert_eq!(was, Was::New);
    let (second, was) = home.keep(tagged("tea  at\nfour", "b"));
    assert_eq!((was, &second.entry.id), (Was::Same, &first.entry.id));
    assert_eq!(second.entry.tags, ["a", "b"]);
    let rows = home.index_rows();
    home.keep(tagged("tea at four", "b"));
    assert_eq!(home.index_rows(), rows, "nothing new writes nothing");
    assert_eq!(home.found("tea").len(), 1);
    let elsewhere = Draft {
        namespace: "other".into(),
        ..draft("tea at four")
    };
    assert_eq!(home.keep(elsewhere).1, Was::New);
}

#[test]
fn what_is_forgotten_is_seen_nowhere_and_can_be_had_back() {
    let home = Home::new();
    let id = home.remember("tea at four");
    let ids = vec![id.clone()];
    let forget = |purge| Action::Forget {
        ids: ids.clone(),
        purge,
    };
    home.ask(forget(false)).unwrap();
    assert_eq!(home.found("tea"), Vec::<String>::new());
    let list = |forgotten| Action::List {
        narrow: Narrow::default(),
        limit: None,
        forgotten,
    };
    assert_eq!(texts(&home.ask(list(false)).unwrap()), Vec::<String>::new());
    assert_eq!(texts(&home.ask(list(true)).unwrap()), ["tea at four"]);
    let read = Action::Read {
        ids: ids.clone(),
        forgotten: false,
    };
    let missing = Err(Failure::Missing { id: id.clone() });
    assert_eq!(home.ask(read), missing);
    assert_eq!(home.ask(forget(false)), missing, "once is enough");
    home.ask(Action::Restore { ids: ids.clone() }).unwrap();
    assert_eq!(home.found("tea"), ["tea at four"]);
    home.ask(forget(true)).unwrap();
    assert_eq!(texts(&home.ask(list(true)).unwrap()), Vec::<String>::new());
    let again = home.ask(Action::Restore { ids });
    assert_eq!(again, missing);
}

#[test]
fn what_was_forgotten_and_is_said_again_is_remembered_again() {
    let home = Home::new();
    let id = home.remember("tea at four");
    home.ask(Action::Forget {
        ids: vec![id.clone()],
        purge: false,
    })
    .unwrap();
    let (kept, was) = home.keep(draft("tea at four"));
    assert_eq!((kept.entry.id, was), (id, Was::Forgotten));
    assert_eq!(home.found("tea"), ["tea at four"]);
}

#[test]
fn a_changed_entry_keeps_its_name_and_both_texts_are_known() {
    let home = Home::new();
    let id = home.remember("tea at four");
    let update = |id: &str, text: &str| {
        let changes = Changes {
            text: Some(text.into()),
            ..Changes::default()
        };
        home.ask(Action::Update {
            id: id.into(),
            changes,
        })
    };
    update(&id, "coffee at five").unwrap();
    assert_eq!(home.found("coffee"), ["coffee at five"]);
    assert_eq!(home.found("tea"), Vec::<String>::new());
    assert_eq!(home.keep(draft("coffee at five")).0.entry.id, id);
    // The first text is free again, under another name.
    let (other, was) = home.keep(draft("tea at four"));
    assert_eq!(was, Was::New);
    assert_ne!(other.entry.id, id);
    let told = update(&other.entry.id, "coffee at five").unwrap_err();
    assert!(
        format!("{told}").contains(&format!("is kept as {id}")),
        "{told}"
    );
}

#[test]
fn no_scope_shows_in_another_by_search_name_list_tree_or_link() {
    let home = Home::new();
    let scopes = ["user", "workspace:0a", "agent:a", "agent:a-b", "channel:a"];
    let mut ids = Vec::new();
    for scope in scopes {
        let text = format!("the secret of {scope} is tea");
        let action = Action::Remember {
            draft: draft(&text),
            scope: None,
        };
        let reply = home.ask_as(&scoped(scope), action).unwrap();
        let Answer::Remembered { kept, .. } = reply.answer else {
            panic!("{reply:?}");
        };
        ids.push(kept.entry.id);
    }
    for (scope, id) in scopes.iter().zip(&ids) {
        let access = scoped(scope);
        let own = format!("the secret of {scope} is tea");
        assert_eq!(
            home.found_as(&access, "secret tea"),
            core::slice::from_ref(&own)
        );
        for other in ids.iter().filter(|other| *other != id) {
            for ids in [vec![other.clone()], vec![other[..8].into()]] {
                let forgotten = true;
                let read = Action::Read { ids, forgotten };
                assert!(home.ask_as(&access, read).is_err(), "{scope}");
            }
            let forget = Action::Forget {
                ids: vec![other.clone()],
                purge: true,
            };
            assert!(home.ask_as(&access, forget).is_err());
            let link = Action::Update {
                id: id.clone(),
                changes: Changes {
                    links: Some(vec![other.clone()]),
                    ..Changes::default()
                },
            };
            home.ask_as(&access, link).unwrap();
            let read = Action::Read {
                ids: vec![other.clone()],
                forgotten: false,
            };
            assert!(home.ask_as(&access, read).is_err(), "a link shows nothing");
        }
        let listed = Action::List {
            narrow: Narrow::default(),
            limit: None,
            forgotten: false,
        };
        assert_eq!(texts(&home.ask_as(&access, listed).unwrap()), [own]);
    }
    for name in ["workspace", "agent:a", "../user", "agent:a/../user", ""] {
        let narrow = Narrow {
            scope: Some(name.into()),
            ..Narrow::default()
        };
        let asked = Action::Search(Search {
            query: "tea".into(),
            narrow,
            ..Search::default()
        });
        let told = home.ask(asked).unwrap_err();
        assert!(matches!(told, Failure::NoScope { .. }), "{name}: {told}");
    }
    let elsewhere = Action::Remember {
        draft: draft("x"),
        scope: Some("agent:a".parse().unwrap()),
    };
    assert!(matches!(home.ask(elsewhere), Err(Failure::NoScope { .. })));
    for name in [
        "../agent-a/x",
        "*",
        "%",
        "memory/agent-a",
        "",
        "\u{7f}",
        &"0".repeat(100),
    ] {
        let read = Action::Read {
            ids: vec![name.into()],
            forgotten: true,
        };
        assert!(
            matches!(home.ask(read), Err(Failure::Missing { .. })),
            "{name}"
        );
    }
}

#[test]
fn several_scopes_that_may_be_seen_are_ranked_together() {
    let home = Home::new();
    home.remember("tea with milk");
    let agent: Scope = "agent:a".parse().unwrap();
    let both = Access {
        read: vec![Scope::User, agent.clone()],
        ..Access::of_person()
    };
    let action = Action::Remember {
        draft: draft("tea tea tea"),
        scope: Some(agent),
    };
    home.ask_as(&both, action).unwrap();
    assert_eq!(home.found_as(&both, "tea").len(), 2);
    assert_eq!(home.found("tea"), ["tea with milk"]);
}

#[test]
fn a_full_scope_says_its_limit() {
    let home = Home::new();
    let service = Service::new(home.storage.clone(), NoEmbedder, home.sim.clock().clone());
    let home = Home {
        service: service.with_entry_limit(2),
        ..home
    };
    let id = home.remember("one");
    home.remember("two");
    home.remember("one");
    let third = || {
        home.ask(Action::Remember {
            draft: draft("three"),
            scope: None,
        })
    };
    let told = format!("{}", third().unwrap_err());
    assert!(told.contains("user holds 2 entries, at most 2"), "{told}");
    home.ask(Action::Forget {
        ids: vec![id],
        purge: false,
    })
    .unwrap();
    assert!(third().is_ok());
}

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
fn a_paraphrase_is_found_by_meaning() {
    let meanings = Meanings {
        name: "m",
        ..Meanings::default()
    };
    let home = Home::with(MemoryStorage::new(), meanings);
    home.remember("the cat sat on the rug");
    home.remember("tea at four");
    assert_eq!(home.found("feline on carpet"), ["the cat sat on the rug"]);
    assert_eq!(home.found("something to drink"), ["tea at four"]);
    let vector = Action::Search(Search {
        query: "a drink".into(),
        method: Method::Vector,
        ..Search::default()
    });
    assert_eq!(texts(&home.ask(vector).unwrap()), ["tea at four"]);
}

#[test]
fn an_embedder_that_fails_or_hangs_leaves_words_and_a_notice() {
    let meanings = Meanings {
        name: "m",
        ..Meanings::default()
    };
    let home = Home::with(MemoryStorage::new(), meanings.clone());
    home.remember("the cat sat on the rug");
    for broken in [&meanings.fails, &meanings.hangs] {
        broken.set(true);
        let reply = home.ask(search("cat")).unwrap();
        assert_eq!(texts(&reply), ["the cat sat on the rug"]);
        assert!(reply.notices[0].contains("by words alone"), "{reply:?}");
        let kept = home.ask(Action::Remember {
            draft: draft(&format!("tea at {}", home.index_rows())),
            scope: None,
        });
        assert!(kept.unwrap().notices.is_empty(), "it was told");
        broken.set(false);
    }
    assert_eq!(home.found("drink"), Vec::<String>::new());
    let done = home
        .sim
        .block_on(home.service.embed_missing(&Scope::User, 100));
    assert_eq!(done, Ok(Progress { done: 2, left: 0 }));
    assert_eq!(home.found("drink").len(), 2);
}

#[test]
fn another_model_embeds_what_is_there_once_and_goes_on_where_it_was_cut_off() {
    let storage = MemoryStorage::new();
    let first = Meanings {
        name: "first",
        ..Meanings::default()
    };
    let home = Home::with(storage.clone(), first.clone());
    for n in 0..100 {
        home.remember(&format!("tea number {n}"));
    }
    assert_eq!(first.embedded.get(), 100);
    let second = Meanings {
        name: "second",
        ..Meanings::default()
    };
    let home = Home::with(storage.clone(), second.clone());
    assert_eq!(home.found("number 3").len(), 8, "words go on");
    let embed = |home: &Home<Meanings>, limit| {
        home.sim
            .block_on(home.service.embed_missing(&Scope::User, limit))
            .unwrap()
    };
    assert_eq!(embed(&home, 40).done, 40);
    let home = Home::with(storage, second.clone());
    assert_eq!(embed(&home, 1_000).done, 60);
    assert_eq!(second.embedded.get(), 100, "each once");
    assert_eq!(embed(&home, 1_000), Progress::default());
    assert_eq!(home.found("a drink").len(), 8);
}

#[test]
fn a_model_that_is_named_and_does_not_answer_takes_no_vectors_away() {
    let storage = MemoryStorage::new();
    let good = Meanings {
        name: "good",
        ..Meanings::default()
    };
    let home = Home::with(storage.clone(), good.clone());
    home.remember("the cat sat on the rug");
    let down = Meanings {
        name: "down",
        ..Meanings::default()
    };
    down.fails.set(true);
    let other = Home::with(storage, down);
    other.found("cat");
    other.remember("tea at four");
    assert_eq!(home.found("feline"), ["the cat sat on the rug"]);
}

#[test]
fn bad_queries_are_refused_and_say_why() {
    let home = Home::new();
    assert!(format!("{}", home.ask(search(" ")).unwrap_err()).contains("empty"));
    let long = "tea ".repeat(25_000);
    let told = format!("{}", home.ask(search(&long)).unwrap_err());
    assert_eq!(
        told,
        "the query has 100000 bytes, at most 8192 are searched for"
    );
    let narrow = Narrow {
        namespace: Some("../..".into()),
        ..Narrow::default()
    };
    let asked = Action::Search(Search {
        query: "tea".into(),
        narrow,
        ..Search::default()
    });
    assert!(home.ask(asked).is_err());
}

#[test]
fn a_search_stays_within_its_tokens() {
    let home = Home::new();
    for n in 0..20 {
        home.remember(&format!("tea number {n}: {}", "word ".repeat(20)));
    }
    let within = |tokens| {
        let asked = Action::Search(Search {
            query: "tea".into(),
            tokens: Some(tokens),
            ..Search::default()
        });
        texts(&home.ask(asked).unwrap()).len()
    };
    assert_eq!(within(10), 0);
    assert!((1..4).contains(&within(120)), "{}", within(120));
    assert_eq!(within(100_000), 8);
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
