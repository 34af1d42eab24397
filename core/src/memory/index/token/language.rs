//! Which language a text is in, by its commonest words, and stems in each.

use alloc::{string::String, vec::Vec};

use super::{english, turn};

/// A language whose endings are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
    German,
    Italian,
    Portuguese,
    Spanish,
}

use Language::{English, French, German, Italian, Portuguese, Spanish};

/// All of them, and words that few texts in each do without and few in the others have. Letters
/// without their marks.
const WORDS: [(Language, &str); 6] = [
    (
        English,
        " the and of to is was what that with for you my did does are have it who how where when his her this ",
    ),
    (
        French,
        " le les des est une et du que qui dans pour pas sur avec je il elle nous vous mon ma mes quel ou ",
    ),
    (
        German,
        " der die das und ist ein eine nicht ich mit auf fur den dem von zu wie wo wann wer mein meine hat wir ",
    ),
    (
        Italian,
        " il che di e una per non sono con gli della del mio mia dove chi come quando ho ha nel alla piu ",
    ),
    (
        Portuguese,
        " o que de e um uma nao para com os as do da em meu minha onde quem como quando foi eu voce no na ",
    ),
    (
        Spanish,
        " el que de y en un una los las del se no por con para mi donde quien como cuando es esta fue yo la ",
    ),
];

/// The language most of `words` speak for; none when they do not say.
pub(super) fn of(words: &[String]) -> Option<Language> {
    let mut best = (0, None);
    for (language, common) in WORDS {
        let speaks = |word: &&String| turn::lists(common, word);
        let count = words.iter().filter(speaks).count();
        match count.cmp(&best.0) {
            core::cmp::Ordering::Greater => best = (count, Some(language)),
            // Two that are as likely: not known.
            core::cmp::Ordering::Equal if count > 0 => best.1 = None,
            _ => {}
        }
    }
    best.1
}

/// Every stem that `word` may have in a text of any language, that of `language` first if it is
/// known.
pub(super) fn stems(word: &str, language: Option<Language>) -> Vec<String> {
    let languages: &[Language] = match language {
        Some(English) => &[English],
        // A text too short to tell was read as English.
        Some(French) => &[French, English],
        Some(German) => &[German, English],
        Some(Italian) => &[Italian, English],
        Some(Portuguese) => &[Portuguese, English],
        Some(Spanish) => &[Spanish, English],
        None => &[English, French, German, Italian, Portuguese, Spanish],
    };
    let mut stems: Vec<String> = Vec::new();
    for language in languages {
        let stem = stem(word, *language);
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    stems
}

/// What is left of `word`, in small letters without marks, when its ending is gone.
pub(super) fn stem(word: &str, language: Language) -> String {
    // Of each pair of lists, an ending of the first goes, then one of the second.
    let (first, second): (&[&str], &[&str]) = match language {
        English => return english::stem(word),
        French => (&["s", "x"], &["ee", "er", "ir", "e"]),
        German => (&["ern", "em", "en", "er", "es", "e"], &[]),
        Italian => (&["i", "e", "a", "o"], &[]),
        Portuguese => (&["oes", "aes", "s"], &["ao", "o", "a", "e"]),
        Spanish => (&["es", "s"], &["o", "a", "e"]),
    };
    let mut stem = word;
    for endings in [first, second] {
        let cut = endings
            .iter()
            .filter_map(|ending| stem.strip_suffix(ending));
        stem = cut.into_iter().find(|rest| rest.len() >= 3).unwrap_or(stem);
    }
    stem.into()
}
