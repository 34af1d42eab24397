//! Settings without a browser.

use super::*;
use serde_json::json;

fn set(changes: Value) -> Result<Settings, Refused> {
    Settings::default().with(&changes)
}

#[test]
fn changes_are_merged_and_tidied() {
    let settings = set(json!({"base_url": " https://a.example/v1/ ", "model": " m "})).unwrap();
    assert_eq!(settings.base_url, "https://a.example/v1");
    assert_eq!(settings.model, "m");
    let settings = settings.with(&json!({"policy": "strict"})).unwrap();
    assert_eq!(settings.model, "m");
    assert_eq!(settings.show()["policy"], "strict");
}

#[test]
fn settings_that_could_not_work_are_refused() {
    let cases = [
        json!({"base_url": "a.example/v1"}),
        json!({"base_url": "ftp://a.example"}),
        json!({"base_url": "https://"}),
        json!({"base_url": "https://user:password@a.example"}),
        json!({"api": "grpc"}),
        json!({"policy": "lenient"}),
        json!({"context_tokens": 10}),
        json!({"context_tokens": -1}),
        json!({"max_output_tokens": 128_000}),
        json!({"key": "secret"}),
        json!({"wants_key": true}),
        json!({"v": 2}),
        json!([]),
    ];
    for changes in cases {
        let shown = changes.to_string();
        let refused = set(changes).unwrap_err();
        assert_eq!(refused.to_value()["code"], "bad_request", "{shown}");
    }
}

#[test]
fn origin_is_scheme_and_authority() {
    let origin = |url: &str| {
        set(json!({ "base_url": url }))
            .unwrap()
            .origin()
            .map(String::from)
    };
    assert_eq!(
        origin("http://127.0.0.1:8080/v1"),
        Some("http://127.0.0.1:8080".into())
    );
    assert_eq!(
        origin("https://a.example?x=1"),
        Some("https://a.example".into())
    );
    assert_eq!(origin(""), None);
}

#[test]
fn key_is_for_one_origin_and_never_follows_to_another() {
    let mut key = Key::default();
    key.set("secret");
    assert!(!key.bind(None));
    assert!(key.bind(Some("https://a.example")));
    assert_eq!(key.of("https://a.example").as_deref(), Some("secret"));
    assert_eq!(key.of("https://b.example"), None);
    assert!(!key.bind(Some("https://b.example")));
    assert!(!key.bind(Some("https://a.example")));
    assert_eq!(key.of("https://a.example"), None);
    assert!(!format!("{key:?}").contains("secret"));
}

#[test]
fn looking_at_the_page_is_asked_for_under_every_preset() {
    for preset in ["permissive", "balanced", "strict", "hardened"] {
        let policy = set(json!({ "policy": preset })).unwrap().policy();
        assert_eq!(policy.tools[PAGE], Action::Ask, "{preset}");
    }
}

#[test]
fn session_without_a_model_says_what_to_do() {
    let refused = Settings::default().config(Vec::new(), None).unwrap_err();
    assert_eq!(refused.to_value()["code"], "no_model");
    let embedded = set(json!({"api": "embedded"})).unwrap();
    assert!(embedded.config(Vec::new(), None).is_err());
}

#[test]
fn wanted_key_is_named_by_its_origin_and_dropped_with_it() {
    let mut settings = set(json!({"base_url": "https://a.example/v1", "model": "m"})).unwrap();
    assert_eq!(settings.endpoint().secret, None);
    settings.wants_key = true;
    assert_eq!(
        settings.endpoint().secret.as_deref(),
        Some("https://a.example")
    );
    let same = settings
        .with(&json!({"base_url": "https://a.example/v2"}))
        .unwrap();
    assert!(same.wants_key);
    let other = settings
        .with(&json!({"base_url": "https://b.example/v1"}))
        .unwrap();
    assert!(!other.wants_key);
}

#[test]
fn instructions_are_kept_as_a_session_will_have_them() {
    let token = ["ghp", "_a1B2c3D4e5F6", "g7H8i9J0k1L2", "m3N4o5P6q7R8"].concat();
    let settings = set(json!({ "system": format!("Log in with {token}.") })).unwrap();
    let kept = String::from_utf8(settings.to_batch().put[0].1.clone()).unwrap();
    assert!(
        !kept.contains(&token) && kept.contains("Log in with [redacted: "),
        "{kept}"
    );
    assert_eq!(settings.with(&json!({})).unwrap(), settings);
}
