//! What a conversation says beside its words: who speaks, and when.

use alloc::string::String;

use super::fold;

/// Characters of a time or a name before a turn.
const LONGEST_HEAD: usize = 64;

/// Who speaks, in small letters, when `text` begins as a turn of a conversation does: a name and a
/// colon, perhaps behind something in brackets. `[8 May, 1:56 pm] Ann Lee: Hi` is `ann lee`'s.
pub(in super::super) fn speaker(text: &str) -> Option<String> {
    let mut rest = text.trim_start();
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (_, behind) = bracketed
            .split_once(']')
            .filter(|(head, _)| head.len() <= LONGEST_HEAD)?;
        rest = behind.trim_start();
    }
    let (name, said) = rest
        .split_once(':')
        .filter(|(name, _)| name.len() <= LONGEST_HEAD)?;
    let is_name = |word: &str| {
        word.chars().next().is_some_and(char::is_uppercase)
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '\''))
    };
    let is_turn = said.starts_with(char::is_whitespace)
        && name.split(' ').all(is_name)
        && name.split(' ').count() <= 3;
    is_turn.then(|| fold::fold(name, LONGEST_HEAD))
}

/// Whether words, in small letters, tell a time.
pub(super) fn tells_time<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    const TIMES: &str = " yesterday today tonight tomorrow ago since recently soon january february \
        march april june july august september october november december ";
    const NEAR: [&str; 4] = ["last", "next", "past", "this"];
    const SPANS: &str = " week weekend month year night morning summer winter spring autumn fall \
        monday tuesday wednesday thursday friday saturday sunday may ";
    let mut before = "";
    for word in words {
        let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
        if is_year || lists(TIMES, word) || (NEAR.contains(&before) && lists(SPANS, word)) {
            return true;
        }
        before = word;
    }
    false
}

/// Whether words of a question, in small letters, ask for a time.
pub(in super::super) fn asks_time(words: &[String]) -> bool {
    const SPANS: &str = " date year month day time ";
    let follows = |first: &[&str], second: &dyn Fn(&str) -> bool| {
        words
            .windows(2)
            .any(|two| first.contains(&two[0].as_str()) && second(&two[1]))
    };
    words.iter().any(|word| word == "when")
        || follows(&["how"], &|word| word == "long")
        || follows(&["what", "which"], &|word| lists(SPANS, word))
}

/// Whether `word` is one of `list`, between spaces.
pub(super) fn lists(list: &str, word: &str) -> bool {
    let bytes = list.as_bytes();
    !word.is_empty()
        && list.match_indices(word).any(|(at, _)| {
            at > 0 && bytes[at - 1] == b' ' && bytes.get(at + word.len()) == Some(&b' ')
        })
}
