//! Orders in markup: elements that nobody is shown, addresses that ask for what only the model knows,
//! and lines that pretend to be another speaker's.
//!
//! Invariant: what stands in an element or after a speaker is read once, so the work is linear.

use core::ops::Range;

use super::{
    findings::{HIDDEN, ROLE},
    lexicon::Lexicon,
    tokens::tokens,
    words::{
        BECOME, BEFORE_TOOL, CONTENT, Concepts, HIDE_PHRASE, IGNORE, INSERT, LEAK_PHRASE, LIMITS,
        LINK, MACHINE, MUST, ONLY, ORDERS, OVERRIDE_PHRASE, PRIOR, SECRET, SEND, SHOW, SILENTLY,
        SPEAKER, USER, YOU, YOUR,
    },
};
use crate::safety::Severity::{self, Low, Medium};

/// The longest tag, and the longest content of one, in bytes.
const TAG: usize = 400;
const CONTENT_BYTES: usize = 2048;

/// The longest address, and the longest placeholder in one.
const ADDRESS: usize = 400;
const PLACE: usize = 80;

/// How much of what a speaker says is read.
const SPEECH: usize = 400;

type Found<'a> = dyn FnMut(&'static str, Severity, Range<usize>) + 'a;

/// Calls `found` with what in `range` of a text is such markup; an element or an address may end
/// after it.
pub(super) fn search(lexicon: &Lexicon, text: &str, range: &Range<usize>, found: &mut Found<'_>) {
    let bytes = text.as_bytes();
    let mut elements_from = range.start;
    let mut addresses_from = range.start;
    let mut speech_from = range.start;
    let mut line = Some(range.start);
    let mut at = range.start;
    while at < range.end {
        if let Some(begun) = line.take()
            && begun >= speech_from
            && let Some((speaker, after)) = speaker(bytes, begun)
        {
            let speech = speech(bytes, after);
            speech_from = speech.end;
            if let Some(severity) = spoofed(speaker, meant(lexicon, text, &speech)) {
                found(ROLE, severity, begun..speech.end.max(after));
            }
        }
        let rest = bytes[at..range.end].iter();
        let Some(next) = rest.copied().position(|b| matches!(b, b'<' | b':' | b'\n')) else {
            return;
        };
        at += next;
        match bytes[at] {
            b'<' if at >= elements_from => {
                if let Some(content) = hidden(bytes, at) {
                    elements_from = content.end;
                    if is_order(meant(lexicon, text, &content)) {
                        found(HIDDEN, Medium, at..content.end);
                    }
                }
            }
            b':' if at >= addresses_from && bytes[at..].starts_with(b"://") => {
                let (end, asks) = address(bytes, at);
                addresses_from = end;
                if asks {
                    found("exfiltration", Medium, scheme(bytes, at)..end);
                }
            }
            b'\n' => line = Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

/// Whether a block of markup is worth a closer look: a tag that hides begins in it, or an address
/// goes on behind a bracket.
pub(super) fn is_worth_a_look(bytes: &[u8], start: usize, end: usize) -> bool {
    let block = &bytes[start..end];
    if block.contains(&b'<') {
        let tags = (start..end).filter(|at| bytes[*at] == b'<');
        if tags.into_iter().any(|at| hidden(bytes, at).is_some()) {
            return true;
        }
    }
    let around = &bytes[start.saturating_sub(1)..(end + 1).min(bytes.len())];
    let asks = around
        .windows(2)
        .fold(false, |any, pair| any | is_opening(pair[0], pair[1]));
    asks && bytes[start.saturating_sub(160)..end]
        .windows(3)
        .any(|w| w == b"://")
}

/// Whether a value begins with a bracket: `=[`, `={`, `/{`.
fn is_opening(one: u8, other: u8) -> bool {
    (one == b'=') & matches!(other, b'{' | b'[' | b'<' | b'$' | b'%')
        | (one == b'/') & matches!(other, b'{' | b'[')
}

/// What an element that begins at a bracket holds, if it is not shown.
fn hidden(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let tag = &bytes[at + 1..(at + TAG).min(bytes.len())];
    let length = tag.iter().position(|b| matches!(b, b'<' | b'>'))?;
    if tag[length] != b'>' {
        return None;
    }
    let tag = &tag[..length];
    let name = tag.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let (name, attributes) = tag.split_at(name);
    if name.is_empty() || attributes.len() < 7 || !hides(attributes) {
        return None;
    }
    let start = at + 1 + length + 1;
    let rest = &bytes[start..(start + CONTENT_BYTES).min(bytes.len())];
    let mut depth = 1_usize;
    for (i, _) in rest.iter().enumerate().filter(|(_, b)| **b == b'<') {
        let is_end = rest.get(i + 1) == Some(&b'/');
        let named = rest.get(i + 1 + usize::from(is_end)..).unwrap_or_default();
        let is_same = named
            .get(..name.len())
            .is_some_and(|n| n.eq_ignore_ascii_case(name));
        match (is_same, is_end) {
            (true, true) => depth -= 1,
            (true, false) => depth += 1,
            _ => {}
        }
        if depth == 0 {
            return Some(start..start + i);
        }
    }
    // Words in angle brackets are no element if nothing ends them.
    if !attributes.contains(&b'=') {
        return None;
    }
    // The end of what was looked at may lie within a character.
    let mut end = start + rest.len();
    while end < bytes.len() && bytes[end] & 0xc0 == 0x80 {
        end += 1;
    }
    Some(start..end)
}

/// Ways to hide an element: how an attribute or a style begins, in small letters and without spaces
/// after a colon.
const HIDING: [&[u8]; 16] = [
    b"display:none",
    b"visibility:hidden",
    b"font-size:0",
    b"font-size:1px",
    b"opacity:0",
    b"left:-9",
    b"top:-9",
    b"text-indent:-9",
    b"height:0",
    b"width:0",
    b"color:#fff",
    b"color:white",
    b"color:transparent",
    b"hidden",
    b"aria-hidden=\"true",
    b"aria-hidden=true",
];

/// Whether attributes hide their element.
fn hides(attributes: &[u8]) -> bool {
    let mut small = [0_u8; TAG];
    let mut length = 0;
    for byte in attributes {
        let byte = match byte {
            b'\n' | b'\r' | b'\t' => b' ',
            b'\'' => b'"',
            b => b.to_ascii_lowercase(),
        };
        if byte != b' ' || length == 0 || small[length - 1] != b':' {
            small[length] = byte;
            length += 1;
        }
    }
    let small = &small[..length];
    (0..length).any(|at| {
        // Before it: what parts attributes and styles. A background is no colour of letters.
        if !matches!(small[at], b'a' | b'c' | b'd' | b'f' | b'h' | b'l' | b'o' | b't' | b'v' | b'w')
            || at == 0
            || !matches!(small[at - 1], b' ' | b';' | b'"' | b'{')
        {
            return false;
        }
        let rest = &small[at..];
        HIDING.iter().any(|way| {
            let next = rest.get(way.len()).copied().unwrap_or(b' ');
            rest.starts_with(way)
                // `0.9em`, `hidden-xs` and `type="hidden"` hide nothing.
                && !(way.ends_with(b":0") && matches!(next, b'.' | b'0'..=b'9'))
                && !(*way == b"hidden" && (next.is_ascii_alphanumeric() || next == b'-' || small[..at].ends_with(b"type=\"")))
        })
    })
}

/// Where the scheme of an address begins.
fn scheme(bytes: &[u8], colon: usize) -> usize {
    let letters = bytes[..colon].iter().rev().take(8);
    colon - letters.take_while(|b| b.is_ascii_alphabetic()).count()
}

/// Where an address ends, or a placeholder in it that asks for what the model knows; and whether there
/// is such a placeholder.
fn address(bytes: &[u8], colon: usize) -> (usize, bool) {
    let is_shown = is_image(bytes, scheme(bytes, colon));
    let most = (colon + ADDRESS).min(bytes.len());
    let mut is_query = false;
    let mut at = colon + 3;
    while at < most {
        let close = match bytes[at] {
            b'{' => b'}',
            b'[' => b']',
            b'<' => b'>',
            b'%' if bytes[at..].starts_with(b"%7B") || bytes[at..].starts_with(b"%7b") => b'%',
            b'%' if bytes[at..].starts_with(b"%5B") || bytes[at..].starts_with(b"%5b") => b'%',
            b'?' | b'#' => {
                is_query = true;
                at += 1;
                continue;
            }
            b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\'' | b')' | b'>' | b'`' => break,
            _ => {
                at += 1;
                continue;
            }
        };
        let inner = &bytes[at + 1..(at + PLACE).min(bytes.len())];
        let Some(length) = inner.iter().position(|b| *b == close || *b == b'\n') else {
            break;
        };
        if asks(&inner[..length], is_shown, is_query) {
            return (at + 1 + length, true);
        }
        at += 1 + length;
    }
    (at, false)
}

/// Whether an address is that of an image, which is fetched without a click.
fn is_image(bytes: &[u8], start: usize) -> bool {
    let before = &bytes[start.saturating_sub(120)..start];
    let before = before
        .strip_suffix(b"\"")
        .or(before.strip_suffix(b"'"))
        .unwrap_or(before);
    if before.len() >= 4 && before[before.len() - 4..].eq_ignore_ascii_case(b"src=") {
        return true;
    }
    let Some(text) = before.strip_suffix(b"](") else {
        return false;
    };
    let opening = text.iter().rposition(|b| *b == b'[');
    opening.is_some_and(|at| at > 0 && text[at - 1] == b'!')
}

/// What only the model knows, wherever it is asked for.
const TALK: [&[u8]; 7] = [
    b"conversation",
    b"transcript",
    b"chat_history",
    b"chat history",
    b"system prompt",
    b"system_prompt",
    b"everything above",
];

/// The same where an image would carry it away.
const SHOWN: [&[u8]; 10] = [
    b"history",
    b"secret",
    b"password",
    b"credential",
    b"summary",
    b"context",
    b"messages",
    b"instructions",
    b"api_key",
    b"api key",
];

/// Whether a placeholder asks for what only the model knows. A number or a name of such is no more
/// than that.
fn asks(inner: &[u8], is_shown: bool, is_query: bool) -> bool {
    let has = |word: &[u8]| {
        inner
            .windows(word.len())
            .any(|w| w.eq_ignore_ascii_case(word))
    };
    let is_number = |name: &[u8]| {
        let end = inner
            .len()
            .checked_sub(name.len())
            .and_then(|at| inner.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(name))
    };
    if is_number(b"id") || is_number(b"name") || is_number(b"uuid") {
        return false;
    }
    (is_shown || is_query) && TALK.iter().any(|word| has(word))
        || is_shown && SHOWN.iter().any(|word| has(word))
}

/// Who a line says is speaking.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    /// Whose words are orders.
    System,
    Other,
}

/// The speakers of prompts, by what they are called at the beginning of a line.
const SPEAKERS: [(&[u8], Speaker); 7] = [
    (b"system message", Speaker::System),
    (b"system prompt", Speaker::System),
    (b"system", Speaker::System),
    (b"developer", Speaker::System),
    (b"assistant", Speaker::Other),
    (b"human", Speaker::Other),
    (b"user", Speaker::Other),
];

/// The speaker a line names at its beginning, and where what is said begins.
fn speaker(bytes: &[u8], line: usize) -> Option<(Speaker, usize)> {
    let is_sign = |b: &u8| matches!(b, b' ' | b'#' | b'*' | b'>' | b'[' | b'(' | b'-');
    let signs = bytes[line..]
        .iter()
        .take(8)
        .take_while(|b| is_sign(b))
        .count();
    let is_heading = bytes[line..line + signs].starts_with(b"##");
    let start = line + signs;
    if !matches!(bytes.get(start)? | 0x20, b's' | b'd' | b'a' | b'h' | b'u') {
        return None;
    }
    let (name, speaker) = SPEAKERS.iter().find(|(name, _)| {
        let here = bytes.get(start..start + name.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(name))
    })?;
    let mut at = start + name.len();
    while matches!(bytes.get(at), Some(b'*' | b']' | b')')) {
        at += 1;
    }
    match bytes.get(at) {
        Some(b':') => Some((*speaker, at + 1)),
        Some(b'\n' | b'\r') if is_heading => Some((*speaker, at + 1)),
        _ => None,
    }
}

/// What a speaker says: up to the next one.
fn speech(bytes: &[u8], start: usize) -> Range<usize> {
    let mut end = (start + SPEECH).min(bytes.len());
    let next = (start + 1..end).find(|at| bytes[at - 1] == b'\n' && speaker(bytes, *at).is_some());
    end = next.unwrap_or(end);
    while end < bytes.len() && bytes[end] & 0xc0 == 0x80 {
        end += 1;
    }
    start..end
}

/// Everything that words of a place stand for.
fn meant(lexicon: &Lexicon, text: &str, place: &Range<usize>) -> Concepts {
    let mut meant = 0;
    tokens(
        lexicon,
        text.get(place.clone()).unwrap_or_default(),
        &mut |token| {
            meant |= token.concepts;
        },
    );
    meant
}

/// Whether words that stand for this give orders: where nobody is shown them, few are enough.
fn is_order(meant: Concepts) -> bool {
    let has = |concepts: Concepts| meant & concepts != 0;
    let deeds = [IGNORE, SEND, INSERT, SECRET, BECOME, MUST];
    has(LEAK_PHRASE | OVERRIDE_PHRASE | HIDE_PHRASE | BEFORE_TOOL)
        || has(IGNORE) && has(ORDERS | PRIOR)
        || has(SILENTLY) && has(SEND | SHOW)
        || has(MACHINE) && deeds.into_iter().filter(|deed| has(*deed)).count() >= 2
}

/// How much what a line's speaker says looks like an order from where none comes. Logs, tables and
/// conversations begin lines so too: it takes what only attacks say.
fn spoofed(speaker: Speaker, meant: Concepts) -> Option<Severity> {
    let has = |concepts: Concepts| meant & concepts != 0;
    if has(OVERRIDE_PHRASE | HIDE_PHRASE) && has(YOU | YOUR | USER | MUST | SEND | SHOW)
        || has(IGNORE) && has(ORDERS | LIMITS) && has(PRIOR | YOUR)
        || has(SEND) && has(SECRET) && has(LINK) && has(MUST | SILENTLY) && has(USER | CONTENT)
    {
        return Some(Medium);
    }
    let is_role = speaker == Speaker::System && has(YOU | SPEAKER) && has(MUST | ONLY);
    is_role.then_some(Low)
}
