//! `tau bundle show`, and what `tau verify` does with a bundle.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tau_core::{
    bundle::{Kind, Part},
    ids::UnixMillis,
    journal::verify::verify as verify_chain,
};
use tau_kamn::bytes::hex;
use tau_platform::{
    Clock, MemoryStorage,
    bundle::{ReadError, Whole, author_of},
};
use tau_target_native::TokioClock;

use super::{Opener, refused, short, whole};
use crate::{
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, date},
    ui::{self, Ui},
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle; `-` is stdin.
    file: PathBuf,
    /// The file with the passphrase of a sealed one [default: TAU_PASSPHRASE].
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Print one JSON object: `{ok, id, did, key, created, sealed, base, parts, unchanged, first_bad}`.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let passphrase = args.passphrase_file.as_deref();
    let read = whole(&args.file, passphrase, |_| true, home, ui).await?;
    let checked = checked(read, home).await;
    tell(&args.file, checked, args.json, ui, |whole, ui| {
        let draft = whole.manifest.draft();
        let created = date(UnixMillis(draft.created.unix_ms()));
        let sealed = if whole.was_sealed { ", sealed" } else { "" };
        ui.line(format!(
            "bundle {} of {created}{sealed}",
            short(whole.manifest.id())
        ));
        ui.line(format!("by     {}", whole.manifest.key()));
        for part in &draft.parts {
            let note = match part.name.kind() {
                Kind::Unknown(_) => "  (of a later version: kept out)",
                _ => "",
            };
            let kib = part.bytes.div_ceil(1024);
            ui.line(ui::plain(&format!("{:>8} KiB  {}{note}", kib, part.name)));
        }
        if let Some(base) = &draft.base {
            let left = draft.unchanged.len();
            ui.line(format!("{left} more parts are in bundle {}", short(base)));
        }
    })
}

/// What `tau verify` does with a bundle; `by` is who must have signed it.
pub(crate) async fn verify(
    bytes: Vec<u8>,
    file: &Path,
    by: Option<&str>,
    json: bool,
    home: &Home,
    ui: Ui,
) -> Result<Exit, Error> {
    let opener = Opener {
        home,
        ui,
        passphrase_file: None,
    };
    let mut pieces = Some(bytes);
    let read = opener.read(|| Ok(pieces.take().unwrap_or_default()), |_| true);
    let checked = checked(read.await?, home).await?.and_then(|whole| {
        let signer = whole.manifest.key().to_string();
        let did = signer.split('#').next().unwrap_or_default();
        match by.is_none_or(|by| by == did) {
            true => Ok(whole),
            false => Err(Bad::Other {
                part: "the manifest".into(),
                code: "other_signer",
                why: format!("it is signed by {did}"),
            }),
        }
    });
    tell(file, Ok(checked), json, ui, |whole, ui| {
        let count = whole.manifest.parts().len();
        ui.line(format!(
            "{count} parts hold, signed by {}",
            whole.manifest.key()
        ));
    })
}

/// What was read, held against what is known of its author, and the chains of its sessions.
async fn checked(read: Result<Whole, ReadError>, home: &Home) -> Result<Result<Whole, Bad>, Error> {
    let whole = match read {
        Ok(whole) => whole,
        Err(error) => return Ok(Err(Bad::Read(error))),
    };
    let own = Identity::load(home)?;
    let own = own.as_ref().map(Identity::log);
    let now = TokioClock.now();
    let known = match home.root().exists() {
        true => author_of(&home.store()?, &whole.manifest, own, now, true).await,
        // Nobody is known here, and looking makes no home.
        false => author_of(&MemoryStorage::new(), &whole.manifest, own, now, true).await,
    };
    if let Err(error) = known {
        return Ok(Err(Bad::Other {
            part: "the manifest".into(),
            code: error.reason_code(),
            why: error.to_string(),
        }));
    }
    match whole.parts.iter().find_map(bad_chain) {
        Some(bad) => Ok(Err(bad)),
        None => Ok(Ok(whole)),
    }
}

/// Why a bundle does not hold.
enum Bad {
    Read(ReadError),
    Other {
        part: String,
        code: &'static str,
        why: String,
    },
}

fn bad_chain(part: &Part) -> Option<Bad> {
    if *part.name.kind() != Kind::Session {
        return None;
    }
    let body = part.content.strip_suffix(b"\n").unwrap_or(&part.content);
    let verified = verify_chain(body.split(|byte| *byte == b'\n'));
    let bad = verified.first_bad?;
    Some(Bad::Other {
        part: part.name.to_string(),
        code: "journal_broken",
        why: format!("line {}: {}", bad.line, bad.why),
    })
}

fn tell(
    file: &Path,
    checked: Result<Result<Whole, Bad>, Error>,
    json: bool,
    ui: Ui,
    show: impl Fn(&Whole, Ui),
) -> Result<Exit, Error> {
    let (part, code, why, error) = match checked? {
        Ok(whole) => {
            match json {
                true => ui.json(&to_json(&whole)),
                false => show(&whole, ui),
            }
            return Ok(Exit::Ok);
        }
        Err(Bad::Read(error)) => {
            let told = refused(file, &error);
            (error.place(), error.reason_code(), error.to_string(), told)
        }
        Err(Bad::Other { part, code, why }) => {
            let told = Error::usage(format!("{}: {part} is refused", file.display()))
                .cause(&why)
                .hint("nothing of it is to be used");
            (Some(part), code, why, told)
        }
    };
    if !json {
        return Err(error);
    }
    let part = part.map(|part| part.strip_prefix("part ").unwrap_or(&part).to_owned());
    ui.json(&json!({
        "ok": false, "checked": 0,
        "first_bad": { "part": part, "reason_code": code, "why": why },
    }));
    ui.error(&error);
    Ok(error.exit)
}

fn to_json(whole: &Whole) -> Value {
    let draft = whole.manifest.draft();
    let parts = draft.parts.iter().map(|part| {
        json!({
            "name": part.name.to_string(),
            "kind": part.name.kind().name(),
            "sha256": hex(&part.sha256),
            "bytes": part.bytes,
        })
    });
    let unchanged = draft.unchanged.iter();
    let unchanged: Vec<String> = unchanged.map(|part| part.name.to_string()).collect();
    json!({
        "ok": true,
        "checked": draft.parts.len(),
        "first_bad": null,
        "id": hex(whole.manifest.id()),
        "did": whole.manifest.did(),
        "key": whole.manifest.key(),
        "created": draft.created.to_string(),
        "sealed": whole.was_sealed,
        "base": draft.base.map(|base| hex(&base)),
        "parts": parts.collect::<Vec<_>>(),
        "unchanged": unchanged,
    })
}
