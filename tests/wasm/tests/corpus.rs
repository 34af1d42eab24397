//! Every module of the corpus gives what is written down, under both engines.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{env, fs};
use tau_target_wasi::{Engine, Outcome};
use tau_test_wasm::{Case, line};

const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/expected.txt");

fn run_all(engine: &dyn Engine) -> Vec<(Case, Outcome)> {
    let cases = Case::all().unwrap();
    assert!(cases.len() >= 20, "{} modules", cases.len());
    let run = |case: Case| {
        let outcome = case.run(engine).unwrap();
        (case, outcome)
    };
    cases.into_iter().map(run).collect()
}

fn lines(outcomes: &[(Case, Outcome)], fuel: bool) -> String {
    let lines = outcomes
        .iter()
        .map(|(case, outcome)| line(&case.name, outcome, fuel) + "\n");
    lines.collect()
}

#[test]
fn the_interpreter_gives_what_is_written_down_with_the_same_fuel() {
    let found = lines(&run_all(&tau_target_wasmi::Engine::new()), true);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(EXPECTED, &found).unwrap();
    }
    let expected = fs::read_to_string(EXPECTED).unwrap();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn both_engines_give_the_same_output_and_the_same_trap() {
    let compiled = tau_target_wasmtime::Engine::new(None).unwrap();
    let compiled = lines(&run_all(&compiled), false);
    let interpreted = lines(&run_all(&tau_target_wasmi::Engine::new()), false);
    for (compiled, interpreted) in compiled.lines().zip(interpreted.lines()) {
        // How deep calls may go is each engine's own.
        assert_eq!(compiled, interpreted);
    }
}

#[test]
fn every_module_ends_in_the_trap_it_names() {
    for (case, outcome) in run_all(&tau_target_wasmi::Engine::new()) {
        let trap = outcome.trap.map(|trap| trap.name().into_owned());
        assert_eq!(trap, case.trap, "{}", case.name);
    }
}
