//! WebAssembly tools by wasmi, an interpreter: in every home, and metered the same in each.
//!
//! A Worker may not compile WebAssembly while it runs, so there an interpreter is the only way; in a
//! page and natively it is the one whose fuel is the same as everywhere. A run ends whatever the
//! program does: every instruction costs fuel, and the fuel is given in slices, between which the
//! deadline is looked at.
//!
//! ```
//! use tau_target_wasi::{Call, Engine as _, Grant, Limits, World};
//! # let wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b";
//! let program = tau_target_wasmi::Engine::new().load(wasm)?;
//! let (grant, limits) = (Grant::default(), Limits::default());
//! let world = World::still(b"{}".to_vec());
//! let outcome = program.run(Call { grant: &grant, limits: &limits, world });
//! assert_eq!(outcome.exit, Some(0));
//! # Ok::<(), tau_target_wasi::Refusal>(())
//! ```

#![no_std]

extern crate alloc;

mod inspect;
mod link;
mod run;

pub use inspect::{Export, Import, Inspection, inspect};

use alloc::{boxed::Box, format};
use tau_target_wasi::{Call, Outcome, Program, Refusal, STACK_BYTES, check_header};
use wasmi::{CompilationMode, Config, ExternType, Linker, Module};

/// The deepest calls, whatever the size of their frames.
const MAX_CALL_DEPTH: usize = 10_000;

/// The interpreter. Clones share what it keeps.
#[derive(Clone)]
pub struct Engine(wasmi::Engine);

impl Engine {
    /// An interpreter.
    pub fn new() -> Self {
        let mut config = Config::default();
        config
            .consume_fuel(true)
            // Translating a function when it is first called would cost fuel then.
            .compilation_mode(CompilationMode::Eager)
            .ignore_custom_sections(true)
            .set_max_recursion_depth(MAX_CALL_DEPTH)
            .set_max_stack_height(STACK_BYTES)
            // What both engines have, so that a module runs under each or under none.
            .wasm_mutable_global(true)
            .wasm_sign_extension(true)
            .wasm_saturating_float_to_int(true)
            .wasm_multi_value(true)
            .wasm_bulk_memory(true)
            .wasm_reference_types(true)
            .wasm_extended_const(true)
            .wasm_tail_call(true)
            .wasm_multi_memory(false)
            .wasm_custom_page_sizes(false)
            .wasm_wide_arithmetic(false);
        Self(wasmi::Engine::new(&config))
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl tau_target_wasi::Engine for Engine {
    fn name(&self) -> &'static str {
        "wasmi"
    }

    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Program>, Refusal> {
        check_header(wasm)?;
        let module =
            Module::new(&self.0, wasm).map_err(|error| Refusal::Invalid(format!("{error}")))?;
        if !is_command(&module) {
            return Err(Refusal::NotCommand);
        }
        let linker = link::linker(&self.0, &module)?;
        Ok(Box::new(Loaded { module, linker }))
    }
}

/// Whether it can be started.
fn is_command(module: &Module) -> bool {
    match module.get_export("_start") {
        Some(ExternType::Func(ty)) => ty.params().is_empty() && ty.results().is_empty(),
        _ => false,
    }
}

/// A translated module with everything it imports.
struct Loaded {
    module: Module,
    linker: Linker<run::Running>,
}

impl Program for Loaded {
    fn run(&self, call: Call<'_>) -> Outcome {
        run::run(&self.module, &self.linker, call)
    }
}
