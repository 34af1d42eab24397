//! Addresses: what is decided about is what a browser's parser reads, and what is sent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;
use tau_core::egress::{Host, Rules, decide, parse};
use url::Url;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let Ok(target) = parse(&text) else {
        return;
    };
    let href = target.href();
    let again = parse(&href).expect("what is sent can be read");
    assert_eq!(again.origin(), target.origin(), "{text:?}");
    assert_eq!(again.href(), href, "{text:?}");

    let host = target.origin().host().to_string();
    let Ok(other) = Url::parse(&text) else {
        // Letters that IDNA leaves out become a name in ASCII here that nobody has.
        assert!(host.contains("xn--"), "{text:?} is {href:?} here alone");
        return;
    };
    assert_eq!(
        other.scheme() == "https",
        target.origin().is_secure(),
        "{text:?}"
    );
    assert_eq!(
        other.port_or_known_default(),
        Some(target.origin().port()),
        "{text:?}"
    );
    // A name in another script may be written otherwise here (marks are not put in order): what is
    // sent is then another name, decided about as such.
    let is_other_script = host.contains("xn--");
    if !is_other_script {
        assert_eq!(other.host_str(), Some(host.as_str()), "{text:?}");
    }
    assert_eq!(
        !other.username().is_empty() || other.password().is_some(),
        target.has_credentials(),
        "{text:?}"
    );

    // Whoever reads what is sent reads the same, or does not take a name that nobody has.
    let Ok(sent) = Url::parse(&href) else {
        assert!(is_other_script, "{text:?} is {href:?} here alone");
        return;
    };
    assert_eq!(sent.host_str(), Some(host.as_str()), "{text:?}");
    // The crate keeps what looks like a drive of Windows from `..`, also where there is no file.
    let has_drive = |path: &str| {
        path.split('/')
            .any(|part| part.len() == 2 && part.ends_with([':', '|']))
    };
    if !has_drive(other.path()) {
        assert_eq!(sent.path(), other.path(), "{text:?}");
    }
    assert_eq!(sent.query(), other.query(), "{text:?}");

    if decide(&target, &Rules::default()).is_ok() {
        assert!(target.origin().is_secure());
        if let Host::Address(address) = target.origin().host() {
            let special = match address {
                IpAddr::V4(v4) => {
                    v4.is_loopback()
                        || v4.is_private()
                        || v4.is_link_local()
                        || v4.is_unspecified()
                        || v4.is_multicast()
                        || v4.is_broadcast()
                        || v4.is_documentation()
                }
                IpAddr::V6(v6) => {
                    v6.is_loopback()
                        || v6.is_unspecified()
                        || v6.is_multicast()
                        || v6.is_unique_local()
                        || v6.is_unicast_link_local()
                }
            };
            assert!(!special, "{address} is let through");
        }
    }
});
