//! Figures of RFC 8785 and of the test data its authors publish.

use alloc::{format, string::ToString, vec};
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 65_536;

fn read(text: &str) -> Result<Value, Error> {
    parse(text.as_bytes(), LIMIT)
}

fn canonical(text: &str) -> String {
    read(text).unwrap().to_canonical()
}

#[test]
fn names_are_sorted_by_their_utf16_code_units() {
    // RFC 8785 3.2.3.
    let text = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let expected = "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
        \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\
        \"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}";
    assert_eq!(canonical(text), expected);
    // cyberphone/json-canonicalization, testdata/input/french.json and unicode.json.
    let text = r#"{"peach": "This sorting order", "péché": "is wrong according to French",
        "pêche": "but canonicalization MUST", "sin":   "ignore locale"}"#;
    let expected = r#"{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}"#;
    assert_eq!(canonical(text), expected);
    let not_normalized = "{\"Unnormalized Unicode\":\"A\u{30a}\"}";
    assert_eq!(
        canonical(r#"{"Unnormalized Unicode": "A\u030a"}"#),
        not_normalized
    );
}

#[test]
fn only_what_json_cannot_hold_is_escaped() {
    // RFC 8785 3.2.2, without the numbers that signed objects cannot have.
    let text =
        r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [true, false]}"#;
    let expected = r#"{"literals":[true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical(text), expected);
    assert_eq!(
        canonical(r#""\b\f\n\r\t\u0000\u001f\u007f</script>""#),
        "\"\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}</script>\""
    );
}

#[test]
fn whole_numbers_up_to_two_to_the_53_less_one_are_taken() {
    for text in ["0", "-1", "9007199254740991", "-9007199254740991"] {
        assert_eq!(canonical(text), text);
    }
    let refused = [
        "9007199254740992",
        "-9007199254740992",
        "99999999999999999999",
        "0.0",
        "56.0",
        "1e2",
        "1E30",
        "4.50",
        "-0",
        "-0.0",
        "01",
        "-01",
        "-",
        "-a",
    ];
    for text in refused {
        let error = read(text).unwrap_err();
        assert_eq!(error.reason_code(), "json_number_invalid", "{text}");
    }
    assert!(Integer::try_from(1_u64 << 53).is_err());
    assert!(Integer::try_from(u64::MAX).is_err());
    assert!(Integer::try_from(i64::MIN).is_err());
}

#[test]
fn text_that_is_not_strict_json_is_refused() {
    let cases = [
        ("", "json_syntax_invalid"),
        ("null", "json_syntax_invalid"),
        (r#"{"a":null}"#, "json_syntax_invalid"),
        (r#"{"a":NaN}"#, "json_syntax_invalid"),
        (r#"{"a":Infinity}"#, "json_syntax_invalid"),
        (r#"{"a":1,}"#, "json_syntax_invalid"),
        ("[1,]", "json_syntax_invalid"),
        ("[1 2]", "json_syntax_invalid"),
        ("{a:1}", "json_syntax_invalid"),
        ("{'a':1}", "json_syntax_invalid"),
        (r#"{"a" 1}"#, "json_syntax_invalid"),
        (r#"{"a":1"#, "json_syntax_invalid"),
        (r#"{"a":1}x"#, "json_syntax_invalid"),
        (r#"{"a":1}{}"#, "json_syntax_invalid"),
        ("\u{feff}{}", "json_syntax_invalid"),
        ("\u{a0}{}", "json_syntax_invalid"),
        ("/* */{}", "json_syntax_invalid"),
        (r#"{"a":1,"a":2}"#, "json_key_duplicate"),
        (r#"{"a":1,"b":0,"\u0061":1}"#, "json_key_duplicate"),
        (r#""\ud800""#, "json_syntax_invalid"),
        (r#""\udc00\ud800""#, "json_syntax_invalid"),
        (r#""\ud800\ud800""#, "json_syntax_invalid"),
        (r#""\ud800\n""#, "json_syntax_invalid"),
        (r#""\ud800\u""#, "json_syntax_invalid"),
        (r#""\u+123""#, "json_syntax_invalid"),
        (r#""\u00é""#, "json_syntax_invalid"),
        (r#""\x41""#, "json_syntax_invalid"),
        ("\"\\", "json_syntax_invalid"),
        ("\"\n\"", "json_syntax_invalid"),
        ("\"a", "json_syntax_invalid"),
        ("truefalse", "json_syntax_invalid"),
        (r#"{"a":01}"#, "json_number_invalid"),
    ];
    for (text, code) in cases {
        assert_eq!(read(text).unwrap_err().reason_code(), code, "{text}");
    }
    let error = parse(b"\"\xff\"", LIMIT).unwrap_err();
    assert_eq!(error.to_string(), "JSON at byte 1: not UTF-8");
}

#[test]
fn depth_and_length_are_limited() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(16)).is_ok());
    assert_eq!(
        read(&nested(17)).unwrap_err().reason_code(),
        "json_too_deep"
    );
    let deep = "{\"a\":".repeat(30_000);
    assert_eq!(read(&deep).unwrap_err().reason_code(), "json_too_long");
    assert_eq!(
        parse(deep.as_bytes(), 1 << 20),
        Err(Error::TooDeep { at: 80 })
    );
    assert!(parse(b"12", 2).is_ok());
    assert_eq!(parse(b"12 ", 2), Err(Error::TooLong { limit: 2, found: 3 }));
}

#[test]
fn object_that_was_not_taken_apart_wholly_is_refused() {
    let fields = || Fields::of("thing", read(r#"{"a":"x","b":7,"c":[],"d":{}}"#).unwrap()).unwrap();
    let mut taken = fields();
    assert_eq!(taken.string("a"), Ok("x".into()));
    assert_eq!(taken.unsigned("b"), Ok(7));
    assert_eq!(taken.array("c"), Ok(vec![]));
    assert!(taken.fields("d", "part").unwrap().end().is_ok());
    assert_eq!(taken.optional_string("e"), Ok(None));
    assert!(taken.end().is_ok());

    let mut taken = fields();
    assert_eq!(taken.string("a"), Ok("x".into()));
    assert_eq!(
        taken.end().unwrap_err().to_string(),
        r#"thing: "b" is unknown"#
    );
    let code = |error: Error| error.reason_code();
    assert_eq!(
        fields().string("e").map_err(code),
        Err("json_field_missing")
    );
    assert_eq!(
        fields().string("b").map_err(code),
        Err("json_field_kind_invalid")
    );
    assert_eq!(
        fields().unsigned("a").map_err(code),
        Err("json_field_kind_invalid")
    );
    assert!(Fields::of("thing", Value::Bool(true)).is_err());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991)
            .prop_map(|n| Integer::try_from(n).unwrap().into()),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|members| {
                let object = members.into_iter();
                object
                    .fold(Object::new(), |object, (name, value)| {
                        object.with(&name, value)
                    })
                    .into()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_text_reads_back_as_the_same_value(value in values()) {
        let text = value.to_canonical();
        prop_assert_eq!(read(&text), Ok(value));
    }

    #[test]
    fn values_differ_exactly_when_their_texts_do(a in values(), b in values()) {
        prop_assert_eq!(a == b, a.to_canonical() == b.to_canonical());
    }

    #[test]
    fn other_readers_of_json_read_the_same(value in values()) {
        let ours = value.to_canonical();
        let theirs: serde_json::Value = serde_json::from_str(&ours).unwrap();
        prop_assert_eq!(read(&theirs.to_string()), Ok(value));
    }

    #[test]
    fn what_is_read_is_strict_json(text in "[\\[\\]{}\",:\\\\u0-9a-f.e \\-truls]{0,40}") {
        if read(&text).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>, text in "\\PC*") {
        let _ = parse(&bytes, LIMIT);
        let _ = read(&text);
    }
}
