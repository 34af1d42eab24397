//! Turns weights files into graphs the inference engine runs: GGUF and safetensors in, ONNX and a tokenizer out.
//!
//! Pure functions from bytes to bytes. [`VERSION`] is part of a cached file's name: raise it whenever the output
//! changes, and every cache is made anew.

mod bert;
mod llama;
mod quant;

pub use bert::convert_minilm;
pub(crate) use bert::{POSITIONS, WIDTH};
pub(crate) use llama::CONTEXT;
pub use llama::convert_smollm;

/// Version of the conversion.
pub const VERSION: u32 = 1;

/// A model in the form [`crate::TextModel`] and [`crate::Embedder`] load.
#[derive(Debug, Clone)]
pub struct Converted {
    /// The graph with its weights: an ONNX file.
    pub graph: Vec<u8>,
    /// The tokenizer, in the JSON form of the `tokenizers` library.
    pub tokenizer: Vec<u8>,
}
