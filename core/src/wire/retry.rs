//! When a provider wants to be asked again.
//!
//! Sources: RFC 9110, sections 5.6.7 (dates) and 10.2.3 (`retry-after`); OpenAI's guide "Rate
//! limits" (`x-ratelimit-reset-*`); the SDKs of OpenAI and Anthropic (`retry-after-ms`,
//! `x-should-retry`). A hint that cannot be read is no hint.

use crate::{ids::UnixMillis, session::HttpHead};

/// What `x-should-retry` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing, or yes.
    Open,
    /// Not to try again.
    Never,
}

/// Whether the provider forbids another attempt.
pub(super) fn verdict(head: &HttpHead) -> Verdict {
    match head.header("x-should-retry").map(str::trim) {
        Some("false") => Verdict::Never,
        _ => Verdict::Open,
    }
}

/// How long to wait from the response's head, by the most exact header there is.
pub(crate) fn after_ms(head: &HttpHead) -> Option<u64> {
    let exact = head
        .header("retry-after-ms")
        .and_then(|text| decimal_ms(text.trim(), 1));
    exact
        .or_else(|| {
            let text = head.header("retry-after")?.trim();
            decimal_ms(text, 1_000).or_else(|| Some(http_date(text, head.at)?.since(head.at)))
        })
        .or_else(|| match head.status {
            429 => reset_ms(head),
            _ => None,
        })
}

/// The longest of the limits that are used up; of all limits if none says that it is.
fn reset_ms(head: &HttpHead) -> Option<u64> {
    let resets = || {
        head.headers.iter().filter_map(|(name, value)| {
            let limit = name.strip_prefix("x-ratelimit-reset")?;
            let wait = duration_ms(value.trim(), head.at)?;
            let mut remaining = alloc::string::String::from("x-ratelimit-remaining");
            remaining.push_str(limit);
            Some((head.header(&remaining).map(str::trim) == Some("0"), wait))
        })
    };
    let used_up = resets().filter(|(used_up, _)| *used_up).max();
    used_up.or_else(|| resets().max()).map(|(_, wait)| wait)
}

/// `6m0s`, `1s`, `20ms`, `7.66s`; also plain seconds, and an instant in Unix seconds or
/// milliseconds as OpenRouter sends it.
pub(super) fn duration_ms(text: &str, now: UnixMillis) -> Option<u64> {
    if let Some(plain) = decimal_ms(text, 1_000) {
        return Some(match plain {
            // 1e9 seconds are in 2001, 1e12 milliseconds as well: no wait is that long.
            1_000_000_000_000..1_000_000_000_000_000 => UnixMillis(plain).since(now),
            1_000_000_000_000_000.. => UnixMillis(plain / 1_000).since(now),
            wait => wait,
        });
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.saturating_add(decimal_ms(number, unit_ms)?);
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number of units of `unit_ms`, rounded up; `None` if it is none or negative.
fn decimal_ms(text: &str, unit_ms: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // Nine digits are a billionth of a unit; what comes after cannot matter.
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u64>().ok()?.saturating_mul(unit_ms);
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    Some(
        whole
            .saturating_mul(unit_ms)
            .saturating_add(part.div_ceil(scale)),
    )
}

/// A date in any of the three forms of RFC 9110, section 5.6.7; `now` decides the century of the
/// one with two digits.
pub(super) fn http_date(text: &str, now: UnixMillis) -> Option<UnixMillis> {
    let mut words = text
        .split([' ', ',', '-'])
        .filter(|word| !word.is_empty() && *word != "GMT");
    let _weekday = words.next()?;
    let second = words.next()?;
    let (day, month, year, time) = if second.starts_with(|c: char| c.is_ascii_digit()) {
        // Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT
        (second, words.next()?, words.next()?, words.next()?)
    } else {
        // Sun Nov  6 08:49:37 1994
        let (day, time, year) = (words.next()?, words.next()?, words.next()?);
        (day, second, year, time)
    };
    let number = |text: &str, digits: usize| {
        let fits = text.len() <= digits && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u64>().ok()).flatten()
    };
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = (1_u64..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let day = number(day, 2).filter(|day| (1..=31).contains(day))?;
    let mut clock = time.split(':');
    let mut part = |below: u64| number(clock.next()?, 2).filter(|value| *value < below);
    let (hour, minute, second) = (part(24)?, part(60)?, part(61)?);
    let at = |year: u64| {
        let days = days_since_epoch(year, month, day)?;
        Some(UnixMillis(
            (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000,
        ))
    };
    match number(year, 4)? {
        // More than 50 years ahead means the century before.
        short if year.len() == 2 => {
            let fifty_years = 50 * 365 * 86_400_000;
            at(2000 + short)
                .filter(|date| date.since(now) <= fifty_years)
                .or_else(|| at(1900 + short))
        }
        year => at(year),
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` before 1970.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    // Counted in years that begin in March, so that the leap day is the last of its year.
    let (year, month) = match month {
        1 | 2 => (year.checked_sub(1)?, month + 9),
        _ => (year, month - 3),
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    (days + (153 * month + 2) / 5 + day - 1).checked_sub(719_468)
}
