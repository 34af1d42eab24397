//! Signs that a secret of any form may stand near, and the table that finds them and the prefixes.

use super::{
    prefilter::Table,
    prefixes::{self, RULES},
};

/// What a sign leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Marker {
    /// `-----BEGIN … PRIVATE KEY-----`
    Block,
    /// A key file of PuTTY.
    Putty,
    /// `scheme://user:password@host`, and addresses that are secrets themselves.
    Url,
    /// A name that ends in `pass`, `password`, `pwd` and the like.
    Password,
    /// `Basic dXNlcjpwYXNz`
    Basic,
    /// `curl -u user:password`
    UserOption,
    /// Hashes of Kerberos tickets.
    Kerberos,
    /// The identity of a Google OAuth client.
    GoogleClient,
    /// Terraform and Vagrant tokens.
    Atlas,
    /// The private part of a JSON web key.
    JwkPart,
    /// `&sig=…`: what whoever has the address may do.
    Signature,
    /// `sshpass -p password` and its like.
    Argument,
}

/// The signs, by their first four bytes, in either case.
#[rustfmt::skip]
pub(super) static MARKERS: &[([u8; 4], Marker)] = &[
    (*b"begi", Marker::Block), (*b"putt", Marker::Putty),
    (*b"pass", Marker::Password), (*b"secr", Marker::Password), (*b"pwd=", Marker::Password), (*b"pwd:", Marker::Password),
    (*b"pwd\"", Marker::Password), (*b"pwd'", Marker::Password), (*b"pwd ", Marker::Password),
    (*b"pwd>", Marker::Password), (*b"pwd\\", Marker::Password),
    (*b"basi", Marker::Basic), (*b" -u ", Marker::UserOption), (*b"-use", Marker::UserOption),
    (*b"$krb", Marker::Kerberos), (*b".goo", Marker::GoogleClient), (*b".atl", Marker::Atlas),
    (*b"\"d\":", Marker::JwkPart),
    (*b"&sig", Marker::Signature), (*b"?sig", Marker::Signature),
    (*b"sshp", Marker::Argument), (*b"psex", Marker::Argument), (*b"to-s", Marker::Argument),
    (*b"a://", Marker::Url), (*b"b://", Marker::Url), (*b"c://", Marker::Url), (*b"d://", Marker::Url),
    (*b"e://", Marker::Url), (*b"f://", Marker::Url), (*b"g://", Marker::Url), (*b"h://", Marker::Url),
    (*b"i://", Marker::Url), (*b"j://", Marker::Url), (*b"k://", Marker::Url), (*b"l://", Marker::Url),
    (*b"m://", Marker::Url), (*b"n://", Marker::Url), (*b"o://", Marker::Url), (*b"p://", Marker::Url),
    (*b"q://", Marker::Url), (*b"r://", Marker::Url), (*b"s://", Marker::Url), (*b"t://", Marker::Url),
    (*b"u://", Marker::Url), (*b"v://", Marker::Url), (*b"w://", Marker::Url), (*b"x://", Marker::Url),
    (*b"y://", Marker::Url), (*b"z://", Marker::Url), (*b"2://", Marker::Url), (*b"3://", Marker::Url),
];

const WORDS: usize = RULES + MARKERS.len();

/// Every prefix that is found anywhere, then every marker.
pub(super) static TABLE: Table<WORDS> = Table::new(words(), RULES);

const fn words() -> [[u8; 4]; WORDS] {
    let mut words = [[0; 4]; WORDS];
    let mut at = 0;
    while at < WORDS {
        words[at] = if at < RULES {
            prefixes::head(at)
        } else {
            MARKERS[at - RULES].0
        };
        at += 1;
    }
    words
}
