//! What a WebAssembly tool costs: a fresh instance with a call, loading, and work, each beside the
//! same engine as it comes, in the same run.
//!
//! The engines as they come have no fuel, no deadline, no limits, no interface but the two functions
//! that the tool calls; what is between is what Tau adds. A table, or one JSON object with `--json`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no figures")]

use std::{
    fs,
    time::{Duration, Instant},
};
use tau_target_wasi::{
    Bytes, Call, Engine, Grant, Limits, Program,
    native::{self, MachineClock},
};
use tau_target_wasmtime::Cache;
use tau_test_wasm::{Case, compile};

/// A small tool: reads its input, turns it around, writes it.
const TOOL: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (local $i i32) (local $n i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $n (i32.load (i32.const 8)))
    (loop $next
      (i32.store8
        (i32.sub (i32.add (i32.const 8191) (local.get $n)) (local.get $i))
        (i32.load8_u (i32.add (i32.const 1024) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (i32.store (i32.const 0) (i32.const 8192))
    (i32.store (i32.const 4) (local.get $n))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

const INPUT: &[u8] = br#"{"path":"src/lib.rs","pattern":"fn main"}"#;

/// One figure.
struct Row {
    what: &'static str,
    ours: Times,
    plain: Option<Times>,
    aim: &'static str,
}

/// The middle and the slow end of many times, in microseconds.
#[derive(Clone, Copy)]
struct Times {
    p50: f64,
    p99: f64,
}

fn main() {
    let tool = wat::parse_str(TOOL).unwrap();
    let fibonacci = Case::all()
        .unwrap()
        .into_iter()
        .find(|case| case.name == "fibonacci")
        .unwrap();
    let rust = compile()
        .unwrap()
        .into_iter()
        .find(|case| case.name == "everything")
        .unwrap();
    let mut rows = Vec::new();
    compiled_calls(&tool, &mut rows);
    compiled_loads(&tool, &rust.wasm, &mut rows);
    interpreted(&tool, &rust.wasm, &mut rows);
    work(&fibonacci.wasm, &mut rows);
    match std::env::args().any(|argument| argument == "--json") {
        true => json(&rows),
        false => table(&rows),
    }
}

/// Runs `body` until the figures are steady, and sorts the times.
fn measure(count: usize, mut body: impl FnMut()) -> Times {
    for _ in 0..count / 10 + 1 {
        body();
    }
    let mut times: Vec<Duration> = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        body();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |part: f64| times[((count - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    Times {
        p50: at(0.5),
        p99: at(0.99),
    }
}

/// One call as a home makes it: the machine's clock, a grant, limits.
fn call(program: &dyn Program, expected: usize) {
    let grant = Grant::default();
    let input = Box::new(Bytes::new(INPUT.to_vec()));
    let mut world = native::world(&grant, input).unwrap();
    world.clock = Box::new(MachineClock::new());
    let outcome = program.run(Call {
        grant: &grant,
        limits: &Limits::default(),
        world,
    });
    assert_eq!((outcome.exit, outcome.stdout.len()), (Some(0), expected));
}

fn compiled_calls(tool: &[u8], rows: &mut Vec<Row>) {
    let ours = tau_target_wasmtime::Engine::new(None).unwrap();
    let program = ours.load(tool).unwrap();
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, tool).unwrap();
    let mut linker = wasmtime::Linker::new(&engine);
    plain_compiled::link(&mut linker);
    let ready = linker.instantiate_pre(&module).unwrap();
    rows.push(Row {
        what: "wasmtime: fresh instance and call",
        ours: measure(20_000, || call(&*program, INPUT.len())),
        plain: Some(measure(20_000, || plain_compiled::call(&engine, &ready))),
        aim: "p50 at most 20 us",
    });
}

fn compiled_loads(tool: &[u8], rust: &[u8], rows: &mut Vec<Row>) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("modules");
    let cache = || Cache::open(&folder, &place.path().join("key")).unwrap();
    let ours = tau_target_wasmtime::Engine::new(Some(cache())).unwrap();
    let engine = wasmtime::Engine::default();
    let names = [
        "wasmtime: load a small tool from the cache",
        "wasmtime: load a Rust tool from the cache",
    ];
    for (what, wasm) in names.into_iter().zip([tool, rust]) {
        drop(ours.load(wasm).unwrap());
        let file = place.path().join("plain.cwasm");
        let module = wasmtime::Module::new(&engine, wasm).unwrap();
        fs::write(&file, module.serialize().unwrap()).unwrap();
        rows.push(Row {
            what,
            ours: measure(500, || drop(ours.load(wasm).unwrap())),
            plain: Some(measure(500, || plain_compiled::load(&engine, &file))),
            aim: "p50 at most 1000 us",
        });
    }
    let uncached = tau_target_wasmtime::Engine::new(None).unwrap();
    rows.push(Row {
        what: "wasmtime: compile a Rust tool",
        ours: measure(5, || drop(uncached.load(rust).unwrap())),
        plain: Some(measure(5, || {
            drop(wasmtime::Module::new(&engine, rust).unwrap())
        })),
        aim: "",
    });
}

fn interpreted(tool: &[u8], rust: &[u8], rows: &mut Vec<Row>) {
    let ours = tau_target_wasmi::Engine::new();
    let engine = wasmi::Engine::default();
    let program = ours.load(tool).unwrap();
    let module = wasmi::Module::new(&engine, tool).unwrap();
    rows.push(Row {
        what: "wasmi: fresh instance and call",
        ours: measure(20_000, || call(&*program, INPUT.len())),
        plain: Some(measure(20_000, || {
            plain_interpreted::call(&engine, &module)
        })),
        aim: "",
    });
    rows.push(Row {
        what: "wasmi: load a Rust tool",
        ours: measure(20, || drop(ours.load(rust).unwrap())),
        plain: Some(measure(20, || {
            drop(wasmi::Module::new(&engine, rust).unwrap())
        })),
        aim: "",
    });
}

fn work(fibonacci: &[u8], rows: &mut Vec<Row>) {
    let program = tau_target_wasmtime::Engine::new(None)
        .unwrap()
        .load(fibonacci)
        .unwrap();
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, fibonacci).unwrap();
    let mut linker = wasmtime::Linker::new(&engine);
    plain_compiled::link(&mut linker);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let ready = linker.instantiate_pre(&module).unwrap();
    rows.push(Row {
        what: "wasmtime: 22,000 calls of a function",
        ours: measure(500, || call(&*program, 5)),
        plain: Some(measure(500, || plain_compiled::call(&engine, &ready))),
        aim: "",
    });
    let program = tau_target_wasmi::Engine::new().load(fibonacci).unwrap();
    let engine = wasmi::Engine::default();
    let module = wasmi::Module::new(&engine, fibonacci).unwrap();
    rows.push(Row {
        what: "wasmi: 22,000 calls of a function",
        ours: measure(100, || call(&*program, 5)),
        plain: Some(measure(100, || plain_interpreted::call(&engine, &module))),
        aim: "",
    });
}

/// Input and output of a plain run.
#[derive(Default)]
struct Streams {
    output: Vec<u8>,
}

impl Streams {
    /// Reads the list of one piece at `at`, copies, and writes the count.
    fn copy(&mut self, memory: &mut [u8], at: i32, count_at: i32, is_read: bool) {
        let word = |at: usize| u32::from_le_bytes(memory[at..at + 4].try_into().unwrap()) as usize;
        let (start, length) = (word(at as usize), word(at as usize + 4));
        let count = if is_read {
            let count = length.min(INPUT.len());
            memory[start..start + count].copy_from_slice(&INPUT[..count]);
            count
        } else {
            self.output
                .extend_from_slice(&memory[start..start + length]);
            length
        };
        let count = (count as u32).to_le_bytes();
        memory[count_at as usize..count_at as usize + 4].copy_from_slice(&count);
    }
}

/// wasmtime as it comes.
mod plain_compiled {
    use super::Streams;
    use std::{hint::black_box, path::Path};
    use wasmtime::{Caller, Engine, InstancePre, Linker, Module, Store};

    pub(super) fn link(linker: &mut Linker<Streams>) {
        for (name, is_read) in [("fd_read", true), ("fd_write", false)] {
            let body =
                move |mut caller: Caller<'_, Streams>, _: i32, at: i32, _: i32, count: i32| {
                    let memory = caller.get_export("memory").unwrap().into_memory().unwrap();
                    let (bytes, streams) = memory.data_and_store_mut(&mut caller);
                    streams.copy(bytes, at, count, is_read);
                    0
                };
            linker
                .func_wrap("wasi_snapshot_preview1", name, body)
                .unwrap();
        }
    }

    pub(super) fn call(engine: &Engine, ready: &InstancePre<Streams>) {
        let mut store = Store::new(engine, Streams::default());
        let instance = ready.instantiate(&mut store).unwrap();
        let start = instance
            .get_typed_func::<(), ()>(&mut store, "_start")
            .unwrap();
        start.call(&mut store, ()).unwrap();
        black_box(store.into_data().output);
    }

    #[expect(unsafe_code, reason = "what is loaded was just made here")]
    pub(super) fn load(engine: &Engine, file: &Path) {
        // SAFETY: `Module::serialize` made the file a moment ago, in a folder of this process.
        black_box(unsafe { Module::deserialize_file(engine, file) }.unwrap());
    }
}

/// wasmi as it comes.
mod plain_interpreted {
    use super::Streams;
    use std::hint::black_box;
    use wasmi::{Caller, Engine, ExternType, Linker, Module, Store};

    pub(super) fn call(engine: &Engine, module: &Module) {
        let mut linker = Linker::new(engine);
        for import in module.imports() {
            let ExternType::Func(ty) = import.ty() else {
                continue;
            };
            let is_read = import.name() == "fd_read";
            let body = move |mut caller: Caller<'_, Streams>,
                             given: &[wasmi::Val],
                             results: &mut [wasmi::Val]| {
                let memory = caller.get_export("memory").unwrap().into_memory().unwrap();
                let (bytes, streams) = memory.data_and_store_mut(&mut caller);
                let at = |index: usize| given[index].i32().unwrap();
                streams.copy(bytes, at(1), at(3), is_read);
                results[0] = wasmi::Val::I32(0);
                Ok(())
            };
            linker
                .func_new(import.module(), import.name(), ty.clone(), body)
                .unwrap();
        }
        let mut store = Store::new(engine, Streams::default());
        let instance = linker.instantiate_and_start(&mut store, module).unwrap();
        let start = instance.get_typed_func::<(), ()>(&store, "_start").unwrap();
        start.call(&mut store, ()).unwrap();
        black_box(store.into_data().output);
    }
}

fn table(rows: &[Row]) {
    println!(
        "{:<44} {:>10} {:>10} {:>10} {:>10}  aim",
        "microseconds", "p50", "p99", "plain p50", "plain p99"
    );
    for Row {
        what,
        ours,
        plain,
        aim,
    } in rows
    {
        let show = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1}"));
        let (p50, p99) = (plain.map(|plain| plain.p50), plain.map(|plain| plain.p99));
        println!(
            "{what:<44} {:>10.1} {:>10.1} {:>10} {:>10}  {aim}",
            ours.p50,
            ours.p99,
            show(p50),
            show(p99)
        );
    }
}

fn json(rows: &[Row]) {
    let rows = rows.iter().map(
        |Row {
             what,
             ours,
             plain,
             aim,
         }| {
            serde_json::json!({
                "what": what,
                "p50_us": ours.p50,
                "p99_us": ours.p99,
                "plain_p50_us": plain.map(|plain| plain.p50),
                "plain_p99_us": plain.map(|plain| plain.p99),
                "aim": aim,
            })
        },
    );
    println!(
        "{}",
        serde_json::json!({ "tools": rows.collect::<Vec<_>>() })
    );
}
