//! Error answers, retry hints and what is left out of both.

use super::*;
use crate::{
    ids::UnixMillis,
    session::{FailureKind, HttpHead},
    wire::{redact, retry},
};

const NOW: UnixMillis = UnixMillis(784_111_777_000);

fn head(status: u16, headers: &[(&str, &str)]) -> HttpHead {
    HttpHead {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        at: NOW,
    }
}

fn error(status: u16, body: &str) -> ProviderError {
    provider_error(&model(Api::OpenAi), &head(status, &[]), body.as_bytes())
}

#[test]
fn retry_hints() {
    // NOW is the instant of RFC 9110's example, Sun, 06 Nov 1994 08:49:37 GMT.
    let cases = [
        ("", None),
        ("retry-after: 31", Some(31_000)),
        ("retry-after:  0.5 ", Some(500)),
        ("retry-after: 0.0001", Some(1)),
        ("retry-after: 0", Some(0)),
        ("retry-after: -1", None),
        ("retry-after: soon", None),
        ("retry-after: 99999999999999999999999", Some(u64::MAX)),
        ("retry-after: 2 | retry-after-ms: 1837", Some(1_837)),
        ("retry-after: 2 | retry-after-ms: x", Some(2_000)),
        ("retry-after: Sun, 06 Nov 1994 08:50:07 GMT", Some(30_000)),
        ("retry-after: Sunday, 06-Nov-94 08:50:07 GMT", Some(30_000)),
        ("retry-after: Sun Nov  6 08:50:07 1994", Some(30_000)),
        ("retry-after: Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("retry-after: Sun, 06 Foo 1994 08:50:07 GMT", None),
        ("retry-after: Sun, 06 Nov 1994 25:50:07 GMT", None),
        ("x-ratelimit-reset-requests: 6m0s", Some(360_000)),
        ("x-ratelimit-reset-tokens: 20ms", Some(20)),
        (
            "x-ratelimit-remaining-requests: 0 | x-ratelimit-reset-requests: 1s | x-ratelimit-reset-tokens: 6m0s",
            Some(1_000),
        ),
        (
            "x-ratelimit-reset-requests: 1s | x-ratelimit-reset-tokens: 2m59.56s",
            Some(179_560),
        ),
    ];
    for (headers, expected) in cases {
        let pairs = headers.split(" | ").filter_map(|h| h.split_once(": "));
        let head = head(429, &pairs.collect::<Vec<_>>());
        assert_eq!(retry::after_ms(&head), expected, "{headers}");
    }
    let reset = [("x-ratelimit-reset-requests", "1s")];
    assert_eq!(retry::after_ms(&head(503, &reset)), None);
}

#[test]
fn durations() {
    let now = UnixMillis(1_760_000_000_000);
    let cases = [
        ("1h2m3s4ms", Some(3_723_004)),
        ("7.66s", Some(7_660)),
        ("1d", Some(86_400_000)),
        ("12", Some(12_000)),
        ("1760000042000", Some(42_000)),
        ("1760000042", Some(42_000)),
        ("1759999999", Some(0)),
        ("", None),
        ("s", None),
        ("5", Some(5_000)),
        ("5x", None),
        ("5s6", None),
        ("1..2s", None),
    ];
    for (text, expected) in cases {
        assert_eq!(retry::duration_ms(text, now), expected, "{text:?}");
    }
}

#[test]
fn dates() {
    let cases = [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
        ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000_000)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799_000)),
        ("Wed, 31 Dec 1969 23:59:59 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let expected = expected.map(UnixMillis);
        assert_eq!(retry::http_date(text, NOW), expected, "{text:?}");
    }
    let later = UnixMillis(1_760_000_000_000);
    let two_digits = "Sunday, 06-Nov-94 08:49:37 GMT";
    assert_eq!(retry::http_date(two_digits, later), Some(NOW));
}

#[test]
fn statuses_by_who_can_mend_them() {
    use FailureKind as K;
    let cases = [
        (301, K::NotFound, false),
        (400, K::BadRequest, false),
        (401, K::Unauthorized, false),
        (402, K::RateLimited, false),
        (403, K::Unauthorized, false),
        (404, K::NotFound, false),
        (408, K::Unavailable, true),
        (409, K::Unavailable, true),
        (413, K::BadRequest, false),
        (418, K::BadRequest, false),
        (422, K::BadRequest, false),
        (429, K::RateLimited, true),
        (500, K::Unavailable, true),
        (501, K::Unavailable, false),
        (502, K::Unavailable, true),
        (503, K::Unavailable, true),
        (504, K::Unavailable, true),
        (524, K::Unavailable, true),
        (529, K::Unavailable, true),
    ];
    for (status, kind, retryable) in cases {
        let error = error(status, "");
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{status}");
        let expected = format!("the provider answered with status {status}");
        assert_eq!(error.message, expected);
    }
}

#[test]
fn a_provider_that_forbids_a_retry_is_obeyed() {
    let head = head(500, &[("x-should-retry", "false")]);
    assert!(!provider_error(&model(Api::OpenAi), &head, b"").retryable);
}

#[test]
fn error_bodies_of_any_shape() {
    let cases = [
        (r#"{"error":"model not loaded"}"#, "model not loaded"),
        (r#"{"detail":"Not Found"}"#, "Not Found"),
        (
            r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
            r#"[{"loc":["body"],"msg":"field required"}]"#,
        ),
        (
            r#"[{"error":{"code":400,"message":"API key not valid"}}]"#,
            "API key not valid",
        ),
        ("upstream\r\n\tconnect   error", "upstream connect error"),
        ("<!DOCTYPE html><body><h1>Oh</h1><p>no</p>", "Oh no"),
        (
            "{\"error\":{\"message\":\"a\\u001b[31mb\\nc\"}}",
            "a[31mb c",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(error(400, body).message, message, "{body}");
    }
    let long = "word ".repeat(1_000);
    assert_eq!(error(400, &long).message.chars().count(), 300);
    let wide = "漢".repeat(10_000);
    assert_eq!(error(400, &wide).message.chars().count(), 300);
    error(400, &"{\"error\":".repeat(5_000));
}

#[test]
fn credentials_are_not_passed_on() {
    let cases = [
        (
            "key sk-proj-abc123DEF456_-x is wrong",
            "key sk-[redacted] is wrong",
        ),
        (
            "Authorization: Bearer abc/def+ghi==, sorry",
            "Authorization: Bearer [redacted], sorry",
        ),
        (
            "authorization: bearer  x",
            "authorization: bearer [redacted]",
        ),
        ("url?key=sk-12345&x", "url?key=sk-[redacted]&x"),
        ("https://x/sk-12345/y", "https://x/sk-[redacted]"),
        ("'sk-ant-api03-A.b~c'", "'sk-[redacted]'"),
        (
            "gsk_A1b2C3d4 and AIzaSyA1b2",
            "gsk_[redacted] and AIza[redacted]",
        ),
        (
            "Incorrect API key provided: 0123456789abcdef0123.",
            "Incorrect API key provided: [redacted]",
        ),
        ("SK-UPPER1234", "SK-[redacted]"),
        (
            "a risk-free task-list, disk-full",
            "a risk-free task-list, disk-full",
        ),
        ("Basic dXNlcjpwYXNz", "Basic [redacted]"),
        (
            "req_011CSHoEeqs5C35K2UUqR7Fy",
            "req_011CSHoEeqs5C35K2UUqR7Fy",
        ),
        ("", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(redact::one_line(text, 300), expected, "{text:?}");
    }
    let body = r#"{"error":{"message":"no","metadata":{"raw":"Bearer sk-secret99"}}}"#;
    assert!(!format!("{:?}", error(401, body)).contains("secret99"));
    let corrupt = b"data: {sk-secret99\n\n";
    let end = decode(Api::OpenAi, None, &[corrupt]).1;
    assert!(!format!("{end:?}").contains("secret99"));
    assert_eq!(
        redact::url("https://user:pass@host:8080/v1?key=abc#x"),
        "https://host:8080/v1"
    );
}

#[test]
fn hints_name_what_to_check() {
    let hint = error(401, "").hint.unwrap();
    assert!(hint.contains("environment variable LLM_API_KEY"), "{hint}");
    let hint = error(404, "").hint.unwrap();
    assert!(
        hint.contains("model-1") && hint.contains("https://llm.example/v1"),
        "{hint}"
    );
    let mut keyless = model(Api::OpenAi);
    keyless.secret = None;
    let hint = provider_error(&keyless, &head(401, &[]), b"").hint.unwrap();
    assert!(hint.contains("no key is configured"), "{hint}");
}
