use alloc::format;

use super::{super::vendors, *};

#[test]
fn every_prefix_of_the_tables_is_found_with_a_drawn_body() {
    for rule in vendors::ANYWHERE.iter().chain(vendors::SHORT) {
        let alphabet: alloc::vec::Vec<u8> = (b'0'..=b'z')
            .filter(|&byte| {
                super::super::bytes::is(byte, rule.class) && byte.is_ascii_alphanumeric()
            })
            .collect();
        let length = usize::from(rule.least).max(if rule.exact { 0 } else { 12 });
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

#[test]
fn letters_alone_after_a_vendors_prefix_are_a_token() {
    let letters: alloc::vec::Vec<u8> = ALPHANUMERIC[..52].to_vec();
    for prefix in ["hf_", "api_org_", "glpat-"] {
        let token = format!("{prefix}{}", drawn(34, &letters));
        let text = format!("use {token} for it");
        let found = scan(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(&text[found[0].start..found[0].end], token);
    }
    check_silent("hf_thisIsTheNameOfSomeFunctionInAProgram");
}

#[test]
fn tokens_with_marks_of_their_own_inside_are_known_by_them() {
    let hex = drawn(32, HEX);
    let words = drawn(27, ALPHANUMERIC);
    for (token, family) in [
        (
            format!("{hex}-{}-{}", &hex[..8], &hex[8..16]),
            "mailgun_key",
        ),
        (format!("eu01xx{}NRAL", &hex[..30]), "newrelic_key"),
        (format!("00{}", drawn(40, ALPHANUMERIC)), "okta_token"),
        (format!("{hex}.{}", &words[..16]), "zhipu_key"),
        (
            format!("2{}_{}", &words[..26], drawn(21, ALPHANUMERIC)),
            "ngrok_token",
        ),
        (format!("1/1200012345678901:{hex}"), "asana_token"),
        (format!("123456789012345|{words}"), "facebook_token"),
        (
            format!("{}==:{}", drawn(22, ALPHANUMERIC), drawn(32, ALPHANUMERIC)),
            "tableau_token",
        ),
        (
            format!(
                "{}_PF84_94a8ed88-8232-4a63-b2eb-33af459de4cc",
                drawn(64, ALPHANUMERIC)
            ),
            "webex_token",
        ),
        (
            format!(
                "0.94a8ed88-8232-4a63-b2eb-33af459de4cc.{}",
                drawn(30, ALPHANUMERIC)
            ),
            "bitwarden_token",
        ),
        (
            format!("AP6{}", drawn(30, ALPHANUMERIC)),
            "artifactory_token",
        ),
        ("k7x2m9.q4z8w1r6t3y5u0p2".into(), "kubernetes_token"),
        ("oaa9x.v1.Jd82hs_Kw3.5f0c1d2e3b4a".into(), "airtable_token"),
        (
            [40, 60, 50]
                .map(|length| drawn(length, ALPHANUMERIC))
                .join("."),
            "opaque_token",
        ),
    ] {
        check("it is ", &token, "\n", family);
    }
    check_silent(&format!("see main12.{}", &hex[..16]));
}

#[test]
fn a_web_token_with_line_ends_in_its_header_is_found() {
    let head = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
    let jwt = format!("{head}.eyJzdWIiOiIxMjM0NSJ9.{}", drawn(43, ALPHANUMERIC));
    check("", &jwt, "", "jwt");
}

#[test]
fn addresses_that_are_signed_are_found() {
    let signature = drawn(43, BASE64).replace(['/', '+'], "x");
    for (before, after) in [
        (
            "https://x.blob.core.windows.net/c?sv=2020-08-04&sp=r&sig=",
            "&se=2030",
        ),
        (
            "https://x.logic.azure.com/workflows/a/paths/invoke?sv=1.0&sig=",
            "",
        ),
    ] {
        check(before, &signature, after, "signed_url");
    }
    check_silent("https://acme.com/?sig=none&signature=short");
    let hook = drawn(32, ALPHANUMERIC);
    check(
        "https://",
        &format!("hook.eu1.make.com/{hook}"),
        " and",
        "make_webhook",
    );
    check(
        "https://",
        &format!("acme.tines.com/webhook/{hook}"),
        "",
        "tines_webhook",
    );
}
