//! What was granted to one program: the hosts it reaches, of those that the profile lets anybody reach.

use alloc::{format, string::String, vec::Vec};

use super::{HostRule, Origin, Rules, refuse};
use crate::policy::Refusal;

/// The only hosts that a confined program reaches; without any it reaches none.
///
/// A grant opens nothing that [`Rules`] close: both have to let a request through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    hosts: Vec<HostRule>,
}

impl Grant {
    /// These hosts. `example.com` and `*.example.com` are reached at the ports of http and https;
    /// an origin such as `https://example.com:8443` at its own.
    #[must_use]
    pub fn new(hosts: Vec<HostRule>) -> Self {
        Self { hosts }
    }

    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether `origin` is granted. An origin that `rules` name is reached at its own port.
    pub fn check(&self, origin: &Origin, rules: &Rules) -> Result<(), Refusal> {
        let name = origin.host().to_plain_name();
        let is_usual = origin.has_default_port() || rules.exempt(origin);
        let mut is_known = false;
        for rule in &self.hosts {
            match rule {
                HostRule::Origin(granted) if granted == origin => return Ok(()),
                HostRule::Origin(_) => {}
                rule if rule.holds(&name) && is_usual => return Ok(()),
                rule => is_known |= rule.holds(&name),
            }
        }
        let host = origin.host();
        if is_known {
            return Err(refuse(
                "grant",
                format!("port {} of {host} was not granted", origin.port()),
                &format!("use https without a port, or grant the whole origin: {origin}"),
            ));
        }
        let granted: Vec<String> = self.hosts.iter().map(|rule| format!("{rule}")).collect();
        let hint = match granted.is_empty() {
            true => format!("no host was granted to this program; grant {host} to reach it"),
            false => format!(
                "granted are {}; grant {host} as well to reach it",
                granted.join(", ")
            ),
        };
        Err(refuse(
            "grant",
            format!("{host} was not granted to this program"),
            &hint,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn grant(hosts: &[&str]) -> Grant {
        Grant::new(hosts.iter().map(|host| host.parse().unwrap()).collect())
    }

    fn check(hosts: &[&str], origin: &str) -> Result<(), String> {
        let origin = Origin::parse(origin).unwrap();
        let checked = grant(hosts).check(&origin, &Rules::default());
        checked.map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_program_reaches_what_it_was_granted_and_nothing_else() {
        let hosts = [
            "api.github.com",
            "*.mozilla.org",
            "https://a.example.com:8443",
        ];
        for origin in [
            "https://api.github.com",
            "http://api.github.com",
            "https://api.github.com.",
            "https://static.mozilla.org",
            "https://a.b.mozilla.org",
            "https://a.example.com:8443",
        ] {
            assert_eq!(check(&hosts, origin), Ok(()), "{origin}");
        }
        for origin in [
            "https://github.com",
            "https://x.api.github.com",
            "https://mozilla.org",
            "https://evilmozilla.org",
            "https://a.example.com",
            "http://a.example.com:8443",
            "https://140.82.112.5",
        ] {
            let reason = check(&hosts, origin).unwrap_err();
            assert!(
                reason.ends_with("was not granted to this program"),
                "{reason}"
            );
            assert!(check(&[], origin).is_err());
        }
    }

    #[test]
    fn another_port_is_another_grant() {
        let reason = check(&["a.example.com"], "https://a.example.com:8443").unwrap_err();
        assert_eq!(reason, "port 8443 of a.example.com was not granted");
        let origin = Origin::parse("http://127.0.0.1:8080").unwrap();
        let rules = Rules::default().with_origins(core::slice::from_ref(&origin));
        assert_eq!(grant(&["127.0.0.1"]).check(&origin, &rules), Ok(()));
        assert!(
            grant(&["127.0.0.1"])
                .check(&origin, &Rules::default())
                .is_err()
        );
    }

    #[test]
    fn a_refusal_names_what_is_granted() {
        let origin = Origin::parse("https://b.org").unwrap();
        let refused = grant(&["a.org", "*.c.org"]).check(&origin, &Rules::default());
        let refusal = refused.unwrap_err();
        assert_eq!(refusal.rule, "egress: grant");
        let hint = refusal.hint.unwrap();
        assert_eq!(
            hint,
            "granted are a.org, *.c.org; grant b.org as well to reach it".to_string()
        );
    }
}
