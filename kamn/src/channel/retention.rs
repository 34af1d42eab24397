//! How long a channel keeps what was said.

use alloc::{string::String, vec::Vec};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Everything.
    Forever,
    /// What is no older than so many seconds.
    MaxAgeSeconds(u64),
    /// The newest so many, at least one.
    MaxMessageCount(u64),
}

impl Retention {
    /// Which messages go, the oldest first. `messages` are their creation, in milliseconds since 1970,
    /// and their ids, in any order.
    #[must_use]
    pub fn to_prune<'a>(&self, messages: &'a [(u64, String)], now_ms: u64) -> Vec<&'a str> {
        let mut ordered: Vec<&(u64, String)> = messages.iter().collect();
        ordered.sort();
        let gone = match self {
            Self::Forever => 0,
            Self::MaxAgeSeconds(seconds) => {
                let age_ms = seconds.saturating_mul(1000);
                ordered
                    .iter()
                    .take_while(|(created_ms, _)| now_ms.saturating_sub(*created_ms) > age_ms)
                    .count()
            }
            Self::MaxMessageCount(most) => {
                let most = usize::try_from(*most).unwrap_or(usize::MAX);
                ordered.len().saturating_sub(most)
            }
        };
        ordered[..gone].iter().map(|(_, id)| id.as_str()).collect()
    }

    pub(super) fn is_possible(&self) -> bool {
        *self != Self::MaxMessageCount(0)
    }
}
