//! The parser against the `url` crate, which is tested with the web platform's own cases.

use super::*;
use ::url::Url;
use proptest::prelude::*;

/// What the reference makes of `url`, without what is never sent.
fn reference(url: &str, base: Option<&str>) -> Option<String> {
    let base = base.map(|base| Url::parse(base).unwrap());
    let mut url = Url::options().base_url(base.as_ref()).parse(url).ok()?;
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// Nothing may be read otherwise than the reference reads it; of what the reference reads, hosts
/// that are not names of the name system may be refused.
fn check(url: &str, base: Option<&str>) -> Result<(), String> {
    let ours = match base {
        Some(base) => parse(base).unwrap().join(url),
        None => parse(url),
    };
    let theirs = reference(url, base);
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) if ours.href() != theirs => {
            Err(format!("{url:?}: {} instead of {theirs}", ours.href()))
        }
        // The reference reads three slashes of a location as none does (WHATWG, relative slash).
        (Ok(_), None) if base.is_some() && url.trim().replace('\\', "/").contains("///") => Ok(()),
        // An ASCII label that begins with xn-- is not decoded and looked at here.
        (Ok(ours), None) if !ours.href().contains("xn--") => {
            Err(format!("{url:?}: {} instead of a refusal", ours.href()))
        }
        _ => Ok(()),
    }
}

#[test]
fn urls_are_read_as_browsers_read_them() {
    for url in [
        "https://example.com",
        "  https://example.com/a b?c d'#e ",
        "ht\ntps://exa\tmple.com/\r",
        "https:example.com",
        "https:/example.com",
        "https:\\\\example.com\\a\\..\\b",
        "https:///////example.com/x",
        "https://example.com\\@evil.com/",
        "https://example.com/a/./b/../c/%2e%2E/d/.%2e/e/..",
        "https://example.com/../../..",
        "https://example.com//a//../b",
        "https://example.com?q",
        "https://example.com?",
        "https://example.com#f",
        "https://example.com:443/",
        "https://example.com:/",
        "https://example.com:0080/",
        "http://example.com:80/",
        "http://example.com:443/",
        "HTTPS://EXAMPLE.com/A%2fb\"<>`{}|^",
        "https://a:b@c:d@example.com/",
        "https://@example.com/",
        "https://:@example.com/",
        "https://0x7f.1/",
        "https://①②⑦.0.0.1/",
        "https://münchen.de/straße?ö",
        "https://例子.测试/",
        "https://مثال.إختبار",
        "https://✪df.ws/123",
        "https://[::FFFF:127.0.0.1]/",
        "https://[1:2::0:0:3]:8443/",
        "https://ex%41mple.com",
    ] {
        assert_eq!(
            parse(url).map(|target| target.href()).ok(),
            reference(url, None),
            "{url}"
        );
    }
}

#[test]
fn redirects_lead_where_browsers_go() {
    let base = "https://example.com/a/b;c?d=e";
    for location in [
        "",
        "f",
        "./f",
        "../f",
        "../../../f",
        "/f",
        "//other.com/f",
        "\\\\other.com",
        "/\\other.com",
        "?g",
        "#h",
        "f?g#h",
        "https:f",
        "https:/f",
        "https://other.com",
        "http:f",
        "http:/f",
        ".",
        "..",
        "./",
        "f/..",
        "f/.",
        "a:b",
        "1:b",
        "HTTP://other.com",
        " f ",
        "%2e%2e/f",
        "?#",
        "f//g",
        "javascript:x",
        "https:",
        "https:?x",
        "https:#x",
        "://x",
        "\\f",
        "mailto:a@b",
    ] {
        check(location, Some(base)).unwrap();
        let ours = parse(base).unwrap().join(location).ok();
        assert_eq!(
            ours.map(|target| target.href()),
            reference(location, Some(base)),
            "{location}"
        );
    }
}

#[test]
fn every_letter_of_a_name_is_read_as_browsers_read_it() {
    let mut same = 0_u32;
    for c in ('\u{80}'..=char::MAX).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
        let url = format!("https://x{c}q.com/");
        check(&url, None)
            .or_else(|why| {
                // The name system has none of these, and the reference refuses them: so does whoever
                // sends this.
                if why.ends_with("instead of a refusal") {
                    Ok(())
                } else {
                    Err(why)
                }
            })
            .unwrap();
        same += u32::from(parse(&url).is_ok() && reference(&url, None).is_some());
    }
    assert!(same > 20_000, "{same} letters are known");
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "https", "http", ":", "/", "//", "\\", "@", "?", "#", ".", "..", "%2e", "[", "]", "::",
            "0x", "0", "127", "1", "255", "256", "4294967295", "ffff", "localhost", "example.com",
            "xn--", "münchen", "１", "①", "。", "%31", "%", " ", "\t", "\n", "-", "_", "*", ";", "=",
            "com", "%00", "%ff", "\u{ad}", "ß", "ﬁ", "😀", "é", "e\u{301}",
        ]).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_url_is_read_otherwise(tail in pieces(), prefix in "(https?:(//|/|\\\\)?)?") {
        prop_assert_eq!(check(&format!("{prefix}{tail}"), None), Ok(()));
    }

    #[test]
    fn no_location_is_read_otherwise(tail in pieces()) {
        prop_assert_eq!(check(&tail, Some("https://example.com/a/b/c?d")), Ok(()));
    }

    #[test]
    fn what_is_sent_is_read_by_everybody_as_what_was_decided(tail in pieces()) {
        if let Ok(target) = parse(&format!("https://{tail}")) {
            let href = target.href();
            prop_assert!(href.is_ascii());
            let again = parse(&href).unwrap();
            prop_assert_eq!(again.origin(), target.origin());
            prop_assert_eq!(again.href(), href);
        }
    }

    #[test]
    fn an_address_is_decided_about_by_what_it_is(bits: u32, form in 0..6_u32) {
        let address = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = address.octets();
        let host = match form {
            0 => format!("{address}"),
            1 => format!("{bits}"),
            2 => format!("0x{bits:X}"),
            3 => format!("0{a:o}.0x{b:x}.{c}.{d}"),
            4 => format!("[::ffff:{address}]"),
            _ => format!("[64:ff9b::{address}]"),
        };
        let expected = https(&format!("{address}")).is_ok();
        prop_assert_eq!(https(&host).is_ok(), expected, "{}", host);
    }
}
