//! How a program that a session starts is confined.
//!
//! Invariant: what a model starts is confined or does not run, under every preset; only an explicit
//! `best_effort` lets it run without a sandbox, and then its result says so.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use super::{Policy, Preset, http::HttpLimits};
use crate::{
    egress::HostRule,
    json::{FromJson, ToJson},
};

/// What is done where no sandbox is to be had.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
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
pub enum Sandbox {
    /// The program does not run.
    #[default]
    Required,
    /// It runs without one, and its result says so.
    BestEffort,
}

/// Who confines a program.
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
pub enum Engine {
    /// Namespaces of Linux, by `bwrap`.
    Bubblewrap,
    /// A container, by an engine that speaks Docker's API.
    Docker,
}

impl Engine {
    /// Both, in the order they are looked for.
    pub const ALL: [Self; 2] = [Self::Bubblewrap, Self::Docker];

    /// As it is written in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Docker => "docker",
        }
    }
}

/// What was set explicitly about programs; the rest is the preset's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Programs {
    /// Who confines them; without one, the first that is to be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// What containers are made of: `NAME@sha256:DIGEST`, or an image's identifier `sha256:DIGEST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Where the engine of containers listens; without one, where it does by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Thousandths of a processor that a container may use at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milli_cpus: Option<u32>,
    /// Whether a container's program is root, without root's powers, where root owns the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_root: Option<bool>,
    /// Folders outside the workspace that they can read; `~` stands for the person's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// Hosts that they reach, through Tau: `example.com`, `*.example.com`. Without one, no network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostRule>,
    /// Memory of a program with all it starts, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads of a program at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// The largest file that a program can write, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
}

/// The values in force for a program that one call starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ProgramLimits {
    /// What is done where no sandbox is to be had.
    pub sandbox: Sandbox,
    /// Who confines it; without one, the first that is to be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// What its container would be; without an image there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Folders outside the workspace that it can read.
    #[serde(default)]
    pub read: Vec<String>,
    /// The network it reaches, through Tau; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Memory of all its processes, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// The largest file that it can write, in bytes.
    pub file_bytes: u64,
    /// Processor time of each of its processes, in seconds: the call's wall time, for all processors.
    pub cpu_seconds: u64,
}

/// What a container is made of, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Container {
    /// The image, by its digest.
    pub image: String,
    /// Where the engine listens; without one, where it does by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Thousandths of a processor that it may use at a time.
    pub milli_cpus: u32,
    /// Whether its program is root where root owns the workspace.
    pub as_root: bool,
}

/// What a program reaches of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Network {
    /// The only hosts, of those that the rules for requests let anybody reach.
    pub hosts: Vec<HostRule>,
    /// What holds for each request.
    pub http: HttpLimits,
}

/// One preset's defaults: GiB of memory, processes, GiB of a file, thousandths of a processor.
const fn row(preset: Preset) -> (u64, u64, u64, u32) {
    match preset {
        Preset::Permissive => (8, 2_048, 16, 8_000),
        Preset::Balanced => (4, 512, 4, 4_000),
        Preset::Strict => (2, 256, 2, 2_000),
        Preset::Hardened => (1, 128, 1, 1_000),
    }
}

impl Policy {
    /// What is done where no sandbox is to be had.
    #[must_use]
    pub fn sandbox(&self) -> Sandbox {
        self.sandbox.unwrap_or_default()
    }

    /// The values in force for a program.
    #[must_use]
    pub fn program_limits(&self) -> ProgramLimits {
        const GIB: u64 = 1 << 30;
        let (memory, processes, file, milli_cpus) = row(self.preset);
        let set = &self.programs;
        let file_bytes = set.file_bytes.unwrap_or(file * GIB);
        let timeout_ms = self.tool_limits().timeout_ms;
        ProgramLimits {
            sandbox: self.sandbox(),
            engine: set.engine,
            container: set.image.clone().map(|image| Container {
                image,
                socket: set.socket.clone(),
                milli_cpus: set.milli_cpus.unwrap_or(milli_cpus),
                as_root: set.as_root.unwrap_or_default(),
            }),
            read: set.read.clone(),
            network: (!set.hosts.is_empty()).then(|| Network {
                hosts: set.hosts.clone(),
                // Programs fetch what models do not read: as much as they can write, for as long as
                // they may run.
                http: HttpLimits {
                    timeout_ms: self.http.timeout_ms.unwrap_or(timeout_ms),
                    response_bytes: self.http.response_bytes.unwrap_or(file_bytes),
                    ..self.http.limits(self.preset)
                },
            }),
            memory_bytes: set.memory_bytes.unwrap_or(memory * GIB),
            processes: set.processes.unwrap_or(processes),
            file_bytes,
            cpu_seconds: timeout_ms.div_ceil(1_000).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_required_under_every_preset_unless_something_else_was_set() {
        for preset in Preset::ALL {
            let policy = Policy::preset(preset);
            assert_eq!(policy.program_limits().sandbox, Sandbox::Required);
            let policy = Policy {
                sandbox: Some(Sandbox::BestEffort),
                ..policy
            };
            assert_eq!(policy.program_limits().sandbox, Sandbox::BestEffort);
        }
    }

    #[test]
    fn limits_of_programs_fall_from_permissive_to_hardened() {
        for pair in Preset::ALL.windows(2) {
            let [loose, tight] =
                [pair[0], pair[1]].map(|preset| Policy::preset(preset).program_limits());
            assert!(loose.memory_bytes > tight.memory_bytes);
            assert!(loose.processes > tight.processes);
            assert!(loose.file_bytes > tight.file_bytes);
            assert!(loose.cpu_seconds > tight.cpu_seconds);
            assert!(loose.network.is_none() && tight.network.is_none());
        }
    }

    #[test]
    fn what_is_not_known_in_a_profile_is_refused() {
        let read = |text: &str| serde_json::from_str::<Policy>(text);
        let policy = read(
            r#"{"sandbox": "best_effort", "programs": {"engine": "docker", "read": ["~/.cargo"],
                "hosts": ["*.crates.io"], "processes": 3}}"#,
        )
        .unwrap();
        let limits = policy.program_limits();
        assert_eq!(limits.processes, 3);
        let network = limits.network.unwrap();
        assert_eq!(network.hosts.len(), 1);
        assert_eq!(network.http.response_bytes, limits.file_bytes);
        let again = serde_json::to_string(&policy).unwrap();
        assert_eq!(read(&again).unwrap(), policy);
        assert!(read(r#"{"sandbox": "off"}"#).is_err());
        assert!(read(r#"{"programs": {"engine": "chroot"}}"#).is_err());
        assert!(read(r#"{"programs": {"writes": ["/"]}}"#).is_err());
    }
}
