use alloc::{format, vec};

use super::*;
use proptest::prelude::*;
use rust_stemmers::{Algorithm, Stemmer};

fn terms(text: &str) -> Vec<String> {
    read(text)
        .words
        .into_iter()
        .map(|(word, _)| String::from(&*word))
        .collect()
}

#[test]
fn names_of_things_in_programs_are_whole_and_in_parts() {
    assert_eq!(
        plain("parseHttp2Header"),
        vec!["parse", "http", "header", "parsehttp2header"]
    );
    assert_eq!(
        plain("snake_case_name"),
        vec!["snake", "case", "name", "snake_case_name"]
    );
    assert_eq!(plain("error[E0463]"), vec!["error", "0463", "e0463"]);
    assert_eq!(plain("HTTPServer"), vec!["http", "server", "httpserver"]);
    assert!(plain("since 1.95.0, not 1.94").contains(&"1.95.0".into()));
    assert!(plain("on 2023-05-08").contains(&"2023-05-08".into()));
    assert_eq!(
        plain("a well-known fact."),
        vec!["a", "well", "known", "fact"]
    );
}

#[test]
fn apostrophes_end_a_word_or_begin_it() {
    assert_eq!(plain("Ann's dog can’t"), vec!["ann", "dog", "can"]);
    assert_eq!(plain("l'eau d'accord"), vec!["eau", "accord"]);
}

#[test]
fn marks_width_and_case_do_not_matter() {
    for same in ["café", "cafe\u{301}", "CAFÉ", "ｃａｆé"] {
        assert_eq!(plain(same), vec!["cafe"], "{same}");
    }
    assert_eq!(
        plain("Straße Ægir Σίσυφος"),
        vec!["strasse", "aegir", "σίσυφοσ"]
    );
    assert_eq!(plain("Việt Łódź"), vec!["viet", "lodz"]);
}

#[test]
fn scripts_without_spaces_give_characters_and_pairs() {
    assert_eq!(plain("東京都"), vec!["東", "東京", "京", "京都", "都"]);
    assert_eq!(plain("Rust言語2"), vec!["rust", "言", "言語", "語", "2"]);
}

#[test]
fn other_languages_lose_their_endings_and_a_short_query_still_meets_them() {
    let german = terms("Die Katzen und der Hund sind nicht mit den Kindern im Haus");
    assert!(german.contains(&"katz".into()) && german.contains(&"kind".into()));
    assert!(wanted("Katze")[0].contains(&"katz".into()));
    let spanish = terms("los perros y las casas de la ciudad no son para mi");
    assert!(spanish.contains(&"perr".into()) && wanted("perro")[0].contains(&"perr".into()));
    let french = terms("les chevaux et les maisons sont dans la ville avec nous");
    assert!(french.contains(&"maison".into()));
    // English that is known to be has one stem.
    assert_eq!(wanted("what did the runners do"), vec![vec!["runner"]]);
}

#[test]
fn common_words_are_not_looked_for() {
    assert_eq!(wanted("what is the"), Vec::<Vec<String>>::new());
}

#[test]
fn a_long_query_is_read_up_to_a_bound() {
    let long: String = (0..20_000).map(|number| format!("w{number}é ")).collect();
    assert!(long.len() > 100_000 && wanted(&long).len() <= QUERY_WORDS);
    assert!(
        wanted(&"é".repeat(100_000))
            .iter()
            .all(|stems| stems[0].len() <= LONGEST)
    );
}

#[test]
fn turns_have_a_speaker_and_tell_times() {
    assert_eq!(
        speaker("[1:56 pm on 8 May, 2023] Ann Lee: Hi"),
        Some("ann lee".into())
    );
    assert_eq!(speaker("Ann: hi"), Some("ann".into()));
    for other in [
        "see: there",
        "http://x",
        "[open Ann: hi",
        "the note: x",
        "Ann:x",
        "A B C D: x",
    ] {
        assert_eq!(speaker(other), None, "{other}");
    }
    assert!(read("We met last week").tells_time && read("in 2022").tells_time);
    assert!(!read("[8 May, 2023] Ann: hello").tells_time && !read("it lasts").tells_time);
    let asks = |text| asks_time(&plain(text));
    assert!(asks("When was it?") && asks("how long ago?") && asks("In which year?"));
    assert!(!asks("What was it?"));
}

#[test]
fn english_stems_are_those_of_the_published_algorithm() {
    let stemmer = Stemmer::create(Algorithm::English);
    let texts = [
        include_str!("../../../../../ARCHITECTURE.md"),
        include_str!("../../../../../CONTRIBUTING.md"),
        include_str!("../../../../../README.md"),
        include_str!("../../../../../CHANGELOG.md"),
        include_str!("../../../../../LICENSE-APACHE"),
    ];
    let mut seen = 0;
    for word in texts
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphabetic()))
    {
        let word = word.to_ascii_lowercase();
        if !word.is_empty() {
            assert_eq!(english::stem(&word), stemmer.stem(&word), "{word}");
            seen += 1;
        }
    }
    assert!(seen > 3_000, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn stems_of_made_up_words_are_those_of_the_published_algorithm(
        start in "[a-z]{0,5}",
        middle in prop::sample::select(vec![
            "", "at", "bl", "iz", "tion", "al", "ic", "iv", "ous", "ful", "ent", "y", "ee", "ll",
            "gener", "commun", "arsen", "og", "log", "ess", "able", "ion",
        ]),
        ending in prop::sample::select(vec![
            "", "s", "es", "sses", "ied", "ies", "us", "ss", "eed", "eedly", "ed", "edly", "ing",
            "ingly", "y", "ational", "tional", "enci", "anci", "abli", "entli", "izer", "ization",
            "ation", "ator", "alism", "aliti", "alli", "fulness", "ousli", "ousness", "iveness",
            "iviti", "biliti", "bli", "ogi", "fulli", "lessli", "li", "alize", "icate", "iciti",
            "ical", "ness", "ful", "ative", "ement", "ment", "ance", "ence", "er", "ible", "ant",
            "ism", "ate", "iti", "ize", "sion", "e", "ell",
        ]),
    ) {
        let word = format!("{start}{middle}{ending}");
        let published = Stemmer::create(Algorithm::English).stem(&word).into_owned();
        prop_assert_eq!(english::stem(&word), published, "{}", word);
    }

    #[test]
    fn any_text_gives_bounded_words_and_never_more_than_its_characters_allow(text in any::<String>()) {
        let words = plain(&text);
        prop_assert!(words.len() <= 2 * text.len());
        prop_assert!(words.iter().all(|word| !word.is_empty() && word.chars().count() <= 2 * LONGEST));
        prop_assert_eq!(plain(&text), words);
    }
}
