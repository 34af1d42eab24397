//! An answer as it is shown while it is written, without the secrets in it.
//!
//! Invariant: what was shown is never part of a secret that the detectors know by one run of
//! characters, or by the words before it: a run is held back until its end is seen.

use alloc::string::String;

use super::Gate;
use crate::model::Delta;

/// Bytes before what is to be shown that its meaning may depend on.
const CONTEXT_BYTES: usize = 512;
/// Bytes of a run that are held back; a longer one is no token.
const RUN_BYTES: usize = 4 * 1024;

/// What of an answer was shown, and what is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streamed {
    window: String,
    /// Bytes of the window that were shown.
    shown: usize,
    is_thinking: bool,
}

impl Streamed {
    /// Takes the next piece; `show` gets what can be shown by now.
    pub(crate) fn push(&mut self, gate: &Gate, delta: &Delta, show: &mut impl FnMut(Delta)) {
        let (text, is_thinking) = match delta {
            Delta::Text { text } => (text, false),
            Delta::Thinking { text } => (text, true),
            _ => return,
        };
        if is_thinking != self.is_thinking {
            self.finish(gate, show);
            self.is_thinking = is_thinking;
        }
        self.window.push_str(text);
        let cut = self.cut();
        self.show_to(cut, gate, show);
    }

    /// Shows what was held back.
    pub(crate) fn finish(&mut self, gate: &Gate, show: &mut impl FnMut(Delta)) {
        self.show_to(self.window.len(), gate, show);
        self.window.clear();
        self.shown = 0;
    }

    /// Up to where nothing can become part of a secret by what comes next.
    fn cut(&self) -> usize {
        let held = self.window.get(self.shown..).unwrap_or_default();
        // Tokens are runs of printable ASCII.
        let end = match held.rfind(|c: char| c.is_whitespace() || !c.is_ascii()) {
            Some(at) => {
                let c = held.get(at..).and_then(|rest| rest.chars().next());
                at + c.map_or(0, char::len_utf8)
            }
            None => 0,
        };
        let end = if held.len() - end > RUN_BYTES {
            held.len()
        } else {
            end
        };
        self.shown + held.get(..end).and_then(open_block).unwrap_or(end)
    }

    fn show_to(&mut self, cut: usize, gate: &Gate, show: &mut impl FnMut(Delta)) {
        if cut <= self.shown {
            return;
        }
        let text = self.window.get(..cut).unwrap_or_default();
        let text = gate.without_secrets_after(text, self.shown);
        if !text.is_empty() {
            show(if self.is_thinking {
                Delta::Thinking { text }
            } else {
                Delta::Text { text }
            });
        }
        self.shown = cut;
        let old = self
            .window
            .floor_char_boundary(cut.saturating_sub(CONTEXT_BYTES));
        self.window.drain(..old);
        self.shown -= old;
    }
}

/// Where a private key begins that has not ended yet (RFC 7468, section 2).
fn open_block(text: &str) -> Option<usize> {
    let start = text.rfind("-----BEGIN")?;
    let block = text.get(start..)?;
    let line = block.lines().next()?;
    // Of a line that is not whole, nobody knows what it will say.
    let is_key = line.contains("PRIVATE KEY") || !block.contains('\n');
    (is_key && !block.contains("-----END")).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    fn shown(pieces: &[&str]) -> Vec<String> {
        let mut streamed = Streamed::default();
        let gate = Gate::default();
        let mut shown = Vec::new();
        let mut show = |delta| match delta {
            Delta::Text { text } | Delta::Thinking { text } => shown.push(text),
            _ => {}
        };
        for piece in pieces {
            let text = (*piece).into();
            streamed.push(&gate, &Delta::Text { text }, &mut show);
        }
        streamed.finish(&gate, &mut show);
        shown
    }

    #[test]
    fn words_are_shown_once_they_have_ended_and_nothing_is_lost() {
        assert_eq!(shown(&["One t", "wo", " three"]), ["One ", "two ", "three"]);
        assert_eq!(shown(&["漢", "字", "x"]), ["漢", "字", "x"]);
        let long = "x".repeat(RUN_BYTES + 1);
        assert_eq!(shown(&[&long, "y"]), [long.as_str(), "y"]);
    }

    #[test]
    fn a_secret_in_pieces_is_never_shown() {
        let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        let text = format!("The token is {secret} and no more.");
        for size in [1, 3, 7, 20] {
            let pieces: Vec<&str> = (0..text.len())
                .step_by(size)
                .map(|at| &text[at..text.len().min(at + size)])
                .collect();
            let all = shown(&pieces).concat();
            assert!(!all.contains(&secret[..12]), "{all}");
            assert!(all.starts_with("The token is [redacted: "), "{all}");
            assert!(all.ends_with("] and no more."), "{all}");
        }
    }

    #[test]
    fn a_private_key_is_held_back_to_its_end() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".repeat(4);
        let (begin, end) = ("-----BEGIN PRIVATE", "-----END PRIVATE");
        let lines: Vec<String> = [
            "Here it is:\n".into(),
            format!("{begin} KEY-----\n"),
            format!("{body}\n"),
            format!("{end} KEY-----\n"),
            "That was it.".into(),
        ]
        .into();
        let pieces: Vec<&str> = lines.iter().map(String::as_str).collect();
        let all = shown(&pieces);
        assert_eq!(all[0], "Here it is:\n");
        let all = all.concat();
        assert!(!all.contains(&body[..16]), "{all}");
        assert!(
            all.contains("[redacted: ") && all.ends_with("That was it."),
            "{all}"
        );
    }
}
