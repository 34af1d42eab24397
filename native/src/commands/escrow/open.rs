//! Amounts into a ledger, out of it, and into an escrow.

use serde_json::json;
use tau_kamn::{
    escrow::{Amount, Finality, Receipt, Terms},
    ledger::{Entry, Outcome},
    trust::Gates,
};
use tau_platform::trade::{MAIN, NANO_USD, TOKENS};

use super::{
    told,
    trade::{Market, agent, amount, failed, nonce, now},
};
use crate::{
    config,
    exit::{Error, Exit},
};

/// What is moved.
#[derive(Debug, clap::Args)]
struct Moved {
    /// How much, in whole units.
    #[arg(value_parser = amount)]
    amount: Amount,
    /// Of what: upper-case letters and digits [default: as for `open`].
    #[arg(long, value_name = "SYMBOL")]
    asset: Option<String>,
    /// The name of the movement outside: with one, the amount is more than an entry here.
    #[arg(long, value_name = "ID")]
    receipt: Option<String>,
    /// The ledger.
    #[arg(long, value_name = "NAME", default_value = MAIN)]
    ledger: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Deposit {
    #[command(flatten)]
    moved: Moved,
}

impl Deposit {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        self.moved.record(market, true).await
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Withdraw {
    #[command(flatten)]
    moved: Moved,
}

impl Withdraw {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        self.moved.record(market, false).await
    }
}

impl Moved {
    async fn record(self, market: &mut Market<'_>, is_in: bool) -> Result<Exit, Error> {
        let account = market.own()?;
        let asset = asset(self.asset, market)?;
        let receipt = self.receipt.map(|id| Receipt {
            id,
            finality: Finality::Final,
        });
        let (did, amount) = (account.as_did().clone(), self.amount);
        let entry = match is_in {
            true => Entry::Deposit {
                account: did,
                asset: asset.clone(),
                amount,
                receipt,
            },
            false => Entry::Withdraw {
                account: did,
                asset: asset.clone(),
                amount,
                receipt,
            },
        };
        let name = self.ledger;
        let outcome = market
            .act(async |trade, desk| trade.record(&name, entry, desk).await)
            .await?;
        let Outcome::Recorded(event) = outcome else {
            return Err(Error::internal("a final receipt was not final"));
        };
        let ledger = market.trade.ledger(&name).map_err(failed)?.ledger();
        let available = ledger.available(account.as_did(), &asset);
        let backing = ledger.backing(&asset).label();
        if self.json {
            market.ui.json(&json!({
                "ledger": name,
                "event": event.seq,
                "asset": asset,
                "amount": amount.to_string(),
                "available": available.to_string(),
                "backing": backing,
            }));
        } else {
            market
                .ui
                .line(format!("{available} {asset} available, {backing}"));
        }
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// Whom it is for.
    #[arg(long, value_name = "DID")]
    to: String,
    /// How much is reserved, in whole units.
    #[arg(long, value_name = "N", value_parser = amount)]
    amount: Amount,
    /// Of what [default: NANOUSD where the profile has prices, otherwise TOKENS].
    #[arg(long, value_name = "SYMBOL")]
    asset: Option<String>,
    /// After how long you can have back what remains: 90s, 10m, 2h.
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration_ms)]
    deadline: u64,
    /// Who decides a dispute [default: both parties together].
    #[arg(long, value_name = "DID")]
    arbiter: Option<String>,
    /// What the task is called.
    #[arg(long, value_name = "NAME", default_value = "task")]
    task: String,
    /// The least score of the payee; 0 asks for none.
    #[arg(long, value_name = "N", default_value_t = Gates::default().escrow)]
    min_score: u16,
    /// The least score of the arbiter; 0 asks for none.
    #[arg(long, value_name = "N", default_value_t = Gates::default().arbiter)]
    min_arbiter_score: u16,
    /// The ledger.
    #[arg(long, value_name = "NAME", default_value = MAIN)]
    ledger: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Open {
    pub(super) async fn run(self, market: &mut Market<'_>) -> Result<Exit, Error> {
        let now = now();
        let arbiter = self.arbiter.as_deref().map(agent).transpose()?;
        let terms = Terms {
            asset: asset(self.asset, market)?,
            amount: self.amount,
            payer: market.own()?.as_did().clone(),
            payee: agent(&self.to)?.as_did().clone(),
            arbiter: arbiter.map(|did| did.as_did().clone()),
            task_id: self.task,
            created_ms: now.0,
            timeout_ms: now.plus(self.deadline).0,
            nonce: nonce()?,
        };
        let id = terms.id().map_err(|error| failed(error.into()))?;
        let gates = Gates {
            escrow: self.min_score,
            arbiter: self.min_arbiter_score,
            ..Gates::default()
        };
        let ledger = self.ledger;
        let done = market
            .act(async |trade, desk| trade.reserve(&ledger, terms, &gates, desk).await)
            .await?;
        if self.json {
            told(&done, &id, true, market)?;
        } else {
            market.ui.line(&id);
        }
        Ok(Exit::Ok)
    }
}

/// What is counted in where nothing else is said.
fn asset(given: Option<String>, market: &Market<'_>) -> Result<String, Error> {
    if let Some(asset) = given {
        return Ok(asset);
    }
    let profile = config::load(&market.home.config_file())?;
    let has_prices = profile
        .provider
        .is_some_and(|provider| provider.pricing.is_some());
    Ok(if has_prices { NANO_USD } else { TOKENS }.into())
}
