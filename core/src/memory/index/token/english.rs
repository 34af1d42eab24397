//! English stems: the Snowball project's algorithm for English, known as Porter2.
//!
//! Invariant: the same stems as the published algorithm for words of small letters.

use alloc::string::String;

/// Words whose stem is not by rule.
const IRREGULAR: [(&str, &str); 18] = [
    ("skis", "ski"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("idly", "idl"),
    ("gently", "gentl"),
    ("ugly", "ugli"),
    ("early", "earli"),
    ("only", "onli"),
    ("singly", "singl"),
    ("sky", "sky"),
    ("news", "news"),
    ("howe", "howe"),
    ("atlas", "atlas"),
    ("cosmos", "cosmos"),
    ("bias", "bias"),
    ("andes", "andes"),
];

/// What is complete once a plural is taken off.
const COMPLETE: [&str; 8] = [
    "inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed",
];

/// Endings that become others, the longest first of those that end alike. What comes before must
/// hold a syllable.
const SECOND: [(&str, &str); 24] = [
    ("ational", "ate"),
    ("fulness", "ful"),
    ("iveness", "ive"),
    ("ization", "ize"),
    ("ousness", "ous"),
    ("biliti", "ble"),
    ("lessli", "less"),
    ("tional", "tion"),
    ("alism", "al"),
    ("aliti", "al"),
    ("ation", "ate"),
    ("entli", "ent"),
    ("fulli", "ful"),
    ("iviti", "ive"),
    ("ousli", "ous"),
    ("abli", "able"),
    ("alli", "al"),
    ("anci", "ance"),
    ("ator", "ate"),
    ("enci", "ence"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("ogi", "og"),
    ("li", ""),
];

/// The same, later.
const THIRD: [(&str, &str); 9] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("alize", "al"),
    ("ative", ""),
    ("icate", "ic"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ness", ""),
    ("ful", ""),
];

/// Endings that go where two syllables come before.
const FOURTH: [&str; 18] = [
    "ement", "able", "ance", "ence", "ible", "ment", "ant", "ate", "ent", "ion", "ism", "iti",
    "ive", "ize", "ous", "al", "er", "ic",
];

/// The stem of a word of small letters; other words are their own.
pub(super) fn stem(word: &str) -> String {
    if word.len() < 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.into();
    }
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return String::from(*stem);
    }
    let mut stem = Stem::new(word);
    stem.plural();
    if !COMPLETE.contains(&stem.text.as_str()) {
        stem.past();
        stem.last_y();
        stem.replace(&SECOND);
        stem.replace(&THIRD);
        stem.fourth();
        stem.last_letter();
    }
    stem.text.make_ascii_lowercase();
    stem.text
}

struct Stem {
    /// With `Y` where it is a consonant.
    text: String,
    /// Where the part behind the first syllable begins, and that behind the second.
    regions: [usize; 2],
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

impl Stem {
    fn new(word: &str) -> Self {
        let mut text = String::with_capacity(word.len());
        for letter in word.chars() {
            let after_vowel = text.as_bytes().last().is_none_or(|last| is_vowel(*last));
            text.push(if letter == 'y' && after_vowel {
                'Y'
            } else {
                letter
            });
        }
        let behind_syllable = |start: usize| {
            let bytes = &text.as_bytes()[start..];
            let end = bytes
                .windows(2)
                .position(|two| is_vowel(two[0]) && !is_vowel(two[1]));
            end.map_or(text.len(), |end| start + end + 2)
        };
        let prefix = ["gener", "commun", "arsen"]
            .into_iter()
            .find(|prefix| text.starts_with(prefix));
        let first = prefix.map_or_else(|| behind_syllable(0), str::len);
        Self {
            regions: [first, behind_syllable(first)],
            text,
        }
    }

    /// What comes before `ending`, if the word ends so.
    fn before(&self, ending: &str) -> Option<&[u8]> {
        self.text.strip_suffix(ending).map(str::as_bytes)
    }

    fn cut(&mut self, letters: usize) {
        self.text.truncate(self.text.len() - letters);
    }

    /// Whether the last `letters` are behind that many syllables.
    fn behind(&self, syllables: usize, letters: usize) -> bool {
        self.text.len() - letters >= self.regions[syllables - 1]
    }

    fn plural(&mut self) {
        if self.text.ends_with("sses") {
            self.cut(2);
        } else if let Some(before) = self.before("ied").or_else(|| self.before("ies")) {
            let letters = if before.len() > 1 { 2 } else { 1 };
            self.cut(letters);
        } else if self.text.ends_with("us") || self.text.ends_with("ss") {
        } else if let Some([before @ .., _]) = self.before("s")
            && before.iter().any(|byte| is_vowel(*byte))
        {
            self.cut(1);
        }
    }

    fn past(&mut self) {
        for ending in ["eedly", "eed"] {
            if self.text.ends_with(ending) {
                if self.behind(1, ending.len()) {
                    self.cut(ending.len() - 2);
                }
                return;
            }
        }
        let ending = ["ingly", "edly", "ing", "ed"]
            .into_iter()
            .find(|ending| self.text.ends_with(ending));
        let Some(ending) = ending else { return };
        let before = &self.text.as_bytes()[..self.text.len() - ending.len()];
        if !before.iter().any(|byte| is_vowel(*byte)) {
            return;
        }
        self.cut(ending.len());
        let bytes = self.text.as_bytes();
        if ["at", "bl", "iz"]
            .iter()
            .any(|ending| self.text.ends_with(ending))
        {
            self.text.push('e');
        } else if let [.., a, b] = bytes
            && a == b
            && b"bdfgmnprt".contains(a)
        {
            self.cut(1);
        } else if self.regions[0] >= bytes.len() && ends_short(bytes) {
            self.text.push('e');
        }
    }

    fn last_y(&mut self) {
        if let [_, .., before, b'y' | b'Y'] = self.text.as_bytes()
            && !is_vowel(*before)
        {
            self.cut(1);
            self.text.push('i');
        }
    }

    fn replace(&mut self, endings: &[(&str, &str)]) {
        let found = endings
            .iter()
            .find(|(ending, _)| self.text.ends_with(ending));
        let Some((ending, new)) = found.filter(|(ending, _)| self.behind(1, ending.len())) else {
            return;
        };
        let last = self.text.as_bytes()[..self.text.len() - ending.len()]
            .last()
            .copied()
            .unwrap_or(0);
        let goes = match *ending {
            "li" => b"cdeghkmnrt".contains(&last),
            "ogi" => last == b'l',
            "ative" => self.behind(2, 5),
            _ => true,
        };
        if goes {
            self.cut(ending.len());
            self.text.push_str(new);
        }
    }

    fn fourth(&mut self) {
        let found = FOURTH.iter().find(|ending| self.text.ends_with(**ending));
        let Some(ending) = found.filter(|ending| self.behind(2, ending.len())) else {
            return;
        };
        let last = self.text.as_bytes()[..self.text.len() - ending.len()].last();
        if *ending != "ion" || matches!(last, Some(b's' | b't')) {
            self.cut(ending.len());
        }
    }

    fn last_letter(&mut self) {
        let goes = match self.text.as_bytes() {
            [before @ .., b'e'] => self.behind(2, 1) || (self.behind(1, 1) && !ends_short(before)),
            [.., b'l', b'l'] => self.behind(2, 1),
            _ => false,
        };
        if goes {
            self.cut(1);
        }
    }
}

/// Whether a word ends in a short syllable: `rap`, `ent`, `ow` do not all; see the algorithm.
fn ends_short(bytes: &[u8]) -> bool {
    match bytes {
        [a, b] => is_vowel(*a) && !is_vowel(*b),
        [.., a, b, c] => {
            !is_vowel(*a) && is_vowel(*b) && !is_vowel(*c) && !matches!(c, b'w' | b'x' | b'Y')
        }
        _ => false,
    }
}
