//! `tau __inside`: what Tau starts within a sandbox in place of a program that was granted network.
//! The program runs as its child; a port of the loopback leads to Tau's proxy for as long as it does.
//!
//! Invariant: it holds nothing that the program may not have. Every decision is made outside.

use clap::Parser;
use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{self, ExitStatus},
};
use tau_target_native::proxy::{AUTHORITY, Forwarder, forward};

use super::block_on;
use crate::{
    exit::{Error, Exit},
    ui::{Color, Ui},
};

/// What it is called by.
pub(crate) const NAME: &str = "__inside";

/// Run a program within a sandbox, with a port that leads to Tau's proxy.
#[derive(Debug, Parser)]
#[command(name = "tau __inside")]
struct Args {
    /// The proxy's socket; the certificate to trust is beside it.
    #[arg(long, value_name = "SOCKET")]
    proxy: PathBuf,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    program: Vec<OsString>,
}

/// Runs the program and ends as it does, with 128 and the signal's number where a signal ended it.
/// Comes back only where there was nothing to run.
pub(crate) fn run(arguments: Vec<OsString>) -> Exit {
    let ui = Ui::new(Color::Auto, false);
    let args = match Args::try_parse_from(arguments.into_iter().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            // Nobody is left to tell when this fails.
            let _ = error.print();
            return Exit::Usage;
        }
    };
    let name = args.program.first().cloned().unwrap_or_default();
    let error = match block_on(forwarded(args)) {
        Ok(Ok(status)) => process::exit(tau_target_process::Exit::from(status).code()),
        Ok(Err(error)) => {
            // As shells tell it.
            let code = match error.kind() {
                io::ErrorKind::NotFound => 127,
                _ => 126,
            };
            let name = name.display();
            ui.error(&Error::usage(format!("{name} cannot be started")).cause(error));
            process::exit(code);
        }
        Err(error) => error,
    };
    ui.error(&error);
    error.exit
}

async fn forwarded(args: Args) -> io::Result<ExitStatus> {
    let authority = args.proxy.with_file_name(AUTHORITY);
    let forwarder = Forwarder::bind(args.proxy).await?;
    let environment = forward::environment(forwarder.port()?, &authority);
    let mut program = args.program.into_iter();
    let mut child = tokio::process::Command::new(program.next().unwrap_or_default())
        .args(program)
        .envs(environment)
        .kill_on_drop(true)
        .spawn()?;
    tokio::select! {
        status = child.wait() => status,
        never = forwarder.run() => match never {},
    }
}
