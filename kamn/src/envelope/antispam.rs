//! Too much from one sender, or without a deposit: refused before anybody spends more on it.
//!
//! It runs after the signature was checked, and remembers only what it let through, by sender: a
//! message that was refused can be sent again, and nobody can burn another's ids.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
};
use thiserror::Error as ThisError;

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpamPolicy {
    /// How many messages a sender may send in a window.
    pub messages: usize,
    /// How long the window is.
    pub window_ms: u64,
    /// The least deposit a sender must have.
    pub deposit: u64,
    /// After how many messages too many in a row a sender is suspended.
    pub violations: u32,
    /// For how long.
    pub suspension_ms: u64,
    /// How many messages are remembered; the oldest are forgotten first.
    pub remembered: usize,
    /// How many senders are watched at once.
    pub senders: usize,
}

impl Default for SpamPolicy {
    fn default() -> Self {
        Self {
            messages: 3,
            window_ms: 5_000,
            deposit: 10,
            violations: 2,
            suspension_ms: 60_000,
            remembered: 10_000,
            senders: 10_000,
        }
    }
}

/// Why a message is held to be spam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum Spam {
    /// It was let through before.
    #[error("the message was let through before")]
    Duplicate,
    /// The sender's deposit is too small.
    #[error("a deposit of {found}, {expected} needed")]
    Deposit {
        /// How much is needed.
        expected: u64,
        /// How much there is.
        found: u64,
    },
    /// The sender is suspended.
    #[error("the sender is suspended until {until_ms} ms")]
    Suspended {
        /// Until when.
        until_ms: u64,
    },
    /// The sender sent too much.
    #[error("more than {limit} messages in {window_ms} ms")]
    Rate {
        /// How many may be.
        limit: usize,
        /// In what time.
        window_ms: u64,
    },
    /// So many senders are active that no further one can be watched.
    #[error("no more senders can be watched")]
    Full,
}

impl Spam {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(self) -> &'static str {
        match self {
            Self::Duplicate => "spam_duplicate",
            Self::Deposit { .. } => "spam_deposit_insufficient",
            Self::Suspended { .. } => "spam_sender_suspended",
            Self::Rate { .. } => "spam_rate_exceeded",
            Self::Full => "spam_senders_full",
        }
    }
}

/// What was let through lately, and who sent too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AntiSpam {
    policy: SpamPolicy,
    senders: BTreeMap<String, Sender>,
    known: BTreeSet<(String, String)>,
    oldest_first: VecDeque<(String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sender {
    recent_ms: VecDeque<u64>,
    violations: u32,
    suspended_until_ms: u64,
}

impl AntiSpam {
    /// A watch that has seen nothing yet.
    #[must_use]
    pub fn new(policy: SpamPolicy) -> Self {
        Self {
            policy,
            senders: BTreeMap::new(),
            known: BTreeSet::new(),
            oldest_first: VecDeque::new(),
        }
    }

    /// Lets a message of a sender through, whose signature was checked, or says why not.
    ///
    /// A refusal changes nothing but the count of messages too many.
    pub fn admit(
        &mut self,
        sender: &str,
        message_id: &str,
        deposit: u64,
        now_ms: u64,
    ) -> Result<(), Spam> {
        let policy = self.policy;
        let message = (sender.to_owned(), message_id.to_owned());
        if self.known.contains(&message) {
            return Err(Spam::Duplicate);
        }
        if deposit < policy.deposit {
            let (expected, found) = (policy.deposit, deposit);
            return Err(Spam::Deposit { expected, found });
        }
        if !self.senders.contains_key(sender) {
            self.make_room(now_ms)?;
        }
        let watched = self.senders.entry(sender.to_owned()).or_default();
        if now_ms < watched.suspended_until_ms {
            let until_ms = watched.suspended_until_ms;
            return Err(Spam::Suspended { until_ms });
        }
        watched.forget(now_ms, policy.window_ms);
        if watched.recent_ms.len() >= policy.messages {
            watched.violations += 1;
            if watched.violations >= policy.violations {
                watched.violations = 0;
                watched.suspended_until_ms = now_ms.saturating_add(policy.suspension_ms);
            }
            return Err(Spam::Rate {
                limit: policy.messages,
                window_ms: policy.window_ms,
            });
        }
        watched.violations = 0;
        watched.recent_ms.push_back(now_ms);
        self.remember(message);
        Ok(())
    }

    fn make_room(&mut self, now_ms: u64) -> Result<(), Spam> {
        let policy = self.policy;
        if self.senders.len() >= policy.senders {
            self.senders.retain(|_, sender| {
                sender.forget(now_ms, policy.window_ms);
                // Nothing recent: its next message is let through, and clears its violations.
                !sender.recent_ms.is_empty() || now_ms < sender.suspended_until_ms
            });
        }
        match self.senders.len() < policy.senders {
            true => Ok(()),
            false => Err(Spam::Full),
        }
    }

    fn remember(&mut self, message: (String, String)) {
        if self.oldest_first.len() >= self.policy.remembered
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(message.clone());
        self.oldest_first.push_back(message);
    }
}

impl Sender {
    fn forget(&mut self, now_ms: u64, window_ms: u64) {
        let is_past = |at_ms: &u64| at_ms.saturating_add(window_ms) <= now_ms;
        while self.recent_ms.front().is_some_and(is_past) {
            self.recent_ms.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn admit(watch: &mut AntiSpam, sender: &str, id: u32, now_ms: u64) -> Result<(), &'static str> {
        let said = watch.admit(sender, &format!("{id}"), 10, now_ms);
        said.map_err(Spam::reason_code)
    }

    #[test]
    fn sender_of_too_much_is_suspended_for_a_while() {
        let mut watch = AntiSpam::new(SpamPolicy::default());
        for id in 0..3 {
            assert_eq!(admit(&mut watch, "alice", id, 1000), Ok(()));
        }
        assert_eq!(
            admit(&mut watch, "alice", 3, 1001),
            Err("spam_rate_exceeded")
        );
        assert_eq!(admit(&mut watch, "bob", 3, 1001), Ok(()));
        assert_eq!(
            admit(&mut watch, "alice", 3, 1002),
            Err("spam_rate_exceeded")
        );
        assert_eq!(
            admit(&mut watch, "alice", 3, 61_001),
            Err("spam_sender_suspended")
        );
        // The message that was refused is not burnt.
        assert_eq!(admit(&mut watch, "alice", 3, 61_002), Ok(()));
    }

    #[test]
    fn one_message_too_many_is_forgiven_by_the_next_in_time() {
        let mut watch = AntiSpam::new(SpamPolicy::default());
        for id in 0..3 {
            assert_eq!(admit(&mut watch, "alice", id, 0), Ok(()));
        }
        assert_eq!(
            admit(&mut watch, "alice", 3, 4_999),
            Err("spam_rate_exceeded")
        );
        for id in 3..6 {
            assert_eq!(admit(&mut watch, "alice", id, 5_000), Ok(()));
        }
        assert_eq!(
            admit(&mut watch, "alice", 6, 5_001),
            Err("spam_rate_exceeded")
        );
        assert_eq!(admit(&mut watch, "alice", 6, 10_000), Ok(()));
    }

    #[test]
    fn duplicates_are_those_of_the_same_sender_that_were_let_through() {
        let mut watch = AntiSpam::new(SpamPolicy::default());
        let poor = watch.admit("alice", "1", 9, 0).unwrap_err();
        assert_eq!(poor.reason_code(), "spam_deposit_insufficient");
        assert_eq!(admit(&mut watch, "alice", 1, 0), Ok(()));
        assert_eq!(admit(&mut watch, "alice", 1, 0), Err("spam_duplicate"));
        // What is there twice is said before what is too poor.
        assert_eq!(watch.admit("alice", "1", 0, 0), Err(Spam::Duplicate));
        assert_eq!(admit(&mut watch, "bob", 1, 0), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let policy = SpamPolicy {
            remembered: 4,
            senders: 2,
            ..SpamPolicy::default()
        };
        let mut watch = AntiSpam::new(policy);
        for step in 0..20_u32 {
            let now_ms = u64::from(step) * 5_000;
            assert_eq!(admit(&mut watch, "alice", step, now_ms), Ok(()));
            assert!(watch.known.len() <= 4 && watch.oldest_first.len() == watch.known.len());
        }
        assert_eq!(admit(&mut watch, "bob", 0, 95_000), Ok(()));
        assert_eq!(
            admit(&mut watch, "carol", 0, 95_000),
            Err("spam_senders_full")
        );
        assert_eq!(admit(&mut watch, "carol", 0, 100_000), Ok(()));
        assert_eq!(watch.senders.len(), 1);
    }
}
