//! `did:web`: a DID whose document a host serves, and so is worth what the host and its name are.
//!
//! Nothing is fetched here: [`DidWeb::url`] says from where, and [`DidWeb::accept`] what to make of
//! what came. A host can change its document at any time, so the hash of the last one that was
//! accepted is compared, and a change reported.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, str::FromStr};

use crate::{
    did_doc::{self, Document},
    error::{Error, beginning},
};

const PREFIX: &str = "did:web:";
const LIMIT_BYTES: usize = 256;

/// A `did:web`: a host's name, perhaps a port, perhaps a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DidWeb {
    did: String,
    host: String,
    port: Option<u16>,
    /// Decoded.
    path: Vec<String>,
}

/// A document that a host served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The document.
    pub document: Document,
    /// Its hash, to be kept until the next time.
    pub hash: [u8; 32],
    /// Whether it is another than the last one, where there was one.
    pub has_changed: bool,
}

impl DidWeb {
    /// The DID of a host, as a URL has it: a name, and a port where it is another than 443.
    pub fn of_host(authority: &str) -> Result<Self, Error> {
        format!("{PREFIX}{}", authority.replacen(':', "%3A", 1)).parse()
    }

    /// Where its document is.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = format!("https://{}", self.host);
        if let Some(port) = self.port {
            url.push_str(&format!(":{port}"));
        }
        if self.path.is_empty() {
            url.push_str("/.well-known");
        }
        for segment in &self.path {
            url.push('/');
            encode(segment, &mut url);
        }
        url.push_str("/did.json");
        url
    }

    /// Takes the document that came from its URL: that of this DID, which nobody else controls.
    pub fn accept(&self, text: &[u8], last: Option<&[u8; 32]>) -> Result<Accepted, did_doc::Error> {
        let document = Document::read(text, &self.did, &[])?;
        let hash = document.hash();
        Ok(Accepted {
            document,
            hash,
            has_changed: last.is_some_and(|last| *last != hash),
        })
    }
}

impl FromStr for DidWeb {
    type Err = Error;

    fn from_str(did: &str) -> Result<Self, Error> {
        let refused = |why| Error::Did {
            did: beginning(did),
            expected: "did:web",
            why,
        };
        if did.len() > LIMIT_BYTES {
            return Err(refused("it is longer than 256 bytes"));
        }
        let rest = did
            .strip_prefix(PREFIX)
            .ok_or_else(|| refused("it does not begin with did:web:"))?;
        let mut parts = rest.split(':');
        let authority = parts.next().unwrap_or_default();
        // The colon before a port is all that is encoded there: a host has one spelling.
        let colon = authority.find("%3A").or_else(|| authority.find("%3a"));
        let (host, port) = match colon {
            Some(at) => (&authority[..at], Some(&authority[at + 3..])),
            None => (authority, None),
        };
        check_host(host).map_err(refused)?;
        let port = port
            .map(|port| {
                let number = port.parse::<u16>().ok();
                // One spelling alone: no sign, no leading zero.
                number.filter(|number| *number > 0 && format!("{number}") == port)
            })
            .map(|port| port.ok_or_else(|| refused("its port is none")))
            .transpose()?;
        let path = parts
            .map(|part| {
                let segment = decode(part).filter(|segment| is_segment(segment));
                segment.ok_or_else(|| refused("a segment of its path is none"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            did: did.into(),
            host: host.into(),
            port,
            path,
        })
    }
}

impl fmt::Display for DidWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.did)
    }
}

/// A DNS name in small letters that no URL parser takes for a number.
fn check_host(host: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err("its host is no DNS name in small letters");
    }
    // What ends in a number is an IPv4 address to URL parsers, also in hexadecimal.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = last
        .strip_prefix("0x")
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err("its host is an address, not a name");
    }
    Ok(())
}

/// A segment that is one to every server, however often it decodes.
fn is_segment(segment: &str) -> bool {
    let is_forbidden = |letter: char| matches!(letter, '/' | '\\' | '%') || letter.is_control();
    !matches!(segment, "" | "." | "..") && !segment.contains(is_forbidden)
}

/// Decodes percent signs once; everything else must be a character that DIDs have.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                bytes.push(u8::try_from(high << 4 | low).ok()?);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => bytes.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn encode(segment: &str, into: &mut String) {
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                into.push(char::from(byte));
            }
            other => into.push_str(&format!("%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn url(did: &str) -> Result<String, &'static str> {
        let read = did.parse::<DidWeb>();
        read.map(|did| did.url())
            .map_err(|error| error.reason_code())
    }

    #[test]
    fn a_hosts_document_has_its_agents_keys_and_names_the_agent() {
        use crate::did_doc::{Relationship, of_web};
        let tree = crate::keys::KeyTree::from_seed(&[7; 32]);
        let made = crate::time::Timestamp::from_unix_ms(1_000).unwrap();
        let log = crate::kel::KeyLog::of_tree("alice", &tree, made).unwrap();
        let state = log.state().unwrap();
        let host = DidWeb::of_host("agent.example:8443").unwrap();
        assert_eq!(
            host.url(),
            "https://agent.example:8443/.well-known/did.json"
        );
        let document = of_web(state, &host).unwrap();
        let text = document.value().to_canonical();
        let accepted = host.accept(text.as_bytes(), None).unwrap().document;
        assert_eq!(accepted.id(), "did:web:agent.example%3A8443");
        assert!(accepted.also_known_as().contains(&state.did().as_kamn()));
        let signing = accepted.methods_for(Relationship::AssertionMethod);
        let signing: Vec<_> = signing.map(|method| method.key).collect();
        assert_eq!(
            signing,
            [crate::kel::Key::Signing(tree.signing(1).public_key())]
        );
        for host in [
            "127.0.0.1",
            "[::1]:80",
            "A.example",
            "a.example:0",
            "a.example/b",
            "",
        ] {
            assert!(DidWeb::of_host(host).is_err(), "{host}");
        }
    }

    #[test]
    fn documents_are_where_the_method_says() {
        // The examples of the did:web method specification.
        let cases = [
            (
                "did:web:w3c-ccg.github.io",
                "https://w3c-ccg.github.io/.well-known/did.json",
            ),
            (
                "did:web:w3c-ccg.github.io:user:alice",
                "https://w3c-ccg.github.io/user/alice/did.json",
            ),
            (
                "did:web:example.com%3A3000:user:alice",
                "https://example.com:3000/user/alice/did.json",
            ),
            (
                "did:web:example.com%3a3000",
                "https://example.com:3000/.well-known/did.json",
            ),
            (
                "did:web:example.com:m%C3%BCller%20x",
                "https://example.com/m%C3%BCller%20x/did.json",
            ),
        ];
        for (did, expected) in cases {
            assert_eq!(url(did), Ok(expected.into()), "{did}");
            assert_eq!(did.parse::<DidWeb>().unwrap().to_string(), did);
        }
    }

    #[test]
    fn hosts_and_paths_that_could_lead_elsewhere_are_refused() {
        let cases = [
            "did:web:",
            "did:web:Example.com",
            "did:web:example..com",
            "did:web:-a.com",
            "did:web:127.0.0.1",
            "did:web:2130706433",
            "did:web:a.0x7f",
            "did:web:%5B%3A%3A1%5D",
            "did:web:user%40example.com",
            "did:web:user@example.com",
            "did:web:example.com/path",
            "did:web:example.com%2Fpath",
            "did:web:example.com%3A",
            "did:web:example.com%3A0",
            "did:web:example.com%3A080",
            "did:web:example.com%3A65536",
            "did:web:example.com%3A+80",
            "did:web:example.com%3A80%3A90",
            "did:web:example%2Ecom",
            "did:web:example.com:",
            "did:web:example.com::a",
            "did:web:example.com:.",
            "did:web:example.com:..",
            "did:web:example.com:%2e%2E",
            "did:web:example.com:%252e",
            "did:web:example.com:a%2Fb",
            "did:web:example.com:a%5Cb",
            "did:web:example.com:a%00",
            "did:web:example.com:%C3",
            "did:web:example.com:%",
            "did:web:example.com:%4",
            "did:web:example.com:%+4",
            "did:web:example.com:a?b",
            "did:web:example.com:a#b",
            "did:web:münchen.de",
            "DID:web:example.com",
        ];
        for did in cases {
            assert_eq!(url(did), Err("did_invalid"), "{did}");
        }
        let long = format!("did:web:example.com:{}", "a".repeat(256));
        assert!(url(&long).is_err());
    }

    #[test]
    fn document_of_another_subject_is_not_accepted_and_a_change_is_reported() {
        let key = "z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD";
        let document = |did: &str, more: &str| {
            format!(
                r#"{{"@context":"https://www.w3.org/ns/did/v1","id":"{did}","verificationMethod":
                [{{"id":"{did}#k","type":"Multikey","controller":"{did}","publicKeyMultibase":"{key}"}}],
                "authentication":["{did}#k"],"capabilityInvocation":["{did}#k"]{more}}}"#
            )
        };
        let did: DidWeb = "did:web:example.com".parse().unwrap();
        let text = document("did:web:example.com", "");
        let first = did.accept(text.as_bytes(), None).unwrap();
        assert!(!first.has_changed);
        let spaced = text.replace(',', " , ");
        let same = did.accept(spaced.as_bytes(), Some(&first.hash)).unwrap();
        assert!(!same.has_changed);
        let more = document(
            "did:web:example.com",
            r#","alsoKnownAs":["did:web:a.example"]"#,
        );
        let changed = did.accept(more.as_bytes(), Some(&first.hash)).unwrap();
        assert!(changed.has_changed);
        let other = document("did:web:example.org", "");
        let error = did.accept(other.as_bytes(), None).unwrap_err();
        assert_eq!(error.reason_code(), "document_subject_mismatch");
    }

    proptest! {
        #[test]
        fn url_never_leaves_its_host(text in "[a-z0-9.%:A-F@/\\\\]{0,40}") {
            if let Ok(did) = format!("did:web:{text}").parse::<DidWeb>() {
                let url = did.url();
                let port = did.port.map_or(String::new(), |port| format!(":{port}"));
                let start = format!("https://{}{port}/", did.host);
                prop_assert!(url.starts_with(&start) && url.ends_with("/did.json"));
                prop_assert!(!url.contains("/../") && !url.contains("/./") && !url.contains('@'));
            }
        }
    }
}
