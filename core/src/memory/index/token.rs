//! Texts as the words they are searched by.

use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use crate::letter;

/// The words of `text`, in order.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.chars()
                .flat_map(letter::lower_case)
                .collect::<String>()
        })
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.len() >= 3 && !stem.ends_with('s') => stem.into(),
            _ => word,
        })
        .filter(|word| !COMMON.contains(&word.as_str()))
}

/// The same, each once with how often it is there, in byte order.
pub(super) fn counted(text: &str) -> Vec<(Arc<str>, u32)> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for word in words(text) {
        *counts.entry(word).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(word, count)| (word.into(), count))
        .collect()
}

/// Words that say nothing about what a text is about.
const COMMON: [&str; 24] = [
    "a", "an", "and", "are", "at", "do", "for", "i", "in", "is", "it", "my", "of", "on", "or",
    "the", "to", "was", "what", "when", "where", "which", "who", "with",
];
