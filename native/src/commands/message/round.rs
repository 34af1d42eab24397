//! What is written to the members of a channel, on its way to each of them.

use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};
use tau_kamn::AgentDid;
use tau_platform::{
    Signer,
    messages::{Packet, Posted, Round, Sent, Status},
};
use tau_target_native::TokioClock;

use super::{of_sent, status};
use crate::{
    commands::net::Reach,
    exit::{Error, Exit},
    home::Home,
    messages::{self, Desk, of_message},
    ui::{self, Ui},
};

/// How it gets to the members.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Carry {
    /// Write a packet for each member into this folder instead of sending it.
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON object: `{channel, members: [{to, status, why, file, …}], skipped}`.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

impl Carry {
    /// Sends a round that is stored, or writes it to files, and tells how it went with each member.
    pub(super) async fn carry(
        &self,
        round: Round,
        desk: &Desk,
        home: &Home,
        ui: Ui,
    ) -> Result<Exit, Error> {
        let posted = match &self.out {
            Some(folder) => write(round.sent.clone(), folder, desk).await?,
            None => {
                let policy = self.reach.clone().policy(home)?;
                let post = messages::post(home, &policy, ui)?;
                let office = desk.office();
                let posted = office.post_all(&round, &desk.watch, &desk.gate, &post, &TokioClock);
                let posted = posted.await.map_err(of_message)?.into_iter();
                posted.map(|posted| (posted, None)).collect()
            }
        };
        Ok(told(&round, &posted, self.json, ui))
    }
}

type Went = (Posted, Option<PathBuf>);

/// Writes a packet for each, in files that were not there before.
async fn write(sent: Vec<Sent>, folder: &Path, desk: &Desk) -> Result<Vec<Went>, Error> {
    let failed = |path: &Path, error| {
        Error::usage(format!("{} cannot be written", path.display())).cause(error)
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut all = Vec::new();
    for sent in sent {
        // As it is written, a DID has nothing but letters, digits, `-`, `_` and `:`.
        let id = sent.to.rsplit(':').next().unwrap_or_default();
        let path = folder.join(format!("{id}-{:06}.json", sent.number));
        let packet = Packet::of(sent.envelope().to_owned(), desk.signer.log());
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = file.map_err(|error| failed(&path, error))?;
        file.write_all(&packet.to_bytes())
            .map_err(|error| failed(&path, error))?;
        let sent = desk.office().hand_over(sent).await.map_err(of_message)?;
        let posted = Posted {
            sent,
            reason_code: None,
        };
        all.push((posted, Some(path)));
    }
    Ok(all)
}

/// Shows how it went. Nobody having taken it, or going to, is a denial.
fn told(round: &Round, went: &[Went], json: bool, ui: Ui) -> Exit {
    if json {
        let members: Vec<Value> = went.iter().map(of_went).collect();
        let skipped = round.skipped.iter().map(|(did, error)| {
            json!({
                "did": did.to_string(), "reason_code": error.reason_code(),
                "why": error.to_string(),
            })
        });
        ui.json(&json!({
            "channel": round.channel.as_str(),
            "members": members,
            "skipped": skipped.collect::<Vec<_>>(),
        }));
    } else {
        ui.line(round.channel.as_str());
        for (posted, file) in went {
            let file = file.as_ref().map(|file| format!("  {}", file.display()));
            let (status, to) = (status(posted.sent.status), &posted.sent.to);
            ui.line(format!("{status:8}  {to}{}", file.unwrap_or_default()));
        }
    }
    let label = |did: &str| {
        let did = did.parse::<AgentDid>();
        did.map_or_else(|_| "a member".into(), |did| did.label().to_owned())
    };
    for (posted, _) in went {
        let (sent, whose) = (&posted.sent, label(&posted.sent.to));
        let why = sent.why.as_deref().map(ui::plain).unwrap_or_default();
        match sent.status {
            Status::Waiting if !why.is_empty() => ui.warn(format!(
                "{whose} did not get it: {why}; it waits, and `tau message flush` sends it again"
            )),
            Status::Refused | Status::Expired => {
                ui.warn(format!("{whose} did not take it: {why}"));
            }
            _ => {}
        }
    }
    let is_unknown = |(posted, _): &Went| {
        let code = posted.reason_code.as_deref();
        code == Some("address_unknown")
    };
    if went.iter().any(is_unknown) {
        ui.note(
            "`tau message send DID TEXT --to-url URL` says where a member takes messages; --out FOLDER \
             needs no address",
        );
    }
    for (did, error) in &round.skipped {
        ui.warn(format!("nothing was written to {}: {error}", did.label()));
    }
    let is_lost =
        |(posted, _): &Went| matches!(posted.sent.status, Status::Refused | Status::Expired);
    match !went.is_empty() && went.iter().all(is_lost) {
        true => Exit::Denied,
        false => Exit::Ok,
    }
}

fn of_went((posted, file): &Went) -> Value {
    let mut value = of_sent(&posted.sent);
    value["reason_code"] = json!(posted.reason_code);
    value["file"] = json!(file);
    value
}
