//! Signing a text, and whether somebody signed one.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::path::PathBuf;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid, DidKey, PublicKey, Signature,
    did_doc::{DOCUMENT_LIMIT_BYTES, Document, Relationship},
    kel::{Key, KeyLog, LOG_LIMIT_BYTES},
};
use tau_platform::{
    Clock, Signer, peers,
    statement::{self, LIMIT_BYTES, StatementError},
};
use tau_target_native::TokioClock;

use super::{own, parse, read, stranger};
use crate::{
    config,
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, of_kel, of_log, of_signer},
    ui::{self, Ui},
};

/// Texts up to here are shown in `--json`, as they are signed.
const SHOWN_BYTES: usize = 64 * 1024;
/// How far clocks may be apart.
const SKEW_MS: u64 = tau_kamn::kel::SKEW_MS;

/// What is signed.
///
/// Signed are the bytes `tau:statement:v1`, a zero byte and the text, with Ed25519: any library that
/// has it can verify them.
#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The file; stdin without one or for `-`.
    file: Option<PathBuf>,
    /// Print one JSON object: `{did, key_id, public_key, signature, signed_base64}`.
    #[arg(long)]
    json: bool,
}

/// What is said to be signed, and by whom.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The file; stdin without one or for `-`.
    file: Option<PathBuf>,
    /// Who is said to have signed: an agent that is known, or a did:key.
    #[arg(long, value_name = "DID")]
    by: String,
    /// The signature: z… or base64.
    #[arg(long)]
    signature: String,
    /// When you saw the signature first: then a key counts that was replaced after that.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    seen: Option<When>,
    /// Believe the agent's log in this file, together with what is known.
    #[arg(long, value_name = "FILE", conflicts_with = "document")]
    log: Option<PathBuf>,
    /// Believe the DID document in this file; one that its agent's known log contradicts is refused.
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Print one JSON object: `{valid, key_id, reason_code, why}`.
    #[arg(long)]
    json: bool,
}

/// A moment, as a person writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    At(UnixMillis),
    AgoMs(u64),
}

impl When {
    /// The moment, where an age is one before `now`.
    pub(super) fn before(self, now: UnixMillis) -> UnixMillis {
        match self {
            Self::At(at) => at,
            Self::AgoMs(ms) => UnixMillis(now.0.saturating_sub(ms)),
        }
    }
}

/// Reads `2026-05-01T12:00:00Z`, milliseconds since 1970, or how long ago it was.
pub(super) fn parse_time(text: &str) -> Result<When, String> {
    if let Ok(ms) = text.parse::<u64>() {
        return Ok(When::At(UnixMillis(ms)));
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        let ms = u64::try_from(at.as_millisecond());
        let ms = ms.map_err(|_| "a moment after 1970".to_owned())?;
        return Ok(When::At(UnixMillis(ms)));
    }
    config::parse_duration_ms(text)
        .map(When::AgoMs)
        .map_err(|_| "a moment such as 2026-05-01T12:00:00Z, or how long ago: 90s, 2h".to_owned())
}

/// Signs.
pub(super) async fn sign(args: Sign, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let text = read(args.file.as_ref(), LIMIT_BYTES)?;
    let bytes = statement::to_bytes(&text).map_err(refused)?;
    let identity = own(home).await?;
    let signer = identity.need_unlocked(ui)?;
    let signature = signer.sign(&bytes).await.map_err(of_signer)?;
    let state = signer.log().state().map_err(|error| of_kel(&error))?;
    let did = state.did();
    let Some((fragment, key)) = state.current_signing() else {
        return Err(Error::internal("a key that signed is not there"));
    };
    if args.json {
        let shown = (bytes.len() <= SHOWN_BYTES).then(|| STANDARD.encode(&bytes));
        ui.json(&json!({
            "did": did.as_kamn(),
            "key_id": format!("{did}#{fragment}"),
            "algorithm": "Ed25519",
            "public_key": key.to_multikey(),
            "purpose": statement::DOMAIN,
            "signature": signature.to_multibase(),
            "signed_base64": shown,
        }));
    } else {
        ui.line(signature.to_multibase());
        ui.note(format!("by {did}#{fragment}"));
    }
    Ok(Exit::Ok)
}

/// Verifies.
pub(super) async fn verify(args: Verify, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let text = read(args.file.as_ref(), LIMIT_BYTES)?;
    let signature = statement::read_signature(&args.signature).map_err(refused)?;
    let now = TokioClock.now();
    let seen = args.seen.map(|seen| seen.before(now));
    if seen.is_some_and(|seen| seen.0 > now.0.saturating_add(SKEW_MS)) {
        return Err(Error::usage("--seen lies in the future"));
    }
    let checked = match (&args.document, args.by.trim().starts_with("did:key:")) {
        (Some(file), _) => of_document(&args, file, home, &text, &signature).await?,
        (None, true) => of_key(args.by.trim(), &text, &signature)?,
        (None, false) => {
            let log = trusted(&parse(&args.by)?, args.log.as_ref(), home).await?;
            statement::check(&log, &text, &signature, now, seen)
        }
    };
    tell(checked, args.json, ui)
}

fn tell(checked: Result<String, StatementError>, json: bool, ui: Ui) -> Result<Exit, Error> {
    match checked {
        Ok(key_id) => {
            match json {
                true => ui.json(&json!({
                    "valid": true, "key_id": key_id, "reason_code": null, "why": null,
                })),
                false => ui.line(format!("valid: signed by {key_id}")),
            }
            Ok(Exit::Ok)
        }
        Err(why) => {
            if json {
                let key_id = match &why {
                    StatementError::Key { key_id, .. } => Some(key_id),
                    _ => None,
                };
                ui.json(&json!({
                    "valid": false, "key_id": key_id, "reason_code": why.reason_code(),
                    "why": why.to_string(),
                }));
            }
            ui.error(&Error::new(Exit::Flagged, "the signature is not believed").cause(why));
            Ok(Exit::Flagged)
        }
    }
}

/// What is known of `did`, and what the file of a person says beyond it.
async fn trusted(did: &AgentDid, file: Option<&PathBuf>, home: &Home) -> Result<KeyLog, Error> {
    let known = known(did, home).await?;
    let Some(file) = file else {
        return known.ok_or_else(|| stranger(did));
    };
    let named =
        KeyLog::read(&read(Some(file), LOG_LIMIT_BYTES)?).map_err(|error| of_kel(&error))?;
    let found = named.unchecked_state().did();
    if found != did {
        return Err(Error::usage(format!(
            "{} is the log of {found}",
            file.display()
        )));
    }
    let Some(mut all) = known else {
        return Ok(named);
    };
    all.merge(&named).map_err(|error| of_kel(&error))?;
    Ok(all)
}

async fn known(did: &AgentDid, home: &Home) -> Result<Option<KeyLog>, Error> {
    if let Some(own) = Identity::load(home)?
        && own.did() == did
    {
        return Ok(Some(own.log().clone()));
    }
    peers::get(&home.store()?, did).await.map_err(of_log)
}

fn of_key(
    did: &str,
    text: &[u8],
    signature: &Signature,
) -> Result<Result<String, StatementError>, Error> {
    let wrong = |why: String| Error::usage(format!("{did:?} is no key that signs")).cause(why);
    let key = match did.parse() {
        Ok(DidKey::Ed25519(key)) => key,
        Ok(DidKey::X25519(_)) => return Err(wrong("it agrees on secrets".into())),
        Err(error) => return Err(wrong(error.to_string())),
    };
    Ok(is_signed(&key, text, signature)?
        .then(|| did.to_owned())
        .ok_or_else(|| StatementError::Unsigned { did: did.into() }))
}

/// Whether a key of the document signed; the document is what the person trusts.
async fn of_document(
    args: &Verify,
    file: &PathBuf,
    home: &Home,
    text: &[u8],
    signature: &Signature,
) -> Result<Result<String, StatementError>, Error> {
    let name = file.display();
    let by = args.by.trim();
    let bytes = read(Some(file), DOCUMENT_LIMIT_BYTES)?;
    let unusable = |error: tau_kamn::did_doc::Error| {
        Error::new(Exit::Flagged, format!("{name} is not the document of {by}")).cause(error)
    };
    let document = Document::read(&bytes, by, &[]).map_err(unusable)?;
    if let Ok(did) = AgentDid::parse_any(by)
        && let Some(log) = known(&did, home).await?
    {
        document.check_log(&log).map_err(|error| {
            Error::new(
                Exit::Flagged,
                format!("{name} is not what the log of {by} says now"),
            )
            .cause(error)
            .hint("ask its agent for a new one, or verify by the log")
        })?;
    }
    for method in document.methods_for(Relationship::AssertionMethod) {
        if let Key::Signing(key) = &method.key
            && is_signed(key, text, signature)?
        {
            return Ok(Ok(method.id.clone()));
        }
    }
    Ok(Err(StatementError::Unsigned { did: by.into() }))
}

fn is_signed(key: &PublicKey, text: &[u8], signature: &Signature) -> Result<bool, Error> {
    let bytes = statement::to_bytes(text).map_err(refused)?;
    Ok(key.verify(&bytes, signature).is_ok())
}

fn refused(error: StatementError) -> Error {
    let told = Error::usage(ui::plain(&error.to_string()));
    match error {
        StatementError::Zero | StatementError::TooLong { .. } => {
            told.hint("sign its hash instead: sha256sum FILE | tau identity sign")
        }
        _ => told,
    }
}
