//! MiniLM: a BERT in safetensors becomes an ONNX graph.
//!
//! Inputs: `ids [texts, tokens]`, `mask [texts, tokens]` (1 for a token, 0 for padding), `positions [tokens]`.
//! Output: `states [texts, tokens, 384]`. The mean over a text's tokens is the caller's.

use super::{Converted, VERSION};
use crate::error::Result;
use crate::onnx::{Attr, CONTRIB, Graph, Side, Type};
use crate::safetensors::Safetensors;

/// Width of the states, and so of the vectors.
pub(crate) const WIDTH: usize = 384;
/// Most tokens of a text.
pub(crate) const POSITIONS: usize = 512;
const LAYERS: usize = 6;
const HEADS: i64 = 12;
const INNER: usize = 1536;
const VOCABULARY: usize = 30_522;
const EPSILON: f32 = 1e-12;

/// Converts all-MiniLM-L6-v2 from its safetensors file. `tokenizer` is the model's own `tokenizer.json`, kept as it is.
///
/// Weights stay 32-bit floats: rounding them to bytes moved the vectors visibly.
/// Fails with [`crate::Error::Malformed`] if a tensor is missing or has another shape.
pub fn convert_minilm(safetensors_file: &[u8], tokenizer: &[u8]) -> Result<Converted> {
    let mut builder = Builder {
        weights: Safetensors::parse(safetensors_file)?,
        graph: Graph::default(),
    };
    builder.build()?;
    let version = VERSION.to_string();
    Ok(Converted {
        graph: builder.graph.finish(&[("tau.converter", &version)]),
        tokenizer: tokenizer.to_vec(),
    })
}

struct Builder<'a> {
    weights: Safetensors<'a>,
    graph: Graph,
}

impl Builder<'_> {
    fn build(&mut self) -> Result<()> {
        let [texts, tokens] = ["texts", "tokens"].map(Side::Any);
        self.graph.input("ids", Type::I64, &[texts, tokens]);
        self.graph.input("mask", Type::I32, &[texts, tokens]);
        self.graph.input("positions", Type::I64, &[tokens]);
        let words = self
            .weights
            .floats("embeddings.word_embeddings.weight", &[VOCABULARY, WIDTH])?;
        self.graph.floats("words", &[VOCABULARY, WIDTH], &words);
        // There is one kind of text here, so its row is added to every position's beforehand.
        let kinds = self
            .weights
            .floats("embeddings.token_type_embeddings.weight", &[2, WIDTH])?;
        let mut places = self
            .weights
            .floats("embeddings.position_embeddings.weight", &[POSITIONS, WIDTH])?;
        for row in places.chunks_exact_mut(WIDTH) {
            row.iter_mut().zip(&kinds).for_each(|(x, kind)| *x += kind);
        }
        self.graph.floats("places", &[POSITIONS, WIDTH], &places);

        let axis = [("axis", Attr::Int(0))];
        let words = self.graph.op("", "Gather", &["words", "ids"], &axis);
        let places = self.graph.op("", "Gather", &["places", "positions"], &axis);
        let sum = self.graph.op("", "Add", &[&words, &places], &[]);
        let mut state = self.norm("embeddings.LayerNorm", &sum)?;
        for layer in 0..LAYERS {
            state = self.layer(&format!("encoder.layer.{layer}"), &state)?;
        }
        self.graph
            .op_named("", "Identity", &[&state], &["states"], &[]);
        self.graph
            .output("states", Type::F32, &[texts, tokens, Side::Fixed(WIDTH)]);
        Ok(())
    }

    fn layer(&mut self, name: &str, state: &str) -> Result<String> {
        let [q, k, v] = ["query", "key", "value"].map(|part| {
            self.dense(
                &format!("{name}.attention.self.{part}"),
                state,
                WIDTH,
                WIDTH,
            )
        });
        let (q, k, v) = (q?, k?, v?);
        let x = self.graph.op(
            CONTRIB,
            "MultiHeadAttention",
            &[&q, &k, &v, "", "mask"],
            &[("num_heads", Attr::Int(HEADS))],
        );
        let x = self.dense(&format!("{name}.attention.output.dense"), &x, WIDTH, WIDTH)?;
        let x = self.graph.op("", "Add", &[state, &x], &[]);
        let state = self.norm(&format!("{name}.attention.output.LayerNorm"), &x)?;

        let x = self.dense(&format!("{name}.intermediate.dense"), &state, WIDTH, INNER)?;
        let x = self.graph.op("", "Gelu", &[&x], &[]);
        let x = self.dense(&format!("{name}.output.dense"), &x, INNER, WIDTH)?;
        let x = self.graph.op("", "Add", &[&state, &x], &[]);
        self.norm(&format!("{name}.output.LayerNorm"), &x)
    }

    fn dense(&mut self, name: &str, x: &str, from: usize, to: usize) -> Result<String> {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        let values = self.weights.floats(&weight, &[to, from])?;
        let transposed: Vec<f32> = (0..from * to)
            .map(|i| values[(i % to) * from + i / to])
            .collect();
        self.graph.floats(&weight, &[from, to], &transposed);
        self.graph
            .floats(&bias, &[to], &self.weights.floats(&bias, &[to])?);
        let product = self.graph.op("", "MatMul", &[x, &weight], &[]);
        Ok(self.graph.op("", "Add", &[&product, &bias], &[]))
    }

    fn norm(&mut self, name: &str, x: &str) -> Result<String> {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        self.graph
            .floats(&weight, &[WIDTH], &self.weights.floats(&weight, &[WIDTH])?);
        self.graph
            .floats(&bias, &[WIDTH], &self.weights.floats(&bias, &[WIDTH])?);
        let attrs = [("axis", Attr::Int(-1)), ("epsilon", Attr::Float(EPSILON))];
        Ok(self
            .graph
            .op("", "LayerNormalization", &[x, &weight, &bias], &attrs))
    }
}
