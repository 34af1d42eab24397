//! Egress: which addresses a tool may reach because a model asked for them.
//!
//! Invariants: what is not certainly a public address is refused, by its spelling alone, and a name
//! again by what it resolves to; a redirect is a new address, decided about like the first; what is
//! decided about is what is sent. The types hold to it: only [`decide`] makes a [`Cleared`] target,
//! only [`Cleared::pin`] the [`Pinned`] one that a home's connector takes.
//!
//! A Worker and a page cannot resolve a name: they send what is cleared, and the runtime keeps
//! public names from leading to private addresses by itself.

mod address;
mod grant;
mod host;
mod idna;
mod port;
mod rules;
mod url;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::IpAddr;

use crate::policy::Refusal;
use address::{Kind, Special};

pub use grant::Grant;
pub use host::Host;
pub use rules::{BadHostRule, HostRule, Rules};
pub use url::{Origin, Target, parse};

/// A target that may be reached, by its spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    target: Target,
    /// Kinds of addresses that are reached beside public ones.
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Public,
    Private,
    Anything,
}

/// A target with the addresses its host stands for, each of which may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    cleared: Cleared,
    addresses: Vec<IpAddr>,
}

const ALLOW_HTTP: &str = "a person can allow http with policy.http.allow_http = true, or \
                          --allow-http on the command line";

/// Whether `target` may be reached; if not, why.
pub fn decide(target: &Target, rules: &Rules) -> Result<Cleared, Refusal> {
    let origin = target.origin();
    let host = origin.host();
    if target.has_credentials() {
        return Err(refuse(
            "credentials",
            "the address holds a user or a password".into(),
            "leave them out",
        ));
    }
    let special = match host {
        Host::Name(_) => address::of_name(&host.to_plain_name()),
        Host::Address(address) => address::of_address(*address),
    };
    let is_exempt = rules.exempt(origin);
    let reach = match (is_exempt, rules.allow_private) {
        (true, _) => Reach::Anything,
        (false, true) => Reach::Private,
        (false, false) => Reach::Public,
    };
    let lacks_https = !is_exempt && !origin.is_secure() && !rules.allow_http;
    if let Some(special) = special.filter(|special| !reach.includes(special.kind)) {
        let mut refusal = unreached(&host.to_string(), special);
        if let Some(hint) = refusal.hint.as_mut().filter(|_| lacks_https) {
            // Both at once: whoever allows the one would only be told of the other.
            hint.push_str("; http is refused as well: ");
            hint.push_str(ALLOW_HTTP);
        }
        return Err(refusal);
    }
    rules.hosts(host, is_exempt)?;
    if !is_exempt {
        if lacks_https {
            return Err(refuse(
                "https",
                format!("{origin} is not encrypted"),
                &format!("use the https address; {ALLOW_HTTP}"),
            ));
        }
        if port::is_of_another_protocol(origin.port()) {
            return Err(refuse(
                "port",
                format!("port {} belongs to another protocol", origin.port()),
                "use an address without a port",
            ));
        }
    }
    Ok(Cleared {
        target: target.clone(),
        reach,
    })
}

impl Reach {
    fn includes(self, kind: Kind) -> bool {
        match kind {
            Kind::Private => self >= Self::Private,
            Kind::Reserved => self == Self::Anything,
            Kind::Metadata => false,
        }
    }
}

impl Cleared {
    /// What may be reached.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Decides about what the host resolved to: one address that may not be reached refuses all,
    /// because nobody knows which the next request would get. For an address of its own, `answers`
    /// is that address.
    pub fn pin(self, answers: Vec<IpAddr>) -> Result<Pinned, Refusal> {
        let host = self.target.origin().host();
        for answer in &answers {
            if let Some(special) =
                address::of_address(*answer).filter(|special| !self.reach.includes(special.kind))
            {
                return Err(unreached(
                    &format!("{host} leads to {answer}, which"),
                    special,
                ));
            }
        }
        if answers.is_empty() {
            return Err(refuse(
                "host",
                format!("{host} has no address"),
                "look at how it is spelt",
            ));
        }
        Ok(Pinned {
            addresses: answers,
            cleared: self,
        })
    }
}

impl Pinned {
    /// What may be reached.
    #[must_use]
    pub fn target(&self) -> &Target {
        self.cleared.target()
    }

    /// The only addresses to connect to, at least one, in the order they were answered.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

fn unreached(who: &str, special: Special) -> Refusal {
    let hint = match special.kind {
        Kind::Private => {
            "use the public address of a website; a person can allow their own networks with \
             policy.http.allow_private = true, or --allow-private on the command line"
        }
        Kind::Reserved | Kind::Metadata => "use the public address of a website",
    };
    refuse("host", format!("{who} {}", special.what), hint)
}

fn refuse(rule: &str, reason: String, hint: &str) -> Refusal {
    Refusal {
        rule: format!("egress: {rule}"),
        reason,
        hint: Some(hint.to_string()),
    }
}

#[cfg(test)]
mod tests;
