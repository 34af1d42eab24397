//! Escrows: what is reserved for a task, and how that ends.
//!
//! ```text
//!   reserve ── done ──> settle: release the cost, the rest goes back
//!           ── failed ─> settle: all of it goes back
//!           ── deadline > settle: the payer takes back what is left
//!           ── dispute ─> resolve, by the arbiter or by both
//! ```
//!
//! What is still to be done follows from the ledger as it stands, so a settlement that was cut off goes on
//! where it ended and nothing is paid twice.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::model::{Pricing, Usage};
use tau_kamn::{
    AgentDid, KamnDid,
    escrow::{Action, Amount, Command, Escrow, EscrowError, SignedCommand, State, Terms},
    ledger::{Backing, Entry, Event, Ledger, LedgerError, Outcome, Place},
    settlement::{Bridge, Ended, Party, Settlement},
    time::Timestamp,
    trust::Gates,
};

use super::{Desk, Trade, TradeError};
use crate::{Signer, Storage};

/// The asset of what models cost: 10⁻⁹ US dollars.
pub const NANO_USD: &str = "NANOUSD";
/// The asset of what models read and wrote, where no price is known.
pub const TOKENS: &str = "TOKENS";

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is in the ledger.
    Recorded(Event),
    /// It was there before; nothing moved again.
    Repeated,
    /// It is signed, for the keeper of the ledger to record.
    ForKeeper {
        /// Who keeps the ledger.
        keeper: AgentDid,
        /// The command.
        command: SignedCommand,
    },
    /// It is signed, and needs the other party's signature before it counts.
    ForOther {
        /// Whose signature it needs.
        other: KamnDid,
        /// The command.
        command: SignedCommand,
    },
}

/// How far a settlement came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What the payee got, and what went back, once all of it is done.
    pub settlement: Settlement,
    /// What was done now.
    pub done: Vec<Done>,
    /// Who has to do the rest; `None` where all of it is done.
    pub waits_for: Option<KamnDid>,
}

/// What an asset comes to in a ledger. [`Sums::difference`] is nothing in every ledger that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The asset.
    pub asset: String,
    /// At the disposal of accounts.
    pub available: Amount,
    /// In escrows.
    pub held: Amount,
    /// What came in, of all time.
    pub came_in: Amount,
    /// What went out, of all time.
    pub went_out: Amount,
    /// What stands behind it.
    pub backing: Backing,
}

impl Sums {
    /// The sums of each asset of a ledger.
    pub fn of(ledger: &Ledger) -> Result<Vec<Self>, TradeError> {
        let turnover = ledger.turnover();
        turnover
            .map(|(asset, came_in, went_out)| {
                let mut sums = Self {
                    asset: asset.into(),
                    available: Amount::ZERO,
                    held: Amount::ZERO,
                    came_in,
                    went_out,
                    backing: ledger.backing(asset),
                };
                for (place, _, amount) in ledger.amounts().filter(|(_, of, _)| *of == asset) {
                    match place {
                        Place::Available(_) => sums.available = sums.available.plus(amount)?,
                        Place::Held(_) => sums.held = sums.held.plus(amount)?,
                        Place::Outside => {}
                    }
                }
                Ok(sums)
            })
            .collect()
    }

    /// What is here less what came in and did not go out: nothing, or the ledger is wrong. Both sides
    /// are given where they differ.
    #[must_use]
    pub fn difference(&self) -> Option<(Amount, Amount)> {
        let here = self.available.plus(self.held);
        let net = self.came_in.minus(self.went_out);
        match (here, net) {
            (Ok(here), Ok(net)) if here == net => None,
            (here, net) => Some((here.unwrap_or_default(), net.unwrap_or_default())),
        }
    }
}

/// What a turn's model calls cost in an asset.
pub fn cost_of(usage: &Usage, asset: &str) -> Result<Amount, TradeError> {
    let unknown = |why| {
        Err(TradeError::NoPrice {
            asset: asset.into(),
            why,
        })
    };
    match asset {
        TOKENS => Ok(Amount::new(usage.total_tokens().into())),
        NANO_USD if usage.cost_nano_usd == 0 && usage.total_tokens() > 0 => {
            unknown("the profile has no price for the model")
        }
        NANO_USD => Ok(Amount::new(usage.cost_nano_usd.into())),
        _ => unknown("models are counted in NANOUSD and TOKENS alone"),
    }
}

/// The asset in which what a model costs can be counted.
#[must_use]
pub fn asset_of(pricing: &Pricing) -> &'static str {
    match *pricing == Pricing::default() {
        true => TOKENS,
        false => NANO_USD,
    }
}

impl Trade {
    /// Reserves the amount of `terms` in a ledger of this agent's own: the escrow is opened and funded.
    ///
    /// The payee, and the arbiter if one is named, must reach the gates. The same terms again go on
    /// where a first attempt ended.
    pub async fn reserve<S: Storage, G: Signer>(
        &mut self,
        ledger: &str,
        terms: Terms,
        gates: &Gates,
        desk: &Desk<'_, S, G>,
    ) -> Result<Done, TradeError> {
        let own = self.writes(desk);
        let refused = |why| Err(EscrowError::Terms { why }.into());
        if terms.payer != *own.as_did() {
            return refused("who reserves is the payer");
        }
        if terms.timeout_ms <= desk.now.0 {
            return refused("the deadline has passed");
        }
        self.pass("be paid out of an escrow", &terms.payee, gates.escrow, desk)?;
        if let Some(arbiter) = &terms.arbiter {
            self.pass("decide disputes", arbiter, gates.arbiter, desk)?;
        }
        let id = terms.id()?;
        let now = self.ledgers.get(ledger).map(|kept| &kept.ledger);
        let (has, available) = now.map_or((false, Amount::ZERO), |now| {
            let available = now.available(&terms.payer, &terms.asset);
            (now.escrow(&id).is_some(), available)
        });
        if !has {
            // Said before anything is opened: an escrow that cannot be funded is of no use.
            if available < terms.amount {
                return Err(LedgerError::Insufficient {
                    asset: terms.asset,
                    available,
                    amount: terms.amount,
                }
                .into());
            }
            self.record(ledger, Entry::Open(terms), desk).await?;
        }
        let escrow = self.ledger(ledger)?.ledger.escrow(&id);
        if escrow.is_some_and(|escrow| escrow.machine().is_some()) {
            return Ok(Done::Repeated);
        }
        self.command_in(ledger, &id, Action::Fund, desk).await
    }

    /// Asks something of an escrow. In a ledger of this agent's own it is recorded; for another's it is
    /// checked against the copy here, and signed.
    pub async fn command<S: Storage, G: Signer>(
        &mut self,
        escrow_id: &str,
        action: Action,
        desk: &Desk<'_, S, G>,
    ) -> Result<Done, TradeError> {
        self.writes(desk);
        let name = self.ledger_of(escrow_id)?.name.clone();
        self.command_in(&name, escrow_id, action, desk).await
    }

    async fn command_in<S: Storage, G: Signer>(
        &mut self,
        ledger: &str,
        escrow_id: &str,
        action: Action,
        desk: &Desk<'_, S, G>,
    ) -> Result<Done, TradeError> {
        let own = self.writes(desk);
        let kept = self.ledger(ledger)?;
        kept.check()?;
        let escrow = kept.ledger.escrow(escrow_id);
        let escrow = escrow.ok_or_else(|| TradeError::NoEscrow {
            id: escrow_id.into(),
        })?;
        let command = Command {
            escrow_id: escrow_id.into(),
            seq: escrow.next_seq(),
            action,
            actor: own.as_did().clone(),
            created: Timestamp::from_unix_ms(desk.now.0)?,
        };
        let (signature, key) = desk.sign(&command.to_sign()?).await?;
        let command = command.signed(signature, &key)?;
        if let Some(other) = needs(escrow, &command) {
            return Ok(Done::ForOther { other, command });
        }
        self.give(ledger, command, desk).await
    }

    /// Adds this agent's agreement to a decision that the other party signed, and records it where the
    /// ledger is its own.
    pub async fn agree<S: Storage, G: Signer>(
        &mut self,
        command: SignedCommand,
        desk: &Desk<'_, S, G>,
    ) -> Result<Done, TradeError> {
        let own = self.writes(desk);
        let refused = |why| Err(EscrowError::Command { why }.into());
        let kept = self.ledger_of(&command.command.escrow_id)?;
        let name = kept.name.clone();
        let escrow = kept.ledger.escrow(&command.command.escrow_id);
        match escrow.and_then(|escrow| needs(escrow, &command)) {
            Some(other) if other == *own.as_did() => {}
            Some(_) => return refused("it is for the other party to agree to"),
            None => return refused("it needs nobody's agreement"),
        }
        let (signature, key) = desk.sign(&command.command.to_sign()?).await?;
        let agreed = command.cosigned(own.as_did().clone(), signature, &key)?;
        self.give(&name, agreed, desk).await
    }

    /// Records a command that a party of an escrow signed, in a ledger of this agent's own.
    pub async fn take<S: Storage, G: Signer>(
        &mut self,
        command: SignedCommand,
        desk: &Desk<'_, S, G>,
    ) -> Result<Done, TradeError> {
        let own = self.writes(desk);
        let kept = self.ledger_of(&command.command.escrow_id)?;
        if kept.keeper != own {
            return Err(TradeError::NotKeeper {
                name: kept.name.clone(),
                keeper: kept.keeper.to_string(),
            });
        }
        let name = kept.name.clone();
        self.give(&name, command, desk).await
    }

    /// Does what this agent has to do so that an escrow ends as its task did.
    pub async fn settle<S: Storage, G: Signer>(
        &mut self,
        escrow_id: &str,
        ended: Ended,
        desk: &Desk<'_, S, G>,
    ) -> Result<Settled, TradeError> {
        let own = self.writes(desk);
        let name = self.ledger_of(escrow_id)?.name.clone();
        let mut done = Vec::new();
        loop {
            let kept = self.ledger(&name)?;
            kept.check()?;
            let missing = || TradeError::NoEscrow {
                id: escrow_id.into(),
            };
            let escrow = kept.ledger.escrow(escrow_id).ok_or_else(missing)?;
            let terms = escrow.terms();
            let settlement = Bridge::settle_ended(escrow, ended)?;
            let Some((mut party, mut action)) = settlement.commands.first().cloned() else {
                return Ok(Settled {
                    waits_for: waits_for(escrow),
                    settlement,
                    done,
                });
            };
            // Once the deadline has come, the payer needs nobody to have back what is left.
            let is_late = desk.now.0 >= terms.timeout_ms && *own.as_did() == terms.payer;
            if action == Action::RefundByPayee && is_late {
                (party, action) = (Party::Payer, Action::TimeoutRefund);
            }
            let by = match party {
                Party::Payer => terms.payer.clone(),
                Party::Payee => terms.payee.clone(),
            };
            if by != *own.as_did() {
                let waits_for = Some(by);
                return Ok(Settled {
                    settlement,
                    done,
                    waits_for,
                });
            }
            let one = self.command_in(&name, escrow_id, action, desk).await?;
            let waits_for = match &one {
                // The copy here does not know of it before its keeper recorded it.
                Done::ForKeeper { keeper, .. } => Some(keeper.as_did().clone()),
                Done::ForOther { other, .. } => Some(other.clone()),
                Done::Recorded(_) | Done::Repeated => None,
            };
            done.push(one);
            if waits_for.is_some() {
                return Ok(Settled {
                    settlement,
                    done,
                    waits_for,
                });
            }
        }
    }

    /// Records a command where the ledger is this agent's own, and checks it where it is another's.
    async fn give<S: Storage, G: Signer>(
        &mut self,
        ledger: &str,
        command: SignedCommand,
        desk: &Desk<'_, S, G>,
    ) -> Result<Done, TradeError> {
        let own = self.writes(desk);
        let kept = self.ledger(ledger)?;
        kept.check()?;
        if kept.keeper != own {
            let now_ms = desk.now.0.max(kept.ledger.last_ms());
            let entry = Entry::Command(command.clone());
            return match kept.ledger.propose(entry, &self.known, now_ms)? {
                Outcome::Recorded(_) => Ok(Done::ForKeeper {
                    keeper: kept.keeper.clone(),
                    command,
                }),
                _ => Ok(Done::Repeated),
            };
        }
        let entry = Entry::Command(command);
        match self.record(ledger, entry, desk).await? {
            Outcome::Recorded(event) => Ok(Done::Recorded(event)),
            _ => Ok(Done::Repeated),
        }
    }

    /// Whether somebody's score reaches a gate. One that lets in everybody is not asked.
    fn pass<S: Storage, G: Signer>(
        &self,
        what: &'static str,
        did: &KamnDid,
        least: u16,
        desk: &Desk<'_, S, G>,
    ) -> Result<(), TradeError> {
        if least == 0 {
            return Ok(());
        }
        let agent = AgentDid::try_from(did.clone());
        let score = agent
            .as_ref()
            .ok()
            .and_then(|agent| self.score(agent, desk.now));
        if Gates::passes(score, least) {
            return Ok(());
        }
        Err(TradeError::Gate {
            did: did.as_kamn(),
            what,
            found: match (score, agent) {
                (Some(score), _) => format!("its score is {score}"),
                (None, Ok(agent)) => self.standing(&agent).to_string(),
                (None, Err(_)) => "it is no agent, so it has no score".into(),
            },
            least,
        })
    }
}

/// Whose signature a command still needs: a decision without an arbiter is both parties'.
fn needs(escrow: &Escrow, signed: &SignedCommand) -> Option<KamnDid> {
    let terms = escrow.terms();
    let is_decision = matches!(signed.command.action, Action::Resolve { .. });
    if !is_decision || terms.arbiter.is_some() || signed.cosignature.is_some() {
        return None;
    }
    let (payer, payee) = (&terms.payer, &terms.payee);
    match &signed.command.actor {
        actor if actor == payer => Some(payee.clone()),
        actor if actor == payee => Some(payer.clone()),
        _ => None,
    }
}

/// Who has to decide what nobody can settle.
fn waits_for(escrow: &Escrow) -> Option<KamnDid> {
    let terms = escrow.terms();
    let is_disputed = escrow
        .machine()
        .is_some_and(|machine| machine.state() == State::Disputed);
    is_disputed.then(|| terms.arbiter.clone().unwrap_or_else(|| terms.payee.clone()))
}
