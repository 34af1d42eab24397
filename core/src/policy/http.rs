//! What requests of tools may do on the network.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::Preset;
use crate::egress::{HostRule, Rules};
use crate::json::{FromJson, ToJson};

/// What was set explicitly about requests of tools; the rest is the preset's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Wall time of a request with all its redirects, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Bytes of a response's body, after decompression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    /// Redirects that are followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirects: Option<u32>,
    /// Whether addresses without encryption are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_http: Option<bool>,
    /// Whether addresses of private networks are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_private: Option<bool>,
    /// The only hosts that are reached, when there are any: `example.com`, `*.example.com`. A whole
    /// origin such as `http://127.0.0.1:8080` is reached beside them, whatever else is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<HostRule>,
    /// Hosts that are never reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<HostRule>,
}

/// The values in force for the requests of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct HttpLimits {
    /// Wall time of a request with all its redirects, in ms.
    pub timeout_ms: u64,
    /// Bytes of a response's body, after decompression.
    pub response_bytes: u64,
    /// Redirects that are followed.
    pub redirects: u32,
    /// Where requests may go.
    #[serde(default)]
    pub rules: Rules,
}

impl Http {
    /// The values in force under `preset`.
    #[must_use]
    pub fn limits(&self, preset: Preset) -> HttpLimits {
        const MIB: u64 = 1024 * 1024;
        let (timeout_ms, response_bytes, redirects) = match preset {
            Preset::Permissive => (300_000, 16 * MIB, 10),
            Preset::Balanced => (60_000, 4 * MIB, 5),
            Preset::Strict => (30_000, MIB, 3),
            Preset::Hardened => (15_000, MIB / 4, 1),
        };
        HttpLimits {
            timeout_ms: self.timeout_ms.unwrap_or(timeout_ms),
            response_bytes: self.response_bytes.unwrap_or(response_bytes),
            redirects: self.redirects.unwrap_or(redirects),
            rules: self.rules(),
        }
    }

    /// Where requests may go: https in the public web, unless something else was set. No preset
    /// opens more.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            allow_http: self.allow_http.unwrap_or_default(),
            allow_private: self.allow_private.unwrap_or_default(),
        }
    }
}

impl HttpLimits {
    /// These with what a call asks for: it can lower a limit, and never raises one.
    #[must_use]
    pub fn lowered(mut self, timeout_ms: Option<u64>, response_bytes: Option<u64>) -> Self {
        self.timeout_ms = self.timeout_ms.min(timeout_ms.unwrap_or(u64::MAX));
        self.response_bytes = self.response_bytes.min(response_bytes.unwrap_or(u64::MAX));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn limits_of_requests_fall_from_permissive_to_hardened() {
        for pair in Preset::ALL.windows(2) {
            let [loose, tight] = [pair[0], pair[1]].map(|preset| Http::default().limits(preset));
            assert!(loose.timeout_ms > tight.timeout_ms);
            assert!(loose.response_bytes > tight.response_bytes);
            assert!(loose.redirects > tight.redirects);
        }
    }

    #[test]
    fn no_preset_opens_http_or_private_networks_and_an_explicit_value_wins() {
        for preset in Preset::ALL {
            assert_eq!(Http::default().limits(preset).rules, Rules::default());
            let set = Http {
                timeout_ms: Some(1),
                response_bytes: Some(u64::MAX),
                redirects: Some(0),
                allow_http: Some(true),
                allow_private: Some(true),
                ..Http::default()
            };
            let limits = set.limits(preset);
            assert_eq!((limits.timeout_ms, limits.response_bytes), (1, u64::MAX));
            assert_eq!(limits.redirects, 0);
            assert!(limits.rules.allow_http && limits.rules.allow_private);
        }
    }

    #[test]
    fn hosts_are_read_from_a_profile_and_what_is_none_is_refused() {
        let read = |text: &str| serde_json::from_str::<Http>(text);
        let http = read(r#"{"allow": ["example.com", "*.a.org"], "deny": ["b.a.org"]}"#).unwrap();
        let again = serde_json::to_string(&http).unwrap();
        assert_eq!(read(&again).unwrap(), http);
        let error = read(r#"{"allow": ["a b"]}"#).unwrap_err().to_string();
        assert!(
            error.contains("\"a b\" is not the name of a host"),
            "{error}"
        );
        assert!(read(r#"{"timeout": 1}"#).is_err());
    }
}
