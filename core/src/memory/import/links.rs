//! The notes that a note names, and finding them among the others.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{Piece, small, stem};

/// Links of a piece that are followed.
const LINKS: usize = 32;
/// Bytes of a name that is looked up.
const NAME_BYTES: usize = 512;

/// Adds the notes that `text` names: `[[Name]]`, `[[folder/Name#Heading|shown]]` and
/// `[shown](other.md)`, the last from the folder of `path`.
pub(super) fn find(text: &str, path: &str, links: &mut Vec<String>) {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut add = |name: String| {
        if links.len() < LINKS && !name.is_empty() && !links.contains(&name) {
            links.push(name);
        }
    };
    let mut rest = text;
    while let Some(at) = rest.find(['[', ']']) {
        rest = rest.get(at..).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix("[[") {
            let line = inner.split('\n').next().unwrap_or_default();
            if let Some((name, _)) = line.split_once("]]")
                && name.len() <= NAME_BYTES
            {
                let target = name.split('|').next().unwrap_or_default();
                add(target.trim().trim_end_matches(".md").into());
            }
            rest = inner;
        } else if let Some(inner) = rest.strip_prefix("](") {
            let line = inner.split('\n').next().unwrap_or_default();
            if let Some((address, _)) = line.split_once(')')
                && address.len() <= NAME_BYTES
            {
                add(beside(folder, address).unwrap_or_default());
            }
            rest = inner;
        } else {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

/// The note that `address` leads to from `folder`, without its ending; none for anything else.
fn beside(folder: &str, address: &str) -> Option<String> {
    let (file, heading) = match address.split_once('#') {
        Some((file, heading)) => (file, format!("#{heading}")),
        None => (address, String::new()),
    };
    let file = file.trim().trim_matches(['<', '>']).replace("%20", " ");
    let file = file.strip_suffix(".md")?;
    if file.contains("://") || file.starts_with('/') {
        return None;
    }
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in file.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/") + &heading)
}

/// For each of `pieces`, the places of those that it names; at most so many as an entry has links.
///
/// A name is a note's path without ending, or the end of one; the file's name, title or an alias.
/// Where several fit, the first in order. A heading behind `#` picks the piece with it.
#[must_use]
pub fn targets(pieces: &[Piece]) -> Vec<Vec<usize>> {
    let mut paths: BTreeMap<String, usize> = BTreeMap::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, piece) in pieces.iter().enumerate() {
        // Only the first piece of a note tells names.
        if piece.names.is_empty() {
            continue;
        }
        let path = match piece.note.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{}", stem(&piece.note)),
            None => stem(&piece.note).into(),
        };
        paths.entry(small(path)).or_insert(place);
        for name in &piece.names {
            names.entry(name).or_insert(place);
        }
    }
    let find = |link: &String| -> Option<usize> {
        let (name, heading) = link.split_once('#').unwrap_or((link, ""));
        let (name, heading) = (small(name), small(heading));
        let last = name.rsplit('/').next().unwrap_or_default();
        let first = *paths
            .get(&name)
            .or_else(|| names.get(&*name))
            .or_else(|| names.get(last))?;
        let note = &pieces.get(first)?.note;
        let same = pieces.iter().enumerate().skip(first);
        let mut same = same.take_while(|(_, piece)| piece.note == *note);
        let with = same.find(|(_, piece)| piece.headings.contains(&heading));
        Some(with.map_or(first, |(place, _)| place))
    };
    let all = pieces.iter().enumerate().map(|(own, piece)| {
        let mut found: Vec<usize> = Vec::new();
        for place in piece.links.iter().filter_map(find) {
            if place != own && !found.contains(&place) {
                found.push(place);
            }
        }
        found
    });
    all.collect()
}
