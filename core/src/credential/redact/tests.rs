use super::*;
use alloc::{string::ToString, vec};
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// No scanner shall find it readable in this file.
fn value() -> String {
    ["tk", "Ab/9+x", "77~Qz", "k-0w"].join("_")
}

fn redactor() -> Redactor {
    let mut redactor = Redactor::default();
    redactor.add("mine", &value());
    redactor
}

fn all_escaped(one: impl Fn(char) -> String) -> String {
    value().chars().map(one).collect()
}

/// The value as servers and programs spell it.
fn spellings() -> Vec<String> {
    let value = value();
    let every = |n: usize, with: &str| {
        let mut out = String::new();
        for (at, c) in value.chars().enumerate() {
            if at > 0 && at % n == 0 {
                out.push_str(with);
            }
            out.push(c);
        }
        out
    };
    let mut all = vec![
        value.clone(),
        value.to_uppercase(),
        value.to_lowercase(),
        value
            .replace('/', "%2F")
            .replace('+', "%2b")
            .replace('~', "%7E"),
        all_escaped(|c| format!("%{:02x}", u32::from(c))),
        all_escaped(|c| format!("%{:02X}", u32::from(c))),
        all_escaped(|c| format!("\\u{:04x}", u32::from(c))),
        all_escaped(|c| format!("\\x{:02x}", u32::from(c))),
        all_escaped(|c| format!("&#{};", u32::from(c))),
        all_escaped(|c| format!("&#x{:X};", u32::from(c))),
        value.replace('/', "\\/"),
        all_escaped(|c| format!("{:02x}", u32::from(c))),
        all_escaped(|c| format!("{:02X} ", u32::from(c)))
            .trim()
            .into(),
        every(4, "\n"),
        every(1, " "),
        every(3, "\u{200b}"),
        every(5, "\\n"),
    ];
    for before in ["", "u", "us", "user:", "Basic a:b:"] {
        for engine in [&STANDARD, &URL_SAFE] {
            let coded = engine.encode(format!("{before}{value}"));
            all.push(coded.replace('=', "%3D").replace('+', "%2B"));
            let lines: Vec<&str> = coded.as_bytes().chunks(6).map(text).collect();
            all.push(lines.join("\n"));
            all.push(coded);
        }
    }
    all
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap()
}

/// What can be read of the value in `text`: its longest piece in plain.
fn longest_piece(text: &str) -> usize {
    let (text, value) = (text.to_lowercase(), value().to_lowercase());
    (0..value.len())
        .flat_map(|from| (from + 1..=value.len()).map(move |to| from..to))
        .filter(|range| text.contains(&value[range.clone()]))
        .map(|range| range.len())
        .max()
        .unwrap_or(0)
}

#[test]
fn a_value_is_found_in_every_spelling_and_what_is_around_it_stays() {
    let redactor = redactor();
    for spelling in spellings() {
        let told = format!("{{\"error\": \"no: {spelling}\", \"ü\": 1}}");
        let redacted = redactor
            .redact(&told)
            .unwrap_or_else(|| panic!("not found: {told}"));
        assert!(redacted.contains("[redacted:mine]"), "{redacted}");
        assert!(redacted.starts_with("{\"error\": \"no: "), "{redacted}");
        assert!(redacted.ends_with("\", \"ü\": 1}"), "{redacted}");
        assert!(longest_piece(&redacted) < 4, "{spelling}: {redacted}");
    }
}

#[test]
fn pieces_of_any_size_give_the_same_as_the_whole() {
    let redactor = redactor();
    let told = spellings().join(" and & then 100% \\ ");
    let whole = redactor.redact(&told).unwrap();
    for size in [1, 2, 3, 7, 64, 1_000] {
        let mut flow = Flow::default();
        let mut out = Vec::new();
        for piece in told.as_bytes().chunks(size) {
            out.extend(flow.push(&redactor, piece));
        }
        out.extend(flow.end(&redactor));
        assert_eq!(text(&out), whole, "in pieces of {size}");
    }
}

#[test]
fn what_is_no_value_comes_out_at_once_and_unchanged() {
    let redactor = redactor();
    for told in [
        "",
        "plain words, 100% of them & more; \\u12 \\x &#; %zz",
        "tk_ab 746b",
        "data: {\"choices\":[{\"delta\":{\"content\":\"tk\"}}]}\n\n",
        "ünïcödé \u{200b}\u{feff}",
    ] {
        assert_eq!(redactor.redact(told), None, "{told}");
        let mut flow = Flow::default();
        let mut out = flow.push(&redactor, told.as_bytes());
        if told.ends_with('\n') {
            assert_eq!(text(&out), told, "an event is not held back");
        }
        out.extend(flow.end(&redactor));
        assert_eq!(text(&out), told);
    }
}

#[test]
fn the_longer_of_two_values_is_taken_out_whole() {
    let mut redactor = Redactor::default();
    redactor.add("short", "abcdefgh");
    redactor.add("long", "abcdefgh-and-more");
    let redacted = |text: &str| redactor.redact(text).unwrap();
    assert_eq!(redacted("x abcdefgh-and-more y"), "x [redacted:long] y");
    assert_eq!(redacted("x abcdefgh-an y"), "x [redacted:short]-an y");
    assert_eq!(redacted("abcdefgh"), "[redacted:short]");
    assert_eq!(
        redacted("abcdefghabcdefgh"),
        "[redacted:short][redacted:short]"
    );
}

#[test]
fn a_value_that_was_cut_is_taken_out_by_its_first_half() {
    let mut redactor = Redactor::default();
    redactor.add("cut", "abcdefgh-ijklmnop-qrstuvw");
    for (told, expected) in [
        ("a abcdefgh-ijkl", Some("a [redacted:cut]")),
        (
            "abcdefgh-ijklmn [… 9 left out …] mnop",
            Some("[redacted:cut] [… 9 left out …] mnop"),
        ),
        ("abcdefgh-ijklmnop-qrstuvx", Some("[redacted:cut]x")),
        ("abcdefgh-ij", None),
    ] {
        assert_eq!(redactor.redact(told).as_deref(), expected, "{told}");
    }
}

#[test]
fn a_value_that_looks_like_an_escape_is_found() {
    for value in ["ab%2dcd%41ef", "back\\x41slash\\n", "a&amp;b&#45;c;d"] {
        let mut redactor = Redactor::default();
        redactor.add("odd", value);
        let escaped: String = value.bytes().map(|b| format!("%{b:02x}")).collect();
        for told in [value.to_string(), escaped] {
            assert_eq!(
                redactor.redact(&told).as_deref(),
                Some("[redacted:odd]"),
                "{told}"
            );
        }
    }
}

#[test]
fn short_values_are_passed_over_and_white_space_around_one_is_not_part_of_it() {
    let mut redactor = Redactor::default();
    redactor.add("short", "1234567");
    assert!(redactor.is_empty());
    assert_eq!(redactor.redact("1234567"), None);
    redactor.add("file", "12345678\n");
    assert_eq!(
        redactor.redact("12345678").as_deref(),
        Some("[redacted:file]")
    );
}

#[test]
fn any_bytes_are_taken_and_only_values_change() {
    let redactor = redactor();
    proptest::proptest!(|(bytes: Vec<u8>, size in 1_usize..40)| {
        let mut flow = Flow::default();
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            out.extend(flow.push(&redactor, piece));
        }
        out.extend(flow.end(&redactor));
        proptest::prop_assert_eq!(out, bytes);
    });
}
