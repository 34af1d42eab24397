//! What is remembered, found, changed and forgotten.

use super::*;

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
