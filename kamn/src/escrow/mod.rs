//! Escrow: an amount held between two until the work is done, or a third has decided.
//!
//! ```text
//!   Terms ── id = hash of them ──> Escrow ── Command, signed, seq + 1 ──> Escrow, Moved
//! ```
//!
//! Who may ask what: fund, release and refund after the deadline the payer; give back the payee;
//! dispute either; resolve the arbiter, or both parties where none was named. A disputed escrow moves
//! by a resolution alone.
//!
//! Invariants: released + refunded + remaining = total, checked, never saturated; nothing follows an
//! end; a command that is refused changes nothing, and the same command again is the same success. An
//! escrow says what is owed; what moves it is the [`crate::ledger`].

mod amount;
mod command;
mod machine;
mod receipt;
mod terms;

pub use amount::Amount;
pub use command::{Action, Command, SignedCommand, VerifiedCommand};
pub use machine::{Machine, State};
pub use receipt::{Finality, Receipt, Reconciliation, reconcile};
pub use terms::{Terms, is_symbol};

use alloc::{string::String, vec::Vec};

use thiserror::Error as ThisError;

use crate::{error::Error, jcs};

/// How many commands an escrow takes.
pub const COMMAND_LIMIT: usize = 1024;

/// Why an escrow refuses something.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum EscrowError {
    /// Nothing at all.
    #[error("the amount is zero")]
    ZeroAmount,
    /// More than remains.
    #[error("{amount} is more than the {remaining} that remain")]
    InvalidAmount {
        /// What was asked for.
        amount: Amount,
        /// What is held.
        remaining: Amount,
    },
    /// Something that cannot follow.
    #[error("an escrow that is {from} takes no {action}")]
    InvalidTransition {
        /// Where it stands.
        from: &'static str,
        /// What was asked for.
        action: &'static str,
    },
    /// A decision over more or less than remains.
    #[error("{to_payee} and {to_payer} are not the {remaining} that remain")]
    ResolutionMismatch {
        /// For the payee.
        to_payee: Amount,
        /// For the payer.
        to_payer: Amount,
        /// What is held.
        remaining: Amount,
    },
    /// Too early for a refund.
    #[error("it is {now_ms}, the deadline is {timeout_ms}")]
    TimeoutNotElapsed {
        /// The time, in milliseconds since 1970.
        now_ms: u64,
        /// The deadline, likewise.
        timeout_ms: u64,
    },
    /// A number that does not fit, or falls below zero.
    #[error("the amount does not fit")]
    AmountOverflow,
    /// Not an amount as it is written.
    #[error("{text:?} is no amount: decimal digits without leading zeros")]
    AmountText {
        /// The beginning of what was given.
        text: String,
    },
    /// A receipt without a name.
    #[error("the receipt has no id")]
    MissingReceiptEvidence,
    /// A finality nobody knows.
    #[error("no receipt is {found:?}: PENDING, FINAL or FAILED")]
    InvalidReceiptFinality {
        /// The beginning of what was given.
        found: String,
    },
    /// Terms that make no sense.
    #[error("the terms are refused: {why}")]
    Terms {
        /// What is wrong with them.
        why: &'static str,
    },
    /// A command that makes no sense.
    #[error("the command is refused: {why}")]
    Command {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Somebody whose key is not known, or did not count.
    #[error("no key of {did} counted when the command was made and seen")]
    UnknownSigner {
        /// Who.
        did: String,
    },
    /// Somebody who may not ask this.
    #[error("{did} may not {action} this escrow")]
    Unauthorized {
        /// Who.
        did: String,
        /// What was asked for.
        action: &'static str,
    },
    /// Another command with that number was taken.
    #[error("another command has number {seq}")]
    Conflict {
        /// The number.
        seq: u64,
    },
    /// Not the number that comes next.
    #[error("command {found} does not follow, {expected} does")]
    Sequence {
        /// The one given.
        found: u64,
        /// The next.
        expected: u64,
    },
    /// Something that does not parse, or a signature that does not fit.
    #[error(transparent)]
    Text(#[from] Error),
    /// Something that is not signed JSON.
    #[error(transparent)]
    Json(#[from] jcs::Error),
}

impl EscrowError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::ZeroAmount => "zero_amount",
            Self::InvalidAmount { .. } => "invalid_amount",
            Self::InvalidTransition { .. } => "invalid_transition",
            Self::ResolutionMismatch { .. } => "resolution_mismatch",
            Self::TimeoutNotElapsed { .. } => "timeout_not_elapsed",
            Self::AmountOverflow => "amount_overflow",
            Self::AmountText { .. } => "amount_invalid",
            Self::MissingReceiptEvidence => "missing_receipt_evidence",
            Self::InvalidReceiptFinality { .. } => "invalid_receipt_finality",
            Self::Terms { .. } => "escrow_terms_invalid",
            Self::Command { .. } => "escrow_command_invalid",
            Self::UnknownSigner { .. } => "escrow_signer_unknown",
            Self::Unauthorized { .. } => "escrow_unauthorized",
            Self::Conflict { .. } => "escrow_conflict",
            Self::Sequence { .. } => "escrow_sequence_invalid",
            Self::Text(error) => error.reason_code(),
            Self::Json(error) => error.reason_code(),
        }
    }
}

/// What a command moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It had been taken before; nothing moved again.
    Nothing,
    /// From the payer into the escrow.
    Held(Amount),
    /// Out of the escrow, to payee and payer.
    Paid {
        /// What the payee got.
        to_payee: Amount,
        /// What went back.
        to_payer: Amount,
    },
}

/// One escrow: its terms, what was asked of it, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escrow {
    id: String,
    terms: Terms,
    machine: Option<Machine>,
    /// The hashes of the commands taken, in order.
    taken: Vec<[u8; 32]>,
    disputed_ms: Option<u64>,
}

impl Escrow {
    /// An escrow on these terms, not funded yet.
    pub fn new(terms: Terms) -> Result<Self, EscrowError> {
        terms.check()?;
        Ok(Self {
            id: terms.id()?,
            terms,
            machine: None,
            taken: Vec::new(),
            disputed_ms: None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Where it stands; `None` before it is funded.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    /// When it was disputed, if it was.
    #[must_use]
    pub fn disputed_ms(&self) -> Option<u64> {
        self.disputed_ms
    }

    /// The number of the next command.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        // At most the limit.
        self.taken.len() as u64 + 1
    }

    /// The escrow after a command, and what it moved.
    pub fn apply(
        &self,
        verified: &VerifiedCommand,
        now_ms: u64,
    ) -> Result<(Self, Moved), EscrowError> {
        let command = verified.command();
        if command.escrow_id != self.id {
            return Err(EscrowError::Command {
                why: "it is for another escrow",
            });
        }
        let (found, expected) = (command.seq, self.next_seq());
        if found < expected {
            let before = found
                .checked_sub(1)
                .and_then(|at| self.taken.get(usize::try_from(at).ok()?));
            return match before {
                Some(hash) if *hash == verified.hash() => Ok((self.clone(), Moved::Nothing)),
                Some(_) => Err(EscrowError::Conflict { seq: found }),
                None => Err(EscrowError::Sequence { found, expected }),
            };
        }
        if found > expected || self.taken.len() >= COMMAND_LIMIT {
            return Err(EscrowError::Sequence { found, expected });
        }
        self.authorize(verified)?;
        let machine = self.step(&command.action, now_ms)?;
        let moved = match self.machine {
            None => Moved::Held(machine.total()),
            Some(before) => Moved::Paid {
                to_payee: machine.released().minus(before.released())?,
                to_payer: machine.refunded().minus(before.refunded())?,
            },
        };
        let mut next = self.clone();
        next.machine = Some(machine);
        next.taken.push(verified.hash());
        if matches!(command.action, Action::Dispute { .. }) {
            next.disputed_ms = Some(now_ms);
        }
        Ok((next, moved))
    }

    fn step(&self, action: &Action, now_ms: u64) -> Result<Machine, EscrowError> {
        let Some(machine) = &self.machine else {
            return match action {
                Action::Fund => Machine::fund(self.terms.amount),
                other => Err(EscrowError::InvalidTransition {
                    from: "unfunded",
                    action: other.name(),
                }),
            };
        };
        match action {
            Action::Fund => Err(EscrowError::InvalidTransition {
                from: machine.state().name(),
                action: "fund",
            }),
            Action::Release { amount } => machine.release(*amount),
            Action::RefundByPayee => machine.refund_remaining(),
            Action::TimeoutRefund => machine.refund_after_timeout(now_ms, self.terms.timeout_ms),
            Action::Dispute { .. } => machine.dispute(),
            Action::Resolve { to_payee, to_payer } => machine.resolve(*to_payee, *to_payer),
        }
    }

    fn authorize(&self, verified: &VerifiedCommand) -> Result<(), EscrowError> {
        let Terms {
            payer,
            payee,
            arbiter,
            ..
        } = &self.terms;
        let command = verified.command();
        let actor = &command.actor;
        let may = match &command.action {
            Action::Fund | Action::Release { .. } | Action::TimeoutRefund => actor == payer,
            Action::RefundByPayee => actor == payee,
            Action::Dispute { .. } => actor == payer || actor == payee,
            Action::Resolve { .. } => match arbiter {
                Some(arbiter) => actor == arbiter,
                None => verified.is_signed_by(payer) && verified.is_signed_by(payee),
            },
        };
        if may {
            Ok(())
        } else {
            Err(EscrowError::Unauthorized {
                did: actor.as_kamn(),
                action: command.action.name(),
            })
        }
    }
}

#[cfg(test)]
mod tests;
