//! Where a credential may go.
//!
//! Invariant: to one origin, over https; or over plain http to this machine, which no network sees.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use super::{SCHEME, refuse};
use crate::{
    egress::{Host, Origin},
    policy::Refusal,
};

/// The one origin a credential was stored for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Origin);

impl Scope {
    /// A host as a person declares it: `api.github.com`, `git.example.com:8443`, or the whole
    /// origin. Plain http is taken for this machine alone.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let whole = match text.contains("://") {
            true => text.to_string(),
            false => format!("https://{text}"),
        };
        let origin = Origin::parse(&whole)?;
        if !origin.is_secure() && !is_this_machine(origin.host()) {
            return Err(refuse(
                &format!("{origin} is not encrypted, and a credential goes out over https only"),
                "name the host alone; http is for a server on this machine",
            ));
        }
        Ok(Self(origin))
    }

    /// Whether the credential `name` may go to `origin`. The refusal says where it belongs.
    pub fn check(&self, name: &str, origin: &Origin) -> Result<(), Refusal> {
        let name = name.strip_prefix(SCHEME).unwrap_or(name);
        if self.0 == *origin {
            return Ok(());
        }
        Err(refuse(
            &format!("the credential {name} belongs to {self} and is not sent to {origin}"),
            "use the credential of that host; a person can store one with `tau secret set`",
        ))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole: String = self.0.to_string();
        f.write_str(whole.strip_prefix("https://").unwrap_or(&whole))
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Address(address) => address.is_loopback(),
    }
}
