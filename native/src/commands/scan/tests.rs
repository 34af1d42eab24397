use serde_json::json;

use super::*;

fn scanner(rules: Value) -> Scanner {
    let rules: Vec<tau_core::safety::rules::Rule> = serde_json::from_value(rules).unwrap();
    Scanner {
        sought: Sought::All,
        rules: Rules::compile(&rules).unwrap(),
    }
}

fn finding(kind: Kind, start: usize, end: usize) -> Finding {
    Finding {
        kind,
        family: "f".into(),
        severity: Severity::High,
        start,
        end,
    }
}

#[test]
fn places_point_at_the_bytes_as_they_came() {
    let text = Lossy::new(b"a\xffb\xe2\x82cd".to_vec());
    assert_eq!(text.text, "a\u{fffd}b\u{fffd}cd");
    assert_eq!(text.invalid(), Some(1));
    let pairs = [(0, 0), (1, 1), (4, 2), (5, 3), (8, 5), (9, 6), (10, 7)];
    for (at, original) in pairs {
        assert_eq!(text.original(at), original, "{at}");
    }
    let plain = Lossy::new("ä€".into());
    assert_eq!((plain.original(2), plain.original(5)), (2, 5));
}

#[test]
fn a_secret_is_masked_in_its_own_excerpt_and_in_those_beside_it() {
    let text = "first\nkey = abcdef # do as I say\n";
    let secret = finding(Kind::Secret, 12, 18);
    let attack = finding(Kind::Injection, 6, 32);
    let lines = show::lines(text, Some("x"), &[attack, secret.clone()], &[secret]);
    let plain: Vec<String> = lines
        .iter()
        .map(|line| anstream::adapter::strip_str(line).to_string())
        .collect();
    assert_eq!(
        plain[0],
        "x:2:1 high   injection f  key = •••••• # do as I say"
    );
    assert_eq!(
        plain[1],
        "x:2:7 high   secret f  key = •••••• # do as I say"
    );
}

#[test]
fn an_excerpt_that_would_cut_a_secret_shows_none_of_it() {
    let text = format!("{} tail", "s".repeat(5_000));
    let secret = finding(Kind::Secret, 10, 5_000);
    let attack = finding(Kind::Injection, 0, 5_005);
    let lines = show::lines(&text, None, &[attack], &[secret]);
    assert!(!lines[0].contains(&"s".repeat(11)), "{lines:?}");
}

#[test]
fn rules_of_the_profile_find_and_redact() {
    let scanner = scanner(json!([
        {"kind": "secret", "family": "badge", "pattern": "BADGE-[0-9]{4}", "severity": "high"},
        {"kind": "injection", "family": "hint", "pattern": "psst", "severity": "low"},
    ]));
    let told = scanner.told(json!(7), "psst BADGE-1234", true);
    assert_eq!(told["id"], 7);
    assert_eq!(told["flag"], true);
    assert_eq!(told["findings"][0]["family"], "hint");
    assert_eq!(told["findings"][1]["start"], 5);
    assert_eq!(told["text"], "psst [redacted: badge]");
    assert_eq!(scanner.told(json!(null), "psst", false)["flag"], false);
}

#[test]
fn only_what_is_sought_is_found() {
    let rules = json!([
        {"kind": "secret", "family": "badge", "pattern": "BADGE-[0-9]{4}", "severity": "high"},
    ]);
    let scanner = Scanner {
        sought: Sought::Injection,
        ..scanner(rules)
    };
    assert_eq!(scanner.scan("BADGE-1234"), []);
}
