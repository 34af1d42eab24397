//! WebAssembly tools by wasmtime: compiled to machine code, in the native home.
//!
//! The fast engine. It promises the same output and the same class of trap as the interpreter; its
//! fuel counts other things, so its numbers are its own. A run is a fresh store, which costs
//! microseconds; compiling costs milliseconds and more, once, and is kept on disk by [`Cache`].

mod cache;
mod link;
mod run;
mod ticker;

pub use cache::{Cache, Unusable};

use std::{hash::Hash, sync::Arc};
use tau_target_wasi::{Call, Outcome, Program, Refusal, STACK_BYTES, check_header};
use ticker::Ticker;
use wasmtime::{Config, ExternType, InstancePre, Module, PoolingAllocationConfig};

/// How many programs can run at once.
const MAX_RUNNING: u32 = 1_000;

/// How many tables a module can have, and a table elements, whatever a call's limits say.
const MAX_TABLES: u32 = 100;
const MAX_TABLE_ELEMENTS: usize = 200_000;

/// The compiler and what its programs share. Clones are the same.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    ticker: Arc<Ticker>,
    cache: Option<Arc<Cache>>,
    /// The version of the engine and its settings: compiled code is of use to just those.
    version: [u8; 32],
}

impl Engine {
    /// A compiler that keeps what it compiles in `cache`, if there is one.
    pub fn new(cache: Option<Cache>) -> Result<Self, Refusal> {
        let invalid = |error: wasmtime::Error| Refusal::Invalid(format!("{error:#}"));
        // Where so many addresses are not to be had, each run makes its memory anew.
        let pooled = wasmtime::Engine::new(config().allocation_strategy(pool()));
        let engine = match pooled {
            Ok(engine) => engine,
            Err(_) => wasmtime::Engine::new(&config()).map_err(invalid)?,
        };
        let mut version = cache::Digest::default();
        engine.precompile_compatibility_hash().hash(&mut version);
        Ok(Self {
            ticker: Arc::new(Ticker::new(engine.clone())),
            version: version.bytes(),
            cache: cache.map(Arc::new),
            engine,
        })
    }

    /// The module, from the cache where it is there.
    fn module(&self, wasm: &[u8]) -> Result<Module, Refusal> {
        let invalid = |error: wasmtime::Error| Refusal::Invalid(format!("{error:#}"));
        let Some(cache) = &self.cache else {
            return Module::new(&self.engine, wasm).map_err(invalid);
        };
        let key = cache::key(&self.version, wasm);
        if let Some(module) = cache.load(&self.engine, &key) {
            return Ok(module);
        }
        let module = Module::new(&self.engine, wasm).map_err(invalid)?;
        if let Ok(code) = module.serialize() {
            // A cache that cannot be written makes the next load slower and this one no worse.
            let _ = cache.store(&key, &code);
        }
        Ok(module)
    }
}

/// What is compiled, and against which limits.
fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        // Nobody reads where in a program a trap was; without, there is less to load.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        // The same bits as the interpreter's, whatever the processor.
        .cranelift_nan_canonicalization(true)
        // What both engines have, so that a module runs under each or under none.
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_multi_value(true)
        .wasm_bulk_memory(true)
        .wasm_extended_const(true)
        .wasm_tail_call(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    config
}

/// Room for programs, reserved and not used until they are: a run takes a place rather than asking the
/// system for one, and gives it back cleared.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(MAX_RUNNING)
        .total_memories(MAX_RUNNING)
        .total_tables(MAX_RUNNING)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        // Cleared by writing zeroes; what is above is given back to the system.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10);
    pool
}

impl tau_target_wasi::Engine for Engine {
    fn name(&self) -> &'static str {
        "wasmtime"
    }

    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Program>, Refusal> {
        check_header(wasm)?;
        let module = self.module(wasm)?;
        match module.get_export("_start") {
            Some(ExternType::Func(ty)) if ty.params().len() == 0 && ty.results().len() == 0 => {}
            _ => return Err(Refusal::NotCommand),
        }
        let linker = link::linker(&self.engine, &module)?;
        let ready = linker
            .instantiate_pre(&module)
            .map_err(|error| Refusal::Invalid(format!("{error:#}")))?;
        Ok(Box::new(Loaded {
            ready,
            ticker: self.ticker.clone(),
        }))
    }
}

/// A compiled module with everything it imports.
struct Loaded {
    ready: InstancePre<run::Running>,
    ticker: Arc<Ticker>,
}

impl Program for Loaded {
    fn run(&self, call: Call<'_>) -> Outcome {
        let _ticks = self.ticker.hold();
        run::run(&self.ready, call)
    }
}
