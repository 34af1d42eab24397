//! Whom this page's agent trusts and why, what it holds for others in escrow, and what moved.
//!
//! Everything is decided in [`tau_platform::trade`]; here are the calls, and what they give as JSON. What
//! agents hand each other is text, the same that the other homes write into files.
//!
//! Invariant: all of it is read from the store and checked again for each call, so that tabs see one
//! ledger and no row is believed because it was believed before.

mod escrow;
mod ledgers;
mod trust;

pub(crate) use escrow::answer as answer_escrow;
pub(crate) use trust::answer as answer_trust;

use serde_json::{Value, json};
use tau_core::json::FromJson;
use tau_kamn::{AgentDid, escrow::Amount};
use tau_platform::trade::{Desk, File, Trade, TradeError, Uncounted};
use tau_target_indexeddb::IdbStorage;

use crate::{
    State,
    error::Refused,
    identity,
    keys::{PageSigner, of_signer, refuse},
};

/// What somebody handed over.
#[derive(FromJson)]
struct Handed {
    text: String,
}

/// What is known of trade, as it is stored.
async fn open(state: &State) -> Result<Trade, Refused> {
    // Whose ledgers are its own is read from the store.
    identity::settle(state).await?;
    Trade::open(state.storage()).await.map_err(failed)
}

/// Who writes, where, and when.
fn desk(state: &State) -> Result<Desk<'_, IdbStorage, PageSigner>, Refused> {
    Ok(Desk {
        storage: state.storage(),
        signer: identity::signer(state)?,
        now: state.now(),
    })
}

fn read_file(text: &str) -> Result<File, Refused> {
    File::read(text.as_bytes()).map_err(failed)
}

fn text_of(file: &File) -> Result<Value, Refused> {
    Ok(file.to_value().map_err(failed)?.to_canonical().into())
}

fn agent(did: &str) -> Result<AgentDid, Refused> {
    AgentDid::parse_any(did.trim()).map_err(refuse)
}

/// Reads an amount: whole units, as a number or in digits.
fn amount(value: &Value) -> Result<Amount, Refused> {
    let text = match value.as_str() {
        Some(text) => text.into(),
        None => value.to_string(),
    };
    text.parse()
        .map_err(|error: tau_kamn::escrow::EscrowError| {
            Refused::new(error.reason_code(), error.to_string())
        })
}

/// Bytes nobody can guess.
fn random<const N: usize>(state: &State) -> Result<[u8; N], Refused> {
    let mut bytes = [0; N];
    state.fill(&mut bytes)?;
    Ok(bytes)
}

fn of_refused(uncounted: &[Uncounted]) -> Vec<Value> {
    let all = uncounted.iter();
    all.map(|one| json!({ "id": one.id, "reason_code": one.reason_code, "why": one.why }))
        .collect()
}

/// Why something of trade was not done, as a page is told.
fn failed(error: TradeError) -> Refused {
    let told = Refused::new(error.reason_code(), error.to_string());
    match error {
        TradeError::Store(error) => error.into(),
        TradeError::Signer(error) => of_signer(error),
        TradeError::Gate { .. } => {
            told.hint("trust.show says why; min_score says how much is enough")
        }
        TradeError::NotKeeper { .. } => {
            told.hint("name a ledger of your own; a command for his is handed to him")
        }
        TradeError::NoLedger { .. } | TradeError::NoEscrow { .. } => {
            told.hint("escrow.ledgers and escrow.list name them; escrow.import takes one in")
        }
        TradeError::NoPrice { .. } => told.hint("give what it cost, or count in TOKENS"),
        TradeError::Damaged { .. } | TradeError::Forked { .. } => {
            told.hint("nothing more is written to it: escrow.ledgers tells more")
        }
        _ => told,
    }
}
