//! Secrets: findings are places of the text, in order and apart, and the same each time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_core::safety::{Kind, secrets};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let found = secrets::scan(&text);
    let mut last = 0;
    for finding in &found {
        assert_eq!(finding.kind, Kind::Secret);
        assert!(
            text.get(finding.start..finding.end)
                .is_some_and(|place| !place.is_empty()),
            "{finding:?}"
        );
        assert!(finding.start >= last, "{found:?} overlap");
        last = finding.end;
    }
    assert_eq!(secrets::scan(&text), found);
});
