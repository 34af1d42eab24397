//! What no source file may hold: too much, something unfinished, a lint silenced in silence.

use super::{Violation, tokens::matches, tree::Tree};

/// Past this a production file is refused.
const LINES: usize = 800;
/// Past this it is time to look for the state or the concern that wants its own file.
const MANY_LINES: usize = 600;

/// What people write for machines to run or show.
const WRITTEN: &[&str] = &[".rs", ".js", ".mjs", ".css", ".html"];

/// Production files stay short; tests may be as long as their cases.
pub(super) fn length(tree: &Tree) -> Vec<Violation> {
    let is_written = |path: &str| WRITTEN.iter().any(|ending| path.ends_with(ending));
    let files = tree.files.iter();
    files
        .filter(|file| is_written(&file.path) && !file.is_test)
        .filter_map(|file| {
            let lines = file.text.lines().count();
            let hint = format!("{lines} lines: which state or concern wants its own file?");
            let violation = Violation::new(&file.path, lines, "length", hint);
            match lines {
                ..=MANY_LINES => None,
                _ if lines <= LINES => Some(violation.warning()),
                _ => Some(violation),
            }
        })
        .collect()
}

/// No `todo!`, no `unimplemented!`, no ignored test or example, in tests neither.
pub(super) fn unfinished(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        for (index, token) in file.tokens.iter().enumerate() {
            let follows = |texts: &[&str]| matches(&file.tokens, index, texts);
            let hint = if follows(&["todo", "!"]) || follows(&["unimplemented", "!"]) {
                "build it, or answer honestly that it is not there"
            } else if follows(&["#", "[", "ignore"]) || follows(&["test", ",", "ignore"]) {
                "make the test run everywhere, or remove it"
            } else if token.text.starts_with('"') && is_ignored_example(&token.text) {
                "let the example compile: `no_run` if it cannot run here"
            } else {
                continue;
            };
            found.push(Violation::new(&file.path, token.line, "unfinished", hint));
        }
    }
    found
}

/// Whether a doc comment, which is a string among tokens, opens an example that is not compiled.
fn is_ignored_example(literal: &str) -> bool {
    let fence = literal.trim_matches('"').trim_start();
    let Some(words) = fence.strip_prefix("```") else {
        return false;
    };
    words
        .split([',', ' '])
        .any(|word| word.starts_with("ignore"))
}

/// `#[allow]` and `#[expect]` carry a reason.
pub(super) fn silenced(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        for (index, token) in file.tokens.iter().enumerate() {
            let starts = |name| {
                matches(&file.tokens, index, &["#", "[", name, "("])
                    || matches(&file.tokens, index, &["#", "!", "[", name, "("])
            };
            if !starts("allow") && !starts("expect") {
                continue;
            }
            let inside = file.tokens[index..]
                .iter()
                .take_while(|token| !token.is(")"));
            if !inside.into_iter().any(|token| token.is("reason")) {
                let hint = "write `#[expect(…, reason = \"…\")]`, or mend what the lint sees";
                found.push(Violation::new(&file.path, token.line, "silenced", hint));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(find: fn(&Tree) -> Vec<Violation>, text: &str) -> Vec<usize> {
        find(&Tree::of("core/src/a.rs", text))
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn long_files_are_warned_about_then_refused() {
        let found = |path: &str, count| {
            let found = length(&Tree::of(path, &"\n".repeat(count)));
            found.first().map(|violation| violation.is_warning)
        };
        assert_eq!(found("core/src/a.rs", 600), None);
        assert_eq!(found("core/src/a.rs", 601), Some(true));
        assert_eq!(found("core/src/a.rs", 801), Some(false));
        assert_eq!(found("browser/www/a.js", 801), Some(false));
        assert_eq!(found("core/src/a/tests.rs", 801), None);
        assert_eq!(found("docs/a.md", 801), None);
    }

    #[test]
    fn unfinished_code_and_skipped_tests_are_reported() {
        let bad = "fn a() { todo!() }\nfn b() { unimplemented!(\"c\") }\n#[test]\n#[ignore = \"slow\"]\nfn d() {}\n/// ```ignore\n/// x\n/// ```\nfn e() {}\n#[cfg_attr(test, ignore)]\nfn f() {}";
        assert_eq!(lines(unfinished, bad), [1, 2, 4, 6, 10]);
        let fine = "/// todo!()\n/// ```no_run\n/// ```\nfn a() { let ignore = \"todo!()\"; }";
        assert_eq!(lines(unfinished, fine), [0; 0]);
    }

    #[test]
    fn a_lint_silenced_without_reason_is_reported() {
        let bad = "#![allow(dead_code)]\n#[expect(unused)]\nfn a() {}";
        assert_eq!(lines(silenced, bad), [1, 2]);
        let fine = "#[expect(unused, reason = \"the macro uses it\")]\nfn a() { x.expect(\"y\") }";
        assert_eq!(lines(silenced, fine), [0; 0]);
    }
}
