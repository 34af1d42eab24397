//! KAMN's state machine of an escrow: what can follow what, and how much of it.
//!
//! ```text
//!                    release(a)     refund            dispute     resolve(x, y)
//!   Funded, Partly   Partly/Released  Refunded        Disputed    no
//!   Disputed         no               no              no          Resolved, x + y = remaining
//!   the others       no               no              no          no
//! ```
//!
//! Invariant: released + refunded + remaining = total, and what has ended has nothing remaining.
//! Upstream lets anybody refund a disputed escrow; here only a resolution ends a dispute.

use super::{Amount, EscrowError};

/// Where an escrow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it is held.
    Funded,
    /// Some went to the payee.
    PartiallyReleased {
        /// What went there.
        released: Amount,
        /// What is held.
        remaining: Amount,
    },
    /// All of it went to the payee.
    Released,
    /// What was held went back.
    Refunded,
    /// The parties disagree; nothing moves.
    Disputed,
    /// A dispute was decided.
    Resolved {
        /// All that went to the payee, before and by the decision.
        released_total: Amount,
        /// All that went back.
        refunded_total: Amount,
    },
}

impl State {
    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Released | Self::Refunded | Self::Resolved { .. }
        )
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Funded => "funded",
            Self::PartiallyReleased { .. } => "partially_released",
            Self::Released => "released",
            Self::Refunded => "refunded",
            Self::Disputed => "disputed",
            Self::Resolved { .. } => "resolved",
        }
    }
}

/// The amounts of one escrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    total: Amount,
    released: Amount,
    refunded: Amount,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Disputed,
    Released,
    Refunded,
    Resolved,
}

impl Machine {
    /// An escrow that holds `total`, which is not nothing.
    pub fn fund(total: Amount) -> Result<Self, EscrowError> {
        if total.is_zero() {
            return Err(EscrowError::ZeroAmount);
        }
        Ok(Self {
            total,
            released: Amount::ZERO,
            refunded: Amount::ZERO,
            phase: Phase::Open,
        })
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Open if self.released.is_zero() => State::Funded,
            Phase::Open => State::PartiallyReleased {
                released: self.released,
                remaining: self.remaining(),
            },
            Phase::Disputed => State::Disputed,
            Phase::Released => State::Released,
            Phase::Refunded => State::Refunded,
            Phase::Resolved => State::Resolved {
                released_total: self.released,
                refunded_total: self.refunded,
            },
        }
    }

    /// What was put in.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.total
    }

    /// What went to the payee.
    #[must_use]
    pub fn released(&self) -> Amount {
        self.released
    }

    /// What went back.
    #[must_use]
    pub fn refunded(&self) -> Amount {
        self.refunded
    }

    /// What is held.
    #[must_use]
    pub fn remaining(&self) -> Amount {
        // Released and refunded never exceed the total: each transition checks it.
        Amount::new(self.total.units() - self.released.units() - self.refunded.units())
    }

    /// Gives `amount` of what remains to the payee.
    pub fn release(&self, amount: Amount) -> Result<Self, EscrowError> {
        self.must_be(Phase::Open, "release")?;
        if amount.is_zero() {
            return Err(EscrowError::ZeroAmount);
        }
        if amount > self.remaining() {
            return Err(EscrowError::InvalidAmount {
                amount,
                remaining: self.remaining(),
            });
        }
        let mut next = *self;
        next.released = self.released.plus(amount)?;
        if next.remaining().is_zero() {
            next.phase = Phase::Released;
        }
        Ok(next)
    }

    /// Gives all that remains back to the payer.
    pub fn refund_remaining(&self) -> Result<Self, EscrowError> {
        self.must_be(Phase::Open, "refund")?;
        let mut next = *self;
        next.refunded = self.refunded.plus(self.remaining())?;
        next.phase = Phase::Refunded;
        Ok(next)
    }

    /// The same once `now_ms` has reached the deadline.
    pub fn refund_after_timeout(&self, now_ms: u64, timeout_ms: u64) -> Result<Self, EscrowError> {
        self.must_be(Phase::Open, "refund")?;
        if now_ms < timeout_ms {
            return Err(EscrowError::TimeoutNotElapsed { now_ms, timeout_ms });
        }
        self.refund_remaining()
    }

    /// Stops everything until a decision.
    pub fn dispute(&self) -> Result<Self, EscrowError> {
        self.must_be(Phase::Open, "dispute")?;
        let mut next = *self;
        next.phase = Phase::Disputed;
        Ok(next)
    }

    /// Decides a dispute over all that remains.
    pub fn resolve(&self, to_payee: Amount, to_payer: Amount) -> Result<Self, EscrowError> {
        self.must_be(Phase::Disputed, "resolve")?;
        if to_payee.plus(to_payer)? != self.remaining() {
            return Err(EscrowError::ResolutionMismatch {
                to_payee,
                to_payer,
                remaining: self.remaining(),
            });
        }
        let mut next = *self;
        next.released = self.released.plus(to_payee)?;
        next.refunded = self.refunded.plus(to_payer)?;
        next.phase = Phase::Resolved;
        Ok(next)
    }

    fn must_be(&self, phase: Phase, action: &'static str) -> Result<(), EscrowError> {
        if self.phase == phase {
            Ok(())
        } else {
            Err(EscrowError::InvalidTransition {
                from: self.state().name(),
                action,
            })
        }
    }
}
