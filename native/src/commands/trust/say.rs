//! Saying something of another agent.

use serde_json::json;
use tau_kamn::attest::Kind;
use tau_platform::trade::{File, Statement};

use super::trade::{Market, agent, failed, number};
use crate::{
    config,
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};

/// How a task or a dispute went.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Outcome {
    /// It was done. The payer says so.
    Completed,
    /// It was not done. The payer says so.
    Failed,
    /// The payee handed it on.
    Delegated,
    /// You dispute it; needs --note.
    Disputed,
    /// The dispute went against the agent. The arbiter says so, or a party what the ledger shows.
    Lost,
    /// The dispute went for the agent. Likewise.
    Won,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["task", "endorse", "capability"]))]
pub(super) struct Attest {
    /// Of whom.
    did: String,
    /// The escrow of the task it is about; a beginning of its name will do.
    #[arg(long, value_name = "ESCROW", requires = "outcome")]
    task: Option<String>,
    /// How that went.
    #[arg(long, value_enum, requires = "task")]
    outcome: Option<Outcome>,
    /// How long the first answer took, such as 900ms or 2s; with completed and failed.
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration_ms)]
    response: Option<u64>,
    /// Why; with disputed.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// A good word; it weighs what your own work weighs.
    #[arg(long, value_name = "TEXT")]
    endorse: Option<String>,
    /// That the agent can do this; needs --proof.
    #[arg(long, value_name = "NAME", requires = "proof")]
    capability: Option<String>,
    /// Where the proof of that is.
    #[arg(long, value_name = "REF")]
    proof: Option<String>,
    /// Print one JSON object: `{"id", "attestation"}`.
    #[arg(long)]
    json: bool,
}

impl Attest {
    pub(super) async fn run(self, home: &Home, ui: Ui) -> Result<Exit, Error> {
        let mut market = Market::open(home, ui).await?;
        let subject = agent(&self.did)?;
        let (reference, kind) = self.said(&market)?;
        let statement = Statement {
            kind,
            subject,
            reference,
        };
        let nonce = number()?;
        let signed = market
            .act(async |trade, desk| trade.attest(statement, nonce, desk).await)
            .await?;
        let id = signed.id().map_err(|error| failed(error.into()))?;
        let file = File::Attestation(signed).to_value().map_err(failed)?;
        let text = file.to_canonical();
        if self.json {
            let attestation: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| Error::internal(error.to_string()))?;
            ui.json(&json!({ "id": id, "attestation": attestation }));
        } else {
            ui.line(text);
            ui.note(format!(
                "admitted here as {id}; others take it with `tau trust import`"
            ));
        }
        Ok(Exit::Ok)
    }

    /// What is said, and about what.
    fn said(&self, market: &Market<'_>) -> Result<(String, Kind), Error> {
        if let Some(note) = &self.endorse {
            return Ok((
                format!("endorsement:{}", number()?),
                Kind::Endorsement { note: note.clone() },
            ));
        }
        if let (Some(capability), Some(proof_ref)) = (&self.capability, &self.proof) {
            let kind = Kind::Capability {
                capability: capability.clone(),
                proof_ref: proof_ref.clone(),
            };
            return Ok((format!("capability:{capability}"), kind));
        }
        let (Some(task), Some(outcome)) = (&self.task, self.outcome) else {
            return Err(Error::usage("nothing is said"));
        };
        let (_, escrow) = market.escrow(task)?;
        let response = || {
            self.response.ok_or_else(|| {
                Error::usage("how long did the first answer take?").hint("--response 2s")
            })
        };
        let kind = match outcome {
            Outcome::Completed => Kind::TaskCompleted {
                response_ms: response()?,
            },
            Outcome::Failed => Kind::TaskFailed {
                response_ms: response()?,
            },
            Outcome::Delegated => Kind::TaskDelegated,
            Outcome::Disputed => Kind::DisputeOpened {
                reason: self
                    .note
                    .clone()
                    .ok_or_else(|| Error::usage("a dispute needs a reason").hint("--note TEXT"))?,
            },
            Outcome::Lost => Kind::DisputeResolved { is_upheld: true },
            Outcome::Won => Kind::DisputeResolved { is_upheld: false },
        };
        Ok((escrow.id().into(), kind))
    }
}
