//! What is searched: the segments and the tail of each index, one like another.

use alloc::{collections::BinaryHeap, vec::Vec};
use core::cmp::Ordering;

use super::{Filter, Index, segment::Segment, tail::Tail, vector::Wanted, words::partition};
use crate::ids::UnixMillis;

/// Documents, numbered from 0.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// Its place among the parts.
    pub(super) number: usize,
    /// Which of the searched indexes it belongs to.
    pub(super) index: usize,
    kind: Kind<'a>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Segment(&'a Segment),
    Tail(&'a Tail),
}

/// All parts of `indexes`.
pub(super) fn parts<'a>(indexes: &[&'a Index]) -> Vec<Part<'a>> {
    let kinds = |index: &&'a Index| {
        let segments = index.segments.iter().map(Kind::Segment);
        segments.chain([Kind::Tail(&index.tail)])
    };
    let all = indexes.iter().enumerate();
    let all = all.flat_map(|(number, index)| kinds(index).map(move |kind| (number, kind)));
    let part = |(number, (index, kind))| Part {
        number,
        index,
        kind,
    };
    all.enumerate().map(part).collect()
}

impl<'a> Part<'a> {
    /// Numbers of documents, those of documents that are gone among them.
    pub(super) fn slots(self) -> u32 {
        match self.kind {
            Kind::Segment(segment) => segment.words.documents(),
            Kind::Tail(tail) => tail.slots(),
        }
    }

    /// How many documents there are.
    pub(super) fn len(self) -> usize {
        match self.kind {
            Kind::Segment(segment) => segment.len(),
            Kind::Tail(tail) => tail.len(),
        }
    }

    /// Words of all documents.
    pub(super) fn total_length(self) -> u64 {
        match self.kind {
            Kind::Segment(segment) => segment.length(),
            Kind::Tail(tail) => tail.length(),
        }
    }

    /// Which documents there are that `filter` admits.
    pub(super) fn admitted(self, filter: &Filter) -> Vec<bool> {
        match self.kind {
            Kind::Tail(tail) => tail.admitted(filter),
            Kind::Segment(segment) if *filter == Filter::default() => (0..self.slots())
                .map(|document| segment.lives(document))
                .collect(),
            Kind::Segment(segment) => {
                let mut admitted = segment.words.admitted(filter);
                for (admitted, document) in admitted.iter_mut().zip(0..) {
                    *admitted &= segment.lives(document);
                }
                admitted
            }
        }
    }

    /// The documents that hold the term, and how often.
    pub(super) fn postings(self, term: &str) -> Vec<(u32, u32)> {
        match self.kind {
            Kind::Tail(tail) => tail.postings(term).collect(),
            Kind::Segment(segment) => {
                let Some(term) = segment.words.term(term) else {
                    return Vec::new();
                };
                let all = segment.words.postings(term);
                match segment.is_whole() {
                    true => all.collect(),
                    false => all
                        .filter(|(document, _)| segment.lives(*document))
                        .collect(),
                }
            }
        }
    }

    /// Words of the document.
    pub(super) fn length(self, document: u32) -> u32 {
        match self.kind {
            Kind::Segment(segment) => segment.words.length(document),
            Kind::Tail(tail) => tail.slot(document).map_or(0, |(_, owned)| owned.length),
        }
    }

    pub(super) fn id(self, document: u32) -> &'a str {
        match self.kind {
            Kind::Segment(segment) => segment.words.id(document),
            Kind::Tail(tail) => tail.slot(document).map_or("", |(id, _)| id),
        }
    }

    pub(super) fn at(self, document: u32) -> UnixMillis {
        match self.kind {
            Kind::Segment(segment) => segment.words.at(document),
            Kind::Tail(tail) => tail
                .slot(document)
                .map_or(UnixMillis(0), |(_, owned)| owned.at),
        }
    }

    pub(super) fn source(self, document: u32) -> &'a str {
        match self.kind {
            Kind::Segment(segment) => segment.words.source(document),
            Kind::Tail(tail) => tail.slot(document).map_or("", |(_, owned)| &owned.source),
        }
    }

    /// Who speaks in it; empty when it is no turn of a conversation.
    pub(super) fn speaker(self, document: u32) -> &'a str {
        match self.kind {
            Kind::Segment(segment) => segment.words.speaker(document),
            Kind::Tail(tail) => tail.slot(document).map_or("", |(_, owned)| &owned.speaker),
        }
    }

    /// Whether it tells a time.
    pub(super) fn tells_time(self, document: u32) -> bool {
        match self.kind {
            Kind::Segment(segment) => segment.words.tells_time(document),
            Kind::Tail(tail) => tail
                .slot(document)
                .is_some_and(|(_, owned)| owned.tells_time),
        }
    }

    /// The turns of `source` nearest before and behind the place of time and id, two of each at
    /// most, the nearest first.
    pub(super) fn around(self, source: &str, place: (UnixMillis, &str)) -> [Vec<u32>; 2] {
        match self.kind {
            Kind::Segment(segment) => {
                let words = &segment.words;
                let turns = words.turns();
                let turn = |at: u32| u32::from_le_bytes(turns[at as usize]);
                let of = |document: u32| {
                    (
                        words.source(document),
                        words.at(document),
                        words.id(document),
                    )
                };
                let (at, id) = place;
                let count = turns.len() as u32;
                let start = partition(count, |n| of(turn(n)) < (source, at, id));
                let near =
                    |document: &u32| segment.lives(*document) && words.source(*document) == source;
                let before = (0..start)
                    .rev()
                    .map(turn)
                    .take_while(|n| words.source(*n) == source);
                let behind = (start..count)
                    .map(turn)
                    .filter(|n| words.id(*n) != id || words.at(*n) != at);
                let behind = behind.take_while(|n| words.source(*n) == source);
                [
                    before.filter(near).take(2).collect(),
                    behind.filter(near).take(2).collect(),
                ]
            }
            Kind::Tail(tail) => tail.around(source, place),
        }
    }

    /// The document's vector, when it has as many numbers as the one that is wanted.
    fn vector(self, document: u32, dimensions: usize) -> Option<(&'a [u8], f32)> {
        let (numbers, scale) = match self.kind {
            Kind::Tail(tail) => {
                let vector = tail.slot(document)?.1.vector.as_ref()?;
                (&*vector.numbers, vector.scale)
            }
            Kind::Segment(segment) => {
                let vectors = segment.vectors.as_ref()?;
                (vectors.numbers(document), vectors.scale(document))
            }
        };
        (scale > 0.0 && numbers.len() == dimensions).then_some((numbers, scale))
    }

    /// The cosine of the angle between what is wanted and the document's vector, nearly.
    pub(super) fn estimate(self, document: u32, wanted: &Wanted<'_>) -> Option<f32> {
        let (numbers, scale) = self.vector(document, wanted.dimensions())?;
        Some(wanted.estimate(numbers, scale))
    }

    /// The cosine of the angle between what is wanted and the document's vector.
    pub(super) fn cosine(self, document: u32, wanted: &Wanted<'_>) -> Option<f32> {
        let (numbers, scale) = self.vector(document, wanted.dimensions())?;
        Some(wanted.cosine(numbers, scale))
    }
}

/// A document that was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) score: f64,
    pub(super) part: Part<'a>,
    pub(super) document: u32,
}

impl Found<'_> {
    /// Where it comes in a list: the highest score first, then the newest, then by id.
    fn order(&self, other: &Self) -> Ordering {
        let later = || {
            other
                .part
                .at(other.document)
                .cmp(&self.part.at(self.document))
        };
        let id = || {
            self.part
                .id(self.document)
                .cmp(other.part.id(other.document))
        };
        let order = other
            .score
            .total_cmp(&self.score)
            .then_with(later)
            .then_with(id);
        order.then(self.part.index.cmp(&other.part.index))
    }
}

impl PartialEq for Found<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl Eq for Found<'_> {}

impl PartialOrd for Found<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

/// The best of what is found, at most so many.
pub(super) struct Best<'a> {
    limit: usize,
    /// The worst of them first.
    heap: BinaryHeap<Found<'a>>,
}

impl<'a> Best<'a> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            heap: BinaryHeap::new(),
        }
    }

    pub(super) fn push(&mut self, found: Found<'a>) {
        if self.heap.len() < self.limit {
            self.heap.push(found);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && found < *worst
        {
            *worst = found;
        }
    }

    /// Best first.
    pub(super) fn into_list(self) -> Vec<Found<'a>> {
        self.heap.into_sorted_vec()
    }
}
