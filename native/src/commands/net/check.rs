//! `tau net check`: the egress decision alone. Nothing is sent.

use serde::Deserialize;
use serde_json::{Value, json};
use std::{io::BufRead, net::IpAddr};
use tau_core::{
    egress::{self, Cleared, Host, Rules},
    policy::Refusal,
};
use tau_target_native::egress::{Resolve, SystemResolver};

use super::Reach;
use crate::{
    exit::{Error, Exit},
    home::Home,
    ui::{self, Ui},
};

/// Say of each address whether a tool may reach it. Nothing is sent.
///
/// Ends with 77 when one of the addresses named is refused; with `--jsonl` and addresses on stdin,
/// with 0, because the answers are the data.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The addresses.
    #[arg(value_name = "URL", required_unless_present = "jsonl")]
    urls: Vec<String>,
    /// One JSON object an address: `{id, allowed, reason}`. Without addresses, `{id, url}` a line
    /// are read from stdin; a `resolve` beside them is taken for what the name leads to.
    #[arg(long)]
    jsonl: bool,
    /// Look names up, and decide about what they lead to as well.
    #[arg(long)]
    resolve: bool,
    #[command(flatten)]
    reach: Reach,
}

/// One line of stdin.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    id: Value,
    url: String,
    /// What the name leads to, instead of looking it up.
    resolve: Option<Vec<IpAddr>>,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let rules = args.reach.rules(home)?;
    if args.urls.is_empty() {
        return from_stdin(&rules, args.resolve, ui).await;
    }
    let mut exit = Exit::Ok;
    for url in args.urls {
        let asked = Asked {
            id: url.clone().into(),
            url,
            resolve: None,
        };
        let decided = decide(&asked, &rules, args.resolve).await;
        if decided.is_err() {
            exit = Exit::Denied;
        }
        if args.jsonl {
            ui.json(&answer(&asked.id, &decided));
            continue;
        }
        match &decided {
            Ok(cleared) => ui.line(format!("allowed  {}", cleared.target().href())),
            Err(refusal) => {
                ui.line(format!("refused  {}", ui::one_line(&asked.url, 200)));
                ui.line(format!("         {}", ui::one_line(&refusal.reason, 400)));
                if let Some(hint) = &refusal.hint {
                    ui.line(format!("         {}", ui::dim(hint)));
                }
            }
        }
    }
    Ok(exit)
}

async fn from_stdin(rules: &Rules, resolves: bool, ui: Ui) -> Result<Exit, Error> {
    let mut bad = None;
    for (at, line) in std::io::stdin().lock().lines().enumerate() {
        let line =
            line.map_err(|error| Error::usage("stdin cannot be read as text").cause(error))?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Asked>(&line) {
            Ok(asked) => ui.json(&answer(&asked.id, &decide(&asked, rules, resolves).await)),
            Err(error) => {
                // Each line has its answer, so that what reads them stays in step.
                let reason = format!("line {} is not {{id, url}}: {error}", at + 1);
                ui.json(&json!({ "id": null, "allowed": false, "reason": reason }));
                bad.get_or_insert(reason);
            }
        }
    }
    match bad {
        Some(reason) => Err(Error::usage(reason)),
        None => Ok(Exit::Ok),
    }
}

fn answer(id: &Value, decided: &Result<Cleared, Refusal>) -> Value {
    match decided {
        Ok(cleared) => json!({
            "id": id, "allowed": true, "reason": null, "url": cleared.target().href(),
        }),
        Err(refusal) => json!({
            "id": id, "allowed": false, "reason": refusal.reason, "rule": refusal.rule,
            "hint": refusal.hint,
        }),
    }
}

async fn decide(asked: &Asked, rules: &Rules, resolves: bool) -> Result<Cleared, Refusal> {
    let cleared = egress::decide(&egress::parse(&asked.url)?, rules)?;
    let answers = match (cleared.target().origin().host(), &asked.resolve) {
        (Host::Name(_), Some(answers)) => answers.clone(),
        (Host::Name(name), None) if resolves => {
            SystemResolver
                .resolve(name)
                .await
                .map_err(|error| Refusal {
                    rule: "egress: host".into(),
                    reason: format!("{name} cannot be looked up: {error}"),
                    hint: Some("look at how it is spelt".into()),
                })?
        }
        _ => return Ok(cleared),
    };
    cleared.clone().pin(answers)?;
    Ok(cleared)
}
