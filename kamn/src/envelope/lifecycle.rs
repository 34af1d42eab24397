//! Where a message is on its way.

use thiserror::Error as ThisError;

/// A stage of a message's way.
///
/// ```text
///   Created ── Signed ── Broadcast ── Included ── Delivered ── Validated
///                            └──── unanchored ────────┘  └──── Rejected
///   Expired: from every stage that is not the last
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It was written.
    Created,
    /// Its sender signed it.
    Signed,
    /// It was sent.
    Broadcast,
    /// It is in what it is anchored in.
    Included,
    /// It arrived.
    Delivered,
    /// Its recipient took it.
    Validated,
    /// Its recipient refused it.
    Rejected,
    /// Its time ran out.
    Expired,
}

/// A stage that does not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("a message that is {from:?} does not become {to:?}")]
pub struct StageError {
    /// Where it is.
    pub from: Stage,
    /// Where it should go.
    pub to: Stage,
}

impl StageError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        "message_transition_invalid"
    }
}

impl Stage {
    /// Every stage there is.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Signed,
        Self::Broadcast,
        Self::Included,
        Self::Delivered,
        Self::Validated,
        Self::Rejected,
        Self::Expired,
    ];

    /// Whether nothing follows.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::Validated | Self::Rejected | Self::Expired)
    }

    /// The stage `to`, if it follows.
    pub fn advance(self, to: Self) -> Result<Self, StageError> {
        let follows = match (self, to) {
            (Self::Created, Self::Signed)
            | (Self::Signed, Self::Broadcast)
            | (Self::Broadcast, Self::Included | Self::Delivered)
            | (Self::Included, Self::Delivered)
            | (Self::Delivered, Self::Validated | Self::Rejected) => true,
            (from, Self::Expired) => !from.is_last(),
            _ => false,
        };
        match follows {
            true => Ok(to),
            false => Err(StageError { from: self, to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn messages_go_only_where_their_way_leads() {
        use Stage::*;
        let next = |from: Stage| {
            let all = Stage::ALL.into_iter();
            all.filter(|to| from.advance(*to).is_ok())
                .collect::<Vec<_>>()
        };
        assert_eq!(next(Created), [Signed, Expired]);
        assert_eq!(next(Signed), [Broadcast, Expired]);
        assert_eq!(next(Broadcast), [Included, Delivered, Expired]);
        assert_eq!(next(Included), [Delivered, Expired]);
        assert_eq!(next(Delivered), [Validated, Rejected, Expired]);
        for last in [Validated, Rejected, Expired] {
            assert!(next(last).is_empty());
            let error = last.advance(Created).unwrap_err();
            assert_eq!(error.reason_code(), "message_transition_invalid");
        }
    }
}
