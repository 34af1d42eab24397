//! Names tell behaviour. A reader has no ticket system at hand.

use super::{Violation, tree::Tree};
use regex::Regex;

/// Functions, modules and files are not named after tickets or lists of requirements.
pub(super) fn tickets(tree: &Tree) -> Vec<Violation> {
    let pattern = "^(?i)((spec|issue|ticket|bug|gh|pr)_?[0-9]+|[a-k][0-9]{2})([_-]|$)";
    let pattern = Regex::new(pattern).expect("a valid pattern");
    let hint = "say what happens, as in `late_answer_to_an_interrupted_turn_is_ignored`";
    let mut found = Vec::new();
    for file in &tree.files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        if pattern.is_match(stem) {
            found.push(Violation::new(&file.path, 1, "names", hint));
        }
        let declared = file
            .tokens
            .windows(2)
            .filter(|w| w[0].is("fn") || w[0].is("mod"));
        let bad = declared.filter(|w| pattern.is_match(&w[1].text));
        found.extend(bad.map(|w| Violation::new(&file.path, w[1].line, "names", hint)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_in_names_are_reported() {
        let text = "fn late_answer() {}\nfn b05_injection() {}\nmod spec_3168_c01 {}\nfn k256_key() {}\nfn a1() {}";
        let lines: Vec<_> = tickets(&Tree::of("core/src/a.rs", text))
            .iter()
            .map(|v| v.line)
            .collect();
        assert_eq!(lines, [2, 3]);
        assert_eq!(
            tickets(&Tree::of("tests/scenarios/c18-undo.md", "")).len(),
            1
        );
        assert_eq!(tickets(&Tree::of("tests/scenarios/undo.md", "")), []);
    }
}
