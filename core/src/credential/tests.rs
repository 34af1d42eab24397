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
