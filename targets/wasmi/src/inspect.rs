//! What a module is made of, without running it.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::Serialize;
use tau_target_wasi::{Refusal, check_header, find};
use wasmi::{ExternType, Module};

/// The bytes of a page of memory.
const PAGE_BYTES: u64 = 65_536;

/// A module's outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Whether it can be run: it exports `_start`, and imports only functions.
    pub command: bool,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it exports.
    pub exports: Vec<Export>,
    /// The memory it begins with; `None` where it has none.
    pub memory_bytes: Option<u64>,
    /// The most it could ever ask for; `None` where it does not say.
    pub memory_limit_bytes: Option<u64>,
}

/// Something a module imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// From where.
    pub module: String,
    /// By which name.
    pub name: String,
    /// `func`, `memory`, `table` or `global`.
    pub kind: &'static str,
    /// Whether it is there. A function that is not ends the program when it is called.
    pub known: bool,
}

/// Something a module exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// By which name.
    pub name: String,
    /// `func`, `memory`, `table` or `global`.
    pub kind: &'static str,
}

/// Looks at a module's outside; all of it is validated.
pub fn inspect(wasm: &[u8]) -> Result<Inspection, Refusal> {
    check_header(wasm)?;
    let engine = wasmi::Engine::default();
    let module = Module::new(&engine, wasm).map_err(|e| Refusal::Invalid(format!("{e}")))?;
    let imports: Vec<Import> = module
        .imports()
        .map(|import| Import {
            module: import.module().to_string(),
            name: import.name().to_string(),
            kind: kind(import.ty()),
            known: find(import.module(), import.name()).is_some(),
        })
        .collect();
    let exports = module.exports().map(|export| Export {
        name: export.name().to_string(),
        kind: kind(export.ty()),
    });
    let memory = module.exports().find_map(|export| match export.ty() {
        ExternType::Memory(ty) => Some((ty.minimum(), ty.maximum())),
        _ => None,
    });
    Ok(Inspection {
        command: crate::is_command(&module) && imports.iter().all(|import| import.kind == "func"),
        exports: exports.collect(),
        imports,
        memory_bytes: memory.map(|(minimum, _)| minimum * PAGE_BYTES),
        memory_limit_bytes: memory.and_then(|(_, maximum)| Some(maximum? * PAGE_BYTES)),
    })
}

fn kind(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "func",
        ExternType::Memory(_) => "memory",
        ExternType::Table(_) => "table",
        ExternType::Global(_) => "global",
    }
}
