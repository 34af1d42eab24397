//! Programs that would not end, or would take everything: each ends in the limit it meets, close to
//! it, and the next program runs as if nothing had been.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]
#![expect(clippy::print_stdout, reason = "how late each end came")]

use std::{
    io::Read,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use tau_target_wasi::{
    Call, Engine, Grant, Limits, Outcome,
    native::{self, Piped},
};
use tau_test_wasm::{engines, module};

/// How long past its limit a program may go on where the machine is busy. What it really took is
/// printed; this only tells a late end from none.
const SAFETY_NET: Duration = Duration::from_secs(5);

/// With the machine's clock, and standard input that never comes and never ends.
fn run(engine: &dyn Engine, wasm: &[u8], grant: &Grant, limits: &Limits) -> (Outcome, Duration) {
    struct Never(mpsc::Receiver<()>);
    impl Read for Never {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(0)
        }
    }
    let (never, receiver) = mpsc::channel();
    let program = engine.load(wasm).unwrap();
    let world = native::world(grant, Box::new(Piped::new(Never(receiver)))).unwrap();
    let begun = Instant::now();
    let outcome = program.run(Call {
        grant,
        limits,
        world,
    });
    let took = begun.elapsed();
    drop(never);
    (outcome, took)
}

/// Runs the fields under both engines with a deadline, and says what ended them.
fn ends_by(fields: &str, limits: Limits, trap: &str) {
    let wasm = module(fields).unwrap();
    let grant = Grant {
        clock: true,
        ..Grant::default()
    };
    for engine in engines().unwrap() {
        let (outcome, took) = run(&*engine, &wasm, &grant, &limits);
        let name = outcome.trap.map(|trap| trap.name().into_owned());
        assert_eq!(name.as_deref(), Some(trap), "{}", engine.name());
        let limit = Duration::from_millis(if trap == "deadline" {
            limits.wall_ms
        } else {
            0
        });
        let past = took.saturating_sub(limit);
        println!("{}: {trap}: {past:?} past the limit", engine.name());
        assert!(past < SAFETY_NET, "{}: {took:?}", engine.name());
        goes_on(&*engine);
    }
}

/// The engine runs another program.
fn goes_on(engine: &dyn Engine) {
    let hello = module("(func (export \"_start\") (call $number (i64.const 7)))").unwrap();
    let (outcome, _) = run(engine, &hello, &Grant::default(), &Limits::default());
    assert_eq!((outcome.exit, &outcome.stdout[..]), (Some(0), &b"7\n"[..]));
}

fn until(wall_ms: u64) -> Limits {
    Limits {
        fuel: u64::MAX / 2,
        wall_ms,
        ..Limits::default()
    }
}

#[test]
fn an_endless_loop_ends_at_the_deadline() {
    let fields = "(func (export \"_start\") (loop $on (br $on)))";
    ends_by(fields, until(200), "deadline");
}

#[test]
fn an_endless_loop_of_calls_to_the_home_ends_at_the_deadline() {
    let fields =
        "(func (export \"_start\") (loop $on (drop (call $fd_close (i32.const 90))) (br $on)))";
    ends_by(fields, until(200), "deadline");
}

#[test]
fn large_copies_end_at_the_deadline() {
    let fields = "(func (export \"_start\")
        (drop (memory.grow (i32.const 900)))
        (loop $on
          (memory.copy (i32.const 0) (i32.const 8) (i32.const 58000000))
          (br $on)))";
    ends_by(fields, until(200), "deadline");
}

#[test]
fn an_endless_loop_ends_when_the_fuel_is_used_up() {
    let limits = Limits {
        fuel: 1_000_000,
        ..Limits::default()
    };
    let fields = "(func (export \"_start\") (loop $on (br $on)))";
    ends_by(fields, limits, "fuel");
}

#[test]
fn waiting_for_input_that_never_comes_ends_at_the_deadline() {
    let fields = "(func (export \"_start\")
        (i32.store (i32.const 4) (i32.const 10))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))";
    ends_by(fields, until(200), "deadline");
}

#[test]
fn a_sleep_past_the_deadline_ends_at_once() {
    let fields = "(func (export \"_start\")
        (i32.store (i32.const 116) (i32.const 1))
        (i64.store (i32.const 124) (i64.const 3600000000000))
        (drop (call $poll_oneoff (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 300))))";
    ends_by(fields, until(3_000), "deadline");
}

#[test]
fn a_sleep_before_the_deadline_is_slept() {
    let fields = "(func (export \"_start\")
        (i32.store (i32.const 116) (i32.const 1))
        (i64.store (i32.const 124) (i64.const 50000000))
        (call $show (call $poll_oneoff (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 300))))";
    let wasm = module(fields).unwrap();
    let grant = Grant {
        clock: true,
        ..Grant::default()
    };
    for engine in engines().unwrap() {
        let (outcome, took) = run(&*engine, &wasm, &grant, &until(60_000));
        assert_eq!(outcome.stdout, b"0\n");
        assert!(took >= Duration::from_millis(50), "{took:?}");
    }
}

#[test]
fn recursion_ends_at_the_stack_whatever_the_frames() {
    let small = "(func $f (call $f)) (func (export \"_start\") (call $f))";
    ends_by(small, until(60_000), "stack");
    let locals = "(local i64)".repeat(400);
    let large = format!(
        "(func $f (param i64) (result i64) {locals}
           (i64.add (local.get 200) (call $f (local.get 0))))
         (func (export \"_start\") (drop (call $f (i64.const 1))))"
    );
    ends_by(&large, until(60_000), "stack");
}

#[test]
fn memory_and_tables_end_at_their_limits() {
    let memory =
        "(func (export \"_start\") (loop $on (drop (memory.grow (i32.const 16))) (br $on)))";
    ends_by(memory, until(60_000), "memory");
    let table = "(table $t 0 funcref) (func (export \"_start\")
        (loop $on (drop (table.grow $t (ref.null func) (i32.const 999))) (br $on)))";
    ends_by(table, until(60_000), "table");
    let many = format!(
        "{} (func (export \"_start\"))",
        "(table 999 funcref)".repeat(50)
    );
    ends_by(&many, until(60_000), "table");
}

#[test]
fn a_flood_of_output_ends_at_its_limit_and_what_fits_is_kept() {
    let fields = "(func (export \"_start\") (loop $on (call $print (i32.const 0) (i32.const 60000)) (br $on)))";
    ends_by(fields, until(60_000), "output");
    let wasm = module(fields).unwrap();
    for engine in engines().unwrap() {
        let (outcome, _) = run(&*engine, &wasm, &Grant::default(), &until(60_000));
        assert_eq!(outcome.stdout.len() as u64, Limits::default().output_bytes);
    }
}

#[test]
fn a_start_function_that_never_ends_is_ended_too() {
    let fields = "(func $s (loop $on (br $on))) (start $s) (func (export \"_start\"))";
    let wasm = module(fields).unwrap();
    for engine in engines().unwrap() {
        let (outcome, took) = run(&*engine, &wasm, &Grant::default(), &until(300));
        let trap = outcome.trap.unwrap();
        assert!(trap.is_limit(), "{}: {trap}", engine.name());
        assert!(took < SAFETY_NET, "{}: {took:?}", engine.name());
    }
}

#[test]
fn a_hundred_tools_at_once_all_give_their_own_answer() {
    let wasm = module(
        "(func (export \"_start\")
           (i32.store (i32.const 0) (i32.const 100))
           (i32.store (i32.const 4) (i32.const 50))
           (drop (call $args_get (i32.const 200) (i32.const 300)))
           (call $print (i32.const 300) (i32.const 8)))",
    )
    .unwrap();
    for engine in engines().unwrap() {
        let program = engine.load(&wasm).unwrap();
        thread::scope(|scope| {
            for number in 0..100 {
                let program = &program;
                scope.spawn(move || {
                    let grant = Grant {
                        args: vec![format!("tool{number:04}")],
                        ..Grant::default()
                    };
                    let world = native::world(&grant, Box::new(Piped::new(std::io::empty())));
                    let outcome = program.run(Call {
                        grant: &grant,
                        limits: &Limits::default(),
                        world: world.unwrap(),
                    });
                    assert_eq!(outcome.stdout, format!("tool{number:04}").as_bytes());
                });
            }
        });
    }
}
