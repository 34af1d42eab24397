//! Moments as signed objects write them: RFC 3339, `Z` alone, up to three digits of a second.
//!
//! What is compared is the number of milliseconds since 1970, never the text: as texts, `…30.123Z`
//! comes before `…30Z`. The number of digits is kept, so that a moment prints as it was read.

use alloc::{format, string::String};
use core::{fmt, str::FromStr};

use crate::error::{Error, beginning};

const DAY_MS: u64 = 86_400_000;
/// The end of the year 9999, which RFC 3339 cannot write past.
const END_MS: u64 = 253_402_300_800_000;

/// A moment between 1970 and 9999, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    unix_ms: u64,
    /// How many digits of the second's fraction are written.
    digits: u8,
}

impl Timestamp {
    /// The moment so many milliseconds after the beginning of 1970, written with all three digits.
    pub fn from_unix_ms(unix_ms: u64) -> Result<Self, Error> {
        if unix_ms >= END_MS {
            return Err(Error::Timestamp {
                text: format!("{unix_ms} ms"),
                why: "it is after the year 9999",
            });
        }
        Ok(Self { unix_ms, digits: 3 })
    }

    /// Milliseconds since the beginning of 1970.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.unix_ms
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why| Error::Timestamp {
            text: beginning(text),
            why,
        };
        let shape = || refused("it is not written so");
        let (seconds, fraction) = match text.as_bytes() {
            [seconds @ .., b'Z'] if seconds.len() == 19 => (seconds, &[][..]),
            [body @ .., b'Z'] if (21..=23).contains(&body.len()) && body[19] == b'.' => {
                (&body[..19], &body[20..])
            }
            _ => return Err(shape()),
        };
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(at, mark)| seconds[*at] != *mark) {
            return Err(shape());
        }
        let part = |from: usize, to: usize| number(&seconds[from..to]).ok_or_else(shape);
        let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
        let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
        if year < 1970 {
            return Err(refused("it is before 1970"));
        }
        if !(1..=12).contains(&month) || day == 0 || day > days_of(year, month) {
            return Err(refused("there is no such day"));
        }
        // No leap seconds: as milliseconds they would be moments that there are already.
        if hour > 23 || minute > 59 || second > 59 {
            return Err(refused("there is no such time of the day"));
        }
        let scale = [1, 100, 10, 1][fraction.len()];
        let milliseconds = number(fraction).ok_or_else(shape)? * scale;
        let seconds = (hour * 60 + minute) * 60 + second;
        Ok(Self {
            unix_ms: days_before(year, month, day) * DAY_MS + seconds * 1000 + milliseconds,
            digits: [0, 1, 2, 3][fraction.len()],
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, rest) = (self.unix_ms / DAY_MS, self.unix_ms % DAY_MS);
        let mut year = 1970;
        while days >= days_of_year(year) {
            days -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while days >= days_of(year, month) {
            days -= days_of(year, month);
            month += 1;
        }
        let (second, ms) = (rest / 1000, rest % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let day = days + 1;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match self.digits {
            0 => write!(f, "Z"),
            1 => write!(f, ".{}Z", ms / 100),
            2 => write!(f, ".{:02}Z", ms / 10),
            _ => write!(f, ".{ms:03}Z"),
        }
    }
}

impl From<Timestamp> for crate::jcs::Value {
    fn from(moment: Timestamp) -> Self {
        let text: String = format!("{moment}");
        text.into()
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days between the beginning of 1970 and that day.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let leaps = |before: u64| before / 4 - before / 100 + before / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn moments_are_compared_as_numbers() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59.9Z", 951_868_799_900),
            ("2026-02-07T20:15:30.123Z", 1_770_495_330_123),
            ("2026-02-07T20:15:30Z", 1_770_495_330_000),
            ("2026-02-07T20:15:30.07Z", 1_770_495_330_070),
            ("9999-12-31T23:59:59.999Z", END_MS - 1),
        ];
        for (text, unix_ms) in cases {
            let read: Timestamp = text.parse().unwrap();
            assert_eq!((read.unix_ms(), read.to_string()), (unix_ms, text.into()));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let cases = [
            "",
            "2026-02-07",
            "2026-02-07T20:15:30",
            "2026-02-07t20:15:30Z",
            "2026-02-07T20:15:30z",
            "2026-02-07 20:15:30Z",
            "2026-02-07T20:15:30+00:00",
            "2026-02-07T20:15:30.Z",
            "2026-02-07T20:15:30.1234Z",
            "2026-02-07T20:15:30,123Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "+026-01-01T00:00:00Z",
            "2026-02-07T20:15:3éZ",
            "２026-02-07T20:15Z",
        ];
        for text in cases {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert_eq!(error.reason_code(), "timestamp_invalid", "{text}");
        }
        assert!(Timestamp::from_unix_ms(END_MS).is_err());
    }

    proptest! {
        #[test]
        fn printed_moments_read_back(unix_ms in 0..END_MS) {
            let made = Timestamp::from_unix_ms(unix_ms).unwrap();
            prop_assert_eq!(made.to_string().parse(), Ok(made));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,30}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
