use super::*;
use alloc::{format, string::ToString};
use proptest::prelude::*;

fn rule(pattern: &str) -> Rule {
    Rule {
        kind: Kind::Injection,
        family: "house_rule".into(),
        pattern: pattern.into(),
        severity: Severity::High,
    }
}

/// What a pattern finds in a text.
fn found<'t>(pattern: &str, text: &'t str) -> Vec<&'t str> {
    let rules = Rules::compile(&[rule(pattern)]).unwrap();
    rules
        .scan(text)
        .iter()
        .map(|f| &text[f.start..f.end])
        .collect()
}

fn refused(pattern: &str) -> String {
    Rules::compile(&[rule("fine"), rule(pattern)])
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_pattern_finds_the_leftmost_and_preferred_matches() {
    for (pattern, text, expected) in [
        ("ab+", "xabbbyab", &["abbb", "ab"][..]),
        ("ab+?", "xabbby", &["ab"]),
        ("a|ab", "ab", &["a"]),
        ("ab|a", "ab a", &["ab", "a"]),
        (
            r"\bkey-[0-9]{3,4}\b",
            "key-12 key-123 key-12345 key-9876",
            &["key-123", "key-9876"],
        ),
        ("(?i)project +zebra", "PROJECT  Zebra", &["PROJECT  Zebra"]),
        ("(?i)straße", "STRAßE", &["STRAßE"]),
        ("(?i:Привет)!", "привет! ПРИВЕТ!", &["привет!", "ПРИВЕТ!"]),
        ("^a", "aa", &["a"]),
        ("a$", "aa", &["a"]),
        ("[^a-c\\]]+", "abcd]e", &["d", "e"]),
        (
            r"[\w.-]+@[\w.-]+",
            "write to a.b@c.example now",
            &["a.b@c.example"],
        ),
        ("(ab){2}", "ababab", &["abab"]),
        ("a.c", "abc a\nc aäc", &["abc", "aäc"]),
        (r"\x41\u{42}\u0043", "ABC", &["ABC"]),
        ("(?:x|y)*z", "xyxz", &["xyxz"]),
    ] {
        assert_eq!(found(pattern, text), expected, "{pattern} in {text}");
    }
}

#[test]
fn a_bad_pattern_is_told_with_its_rule_and_place() {
    for (pattern, part) in [
        ("(", "not closed"),
        ("a)", "without its opening"),
        ("[a", "class that is not closed"),
        ("*a", "nothing to repeat"),
        ("a**", "repetition of a repetition"),
        ("a{2", "not closed"),
        ("a{3,2}", "less than its least"),
        ("a{9999}", "more repetitions"),
        ("(a{1000}){1000}", "longer than"),
        ("(a*)+", "may be empty"),
        ("a*", "matches an empty text"),
        ("(?=a)", "not supported"),
        (r"(a)\1", "escape that is not supported"),
        (r"a\", "backslash at the end"),
        ("[z-a]", "end is before"),
    ] {
        let message = refused(pattern);
        assert!(
            message.contains("house_rule") && message.contains(part),
            "{pattern}: {message}"
        );
    }
    let bad = Rules::compile(&[rule("fine"), rule("(")]).unwrap_err();
    assert_eq!(bad.index, 1);
    assert!(refused(&"(".repeat(100)).contains("too deep"));
}

#[test]
fn a_disguised_text_is_matched_as_it_reads_and_marked_as_it_stands() {
    let text = "see рroject\u{200b} zebra here";
    assert_eq!(found("project zebra", text), ["рroject\u{200b} zebra"]);
}

#[test]
fn a_rule_keeps_its_kind_family_and_severity() {
    let rules = Rules::compile(&[Rule {
        kind: Kind::Secret,
        ..rule("zz-[0-9]+")
    }])
    .unwrap();
    let findings = rules.scan("a zz-12");
    assert_eq!(
        (findings[0].kind, &*findings[0].family, findings[0].severity),
        (Kind::Secret, "house_rule", Severity::High)
    );
}

#[test]
fn patterns_that_ruin_other_engines_end() {
    let text = "a".repeat(100_000);
    assert!(found("(a|a)+b", &text).is_empty());
    assert!(found("(?:a?){30}b", &text).is_empty());
    assert_eq!(found("a(?:.*b)?", &text).len(), MOST_FINDINGS);
}

proptest! {
    #[test]
    fn no_pattern_and_no_text_panics(pattern in "[a-c(){}|*+?.\\[\\]^$\\\\0-9,-]{0,20}", text in "[a-c\u{200b}д ]{0,40}") {
        if let Ok(rules) = Rules::compile(&[rule(&pattern)]) {
            for f in rules.scan(&text) {
                prop_assert!(text.get(f.start..f.end).is_some(), "{}", format!("{f:?}"));
            }
        }
    }
}
