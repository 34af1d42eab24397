//! Control characters and terminal escape sequences (ECMA-48), removed.
//!
//! Invariant: text without control characters is returned untouched and unallocated.

use alloc::string::String;

/// `text` without C0 and C1 controls except tab and newline, and without whole ANSI sequences; a
/// carriage return survives only before a newline. `None` when there is nothing to remove.
pub(super) fn stripped(text: &str) -> Option<String> {
    if !may_hold_any(text.as_bytes()) || !holds_any(text) {
        return None;
    }
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => kept.push('\r'),
            '\u{1b}' | '\u{9b}' => skip_sequence(c, &mut chars),
            c if is_control(c) => {}
            c => kept.push(c),
        }
    }
    Some(kept)
}

/// Whether a byte could belong to one. Without a branch in the loop, so that it runs at memory speed.
fn may_hold_any(bytes: &[u8]) -> bool {
    // In UTF-8 the C1 controls are 0xc2 and one more byte.
    let suspect = |byte: &u8| {
        (*byte < 0x20) & (*byte != b'\t') & (*byte != b'\n') | (*byte == 0x7f) | (*byte == 0xc2)
    };
    let mut chunks = bytes.chunks_exact(64);
    chunks.any(|chunk| chunk.iter().fold(false, |any, byte| any | suspect(byte)))
        || chunks.remainder().iter().any(suspect)
}

fn holds_any(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_control(c) && !(c == '\r' && chars.peek() == Some(&'\n')) {
            return true;
        }
    }
    false
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\n'
}

/// Skips the rest of an escape sequence whose introducer was just read.
fn skip_sequence(introducer: char, chars: &mut core::iter::Peekable<core::str::Chars<'_>>) {
    let is_csi = introducer == '\u{9b}' || chars.next_if_eq(&'[').is_some();
    if is_csi {
        // Parameters and intermediates, then one final byte (ECMA-48, 5.4).
        while chars
            .next_if(|c| ('\u{20}'..='\u{3f}').contains(c))
            .is_some()
        {}
        chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
    } else if chars
        .next_if(|c| matches!(c, ']' | 'P' | '^' | '_' | 'X'))
        .is_some()
    {
        // A string sequence: ends at BEL or ST; an unterminated one ends with its line.
        while let Some(c) = chars.next_if(|c| *c != '\n') {
            if c == '\u{7}' || c == '\u{9c}' {
                break;
            }
            if c == '\u{1b}' {
                chars.next_if_eq(&'\\');
                break;
            }
        }
    } else {
        chars.next_if(|c| ('\u{20}'..='\u{7e}').contains(c));
    }
}
