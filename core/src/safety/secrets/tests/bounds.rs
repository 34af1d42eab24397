use alloc::{format, string::String, vec};
use proptest::prelude::*;

use super::*;

fn assert_sound(text: &str) {
    let mut last = 0;
    for finding in scan(text) {
        assert!(
            last <= finding.start && finding.start < finding.end,
            "{text:?}"
        );
        assert!(text.is_char_boundary(finding.start) && text.is_char_boundary(finding.end));
        last = finding.end;
    }
}

#[test]
fn a_secret_behind_one_layer_of_encoding_is_found_in_the_original() {
    let token = format!("ghp_{}", drawn(36, ALPHANUMERIC));
    // Invisible characters.
    let hidden: String = token.chars().flat_map(|c| [c, '\u{200b}']).collect();
    let text = format!("é {hidden}!");
    let found = scan(&text);
    assert_eq!(found.len(), 1);
    assert_eq!(
        text[found[0].start..found[0].end].replace('\u{200b}', ""),
        token
    );
    // Percent escapes.
    let escaped = format!("q=%67hp_{}&x", &token[4..]);
    let found = scan(&escaped);
    assert_eq!(found.len(), 1);
    assert_eq!(
        &escaped[found[0].start..found[0].end],
        &escaped[2..escaped.len() - 2]
    );
    // Base64.
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(format!("the token is {token} ok"));
    check("data: ", &encoded, "\n", "github_token");
}

#[test]
fn hostile_repetitions_are_read_once() {
    // A scan that looks back or ahead without bound takes hours for these.
    for piece in [
        "sk-",
        "eyJ",
        "eyJ.",
        "password=",
        "password=\"a",
        "pass:",
        "key=",
        "secret token ",
        "AKIA",
        "ghp_",
        "xoxb-",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "----",
        "://",
        "http://a:b@",
        "a://",
        "$6$",
        "$krb5",
        "PuTTY-User-Key-File-",
        "%41",
        "%",
        "\u{200b}",
        "YWJj",
        "abcDEF123456ghij ",
        "\"d\":\"",
        ".atlasv1.",
        "basic ",
        " -u a:",
        "é",
        "=",
        "\\n",
        "-----BEGIN PRIVATE KEY-----\\nPuTTY-User-Key-File-2\\nPrivate-Lines:",
        "'\"`password='\"`",
    ] {
        assert_sound(&piece.repeat(400_000 / piece.len()));
    }
}

#[test]
fn a_text_of_a_few_bytes_is_no_trouble() {
    for text in [
        "",
        "a",
        "eyJ",
        "://",
        "pass",
        "password",
        "password=",
        "password=\"",
        "-----BEGIN ",
        "$",
        "=",
        "é",
    ] {
        assert_sound(text);
        check_silent(text);
    }
}

/// Pieces of what rules look for, to be put together in ways nobody thought of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("password"),
        Just("="),
        Just(": "),
        Just("\""),
        Just("'"),
        Just("\\"),
        Just("\n"),
        Just("://"),
        Just("@"),
        Just("user:"),
        Just("-----BEGIN PRIVATE KEY-----"),
        Just("-----END PRIVATE KEY-----"),
        Just("ghp_"),
        Just("eyJ"),
        Just("."),
        Just("$2b$10$"),
        Just("PuTTY-User-Key-File-2"),
        Just("Private-Lines:"),
        Just("basic "),
        Just(" -u "),
        Just("%41"),
        Just("%"),
        Just("\u{200b}"),
        Just("é"),
        Just("𝕏"),
        Just("token"),
        Just("abcDEF123456ghijKLM789"),
        Just("YWJjZGVmZ2hpamtsbW5vcHFy"),
        Just("-----"),
        Just("{"),
        Just("key"),
        Just("$krb5"),
        Just("\"d\":\""),
        Just("\"kty\""),
        Just(".apps.googleusercontent.com"),
        Just("AKIA"),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn findings_lie_in_order_within_any_text_on_boundaries_of_characters(text in ".{0,300}") {
        assert_sound(&text);
    }

    #[test]
    fn findings_lie_in_order_within_texts_made_of_what_rules_look_for(text in pieces()) {
        assert_sound(&text);
    }

    #[test]
    fn what_stands_around_a_token_does_not_hide_it(before in "[^A-Za-z0-9]{0,20}", after in "[^A-Za-z0-9=]{0,20}") {
        let token = format!("glpat-{}", drawn(20, ALPHANUMERIC));
        let text = format!("{before}{token}{after}");
        let at = before.len();
        prop_assert!(scan(&text).iter().any(|finding| finding.start <= at && finding.end >= at + token.len()));
    }
}
