//! What a module may import: its own JavaScript, and nothing else.
//!
//! Code meant for a machine compiles for WebAssembly too and shows only here, as an import of a
//! system interface nobody provides.

use anyhow::{Result, bail};
use std::collections::BTreeSet;
use wasmparser::{Parser, Payload};

/// Fails with every import of `module` that is not from `glue`.
pub(super) fn check(module: &[u8], glue: &str) -> Result<()> {
    let mut foreign = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ImportSection(section) = payload? else {
            continue;
        };
        for import in section.into_imports() {
            let import = import?;
            if import.module != glue {
                foreign.insert(format!("{}.{}", import.module, import.name));
            }
        }
    }
    if !foreign.is_empty() {
        let foreign: Vec<String> = foreign.into_iter().collect();
        bail!(
            "the module imports what no home provides: {}; find the crate that asks for it with \
             `cargo tree --target wasm32-unknown-unknown`",
            foreign.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of one function type and these imports of it.
    fn module(imports: &[(&str, &str)]) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let name = |text: &str| [&[length(text.as_bytes())], text.as_bytes()].concat();
        let count = u8::try_from(imports.len()).unwrap();
        let entries = imports.iter().flat_map(|(module, field)| {
            let function_of_type_0 = [0, 0];
            [&name(module)[..], &name(field), &function_of_type_0].concat()
        });
        let section: Vec<u8> = std::iter::once(count).chain(entries).collect();
        let header = b"\0asm\x01\0\0\0";
        let one_type_without_values = [1, 4, 1, 0x60, 0, 0];
        [
            &header[..],
            &one_type_without_values,
            &[2, length(&section)],
            &section,
        ]
        .concat()
    }

    #[test]
    fn imports_of_its_own_javascript_are_fine() {
        let module = module(&[("./a_bg.js", "f"), ("./a_bg.js", "g")]);
        assert!(check(&module, "./a_bg.js").is_ok());
    }

    #[test]
    fn every_foreign_import_is_named() {
        let module = module(&[
            ("env", "abort"),
            ("./a_bg.js", "f"),
            ("wasi_snapshot_preview1", "fd_write"),
        ]);
        let error = check(&module, "./a_bg.js").unwrap_err().to_string();
        assert!(error.contains("env.abort, wasi_snapshot_preview1.fd_write;"));
        assert!(!error.contains("a_bg.js"));
    }

    #[test]
    fn what_is_not_a_module_is_an_error() {
        assert!(check(b"not a module", "./a_bg.js").is_err());
    }
}
