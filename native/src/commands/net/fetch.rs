//! `tau net fetch`: the HTTP tool itself, by a person's own hand.

use serde_json::{Map, Value, json};
use std::{io::Read, sync::Arc};
use tau_core::{
    message::ToolStatus,
    safety::{Gate, Source, Untrusted},
    tool::http::{Failure, NAME, Response},
};
use tau_platform::HttpTool;
use tau_target_native::{
    TokioClock,
    egress::{Egress, SystemResolver},
};

use super::Reach;
use crate::{
    credentials::{Keys, Vault},
    exit::{Error, Exit},
    home::Home,
    printer::screened_line,
    signals::Signals,
    ui::{self, Ui},
};

/// Fetch an address as the agent's tool `http` does: the same addresses refused, the same limits.
///
/// Ends with 0 only when an answer was read within the policy, whatever its status; with 77 when
/// policy said no, and with 1 when there was no answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The address.
    url: String,
    /// GET, HEAD, POST, PUT, PATCH or DELETE.
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,
    /// A header, `name: value`; may be repeated. {{secret:NAME}} stands for a stored credential.
    #[arg(short = 'H', long, value_name = "HEADER")]
    header: Vec<String>,
    /// The body as text; `-` reads it from stdin.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "data_json")]
    data: Option<String>,
    /// The body as JSON.
    #[arg(long, value_name = "JSON")]
    data_json: Option<String>,
    /// Wall time with all redirects; never more than the policy's.
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// Bytes of the answer; never more than the policy's.
    #[arg(long, value_name = "N")]
    max_bytes: Option<u64>,
    /// Print one JSON object: `{status, url, hops, body, truncated, …}`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let arguments = arguments(&args)?;
    let policy = args.reach.policy(home)?;
    let vault = Vault::open(home, ui)?;
    let egress = Egress::new(SystemResolver, Arc::new(Keys(Arc::clone(&vault))));
    let tool = HttpTool::new(egress, TokioClock, Vec::new());
    let mut signals = Signals::listen()?;
    let fetched = tokio::select! {
        fetched = tool.fetch(&arguments, policy.http.limits(policy.preset)) => fetched,
        _ = signals.next() => return Err(Error::new(Exit::Interrupted, "interrupted")),
    };
    let gate = Gate::new(&policy);
    match fetched {
        Ok(response) => show(&response, &gate, &vault, args.json, ui),
        Err(failure) => Ok(told(&failure, &vault, args.json, ui)),
    }
}

/// The arguments of the tool.
fn arguments(args: &Args) -> Result<Value, Error> {
    let mut arguments = Map::new();
    arguments.insert("url".into(), args.url.as_str().into());
    let mut headers = Map::new();
    for header in &args.header {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Error::usage(format!("{header:?} is not a header")).hint("write it as 'name: value'")
        })?;
        if headers
            .insert(name.trim().into(), value.trim().into())
            .is_some()
        {
            return Err(Error::usage(format!(
                "the header {} is there twice",
                name.trim()
            )));
        }
    }
    arguments.insert("headers".into(), headers.into());
    if let Some(method) = &args.method {
        arguments.insert("method".into(), method.as_str().into());
    }
    if let Some(text) = &args.data {
        let mut piped = String::new();
        let text = if text == "-" {
            let read = std::io::stdin().lock().read_to_string(&mut piped);
            read.map_err(|error| Error::usage("stdin cannot be read as text").cause(error))?;
            &piped
        } else {
            text
        };
        arguments.insert("body".into(), text.as_str().into());
    }
    if let Some(text) = &args.data_json {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::usage("--data-json is not JSON").cause(error))?;
        arguments.insert("json".into(), value);
    }
    for (name, limit) in [
        ("timeout_ms", args.timeout_ms),
        ("max_bytes", args.max_bytes),
    ] {
        if let Some(limit) = limit {
            arguments.insert(name.into(), limit.into());
        }
    }
    Ok(arguments.into())
}

fn show(
    response: &Response,
    gate: &Gate,
    vault: &Vault,
    as_json: bool,
    ui: Ui,
) -> Result<Exit, Error> {
    let mut object = response.to_json();
    if let Some(body) = object["body"].as_str() {
        let mut body = body.to_owned();
        vault.redact(&mut body);
        let source = Source::Tool { name: NAME.into() };
        let (body, findings) = gate.vet(Untrusted::new(body, source.clone()));
        if !findings.is_empty() {
            ui.warn(screened_line(&source, &findings));
        }
        object["body"] = body.into_inner().into();
    }
    if as_json {
        ui.json(&object);
        return Ok(Exit::Ok);
    }
    ui.note(format!(
        "{} {} ({} bytes{})",
        response.status,
        response.url,
        response.bytes,
        if response.truncated { ", cut" } else { "" }
    ));
    match (object["body"].as_str(), object["sha256"].as_str()) {
        (Some(body), _) => {
            ui.out(&ui::plain(body));
            if !body.ends_with('\n') {
                ui.out("\n");
            }
        }
        (None, Some(hash)) => ui.line(format!("not text: sha-256 {hash}")),
        (None, None) => {}
    }
    Ok(Exit::Ok)
}

fn told(failure: &Failure, vault: &Vault, as_json: bool, ui: Ui) -> Exit {
    let exit = match failure.to_output().status {
        ToolStatus::Denied => Exit::Denied,
        _ => Exit::Internal,
    };
    let mut reason = failure.reason();
    vault.redact(&mut reason);
    let mut object = failure.to_json();
    let error = Error {
        exit,
        message: reason.clone(),
        cause: object["rule"].as_str().map(|rule| format!("rule: {rule}")),
        hint: object["hint"].as_str().map(str::to_owned),
    };
    if as_json {
        object["reason"] = reason.into();
        ui.json(&json!({
            "status": null, "url": object["url"], "hops": [], "body": null, "truncated": false,
            "failure": object, "error": error.to_json(),
        }));
    }
    ui.error(&error);
    exit
}
