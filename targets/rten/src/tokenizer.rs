//! Text to tokens and back.
//!
//! Invariant: encoding text never yields a control token. A file or a user that writes `<|im_end|>` is encoded as
//! those letters; only [`TextTokenizer::control`] gives the real one. So no text can end its own turn.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use tokenizers::Tokenizer;

use crate::error::{Error, Result};
use crate::gguf::Gguf;

/// GGUF's type of a token that steers the model and is never text.
const CONTROL: i64 = 3;

/// The tokenizer of the text model.
#[derive(Debug)]
pub struct TextTokenizer {
    inner: Tokenizer,
    /// The bytes of each token; empty for control tokens.
    bytes: Vec<Vec<u8>>,
    control: BTreeMap<String, u32>,
}

impl TextTokenizer {
    /// Loads the JSON form, as [`crate::convert::Converted::tokenizer`].
    pub fn load(json: &[u8]) -> Result<Self> {
        let mut inner = Tokenizer::from_bytes(json).map_err(malformed)?;
        inner.set_encode_special_tokens(true);
        let control: BTreeMap<String, u32> = inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, token)| (token.content, id))
            .collect();
        let letters = byte_letters();
        let mut bytes = vec![Vec::new(); inner.get_vocab_size(true)];
        for (token, id) in inner.get_vocab(true) {
            let Some(slot) = bytes.get_mut(id as usize) else {
                return Err(malformed(format!("token {id} is beyond the vocabulary")));
            };
            if !control.contains_key(&token) {
                *slot = token
                    .chars()
                    .filter_map(|letter| letters.get(&letter).copied())
                    .collect();
            }
        }
        Ok(Self {
            inner,
            bytes,
            control,
        })
    }

    /// The tokens of a text, never a control token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(malformed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The bytes of a token. A character can be spread over several tokens. Control tokens have none.
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The text of tokens; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|token| self.bytes(*token))
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A control token by its name, such as `<|im_end|>`.
    pub fn control(&self, name: &str) -> Result<u32> {
        let token = self.control.get(name).copied();
        token.ok_or_else(|| malformed(format!("it has no control token {name}")))
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.bytes.len()
    }
}

/// Rebuilds the tokenizer a GGUF file describes, in the JSON form of the `tokenizers` library.
///
/// Only SmolLM2's kind is known: byte-level pairs, digits one by one. Fails with [`Error::Malformed`] or
/// [`Error::Unsupported`].
pub(crate) fn json_from_gguf(gguf: &Gguf<'_>) -> Result<Vec<u8>> {
    let (model, split) = (
        gguf.text("tokenizer.ggml.model")?,
        gguf.text("tokenizer.ggml.pre")?,
    );
    if (model, split) != ("gpt2", "smollm") {
        return Err(Error::Unsupported(format!("tokenizer {model}, {split}")));
    }
    let tokens = gguf.texts("tokenizer.ggml.tokens")?;
    let kinds = gguf.integers("tokenizer.ggml.token_type")?;
    if kinds.len() != tokens.len() {
        return Err(Error::gguf(format!(
            "{} tokens have {} types",
            tokens.len(),
            kinds.len()
        )));
    }
    let vocabulary: HashMap<&str, usize> = tokens.iter().copied().zip(0..).collect();
    if vocabulary.len() != tokens.len() {
        return Err(Error::gguf("a token occurs twice"));
    }
    let mut merges = Vec::new();
    for merge in gguf.texts("tokenizer.ggml.merges")? {
        match merge.split_once(' ') {
            Some((left, right)) if vocabulary.contains_key(format!("{left}{right}").as_str()) => {
                merges.push([left, right]);
            }
            _ => return Err(Error::gguf(format!("merge {merge:?} makes no token"))),
        }
    }
    let added: Vec<_> = tokens
        .iter()
        .zip(kinds)
        .enumerate()
        .filter(|(_, (_, kind))| *kind == CONTROL)
        .map(|(id, (token, _))| {
            json!({"id": id, "content": token, "special": true, "normalized": false,
                   "single_word": false, "lstrip": false, "rstrip": false})
        })
        .collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true}, byte_level]},
        "post_processor": null,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                  "ignore_merges": false, "vocab": vocabulary, "merges": merges},
    });
    serde_json::to_vec(&tokenizer).map_err(malformed)
}

/// GPT-2's alphabet: a printable letter for each byte (Radford et al. 2019, `encoder.py`).
fn byte_letters() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut others = (0x100..).filter_map(char::from_u32);
    (0..=255u8)
        .filter_map(|byte| {
            let letter = if printable(byte) {
                Some(char::from(byte))
            } else {
                others.next()
            };
            letter.map(|letter| (letter, byte))
        })
        .collect()
}

pub(crate) fn malformed(error: impl std::fmt::Display) -> Error {
    Error::Malformed {
        format: "tokenizer",
        detail: error.to_string(),
    }
}
