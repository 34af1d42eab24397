//! Secrets: values that give access to something.
//!
//! Three ways lead to one. A token with letters of its own (`ghp_…`) is known by its prefix; a
//! marker (`-----BEGIN`, `://`, `password`) leads to a value of any form; and a long run of letters
//! and digits that looks drawn is a secret if its form or what stands before it says so. All work on
//! the text without invisible characters; the first two on it as it came and with percent escapes
//! decoded, the third on the latter alone. Base64 that holds text is opened once.
//!
//! Invariant: the work is linear in the text, whatever it holds, and nothing is allocated for a text
//! without secrets and without encodings. A finding covers the value alone, not its name.
//!
//! ```text
//!  text ── prefilter ── prefixed · url · password · block     spans
//!     └─── long runs ── forms · shape · context ─────────────────┴── merged, sorted
//! ```

mod block;
mod bytes;
mod checksum;
mod context;
mod decode;
mod forms;
mod markers;
mod password;
mod prefilter;
mod prefixes;
mod runs;
mod shape;
#[cfg(test)]
mod tests;
mod url;
mod vendors;
mod words;

use alloc::{borrow::Cow, vec::Vec};

pub(super) use self::decode::has_no_width;
use self::{
    markers::{MARKERS, Marker, TABLE},
    prefixes::{Also, Form, RULES},
    shape::Quality,
};
use super::{Finding, Kind, Severity};

/// Finds the secrets in a text, sorted by place, none overlapping another.
///
/// A finding of [`Severity::Low`] is a guess; from [`Severity::Medium`] on a reader would agree
/// that the value should not be shown.
#[must_use]
pub fn scan(text: &str) -> Vec<Finding> {
    // What has no width is part of no secret, and stands between nothing.
    let Some(visible) = decode::without_zero_width(text) else {
        return merge(hits(text));
    };
    let mut hits = hits(&visible.text);
    let mut near = 0;
    for hit in &mut hits {
        (hit.start, hit.end) = visible.range(hit.start, hit.end, &mut near);
    }
    merge(hits)
}

/// Everything found in a text as it is and in what its percent escapes stand for.
fn hits(text: &str) -> Vec<Hit> {
    let mut raw = Scanner::new(text.as_bytes(), true);
    raw.anchored();
    let Some(decoded) = decode::without_percent(text) else {
        raw.long_runs();
        return raw.hits;
    };
    // An escape that ends a run parts it here and there alike, and one within a run belongs to it:
    // runs are read once, as they are meant. A password may hold what would end it.
    let mut hits = raw.hits;
    let more = Scanner::new(decoded.text.as_bytes(), true).scan();
    let mut near = 0;
    hits.extend(more.into_iter().map(|hit| {
        let (start, end) = decoded.range(hit.start, hit.end, &mut near);
        Hit { start, end, ..hit }
    }));
    hits
}

/// One place that a rule matched.
#[derive(Clone, Copy, Debug)]
struct Hit {
    start: usize,
    end: usize,
    family: &'static str,
    severity: Severity,
}

/// Joins what overlaps: the stronger evidence names it, the earlier one among equals.
fn merge(hits: Vec<Hit>) -> Vec<Finding> {
    if hits.is_empty() {
        return Vec::new();
    }
    let hits = sorted(hits);
    let mut findings: Vec<Finding> = Vec::with_capacity(hits.len());
    for hit in hits {
        match findings.last_mut() {
            Some(last) if hit.start < last.end => {
                if hit.severity > last.severity {
                    last.severity = hit.severity;
                    last.family = Cow::Borrowed(hit.family);
                }
                last.end = last.end.max(hit.end);
            }
            _ => findings.push(Finding {
                kind: Kind::Secret,
                family: Cow::Borrowed(hit.family),
                severity: hit.severity,
                start: hit.start,
                end: hit.end,
            }),
        }
    }
    findings
}

/// The hits by their places, equal ones as they came. They come in a few rows that are in order, so
/// rows are merged; the sort of the standard library is ten times as much code.
fn sorted(mut hits: Vec<Hit>) -> Vec<Hit> {
    let place = |hit: &Hit| (hit.start, hit.end);
    loop {
        let mut merged = Vec::with_capacity(hits.len());
        let mut rest = hits.as_slice();
        while !rest.is_empty() {
            let (mut one, more) = rest.split_at(row(rest, place));
            let (mut two, more) = more.split_at(row(more, place));
            rest = more;
            while let (Some(first), Some(second)) = (one.first(), two.first()) {
                let from = if place(first) <= place(second) {
                    &mut one
                } else {
                    &mut two
                };
                merged.push(from[0]);
                *from = &from[1..];
            }
            merged.extend_from_slice(one);
            merged.extend_from_slice(two);
        }
        if row(&merged, place) == merged.len() {
            return merged;
        }
        hits = merged;
    }
}

/// How many hits at the beginning are in order.
fn row<K: Ord>(hits: &[Hit], place: impl Fn(&Hit) -> K) -> usize {
    let falls = |two: &[Hit]| place(&two[0]) > place(&two[1]);
    hits.windows(2)
        .position(falls)
        .map_or(hits.len(), |at| at + 1)
}

/// One pass over one text.
struct Scanner<'t> {
    bytes: &'t [u8],
    hits: Vec<Hit>,
    /// The last run looked through, for each class of a rule: so no byte is walked over twice
    /// for one class, however many prefixes stand in a run.
    walked: [Walked; 16],
    /// The end of the last value after the name of a password that was none.
    refused: usize,
    /// Up to where a value after a prefix was found that nobody drew: prefixes within it are not
    /// looked at again.
    dull: usize,
    /// Whether base64 may be opened: not within what was encoded already.
    opens: bool,
}

#[derive(Clone, Copy, Default)]
struct Walked {
    class: u8,
    start: usize,
    end: usize,
}

impl<'t> Scanner<'t> {
    fn new(bytes: &'t [u8], opens: bool) -> Self {
        Self {
            bytes,
            hits: Vec::new(),
            walked: [Walked::default(); 16],
            refused: 0,
            dull: 0,
            opens,
        }
    }

    fn scan(mut self) -> Vec<Hit> {
        self.anchored();
        self.long_runs();
        self.hits
    }

    /// Looks at every place where the prefilter saw the beginning of a rule.
    #[inline(never)]
    fn anchored(&mut self) {
        TABLE.visit(self.bytes, |at, word| {
            let end = if word < RULES {
                prefixes::form(word).and_then(|form| self.prefixed(form, at))
            } else {
                let marker = MARKERS.get(word - RULES);
                marker.and_then(|&(sign, marker)| self.marked(sign, marker, at))
            };
            end.unwrap_or_default()
        });
    }

    /// Follows a marker; gives the place up to which nothing else has to be looked at.
    fn marked(&mut self, sign: [u8; 4], marker: Marker, at: usize) -> Option<usize> {
        if !self.bytes.get(at..at + 4)?.eq_ignore_ascii_case(&sign) {
            return None;
        }
        match marker {
            Marker::Block => self.block(at),
            Marker::Putty => self.putty(at),
            Marker::Url => self.url(at),
            Marker::Password => self.password(at),
            Marker::Basic => self.basic(at),
            Marker::UserOption => self.user_option(at),
            Marker::Kerberos => self.kerberos(at),
            Marker::GoogleClient => self.google_client(at),
            Marker::Atlas => self.atlas(at),
            Marker::JwkPart => self.jwk(at),
            Marker::Signature => self.signature(at),
            Marker::Argument => self.argument(at),
        }
    }

    /// A token whose prefix may stand at `at`; gives its end.
    fn prefixed(&mut self, form: Form, at: usize) -> Option<usize> {
        let bytes = self.bytes;
        let prefix = form.prefix();
        let from = at + prefix.len();
        let is_masked = form.also() == Also::Masked;
        if bytes[at] != *prefix.first()?
            || bytes.get(at..from)? != prefix
            || !bytes::begins_at(bytes, at)
            || from < self.dull && !is_masked
        {
            return None;
        }
        let mut end = self.walk(from, form.class());
        if end - from < form.least() {
            return None;
        }
        while bytes[end - 1] == b'.' {
            end -= 1;
        }
        let body = &bytes[from..end];
        if body.len() < form.least() || body.len() > form.most() {
            return None;
        }
        let Some(severity) = judge(form.also(), &bytes[at..end], body) else {
            self.dull = from + body.len().min(shape::LOOK) / 2;
            return None;
        };
        let end = padded(bytes, end);
        self.report(at, end, form.family(), severity);
        Some(end)
    }

    /// Where the run of `class` around `from` ends.
    fn walk(&mut self, from: usize, class: u8) -> usize {
        // The classes of the rules differ in these four bits.
        let walked = &mut self.walked[usize::from((class ^ class >> 4) & 15)];
        if walked.class != class || !(walked.start..=walked.end).contains(&from) {
            *walked = Walked {
                class,
                start: from,
                end: bytes::run_end(self.bytes, from, class, usize::MAX),
            };
        }
        walked.end
    }

    fn report(&mut self, start: usize, end: usize, family: &'static str, severity: Severity) {
        self.hits.push(Hit {
            start,
            end,
            family,
            severity,
        });
    }
}

/// How surely the body of a token is a secret.
fn judge(also: Also, whole: &[u8], body: &[u8]) -> Option<Severity> {
    let head = &body[..body.len().min(shape::LOOK)];
    let has_digit = || head.iter().any(u8::is_ascii_digit);
    let is_written = |value: &[u8]| shape::quality(value) == Quality::Written;
    let fails = match also {
        Also::Masked => return (!is_written(whole)).then_some(Severity::Medium),
        Also::Digit => !has_digit() || is_written(head),
        // Some vendors draw letters alone.
        Also::Drawn | Also::Crc => !has_digit() && is_written(head) && !shape::mixes_case(head),
    };
    if fails || shape::is_placeholder(body) {
        return None;
    }
    Some(match also {
        Also::Crc if checksum::crc32_base62(body) => Severity::High,
        Also::Crc | Also::Digit => Severity::Medium,
        Also::Drawn | Also::Masked => Severity::High,
    })
}

/// The end of a value with the padding of base64 behind it.
fn padded(bytes: &[u8], end: usize) -> usize {
    end + bytes[end..]
        .iter()
        .take(2)
        .take_while(|&&byte| byte == b'=')
        .count()
}
