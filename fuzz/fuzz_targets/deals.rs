//! What moves amounts and scores, read from JSON: what is taken prints as it was read, and nothing
//! makes a reader panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_kamn::{
    attest::SignedAttestation,
    escrow::{SignedCommand, Terms},
    interop::{a2a, didcomm},
    jcs,
    ledger::SignedEvent,
};

fuzz_target!(|data: &[u8]| {
    let Ok(value) = jcs::parse(data, 65_536) else {
        return;
    };
    let text = value.to_canonical();
    if let Ok(terms) = Terms::from_value(value.clone()) {
        let printed = terms.to_value().expect("what was read can be written");
        assert_eq!(printed.to_canonical(), text);
    }
    if let Ok(command) = SignedCommand::from_value(value.clone()) {
        let printed = command.to_value().expect("what was read can be written");
        assert_eq!(printed.to_canonical(), text);
    }
    if let Ok(attestation) = SignedAttestation::from_value(value.clone()) {
        let printed = attestation.to_value().expect("what was read can be written");
        assert_eq!(printed.to_canonical(), text);
    }
    if let Ok(event) = SignedEvent::from_value(value.clone()) {
        let printed = event.to_value().expect("what was read can be written");
        assert_eq!(printed.to_canonical(), text);
    }
    let _ = a2a::identity(value.clone());
    if let Ok((envelope, method)) = didcomm::from_didcomm(value) {
        if let Ok(printed) = didcomm::to_didcomm(&envelope, &method) {
            assert_eq!(didcomm::from_didcomm(printed), Ok((envelope, method)));
        }
    }
});
