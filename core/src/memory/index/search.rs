//! Ranking over several indexes at once.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use super::{
    Boosts, Hit, Index, Method, Query, Ranked, keyword,
    part::{self, Best, Found, Part},
    token,
    vector::Wanted,
    workers::{InTurn, Piece, Workers},
};
use crate::order;

/// Reciprocal rank fusion's constant.
const RRF: f64 = 60.0;
/// The least cosine of a match by meaning alone. Texts of made-up words stay below it; what is
/// meant by a question is above it nine times out of ten.
pub(super) const FLOOR: f32 = 0.3;
/// Places of each list that are fused.
const DEPTH: usize = 500;

/// Documents that are worth a piece of work: to compare so many takes longer than to wake a worker.
const WORTH_SHARING: usize = if cfg!(test) { 16 } else { 16_384 };

/// How much words and meaning count, each as a part of the best in its list.
const WORDS: f32 = 0.55;
const MEANING: f32 = 0.45;
/// How many of the best lend of their score to the turns of the conversation around them.
const LENDERS: usize = 32;
/// What the turns before it get, and those behind it, the nearest first.
const LENT: [[f32; 2]; 2] = [[0.15, 0.05], [0.3, 0.15]];
/// What a turn gets whose speaker the query names.
const SPEAKER: f32 = 0.06;
/// What a text gets that tells a time, when the query asks for one.
const TIME: f32 = 0.12;

/// The documents of `indexes` that match `query`, the best first; equal ones by time, the newest
/// first, then by id.
///
/// A document that has no word of the query and is not close to it in meaning is not among them.
#[must_use]
pub fn search(indexes: &[&Index], query: &Query<'_>) -> Vec<Hit> {
    search_with(indexes, query, &InTurn)
}

/// The same, with the work done by `workers`: the hits are the same whoever they are.
#[must_use]
pub fn search_with(indexes: &[&Index], query: &Query<'_>, workers: &dyn Workers) -> Vec<Hit> {
    let parts = part::parts(indexes);
    let admitted: Vec<Vec<bool>> = parts
        .iter()
        .map(|part| part.admitted(&query.filter))
        .collect();
    let depth = match query.method {
        Method::Keyword | Method::Vector => query.limit,
        Method::Rrf | Method::Fused => DEPTH.max(query.limit),
    };
    let wanted = query.vector;
    let wanted = wanted.and_then(|vector| Wanted::new(vector, workers.dot()));
    let (by_words, by_meaning) = lists(&parts, &admitted, query, wanted.as_ref(), depth, workers);
    let mut candidates = Candidates::new(&parts);
    candidates.list(by_words, |candidate| &mut candidate.keyword);
    candidates.list(by_meaning, |candidate| &mut candidate.vector);
    if query.method == Method::Fused {
        candidates.fuse(query, wanted.as_ref());
    }
    candidates.into_hits(query)
}

/// What matches by words and what by meaning, at most `limit` of each. Where there is enough of it,
/// the work is cut into pieces: one for the words, which is short and comes first, the others for
/// vectors.
fn lists<'a>(
    parts: &[Part<'a>],
    admitted: &[Vec<bool>],
    query: &Query<'_>,
    wanted: Option<&Wanted<'_>>,
    limit: usize,
    workers: &dyn Workers,
) -> (Vec<Found<'a>>, Vec<Found<'a>>) {
    let wanted = wanted.filter(|_| query.method != Method::Keyword);
    let documents: usize = parts.iter().map(|part| part.len()).sum();
    let count = match workers.count() {
        1 => 1,
        _ => (documents / WORTH_SHARING).max(1),
    };
    let mut by_words = Vec::new();
    let mut nearly: Vec<Vec<Found<'a>>> = (0..count).map(|_| Vec::new()).collect();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    if query.method != Method::Vector {
        let by_words = &mut by_words;
        pieces.push(Box::new(move || {
            *by_words = keyword::search(parts, admitted, query.text, limit);
        }));
    }
    if let Some(wanted) = wanted {
        let share = parts.len().div_ceil(count).max(1);
        let shares = parts.chunks(share).zip(admitted.chunks(share));
        for ((parts, admitted), nearly) in shares.zip(&mut nearly) {
            pieces.push(Box::new(move || {
                *nearly = close(parts, admitted, wanted, limit);
            }));
        }
    }
    match count {
        1 => InTurn.run(pieces),
        _ => workers.run(pieces),
    }
    let by_meaning = wanted.map_or_else(Vec::new, |wanted| closest(nearly, wanted, limit));
    (by_words, by_meaning)
}

/// The `limit` closest of what a scan in whole numbers found, ranked with the query as it is.
fn closest<'a>(nearly: Vec<Vec<Found<'a>>>, wanted: &Wanted<'_>, limit: usize) -> Vec<Found<'a>> {
    let mut all = Best::new(limit);
    for found in nearly.into_iter().flatten() {
        all.push(found);
    }
    let mut best = Best::new(limit);
    for found in all.into_list() {
        let score = found.part.cosine(found.document, wanted);
        best.push(Found {
            score: f64::from(score.unwrap_or(0.0)),
            ..found
        });
    }
    best.into_list()
}

/// The `limit` closest of some parts, by whole numbers.
fn close<'a>(
    parts: &[Part<'a>],
    admitted: &[Vec<bool>],
    wanted: &Wanted<'_>,
    limit: usize,
) -> Vec<Found<'a>> {
    let mut nearly = Best::new(limit);
    for (part, admitted) in parts.iter().zip(admitted) {
        for (admitted, document) in admitted.iter().zip(0..) {
            if *admitted
                && let Some(score) = part.estimate(document, wanted)
                && score >= FLOOR
            {
                nearly.push(Found {
                    score: f64::from(score),
                    part: *part,
                    document,
                });
            }
        }
    }
    nearly.into_list()
}

/// What was found in any list.
struct Candidates<'p, 'a> {
    parts: &'p [Part<'a>],
    /// By part and document.
    found: BTreeMap<(usize, u32), Candidate>,
}

#[derive(Clone, Copy, Default)]
struct Candidate {
    keyword: Option<Ranked>,
    vector: Option<Ranked>,
    boosts: Boosts,
    /// From words and meaning.
    base: f32,
}

impl<'p, 'a> Candidates<'p, 'a> {
    fn new(parts: &'p [Part<'a>]) -> Self {
        Self {
            parts,
            found: BTreeMap::new(),
        }
    }

    fn list(
        &mut self,
        list: Vec<Found<'a>>,
        place: impl Fn(&mut Candidate) -> &mut Option<Ranked>,
    ) {
        for (found, rank) in list.into_iter().zip(1..) {
            let candidate = self
                .found
                .entry((found.part.number, found.document))
                .or_default();
            *place(candidate) = Some(Ranked {
                rank,
                score: found.score as f32,
            });
        }
    }

    fn fuse(&mut self, query: &Query<'_>, wanted: Option<&Wanted<'_>>) {
        let best = |of: fn(&Candidate) -> Option<Ranked>| {
            let scores = self
                .found
                .values()
                .filter_map(of)
                .map(|ranked| ranked.score);
            scores.fold(f32::MIN_POSITIVE, f32::max)
        };
        let most_words = best(|candidate| candidate.keyword);
        let most_meaning = best(|candidate| candidate.vector).max(FLOOR);
        let words = token::plain(query.text);
        let asks_time = token::asks_time(&words);
        for ((part, document), candidate) in &mut self.found {
            let part = self.parts[*part];
            if candidate.vector.is_none() {
                let cosine = wanted.and_then(|wanted| part.estimate(*document, wanted));
                candidate.boosts.meaning = MEANING * cosine.unwrap_or(0.0).max(0.0) / most_meaning;
            }
            let part_of =
                |ranked: Option<Ranked>, most: f32| ranked.map_or(0.0, |r| r.score / most);
            candidate.base = WORDS * part_of(candidate.keyword, most_words)
                + MEANING * part_of(candidate.vector, most_meaning)
                + candidate.boosts.meaning;
            let speaker = part.speaker(*document);
            if speaker
                .split(' ')
                .any(|name| name.len() > 1 && words.iter().any(|word| word == name))
            {
                candidate.boosts.speaker = SPEAKER;
            }
            if asks_time && part.tells_time(*document) {
                candidate.boosts.time = TIME;
            }
        }
        self.lend();
    }

    /// Gives turns of a conversation of what those around them have.
    fn lend(&mut self) {
        let mut lenders = Best::new(LENDERS);
        for ((part, document), candidate) in &self.found {
            let part = self.parts[*part];
            if !part.speaker(*document).is_empty() && !part.source(*document).is_empty() {
                lenders.push(Found {
                    score: f64::from(candidate.base),
                    part,
                    document: *document,
                });
            }
        }
        for lender in lenders.into_list() {
            let place = (
                lender.part.at(lender.document),
                lender.part.id(lender.document),
            );
            let source = lender.part.source(lender.document);
            let mut around: [Vec<(usize, u32)>; 2] = [Vec::new(), Vec::new()];
            for part in self
                .parts
                .iter()
                .filter(|part| part.index == lender.part.index)
            {
                for (all, here) in around.iter_mut().zip(part.around(source, place)) {
                    all.extend(here.into_iter().map(|document| (part.number, document)));
                }
            }
            for ((turns, lent), is_behind) in around.iter_mut().zip(LENT).zip([false, true]) {
                let place = |(part, document): &(usize, u32)| {
                    let part = self.parts[*part];
                    (part.at(*document), part.id(*document))
                };
                order::sort_by(turns, |a, b| {
                    (place(a) < place(b)) == is_behind && place(a) != place(b)
                });
                for (turn, lent) in turns.iter().zip(lent) {
                    if let Some(candidate) = self.found.get_mut(turn) {
                        candidate.boosts.neighbours += lent * lender.score as f32;
                    }
                }
            }
        }
    }

    fn into_hits(self, query: &Query<'_>) -> Vec<Hit> {
        let mut best = Best::new(query.limit);
        for ((part, document), candidate) in &self.found {
            best.push(Found {
                score: score(query.method, candidate),
                part: self.parts[*part],
                document: *document,
            });
        }
        let hit = |found: Found<'_>| {
            let place = (found.part.number, found.document);
            let candidate = self.found.get(&place).copied().unwrap_or_default();
            Hit {
                index: found.part.index,
                id: String::from(found.part.id(found.document)),
                score: found.score,
                keyword: candidate.keyword,
                vector: candidate.vector,
                boosts: candidate.boosts,
            }
        };
        best.into_list().into_iter().map(hit).collect()
    }
}

fn score(method: Method, candidate: &Candidate) -> f64 {
    let Candidate {
        keyword,
        vector,
        boosts,
        base,
    } = candidate;
    let plain = |ranked: &Option<Ranked>| ranked.map_or(0.0, |r| f64::from(r.score));
    let reciprocal =
        |ranked: &Option<Ranked>| ranked.map_or(0.0, |r| 1.0 / (RRF + f64::from(r.rank)));
    match method {
        Method::Keyword => plain(keyword),
        Method::Vector => plain(vector),
        Method::Rrf => reciprocal(keyword) + reciprocal(vector),
        Method::Fused => f64::from(base + boosts.neighbours + boosts.speaker + boosts.time),
    }
}
