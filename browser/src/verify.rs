//! Verifying a file that somebody exported: without an agent, a store or the network.

use tau_core::{
    journal::verify::{lines, verify},
    json,
};
use wasm_bindgen::prelude::*;

/// What came of looking at every link and signature of `file`, as JSON: `{ok, checked, first_bad,
/// signatures?}`, as `tau verify FILE --json` prints it.
#[wasm_bindgen(js_name = verifyFile)]
#[must_use]
pub fn verify_file(file: &[u8]) -> String {
    json::to_string(&verify(lines(file)))
}
