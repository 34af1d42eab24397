//! What a session is set up with, once.

use alloc::{string::String, sync::Arc, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    identity_files::Section,
    json::{FromJson, ToJson},
    memory,
    model::ModelConfig,
    policy::Policy,
    safety::{Gate, Screened, Source, Untrusted},
    tool::ToolSpec,
};

/// Everything that stays the same while a session runs. Recorded when the session is created and
/// again when it is opened with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Config {
    /// The model asked first, and those asked when it fails, in order. Never empty.
    pub models: Vec<Arc<ModelConfig>>,
    /// The system prompt.
    pub system: String,
    /// What stands behind it, of files about the agent, its person and the folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<Section>,
    /// The tools of the home, in the order shown to the model. The core adds its own.
    pub tools: Vec<ToolSpec>,
    /// The policy at the start.
    pub policy: Policy,
    /// What a turn may use up.
    pub budgets: Budgets,
    /// How failing model calls are repeated.
    pub retry: Retry,
    /// Whether a conversation that outgrows the model is summarised by the model; otherwise its
    /// oldest messages are left out.
    pub compaction: bool,
    /// Whether the agent is offered a tool to take back what it did last.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub undo_tool: bool,
    /// Whether there is a memory, and what of it may be seen and written.
    #[serde(rename = "memory_namespace")]
    pub memory: Option<memory::Access>,
}

impl Config {
    /// Asks nobody and offers nothing.
    pub(crate) fn bare() -> Self {
        Self {
            models: alloc::vec![Arc::new(ModelConfig::none())],
            system: String::new(),
            tools: Vec::new(),
            policy: Policy::default(),
            budgets: Budgets::default(),
            retry: Retry::default(),
            compaction: false,
            identity: Vec::new(),
            memory: None,
            undo_tool: false,
        }
    }

    /// Lets what a model will read of it through the gate, before it is stored; returns what was
    /// found where.
    pub(crate) fn vet(&mut self, gate: &Gate) -> Vec<(Source, Vec<Screened>)> {
        let mut found = Vec::new();
        let system = core::mem::take(&mut self.system);
        let (system, screened) = gate.vet(Untrusted::new(system, Source::Instructions));
        self.system = system.into_inner();
        found.push((Source::Instructions, screened));
        for section in &mut self.identity {
            let source = section.source();
            let text = core::mem::take(&mut section.text);
            let (text, screened) = gate.vet(Untrusted::new(text, source.clone()));
            section.text = text.into_inner();
            found.push((source, screened));
        }
        for spec in core::mem::take(&mut self.tools) {
            let name = spec.name.clone();
            let source = Source::Tool { name };
            let (spec, screened) = gate.vet(Untrusted::new(spec, source.clone()));
            self.tools.push(spec.into_inner());
            found.push((source, screened));
        }
        found.retain(|(_, screened)| !screened.is_empty());
        found
    }
}

/// Limits of one turn; `None` is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// Model calls; the last one is told to answer without tools.
    pub steps: u32,
    /// Tokens in and out.
    pub tokens: Option<u64>,
    /// 1e-9 USD.
    pub cost_nano_usd: Option<u64>,
    /// Wall time in ms, waiting for approvals included.
    pub deadline_ms: Option<u64>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            steps: 32,
            tokens: None,
            cost_nano_usd: None,
            deadline_ms: None,
        }
    }
}

/// How failing model calls are repeated: exponential backoff with jitter, or the provider's hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Attempts at one model before the next is asked, at least 1.
    pub attempts: u32,
    /// The wait before the second attempt; doubles from there.
    pub base_ms: u64,
    /// No wait is longer; a provider that asks for more is given up.
    pub max_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            base_ms: 500,
            max_ms: 60_000,
        }
    }
}
