//! Addresses and names that do not belong to the public web.
//!
//! From the IANA registries of special-purpose addresses (RFC 6890), whole, and of special-use
//! domain names (RFC 6761). Of IPv6 only global unicast is public at all; where an IPv4 address is
//! carried inside, that one is decided about.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is special about an address or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Special {
    /// As it ends a sentence.
    pub(super) what: &'static str,
    pub(super) kind: Kind,
}

/// Who may reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Networks of one's own: reached where they are allowed.
    Private,
    /// Not a place for requests: reached only where that very origin is allowed.
    Reserved,
    /// Where clouds hand their credentials out: never reached.
    Metadata,
}

use Kind::{Metadata, Private, Reserved};

/// Network, prefix length in bits, and what it is; the narrower before the wider.
const V4: [(Ipv4Addr, u32, Kind, &str); 21] = [
    // Azure's platform, and Oracle's and Alibaba's metadata.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Metadata, CLOUD),
    (Ipv4Addr::new(192, 0, 0, 192), 32, Metadata, CLOUD),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Metadata, CLOUD),
    // Every other cloud has its metadata on the local link.
    (Ipv4Addr::new(169, 254, 0, 0), 16, Metadata, LINK),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Private, THIS),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private, PRIVATE),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private, SHARED),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Private, THIS),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private, PRIVATE),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reserved, PROTOCOL),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reserved, EXAMPLE),
    (Ipv4Addr::new(192, 31, 196, 0), 24, Reserved, PROTOCOL),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Reserved, PROTOCOL),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reserved, PROTOCOL),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private, PRIVATE),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Reserved, PROTOCOL),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reserved, MEASURING),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reserved, EXAMPLE),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reserved, EXAMPLE),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Reserved, MULTICAST),
    // With 255.255.255.255, which reaches everybody.
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reserved, RESERVED),
];

/// Within and without global unicast, the narrower network before the wider.
const V6: [(Ipv6Addr, u32, Kind, &str); 19] = [
    // Amazon's, Google's, Linode's and Scaleway's metadata, which stand among private addresses.
    (v6([0xfd00, 0xec2, 0, 0]), 64, Metadata, CLOUD),
    (v6([0xfd20, 0xce, 0, 0]), 64, Metadata, CLOUD),
    (v6([0xfd00, 0xa9fe, 0xa9fe, 0]), 64, Metadata, CLOUD),
    (v6([0xfd00, 0x42, 0, 0]), 64, Metadata, CLOUD),
    (v6([0xfe80, 0, 0, 0]), 10, Metadata, LINK),
    (v6([0, 0, 0, 0]), 127, Private, THIS),
    (v6([0x64, 0xff9b, 1, 0]), 48, Reserved, EMBEDS),
    (v6([0x100, 0, 0, 0]), 64, Reserved, "leads nowhere"),
    (v6([0x2001, 0, 0, 0]), 32, Reserved, EMBEDS),
    (v6([0x2001, 0, 0, 0]), 23, Reserved, PROTOCOL),
    (v6([0x2001, 0xdb8, 0, 0]), 32, Reserved, EXAMPLE),
    (v6([0x2002, 0, 0, 0]), 16, Reserved, EMBEDS),
    (v6([0x2620, 0x4f, 0x8000, 0]), 48, Reserved, PROTOCOL),
    (v6([0x3ffe, 0, 0, 0]), 16, Reserved, RESERVED),
    (v6([0x3fff, 0, 0, 0]), 20, Reserved, EXAMPLE),
    (v6([0x5f00, 0, 0, 0]), 16, Reserved, PROTOCOL),
    (v6([0xfc00, 0, 0, 0]), 7, Private, PRIVATE),
    (v6([0xfec0, 0, 0, 0]), 10, Private, PRIVATE),
    (v6([0xff00, 0, 0, 0]), 8, Reserved, MULTICAST),
];

/// What is given out for the public internet so far.
const GLOBAL: (Ipv6Addr, u32) = (v6([0x2000, 0, 0, 0]), 3);

/// Prefixes of 96 bits before an IPv4 address that a router or the system takes out: mapped,
/// compatible, translated (RFC 4291, RFC 2765) and NAT64 (RFC 6052).
const CARRIERS: [u128; 4] = [0xffff, 0, 0xffff_0000, 0x64_ff9b << 64];

/// Names that do not lead into the public web, with everything below them; the longer first.
const NAMES: [(&str, Kind, &str); 36] = [
    ("metadata.google.internal", Metadata, CLOUD),
    ("metadata.goog", Metadata, CLOUD),
    ("metadata.azure.internal", Metadata, CLOUD),
    ("metadata.packet.net", Metadata, CLOUD),
    ("metadata.platformequinix.com", Metadata, CLOUD),
    ("metadata.tencentyun.com", Metadata, CLOUD),
    ("instance-data.ec2.internal", Metadata, CLOUD),
    ("rancher-metadata", Metadata, CLOUD),
    ("instance-data", Metadata, CLOUD),
    ("metadata", Metadata, CLOUD),
    ("localhost", Private, THIS),
    ("localdomain", Private, THIS),
    ("local", Private, LOCAL),
    ("internal", Private, LOCAL),
    ("home.arpa", Private, LOCAL),
    ("lan", Private, LOCAL),
    ("home", Private, LOCAL),
    ("corp", Private, LOCAL),
    ("private", Private, LOCAL),
    ("intranet", Private, LOCAL),
    ("svc", Private, LOCAL),
    ("localtest.me", Private, NAMED),
    ("lvh.me", Private, NAMED),
    ("vcap.me", Private, NAMED),
    ("lacolhost.com", Private, NAMED),
    ("nip.io", Private, NAMED),
    ("sslip.io", Private, NAMED),
    ("xip.io", Private, NAMED),
    ("traefik.me", Private, NAMED),
    ("rbndr.us", Private, NAMED),
    ("test", Reserved, EXAMPLE),
    ("example", Reserved, EXAMPLE),
    ("invalid", Reserved, EXAMPLE),
    ("arpa", Reserved, PROTOCOL),
    ("onion", Reserved, OTHER_NAMES),
    ("alt", Reserved, OTHER_NAMES),
];

const THIS: &str = "is this machine";
const PRIVATE: &str = "is a private address";
const SHARED: &str = "is shared by a provider's customers";
const LINK: &str = "is an address of the local link";
const LOCAL: &str = "is a name of the local network";
const NAMED: &str = "leads to the address it is named after";
const CLOUD: &str = "hands out a cloud's credentials";
const EXAMPLE: &str = "is for examples and tests";
const PROTOCOL: &str = "is set aside for protocols";
const MEASURING: &str = "is for measuring networks";
const MULTICAST: &str = "is a multicast address";
const RESERVED: &str = "is reserved";
const EMBEDS: &str = "carries another address inside";
const OTHER_NAMES: &str = "is not reached by the domain name system";

const fn v6(head: [u16; 4]) -> Ipv6Addr {
    Ipv6Addr::new(head[0], head[1], head[2], head[3], 0, 0, 0, 0)
}

/// What is special about an address; `None` for one of the public internet.
pub(super) fn of_address(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Option<Special> {
    let bits = address.to_bits();
    V4.iter()
        .find(|(network, length, ..)| (bits ^ network.to_bits()).leading_zeros() >= *length)
        .map(|&(_, _, kind, what)| Special { what, kind })
}

fn of_v6(address: Ipv6Addr) -> Option<Special> {
    let bits = address.to_bits();
    let within =
        |network: Ipv6Addr, length: u32| (bits ^ network.to_bits()).leading_zeros() >= length;
    let last = Ipv4Addr::from_bits(bits as u32);
    // The first two are this machine, whatever they carry.
    if bits > 1 && CARRIERS.contains(&(bits >> 32)) {
        return of_v4(last);
    }
    // ISATAP (RFC 5214): below any prefix the last half may carry an address.
    let is_isatap = matches!((bits >> 32) as u32, 0x5efe | 0x0200_5efe);
    if within(GLOBAL.0, GLOBAL.1)
        && is_isatap
        && let Some(special) = of_v4(last)
    {
        return Some(special);
    }
    let listed = V6
        .iter()
        .find(|(network, length, ..)| within(*network, *length));
    match listed {
        Some(&(_, _, kind, what)) => Some(Special { what, kind }),
        None if within(GLOBAL.0, GLOBAL.1) => None,
        None => Some(Special {
            what: RESERVED,
            kind: Reserved,
        }),
    }
}

/// What is special about a name without a dot at its end.
pub(super) fn of_name(name: &str) -> Option<Special> {
    let listed = NAMES.iter().find(|(special, ..)| {
        name.strip_suffix(special)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    match listed {
        Some(&(_, kind, what)) => Some(Special { what, kind }),
        None if name.contains('.') => None,
        None => Some(Special {
            what: LOCAL,
            kind: Private,
        }),
    }
}
