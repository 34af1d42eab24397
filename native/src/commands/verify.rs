//! `tau verify`: whether what was recorded is as it was written.

use serde_json::json;
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};
use tau_core::{
    audit,
    journal::{
        self,
        replay::End,
        verify::{Bad, Verified, verify, verify_alone},
    },
};
use tau_platform::{Storage, open};

use super::block_on;
use crate::{
    audit::head,
    exit::{Error, Exit},
    home::Home,
    store::Store,
    ui::Ui,
};

/// Verify the chains of sessions and of the audit log.
///
/// Without a file: every session of the store, and the log of what was decided outside of sessions.
/// With one: what `tau session export` or `tau bundle export` wrote, without the store. Ends with 0 only when every link
/// holds; otherwise it names the first line that does not. A chain shows what was changed by
/// somebody who could not rewrite all of it; who could is found only by signatures.
///
/// Examples: tau verify · tau session export > s.jsonl && tau verify s.jsonl
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file of JSON lines; `-` is stdin.
    file: Option<PathBuf>,
    /// Print one JSON object: `{ok, checked, first_bad: null or {line, why}}`; without a file also
    /// `first_bad.chain`.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let Args { file, json } = args;
    match file {
        Some(file) => {
            let bytes = bytes_of(&file)?;
            if tau_core::bundle::is_bundle(&bytes) {
                return block_on(super::bundle::verify(bytes, &file, json, home, ui))?;
            }
            let verified = of_lines(&bytes);
            Ok(tell(ui, json, None, &verified))
        }
        None => block_on(of_store(home, ui, json))?,
    }
}

fn bytes_of(file: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(file).map(|read| bytes = read)
    };
    let name = file.display();
    read.map_err(|error| Error::usage(format!("{name} cannot be read")).cause(error))?;
    Ok(bytes)
}

fn of_lines(bytes: &[u8]) -> Verified {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = body.split(|byte| *byte == b'\n');
    verify(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Every chain of the store, each against the end that is kept beside it.
async fn of_store(home: &Home, ui: Ui, json: bool) -> Result<Exit, Error> {
    let storage = home.store()?;
    let mut checked = 0;
    let sessions = open::list(&storage).await?;
    for session in &sessions {
        let mut lines = Vec::new();
        loop {
            let range = journal::range(&session.session, lines.len() as u64, 512);
            let rows = storage.scan(range).await?;
            if rows.is_empty() {
                break;
            }
            lines.extend(rows.into_iter().map(|(_, line)| line));
        }
        // Stored before the list held the hash.
        if !session.hash.is_empty() {
            let mut end = End {
                records: session.records,
                hash: session.hash.clone(),
            }
            .line();
            end.pop();
            lines.push(end);
        }
        let verified = verify_alone(lines.iter().map(Vec::as_slice));
        checked += verified.checked;
        if !verified.ok {
            let chain = format!("session {}", session.session);
            return Ok(tell(
                ui,
                json,
                Some(&chain),
                &Verified {
                    checked,
                    ..verified
                },
            ));
        }
    }
    let lines = of_log(&storage).await?;
    if lines.len() > 1 {
        let verified = verify_alone(lines.iter().map(Vec::as_slice));
        checked += verified.checked;
        if !verified.ok {
            let chain = "the audit log";
            return Ok(tell(
                ui,
                json,
                Some(chain),
                &Verified {
                    checked,
                    ..verified
                },
            ));
        }
    }
    let whole = Verified {
        ok: true,
        checked,
        first_bad: None,
    };
    Ok(tell(ui, json, None, &whole))
}

async fn of_log(storage: &Store) -> Result<Vec<Vec<u8>>, Error> {
    let mut lines = Vec::new();
    loop {
        let rows = storage.scan(audit::range(lines.len() as u64, 512)).await?;
        if rows.is_empty() {
            return Ok(audit::with_end(lines, &head(storage).await?));
        }
        lines.extend(rows.into_iter().map(|(_, line)| line));
    }
}

fn tell(ui: Ui, json: bool, chain: Option<&str>, verified: &Verified) -> Exit {
    if json {
        let mut value = json!(verified);
        if let (Some(chain), false) = (chain, verified.ok) {
            value["first_bad"]["chain"] = chain.into();
        }
        ui.json(&value);
    }
    match &verified.first_bad {
        None => {
            if !json {
                ui.line(format!("{} records hold", verified.checked));
            }
            Exit::Ok
        }
        Some(Bad { line, why }) => {
            let place = match chain {
                Some(chain) => format!("line {line} of {chain}"),
                None => format!("line {line}"),
            };
            ui.error(
                &Error::internal(format!("{place} is not as it was written"))
                    .cause(why)
                    .hint("what comes before it holds; trust nothing from there on"),
            );
            Exit::Internal
        }
    }
}
