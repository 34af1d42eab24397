//! The half of a segment that holds documents and the words in them, read in place.
//!
//! ```text
//! u32 documents, terms, names                how many of each
//! u32 …                                      where each of the tables begins
//! documents   56 bytes each, by id
//! ids         text of all, and where each ends
//! names       namespaces, kinds, sources and tags: text of all, and where each ends
//! tags        of all documents, as numbers of names
//! terms       in byte order: text of all, and where each ends
//! postings    of all terms, and where each ends: document steps and counts
//! ```
//!
//! Invariant: what [`Words::open`] let pass never makes a read go wrong, whatever the bytes are: a
//! number that points outside reads as nothing.

use alloc::{borrow::ToOwned as _, collections::BTreeMap, string::String, sync::Arc, vec::Vec};
use core::ops::Range;

use super::{
    Filter, TextHash,
    bytes::{self, HEAD, push_varint, take_varint, u32_at, u64_at},
    store::IndexError,
    tail::Owned,
};
use crate::ids::UnixMillis;

const MAGIC: [u8; 8] = *b"TAUWORDS";
/// Bytes of a document's line.
const LINE: usize = 56;
/// Where the tables' places stand.
const PLACES: usize = HEAD + 12;
/// How many tables there are.
const TABLES: usize = 11;

/// Documents and their words.
#[derive(Clone, Debug)]
pub(super) struct Words {
    bytes: Arc<[u8]>,
    documents: u32,
    terms: u32,
    names: u32,
}

/// Which table.
#[derive(Clone, Copy)]
enum Table {
    Lines = 0,
    IdEnds = 1,
    Ids = 2,
    NameEnds = 3,
    Names = 4,
    Tags = 5,
    TermEnds = 6,
    Terms = 7,
    Holders = 8,
    PostingEnds = 9,
    Postings = 10,
}

/// Builds the bytes of a segment of `documents`, which are in order of their ids.
pub(super) fn build(documents: &[(&str, &Owned)]) -> Arc<[u8]> {
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    let mut terms: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
    for (number, (_, document)) in documents.iter().enumerate() {
        let facets = document.facets();
        for name in [facets.namespace, facets.kind, facets.source] {
            names.entry(name).or_default();
        }
        for tag in facets.tags {
            names.entry(tag).or_default();
        }
        for (term, count) in &document.words {
            terms.entry(term).or_default().push((number as u32, *count));
        }
    }
    for (number, value) in names.values_mut().enumerate() {
        *value = number as u32;
    }
    let (mut lines, mut tags) = (Vec::new(), Vec::new());
    for (_, document) in documents {
        let facets = document.facets();
        lines.extend_from_slice(&document.hash.0);
        lines.extend_from_slice(&facets.at.0.to_le_bytes());
        let first_tag = tags.len() as u32 / 4;
        for tag in facets.tags {
            push_u32(&mut tags, names[tag.as_str()]);
        }
        for number in [
            names[facets.namespace],
            names[facets.kind],
            names[facets.source],
            first_tag,
            facets.tags.len() as u32,
            document.length,
            u32::from(facets.importance),
            0,
        ] {
            push_u32(&mut lines, number);
        }
    }
    let (id_ends, ids) = texts(documents.iter().map(|(id, _)| *id));
    let (name_ends, names_text) = texts(names.keys().copied());
    let (term_ends, terms_text) = texts(terms.keys().copied());
    let (mut holders, mut posting_ends, mut postings) = (Vec::new(), Vec::new(), Vec::new());
    for list in terms.values() {
        let mut next = 0;
        for (document, count) in list {
            // Most counts are 1: that is one bit of the step.
            push_varint(
                &mut postings,
                (document - next) << 1 | u32::from(*count == 1),
            );
            if *count != 1 {
                push_varint(&mut postings, *count);
            }
            next = document + 1;
        }
        push_u32(&mut holders, list.len() as u32);
        push_u32(&mut posting_ends, postings.len() as u32);
    }
    let tables = [
        lines,
        id_ends,
        ids,
        name_ends,
        names_text,
        tags,
        term_ends,
        terms_text,
        holders,
        posting_ends,
        postings,
    ];
    let mut bytes = bytes::begin(MAGIC);
    for count in [documents.len(), terms.len(), names.len()] {
        push_u32(&mut bytes, count as u32);
    }
    let mut place = PLACES + 4 * TABLES;
    for table in &tables {
        push_u32(&mut bytes, place as u32);
        place += table.len();
    }
    for table in tables {
        bytes.extend_from_slice(&table);
    }
    bytes::seal(bytes)
}

fn push_u32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Where each text ends, and all of them.
fn texts<'a>(all: impl Iterator<Item = &'a str>) -> (Vec<u8>, Vec<u8>) {
    let (mut ends, mut texts) = (Vec::new(), Vec::new());
    for text in all {
        texts.extend_from_slice(text.as_bytes());
        push_u32(&mut ends, texts.len() as u32);
    }
    (ends, texts)
}

impl Words {
    /// Reads a row of a store.
    pub(super) fn open(key: &str, bytes: Arc<[u8]>) -> Result<Self, IndexError> {
        bytes::check(key, &bytes, MAGIC)?;
        let count = |at: usize| u32_at(&bytes, HEAD + 4 * at);
        let words = Self {
            documents: count(0),
            terms: count(1),
            names: count(2),
            bytes: bytes.clone(),
        };
        let whole = |table: Table, items: u32, size: usize| {
            words.table(table).len() as u64 == u64::from(items) * size as u64
        };
        let fits = whole(Table::Lines, words.documents, LINE)
            && whole(Table::IdEnds, words.documents, 4)
            && whole(Table::NameEnds, words.names, 4)
            && whole(Table::TermEnds, words.terms, 4)
            && whole(Table::Holders, words.terms, 4)
            && whole(Table::PostingEnds, words.terms, 4);
        match fits {
            true => Ok(words),
            false => Err(IndexError::Damaged {
                key: key.into(),
                detail: "its tables do not fit".into(),
            }),
        }
    }

    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// How many documents there are.
    pub(super) fn documents(&self) -> u32 {
        self.documents
    }

    fn table(&self, table: Table) -> &[u8] {
        let place = |table: usize| match table {
            TABLES => self.bytes.len(),
            _ => u32_at(&self.bytes, PLACES + 4 * table) as usize,
        };
        let at = table as usize;
        self.bytes.get(place(at)..place(at + 1)).unwrap_or_default()
    }

    /// The bytes of item `number` of a table of texts.
    fn item(&self, ends: Table, texts: Table, number: u32) -> &[u8] {
        let ends = self.table(ends);
        let start = match number {
            0 => 0,
            _ => u32_at(ends, 4 * (number as usize - 1)) as usize,
        };
        let end = u32_at(ends, 4 * number as usize) as usize;
        self.table(texts).get(start..end).unwrap_or_default()
    }

    fn name(&self, number: u32) -> &str {
        str::from_utf8(self.item(Table::NameEnds, Table::Names, number)).unwrap_or_default()
    }

    fn line(&self, document: u32) -> &[u8] {
        let start = document as usize * LINE;
        self.table(Table::Lines)
            .get(start..start + LINE)
            .unwrap_or_default()
    }

    /// Item `at` of the numbers of a document's line.
    fn number(&self, document: u32, at: usize) -> u32 {
        u32_at(self.line(document), 24 + 4 * at)
    }

    pub(super) fn id(&self, document: u32) -> &str {
        str::from_utf8(self.item(Table::IdEnds, Table::Ids, document)).unwrap_or_default()
    }

    pub(super) fn at(&self, document: u32) -> UnixMillis {
        UnixMillis(u64_at(self.line(document), 16))
    }

    pub(super) fn source(&self, document: u32) -> &str {
        self.name(self.number(document, 2))
    }

    /// Words of the document, all together.
    pub(super) fn length(&self, document: u32) -> u32 {
        self.number(document, 5)
    }

    pub(super) fn hash(&self, document: u32) -> TextHash {
        let bytes = self.line(document).first_chunk::<16>();
        TextHash(bytes.copied().unwrap_or_default())
    }

    fn tags(&self, document: u32) -> impl Iterator<Item = u32> {
        let (first, count) = (
            self.number(document, 3) as usize,
            self.number(document, 4) as usize,
        );
        let tags = self.table(Table::Tags);
        let tags = tags
            .get(first.saturating_mul(4)..first.saturating_add(count).saturating_mul(4))
            .unwrap_or_default();
        tags.as_chunks::<4>()
            .0
            .iter()
            .map(|tag| u32::from_le_bytes(*tag))
    }

    /// The document with this id.
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        let at = partition(self.documents, |document| {
            self.item(Table::IdEnds, Table::Ids, document) < id.as_bytes()
        });
        (at < self.documents && self.id(at) == id).then_some(at)
    }

    /// The term with this text.
    pub(super) fn term(&self, text: &str) -> Option<u32> {
        let item = |term| self.item(Table::TermEnds, Table::Terms, term);
        let at = partition(self.terms, |term| item(term) < text.as_bytes());
        (at < self.terms && item(at) == text.as_bytes()).then_some(at)
    }

    /// How many documents hold the term, those that are gone among them.
    pub(super) fn holders(&self, term: u32) -> u32 {
        u32_at(self.table(Table::Holders), 4 * term as usize)
    }

    /// The documents that hold the term and how often, in order.
    pub(super) fn postings(&self, term: u32) -> impl Iterator<Item = (u32, u32)> {
        let mut rest = self.item(Table::PostingEnds, Table::Postings, term);
        let mut next = 0_u32;
        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let step = take_varint(&mut rest);
            let count = match step & 1 {
                1 => 1,
                _ => take_varint(&mut rest),
            };
            let document = next.saturating_add(step >> 1);
            next = document.saturating_add(1);
            (document < self.documents).then_some((document, count))
        })
    }

    /// Which documents `filter` admits.
    pub(super) fn admitted(&self, filter: &Filter) -> Vec<bool> {
        let names = |admits: &dyn Fn(&str) -> bool| -> Vec<bool> {
            (0..self.names)
                .map(|name| admits(self.name(name)))
                .collect()
        };
        let has = |set: &[bool], name: u32| set.get(name as usize).copied().unwrap_or(false);
        let namespaces = names(&|name| filter.admits_namespace(name));
        let kinds = names(&|name| filter.kind.as_ref().is_none_or(|kind| kind == name));
        let sources = names(&|name| filter.source.as_ref().is_none_or(|source| source == name));
        let tags: Vec<Vec<bool>> = filter
            .tags
            .iter()
            .map(|tag| names(&|name| name == tag))
            .collect();
        let admits = |document: u32| {
            let number = |at| self.number(document, at);
            has(&namespaces, number(0))
                && has(&kinds, number(1))
                && has(&sources, number(2))
                && filter.admits_time(self.at(document))
                && filter
                    .min_importance
                    .is_none_or(|least| u32::from(least) <= number(6))
                && tags
                    .iter()
                    .all(|tag| self.tags(document).any(|name| has(tag, name)))
        };
        (0..self.documents).map(admits).collect()
    }

    /// The documents as they were put, without their vectors; those for which `lives` is false
    /// are left out.
    pub(super) fn unpack(&self, lives: impl Fn(u32) -> bool) -> Vec<(u32, String, Owned)> {
        let mut words: Vec<Vec<(Arc<str>, u32)>> = alloc::vec![Vec::new(); self.documents as usize];
        for term in 0..self.terms {
            let text = str::from_utf8(self.item(Table::TermEnds, Table::Terms, term));
            let text: Arc<str> = text.unwrap_or_default().into();
            for (document, count) in self.postings(term) {
                words[document as usize].push((text.clone(), count));
            }
        }
        let unpacked = words
            .into_iter()
            .zip(0..)
            .filter(|(_, document)| lives(*document));
        let unpacked = unpacked.map(|(words, document)| {
            let number = |at| self.number(document, at);
            let tags: Vec<String> = self
                .tags(document)
                .map(|tag| self.name(tag).to_owned())
                .collect();
            let owned = Owned {
                hash: self.hash(document),
                words,
                length: self.length(document),
                vector: None,
                namespace: self.name(number(0)).into(),
                kind: self.name(number(1)).into(),
                tags: tags.into(),
                source: self.name(number(2)).into(),
                at: self.at(document),
                importance: number(6) as u8,
            };
            (document, self.id(document).to_owned(), owned)
        });
        unpacked.collect()
    }
}

/// The first of `0..count` for which `is_before` is false, when those for which it is true come
/// first.
fn partition(count: u32, is_before: impl Fn(u32) -> bool) -> u32 {
    let Range { mut start, mut end } = 0..count;
    while start < end {
        let middle = start + (end - start) / 2;
        match is_before(middle) {
            true => start = middle + 1,
            false => end = middle,
        }
    }
    start
}
