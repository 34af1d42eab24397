//! Patterns of a profile: compiled or refused, and then linear. The first line is the pattern.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_core::safety::{
    Kind, Severity,
    rules::{Rule, Rules},
};

fuzz_target!(|data: &[u8]| {
    let input = String::from_utf8_lossy(data);
    let (pattern, text) = input.split_once('\n').unwrap_or((&input, ""));
    let rule = Rule {
        kind: Kind::Injection,
        family: "own".into(),
        pattern: pattern.into(),
        severity: Severity::High,
    };
    let Ok(rules) = Rules::compile(&[rule]) else {
        return;
    };
    for finding in rules.scan(text) {
        assert!(
            text.get(finding.start..finding.end).is_some(),
            "{finding:?} of {text:?}"
        );
    }
});
