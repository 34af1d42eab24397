//! Addresses and names that do not belong to the public web.
//!
//! From the IANA registries of special-purpose addresses (RFC 6890) and of special-use domain names
//! (RFC 6761). Of IPv6 only global unicast is public at all; forms that carry an IPv4 address
//! inside are refused whole, because nobody needs them to reach a website.

use core::net::{Ipv4Addr, Ipv6Addr};

/// Network, prefix length in bits, and what it is.
const V4: [(Ipv4Addr, u32, &str); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, THIS),
    (Ipv4Addr::new(10, 0, 0, 0), 8, PRIVATE),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "is shared by a provider's customers",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, THIS),
    (Ipv4Addr::new(169, 254, 0, 0), 16, LINK),
    (Ipv4Addr::new(172, 16, 0, 0), 12, PRIVATE),
    (Ipv4Addr::new(192, 0, 0, 0), 24, PROTOCOL),
    (Ipv4Addr::new(192, 0, 2, 0), 24, EXAMPLE),
    (Ipv4Addr::new(192, 88, 99, 0), 24, PROTOCOL),
    (Ipv4Addr::new(192, 168, 0, 0), 16, PRIVATE),
    (
        Ipv4Addr::new(198, 18, 0, 0),
        15,
        "is for measuring networks",
    ),
    (Ipv4Addr::new(198, 51, 100, 0), 24, EXAMPLE),
    (Ipv4Addr::new(203, 0, 113, 0), 24, EXAMPLE),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "is a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, RESERVED),
    (Ipv4Addr::new(255, 255, 255, 255), 32, RESERVED),
];

/// Within and without global unicast, the narrower network before the wider.
const V6: [(Ipv6Addr, u32, &str); 14] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 127, THIS),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, EMBEDS),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96, EMBEDS),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32, EMBEDS),
    (
        Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0),
        64,
        "leads nowhere",
    ),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, EMBEDS),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, PROTOCOL),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, EXAMPLE),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, EMBEDS),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, EXAMPLE),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, PRIVATE),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, LINK),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, PRIVATE),
    (
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
        "is a multicast address",
    ),
];

/// What is given out for the public internet so far: 2000::/3.
const GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Names that do not lead into the public web, with everything below them.
const NAMES: [(&str, &str); 12] = [
    ("localhost", THIS),
    ("local", LOCAL),
    ("internal", LOCAL),
    ("home.arpa", LOCAL),
    ("lan", LOCAL),
    ("home", LOCAL),
    ("corp", LOCAL),
    ("intranet", LOCAL),
    ("test", EXAMPLE),
    ("invalid", EXAMPLE),
    ("onion", "is not reached by the domain name system"),
    ("alt", "is not reached by the domain name system"),
];

const THIS: &str = "is this machine";
const PRIVATE: &str = "is a private address";
const LINK: &str = "is an address of the local link";
pub(super) const LOCAL: &str = "is a name of the local network";
const EXAMPLE: &str = "is for examples and tests";
const PROTOCOL: &str = "is set aside for protocols";
const RESERVED: &str = "is reserved";
const EMBEDS: &str = "carries another address inside";

pub(super) fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter()
        .find(|(network, bits, _)| (address.to_bits() ^ network.to_bits()).leading_zeros() >= *bits)
        .map(|(_, _, what)| *what)
}

pub(super) fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |network: Ipv6Addr, bits: u32| {
        (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits
    };
    V6.iter()
        .find(|(network, bits, _)| within(*network, *bits))
        .map(|(_, _, what)| *what)
        .or((!within(GLOBAL.0, GLOBAL.1)).then_some(RESERVED))
}

pub(super) fn special_name(name: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(special, _)| {
            name.strip_suffix(special)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
        .map(|(_, what)| *what)
}
