use super::*;

#[test]
fn a_handle_at_the_end_of_a_header_is_put_in_by_the_home() {
    for (text, prefix) in [
        ("{{secret:github}}", ""),
        ("Bearer {{secret:github}}", "Bearer "),
        ("token {{secret:github}}", "token "),
    ] {
        let expected = HeaderValue::Secret {
            name: "secret:github".into(),
            prefix: prefix.into(),
        };
        assert_eq!(header_value(text), Ok(expected), "{text}");
    }
    for text in [
        "",
        "application/json",
        "{{name}}",
        "{\"a\":{\"b\":1}}",
        "secret:github",
    ] {
        assert_eq!(header_value(text), Ok(HeaderValue::Plain(text.into())));
    }
}

#[test]
fn a_handle_that_could_go_out_as_text_is_refused() {
    for text in [
        "Bearer {{secret:a}} and more",
        "{{secret:a}}{{secret:b}}",
        "{{ secret:a }}",
        "{{SECRET:a}}",
        "{{secret:a",
        "{{secret:}}",
        "{{secret:a b}}",
        "{{secret:../a}}",
        "{{secret a}}",
        "{{x}} {{secret:a}}",
    ] {
        let refusal = header_value(text).expect_err(text);
        assert_eq!(refusal.rule, "credentials: handle");
    }
}

#[test]
fn an_address_or_a_body_takes_no_handle() {
    assert_eq!(refuse_in("the body", "{\"a\": \"{{b}}\"}"), Ok(()));
    let refusal = refuse_in("the body", "{\"a\": \"{{secret:b}}\"}").unwrap_err();
    assert!(refusal.reason.starts_with("the body holds a handle"));
    assert!(refuse_in("the address", "https://a.example/?k={{ Secret:b}}").is_err());
}

#[test]
fn names_are_plain_and_short() {
    for name in ["a", "github", "GitHub-2", "9.x_y"] {
        assert!(is_name(name), "{name}");
        assert!(mentions(&handle(name)));
    }
    for name in ["", "-a", ".a", "a b", "a/b", "ä", "a}", &"a".repeat(65)] {
        assert!(!is_name(name), "{name}");
    }
}

fn scope(text: &str) -> Result<String, String> {
    Scope::parse(text)
        .map(|scope| scope.to_string())
        .map_err(|refusal| refusal.rule)
}

#[test]
fn a_credential_is_for_one_origin_over_https_or_on_this_machine() {
    for (text, shown) in [
        ("api.github.com", "api.github.com"),
        ("API.GitHub.com", "api.github.com"),
        ("https://api.github.com/", "api.github.com"),
        ("api.github.com:443", "api.github.com"),
        ("git.example.com:8443", "git.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:9", "http://[::1]:9"),
    ] {
        assert_eq!(scope(text).as_deref(), Ok(shown), "{text}");
        assert_eq!(scope(shown).as_deref(), Ok(shown), "it is read back");
    }
    for text in [
        "",
        "http://api.github.com",
        "http://192.168.1.1",
        "http://localhost.example.com",
        "ftp://a.example",
        "a.example/path",
        "user@a.example",
        "a.example?x",
        "*.example.com",
    ] {
        assert!(scope(text).is_err(), "{text}");
    }
}

#[test]
fn another_origin_is_told_where_a_credential_belongs() {
    let scope = Scope::parse("api.github.com").unwrap();
    let check = |url: &str| {
        let origin = crate::egress::Origin::parse(url).unwrap();
        scope.check("secret:github", &origin)
    };
    assert_eq!(check("https://api.github.com"), Ok(()));
    for url in [
        "http://api.github.com",
        "https://api.github.com:8443",
        "https://github.com",
        "https://x.api.github.com",
        "https://api.github.com.evil.example",
    ] {
        let refusal = check(url).expect_err(url);
        assert!(
            refusal
                .reason
                .contains("github belongs to api.github.com and is not sent to"),
            "{}",
            refusal.reason
        );
    }
}
