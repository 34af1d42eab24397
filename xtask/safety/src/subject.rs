//! What is measured, each behind one function.

use std::sync::LazyLock;
use tau_core::{
    egress,
    safety::{Finding, Gate, Kind, Screened, Severity, Source, Untrusted, injection, secrets},
};

/// Something that looks through a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Attacks alone.
    Injection,
    /// Secrets alone.
    Secrets,
    /// Everything a tool's result passes before a model reads it.
    Gate,
}

impl Scan {
    pub(crate) const ALL: [Self; 3] = [Self::Injection, Self::Secrets, Self::Gate];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Secrets => "secrets",
            Self::Gate => "gate",
        }
    }

    /// MB/s that are aimed at on prose.
    pub(crate) fn aim_mb_per_s(self) -> f64 {
        match self {
            Self::Injection => 600.0,
            Self::Secrets => 500.0,
            Self::Gate => 250.0,
        }
    }

    /// Looks through `text`; says how much was found, so that nothing is optimised away.
    pub(crate) fn run(self, text: &str) -> usize {
        match self {
            Self::Injection => injection::scan(text).len(),
            Self::Secrets => secrets::scan(text).len(),
            Self::Gate => gate(text).len(),
        }
    }
}

/// The findings of a text that a tool gave back, at the gate of a new session.
fn gate(text: &str) -> Vec<Screened> {
    let source = Source::Tool {
        name: "fetch".into(),
    };
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    let (_, findings) = GATE.vet(Untrusted::new(text.to_owned(), source));
    findings
}

/// Whether `text` is taken for an attack.
pub(crate) fn is_attack(text: &str) -> bool {
    is_strong(&injection::scan(text), Kind::Injection)
}

/// Whether `text` is taken to hold a secret.
pub(crate) fn has_secret(text: &str) -> bool {
    is_strong(&secrets::scan(text), Kind::Secret)
}

fn is_strong(findings: &[Finding], kind: Kind) -> bool {
    let of_kind = findings.iter().filter(|finding| finding.kind == kind);
    of_kind
        .into_iter()
        .any(|finding| finding.severity >= Severity::Medium)
}

/// Whether a request to `url` is refused where http and any port are allowed: what is judged is the
/// address.
pub(crate) fn is_refused(url: &str) -> bool {
    let rules = egress::Rules {
        allow_http: true,
        ..egress::Rules::default()
    };
    egress::parse(url)
        .and_then(|target| egress::decide(&target, &rules))
        .is_err()
}
