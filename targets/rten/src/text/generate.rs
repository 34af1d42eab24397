//! Generation: a prompt in, pieces of text out.

use std::ops::ControlFlow;

use super::{Session, TextModel};
use crate::cancel::Cancel;
use crate::convert::CONTEXT;
use crate::error::{Error, Result};

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// Always the likeliest: the same prompt gives the same answer.
    Greedy,
    /// At random, by probability. The same seed gives the same answer.
    Temperature {
        /// Above 0; 1 is the model's own distribution, lower is more careful.
        temperature: f32,
        /// Where the randomness comes from.
        seed: u64,
    },
}

/// Limits and choices of a generation.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// How to choose.
    pub sampling: Sampling,
    /// Tokens that end the answer, not part of it.
    pub stop: Vec<u32>,
    /// How much less likely a token becomes for having been said already, 1 for not at all (Keskar et al. 2019).
    pub repetition_penalty: f32,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The model said a stop token.
    Stop,
    /// `max_tokens` were generated.
    MaxTokens,
    /// The session is full.
    ContextFull,
    /// The callback broke off.
    Broken,
}

/// A finished generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The whole text.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of those, the ones an earlier call had left in the session.
    pub reused_tokens: usize,
    /// Tokens generated, without the stop token.
    pub new_tokens: usize,
    /// Why it ended.
    pub end: End,
}

/// A generation while it is made, one bounded piece of work at a time.
///
/// It owns its session meanwhile, so that nothing else can write between its tokens;
/// [`Generation::into_session`] gives it back, whatever became of the generation.
#[derive(Debug)]
pub struct Generation {
    session: Session,
    prompt: Vec<u32>,
    options: Options,
    chooser: Chooser,
    /// Bytes of a character that is not whole yet.
    pending: Vec<u8>,
    place: Place,
    out: Generated,
}

/// How far a [`Generation`] is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The session does not hold the whole prompt yet.
    Reading,
    /// This token was generated, and the session does not hold it yet.
    Said(u32),
    Ended,
}

/// What a step of a [`Generation`] brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// More text, in whole characters; empty while the prompt is read.
    Text(String),
    /// The rest of the text, often empty, and the end.
    Ended(String, End),
}

impl Generation {
    /// What was generated so far.
    pub fn generated(&self) -> &Generated {
        &self.out
    }

    /// The session, with what it read.
    pub fn into_session(self) -> Session {
        self.session
    }

    fn finish(&mut self, piece: String, end: End) -> Advance {
        let rest = String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned();
        self.out.text.push_str(&rest);
        self.out.end = end;
        self.place = Place::Ended;
        Advance::Ended(piece + &rest, end)
    }
}

impl TextModel {
    /// Begins to continue `prompt` in `session`. Nothing runs before [`Self::advance`].
    ///
    /// Fails with [`Error::ContextFull`].
    pub fn begin(
        &self,
        session: Session,
        prompt: Vec<u32>,
        options: Options,
    ) -> Result<Generation> {
        fits(&prompt)?;
        let out = Generated {
            text: String::new(),
            prompt_tokens: prompt.len(),
            reused_tokens: session.reusable(&prompt),
            new_tokens: 0,
            end: End::MaxTokens,
        };
        Ok(Generation {
            session,
            prompt,
            chooser: Chooser::new(&options),
            options,
            pending: Vec::new(),
            place: Place::Reading,
            out,
        })
    }

    /// Reads up to 256 tokens of the prompt, or generates a token. A generation that has ended ends again, without
    /// text.
    ///
    /// Fails with [`Error::Engine`].
    pub fn advance(&self, generation: &mut Generation) -> Result<Advance> {
        let session = &mut generation.session;
        let logits = match generation.place {
            Place::Reading => match self.read_on(session, &generation.prompt)? {
                Some(logits) => logits,
                None => return Ok(Advance::Text(String::new())),
            },
            Place::Said(token) => self.feed(session, &[token], &[0])?,
            Place::Ended => return Ok(Advance::Ended(String::new(), generation.out.end)),
        };
        let full = session.len() >= self.context();
        let most = generation.options.max_tokens;
        if generation.out.new_tokens >= most {
            return Ok(generation.finish(String::new(), End::MaxTokens));
        }
        let token = generation.chooser.choose(logits.row(0))?;
        if generation.options.stop.contains(&token) {
            return Ok(generation.finish(String::new(), End::Stop));
        }
        generation.out.new_tokens += 1;
        generation.place = Place::Said(token);
        let bytes = self.tokenizer().bytes(token);
        generation.pending.extend_from_slice(bytes);
        let piece = whole_characters(&mut generation.pending);
        generation.out.text.push_str(&piece);
        Ok(if full {
            generation.finish(piece, End::ContextFull)
        } else if generation.out.new_tokens >= most {
            generation.finish(piece, End::MaxTokens)
        } else {
            Advance::Text(piece)
        })
    }

    /// Continues `prompt`. `on_text` gets the text as it comes, in whole characters, and can break off.
    ///
    /// Fails with [`Error::ContextFull`] before anything is generated, or [`Error::Cancelled`].
    pub fn generate(
        &self,
        session: &mut Session,
        prompt: &[u32],
        options: &Options,
        cancel: &Cancel,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generated> {
        fits(prompt)?;
        let own = std::mem::replace(session, self.session());
        let mut generation = self.begin(own, prompt.to_vec(), options.clone())?;
        let ended = loop {
            let advanced = cancel.check().and_then(|()| self.advance(&mut generation));
            match advanced {
                Ok(Advance::Text(piece)) => {
                    if !piece.is_empty() && on_text(&piece).is_break() {
                        break Ok(End::Broken);
                    }
                }
                Ok(Advance::Ended(piece, end)) => {
                    let broken = !piece.is_empty() && on_text(&piece).is_break();
                    break Ok(if broken { End::Broken } else { end });
                }
                Err(error) => break Err(error),
            }
        };
        let made = generation.generated().clone();
        *session = generation.into_session();
        ended.map(|end| Generated { end, ..made })
    }
}

/// Whether a prompt leaves room for a token after it.
pub(super) fn fits(prompt: &[u32]) -> Result<()> {
    if prompt.is_empty() || prompt.len() >= CONTEXT {
        return Err(Error::ContextFull {
            tokens: prompt.len(),
            limit: CONTEXT - 1,
        });
    }
    Ok(())
}

/// Takes the whole characters off the front. A wrong byte becomes U+FFFD, an unfinished character stays.
fn whole_characters(pending: &mut Vec<u8>) -> String {
    let mut out = String::new();
    loop {
        match std::str::from_utf8(pending) {
            Ok(text) => {
                out.push_str(text);
                pending.clear();
                return out;
            }
            Err(error) => {
                let good = error.valid_up_to();
                out.push_str(&String::from_utf8_lossy(&pending[..good]));
                let bad = error.error_len();
                pending.drain(..good + bad.unwrap_or(0));
                if bad.is_none() {
                    return out;
                }
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

#[derive(Debug)]
struct Chooser {
    sampling: Sampling,
    penalty: f32,
    said: Vec<u32>,
    state: u64,
}

impl Chooser {
    fn new(options: &Options) -> Self {
        let state = match options.sampling {
            Sampling::Greedy => 0,
            Sampling::Temperature { seed, .. } => seed,
        };
        let penalty = options.repetition_penalty.max(1.0);
        Self {
            sampling: options.sampling,
            penalty,
            said: Vec::new(),
            state,
        }
    }

    fn choose(&mut self, logits: &[f32]) -> Result<u32> {
        let score = |token: usize, x: f32| {
            if self.said.contains(&(token as u32)) {
                if x > 0.0 {
                    x / self.penalty
                } else {
                    x * self.penalty
                }
            } else {
                x
            }
        };
        let mut best = None::<(usize, f32)>;
        for (token, x) in logits.iter().enumerate() {
            // Only a token that beats the best so far needs its penalty looked up.
            if best.is_none_or(|(_, most)| *x > most) {
                let x = score(token, *x);
                if best.is_none_or(|(_, most)| x > most) {
                    best = Some((token, x));
                }
            }
        }
        let Some((mut token, most)) = best else {
            return Err(Error::Engine("the model gave no scores".into()));
        };
        if let Sampling::Temperature { temperature, .. } = self.sampling {
            let heat = temperature.max(1e-3);
            let weight = |token: usize, x: f32| ((score(token, x) - most) / heat).exp();
            let total: f32 = logits.iter().enumerate().map(|(i, x)| weight(i, *x)).sum();
            let mut left = self.state_to_unit() * total;
            for (i, x) in logits.iter().enumerate() {
                left -= weight(i, *x);
                if left <= 0.0 {
                    token = i;
                    break;
                }
            }
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
        let token = token as u32;
        self.said.push(token);
        Ok(token)
    }

    /// SplitMix64 (Steele et al. 2014) of the state, as a number in `0..1`.
    fn state_to_unit(&self) -> f32 {
        let mut z = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_given_when_it_is_whole() {
        let mut pending = vec![b'a', 0xc3];
        assert_eq!(whole_characters(&mut pending), "a");
        pending.push(0xa9);
        assert_eq!(whole_characters(&mut pending), "é");
        pending.extend([0xff, b'b']);
        assert_eq!(whole_characters(&mut pending), "\u{fffd}b");
        assert!(pending.is_empty());
    }
}
