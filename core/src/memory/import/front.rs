//! What a note says of itself, in the lines of YAML at its head.
//!
//! Only what such heads hold is read: a key and a word, a list in brackets, or lines with hyphens.
//! Anything else in them is passed over.

use alloc::{string::String, vec::Vec};

use super::{TAG_CHARS, TAGS};
use crate::ids::UnixMillis;

/// Lines of a head; one that is longer is none.
const LINES: usize = 200;
/// Bytes of a kind.
const KIND_BYTES: usize = 32;

/// What a note says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) title: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) kind: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) at: Option<UnixMillis>,
}

/// The head of `text` and what stands below it.
pub(super) fn front(text: &str) -> (Front, &str) {
    let mut front = Front::default();
    let Some(inner) = text.strip_prefix("---\n") else {
        return (front, text);
    };
    let mut lines = inner.split_inclusive('\n').take(LINES);
    let mut bytes = 0;
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    loop {
        let Some(line) = lines.next() else {
            return (Front::default(), text);
        };
        bytes += line.len();
        let line = line.trim_end();
        if matches!(line, "---" | "...") {
            break;
        }
        let item = line.trim_start().strip_prefix("- ");
        match (item, fields.last_mut()) {
            (Some(item), Some((_, values))) => values.push(word(item)),
            _ => fields.extend(field(line)),
        }
    }
    let rank = |key: &str| {
        ["created", "date", "updated"]
            .iter()
            .position(|k| *k == key)
    };
    let mut dated = usize::MAX;
    for (key, values) in fields {
        let first = values.first().filter(|value| !value.is_empty()).cloned();
        match &*key {
            "title" => front.title = first,
            "tags" | "tag" | "keywords" => front.tags.extend(values),
            "aliases" | "alias" => front.aliases.extend(values),
            "kind" | "type" => front.kind = first.filter(|kind| is_kind(kind)),
            key => {
                let at = first.and_then(|value| date(&value));
                if let (Some(place), Some(at)) = (rank(key), at)
                    && place < dated
                {
                    dated = place;
                    front.at = Some(at);
                }
            }
        }
    }
    let tag = |tag: &String| String::from(tag.trim_start_matches('#').trim());
    let fits = |tag: &String| (1..=TAG_CHARS).contains(&tag.chars().count());
    front.tags = front.tags.iter().map(tag).filter(fits).take(TAGS).collect();
    front.aliases.retain(|alias| !alias.is_empty());
    (front, inner.get(bytes..).unwrap_or_default())
}

/// A key in small letters and its values.
fn field(line: &str) -> Option<(String, Vec<String>)> {
    let (key, value) = line.split_once(':')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if key.is_empty() || !key.bytes().all(is_plain) {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let value = value.trim();
    let list = value.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
    let values = match list {
        Some(list) => list.split(',').map(word).collect(),
        None if value.is_empty() => Vec::new(),
        None if matches!(&*key, "tags" | "tag" | "keywords") => {
            value.split([',', ' ']).map(word).collect()
        }
        None => alloc::vec![word(value)],
    };
    Some((key, values))
}

/// A word without quotes, or without the remark behind it.
fn word(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote);
        if let Some(inner) = inner.and_then(|rest| rest.strip_suffix(quote)) {
            return inner.into();
        }
    }
    text.split(" #").next().unwrap_or_default().trim().into()
}

fn is_kind(kind: &str) -> bool {
    let legal = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
    };
    kind.len() <= KIND_BYTES && kind.bytes().all(legal)
}

/// The moment that `text` begins with (RFC 3339, whose time and zone may be left out: then midnight
/// and UTC), from 1970 on.
pub(super) fn date(text: &str) -> Option<UnixMillis> {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| -> Option<u64> {
        let digits = bytes.get(from..from + digits)?;
        digits.iter().try_fold(0, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u64::from(digit - b'0'))
        })
    };
    let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|b| allowed.contains(b));
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let more = bytes.get(10).is_some_and(u8::is_ascii_digit);
    if !is(4, b"-") || !is(7, b"-") || !(1..=last).contains(&day) || year < 1970 || more {
        return None;
    }
    // Days since 1970: years that begin in March put the leap day last (H. Hinnant, "date algorithms").
    let years = if month > 2 { year } else { year - 1 };
    let months = (month + 9) % 12;
    let days =
        years * 365 + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1;
    let mut seconds = i64::try_from(days).ok()?.checked_sub(719_468)? * 86_400;
    if let (true, Some(hour), true, Some(minute)) =
        (is(10, b"T t"), number(11, 2), is(13, b":"), number(14, 2))
        && hour < 24
        && minute < 60
    {
        let second = number(17, 2).filter(|s| is(16, b":") && *s < 61);
        let time = hour * 3_600 + minute * 60 + second.unwrap_or(0);
        seconds += i64::try_from(time).ok()?;
        let zone = text.get(16..).unwrap_or_default();
        let zone = zone.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ':' | '.'));
        seconds -= offset_seconds(zone.trim_start());
    }
    u64::try_from(seconds).ok().map(|s| UnixMillis(s * 1_000))
}

/// Seconds east of UTC of `+02:00`, `-0530`; 0 for `Z` and anything else.
fn offset_seconds(zone: &str) -> i64 {
    let (sign, rest) = match zone.as_bytes().first() {
        Some(b'+') => (1, &zone[1..]),
        Some(b'-') => (-1, &zone[1..]),
        _ => return 0,
    };
    let digits: String = rest.chars().filter(char::is_ascii_digit).take(4).collect();
    match (digits.len(), digits.parse::<i64>()) {
        (4, Ok(number)) => sign * (number / 100 * 3_600 + number % 100 * 60),
        (2, Ok(hours)) => sign * hours * 3_600,
        _ => 0,
    }
}
