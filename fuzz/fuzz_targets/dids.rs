//! Identifiers: what is read prints as it was written, or reads back, and a URL stays with its host.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_kamn::{
    AgentDid, DidKey, KamnDid, Signature,
    did_doc::{canonical_endpoint, channel_fragment},
    did_web::DidWeb,
    multibase,
    time::Timestamp,
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(did) = KamnDid::parse_any(text) {
        assert!(did.as_kamn() == text || did.as_w3c() == text);
        assert_eq!(KamnDid::parse_any(&did.as_w3c()), Ok(did));
    }
    if let Ok(did) = text.parse::<AgentDid>() {
        assert_eq!(did.as_kamn(), text);
        assert!(did.label().len() <= text.len());
    }
    if let Ok(key) = text.parse::<DidKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = DidKey::parse_url(text) {
        assert_eq!(key.to_url(), text);
    }
    if let Ok(did) = text.parse::<DidWeb>() {
        assert_eq!(did.to_string(), text);
        let url = did.url();
        assert!(url.starts_with("https://") && url.ends_with("/did.json"));
        let parsed = url::Url::parse(&url).expect("it is a URL");
        // As written: parsers neither decode it further nor shorten its path.
        assert_eq!(parsed.as_str(), url.replace(":443/", "/"));
        assert!(parsed.username().is_empty() && parsed.domain().is_some());
    }
    if let Ok(bytes) = multibase::decode(text) {
        assert_eq!(multibase::encode(&bytes), text);
    }
    if let Ok(signature) = Signature::from_multibase(text) {
        assert_eq!(signature.to_multibase(), text);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        assert_eq!(moment.to_string(), text);
    }
    if let Ok(endpoint) = canonical_endpoint(text) {
        assert_eq!(canonical_endpoint(&endpoint), Ok(endpoint));
    }
    let fragment = channel_fragment(text);
    assert!(
        fragment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    );
});
