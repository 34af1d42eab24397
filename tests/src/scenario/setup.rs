//! What a scenario is played with.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};
use tau_core::{
    identity_files::Section,
    memory::{Access, Scope},
    message::Image,
    model::{Api, ModelConfig, Pricing},
    policy::Policy,
    safety::Labels,
    session::{Budgets, Config, Retry},
    tool::{OnRestore, ToolClass, ToolSpec, Touch},
};

/// The table at the head of a scenario. Everything may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// The session's seed is 32 times this byte.
    pub seed: u8,
    /// The system prompt.
    pub system: String,
    /// Files about the agent, its person and the folder.
    #[serde(rename = "identity")]
    pub identity: Vec<Section>,
    /// As in the profile; permissive by default, so that nothing is asked unless that is the point.
    pub policy: Policy,
    /// As in the profile, in the core's units.
    pub budgets: Budgets,
    /// As in the profile.
    pub retry: Retry,
    /// Whether an outgrown conversation is summarised.
    pub compaction: bool,
    /// Whether the agent is offered the tool that takes back what it did last.
    pub undo: bool,
    /// The scope of memory that the memory tools see; without it there are none.
    pub memory: Option<Scope>,
    /// Estimated tokens of what is recalled at the beginning of a turn.
    pub recall_tokens: u32,
    /// Whether the model may file, change and forget what is remembered.
    pub manages: bool,
    /// Models, the first asked first.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
    /// The home's tools.
    #[serde(rename = "tool")]
    pub tools: Vec<Tool>,
    /// Commits that fail.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
}

/// A model.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Its name, and the host name of its server.
    name: String,
    api: Api,
    context_tokens: u32,
    max_output_tokens: u32,
    images: bool,
    /// The name of the secret that authenticates; none is sent without.
    secret: Option<String>,
    pricing: Pricing,
}

/// A tool and what it does each time it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it touches.
    pub class: ToolClass,
    /// What a restore does with it.
    pub on_restore: OnRestore,
    /// What the model is told of it.
    #[serde(default)]
    pub description: Option<String>,
    /// Argument names and their JSON types; a name that ends in `?` is optional.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Which of them name something outside.
    #[serde(default)]
    pub touches: Vec<Touch>,
    /// What its results are.
    #[serde(default)]
    pub yields: Labels,
    /// How long it takes.
    #[serde(default)]
    pub takes_ms: u64,
    /// Its result; `{name}` stands for an argument.
    #[serde(default)]
    pub result: Option<String>,
    /// It fails with this instead.
    #[serde(default)]
    pub error: Option<String>,
    /// It never ends.
    #[serde(default)]
    pub hangs: bool,
    /// A picture in its result, as base64 of a PNG.
    #[serde(default)]
    pub picture: Option<String>,
}

/// A commit that fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which, from 1, counted in the whole scenario.
    pub commit: usize,
    /// `full`, `conflict`, `locked` or `io`.
    pub error: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 7,
            system: "Be brief.".into(),
            identity: Vec::new(),
            policy: Policy::preset(tau_core::policy::Preset::Permissive),
            budgets: Budgets::default(),
            retry: Retry::default(),
            compaction: false,
            memory: None,
            undo: false,
            recall_tokens: 0,
            manages: false,
            models: vec![Model::default()],
            tools: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            name: "sim".into(),
            api: Api::OpenAi,
            context_tokens: 100_000,
            max_output_tokens: 1_000,
            images: false,
            secret: None,
            pricing: Pricing::default(),
        }
    }
}

impl Setup {
    /// The session's configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            models: self
                .models
                .iter()
                .map(|model| Arc::new(model.config()))
                .collect(),
            system: self.system.clone(),
            identity: self.identity.clone(),
            tools: self.tools.iter().map(Tool::spec).collect(),
            policy: self.policy.clone(),
            budgets: self.budgets,
            retry: self.retry,
            compaction: self.compaction,
            undo_tool: self.undo,
            memory: self.memory.clone().map(|scope| Access {
                recall_tokens: self.recall_tokens,
                manages: self.manages,
                ..Access::to(scope)
            }),
        }
    }

    /// The model of that name; the first without one.
    #[must_use]
    pub fn model(&self, name: Option<&str>) -> Option<&Model> {
        match name {
            Some(name) => self.models.iter().find(|model| model.name == name),
            None => self.models.first(),
        }
    }
}

impl Model {
    /// The format it is spoken to in.
    #[must_use]
    pub fn api(&self) -> Api {
        self.api
    }

    /// Its server.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.test", self.name)
    }

    fn config(&self) -> ModelConfig {
        ModelConfig {
            name: self.name.clone(),
            api: self.api,
            base_url: match self.api {
                Api::Embedded => String::new(),
                _ => format!("http://{}/v1", self.host()),
            },
            secret: self.secret.clone(),
            context_tokens: self.context_tokens,
            max_output_tokens: self.max_output_tokens,
            pricing: self.pricing,
            images: self.images,
            temperature_milli: None,
        }
    }
}

impl Tool {
    fn spec(&self) -> ToolSpec {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, kind) in &self.arguments {
            let plain = name.trim_end_matches('?');
            properties.insert(plain.into(), json!({"type": kind}));
            if plain == name {
                required.push(plain);
            }
        }
        ToolSpec {
            name: self.name.clone(),
            description: match &self.description {
                Some(description) => description.clone(),
                None => format!("The tool {}.", self.name),
            },
            parameters: json!({"type": "object", "properties": properties,
                "required": required, "additionalProperties": false}),
            class: self.class,
            on_restore: self.on_restore,
            touches: self.touches.clone(),
            yields: self.yields,
        }
    }

    /// What it answers to these arguments.
    #[must_use]
    pub fn says(&self, arguments: &Value) -> String {
        let mut text = self
            .error
            .as_ref()
            .or(self.result.as_ref())
            .cloned()
            .unwrap_or_default();
        for (name, value) in arguments.as_object().into_iter().flatten() {
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("{{{name}}}"), &shown);
        }
        text
    }

    /// The picture in its result.
    #[must_use]
    pub fn pictures(&self) -> Vec<Image> {
        let image = |data: &String| Image {
            mime: "image/png".into(),
            data: data.clone(),
        };
        self.picture.iter().map(image).collect()
    }
}
