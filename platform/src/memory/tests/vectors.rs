//! Finding by meaning, and what becomes of vectors when a model fails or another takes its place.

use super::*;

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
