//! Addresses of services, and the names of channels as fragments.

use alloc::{format, string::String};

use super::Error;
use crate::{
    bytes::{hex, sha256},
    did::KamnDid,
    error::beginning,
};

const MESSAGING: &str = "kamn://messaging/";

/// The address at which an agent takes messages.
#[must_use]
pub fn messaging_endpoint(did: &KamnDid) -> String {
    format!("{MESSAGING}{}", did.id())
}

/// The one spelling of a messaging address: `kamn://messaging/<id>` in small letters.
pub fn canonical_endpoint(endpoint: &str) -> Result<String, Error> {
    let refused = |why| Error::Endpoint {
        endpoint: beginning(endpoint),
        why,
    };
    let trimmed = endpoint.trim();
    if trimmed.contains(['?', '#']) {
        return Err(refused("it has a query or a fragment"));
    }
    let (scheme, rest) = trimmed
        .split_once("://")
        .ok_or_else(|| refused("it is not scheme://authority/path"))?;
    let (authority, path) = rest
        .split_once('/')
        .ok_or_else(|| refused("it is not scheme://authority/path"))?;
    if !scheme.eq_ignore_ascii_case("kamn") {
        return Err(refused("its scheme is not kamn"));
    }
    if !authority.eq_ignore_ascii_case("messaging") {
        return Err(refused("its authority is not messaging"));
    }
    let path = path.to_ascii_lowercase();
    let is_segment = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    if path.is_empty() || !path.bytes().all(is_segment) {
        return Err(refused("its path is not one segment of a-z, 0-9, _ and -"));
    }
    Ok(format!("{MESSAGING}{path}"))
}

/// Checks the address of a service that is not KAMN's own: an absolute `https:` URI.
pub(super) fn check_https(endpoint: &str) -> Result<(), Error> {
    let refused = |why| {
        Err(Error::Endpoint {
            endpoint: beginning(endpoint),
            why,
        })
    };
    let Some(rest) = endpoint.strip_prefix("https://") else {
        return refused("it does not begin with https://");
    };
    let is_uri = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if !rest.bytes().all(is_uri) {
        return refused("it holds what no URI holds");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return refused("it names no host");
    }
    if authority.contains('@') {
        return refused("it names a user");
    }
    Ok(())
}

/// A channel's name as the fragment of a DID URL. The digits keep apart what the letters cannot:
/// `a:b` and `a/b`.
#[must_use]
pub fn channel_fragment(channel: &str) -> String {
    let slug = channel.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
        _ => '-',
    });
    let digest = hex(&sha256(channel.as_bytes()));
    format!("{}-{}", slug.collect::<String>(), &digest[..8])
}
