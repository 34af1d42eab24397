//! `tau verify`: whether what was recorded is as it was written, and was signed by whom it says.

mod rerun;
mod stored;

use serde_json::json;
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};
use tau_core::{
    journal::verify::{Bad, Verified, lines, verify},
    receipt::verify::Signatures,
};

use super::block_on;
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::{Ui, plain},
};
use rerun::Rerun;

/// Verify sessions, the audit log, and what the agent signed of them.
///
/// Without a file: every session of the store with its receipts, and the log of what was decided
/// outside of sessions. With one: what `tau session export` or `tau bundle export` wrote. Ends with 0
/// only when every link and every signature holds; otherwise it names the first line that does not.
///
/// Records are a chain of hashes, which whoever can rewrite all of it can make anew. Receipts cannot be
/// made anew without the agent's keys: compare the agent's name with the one you expect, or give it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A file of JSON lines; `-` is stdin.
    file: Option<PathBuf>,
    /// Also run again what can be: tools made of WebAssembly that got nothing but their input.
    #[arg(long)]
    rerun: bool,
    /// Where their modules lie, in `.tau/tools` [default: the current folder].
    #[arg(long, value_name = "DIR", requires = "rerun")]
    workspace: Option<PathBuf>,
    /// Everything must be signed, by this agent.
    #[arg(long, value_name = "DID")]
    by: Option<String>,
    /// Print one JSON object: `{ok, checked, first_bad: null or {line, why}}`; without a file also
    /// `first_bad.chain`; `signatures` where something is signed, `rerun` with --rerun.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tau verify
  tau session export --receipts > talk.jsonl && tau verify talk.jsonl
  tau verify talk.jsonl --by kamn:did:agent:tau--keyh-91f1cc…
  tau verify --rerun --workspace ~/work";

/// What came of it, and where what does not hold is.
#[derive(Debug)]
struct Found {
    verified: Verified,
    /// The chain that the bad line is of; none for a file.
    chain: Option<String>,
    rerun: Option<Rerun>,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let mut found = match &args.file {
        Some(file) => {
            let bytes = read(file)?;
            if tau_core::bundle::is_bundle(&bytes) {
                if args.rerun {
                    return Err(Error::usage("a bundle is not run again")
                        .hint("`tau session export --receipts` writes what can be"));
                }
                let by = args.by.as_deref();
                let verified = super::bundle::verify(bytes, file, by, args.json, home, ui);
                return block_on(verified)?;
            }
            let mut found = Found {
                verified: verify(lines(&bytes)),
                chain: None,
                rerun: None,
            };
            if args.rerun && found.verified.ok {
                let workspace = args.workspace.as_deref();
                found = block_on(rerun::of_file(found, &bytes, home, workspace, ui))??;
            }
            found
        }
        None => block_on(stored::verify(&args, home, ui))??,
    };
    if let Some(did) = &args.by {
        demand(&mut found.verified, did);
    }
    Ok(tell(ui, args.json, &found))
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
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

/// Holds what was found against who is to have signed it.
fn demand(verified: &mut Verified, did: &str) {
    let signed = verified.signatures.clone().unwrap_or_default();
    let why = match (&*signed.by, signed.unsigned) {
        ([], _) => "nothing is signed".to_owned(),
        ([by], 0) if by == did => return,
        ([by], unsigned) if by == did => {
            format!("{unsigned} calls from before the first receipt are not signed")
        }
        (all, _) => format!("it is signed by {}", all.join(" and ")),
    };
    if verified.ok {
        verified.ok = false;
        verified.first_bad = Some(Bad { line: 1, why });
    }
}

fn tell(ui: Ui, json: bool, found: &Found) -> Exit {
    let Verified {
        checked, first_bad, ..
    } = &found.verified;
    if json {
        let mut value = json!(found.verified);
        if let (Some(chain), Some(_)) = (&found.chain, first_bad) {
            value["first_bad"]["chain"] = chain.as_str().into();
        }
        if let Some(rerun) = &found.rerun {
            value["rerun"] = json!(rerun);
        }
        ui.json(&value);
    }
    match first_bad {
        None => {
            if !json {
                ui.line(format!("{checked} records hold"));
                tell_signed(ui, found.verified.signatures.as_ref());
                if let Some(rerun) = &found.rerun {
                    rerun.tell(ui);
                }
            }
            Exit::Ok
        }
        Some(Bad { line, why }) => {
            let place = match &found.chain {
                Some(chain) => format!("line {line} of {chain}"),
                None => format!("line {line}"),
            };
            ui.error(
                &Error::internal(format!("{place} is not as it was written"))
                    .cause(plain(why))
                    .hint("what comes before it holds; trust nothing from there on"),
            );
            Exit::Internal
        }
    }
}

fn tell_signed(ui: Ui, signed: Option<&Signatures>) {
    let Some(signed) = signed.filter(|signed| signed.receipts > 0) else {
        ui.line("nothing of it is signed");
        return;
    };
    let Signatures {
        receipts,
        unsigned,
        revoked,
        by,
    } = signed;
    ui.line(format!("{receipts} receipts hold"));
    for did in by {
        ui.line(format!("  signed by {}", plain(did)));
    }
    if *unsigned > 0 {
        ui.line(format!(
            "{unsigned} calls and answers are from before the first receipt"
        ));
    }
    if *revoked > 0 {
        ui.warn(format!(
            "{revoked} receipts are of a key that was revoked since: whoever had it could have \
             dated them back"
        ));
    }
}
