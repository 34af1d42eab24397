//! A host as browsers read it (WHATWG URL, host parsing): percent-encoding, letters of other
//! scripts, and the many spellings of an IPv4 address all end in one form.
//!
//! Invariant: a [`Host`] is the form that is sent. Whatever one was spelt like, it is decided about
//! and connected to as what it stands for.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::idna;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name in its ASCII form, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    /// As it is written in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                // In groups like any other.
                Some(v4) => {
                    let bits = v4.to_bits();
                    write!(f, "[::ffff:{:x}:{:x}]", bits >> 16, bits & 0xffff)
                }
                None => write!(f, "[{address}]"),
            },
        }
    }
}

impl Host {
    /// What stands between the slashes and the port of a URL; if it is no host, why.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix('[') {
            let literal = rest.strip_suffix(']').ok_or("has no ] after its [")?;
            if literal.contains('%') {
                return Err("has a zone, which is of this machine alone");
            }
            return literal
                .parse::<Ipv6Addr>()
                .map(|address| Self::Address(address.into()))
                .map_err(|_| "is not an IPv6 address");
        }
        let decoded = percent_decoded(text).ok_or("is not UTF-8 when its % are decoded")?;
        let name = idna::to_ascii(&decoded)
            .ok_or("has letters that stand for others; write it in its ASCII form, xn--…")?;
        if name.is_empty() {
            return Err("is empty");
        }
        if !is_name(&name) {
            return Err("is not the name of a host");
        }
        if ends_in_number(&name) {
            return v4(&name)
                .map(|address| Self::Address(address.into()))
                .ok_or("ends in a number and is not an IPv4 address");
        }
        Ok(Self::Name(name))
    }

    /// A name without the dot that may end it: the two are the same host.
    #[must_use]
    pub fn to_plain_name(&self) -> String {
        match self {
            Self::Name(name) => name.strip_suffix('.').unwrap_or(name).to_string(),
            address @ Self::Address(_) => address.to_string(),
        }
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |offset: usize| (*bytes.get(at + offset)? as char).to_digit(16);
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// Letters, digits, hyphens and underscores in labels of at most 63 bytes (RFC 1035, section
/// 2.3.4), with one dot at the end or none. Browsers take more, the name system does not.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether a browser takes the host for an IPv4 address (WHATWG URL, "ends in a number").
fn ends_in_number(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|b| b.is_ascii_digit()) || number(last).is_some()
}

/// Up to four numbers, of which the last fills what is left of the address.
fn v4(name: &str) -> Option<Ipv4Addr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut numbers = Vec::with_capacity(4);
    for part in name.split('.') {
        numbers.push(number(part)?);
    }
    let last = numbers.pop()?;
    if numbers.len() > 3 || numbers.iter().any(|&number| number > 255) {
        return None;
    }
    let left = 32 - 8 * numbers.len();
    if last >> left != 0 {
        return None;
    }
    let high = numbers.iter().fold(0, |bits, number| bits << 8 | number);
    // With no number before it, `high` is 0 and must not be shifted by all 32 bits of the type.
    Some(Ipv4Addr::from_bits((high << left | last) as u32))
}

/// A decimal, octal (`0…`) or hexadecimal (`0x…`) number that is at most one too large to fit.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [] => return None,
        [b'0', b'x', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    digits.chars().try_fold(0_u64, |value, c| {
        let value = value * u64::from(radix) + u64::from(c.to_digit(radix)?);
        Some(value.min(1 << 32))
    })
}
