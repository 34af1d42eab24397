//! Runs the engine that tests share: the tests start it, with the folder that it works in.
#![expect(
    clippy::print_stderr,
    reason = "what it says is why there is no engine, for the tests to show"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(folder) = std::env::args_os().nth(1) {
        return match tau_sandbox_tests::supervise(folder.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    eprintln!("it takes a folder to work in, on Linux");
    ExitCode::FAILURE
}
