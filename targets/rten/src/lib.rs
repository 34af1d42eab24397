//! The embedded model: Tau's first command works with no account, no network and no key.

pub mod agent;
mod cancel;
pub mod convert;
mod embed;
mod error;
#[cfg(feature = "eval")]
pub mod eval;
pub mod gguf;
mod onnx;
pub mod safetensors;
mod text;
mod threads;
mod tokenizer;

pub use cancel::Cancel;
pub use embed::{Embedder, cosine};
pub use error::{Error, Result};
pub use text::{End, Generated, Logits, Options, Sampling, Session, TextModel};
pub use threads::Threads;
pub use tokenizer::TextTokenizer;
