//! Ranking over several indexes at once.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    string::String,
    vec::Vec,
};
use core::cmp::Ordering;

use super::{
    Boosts, Hit, Index, Method, Query, Ranked, keyword,
    part::{self, Best, Found, Part},
    vector::Wanted,
};
use crate::{ids::UnixMillis, order};

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
    let parts = part::parts(indexes);
    let admitted: Vec<Vec<bool>> = parts
        .iter()
        .map(|part| part.admitted(&query.filter))
        .collect();
    let by_words = match query.method {
        Method::Vector => Vec::new(),
        Method::Keyword => keyword::search(&parts, &admitted, query.text, query.limit),
        Method::Rrf | Method::Fused => keyword::search(&parts, &admitted, query.text, DEPTH),
    };
    let by_meaning = match query.method {
        Method::Keyword => Vec::new(),
        Method::Vector => vector(&parts, &admitted, query.vector, query.limit),
        Method::Rrf | Method::Fused => vector(&parts, &admitted, query.vector, DEPTH),
    };
    let mut found: BTreeMap<(usize, &str), (UnixMillis, Hit)> = BTreeMap::new();
    for (list, is_words) in [(by_words, true), (by_meaning, false)] {
        for (found_, rank) in list.into_iter().zip(1..) {
            let ranked = Ranked {
                rank,
                score: found_.score,
            };
            let Found { part, document, .. } = found_;
            let id = part.id(document);
            let (_, hit) = match found.entry((part.index, id)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert((part.at(document), new_hit(part.index, id))),
            };
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

fn new_hit(index: usize, id: &str) -> Hit {
    Hit {
        index,
        id: String::from(id),
        score: 0.0,
        keyword: None,
        vector: None,
        boosts: Boosts::default(),
    }
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

/// The `limit` closest to `wanted` in meaning: an exact scan in whole numbers, then what it found
/// again with the query as it is.
fn vector<'a>(
    parts: &[Part<'a>],
    admitted: &[Vec<bool>],
    wanted: Option<&[f32]>,
    limit: usize,
) -> Vec<Found<'a>> {
    let Some(wanted) = wanted.and_then(Wanted::new) else {
        return Vec::new();
    };
    let mut nearly = Best::new(limit);
    for (part, admitted) in parts.iter().zip(admitted) {
        for (admitted, document) in admitted.iter().zip(0..) {
            if *admitted
                && let Some(score) = part.estimate(document, &wanted)
                && score >= FLOOR
            {
                nearly.push(Found {
                    score,
                    part: *part,
                    document,
                });
            }
        }
    }
    let mut best = Best::new(limit);
    for found in nearly.into_list() {
        let score = found.part.cosine(found.document, &wanted).unwrap_or(0.0);
        best.push(Found { score, ..found });
    }
    best.into_list()
}
