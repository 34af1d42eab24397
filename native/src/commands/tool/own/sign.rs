//! `tau tool sign`: vouching for a module and everything its manifest says.

use std::{fs, path::PathBuf};
use tau_kamn::{DidKey, SigningKey};
use zeroize::Zeroizing;

use crate::{
    exit::{Error, Exit},
    plugins::{Pair, read_pair},
    replace::replace,
    ui::Ui,
};

/// Sign NAME.wasm and NAME.json with a key of your own.
///
/// Who installs the tool sees the key's DID; `tools.signers` and `tools.require_signature` in a profile
/// say whose signature counts. Make a key with: openssl rand -hex 32 > tool.key
#[derive(Debug, clap::Args)]
pub(in crate::commands::tool) struct Args {
    /// The module; its manifest lies beside it.
    file: PathBuf,
    /// A file with the seed of an Ed25519 key: 64 hex digits.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Signs the tool.
pub(super) fn sign(args: &Args, ui: Ui) -> Result<Exit, Error> {
    let key = read_key(&args.key)?;
    let Pair {
        module, manifest, ..
    } = read_pair(&args.file);
    let told = |why: String| Error::usage(format!("{} is no tool", args.file.display())).cause(why);
    let manifest = manifest.map_err(told)?;
    let module = module.unwrap_or_default();
    tau_target_wasi::check_header(&module).map_err(|error| told(error.to_string()))?;
    let signed = manifest.sign(&module, &key);
    let text = serde_json::to_string_pretty(&signed)
        .map_err(|error| Error::internal(error.to_string()))?;
    let file = args.file.with_extension("json");
    replace(&file, (text + "\n").as_bytes()).map_err(|error| {
        Error::usage(format!("{} cannot be written", file.display())).cause(error)
    })?;
    ui.note(format!("{} is signed", args.file.display()));
    ui.line(DidKey::Ed25519(key.public_key()));
    Ok(Exit::Ok)
}

fn read_key(path: &PathBuf) -> Result<SigningKey, Error> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| Error::usage(format!("{shown} cannot be read")).cause(error))?;
    let digits = text.trim().as_bytes();
    let mut seed = Zeroizing::new([0_u8; 32]);
    let bad = || {
        Error::usage(format!("{shown} holds no key: 64 hex digits are one"))
            .hint("openssl rand -hex 32 makes one")
    };
    if digits.len() != 64 {
        return Err(bad());
    }
    for (byte, pair) in seed.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(SigningKey::from_seed(&seed))
}
