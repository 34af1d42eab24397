//! Plays every case of `tests/obey` and prints what came of it: `cargo xtask eval obey`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its answer is what it prints"
)]

use std::{path::Path, process::ExitCode};
use tau_tests::obey::{Report, cases};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("obey");
    let cases = match cases(&folder) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = Report::of(&cases);
    match std::env::args().any(|argument| argument == "--json") {
        true => println!("{}", report.json()),
        false => print!("{report}"),
    }
    match report.holds() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
