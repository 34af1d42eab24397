//! What a profile says about hosts.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

use super::{Host, Origin, refuse};
use crate::json::{FromJson, ToJson};
use crate::policy::Refusal;

/// What is reached beyond the public web, and what of it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Rules {
    /// Hosts are the only ones reached, when there are any. An origin is reached even without
    /// encryption and within a private network, exactly: another port is another origin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<HostRule>,
    /// Never reached, whatever is allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<HostRule>,
    /// Whether addresses without encryption are reached.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub allow_http: bool,
    /// Whether addresses of private networks are reached. Metadata of a cloud never is.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub allow_private: bool,
}

impl Rules {
    /// What these and `more` allow together.
    #[must_use]
    pub fn with_origins(mut self, more: &[Origin]) -> Self {
        self.allow
            .extend(more.iter().cloned().map(HostRule::Origin));
        self
    }

    pub(super) fn exempt(&self, origin: &Origin) -> bool {
        let is_it = |rule: &HostRule| matches!(rule, HostRule::Origin(exempt) if exempt == origin);
        self.allow.iter().any(is_it)
    }

    /// Whether the lists let `host` through.
    pub(super) fn hosts(&self, host: &Host, is_exempt: bool) -> Result<(), Refusal> {
        let name = host.to_plain_name();
        if let Some(rule) = self.deny.iter().find(|rule| rule.holds(&name)) {
            return Err(refuse(
                "deny",
                format!("{host} is among the hosts that are not reached ({rule})"),
                "use another source",
            ));
        }
        let mut only = self
            .allow
            .iter()
            .filter(|rule| !matches!(rule, HostRule::Origin(_)))
            .peekable();
        if is_exempt || only.peek().is_none() || only.any(|rule| rule.holds(&name)) {
            return Ok(());
        }
        Err(refuse(
            "allow",
            format!("{host} is not among the hosts that are reached"),
            "use one of policy.http.allow, or ask the person to add it",
        ))
    }
}

/// A host or origin of a profile: `example.com`, `*.example.com` for all below it, or
/// `http://127.0.0.1:8080`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, FromJson, ToJson,
)]
#[serde(try_from = "String", into = "String")]
pub enum HostRule {
    /// One host, whatever the scheme and port.
    Host(Host),
    /// Every name below this one, and not itself.
    Below(Host),
    /// One origin.
    Origin(Origin),
}

impl HostRule {
    pub(super) fn holds(&self, name: &str) -> bool {
        match self {
            Self::Host(host) => host.to_plain_name() == name,
            Self::Below(host) => name
                .strip_suffix(&host.to_plain_name())
                .is_some_and(|rest| rest.ends_with('.')),
            Self::Origin(origin) => origin.host().to_plain_name() == name,
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "{host}"),
            Self::Below(host) => write!(f, "*.{host}"),
            Self::Origin(origin) => write!(f, "{origin}"),
        }
    }
}

/// A rule that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{rule:?} {problem}: write example.com, *.example.com or an origin such as http://127.0.0.1:8080"
)]
pub struct BadHostRule {
    rule: String,
    problem: String,
}

impl FromStr for HostRule {
    type Err = BadHostRule;

    fn from_str(rule: &str) -> Result<Self, BadHostRule> {
        let bad = |problem: String| BadHostRule {
            rule: rule.to_string(),
            problem,
        };
        if rule.contains("://") {
            return Origin::parse(rule)
                .map(Self::Origin)
                .map_err(|refusal| bad(format!("is no origin ({})", refusal.reason)));
        }
        let (make, host): (fn(Host) -> Self, _) = match rule.strip_prefix("*.") {
            Some(host) => (Self::Below, host),
            None => (Self::Host, rule),
        };
        Host::parse(host)
            .map(make)
            .map_err(|what| bad(what.to_string()))
    }
}

impl TryFrom<String> for HostRule {
    type Error = BadHostRule;

    fn try_from(rule: String) -> Result<Self, BadHostRule> {
        rule.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.to_string()
    }
}
