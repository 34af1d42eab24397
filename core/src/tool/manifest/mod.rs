//! Tools and channels made of WebAssembly: what one says of itself, what it asks for, and whether that
//! is believed.
//!
//! A tool is a module, a WASI command with arguments as JSON on standard input and its answer on
//! standard output, and a manifest beside it. Nothing the manifest does not ask for is there for the
//! module, and what it asks for is there only after a person agreed to just that: [`Manifest::digest`]
//! names the module and every word of the manifest, so a change to either asks again.
//!
//! A module is a tool, which a model calls, or a channel, which brings messages to the agent and takes
//! its answers away. What is the one is never used as the other.
//!
//! ```json
//! {
//!   "name": "count_vowels",
//!   "description": "Count the vowels of a text.",
//!   "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
//!   "capabilities": {"directories": [{"path": "data", "guest": "/data"}], "hosts": ["api.example.com"],
//!                    "environment": ["LANG"], "clock": true, "random": true},
//!   "limits": {"fuel": 100000000, "memory_bytes": 16777216, "wall_ms": 2000, "output_bytes": 65536},
//!   "hash": "sha256:…",
//!   "signature": {"by": "did:key:z6Mk…", "value": "…"}
//! }
//! ```

mod trust;

use alloc::{format, string::String, vec, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    OnRestore, ToolClass, ToolSpec,
    reserved::{self, BadToolName},
};
use crate::{egress::HostRule, journal::sha256_hex, safety::Labels};

pub use trust::{Distrust, Signed, Trust};

/// A longer manifest is refused unread.
pub const MAX_BYTES: usize = 64 * 1024;
/// A longer description costs every request of a session.
const MAX_DESCRIPTION_CHARS: usize = 1_024;
/// Longer schemas cost every request of a session, too.
const MAX_PARAMETERS_BYTES: usize = 8 * 1024;
/// More of one kind than a person reads is not asked for.
const MAX_ASKED: usize = 16;
/// What a hash begins with.
const HASH_PREFIX: &str = "sha256:";

/// What a module is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A model calls it.
    #[default]
    Tool,
    /// It brings messages, and is offered to no model.
    Channel,
}

/// What a tool says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name, as for every tool, and like no built-in's.
    pub name: String,
    /// One or two sentences for the model.
    pub description: String,
    /// What it is for; it is a tool by default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: Kind,
    /// JSON Schema of its arguments, an object schema in the subset of [`super::schema`].
    #[serde(default = "any_object")]
    pub parameters: Value,
    /// What it asks for.
    #[serde(default, skip_serializing_if = "Capabilities::is_none")]
    pub capabilities: Capabilities,
    /// What it needs less of than it could have.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// SHA-256 of its module: `sha256:` and lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Who vouches for all of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureField>,
}

/// What a module can reach beside its arguments. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// Directories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<Directory>,
    /// Hosts it may send requests to: `example.com`, `*.example.com`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostRule>,
    /// Names of variables of Tau's environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// The time.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub clock: bool,
    /// Random numbers that nobody can foresee.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub random: bool,
}

/// A directory of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Where it is, from the workspace: `.` is all of it. It never leads out.
    pub path: String,
    /// What the module calls it; without one, as `path` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// Whether the module may change what is in it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub writes: bool,
}

/// Upper bounds of one call; a call never gets more than its policy or Tau allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Work, about one an instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Linear memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Wall time in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Bytes of its answer and its messages together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// A signature as a manifest holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureField {
    /// `did:key:z6Mk…`.
    pub by: String,
    /// Ed25519 over [`Manifest::signed_bytes`], in base64 (RFC 4648 section 4).
    pub value: String,
}

/// Why a manifest is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// It cannot be read.
    #[error("the manifest cannot be read: {0}")]
    Unreadable(String),
    /// It is longer than [`MAX_BYTES`].
    #[error("the manifest has more than {MAX_BYTES} bytes")]
    TooLong,
    /// Its name.
    #[error(transparent)]
    Name(#[from] BadToolName),
    /// One of its fields.
    #[error("{field}: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn any_object() -> Value {
    json!({ "type": "object" })
}

/// Whether `c` is none that a person sees as it is: control characters, and marks without a width.
fn unreadable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn bad(field: &'static str, why: impl Into<String>) -> BadManifest {
    let why = why.into();
    BadManifest::Field { field, why }
}

impl Capabilities {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What a person is shown, one line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for directory in &self.directories {
            let verb = if directory.writes {
                "read and change"
            } else {
                "read"
            };
            let place = match directory.path.as_str() {
                "." => "the whole workspace".into(),
                path => format!("{path} in the workspace"),
            };
            lines.push(format!("{verb} {place}"));
        }
        for host in &self.hosts {
            lines.push(format!("send requests to {host}"));
        }
        for name in &self.environment {
            lines.push(format!("see the environment variable {name}"));
        }
        if self.clock {
            lines.push("know the time".into());
        }
        if self.random {
            lines.push("have random numbers".into());
        }
        lines
    }

    fn check(&self) -> Result<(), BadManifest> {
        for directory in &self.directories {
            // As a person is shown it, it says where it is: `./.` would be all of the workspace, and a
            // line end or a turned direction would make another question of it.
            let legal = |path: &str| {
                let named = |name: &str| !matches!(name, "" | "." | "..");
                !path.starts_with('~')
                    && !path.contains(['\\', ':'])
                    && !path.contains(unreadable)
                    && (path == "." || path.strip_suffix('/').unwrap_or(path).split('/').all(named))
            };
            if !legal(&directory.path) {
                let why = format!("{:?} is no path within the workspace", directory.path);
                return Err(bad("capabilities.directories", why));
            }
            let guest = directory.guest.as_deref().unwrap_or(&directory.path);
            let leads_up = guest.split('/').any(|name| name == "..");
            if guest.is_empty() || guest.contains(unreadable) || leads_up {
                let why = format!("{guest:?} is no name for a directory");
                return Err(bad("capabilities.directories", why));
            }
        }
        for name in &self.environment {
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(legal) {
                let why = format!("{name:?} is no name of a variable");
                return Err(bad("capabilities.environment", why));
            }
        }
        for (field, count) in [
            ("capabilities.directories", self.directories.len()),
            ("capabilities.hosts", self.hosts.len()),
            ("capabilities.environment", self.environment.len()),
        ] {
            if count > MAX_ASKED {
                return Err(bad(field, format!("more than {MAX_ASKED} are too many")));
            }
        }
        Ok(())
    }
}

impl Manifest {
    /// Reads one and checks everything about it that needs no module.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadManifest> {
        if bytes.len() > MAX_BYTES {
            return Err(BadManifest::TooLong);
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| BadManifest::Unreadable(format!("{error}")))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// What is assumed of a module without one: its file's name, any arguments, and that it asks for
    /// nothing.
    pub fn assumed(name: &str) -> Result<Self, BadManifest> {
        let manifest = Self {
            name: name.into(),
            description: format!("{name}, a tool without a description."),
            kind: Kind::Tool,
            parameters: any_object(),
            capabilities: Capabilities::default(),
            limits: Limits::default(),
            hash: None,
            signature: None,
        };
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), BadManifest> {
        reserved::check(&self.name)?;
        if self.description.trim().is_empty() {
            return Err(bad("description", "a model needs one"));
        }
        if self.description.chars().count() > MAX_DESCRIPTION_CHARS {
            let why = format!("more than {MAX_DESCRIPTION_CHARS} characters are too many");
            return Err(bad("description", why));
        }
        if self.is_channel() && self.parameters != any_object() {
            return Err(bad("parameters", "a channel is asked by Tau, and has none"));
        }
        if self.parameters["type"] != "object" {
            return Err(bad("parameters", "the type of arguments is object"));
        }
        if crate::json::to_string(&self.parameters).len() > MAX_PARAMETERS_BYTES {
            let why = format!("more than {MAX_PARAMETERS_BYTES} bytes are too many");
            return Err(bad("parameters", why));
        }
        for (field, value) in [
            ("limits.fuel", self.limits.fuel),
            ("limits.memory_bytes", self.limits.memory_bytes),
            ("limits.wall_ms", self.limits.wall_ms),
            ("limits.output_bytes", self.limits.output_bytes),
        ] {
            if value == Some(0) {
                return Err(bad(field, "with none of it nothing runs"));
            }
        }
        if let Some(hash) = &self.hash {
            let hex = hash.strip_prefix(HASH_PREFIX).unwrap_or_default();
            let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if hex.len() != 64 || !hex.bytes().all(is_hex) {
                return Err(bad("hash", "not sha256: and 64 lower-case hex digits"));
            }
        }
        self.capabilities.check()
    }

    /// Whether it brings messages.
    #[must_use]
    pub fn is_channel(&self) -> bool {
        self.kind == Kind::Channel
    }

    /// Whether a person has to agree before it is used at all. Of a channel that asks for nothing,
    /// too: whose words it says its messages are is believed.
    #[must_use]
    pub fn needs_a_yes(&self) -> bool {
        self.is_channel() || !self.capabilities.is_none()
    }

    /// What a person is shown before that, one line each.
    #[must_use]
    pub fn asks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_channel() {
            lines.push("bring messages, say who wrote them, and send the answers".into());
        }
        lines.extend(self.capabilities.lines());
        lines
    }

    /// The tool as a session knows it.
    #[must_use]
    pub fn spec(&self) -> ToolSpec {
        let asked = &self.capabilities;
        let writes = asked.directories.iter().any(|directory| directory.writes);
        let class = match (asked.hosts.is_empty(), writes) {
            // What it was given can leave with any request.
            (false, _) => ToolClass::Network,
            (true, true) => ToolClass::Write,
            (true, false) => ToolClass::Read,
        };
        let sees_own = !asked.directories.is_empty() || !asked.environment.is_empty();
        ToolSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.clone(),
            class,
            on_restore: match class {
                ToolClass::Read => OnRestore::Reissue,
                _ => OnRestore::Ask,
            },
            touches: vec![],
            // Whoever wrote the module wrote its answer.
            yields: Labels {
                private: sees_own,
                untrusted: true,
                external: !asked.hosts.is_empty(),
            },
        }
    }

    /// This with the hash of `module`.
    #[must_use]
    pub fn with_hash_of(mut self, module: &[u8]) -> Self {
        self.hash = Some(hash(module));
        self
    }

    /// What a person agrees to: `module`, and everything said here but who signed it.
    #[must_use]
    pub fn digest(&self, module: &[u8]) -> String {
        let mut bytes = hash(module).into_bytes();
        bytes.push(b'\n');
        bytes.extend(self.canonical());
        sha256_hex(&bytes)
    }

    /// The manifest without its signature, as JSON with sorted names and no white space.
    fn canonical(&self) -> Vec<u8> {
        let unsigned = Self {
            signature: None,
            ..self.clone()
        };
        // Sorted: serde_json's objects are ordered maps here.
        let value = serde_json::to_value(unsigned).unwrap_or_default();
        crate::json::to_string(&value).into_bytes()
    }
}

/// The content hash of a module.
#[must_use]
pub fn hash(module: &[u8]) -> String {
    format!("{HASH_PREFIX}{}", sha256_hex(module))
}

#[cfg(test)]
mod tests;
