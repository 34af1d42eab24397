use alloc::{string::String, vec::Vec};
use proptest::prelude::*;

use super::*;

fn decoded(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    decode::decode(text, &mut |d| {
        assert!(
            text.get(d.span.clone()).is_some(),
            "{:?} in {text:?}",
            d.span
        );
        found.push(d.text);
    });
    found
}

#[test]
fn disguised_letters_fold_to_plain_ones() {
    for (text, plain) in [
        ("IGNORE", "ignore"),
        ("Ｉｇｎｏｒｅ", "ignore"),
        ("іgnоrе", "ignore"),
        ("𝐢𝑔𝓃𝔬𝕣𝖊", "ignore"),
        ("ⓘⓖⓝⓞⓡⓔ", "ignore"),
        ("íǵnõrë", "ignore"),
        ("i\u{200b}g\u{ad}n\u{2060}o\u{feff}re", "ignore"),
        ("i\u{301}gnore\u{202e}", "ignore"),
        (
            "\u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065}",
            "ignore",
        ),
    ] {
        assert_eq!(normalise(text).text, plain, "{text}");
    }
}

#[test]
fn other_scripts_stay_themselves() {
    for text in ["忽略之前的指令", "이전 지시", "पिछले निर्देश"]
    {
        assert_eq!(normalise(text).text, text);
    }
}

#[test]
fn a_span_of_the_normal_text_maps_to_the_characters_it_came_from() {
    let text = "say і\u{200b}gnоre it";
    let normal = normalise(text);
    let at = normal.text.find("ignore").unwrap();
    assert_eq!(&text[normal.origin(at..at + 6)], "і\u{200b}gnоre");
    let all = normal.origin(0..normal.text.len());
    assert_eq!(&text[all], text);
}

#[test]
fn spaced_and_strewn_letters_close_up() {
    for (text, plain) in [
        ("i g n o r e   a l l", "ignore all"),
        ("i.g.n.o.r.e", "ignore"),
        ("ig*no*re * al*l", "ignore all"),
        (
            "plain words stay, as they are",
            "plain words stay as they are",
        ),
    ] {
        assert_eq!(close_up(text).text, plain, "{text}");
    }
}

#[test]
fn each_encoding_is_undone_once() {
    for text in [
        "c2V2ZW4gc21hbGwgZHVja3MgY3Jvc3MgdGhlIHJvYWQ=",
        "736576656e20736d616c6c206475636b732063726f73732074686520726f6164",
        "%73%65%76%65%6e%20%73%6d%61%6c%6c%20ducks%20cross%20the%20road",
        r"\x73\x65\x76\x65\x6e\x20small\x20ducks\x20cross\x20the\x20road",
        "&#115;&#101;&#118;&#101;&#110; small&#32;ducks&#32;cross&#32;the&#32;road",
        "01110011 01100101 01110110 01100101 01101110 00100000 01110011 01101101 01100001 01101100 01101100 00100000 01100100 01110101 01100011 01101011 01110011 00100000 01100011 01110010 01101111 01110011 01110011 00100000 01110100 01101000 01100101 00100000 01110010 01101111 01100001 01100100",
        "115 101 118 101 110 32 115 109 97 108 108 32 100 117 99 107 115 32 99 114 111 115 115 32 116 104 101 32 114 111 97 100",
        "163 145 166 145 156 40 163 155 141 154 154 40 144 165 143 153 163 40 143 162 157 163 163 40 164 150 145 40 162 157 141 144",
        "0x73, 0x65, 0x76, 0x65, 0x6e, 0x20, 0x73, 0x6d, 0x61, 0x6c, 0x6c, 0x20, 0x64, 0x75, 0x63, 0x6b, 0x73, 0x20, 0x63, 0x72, 0x6f, 0x73, 0x73, 0x20, 0x74, 0x68, 0x65, 0x20, 0x72, 0x6f, 0x61, 0x64",
        "... . ...- . -. / ... -- .- .-.. .-.. / -.. ..- -.-. -.- ... / -.-. .-. --- ... ... / - .... . / .-. --- .- -..",
    ] {
        assert_eq!(
            decoded(text),
            ["seven small ducks cross the road"],
            "{text}"
        );
    }
}

#[test]
fn what_only_looks_encoded_stays() {
    for text in [
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "a long_identifier_that_is_no_base64 and a/path/to/some/file/in/a/tree",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "-------------------- ....................",
    ] {
        assert!(decoded(text).is_empty(), "{text}: {:?}", decoded(text));
    }
}

#[test]
fn a_cipher_is_guessed_from_its_letters() {
    let plain = "the quiet river runs under the old stone bridge near the mill";
    for cipher in [
        cipher::Cipher::Shift(13),
        cipher::Cipher::Shift(3),
        cipher::Cipher::Atbash,
    ] {
        let back = match cipher {
            cipher::Cipher::Shift(by) => cipher::Cipher::Shift(26 - by),
            other => other,
        };
        let secret = cipher::undo(plain, back);
        assert_eq!(cipher::guess(secret.as_bytes()), Some(cipher));
        assert_eq!(cipher::undo(&secret, cipher), plain);
    }
    assert_eq!(cipher::guess(plain.as_bytes()), None);
}

proptest! {
    #[test]
    fn every_span_maps_onto_character_boundaries(text in "[a-zа-яé\u{200b}\u{300}Ａ𝐚*. \n]{0,60}", start in 0_usize..80, length in 0_usize..80) {
        for normal in [normalise(&text), close_up(&text)] {
            let span = normal.origin(start..start.saturating_add(length));
            prop_assert!(text.get(span.clone()).is_some(), "{span:?}");
        }
    }

    #[test]
    fn any_text_is_folded_decoded_and_deciphered(text in "\\PC{0,200}") {
        let _ = normalise(&text);
        let _ = decoded(&text);
        for (cipher, span) in cipher::pieces(&text) {
            let _ = cipher::undo(&text[span], cipher);
        }
    }

    #[test]
    fn any_digits_and_marks_are_decoded(text in "[0-9a-f%\\\\xu&#;.\\-/ ,=+\n]{0,300}") {
        let _ = decoded(&text);
    }
}
