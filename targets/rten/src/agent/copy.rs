//! Copying under a grammar: the likeliest of a set of texts, by the model's own probabilities.
//!
//! Invariant: the answer is one of the candidates. The grammar of an argument is the set of its candidates followed by
//! a closing quote; the model only chooses within it.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::text::{LogSoftmax, Session, TextModel};

/// Most runs of the model for a choice. The best unfinished candidate wins if it is reached.
const MAX_RUNS: usize = 24;

#[derive(Default)]
struct Node {
    next: BTreeMap<u32, usize>,
    /// The candidate that ends here.
    ends: Option<usize>,
}

struct Path {
    node: usize,
    tokens: Vec<u32>,
    log_probability: f32,
    done: Option<usize>,
}

/// The index of the candidate the model finds likeliest after what the session holds, given the scores of the next
/// token. `None` if there is none. The session is left as it was.
///
/// Best first: a path's probability only falls as it grows, so the first finished path is the likeliest of all.
pub(crate) fn likeliest(
    model: &TextModel,
    session: &mut Session,
    next: &[f32],
    candidates: &[&str],
) -> Result<Option<usize>> {
    if candidates.len() < 2 {
        return Ok(candidates.first().map(|_| 0));
    }
    let mut nodes = vec![Node::default()];
    for (index, candidate) in candidates.iter().enumerate() {
        let mut at = 0;
        for token in model.tokenizer().encode(candidate)? {
            let fresh = nodes.len();
            at = *nodes[at].next.entry(token).or_insert(fresh);
            if at == fresh {
                nodes.push(Node::default());
            }
        }
        nodes[at].ends.get_or_insert(index);
    }
    let held = session.len();
    let mut open = vec![Path {
        node: 0,
        tokens: Vec::new(),
        log_probability: 0.0,
        done: None,
    }];
    let mut runs = 0;
    while let Some(best) = take_best(&mut open) {
        if best.done.is_some() || runs == MAX_RUNS {
            let reached = best.done.or_else(|| first_end(&nodes, best.node));
            return Ok(reached);
        }
        let logits;
        let scores = if best.tokens.is_empty() {
            next
        } else {
            runs += 1;
            logits = model.feed(session, &best.tokens, &[best.tokens.len() - 1])?;
            session.truncate(held);
            logits.row(0)
        };
        let softmax = LogSoftmax::of(scores);
        let node = &nodes[best.node];
        if node.ends.is_some() {
            let quotes = model
                .quote_tokens()
                .iter()
                .map(|token| softmax.at(*token).exp());
            open.push(Path {
                node: best.node,
                tokens: Vec::new(),
                log_probability: best.log_probability + quotes.sum::<f32>().ln(),
                done: node.ends,
            });
        }
        for (token, child) in &node.next {
            let mut tokens = best.tokens.clone();
            tokens.push(*token);
            let log_probability = best.log_probability + softmax.at(*token);
            open.push(Path {
                node: *child,
                tokens,
                log_probability,
                done: None,
            });
        }
    }
    Ok(None)
}

fn take_best(open: &mut Vec<Path>) -> Option<Path> {
    let best = open
        .iter()
        .enumerate()
        .max_by(|(_, a), (_, b)| a.log_probability.total_cmp(&b.log_probability))
        .map(|(index, _)| index)?;
    Some(open.swap_remove(best))
}

fn first_end(nodes: &[Node], mut at: usize) -> Option<usize> {
    loop {
        match (nodes[at].ends, nodes[at].next.values().next()) {
            (Some(index), _) => return Some(index),
            (None, Some(child)) => at = *child,
            (None, None) => return None,
        }
    }
}
