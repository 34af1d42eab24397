//! The embedder: texts in, vectors out.
//!
//! Invariant: every vector has [`Embedder::DIMENSIONS`] numbers and length 1, so a dot product is a cosine.

use rten::{Model, NodeId, Value, ValueOrView};
use rten_tensor::NdTensor;
use tokenizers::Tokenizer;
use tokenizers::utils::truncation::TruncationParams;

use crate::cancel::Cancel;
use crate::convert::{POSITIONS, WIDTH};
use crate::error::{Error, Result};
use crate::threads::Threads;
use crate::tokenizer::malformed;

/// Texts run at once. More gains nothing on four cores and costs memory.
const BATCH: usize = 32;
/// Tokens of a text that are read, as the model was trained; the rest is ignored.
const MAX_TOKENS: usize = 256;
/// Bytes of a text that are cut into tokens. [`MAX_TOKENS`] of prose are 1,000 to 2,000.
const MAX_BYTES: usize = 32 * 1024;

/// all-MiniLM-L6-v2, ready to run.
pub struct Embedder {
    model: Model,
    tokenizer: Tokenizer,
    threads: Threads,
    /// `ids`, `mask`, `positions`.
    inputs: [NodeId; 3],
    states: NodeId,
}

/// The vectors of some texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One for each text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// Texts of which only the first [`Embedder::TOKENS`] tokens were read.
    pub cut: usize,
}

impl Embedder {
    /// Numbers of a vector.
    pub const DIMENSIONS: usize = WIDTH;
    /// What the space of its vectors is called.
    pub const NAME: &str = "all-MiniLM-L6-v2";
    /// Tokens of a text that are read.
    pub const TOKENS: usize = MAX_TOKENS;

    /// Loads what [`crate::convert::convert_minilm`] made.
    pub fn from_bytes(graph: Vec<u8>, tokenizer: &[u8], threads: Threads) -> Result<Self> {
        Self::assemble(
            Model::load(graph).map_err(Error::engine)?,
            tokenizer,
            threads,
        )
    }

    pub(crate) fn assemble(model: Model, tokenizer: &[u8], threads: Threads) -> Result<Self> {
        let mut tokenizer = Tokenizer::from_bytes(tokenizer).map_err(malformed)?;
        let truncation = TruncationParams {
            max_length: MAX_TOKENS.min(POSITIONS),
            ..Default::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(malformed)?;
        tokenizer.with_padding(None);
        let node = |name: &str| model.node_id(name).map_err(Error::engine);
        let inputs = [node("ids")?, node("mask")?, node("positions")?];
        let states = node("states")?;
        Ok(Self {
            model,
            tokenizer,
            threads,
            inputs,
            states,
        })
    }

    /// One vector for each text, in order. A text of more than 256 tokens is cut.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        Ok(self.embed_until(texts, &Cancel::new())?.vectors)
    }

    /// The same, and how many texts were cut. Fails with [`Error::Cancelled`] between two batches.
    pub fn embed_until(&self, texts: &[&str], cancel: &Cancel) -> Result<Embedded> {
        let mut cut = 0;
        let mut encodings = Vec::with_capacity(texts.len());
        for text in texts {
            let start = &text[..text.floor_char_boundary(MAX_BYTES)];
            let encoding = self.tokenizer.encode_fast(start, true).map_err(malformed)?;
            let is_cut = start.len() < text.len() || !encoding.get_overflowing().is_empty();
            cut += usize::from(is_cut);
            encodings.push(encoding.get_ids().to_vec());
        }
        // Texts of like length share a batch, so that little of it is padding.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|i| encodings[*i].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        for batch in order.chunks(BATCH) {
            cancel.check()?;
            let tokens: Vec<&[u32]> = batch.iter().map(|i| encodings[*i].as_slice()).collect();
            for (i, vector) in batch.iter().zip(self.run(&tokens)?) {
                vectors[*i] = vector;
            }
        }
        Ok(Embedded { vectors, cut })
    }

    fn run(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let longest = texts
            .iter()
            .map(|tokens| tokens.len())
            .max()
            .unwrap_or(0)
            .max(1);
        let at = |[text, place]: [usize; 2]| texts[text].get(place);
        let shape = [texts.len(), longest];
        let ids = NdTensor::from_fn(shape, |i| at(i).map_or(0, |token| *token as i32));
        let mask = NdTensor::from_fn(shape, |i| i32::from(at(i).is_some()));
        let positions = NdTensor::from_fn([longest], |[place]| place as i32);
        let [ids_node, mask_node, positions_node] = self.inputs;
        let inputs: Vec<(NodeId, ValueOrView)> = vec![
            (ids_node, ids.into()),
            (mask_node, mask.into()),
            (positions_node, positions.into()),
        ];
        let mut outputs = self
            .model
            .run(inputs, &[self.states], Some(self.threads.run_options()))
            .map_err(Error::engine)?;
        let states = outputs
            .pop()
            .and_then(Value::into_tensor::<f32>)
            .map(|tensor| tensor.into_data())
            .ok_or_else(|| Error::Engine("no float output".into()))?;
        let states = states.chunks_exact(longest * WIDTH);
        Ok(texts
            .iter()
            .zip(states)
            .map(|(tokens, states)| mean(states, tokens.len()))
            .collect())
    }
}

/// The mean of the first `count` states, scaled to length 1.
fn mean(states: &[f32], count: usize) -> Vec<f32> {
    let mut sum = vec![0.0; WIDTH];
    for state in states.chunks_exact(WIDTH).take(count) {
        sum.iter_mut().zip(state).for_each(|(total, x)| *total += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    sum.iter_mut().for_each(|x| *x /= length);
    sum
}

/// The cosine of two vectors of an [`Embedder`].
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
