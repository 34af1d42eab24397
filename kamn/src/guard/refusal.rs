//! Why a delivery is not taken.

use thiserror::Error as ThisError;

/// Why a delivery is refused. What is refused leaves the guard as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum Refusal {
    /// It ends before it begins, or lasts longer than a day.
    #[error("the message does not live between a moment and a day")]
    InvalidWindow,
    /// It was made later than now, and further than clocks may be apart.
    #[error("the message was made in the future")]
    Future,
    /// It came after its end.
    #[error("the message has expired")]
    Expired,
    /// It was taken before.
    #[error("the message was taken before")]
    Replay,
    /// It is not the next one.
    #[error("nonce {found}, expected {expected}")]
    NonceOutOfSequence {
        /// The one that comes next.
        expected: u64,
        /// This one.
        found: u64,
    },
    /// It is further behind the newest than is remembered.
    #[error("nonce {found} is too far behind {newest}")]
    NonceTooOld {
        /// The newest that was taken.
        newest: u64,
        /// This one.
        found: u64,
    },
    /// A number, id, sender or lane that can be none.
    #[error("the delivery is none: {why}")]
    Invalid {
        /// What is wrong with it.
        why: &'static str,
    },
    /// More is remembered already than there is room for; nothing is forgotten instead.
    #[error("no more {what} can be remembered")]
    Full {
        /// Of what.
        what: &'static str,
    },
    /// It could not be written down, so it was not taken.
    #[error("the delivery could not be written down")]
    Unwritten,
}

impl Refusal {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::InvalidWindow => "invalid_window",
            Self::Future => "created_in_future",
            Self::Expired => "expired",
            Self::Replay => "replay",
            Self::NonceOutOfSequence { .. } => "nonce_out_of_sequence",
            Self::NonceTooOld { .. } => "nonce_too_old",
            Self::Invalid { .. } => "delivery_invalid",
            Self::Full { .. } => "guard_full",
            Self::Unwritten => "guard_store_failed",
        }
    }
}
