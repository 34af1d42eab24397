//! Notes of other programs as texts that memory can keep: a note in Markdown becomes pieces of a
//! length that is found and read well, each with where it stood.
//!
//! Invariant: the same notes make the same pieces, in the same order, whatever the machine: so the
//! entries made of them have the same names, and what is brought in twice is there once.

mod front;
mod links;
mod markdown;

use alloc::{format, string::String, vec::Vec};

pub use links::targets;

use crate::{
    ids::UnixMillis,
    journal::sha256_hex,
    letter,
    memory::import::{
        front::Front,
        markdown::{Part, parts},
    },
};

/// Bytes of text a piece has at most, the line of where it stood left out.
pub const PIECE_BYTES: usize = 1_200;
/// Up to so many bytes, short sections of a note that follow each other are one piece.
const JOINED_BYTES: usize = 600;
/// Characters of a title or heading that are kept.
const HEADING_CHARS: usize = 120;
/// Parts of a folder's path that are kept.
const NAMESPACE_PARTS: usize = 8;
/// Bytes of them.
const NAMESPACE_BYTES: usize = 200;
/// Tags of a note that are kept, and characters of each.
const TAGS: usize = 32;
/// Characters of a tag.
const TAG_CHARS: usize = 64;
/// Between the headings above a piece.
const UNDER: &str = " > ";

/// A note as it lies in a folder.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// From the folder, `/` between names.
    pub path: &'a str,
    /// What it says.
    pub text: &'a str,
    /// When it was last changed, for a note that does not say when it was written.
    pub changed: Option<UnixMillis>,
}

/// A part of a note that memory can keep as an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The note.
    pub note: String,
    /// What is kept: where it stood in the note, then its text.
    pub text: String,
    /// The folder as memory files things.
    pub namespace: String,
    /// What the note says of itself.
    pub tags: Vec<String>,
    /// The note's kind, where it names one that memory knows.
    pub kind: Option<String>,
    /// When it was written.
    pub at: Option<UnixMillis>,
    /// The headings it stands under or holds, in small letters.
    pub headings: Vec<String>,
    /// Other names of the note, in small letters; told by its first piece.
    pub names: Vec<String>,
    /// The notes it names, as it names them.
    pub links: Vec<String>,
}

/// The pieces of `note`. None for one without text.
#[must_use]
pub fn pieces(note: &Note<'_>) -> Vec<Piece> {
    let text = plain(note.text);
    let (front, body) = front::front(&text);
    let stem = stem(note.path);
    let title = front.title.clone().unwrap_or_else(|| stem.into());
    let title = shortened(&title);
    let at = front.at.or_else(|| front::date(stem)).or(note.changed);
    let namespace = namespace(note.path);
    let mut pieces = Vec::new();
    for group in joined(parts(body)) {
        for (headings, text) in texts(&title, &group) {
            let mut links = Vec::new();
            links::find(&text, note.path, &mut links);
            pieces.push(Piece {
                note: note.path.into(),
                text,
                namespace: namespace.clone(),
                tags: front.tags.clone(),
                kind: front.kind.clone(),
                at,
                headings,
                names: Vec::new(),
                links,
            });
        }
    }
    if let Some(first) = pieces.first_mut() {
        first.names = names(&front, stem, &title);
    }
    pieces
}

/// Sections that follow each other, short ones together.
fn joined(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut groups: Vec<Vec<Part>> = Vec::new();
    let mut bytes = 0;
    for part in parts {
        bytes += part.text.len();
        match groups.last_mut() {
            Some(group) if bytes <= JOINED_BYTES => group.push(part),
            _ => {
                bytes = part.text.len();
                groups.push(alloc::vec![part]);
            }
        }
    }
    groups
}

/// What is kept of a group of sections, with the headings that lead to it.
fn texts(title: &str, group: &[Part]) -> Vec<(Vec<String>, String)> {
    let Some(first) = group.first() else {
        return Vec::new();
    };
    let shared = group.iter().fold(first.headings.len(), |shared, part| {
        let same = part.headings.iter().zip(&first.headings);
        shared.min(same.take_while(|(a, b)| a == b).count())
    });
    let mut place: Vec<&str> = alloc::vec![title];
    let above = first.headings.iter().take(shared).map(String::as_str);
    place.extend(above.filter(|heading| *heading != title));
    let place = place.join(UNDER);
    let mut headings: Vec<String> = group
        .iter()
        .flat_map(|part| &part.headings)
        .map(small)
        .collect();
    headings.dedup();
    if let [part] = group {
        let chunks = markdown::split(&part.text, PIECE_BYTES).into_iter();
        return chunks
            .map(|text| (headings.clone(), format!("{place}\n\n{text}")))
            .collect();
    }
    let mut text = place;
    for part in group {
        text.push_str("\n\n");
        let below = part.headings.get(shared..).unwrap_or_default();
        if !below.is_empty() {
            text.push_str(&below.join(UNDER));
            text.push('\n');
        }
        text.push_str(&part.text);
    }
    alloc::vec![(headings, text)]
}

/// What else leads to the note.
fn names(front: &Front, stem: &str, title: &str) -> Vec<String> {
    let mut names = alloc::vec![small(stem)];
    for name in front.aliases.iter().map(String::as_str).chain([title]) {
        let name = small(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `text` with lines that end in one way, and without characters that are none of a text.
fn plain(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    match text.contains(is_control) {
        true => text.replace(is_control, " "),
        false => text,
    }
}

fn is_control(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\t')
}

/// The name of the note without its folders and its ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// Where the note's folder is filed: letters that a namespace cannot hold are hyphens, and a name
/// made of nothing else is told apart by a part of its digest.
#[must_use]
pub fn namespace(path: &str) -> String {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let mut whole = String::new();
    let parts = folders.split('/').filter(|part| !part.is_empty());
    for part in parts.take(NAMESPACE_PARTS) {
        let legal = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            true => c,
            false => '-',
        };
        let mapped: String = part.chars().map(legal).collect();
        let trimmed = mapped.trim_matches(['-', '.']);
        let digest = sha256_hex(part.as_bytes());
        let name = match trimmed {
            "" => digest.get(..8).unwrap_or_default(),
            name => name,
        };
        if whole.len() + 1 + name.len() > NAMESPACE_BYTES {
            break;
        }
        if !whole.is_empty() {
            whole.push('/');
        }
        whole.push_str(name);
    }
    whole
}

fn small(text: impl AsRef<str>) -> String {
    text.as_ref()
        .trim()
        .chars()
        .flat_map(letter::lower_case)
        .collect()
}

/// A heading in a line of its own.
fn shortened(heading: &str) -> String {
    let words: Vec<&str> = heading.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(HEADING_CHARS) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
