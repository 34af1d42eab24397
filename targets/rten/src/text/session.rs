//! What the model has already read: tokens, with their keys and values.

use rten_tensor::NdTensor;

/// Room for tokens is added in steps of this many, so that reading on does not copy the cache for each token.
const STEP: usize = 256;
/// The axis of a cache along which tokens lie.
const TOKENS: usize = 2;

/// The tokens a model has read, and its cache of them: 45 KiB a token.
#[derive(Debug)]
pub struct Session {
    tokens: Vec<u32>,
    /// Key and value of each layer, alternating: `[1, kv_heads, tokens, head]`.
    caches: Vec<NdTensor<f32, 4>>,
    layers: usize,
    kv_heads: usize,
    head: usize,
}

impl Session {
    pub(super) fn new(layers: usize, kv_heads: usize, head: usize) -> Self {
        Self {
            tokens: Vec::new(),
            caches: Vec::new(),
            layers,
            kv_heads,
            head,
        }
    }

    /// Number of tokens held.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens held.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Forgets all but the first `length` tokens.
    pub fn truncate(&mut self, length: usize) {
        if length < self.tokens.len() {
            self.tokens.truncate(length);
            self.caches
                .iter_mut()
                .for_each(|cache| cache.clip_dim(TOKENS, 0..length));
        }
    }

    /// How many of the first tokens held a prompt of `tokens` can build on. Its last one is always run: the scores after
    /// it are not kept.
    pub(super) fn reusable(&self, tokens: &[u32]) -> usize {
        let same = self.tokens.iter().zip(tokens).take_while(|(a, b)| a == b);
        same.count().min(tokens.len().saturating_sub(1))
    }

    /// Takes tokens and caches out, with room for `total` tokens. Until [`Self::put`] the session is empty: a run that
    /// fails leaves nothing half-written behind.
    pub(super) fn take(&mut self, total: usize) -> (Vec<u32>, Vec<NdTensor<f32, 4>>) {
        let mut tokens = std::mem::take(&mut self.tokens);
        let caches = std::mem::take(&mut self.caches);
        if caches
            .first()
            .is_some_and(|cache| cache.has_capacity(TOKENS, total))
        {
            return (tokens, caches);
        }
        let room = [1, self.kv_heads, total.next_multiple_of(STEP), self.head];
        let mut grown: Vec<_> = (0..2 * self.layers)
            .map(|_| NdTensor::with_capacity(room, TOKENS))
            .collect();
        for (new, old) in grown.iter_mut().zip(&caches) {
            if !tokens.is_empty() && new.append(TOKENS, old).is_err() {
                // The new cache is larger, so this is never reached; the run then fails on uneven caches.
                tokens.clear();
            }
        }
        (tokens, grown)
    }

    pub(super) fn put(&mut self, mut before: Vec<u32>, caches: Vec<NdTensor<f32, 4>>, new: &[u32]) {
        before.extend_from_slice(new);
        self.tokens = before;
        self.caches = caches;
    }
}
