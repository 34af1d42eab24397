//! Text made comparable: every span of it leads back to characters of the text as it came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_core::safety::normal::{close_up, decode::decode, normalise};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for normal in [normalise(&text), close_up(&text)] {
        let mut last = 0;
        for (start, c) in normal.text.char_indices() {
            let span = normal.origin(start..start + c.len_utf8());
            assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
            assert!(span.start >= last, "{span:?} goes back in {text:?}");
            last = span.start;
        }
        let all = normal.origin(0..normal.text.len());
        assert!(text.get(all).is_some());
    }
    decode(&text, &mut |decoded| {
        assert!(
            text.get(decoded.span.clone())
                .is_some_and(|span| !span.is_empty()),
            "{decoded:?}"
        );
    });
});
