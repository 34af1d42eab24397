//! The text model: loading, running, generating.
//!
//! Invariant: a [`Session`] holds exactly the keys and values of its tokens. A run that fails empties it.

mod generate;
mod session;

pub use generate::{Advance, End, Generated, Generation, Options, Sampling};
pub use session::Session;

use rten::{Model, NodeId, Value, ValueOrView};
use rten_tensor::NdTensor;

use crate::cancel::Cancel;
use crate::convert::CONTEXT;
use crate::error::{Error, Result};
use crate::threads::Threads;
use crate::tokenizer::TextTokenizer;

/// Tokens of a prompt run at once: bounds memory, and the time until a cancel is seen.
const CHUNK: usize = 256;

/// SmolLM2-135M-Instruct, ready to run. Shared by reference; each conversation has its [`Session`].
pub struct TextModel {
    model: Model,
    tokenizer: TextTokenizer,
    threads: Threads,
    nodes: Nodes,
    layers: usize,
    kv_heads: usize,
    head: usize,
    /// Tokens whose text begins with a double quote: they end a quoted value.
    quotes: Vec<u32>,
}

struct Nodes {
    ids: NodeId,
    last: NodeId,
    total: NodeId,
    rows: NodeId,
    logits: NodeId,
    /// Key and value of each layer, alternating.
    past: Vec<NodeId>,
    present: Vec<NodeId>,
}

/// Unnormalised scores of the next token, one row of the vocabulary's size for each position asked for.
#[derive(Debug, Clone)]
pub struct Logits {
    values: Vec<f32>,
    vocabulary: usize,
}

impl Logits {
    /// The row at `index`; empty if there is none.
    pub fn row(&self, index: usize) -> &[f32] {
        self.values
            .chunks_exact(self.vocabulary.max(1))
            .nth(index)
            .unwrap_or_default()
    }
}

impl TextModel {
    /// Loads what [`crate::convert::convert_smollm`] made. The graph's bytes are held only while loading.
    pub fn from_bytes(graph: Vec<u8>, tokenizer: &[u8], threads: Threads) -> Result<Self> {
        Self::assemble(
            Model::load(graph).map_err(Error::engine)?,
            tokenizer,
            threads,
        )
    }

    pub(crate) fn assemble(model: Model, tokenizer: &[u8], threads: Threads) -> Result<Self> {
        let number = |key: &str| {
            let value = model
                .metadata()
                .get(key)
                .and_then(|text| text.parse::<usize>().ok());
            value.ok_or_else(|| Error::Engine(format!("the graph does not say {key}")))
        };
        let (layers, kv_heads, head) = (
            number("tau.layers")?,
            number("tau.kv_heads")?,
            number("tau.head")?,
        );
        let node = |name: &str| model.node_id(name).map_err(Error::engine);
        let cache = |when: &str| -> Result<Vec<NodeId>> {
            (0..layers)
                .flat_map(|layer| ["k", "v"].map(|kv| format!("{when}.{kv}.{layer}")))
                .map(|name| node(&name))
                .collect()
        };
        let nodes = Nodes {
            ids: node("ids")?,
            last: node("last")?,
            total: node("total")?,
            rows: node("rows")?,
            logits: node("logits")?,
            past: cache("past")?,
            present: cache("present")?,
        };
        let tokenizer = TextTokenizer::load(tokenizer)?;
        let quotes = (0..tokenizer.vocabulary() as u32)
            .filter(|token| tokenizer.bytes(*token).first() == Some(&b'"'))
            .collect();
        Ok(Self {
            model,
            tokenizer,
            threads,
            nodes,
            layers,
            kv_heads,
            head,
            quotes,
        })
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// Most tokens a session can hold.
    pub fn context(&self) -> usize {
        CONTEXT
    }

    /// The threads it runs on.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    pub(crate) fn quote_tokens(&self) -> &[u32] {
        &self.quotes
    }

    /// An empty session.
    pub fn session(&self) -> Session {
        Session::new(self.layers, self.kv_heads, self.head)
    }

    /// Makes the session hold exactly `tokens`, running only those it does not hold yet, and gives the scores of the
    /// token after the last one. Returns how many tokens were not run again, too.
    ///
    /// Fails with [`Error::ContextFull`] if `tokens` leave no room for one more, and [`Error::Cancelled`]; the session
    /// then holds a prefix of `tokens`.
    pub fn prompt(
        &self,
        session: &mut Session,
        tokens: &[u32],
        cancel: &Cancel,
    ) -> Result<(Logits, usize)> {
        generate::fits(tokens)?;
        let kept = session.reusable(tokens);
        loop {
            cancel.check()?;
            if let Some(logits) = self.read_on(session, tokens)? {
                return Ok((logits, kept));
            }
        }
    }

    /// Makes the session hold more of `tokens`, running at most [`CHUNK`] of them. Gives the scores of the token after
    /// the last one once it holds them all.
    fn read_on(&self, session: &mut Session, tokens: &[u32]) -> Result<Option<Logits>> {
        let kept = session.reusable(tokens);
        session.truncate(kept);
        let left = &tokens[kept..];
        if left.len() > CHUNK {
            self.feed(session, &left[..CHUNK], &[])?;
            return Ok(None);
        }
        Ok(Some(self.feed(session, left, &[left.len() - 1])?))
    }

    /// Runs `tokens` after those the session holds, and gives the scores after each of the positions in `rows`, which
    /// count from the first of `tokens`.
    pub fn feed(&self, session: &mut Session, tokens: &[u32], rows: &[usize]) -> Result<Logits> {
        let total = session.len() + tokens.len();
        if total > CONTEXT {
            return Err(Error::ContextFull {
                tokens: total,
                limit: CONTEXT,
            });
        }
        let ids: Vec<i32> = tokens.iter().map(|token| *token as i32).collect();
        let mut inputs: Vec<(NodeId, ValueOrView)> = vec![
            (
                self.nodes.ids,
                NdTensor::from_data([1, ids.len()], ids).into(),
            ),
            (
                self.nodes.last,
                NdTensor::from_data([1], vec![total as i32 - 1]).into(),
            ),
            (
                self.nodes.total,
                NdTensor::from_data([], vec![total as i32]).into(),
            ),
        ];
        let mut outputs = self.nodes.present.clone();
        if !rows.is_empty() {
            let rows: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
            inputs.push((
                self.nodes.rows,
                NdTensor::from_data([rows.len()], rows).into(),
            ));
            outputs.push(self.nodes.logits);
        }
        let (before, caches) = session.take(total);
        inputs.extend(
            self.nodes
                .past
                .iter()
                .copied()
                .zip(caches.into_iter().map(ValueOrView::from)),
        );
        let mut values = self
            .model
            .run(inputs, &outputs, Some(self.threads.run_options()))
            .map_err(Error::engine)?;
        let logits = if rows.is_empty() {
            Vec::new()
        } else {
            floats(values.pop())?
        };
        let caches = values.into_iter().map(cache).collect::<Result<Vec<_>>>()?;
        session.put(before, caches, tokens);
        Ok(Logits {
            values: logits,
            vocabulary: self.tokenizer.vocabulary(),
        })
    }

    /// The natural logarithm of the probability of each continuation after what the session holds. `next` are the
    /// scores of the next token. The session is left as it was.
    pub fn log_probabilities(
        &self,
        session: &mut Session,
        next: &[f32],
        continuations: &[Vec<u32>],
    ) -> Result<Vec<f32>> {
        let held = session.len();
        let first = LogSoftmax::of(next);
        let mut out = Vec::with_capacity(continuations.len());
        for tokens in continuations {
            let Some((head, _)) = tokens.split_first() else {
                out.push(0.0);
                continue;
            };
            let mut sum = first.at(*head);
            let body = &tokens[..tokens.len() - 1];
            if !body.is_empty() {
                let rows: Vec<usize> = (0..body.len()).collect();
                let logits = self.feed(session, body, &rows)?;
                for (row, token) in tokens[1..].iter().enumerate() {
                    sum += LogSoftmax::of(logits.row(row)).at(*token);
                }
                session.truncate(held);
            }
            out.push(sum);
        }
        Ok(out)
    }
}

/// Scores with their normalisation.
pub(crate) struct LogSoftmax<'a> {
    scores: &'a [f32],
    log_sum: f32,
}

impl<'a> LogSoftmax<'a> {
    pub(crate) fn of(scores: &'a [f32]) -> Self {
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = scores.iter().map(|x| (x - most).exp()).sum();
        Self {
            scores,
            log_sum: most + sum.ln(),
        }
    }

    pub(crate) fn at(&self, token: u32) -> f32 {
        self.scores
            .get(token as usize)
            .map_or(f32::NEG_INFINITY, |x| x - self.log_sum)
    }
}

fn floats(value: Option<Value>) -> Result<Vec<f32>> {
    let tensor = value.and_then(Value::into_tensor::<f32>);
    tensor
        .map(|tensor| tensor.into_data())
        .ok_or_else(|| Error::Engine("no float output".into()))
}

fn cache(value: Value) -> Result<NdTensor<f32, 4>> {
    NdTensor::try_from(value).map_err(Error::engine)
}
