use alloc::format;

use super::{super::prefixes, *};

#[test]
fn every_prefix_of_the_tables_is_found_with_a_drawn_body() {
    for rule in prefixes::RULES.iter().chain(prefixes::SHORT) {
        let alphabet: alloc::vec::Vec<u8> = (b'0'..=b'z')
            .filter(|&byte| {
                super::super::bytes::is(byte, rule.class) && byte.is_ascii_alphanumeric()
            })
            .collect();
        let length = usize::from(rule.least).max(12).min(usize::from(rule.most));
        let token = format!("{}{}", rule.prefix, drawn(length, &alphabet));
        let text = format!("it is \"{token}\" today");
        let found = scan(&text);
        assert!(
            found.iter().any(|finding| {
                finding.severity >= Severity::Medium
                    && text[finding.start..finding.end].contains(&token)
            }),
            "{token}: {found:?}"
        );
    }
}

#[test]
fn tokens_are_found_whole_between_any_signs() {
    let token = format!("{}{}", "ghp_", drawn(36, ALPHANUMERIC));
    for (before, after) in [
        ("", ""),
        ("token is ", " and"),
        ("(", ")"),
        ("https://x:", "@github.com/a/b.git"),
        ("\\n", "\\n"),
        ("ends here: ", "."),
        ("é", "é"),
        ("[", "](x)"),
    ] {
        let text = format!("{before}{token}{after}");
        let found = scan(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(&text[found[0].start..found[0].end], token, "{text}");
    }
}

#[test]
fn a_valid_checksum_raises_the_severity() {
    let drawn = format!("ghp_{}", drawn(36, ALPHANUMERIC));
    assert_eq!(scan(&drawn)[0].severity, Severity::Medium);
    // The example of a scanner's own tests; its checksum holds.
    let valid = ["gh", "p_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO", "0pINUx"].concat();
    assert_eq!(scan(&valid)[0].severity, Severity::High);
}

#[test]
fn a_longer_word_that_holds_a_prefix_is_no_token() {
    check_silent(&format!("PREFIXAKIA{}", drawn(16, CAPITALS)));
    check_silent(&format!("AKIA{}", drawn(30, CAPITALS)));
    check_silent("sk-learn-is-a-library-for-machine-learning-in-python");
    check_silent("xoxb-your-token-here");
    check_silent("the ghp_ prefix is followed by 36 characters");
}

#[test]
fn an_aws_secret_key_is_found_beside_its_id() {
    let id = format!("AKIA{}", drawn(16, CAPITALS));
    let key = drawn(40, BASE64);
    let text = format!("{id},{key}");
    let found = scan(&text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(&text[found[1].start..found[1].end], key);
    assert_eq!(found[1].family, "aws_secret_key");
}

#[test]
fn tokens_without_a_prefix_are_known_by_their_form() {
    let head = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let jwt = format!("{head}.eyJzdWIiOiIxMjM0NSJ9.{}", drawn(43, ALPHANUMERIC));
    check("cookie: ", &jwt, "; path=/", "jwt");
    let mailchimp = format!("{}-us{}", drawn(32, HEX), 12);
    check("", &mailchimp, "", "mailchimp_key");
    let telegram = format!("{}:AA{}", 110_201_543, drawn(33, ALPHANUMERIC));
    check(
        "https://api.telegram.org/bot",
        &telegram,
        "/getMe",
        "telegram_token",
    );
    let sendgrid = format!("SG.{}.{}", drawn(22, ALPHANUMERIC), drawn(43, ALPHANUMERIC));
    check("'", &sendgrid, "'", "sendgrid_key");
    let terraform = format!(
        "{}.atlasv1.{}",
        drawn(14, ALPHANUMERIC),
        drawn(67, ALPHANUMERIC)
    );
    check("token = \"", &terraform, "\"", "terraform_token");
    let azure = format!("{}8Q~{}", "a1B", drawn(34, ALPHANUMERIC)).replace("a1B8", "abc8");
    check("", &azure, "", "azure_client_secret");
}

#[test]
fn hashes_of_passwords_are_found() {
    let bcrypt = format!("$2b$10${}", drawn(53, ALPHANUMERIC));
    check("root:", &bcrypt, ":0:0", "password_hash");
    let sha512 = format!("$6$rounds=5000$salt1${}", drawn(86, ALPHANUMERIC));
    check("\"", &sha512, "\"", "password_hash");
}

#[test]
fn addresses_that_are_secrets_are_found() {
    let slack = format!(
        "hooks.slack.com/services/T{}/B{}/{}",
        drawn(8, CAPITALS),
        drawn(8, CAPITALS),
        drawn(24, ALPHANUMERIC)
    );
    check("https://", &slack, " posts", "slack_webhook");
    let discord = format!(
        "discord.com/api/webhooks/{}/{}",
        1_234_567_890,
        drawn(68, ALPHANUMERIC)
    );
    check("(https://", &discord, ")", "discord_webhook");
}

#[test]
fn an_unknown_vendors_token_alone_on_its_line_is_found() {
    let token = format!("acme_{}", drawn(40, ALPHANUMERIC));
    check("here it is:\n", &token, "\nkeep it", "prefixed_token");
    check_silent("the digest sha256-xyz");
}
