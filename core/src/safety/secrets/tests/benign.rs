use alloc::format;

use super::*;

#[test]
fn placeholders_and_examples_of_documentation_stay() {
    for text in [
        concat!("AWS_ACCESS_KEY_ID=AKIA", "IOSFODNN7EXAMPLE"),
        concat!(
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/",
            "bPxRfiCYEXAMPLEKEY"
        ),
        "OPENAI_API_KEY=sk-...",
        "OPENAI_API_KEY=your-api-key-here",
        "export ANTHROPIC_API_KEY=\"<your key>\"",
        "Authorization: Bearer <token>",
        concat!("sk_test_", "xxxxxxxxxxxxxxxxxxxxxxxx"),
        concat!("AIza", "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"),
        "SECRET_KEY=changeme",
        "password=********",
        "\"password\": null",
        "client_secret=REDACTED",
        "postgres://user:password@localhost:5432/db",
        "https://user:pass@example.com/",
        "password must be at least 12 characters",
        "hunter2 is the joke password",
    ] {
        check_silent(text);
    }
}

#[test]
fn hashes_pictures_and_public_keys_stay() {
    let blob = drawn(2000, BASE64);
    for text in [
        format!("\"integrity\": \"sha512-{}==\"", drawn(86, BASE64)),
        format!("checksum = \"{}\"", drawn(64, HEX)),
        format!("uses: pypa/gh-action-pypi-publish@{}", drawn(40, HEX)),
        format!("<img src=\"data:image/png;base64,{blob}\">"),
        format!("ssh-rsa AAAAB3NzaC1yc2E{} me@host", drawn(300, BASE64)),
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", drawn(64, BASE64)),
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", drawn(64, BASE64)),
        format!("did:key:z6Mk{}", drawn(44, ALPHANUMERIC)),
        format!("/nix/store/{}-name-1.0/lib", drawn(32, HEX)),
        "0123456789abcdef0123456789abcdef".into(),
        "const ALPHABET: &str = \"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\"".into(),
    ] {
        check_silent(&text);
    }
}

#[test]
fn code_and_prose_about_secrets_stay() {
    for text in [
        "The token bucket algorithm limits requests",
        "secret santa list: Alice, Bob",
        "let key = map.keys().next();",
        "api-key header is required",
        "TOKEN_ENDPOINT=https://login.example.com/oauth2/token",
        "use x25519::{_Ed25519PrivateKey,\n    _Ed25519PublicKey};",
        "password: string,\n    passwordConfirmation: string",
        "\"minipass\": \"^7.1.2\"",
        "fn authenticate(token: &AccessToken2024) -> Result<Session, Error>",
        "[Seth](mailto:seth@acme.com) and http://acme.com",
        "private key: see /etc/ssl/private/server2048.key",
    ] {
        check_silent(text);
    }
}
