//! Ranking over several indexes at once.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::cmp::Ordering;

use super::{Boosts, Hit, Index, Method, Query, Ranked, math::ln, token};
use crate::{ids::UnixMillis, order};

/// How fast more of the same word stops counting.
const K1: f32 = 1.2;
/// How much a long text's words count less.
const B: f32 = 0.75;
/// Reciprocal rank fusion's constant.
const RRF: f64 = 60.0;
/// A vector further off than this is no match.
const FLOOR: f32 = 0.25;
/// Places of each list that are fused.
const DEPTH: usize = 1_000;

/// The documents of `indexes` that match `query`, the best first; equal ones by time, the newest
/// first, then by id.
///
/// A document that has no word of the query and is not close to it in meaning is not among them.
#[must_use]
pub fn search(indexes: &[&Index], query: &Query<'_>) -> Vec<Hit> {
    let by_words = match query.method {
        Method::Vector => Vec::new(),
        _ => keyword(indexes, query),
    };
    let by_meaning = match query.method {
        Method::Keyword => Vec::new(),
        _ => vector(indexes, query),
    };
    let mut found: BTreeMap<(usize, &str), (UnixMillis, Hit)> = BTreeMap::new();
    for (list, is_words) in [(by_words, true), (by_meaning, false)] {
        for (place, (score, candidate)) in list.into_iter().enumerate() {
            let ranked = Ranked {
                rank: place as u32 + 1,
                score,
            };
            let empty = || {
                let hit = Hit {
                    index: candidate.index,
                    id: candidate.id.into(),
                    score: 0.0,
                    keyword: None,
                    vector: None,
                    boosts: Boosts::default(),
                };
                (candidate.at, hit)
            };
            let (_, hit) = found
                .entry((candidate.index, candidate.id))
                .or_insert_with(empty);
            match is_words {
                true => hit.keyword = Some(ranked),
                false => hit.vector = Some(ranked),
            }
        }
    }
    let mut hits: Vec<(UnixMillis, Hit)> = found.into_values().collect();
    for (_, hit) in &mut hits {
        hit.score = score(query.method, hit);
    }
    order::sort_by(&mut hits, |(a_at, a), (b_at, b)| {
        let order = b
            .score
            .total_cmp(&a.score)
            .then(b_at.cmp(a_at))
            .then(a.id.cmp(&b.id));
        order == Ordering::Less
    });
    hits.truncate(query.limit);
    hits.into_iter().map(|(_, hit)| hit).collect()
}

fn score(method: Method, hit: &Hit) -> f64 {
    let reciprocal =
        |ranked: Option<Ranked>| ranked.map_or(0.0, |r| 1.0 / (RRF + f64::from(r.rank)));
    let plain = |ranked: Option<Ranked>| ranked.map_or(0.0, |r| f64::from(r.score));
    match method {
        Method::Keyword => plain(hit.keyword),
        Method::Vector => plain(hit.vector),
        Method::Rrf | Method::Fused => reciprocal(hit.keyword) + reciprocal(hit.vector),
    }
}

#[derive(Clone, Copy)]
struct Candidate<'a> {
    index: usize,
    id: &'a str,
    at: UnixMillis,
}

fn keyword<'a>(indexes: &[&'a Index], query: &Query<'_>) -> Vec<(f32, Candidate<'a>)> {
    let terms: Vec<String> = token::counted(query.text)
        .into_iter()
        .map(|(word, _)| word)
        .collect();
    let documents = || {
        indexes.iter().enumerate().flat_map(|(at, index)| {
            index
                .tail
                .iter()
                .map(move |(id, document)| (at, id, document))
        })
    };
    let total = documents().count();
    let length: u64 = documents()
        .map(|(_, _, document)| u64::from(document.length))
        .sum();
    let average = (length as f32 / total.max(1) as f32).max(1.0);
    let mut scores: BTreeMap<(usize, &str), (f32, Candidate<'a>)> = BTreeMap::new();
    for term in &terms {
        let holding: Vec<_> = documents()
            .filter_map(|(index, id, document)| {
                let at = document
                    .words
                    .binary_search_by(|(word, _)| word.cmp(term))
                    .ok()?;
                Some((index, id, document, document.words[at].1))
            })
            .collect();
        let holders = holding.len() as f64;
        let rarity = ln(1.0 + (total as f64 - holders + 0.5) / (holders + 0.5)) as f32;
        for (index, id, document, count) in holding {
            if !query.filter.admits(&document.facets()) {
                continue;
            }
            let count = count as f32;
            let norm = K1 * (1.0 - B + B * document.length as f32 / average);
            let candidate = Candidate {
                index,
                id,
                at: document.facets().at,
            };
            let entry = scores.entry((index, id)).or_insert((0.0, candidate));
            entry.0 += rarity * count * (K1 + 1.0) / (count + norm);
        }
    }
    best(scores.into_values().collect())
}

fn vector<'a>(indexes: &[&'a Index], query: &Query<'_>) -> Vec<(f32, Candidate<'a>)> {
    let Some(wanted) = query.vector else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (index, searched) in indexes.iter().enumerate() {
        for (id, document) in searched.tail.iter() {
            let facets = document.facets();
            let Some(vector) = &document.vector else {
                continue;
            };
            if vector.numbers.len() != wanted.len() || !query.filter.admits(&facets) {
                continue;
            }
            let cosine = vector.cosine(wanted);
            if cosine >= FLOOR {
                found.push((
                    cosine,
                    Candidate {
                        index,
                        id,
                        at: facets.at,
                    },
                ));
            }
        }
    }
    best(found)
}

fn best(mut found: Vec<(f32, Candidate<'_>)>) -> Vec<(f32, Candidate<'_>)> {
    order::sort_by(&mut found, |(a_score, a), (b_score, b)| {
        let order = b_score
            .total_cmp(a_score)
            .then(b.at.cmp(&a.at))
            .then((a.id, a.index).cmp(&(b.id, b.index)));
        order == Ordering::Less
    });
    found.truncate(DEPTH);
    found
}
