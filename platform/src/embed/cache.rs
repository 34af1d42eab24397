//! Vectors of texts that were embedded a while ago, by the hash of the text.

use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};
use tau_core::journal::sha256_hex;

/// The vectors of the last texts, at most so many. Holds hashes and vectors, no texts.
///
/// For one space alone: a home has one embedder.
#[derive(Clone, Debug, Default)]
pub struct VectorCache {
    capacity: usize,
    vectors: BTreeMap<String, (u64, Vec<f32>)>,
    /// By when they were last asked for: the first is the first to go.
    order: BTreeMap<u64, String>,
    clock: u64,
}

/// What of some texts is known, and which are to be embedded.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    keys: Vec<String>,
    known: Vec<Option<Vec<f32>>>,
    /// Each text that is not known, once, in the order of its first place.
    pub missing: Vec<String>,
    /// Which of the keys each of `missing` has.
    first: Vec<usize>,
}

impl VectorCache {
    /// An empty cache for `capacity` vectors.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Looks `texts` up.
    pub fn look_up(&mut self, texts: Vec<String>) -> Lookup {
        let mut lookup = Lookup {
            keys: texts.iter().map(|t| sha256_hex(t.as_bytes())).collect(),
            known: vec![None; texts.len()],
            missing: Vec::new(),
            first: Vec::new(),
        };
        for (at, text) in texts.into_iter().enumerate() {
            let Some(key) = lookup.keys.get(at).cloned() else {
                continue;
            };
            let found = self.get(&key);
            let is_asked = |first: &usize| lookup.keys.get(*first) == Some(&key);
            if found.is_none() && !lookup.first.iter().any(is_asked) {
                lookup.first.push(at);
                lookup.missing.push(text);
            }
            if let Some(place) = lookup.known.get_mut(at) {
                *place = found;
            }
        }
        lookup
    }

    /// Keeps the vectors of what was missing, and gives those of all texts, in their order. Fewer
    /// vectors than were missing leave empty ones.
    pub fn complete(&mut self, lookup: Lookup, vectors: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        let Lookup {
            keys, known, first, ..
        } = lookup;
        let fresh: BTreeMap<&str, &Vec<f32>> = first
            .iter()
            .zip(&vectors)
            .filter_map(|(at, vector)| Some((keys.get(*at)?.as_str(), vector)))
            .collect();
        for (key, vector) in &fresh {
            self.put(key, vector);
        }
        let complete = keys.iter().zip(known).map(|(key, known)| {
            let fresh = || fresh.get(key.as_str()).map(|vector| (*vector).clone());
            known.or_else(fresh).unwrap_or_default()
        });
        complete.collect()
    }

    fn get(&mut self, key: &str) -> Option<Vec<f32>> {
        self.clock += 1;
        let (used, vector) = self.vectors.get_mut(key)?;
        if let Some(key) = self.order.remove(used) {
            self.order.insert(self.clock, key);
        }
        *used = self.clock;
        Some(vector.clone())
    }

    fn put(&mut self, key: &str, vector: &[f32]) {
        self.clock += 1;
        let entry = (self.clock, vector.to_vec());
        if let Some((used, _)) = self.vectors.insert(key.into(), entry) {
            self.order.remove(&used);
        }
        self.order.insert(self.clock, key.into());
        while self.vectors.len() > self.capacity {
            let Some((_, oldest)) = self.order.pop_first() else {
                return;
            };
            self.vectors.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        text.split(' ').map(Into::into).collect()
    }

    /// What had to be embedded, and the vectors of all: the text's first byte.
    fn embed(cache: &mut VectorCache, text: &str) -> (Vec<String>, Vec<f32>) {
        let lookup = cache.look_up(texts(text));
        let missing = lookup.missing.clone();
        let vector = |text: &String| vec![f32::from(text.as_bytes()[0])];
        let all = cache.complete(lookup, missing.iter().map(vector).collect());
        (missing, all.concat())
    }

    #[test]
    fn a_text_is_embedded_once() {
        let mut cache = VectorCache::new(10);
        let (missing, all) = embed(&mut cache, "a b a");
        assert_eq!(missing, texts("a b"));
        assert_eq!(all, [97.0, 98.0, 97.0]);
        let (missing, all) = embed(&mut cache, "c b a");
        assert_eq!(missing, texts("c"));
        assert_eq!(all, [99.0, 98.0, 97.0]);
    }

    #[test]
    fn the_one_asked_for_longest_ago_goes_first() {
        let mut cache = VectorCache::new(2);
        embed(&mut cache, "a b");
        embed(&mut cache, "a");
        let (missing, all) = embed(&mut cache, "c a");
        assert_eq!((missing, all), (texts("c"), vec![99.0, 97.0]));
        assert_eq!(embed(&mut cache, "b").0, texts("b"));
        assert_eq!((cache.vectors.len(), cache.order.len()), (2, 2));
        // Even what does not fit is answered.
        assert_eq!(embed(&mut cache, "d e f").1, [100.0, 101.0, 102.0]);
    }
}
