//! The words of [`super::words`], made searchable: by a hash that grows letter by letter, so that
//! a word, its stems and the words of a script without spaces are found in one walk.
//!
//! Invariant: looking up takes no longer for hostile words than for others.

use alloc::{vec, vec::Vec};

use super::words::{
    BETRAYING, Concepts, FORWARD_3, FORWARD_13, FORWARD_23, MIRRORED, REVERSED, WORDS,
};
use crate::safety::normal::{NOTHING, fold};

/// The longest word that is looked for, in letters.
pub(super) const LONGEST: usize = 20;

/// How many states there are: a power of two.
const STATES: usize = 1 << 16;

/// How many places for words: a power of two, twice the words at least.
const PLACES: usize = 1 << 13;

/// The hash of no letters.
pub(super) const EMPTY: u32 = 0x811c_9dc5;

/// The hash with one more letter (FNV-1a, Fowler, Noll and Vo).
pub(super) fn with(hash: u32, letter: u32) -> u32 {
    (hash ^ letter).wrapping_mul(0x0100_0193)
}

/// The hash of words that follow each other.
pub(super) fn then(first: u32, second: u32) -> u32 {
    (first.rotate_left(9) ^ second).wrapping_mul(0x85eb_ca6b) ^ 0x27d4_eb2f
}

/// The letter a folded character counts as: digits and signs as the letters they imitate, and
/// letters that share an imitation as one. Zero for what is no letter.
pub(super) fn letter(folded: char) -> u32 {
    match folded {
        'l' | '1' | '|' => u32::from('i'),
        '0' => u32::from('o'),
        '3' => u32::from('e'),
        '4' | '@' => u32::from('a'),
        '5' | '$' => u32::from('s'),
        '7' => u32::from('t'),
        '6' | '9' => u32::from('g'),
        '8' => u32::from('b'),
        '2' => u32::from('z'),
        c if c.is_ascii_lowercase() || !c.is_ascii() => u32::from(c),
        _ => 0,
    }
}

/// A word of small ASCII letters in each disguise that is looked for, and what that betrays.
pub(super) fn disguises(word: &str) -> impl Iterator<Item = (Vec<u8>, Concepts)> {
    let each = |turn: fn(u8) -> u8| {
        word.bytes()
            .map(|b| b'a' + turn(b - b'a'))
            .collect::<Vec<u8>>()
    };
    let turned = word.bytes().rev().collect();
    [
        (each(|place| (place + 3) % 26), FORWARD_3),
        (each(|place| (place + 13) % 26), FORWARD_13),
        (each(|place| (place + 23) % 26), FORWARD_23),
        (each(|place| 25 - place), MIRRORED),
        (turned, REVERSED),
    ]
    .into_iter()
}

/// The words, searchable.
pub(super) struct Lexicon {
    /// For each hash, whether a word begins so, and whether one that longer words may begin with is
    /// that: the bits of both in words beside each other.
    begins: Vec<[u64; 2]>,
    /// For each hash, whether a word or phrase is that, and whether a phrase begins so.
    whole: Vec<[u64; 2]>,
    /// The hashes of words and phrases, each where it belongs or after that.
    hashes: Vec<u32>,
    /// What they stand for; zero where there is none.
    concepts: Vec<Concepts>,
}

/// In the first of two bit sets, or in the second.
const FIRST: usize = 0;
const SECOND: usize = 1;

/// Beside the concepts: whether longer words may begin so.
const STEM: Concepts = 1 << 63;

impl Lexicon {
    /// Makes the words searchable.
    pub(super) fn new() -> Self {
        let mut lexicon = Self {
            begins: vec![[0; 2]; STATES / 64],
            whole: vec![[0; 2]; STATES / 64],
            hashes: vec![0; PLACES],
            concepts: vec![0; PLACES],
        };
        for (concepts, _, row) in WORDS {
            for entry in row.split(", ") {
                lexicon.learn(entry, *concepts);
            }
        }
        for word in BETRAYING.split(',') {
            for (disguise, concepts) in disguises(word.trim()) {
                let hash = disguise
                    .iter()
                    .fold(EMPTY, |h, b| with(h, letter(char::from(*b))));
                lexicon.put(hash, concepts);
            }
        }
        lexicon
    }

    fn learn(&mut self, entry: &str, concepts: Concepts) {
        let is_phrase = entry.contains(' ');
        let words = entry.trim_end_matches('*');
        let mut hash = EMPTY;
        let mut phrase = None;
        for c in words.chars() {
            if c == ' ' {
                let so_far = phrase.map_or(hash, |phrase| then(phrase, hash));
                mark(&mut self.whole, SECOND, so_far);
                phrase = Some(so_far);
                hash = EMPTY;
                continue;
            }
            match fold(c) {
                NOTHING | '\'' => {}
                folded => {
                    hash = with(hash, letter(folded));
                    // Found by its beginning: a stem, and a word of a text without spaces.
                    if !is_phrase {
                        mark(&mut self.begins, FIRST, hash);
                    }
                }
            }
        }
        let hash = phrase.map_or(hash, |phrase| then(phrase, hash));
        if is_phrase || words.len() == entry.len() {
            self.put(hash, concepts);
        } else {
            mark(&mut self.begins, SECOND, hash);
            self.put(hash, concepts | STEM);
        }
    }

    fn put(&mut self, hash: u32, concepts: Concepts) {
        mark(&mut self.whole, FIRST, hash);
        let mut place = place(hash);
        // There are twice as many places as words, so one is free.
        while self.concepts[place] != 0 && self.hashes[place] != hash {
            place = (place + 1) % PLACES;
        }
        self.hashes[place] = hash;
        self.concepts[place] |= concepts;
    }

    /// Whether a word begins so; and what it stands for if longer words may begin so.
    #[inline]
    pub(super) fn begins(&self, hash: u32) -> Option<Concepts> {
        let state = state(hash);
        let [begins, stems] = self.begins[state / 64];
        if begins >> (state % 64) & 1 == 0 {
            return None;
        }
        if stems >> (state % 64) & 1 == 0 {
            return Some(0);
        }
        let concepts = self.find(hash);
        Some(if concepts & STEM != 0 {
            concepts & !STEM
        } else {
            0
        })
    }

    /// Whether a phrase begins so.
    #[inline]
    pub(super) fn leads(&self, hash: u32) -> bool {
        let state = state(hash);
        self.whole[state / 64][SECOND] >> (state % 64) & 1 != 0
    }

    /// What a whole word or phrase stands for.
    #[inline]
    pub(super) fn concepts(&self, hash: u32) -> Concepts {
        let state = state(hash);
        if self.whole[state / 64][FIRST] >> (state % 64) & 1 == 0 {
            return 0;
        }
        self.find(hash) & !STEM
    }

    fn find(&self, hash: u32) -> Concepts {
        let mut place = place(hash);
        loop {
            let concepts = self.concepts[place];
            if concepts == 0 || self.hashes[place] == hash {
                return concepts;
            }
            place = (place + 1) % PLACES;
        }
    }
}

fn mark(bits: &mut [[u64; 2]], set: usize, hash: u32) {
    let state = state(hash);
    bits[state / 64][set] |= 1 << (state % 64);
}

fn state(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

fn place(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 19) as usize
}
