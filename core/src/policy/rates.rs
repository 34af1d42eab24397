//! How many calls a minute.
//!
//! A call over the limit is refused with the time after which it may be repeated, or put off until
//! then, as the policy says. What counts is when calls began. A session counts its own, by its
//! journal, so a restart forgets nothing; a home counts those of all sessions of a principal with the
//! same [`Window`], so that many sessions at once make no more calls than one.

use alloc::{collections::VecDeque, format};
use serde::{Deserialize, Serialize};

use super::{Policy, Preset, Refusal};
use crate::{
    ids::UnixMillis,
    json::{FromJson, ToJson},
    tool::ToolClass,
};

/// What is done with a call over the limit.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    FromJson,
    ToJson,
)]
#[serde(rename_all = "snake_case")]
pub enum WhenExceeded {
    /// It waits until it may run.
    Defer,
    /// It is refused, with the time to wait.
    Refuse,
}

impl WhenExceeded {
    /// As it is written in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Defer => "defer",
            Self::Refuse => "refuse",
        }
    }
}

/// What was set explicitly about rates; the rest is the preset's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Tool calls of every class, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    /// Calls that reach the network, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_per_minute: Option<u32>,
    /// Calls that start programs, a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute_per_minute: Option<u32>,
    /// What is done with a call over the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_exceeded: Option<WhenExceeded>,
}

/// The limits that one call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct RateLimits {
    /// The class of the call.
    pub class: ToolClass,
    /// Calls of every class, a minute.
    pub calls_per_minute: u32,
    /// Calls of its class, a minute, where the class has a limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_per_minute: Option<u32>,
    /// What is done with it over the limit.
    pub when_exceeded: WhenExceeded,
}

impl RateLimits {
    /// What is done with a call over these limits that is free at `until`.
    #[must_use]
    pub fn exceeded(&self, until: UnixMillis, now: UnixMillis) -> Pace {
        if until.0 != u64::MAX && self.when_exceeded == WhenExceeded::Defer {
            Pace::Later { until }
        } else {
            Pace::Refuse(too_many(self.class, until, now))
        }
    }
}

/// One preset's defaults: all calls, those to the network, programs.
const fn row(preset: Preset) -> (u32, u32, u32) {
    match preset {
        Preset::Permissive => (600, 240, 240),
        Preset::Balanced => (240, 60, 120),
        Preset::Strict => (120, 30, 60),
        Preset::Hardened => (60, 10, 10),
    }
}

impl Policy {
    /// Tool calls of every class, a minute.
    #[must_use]
    pub fn calls_per_minute(&self) -> u32 {
        self.rates.calls_per_minute.unwrap_or(row(self.preset).0)
    }

    /// Calls that reach the network, a minute.
    #[must_use]
    pub fn network_per_minute(&self) -> u32 {
        self.rates.network_per_minute.unwrap_or(row(self.preset).1)
    }

    /// Calls that start programs, a minute.
    #[must_use]
    pub fn execute_per_minute(&self) -> u32 {
        self.rates.execute_per_minute.unwrap_or(row(self.preset).2)
    }

    /// What is done with a call over the limit.
    #[must_use]
    pub fn when_exceeded(&self) -> WhenExceeded {
        self.rates.when_exceeded.unwrap_or(match self.preset {
            Preset::Permissive | Preset::Balanced => WhenExceeded::Defer,
            Preset::Strict | Preset::Hardened => WhenExceeded::Refuse,
        })
    }
}

impl Policy {
    /// What a call of `class` counts against.
    #[must_use]
    pub fn rate_limits(&self, class: ToolClass) -> RateLimits {
        RateLimits {
            class,
            calls_per_minute: self.calls_per_minute(),
            class_per_minute: match class {
                ToolClass::Network => Some(self.network_per_minute()),
                ToolClass::Execute => Some(self.execute_per_minute()),
                ToolClass::Read | ToolClass::Remember | ToolClass::Write => None,
            },
            when_exceeded: self.when_exceeded(),
        }
    }
}

const MINUTE_MS: u64 = 60_000;

/// The calls of the last minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Window {
    began: VecDeque<(UnixMillis, ToolClass)>,
}

impl Window {
    /// Counts a call that begins.
    pub fn note(&mut self, class: ToolClass, at: UnixMillis) {
        // A clock that jumped back must not keep calls for longer than a minute.
        self.began
            .retain(|(began, _)| began.0 <= at.0 && at.since(*began) < MINUTE_MS);
        self.began.push_back((at, class));
    }

    /// When a call within `limits` may begin; `None` is at any time.
    #[must_use]
    pub fn free_at(&self, limits: &RateLimits) -> Option<UnixMillis> {
        let all = self.after(limits.calls_per_minute, |_| true);
        let own = limits.class_per_minute;
        all.max(own.and_then(|limit| self.after(limit, |of| of == limits.class)))
    }

    /// What is done with a call within `limits` that would begin at `now`.
    #[must_use]
    pub fn decide(&self, limits: &RateLimits, now: UnixMillis) -> Pace {
        match self.free_at(limits).filter(|until| *until > now) {
            None => Pace::Now,
            Some(until) => limits.exceeded(until, now),
        }
    }

    /// When the oldest of the last `limit` calls is a minute old.
    fn after(&self, limit: u32, counts: impl Fn(ToolClass) -> bool) -> Option<UnixMillis> {
        let Some(last) = (limit as usize).checked_sub(1) else {
            return Some(UnixMillis(u64::MAX));
        };
        let newest_first = self.began.iter().rev();
        let mut counted = newest_first.filter(|(_, class)| counts(*class));
        counted.nth(last).map(|(began, _)| began.plus(MINUTE_MS))
    }
}

/// What is done with a call, by its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may begin.
    Now,
    /// It waits until then.
    Later {
        /// When.
        until: UnixMillis,
    },
    /// It is refused, with the time to wait.
    Refuse(Refusal),
}

/// The refusal of a call over the limit.
fn too_many(class: ToolClass, until: UnixMillis, now: UnixMillis) -> Refusal {
    if until.0 == u64::MAX {
        return Refusal {
            rule: "rates".into(),
            reason: format!("the policy allows no {} calls", class.name()),
            hint: Some("go on without it".into()),
        };
    }
    // Rounded up: a call that comes exactly then must pass.
    let seconds = until.since(now).div_ceil(1000).max(1);
    Refusal {
        rule: "rates".into(),
        reason: format!("too many calls within a minute; retry after {seconds} s"),
        hint: Some("do something else first, or end here and say what is left".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ToolClass::{Execute, Network, Read};

    fn policy(calls: u32, network: u32) -> Policy {
        Policy {
            rates: Rates {
                calls_per_minute: Some(calls),
                network_per_minute: Some(network),
                ..Rates::default()
            },
            ..Policy::default()
        }
    }

    fn window(calls: &[(u64, ToolClass)]) -> Window {
        let mut window = Window::default();
        for (at, class) in calls {
            window.note(*class, UnixMillis(*at));
        }
        window
    }

    #[test]
    fn a_call_is_free_again_a_minute_after_the_one_that_filled_the_limit() {
        let recent = window(&[(1_000, Read), (2_000, Read), (3_000, Read)]);
        assert_eq!(recent.free_at(&policy(4, 9).rate_limits(Read)), None);
        assert_eq!(
            recent.free_at(&policy(3, 9).rate_limits(Read)),
            Some(UnixMillis(61_000))
        );
        assert_eq!(
            recent.free_at(&policy(2, 9).rate_limits(Read)),
            Some(UnixMillis(62_000))
        );
    }

    #[test]
    fn a_class_has_its_own_limit_beside_that_of_all() {
        let recent = window(&[(1_000, Network), (2_000, Read), (3_000, Execute)]);
        let policy = policy(9, 1);
        assert_eq!(
            recent.free_at(&policy.rate_limits(Network)),
            Some(UnixMillis(61_000))
        );
        assert_eq!(recent.free_at(&policy.rate_limits(Read)), None);
    }

    #[test]
    fn a_limit_of_none_is_never_free() {
        let never = Some(UnixMillis(u64::MAX));
        assert_eq!(
            Window::default().free_at(&policy(9, 0).rate_limits(Network)),
            never
        );
    }

    #[test]
    fn a_clock_that_jumps_back_frees_what_it_left_behind() {
        let recent = window(&[(900_000, Read), (901_000, Read), (1_000, Read)]);
        assert_eq!(
            recent.free_at(&policy(1, 9).rate_limits(Read)),
            Some(UnixMillis(61_000))
        );
    }

    #[test]
    fn rates_fall_from_permissive_to_hardened() {
        for pair in Preset::ALL.windows(2) {
            let (loose, tight) = (Policy::preset(pair[0]), Policy::preset(pair[1]));
            assert!(loose.calls_per_minute() >= tight.calls_per_minute());
            assert!(loose.network_per_minute() >= tight.network_per_minute());
            assert!(loose.execute_per_minute() >= tight.execute_per_minute());
            assert!(loose.when_exceeded() <= tight.when_exceeded());
        }
    }

    #[test]
    fn a_refusal_states_the_time_to_wait() {
        let refusal = too_many(Network, UnixMillis(61_500), UnixMillis(2_000));
        assert!(refusal.reason.contains("retry after 60 s"), "{refusal:?}");
    }
}
