//! BM25: documents by the words they share with a query.

use alloc::{string::String, vec, vec::Vec};

use super::{
    math::ln,
    part::{Best, Found, Part},
    token,
};

/// How soon more of the same word stops counting.
const K1: f32 = 0.9;
/// How much less the words of a long text count.
const B: f32 = 0.4;

/// The `limit` best of the documents of `parts` that share a word with `text`; `admitted` says
/// which of them may be found.
///
/// The score is the sum of `rarity · count · (K1 + 1) / (count + K1 · (1 − B + B · length / average))`
/// over the shared words, where rarity is `ln(1 + (n − holders + 0.5) / (holders + 0.5))` for `n`
/// documents, admitted or not.
pub(super) fn search<'a>(
    parts: &[Part<'a>],
    admitted: &[Vec<bool>],
    text: &str,
    limit: usize,
) -> Vec<Found<'a>> {
    let documents: usize = parts.iter().map(|part| part.len()).sum();
    let length: u64 = parts.iter().map(|part| part.total_length()).sum();
    let average = (length as f64 / documents.max(1) as f64).max(1.0) as f32;
    let wanted = token::wanted(text);
    let terms: Vec<Term> = wanted
        .iter()
        .map(|stems| Term::new(stems, parts, documents))
        .collect();
    let mut best = Best::new(limit);
    for (at, (part, admitted)) in parts.iter().zip(admitted).enumerate() {
        let mut scores = vec![0.0_f32; part.slots() as usize];
        for term in &terms {
            for (document, count) in &term.holders[at] {
                let relative = part.length(*document) as f32 / average;
                let count = *count as f32;
                let worth = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * relative));
                scores[*document as usize] += term.rarity * worth;
            }
        }
        for (score, document) in scores.into_iter().zip(0..) {
            if score > 0.0 && admitted[document as usize] {
                best.push(Found {
                    score: f64::from(score),
                    part: *part,
                    document,
                });
            }
        }
    }
    best.into_list()
}

/// A word of the query.
struct Term {
    rarity: f32,
    /// Of each part, which documents hold it and how often.
    holders: Vec<Vec<(u32, u32)>>,
}

impl Term {
    fn new(stems: &[String], parts: &[Part<'_>], documents: usize) -> Self {
        let holders: Vec<_> = parts.iter().map(|part| holders(stems, *part)).collect();
        let held = holders.iter().map(Vec::len).sum::<usize>() as f64;
        let rarity = ln(1.0 + (documents as f64 - held + 0.5) / (held + 0.5)) as f32;
        Self { rarity, holders }
    }
}

/// The documents that hold any of `stems`, and how often all of them.
fn holders(stems: &[String], part: Part<'_>) -> Vec<(u32, u32)> {
    let mut lists = stems
        .iter()
        .map(|stem| part.postings(stem))
        .filter(|list| !list.is_empty());
    let mut all = lists.next().unwrap_or_default();
    for list in lists {
        for (document, count) in list {
            match all.binary_search_by_key(&document, |(known, _)| *known) {
                Ok(at) => all[at].1 += count,
                Err(at) => all.insert(at, (document, count)),
            }
        }
    }
    all
}
