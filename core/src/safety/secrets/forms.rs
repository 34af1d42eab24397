//! Forms of tokens that are known without a name and without letters at their beginning: lengths, marks
//! inside, what they are made of.

use super::{
    Quality,
    bytes::{self, BASE64, CAPITALS, DIGIT, HEX, LOWER, NAME, WORD},
    decode, shape,
};

/// The lengths of the parts between full stops.
pub(super) fn parts(run: &[u8]) -> impl Iterator<Item = usize> {
    run.split(|&byte| byte == b'.').map(<[u8]>::len)
}

/// A JSON web token: two or three parts, the first two JSON.
pub(super) fn jwt(run: &[u8]) -> Option<(usize, usize)> {
    if run.len() < 40 {
        return None;
    }
    let mut reach = 0..run.len().min(256);
    let from = loop {
        let (at, next) = bytes::find_all(run, reach.clone(), b"eyJ")?;
        if at == 0 || !bytes::is(run[at - 1], WORD) {
            break at;
        }
        reach.start = next;
    };
    let end = bytes::run_end(run, from, NAME | bytes::DOTTED, usize::MAX);
    let mut parts = run[from..end].split(|&byte| byte == b'.');
    let (header, payload) = (parts.next()?, parts.next()?);
    let (text, length) = decode::base64_head::<24>(header);
    let is_json = length >= 12 && text[..length].iter().all(|&byte| decode::is_text(byte));
    (is_json && header.len() >= 16 && payload.len() >= 8 && end - from >= 40).then_some((from, end))
}

/// Thirty-two hexadecimal digits and a data centre.
pub(super) fn is_mailchimp(run: &[u8]) -> bool {
    is_hex(&run[..32])
        && run[32..].starts_with(b"-us")
        && run.len() > 35
        && run[35..].iter().all(u8::is_ascii_digit)
}

/// A secret behind a number and a sign: the number's place, the secret's end, and the family.
pub(super) fn numbered(
    bytes: &[u8],
    start: usize,
    end: usize,
) -> Option<(usize, usize, &'static str)> {
    let sign = start.checked_sub(1)?;
    let from = bytes::run_start(bytes, sign, DIGIT, 20);
    let digits = sign - from;
    let run = &bytes[start..end];
    match bytes[sign] {
        // A bot's number, and 35 characters that begin with `AA`.
        b':' if run.starts_with(b"AA") && (8..=12).contains(&digits) => {
            let to = bytes::run_end(bytes, start, NAME, 64);
            (to - start == 35).then_some((from, to, "telegram_token"))
        }
        // An application's number.
        b'|' if run.len() == 27 && (13..=17).contains(&digits) => {
            (shape::quality(run) >= Quality::Drawn).then_some((from, end, "facebook_token"))
        }
        // A person's number: `1/1200000000000000:…`.
        b':' if run.len() == 32 && is_hex(run) && digits >= 12 => {
            let is_path = from >= 2 && bytes[from - 1] == b'/';
            let first = bytes::run_start(bytes, from.saturating_sub(1), DIGIT, 4);
            is_path.then_some((first, end, "asana_token"))
        }
        b':' if run.len() == 32 && bytes[..sign].ends_with(b"==") => {
            let name = bytes::run_start(bytes, sign - 2, BASE64, 24);
            (sign - 2 - name == 22 && shape::quality(run) >= Quality::Drawn).then_some((
                name,
                end,
                "tableau_token",
            ))
        }
        _ => None,
    }
}

/// `AP`, a capital digit of hexadecimal, and ten letters and digits; gives its length. A mask is
/// taken for the real thing.
pub(super) fn artifactory(run: &[u8]) -> Option<usize> {
    let [b'A', b'P', b'0'..=b'9' | b'A'..=b'F', ..] = run else {
        return None;
    };
    let end = bytes::run_end(run, 0, WORD, usize::MAX);
    (end >= 13 && shape::quality(&run[..end]) != Quality::Written).then_some(end)
}

/// Hexadecimal in small letters.
pub(super) fn is_hex(text: &[u8]) -> bool {
    text.iter()
        .all(|&byte| bytes::is(byte, HEX) && !byte.is_ascii_uppercase())
}

/// `abcdef.0123456789abcdef`, of small letters and digits, and not of hexadecimal.
pub(super) fn is_bootstrap(run: &[u8]) -> bool {
    let (id, secret) = (&run[..6], &run[7..]);
    let has_digit = |part: &[u8]| part.iter().any(u8::is_ascii_digit);
    run[6] == b'.'
        && has_digit(id)
        && has_digit(secret)
        && !is_hex(secret)
        && [id, secret]
            .iter()
            .all(|part| part.iter().all(|&byte| bytes::is(byte, DIGIT | LOWER)))
        && shape::quality(secret) >= Quality::Drawn
}

/// `name.v1.middle.hexadecimal`
pub(super) fn is_versioned(run: &[u8]) -> bool {
    let mut parts = run.split(|&byte| byte == b'.');
    let (Some(_), Some(b"v1"), Some(middle), Some(last), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return false;
    };
    let has_digit = |part: &[u8]| part.iter().any(u8::is_ascii_digit);
    middle.len() >= 8 && has_digit(middle) && last.len() >= 12 && is_hex(last) && has_digit(last)
}

/// Three to five parts as web tokens have, all of them drawn.
pub(super) fn is_opaque(run: &[u8]) -> bool {
    let mut parts = run.split(|&byte| byte == b'.');
    (3..=5).contains(&parts.clone().count())
        && !run.contains(&b'/')
        && parts.all(|part| part.len() >= 24 && shape::quality(part) >= Quality::Drawn)
        && shape::quality(run) == Quality::Random
}

/// A user's number in base64, a time, and a code.
pub(super) fn is_discord(run: &[u8]) -> bool {
    let mut parts = run.split(|&byte| byte == b'.');
    let (Some(user), Some(time), Some(code), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    (23..=28).contains(&user.len())
        && time.len() == 6
        && (27..=38).contains(&code.len())
        && user.iter().all(|&byte| bytes::is(byte, WORD))
        && run
            .iter()
            .all(|&byte| bytes::is(byte, NAME) || byte == b'.')
        && shape::quality(user) >= Quality::Drawn
}

/// A number, a dash, and 64 letters and digits.
pub(super) fn is_truenas(run: &[u8]) -> bool {
    run.iter()
        .position(|&byte| byte == b'-')
        .is_some_and(|dash| {
            (1..=3).contains(&dash)
                && run[..dash].iter().all(u8::is_ascii_digit)
                && run[dash + 1..].len() == 64
                && run[dash + 1..].iter().all(|&byte| bytes::is(byte, WORD))
                && shape::quality(&run[dash + 1..]) == Quality::Random
        })
}

/// The client secrets of Microsoft's directory: a digit and `Q~` after three characters.
pub(super) fn is_azure_client(run: &[u8]) -> bool {
    bytes::is(run[3], DIGIT) && &run[4..6] == b"Q~" && shape::quality(&run[6..]) >= Quality::Drawn
}

/// The marks that Microsoft's services put near the end of their keys, so that they can be found.
pub(super) fn has_azure_mark(run: &[u8]) -> bool {
    let is_mark = |four: &[u8]| {
        matches!(
            four,
            b"AzSe"
                | b"AzCa"
                | b"AzFu"
                | b"ACDb"
                | b"AIoT"
                | b"APIM"
                | b"AZDO"
                | b"ACOG"
                | b"+ASt"
                | b"+AEh"
                | b"+ASb"
                | b"+ABa"
                | b"+AMC"
                | b"+ACR"
        )
    };
    run[run.len() - 16..].windows(4).any(is_mark)
        && run.iter().all(|&byte| bytes::is(byte, BASE64))
        && shape::quality(run) >= Quality::Drawn
        && !run.iter().all(|&byte| bytes::is(byte, CAPITALS))
}
