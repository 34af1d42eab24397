//! The detectors and the gate behind a plain JavaScript interface: `cargo xtask eval safety` times
//! them with it. A text is handed over once, so that what is timed is the scan alone.

use tau_core::safety::{Gate, Source, Untrusted, injection, secrets};
use wasm_bindgen::prelude::wasm_bindgen;

/// A text that is looked through again and again.
#[wasm_bindgen]
pub struct Text {
    text: String,
    gate: Gate,
}

#[wasm_bindgen]
impl Text {
    /// Takes the text over.
    #[wasm_bindgen(constructor)]
    pub fn new(text: String) -> Self {
        Self {
            text,
            gate: Gate::default(),
        }
    }

    /// How many attacks are found.
    pub fn injection(&self) -> usize {
        injection::scan(&self.text).len()
    }

    /// How many secrets are found.
    pub fn secrets(&self) -> usize {
        secrets::scan(&self.text).len()
    }

    /// How much the gate finds in what a tool gave back.
    pub fn gate(&self) -> usize {
        let source = Source::Tool {
            name: "fetch".into(),
        };
        self.gate
            .vet(Untrusted::new(self.text.clone(), source))
            .1
            .len()
    }
}
