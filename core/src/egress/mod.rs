//! Egress: which addresses a tool may reach because a model asked for them.
//!
//! Invariants: whatever is not certainly a public address is refused, by its spelling alone; and a
//! redirect is a new address, decided about like the first.
//!
//! A name is decided about, not what it resolves to: that only the side that resolves it can see.
//! Browsers and workerd keep public names from leading to private addresses by themselves.

mod address;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::policy::Refusal;

/// A scheme, host and port: what is allowed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Without the colon, in lower case.
    pub scheme: String,
    /// In lower case; a name in its ASCII form, IPv6 addresses with or without brackets.
    pub host: String,
    /// Where it differs from the scheme's own.
    pub port: Option<u16>,
}

/// An address somebody wants to reach, taken apart by the home's own URL parser: what is decided
/// about is then what is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the request goes.
    pub origin: Origin,
    /// Whether the URL holds a user or a password.
    pub has_credentials: bool,
}

/// What is allowed beyond the public web.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Reached whatever else is refused, such as a server of one's own on this machine. Exact:
    /// another port is another origin.
    pub allowed: Vec<Origin>,
}

/// Whether `target` may be reached; if not, why.
pub fn decide(target: &Target, rules: &Rules) -> Result<(), Refusal> {
    let origin = &target.origin;
    if target.has_credentials {
        return Err(refuse(
            "credentials",
            "the address holds a user or a password",
            "leave them out",
        ));
    }
    if rules.allowed.contains(origin) {
        return Ok(());
    }
    if origin.scheme != "https" {
        return Err(refuse(
            "https",
            &format!("{} is not https", origin.scheme),
            "use the https address",
        ));
    }
    if let Some(port) = origin.port.filter(|port| *port != 443) {
        return Err(refuse(
            "port",
            &format!("port {port} is not the one of https"),
            "use an address without a port",
        ));
    }
    match problem(&origin.host) {
        None => Ok(()),
        Some(problem) => Err(refuse(
            "host",
            &format!("{} {problem}", origin.host),
            "use the public address of a website",
        )),
    }
}

fn refuse(rule: &str, reason: &str, hint: &str) -> Refusal {
    Refusal {
        rule: format!("egress: {rule}"),
        reason: reason.to_string(),
        hint: Some(hint.to_string()),
    }
}

/// Why `host` is not one of the public web.
fn problem(host: &str) -> Option<&'static str> {
    let unbracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(literal) = unbracketed.or(host.contains(':').then_some(host)) {
        return match literal.parse::<Ipv6Addr>() {
            Ok(address) => address::special_v6(address),
            Err(_) => Some("is not an address"),
        };
    }
    // One dot at the end means the same name.
    let name = host.strip_suffix('.').unwrap_or(host);
    if !is_name(name) {
        return Some("is not the name of a host");
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if is_number(last) {
        // Parsers disagree about short, octal and hexadecimal forms: only the plain one is taken.
        return match name.parse::<Ipv4Addr>() {
            Ok(address) => address::special_v4(address),
            Err(_) => Some("is an address in a form that is read in more than one way"),
        };
    }
    let is_single = name.len() == last.len();
    address::special_name(name).or(is_single.then_some(address::LOCAL))
}

/// Letters, digits, hyphens and underscores in labels of at most 63 bytes (RFC 1035, section 2.3.4).
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether a host with this last label is an address (WHATWG URL, "ends in a number").
fn is_number(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || label.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
