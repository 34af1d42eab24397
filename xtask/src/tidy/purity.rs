//! What the deciding crates may not know, and the one place that asks a session for effects.

use super::{
    Violation,
    tokens::{Token, matches},
    tree::Tree,
};

/// Crates that decide, or say what is asked of a home: values in, values out.
const PURE: &[&str] = &["core/src/", "kamn/src/", "platform/src/"];

/// Conditions on the machine that would make one home decide differently from another.
const MACHINE: &[&str] = &["target_arch", "target_family", "target_os"];

/// Pure crates start with `#![no_std]`, name nothing of `std` and do not ask which machine they are on.
pub(super) fn no_std(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust().filter(|file| is_pure(&file.path)) {
        let mut report =
            |line, hint: &str| found.push(Violation::new(&file.path, line, "no-std", hint));
        if file.path.ends_with("/src/lib.rs") && !declares_no_std(&file.tokens) {
            report(
                1,
                "start the crate with `#![no_std]` and `extern crate alloc`",
            );
        }
        for (index, token) in file.shipped() {
            if MACHINE.contains(&token.text.as_str()) {
                report(
                    token.line,
                    "the same code runs in every home; let the home say what differs",
                );
            }
            let is_crate = matches(&file.tokens, index, &["extern", "crate", "std"]);
            if starts_std_path(&file.tokens, index) && matches(&file.tokens, index + 3, &["time"]) {
                report(token.line, "time is an argument here, not a clock to read");
            } else if starts_std_path(&file.tokens, index) || is_crate {
                report(
                    token.line,
                    "use core or alloc; what needs std belongs in a target or a home",
                );
            }
        }
    }
    found
}

/// `poll_effect` is called by platform's drive and by tests, and by nothing else.
pub(super) fn one_loop(tree: &Tree) -> Vec<Violation> {
    let may_poll = |path: &str| {
        path.starts_with("core/")
            || path == "platform/src/drive.rs"
            || path.starts_with("platform/src/drive/")
            // Hands effects to JavaScript one by one and loops over nothing: it is only weighed.
            || path == "xtask/wasm/core/src/lib.rs"
    };
    let mut found = Vec::new();
    for file in tree.rust().filter(|file| !may_poll(&file.path)) {
        let calls = file.shipped().filter(|(_, token)| token.is("poll_effect"));
        found.extend(calls.map(|(_, token)| {
            let hint = "tau_platform::drive is the only loop; pass it a host instead";
            Violation::new(&file.path, token.line, "one-loop", hint)
        }));
    }
    found
}

/// Whether `std::…` starts at `at`, and is not the end of a longer path such as `other::std::…`.
fn starts_std_path(tokens: &[Token], at: usize) -> bool {
    let has_parent = at >= 3
        && matches(tokens, at - 2, &[":", ":"])
        && tokens[at - 3]
            .text
            .ends_with(|c: char| c.is_alphanumeric() || c == '_');
    matches(tokens, at, &["std", ":", ":"]) && !has_parent
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|prefix| path.starts_with(prefix))
}

fn declares_no_std(tokens: &[Token]) -> bool {
    (0..tokens.len()).any(|at| matches(tokens, at, &["#", "!", "[", "no_std", "]"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the rule's violations in `text` at `path`.
    fn lines(find: fn(&Tree) -> Vec<Violation>, path: &str, text: &str) -> Vec<usize> {
        find(&Tree::of(path, text))
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn std_and_the_machine_are_reported_in_pure_crates_only() {
        let bad = "use std::time::Instant;\nuse core::fmt;\nextern crate std;\n#[cfg(target_arch = \"wasm32\")]\nfn f() { ::std::mem::drop(1) }";
        assert_eq!(lines(no_std, "core/src/turn.rs", bad), [1, 3, 4, 5]);
        assert_eq!(lines(no_std, "targets/native/src/lib.rs", bad), [0; 0]);
    }

    #[test]
    fn std_is_fine_in_tests_comments_and_foreign_paths() {
        let fine = "//! std::time\nuse other::std::time;\n#[cfg(test)]\nmod tests {\n use std::time::Instant;\n}\nuse alloc::string::String;";
        assert_eq!(lines(no_std, "core/src/turn.rs", fine), [0; 0]);
        assert_eq!(
            lines(no_std, "core/src/turn/tests.rs", "use std::fs;"),
            [0; 0]
        );
    }

    #[test]
    fn a_pure_crate_must_say_no_std() {
        assert_eq!(lines(no_std, "kamn/src/lib.rs", "extern crate alloc;"), [1]);
        assert_eq!(
            lines(no_std, "kamn/src/lib.rs", "//! Kamn.\n#![no_std]"),
            [0; 0]
        );
    }

    #[test]
    fn a_second_loop_is_reported() {
        let source = "fn f(s: &mut S) {\n while let Some(e) = s.poll_effect() {}\n}";
        assert_eq!(lines(one_loop, "native/src/run.rs", source), [2]);
        for allowed in [
            "core/src/session/mod.rs",
            "platform/src/drive.rs",
            "tests/loop.rs",
        ] {
            assert_eq!(lines(one_loop, allowed, source), [0; 0], "{allowed}");
        }
    }
}
