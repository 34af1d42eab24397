use alloc::{format, string::String, vec::Vec};

use super::*;

/// A key block of one kind, its lines joined by `newline`.
fn block(kind: &str, newline: &str) -> String {
    let lines: Vec<String> = (0..6).map(|line| drawn(64 - line, BASE64)).collect();
    let body = lines.join(newline);
    format!("-----BEGIN {kind}-----{newline}{body}{newline}-----END {kind}-----")
}

#[test]
fn a_private_key_is_one_finding_from_its_first_to_its_last_line() {
    for kind in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "DSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        for newline in ["\n", "\r\n", "\\n", "\\r\\n", "\" +\n  \""] {
            check("key = \"", &block(kind, newline), "\"", "private_key");
        }
    }
}

#[test]
fn a_key_in_an_account_of_json_is_found_whole() {
    let key = block("PRIVATE KEY", "\\n");
    check(
        "{\"private_key\": \"",
        &key,
        "\\n\", \"client_email\": \"a@b.c\"}",
        "private_key",
    );
}

#[test]
fn a_cut_off_key_is_found_as_far_as_it_goes() {
    let whole = block("RSA PRIVATE KEY", "\n");
    let cut = &whole[..200];
    check("see:\n", cut, "", "private_key");
    let text = format!("{cut}\n\nand then prose follows that is not part of it");
    let found = scan(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].end >= cut.len() && found[0].end <= cut.len() + 2);
}

#[test]
fn two_keys_are_two_findings() {
    let key = block("PRIVATE KEY", "\n");
    let text = format!("{key}\n\n{key}");
    let found = scan(&text);
    assert_eq!(found.len(), 2);
    assert_eq!(&text[found[0].start..found[0].end], key);
    assert_eq!(&text[found[1].start..found[1].end], key);
}

#[test]
fn keys_of_putty_and_keys_in_base64_are_found() {
    let key = drawn(64, BASE64);
    let putty = format!(
        "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPublic-Lines: 1\n{key}\nPrivate-Lines: 1\n{key}\nPrivate-MAC: {}",
        drawn(40, HEX)
    );
    check("", &putty, "\nafter", "private_key");
    let encoded = format!("LS0tLS1CRUdJTiBSU0EgUFJJ{}", drawn(300, ALPHANUMERIC));
    check("key: ", &encoded, "\n", "private_key");
}

#[test]
fn the_private_part_of_a_web_key_is_found_and_the_public_is_not() {
    let part = drawn(43, ALPHANUMERIC);
    let before = format!("{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{part}\",\"d\":\"");
    check(&before, &part, "\"}", "jwk_private_key");
}

#[test]
fn a_title_without_a_key_stays() {
    check_silent("the file begins with -----BEGIN PRIVATE KEY-----");
    check_silent("-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----");
}
