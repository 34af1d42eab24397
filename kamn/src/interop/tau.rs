//! The DIDs that Tau once made: `did:kamn:<trust root>:<subject>`, with or without a fragment.
//!
//! They look like the W3C alias of KAMN's DIDs and mean something else (`did:kamn:agent:alice` would be
//! subject `alice` of root `agent`), so they are read here and nowhere else, and prove nothing.

use alloc::string::String;

use crate::error::{Error, beginning};

const PREFIX: &str = "did:kamn:";
const LIMIT_BYTES: usize = 256;

/// What an earlier DID of Tau's says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyDid {
    /// Who vouched for it.
    pub trust_root: String,
    /// Whom it names; may have colons.
    pub subject: String,
    /// What follows `#`.
    pub fragment: Option<String>,
}

/// Reads an earlier DID of Tau's.
pub fn parse_legacy(did: &str) -> Result<LegacyDid, Error> {
    let refused = |why| Error::Did {
        did: beginning(did),
        expected: "legacy Tau",
        why,
    };
    if did.len() > LIMIT_BYTES {
        return Err(refused("it is longer than 256 bytes"));
    }
    let rest = did
        .get(..PREFIX.len())
        .filter(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
        .and_then(|_| did.get(PREFIX.len()..))
        .ok_or_else(|| refused("it does not begin with did:kamn:"))?;
    let (name, fragment) = match rest.split_once('#') {
        Some((name, fragment)) => (name, Some(fragment)),
        None => (rest, None),
    };
    let (trust_root, subject) = name
        .split_once(':')
        .ok_or_else(|| refused("it has no subject after the trust root"))?;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if !is_part(trust_root) || !is_part(subject) || !fragment.is_none_or(is_part) {
        return Err(refused("a part of it is empty or not printable"));
    }
    Ok(LegacyDid {
        trust_root: trust_root.into(),
        subject: subject.into(),
        fragment: fragment.map(String::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_dids_are_read_with_their_parts() {
        let read = parse_legacy("DID:Kamn:root.example:agent:1#keys-1").unwrap();
        assert_eq!(read.trust_root, "root.example");
        assert_eq!(read.subject, "agent:1");
        assert_eq!(read.fragment.as_deref(), Some("keys-1"));
        assert_eq!(
            parse_legacy("did:kamn:agent:alice").unwrap().subject,
            "alice"
        );
    }

    #[test]
    fn other_dids_are_refused() {
        let long = "x".repeat(300);
        let long = alloc::format!("did:kamn:root:{long}");
        for did in [
            "",
            "did:key:z6Mk",
            "did:kamn:root",
            "did:kamn::x",
            "did:kamn:root:",
            "did:kamn:root:x#",
            "did:kamn:root:x#a#b",
            "did:kamn:ro ot:x",
            "did:kam\u{e9}:x",
            &long,
        ] {
            assert!(parse_legacy(did).is_err(), "{did}");
        }
    }
}
