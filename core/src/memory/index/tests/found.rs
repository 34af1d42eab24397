//! What is found, and in which order.

use super::*;

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
