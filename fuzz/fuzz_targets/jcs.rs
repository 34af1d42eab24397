//! Canonical JSON: what is read prints as one text, that text reads back, and other readers of JSON
//! read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_kamn::jcs;

const LIMIT_BYTES: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = jcs::parse(data, LIMIT_BYTES) else {
        return;
    };
    let text = value.to_canonical();
    let again = jcs::parse(text.as_bytes(), text.len()).expect("canonical text is read");
    assert_eq!(again, value);
    assert_eq!(again.to_canonical(), text);

    let theirs: serde_json::Value = serde_json::from_slice(data).expect("it is JSON");
    let ours: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(theirs, ours);
});
