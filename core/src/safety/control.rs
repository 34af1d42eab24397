//! Control characters and terminal escape sequences (ECMA-48), removed.
//!
//! Invariant: text without control characters is returned untouched and unallocated.

use alloc::string::String;

/// Removes C0 and C1 controls except tab and newline, and whole ANSI sequences; a carriage return
/// survives only before a newline. Returns whether anything was removed.
pub(super) fn strip(text: &mut String) -> bool {
    if !text.chars().any(is_control) {
        return false;
    }
    let mut kept = String::with_capacity(text.len());
    let mut changed = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => kept.push('\r'),
            '\u{1b}' | '\u{9b}' => {
                changed = true;
                skip_sequence(c, &mut chars);
            }
            c if is_control(c) => changed = true,
            c => kept.push(c),
        }
    }
    if changed {
        *text = kept;
    }
    changed
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
