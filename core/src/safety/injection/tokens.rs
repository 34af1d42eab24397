//! Words of a text, read as a reader would: disguises folded, invisible characters gone.
//!
//! Invariant: nothing is allocated, and the work for a character is bounded.

use super::lexicon::{EMPTY, LONGEST, Lexicon, letter, then, with};
use super::words::Concepts;
use crate::safety::normal::{NOTHING, fold, is_unspaced};

/// A word and what it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Its hash for the model; zero if it is none of the model's.
    pub(super) hash: u32,
    pub(super) concepts: Concepts,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The longest piece that is taken as one word, in letters.
const PIECE: usize = 64;

/// From how many letters on a word is taken to be several without spaces.
const RUN_TOGETHER: usize = 24;

/// The hash of every number, for the model.
const NUMBER: u32 = 0x6e75_6d62;

/// A letter, or what else an ASCII character is.
const PARTS: u8 = 0;
const SKIPPED: u8 = 1;

static ASCII: [u8; 128] = {
    let mut table = [PARTS; 128];
    let mut i = 0;
    while i < 26 {
        table[b'a' as usize + i] = b'a' + i as u8;
        table[b'A' as usize + i] = b'a' + i as u8;
        i += 1;
    }
    let imitations = b"l1i0o3e4a@a5s$s7t6g9g8b2z";
    // The first letter of all stands for itself in another guise.
    table[b'l' as usize] = b'i';
    table[b'L' as usize] = b'i';
    let mut i = 1;
    while i < imitations.len() {
        table[imitations[i] as usize] = imitations[i + 1];
        i += 2;
    }
    table[b'\'' as usize] = SKIPPED;
    table
};

/// Letters of the word under way.
struct Word {
    letters: [u32; PIECE],
    starts: [u32; PIECE],
    count: usize,
    /// Of all letters so far.
    hash: u32,
    is_number: bool,
    is_unspaced: bool,
    end: usize,
}

/// Calls `take` with each word, phrases among them, in order.
pub(super) fn tokens(lexicon: &Lexicon, text: &str, take: &mut impl FnMut(Token)) {
    let bytes = text.as_bytes();
    let mut word = Word {
        letters: [0; PIECE],
        starts: [0; PIECE],
        count: 0,
        hash: EMPTY,
        is_number: true,
        is_unspaced: false,
        end: 0,
    };
    let mut phrases = Phrases::default();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let (letter, length) = if byte < 0x80 {
            match ASCII[usize::from(byte)] {
                SKIPPED => {
                    at += 1;
                    continue;
                }
                _ if matches!(byte, b'@' | b'$') && word.count == 0 => (0, 1),
                letter => (u32::from(letter), 1),
            }
        } else {
            let c = text[at..].chars().next().unwrap_or(' ');
            let length = c.len_utf8();
            match fold(c) {
                NOTHING => {
                    at += length;
                    continue;
                }
                '\'' => (0, length),
                folded => {
                    word.is_unspaced |= is_unspaced(c);
                    (letter(folded), length)
                }
            }
        };
        if letter == 0 {
            word.flush(lexicon, &mut phrases, take);
        } else {
            if word.count == PIECE {
                word.flush(lexicon, &mut phrases, take);
            }
            word.letters[word.count] = letter;
            word.starts[word.count] = u32::try_from(at).unwrap_or(u32::MAX);
            word.count += 1;
            word.hash = with(word.hash, letter);
            word.is_number &= byte.is_ascii_digit();
            word.end = at + length;
        }
        at += length;
    }
    word.flush(lexicon, &mut phrases, take);
}

impl Word {
    fn flush(&mut self, lexicon: &Lexicon, phrases: &mut Phrases, take: &mut impl FnMut(Token)) {
        if self.count == 0 {
            return;
        }
        if self.is_unspaced || self.count > RUN_TOGETHER {
            self.several(lexicon, phrases, take);
        } else {
            let mut hash = EMPTY;
            let mut concepts = 0;
            for &letter in &self.letters[..self.count] {
                hash = with(hash, letter);
                match lexicon.begins(hash) {
                    Some(stem) => concepts |= stem,
                    None => break,
                }
            }
            let hash = self.hash;
            concepts |= lexicon.concepts(hash);
            let token = Token {
                hash: if self.is_number { NUMBER } else { hash },
                concepts,
                start: self.starts[0] as usize,
                end: self.end,
            };
            phrases.take(lexicon, hash, token, take);
        }
        self.count = 0;
        self.hash = EMPTY;
        self.is_number = true;
        self.is_unspaced = false;
    }

    /// Words without spaces: at each letter the longest that begins there.
    fn several(&self, lexicon: &Lexicon, phrases: &mut Phrases, take: &mut impl FnMut(Token)) {
        let mut at = 0;
        while at < self.count {
            let mut hash = EMPTY;
            let mut best = (0, at + 1, 0);
            for (end, &letter) in self.letters[..self.count]
                .iter()
                .enumerate()
                .skip(at)
                .take(LONGEST)
            {
                hash = with(hash, letter);
                // No word between others has one letter alone, so the first needs no look.
                if end == at && !self.is_unspaced {
                    continue;
                }
                let Some(stem) = lexicon.begins(hash) else {
                    break;
                };
                let concepts = if self.is_unspaced {
                    stem
                } else {
                    lexicon.concepts(hash)
                };
                if concepts != 0 && (self.is_unspaced || end - at >= 2) {
                    best = (concepts, end + 1, hash);
                }
            }
            let (concepts, end, hash) = best;
            if concepts != 0 || self.is_unspaced {
                let hash = if self.is_unspaced {
                    with(EMPTY, self.letters[at])
                } else {
                    hash
                };
                let token = Token {
                    hash,
                    concepts,
                    start: self.starts[at] as usize,
                    end: if end < self.count {
                        self.starts[end] as usize
                    } else {
                        self.end
                    },
                };
                phrases.take(lexicon, hash, token, take);
            }
            at = end;
        }
    }
}

/// The hashes of the phrases that end at the word before, and where they began.
#[derive(Default)]
struct Phrases {
    /// Of one, two and three words; zero where no phrase begins so.
    hashes: [u32; 3],
    starts: [usize; 3],
}

impl Phrases {
    /// Hands a word on, with the longest phrase it ends.
    fn take(
        &mut self,
        lexicon: &Lexicon,
        hash: u32,
        mut token: Token,
        take: &mut impl FnMut(Token),
    ) {
        let mut next = [if lexicon.leads(hash) { hash } else { 0 }, 0, 0];
        let starts = [token.start, self.starts[0], self.starts[1]];
        for length in 0..3 {
            if self.hashes[length] == 0 {
                continue;
            }
            let phrase = then(self.hashes[length], hash);
            if length < 2 && lexicon.leads(phrase) {
                next[length + 1] = phrase;
            }
            let concepts = lexicon.concepts(phrase);
            if concepts != 0 {
                token.concepts |= concepts;
                token.start = token.start.min(self.starts[length]);
            }
        }
        self.hashes = next;
        self.starts = starts;
        take(token);
    }
}
