//! Settlement: what may be said of an escrow that ended, and what an orchestrator asks of one.
//!
//! KAMN's rule: whoever claims that value moved shows evidence from outside. So a settlement is judged
//! by what the ledger and the receipt say, and everything that is missing is named.

pub mod bridge;

pub use bridge::{Bridge, Ended, Outcome as RoleOutcome, Party, Settlement};

use alloc::{format, string::String, vec::Vec};

use crate::{
    escrow::{Amount, Finality, Receipt},
    ledger::Ledger,
};

/// The form of the evidence.
pub const SCHEMA: &str = "kamn.escrow.settlement-reconciliation.v1";

/// How an escrow ended, as is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The payee got it.
    Released,
    /// The payee gave it back.
    Refunded,
    /// The deadline passed.
    TimeoutRefunded,
    /// A dispute was decided.
    DisputedResolved,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "RELEASED",
            Self::Refunded => "REFUNDED",
            Self::TimeoutRefunded => "TIMEOUT_REFUNDED",
            Self::DisputedResolved => "DISPUTED_RESOLVED",
        }
    }

    /// The path it takes.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Released => "PAYOUT",
            Self::Refunded | Self::TimeoutRefunded => "REFUND",
            Self::DisputedResolved => "DISPUTE",
        }
    }

    fn path_code(self) -> &'static str {
        match self {
            Self::Released => "settlement_path_payout",
            Self::Refunded | Self::TimeoutRefunded => "settlement_path_refund",
            Self::DisputedResolved => "settlement_path_dispute",
        }
    }
}

/// What is claimed of an escrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The escrow.
    pub escrow_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What the payee got.
    pub released: Amount,
    /// What went back.
    pub refunded: Amount,
    /// The movement outside.
    pub receipt: Receipt,
}

/// What a claim came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `GO` or `NO-GO`.
    pub is_go: bool,
    /// The path, then everything that is wrong, or that nothing is.
    pub reason_codes: Vec<&'static str>,
}

impl Verdict {
    /// `GO` or `NO-GO`.
    #[must_use]
    pub fn decision(&self) -> &'static str {
        if self.is_go { "GO" } else { "NO-GO" }
    }

    /// Where KAMN stores the reasons.
    #[must_use]
    pub fn key(&self) -> String {
        format!(
            "settlement_reconciliation_reason_codes:{}:v1",
            self.decision()
        )
    }
}

/// Holds a claim against the ledger. `gate_passed` is the result of checks run beside this, where
/// there are any.
#[must_use]
pub fn reconcile(claim: &Claim, ledger: &Ledger, now_ms: u64, gate_passed: bool) -> Verdict {
    let escrow = ledger.escrow(&claim.escrow_id);
    let machine = escrow.and_then(|escrow| escrow.machine());
    let receipt_is_valid =
        !claim.receipt.id.trim().is_empty() && claim.receipt.finality == Finality::Final;
    let drifts = machine.is_some_and(|machine| {
        machine.released() != claim.released
            || machine.refunded() != claim.refunded
            || !machine.state().is_terminal()
            || !ledger.held(&claim.escrow_id).is_zero()
    });
    let is_early = claim.outcome == Outcome::TimeoutRefunded
        && escrow.is_none_or(|escrow| now_ms < escrow.terms().timeout_ms);
    let failures = [
        (!receipt_is_valid, "receipt_evidence_invalid"),
        (drifts, "ledger_amount_drift_detected"),
        (machine.is_none(), "ledger_reference_missing"),
        (is_early, "timeout_not_elapsed"),
        (!gate_passed, "ci_fast_gate_failed"),
    ];
    let mut reason_codes = Vec::from([claim.outcome.path_code()]);
    let failed = failures.iter().filter(|(failed, _)| *failed);
    reason_codes.extend(failed.map(|(_, code)| *code));
    let is_go = reason_codes.len() == 1;
    if is_go {
        reason_codes.push("all_settlement_reconciliation_checks_passed");
    }
    Verdict {
        is_go,
        reason_codes,
    }
}

#[cfg(test)]
mod tests;
