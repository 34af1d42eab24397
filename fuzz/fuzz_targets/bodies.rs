//! Bodies of envelopes that were signed by somebody with bad intentions: sealed ones, those of sessions
//! and of handshakes, group keys, and JSON-RPC. What is taken reads back as it is written.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use tau_kamn::{
    group::Distribution,
    handshake::{Acceptance, Confirmation, Proposal},
    interop::{mcp, tau},
    ratchet::SessionMessage,
    seal::SealedBody,
};

fuzz_target!(|data: &[u8]| {
    if let Ok(distribution) = Distribution::from_bytes(data) {
        assert_eq!(&distribution.to_bytes()[..], data);
    }
    let text = String::from_utf8_lossy(data);
    let _ = tau::parse_legacy(&text);
    if let Ok(message) = mcp::to_message(&text) {
        let printed = mcp::from_message(&message).expect("what was read can be written");
        assert_eq!(mcp::to_message(&printed), Ok(message));
    }
    // One entry a line, its name up to the first tab.
    let entries: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    if let Ok(body) = SealedBody::from_entries(&entries) {
        assert_eq!(body.to_entries(), entries);
    }
    if let Ok(message) = SessionMessage::from_entries(&entries) {
        assert_eq!(message.to_entries(), entries);
    }
    if let Ok(proposal) = Proposal::from_entries(&entries) {
        assert_eq!(proposal.to_entries(), entries);
    }
    if let Ok(acceptance) = Acceptance::from_entries(&entries) {
        assert_eq!(acceptance.to_entries(), entries);
    }
    if let Ok(confirmation) = Confirmation::from_entries(&entries) {
        assert_eq!(confirmation.to_entries(), entries);
    }
});
