//! An orchestrator's budget and an escrow: a reserve is funded when a role is handed on, its cost
//! released when it is done, and the rest given back.
//!
//! What is to be done follows from the escrow as it stands, so asking again settles nothing twice.

use alloc::vec::Vec;

use crate::{
    escrow::{Action, Amount, Escrow, EscrowError, State},
    ledger::token::UNITS_PER_MICRO,
};

/// How long a role may take until its reserve can be had back.
pub const TIMEOUT_MS: u64 = 300_000;
/// What is reserved for an attempt unless something else is said, in millionths of a token.
pub const RESERVE_MICROS: u64 = 10_000;
/// What an attempt costs unless something else is said, in millionths of a token.
pub const COST_MICROS: u64 = 2_000;

/// How a role ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, at this cost, in millionths of a token.
    Succeeded {
        /// The cost.
        cost_micros: u64,
    },
    /// It failed, whether it may be tried again or not.
    Failed,
    /// Nothing came until the deadline.
    TimedOut,
}

/// How a role ended whose cost is counted in the escrow's own asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is done, at this cost.
    Succeeded {
        /// The cost.
        cost: Amount,
    },
    /// It failed, whether it may be tried again or not.
    Failed,
    /// Nothing came until the deadline.
    TimedOut,
}

/// Who has to give a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Whoever handed the role on.
    Payer,
    /// Whoever did it.
    Payee,
}

/// What goes where, and the commands that bring it there, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// For the payee.
    pub released: Amount,
    /// Back to the payer.
    pub refunded: Amount,
    /// Who is to command what.
    pub commands: Vec<(Party, Action)>,
}

/// From an orchestrator's outcomes to an escrow's commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bridge;

impl Bridge {
    /// Atomic units of so many millionths of a token.
    #[must_use]
    pub fn units(micros: u64) -> Amount {
        // 2^64 · 10^12 is less than 2^128.
        Amount::new(u128::from(micros) * UNITS_PER_MICRO)
    }

    /// What is still to be done about an escrow whose role ended so. Nothing, where it was settled;
    /// a disputed one waits for its decision.
    pub fn settle(escrow: &Escrow, outcome: Outcome) -> Result<Settlement, EscrowError> {
        let ended = match outcome {
            Outcome::Succeeded { cost_micros } => Ended::Succeeded {
                cost: Self::units(cost_micros),
            },
            Outcome::Failed => Ended::Failed,
            Outcome::TimedOut => Ended::TimedOut,
        };
        Self::settle_ended(escrow, ended)
    }

    /// The same for a cost in the escrow's own asset.
    pub fn settle_ended(escrow: &Escrow, ended: Ended) -> Result<Settlement, EscrowError> {
        let Some(machine) = escrow.machine() else {
            return Err(EscrowError::InvalidTransition {
                from: "unfunded",
                action: "settle",
            });
        };
        let (before, remaining) = (machine.released(), machine.remaining());
        let mut settlement = Settlement {
            released: before,
            refunded: machine.refunded(),
            commands: Vec::new(),
        };
        if machine.state().is_terminal() || machine.state() == State::Disputed {
            return Ok(settlement);
        }
        let refund = match ended {
            Ended::Succeeded { cost } => {
                // What an interrupted settlement released counts: the rest of the cost is due.
                let cost = cost.max(before).minus(before)?;
                let due = cost.min(remaining);
                if !due.is_zero() {
                    settlement
                        .commands
                        .push((Party::Payer, Action::Release { amount: due }));
                    settlement.released = before.plus(due)?;
                }
                (Party::Payee, Action::RefundByPayee)
            }
            Ended::Failed => (Party::Payee, Action::RefundByPayee),
            Ended::TimedOut => (Party::Payer, Action::TimeoutRefund),
        };
        let rest = machine.total().minus(settlement.released)?;
        if !rest.is_zero() {
            settlement.commands.push(refund);
            settlement.refunded = rest;
        }
        Ok(settlement)
    }
}
