//! `tau replay`: a recorded session again, without network.

use serde_json::json;
use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};
use tau_core::journal::replay::replay;

use crate::{
    exit::{Error, Exit},
    ui::Ui,
};

/// Run an exported session again, without network, model or tools.
///
/// Every decision is made anew and compared with the record. Prints the transcript's hash and ends
/// with 0 only when all of it is the same; otherwise it names the first line that is not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `tau session export` wrote; `-` is stdin.
    file: PathBuf,
    /// Print one JSON object: `{ok, session, records, hash}` or `{ok, line, why}`.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: Args, ui: Ui) -> Result<Exit, Error> {
    let mut bytes = Vec::new();
    let read = if args.file.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(&args.file).map(|read| bytes = read)
    };
    let name = args.file.display();
    read.map_err(|error| Error::usage(format!("{name} cannot be read")).cause(error))?;

    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let lines = body.split(|byte| *byte == b'\n');
    match replay(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))) {
        Ok(replayed) => {
            if args.json {
                let mut value = json!(replayed);
                value["ok"] = true.into();
                ui.json(&value);
            } else {
                ui.line(format!("{} records are the same", replayed.records));
                ui.line(format!("{}  {}", replayed.hash, replayed.session));
            }
            Ok(Exit::Ok)
        }
        Err(diverged) => {
            if args.json {
                let mut value = json!(diverged);
                value["ok"] = false.into();
                ui.json(&value);
            }
            ui.error(
                &Error::internal(format!("{name} diverges at line {}", diverged.line))
                    .cause(&diverged.why)
                    .hint("the record was changed, or another version of Tau wrote it"),
            );
            Ok(Exit::Internal)
        }
    }
}
