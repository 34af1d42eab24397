//! The sections of a note, and cutting a long one where it reads well.
//!
//! Lines in code are no headings, however they begin.

use alloc::{string::String, vec::Vec};

use super::shortened;

/// What stands under a heading, up to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The headings above it, the outermost first.
    pub(super) headings: Vec<String>,
    pub(super) text: String,
}

/// A fence that is open: its character and how many of them.
type Fence = Option<(char, usize)>;

/// The sections of `body` that have text.
pub(super) fn parts(body: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut text = String::new();
    let mut fence: Fence = None;
    for line in body.lines() {
        let was_open = fence.is_some();
        fence = after(fence, line);
        let heading = match was_open || fence.is_some() {
            true => None,
            false => atx(line).or_else(|| underlined(&mut text, line)),
        };
        let Some((level, title)) = heading else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        close(&mut parts, &above, &mut text, level);
        above.retain(|(other, _)| *other < level);
        above.push((level, shortened(&title)));
    }
    close(&mut parts, &above, &mut text, 0);
    parts
}

/// Ends the section with `text` in it before a heading of `next`; a heading with nothing under it is
/// text itself.
fn close(parts: &mut Vec<Part>, above: &[(usize, String)], text: &mut String, next: usize) {
    let whole = core::mem::take(text);
    let mut trimmed = whole.trim_end().trim_start_matches('\n');
    let mut above = above;
    if trimmed.trim().is_empty() {
        match above.split_last() {
            Some(((level, heading), rest)) if next <= *level => (trimmed, above) = (heading, rest),
            _ => return,
        }
    }
    if !trimmed.is_empty() {
        let headings = above.iter().map(|(_, heading)| heading);
        parts.push(Part {
            headings: headings.filter(|h| !h.is_empty()).cloned().collect(),
            text: trimmed.into(),
        });
    }
}

/// The fence that is open behind `line`.
fn after(fence: Fence, line: &str) -> Fence {
    let inner = line.trim_start_matches(' ');
    let is_indented = line.len() - inner.len() > 3;
    let Some(first) = inner.chars().next().filter(|c| matches!(c, '`' | '~')) else {
        return fence;
    };
    let rest = inner.trim_start_matches(first);
    let count = inner.len() - rest.len();
    match fence {
        Some((open, least)) => {
            let closes = first == open && count >= least && rest.trim().is_empty();
            (!closes || is_indented).then_some((open, least))
        }
        None if count < 3 || is_indented || first == '`' && rest.contains('`') => None,
        None => Some((first, count)),
    }
}

/// A heading with `#` before it.
fn atx(line: &str) -> Option<(usize, String)> {
    let inner = line.trim_start_matches(' ');
    let rest = inner.trim_start_matches('#');
    let level = inner.len() - rest.len();
    let is_heading = (1..=6).contains(&level)
        && line.len() - inner.len() <= 3
        && (rest.is_empty() || rest.starts_with([' ', '\t']));
    let title = rest.trim().trim_end_matches('#').trim_end();
    is_heading.then(|| (level, title.into()))
}

/// A heading with a line of `=` or `-` under it, which is the last of `text` alone in its paragraph.
fn underlined(text: &mut String, line: &str) -> Option<(usize, String)> {
    let mark = line.trim_end();
    let level = match mark.chars().next()? {
        '=' => 1,
        '-' => 2,
        _ => return None,
    };
    if mark.len() < 3 || !mark.bytes().all(|byte| byte == mark.as_bytes()[0]) {
        return None;
    }
    let above = text.strip_suffix('\n')?;
    let from = above.rfind('\n').map_or(0, |end| end + 1);
    let title = above.get(from..)?;
    let alone = from == 0 || text.get(..from)?.ends_with("\n\n");
    let is_words = title
        .trim_start()
        .starts_with(|c: char| c.is_alphanumeric());
    if !alone || !is_words || title.contains('|') {
        return None;
    }
    let title = title.trim().into();
    text.truncate(from);
    Some((level, title))
}

/// `text` in chunks of at most `limit` bytes: whole paragraphs where they fit, else lines, else words.
pub(super) fn split(text: &str, limit: usize) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut chunk = String::new();
    for block in blocks(text) {
        let between = if chunk.is_empty() { "" } else { "\n\n" };
        if chunk.len() + between.len() + block.len() > limit {
            push(&mut chunks, &mut chunk);
        } else {
            chunk.push_str(between);
        }
        if block.len() <= limit {
            chunk.push_str(&block);
            continue;
        }
        for line in block.split_inclusive('\n') {
            for piece in cut(line, limit) {
                if chunk.len() + piece.len() > limit {
                    push(&mut chunks, &mut chunk);
                }
                chunk.push_str(piece);
            }
        }
    }
    push(&mut chunks, &mut chunk);
    chunks
}

fn push(chunks: &mut Vec<String>, chunk: &mut String) {
    let whole = core::mem::take(chunk);
    let trimmed = whole.trim_end().trim_start_matches('\n');
    if !trimmed.trim().is_empty() {
        chunks.push(trimmed.into());
    }
}

/// Paragraphs; what stands in a fence is one with its fence.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block = String::new();
    let mut fence: Fence = None;
    for line in text.lines() {
        fence = after(fence, line);
        if line.trim().is_empty() && fence.is_none() {
            push(&mut blocks, &mut block);
        } else {
            block.push_str(line);
            block.push('\n');
        }
    }
    push(&mut blocks, &mut block);
    blocks
}

/// `line` in pieces of at most `limit` bytes, between words where there are any.
fn cut(line: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > limit {
        let most = rest.floor_char_boundary(limit);
        let head = rest.get(..most).unwrap_or_default();
        let end = match head.rfind(' ') {
            Some(space) if space > limit / 2 => space + 1,
            _ => most,
        };
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}
