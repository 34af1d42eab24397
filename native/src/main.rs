//! `tau`: the native home. Arguments are read before anything else is set up, so that `--version`
//! and `--help` cost nothing.

mod audit;
mod cli;
mod commands;
mod config;
mod conversation;
mod credentials;
mod embedded;
mod embedding;
mod exit;
mod home;
mod host;
mod identity;
mod identity_files;
mod log;
mod memory;
mod notes;
mod plugins;
mod printer;
mod private_file;
mod programs;
mod questions;
mod replace;
mod sessions;
mod signals;
mod store;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().collect())
}
