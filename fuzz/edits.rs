//! Edits of a true text, as bytes of the fuzzer say.

/// The text with edits: of each, two bytes of place, one of length, and what comes there.
pub fn edited(text: &str, mut edits: &[u8]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    while let [high, low, removed, rest @ ..] = edits {
        let place = usize::from(u16::from_be_bytes([*high, *low])) % (bytes.len() + 1);
        let end = (place + usize::from(removed >> 4)).min(bytes.len());
        let (new, others) = rest.split_at(usize::from(removed & 15).min(rest.len()));
        bytes.splice(place..end, new.iter().copied());
        edits = others;
    }
    bytes
}
