//! Made-up entries of a memory, and questions about them, for measuring. Texts are made of words as rare
//! as in a language, vectors lie in clusters as those of texts do.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "random numbers of a known range"
)]

use serde_json::json;
use tau_core::{
    ids::UnixMillis,
    memory::index::{Document, Facets},
};

/// Numbers of a vector.
pub const DIMENSIONS: usize = 384;
/// How many questions there are.
pub const QUESTIONS: usize = 200;

/// Made-up entries, the same in every run.
#[derive(Clone, Debug)]
pub struct Entries {
    /// What each says.
    pub texts: Vec<String>,
    /// Of each, of length one.
    pub vectors: Vec<Vec<f32>>,
    /// A question for some of the entries.
    pub questions: Vec<(String, Vec<f32>)>,
    /// How many there are before others are written.
    pub size: usize,
}

/// A small generator of numbers: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// As often as in a language: the word of rank `r` in about `1 / r` of the cases.
    fn word(&mut self) -> String {
        const WORDS: f64 = 20_000.0;
        let rank = WORDS.powf(self.share()) as usize;
        const SYLLABLES: [&str; 16] = [
            "ka", "lo", "mi", "ter", "ra", "ven", "so", "pu", "dal", "ne", "gor", "shi", "bel",
            "to", "fa", "rin",
        ];
        let mut word = String::new();
        let mut rest = rank + 16;
        while rest > 0 {
            word.push_str(SYLLABLES[rest % 16]);
            rest /= 16;
        }
        word
    }

    fn near(&mut self, centre: &[f32], spread: f32) -> Vec<f32> {
        // The sum of some even numbers is nearly normal.
        let mut normal = || (0..4).map(|_| self.share() as f32 - 0.5).sum::<f32>();
        let mut vector: Vec<f32> = centre.iter().map(|x| x + spread * normal()).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    }
}

impl Entries {
    /// As many, and `more` to write one by one. Questions are about the former.
    #[must_use]
    pub fn new(size: usize, more: usize) -> Self {
        let mut random = Random(7);
        let centres: Vec<Vec<f32>> = (0..500)
            .map(|_| random.near(&[0.0; DIMENSIONS], 1.0))
            .collect();
        let (mut texts, mut vectors) = (Vec::new(), Vec::new());
        for _ in 0..size + more {
            let words = 8 + (random.next() % 30) as usize;
            let text: Vec<String> = (0..words).map(|_| random.word()).collect();
            texts.push(text.join(" "));
            let centre = &centres[(random.next() % 500) as usize];
            vectors.push(random.near(centre, 0.08));
        }
        let mut question = |_| {
            let about = (random.next() as usize) % size;
            let words: Vec<&str> = texts[about].split(' ').collect();
            let asked: Vec<&str> = (0..5)
                .map(|_| words[(random.next() as usize) % words.len()])
                .collect();
            (asked.join(" "), random.near(&vectors[about], 0.05))
        };
        let questions = (0..QUESTIONS).map(&mut question).collect();
        Self {
            texts,
            vectors,
            questions,
            size,
        }
    }

    /// One, as an index takes it.
    #[must_use]
    pub fn document<'a>(&'a self, number: usize, id: &'a str, with_vector: bool) -> Document<'a> {
        Document {
            id,
            text: &self.texts[number],
            facets: Facets {
                namespace: "notes",
                kind: "fact",
                at: UnixMillis(number as u64 * 60_000),
                ..Facets::default()
            },
            vector: with_vector.then_some(&self.vectors[number]),
        }
    }

    /// The row of one, in the commit of its change.
    #[must_use]
    pub fn row(&self, number: usize) -> (String, Vec<u8>) {
        let id = id(number);
        let value = json!({"v": 2, "id": id, "text": self.texts[number], "at": number});
        (format!("memory/bench/{id}"), value.to_string().into_bytes())
    }
}

/// The name of an entry.
#[must_use]
pub fn id(number: usize) -> String {
    format!("{number:08}")
}
