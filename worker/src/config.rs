//! What the Worker is told by its bindings, and what a session makes of it.
//!
//! | binding | kind | what it is |
//! |---|---|---|
//! | `SESSIONS` | Durable Object, class `SessionObject`, SQLite | one object a session |
//! | `DIRECTORIES` | Durable Object, class `Directory`, SQLite | one object a principal: the list of sessions, memory, the rate |
//! | `AI` | Workers AI, optional | models whose name begins with `@cf/` |
//! | `TAU_TOKENS` | secret | who is let in: `{"alice": "token"}` or lines `alice=token` |
//! | `TAU_API_KEY` | secret, optional | the provider's key |
//! | `TAU_IDENTITY_SEED` | secret, optional | 32 bytes in base64 that the agent's keys derive from; random ones, kept in an object |
//! | `TAU_MODEL` | variable | the model's name |
//! | `TAU_BASE_URL` | variable | the provider, up to and including the version; not for `@cf/` |
//! | `TAU_API` | variable | `openai` (default) or `anthropic` |
//! | `TAU_CONTEXT_TOKENS` | variable | tokens of request and answer together; 128000, for `@cf/` 32000 |
//! | `TAU_MAX_OUTPUT_TOKENS` | variable | tokens of an answer; 8192, at most a quarter of the context |
//! | `TAU_IMAGES` | variable | `true` where the model takes pictures |
//! | `TAU_PRICING` | variable | `{"input_nano_usd":…,"output_nano_usd":…,"cached_input_nano_usd":…}` a token |
//! | `TAU_POLICY` | variable | preset of sessions that name none; `balanced` |
//! | `TAU_EMBEDDINGS` | variable | the model that makes memory's vectors: `@cf/…` by the binding `AI`, or one of the next; none |
//! | `TAU_EMBEDDINGS_URL` | variable | a server that speaks like OpenAI's `/embeddings`, up to and including the version |
//! | `TAU_EMBEDDINGS_KEY` | secret, optional | its key |
//! | `TAU_EMBEDDINGS_DIMENSIONS` | variable | numbers of a vector, where the model is not a known one of Workers AI |
//! | `TAU_SOUL` | variable | who the agent is, in every session, as a file `SOUL.md` says it natively; none |
//! | `TAU_AGENTS` | variable | the same for how it works; none |
//! | `TAU_ALLOWED_ORIGINS` | variable | pages that may call it, separated by commas; none |
//! | `TAU_HTTP_ALLOWED` | variable | origins the tool `http` reaches beyond the public web, separated by commas; none |
//! | `TAU_REQUESTS_PER_MINUTE` | variable | of one principal; 120 |
//! | `TAU_SESSIONS_PER_PRINCIPAL` | variable | 1000 |
//!
//! Invariant: a variable that makes no sense is told, never replaced by a default.

use core::str::FromStr;
use std::sync::Arc;
use tau_core::{
    context::system_prompt,
    egress::{HostRule, Origin},
    identity_files::{File, Found, Kind, Section, budget_tokens, sections},
    ids::{SessionId, UnixMillis},
    json::{self, FromJson, ToJson},
    memory::Access,
    model::{Api, ModelConfig, Pricing},
    policy::{Policy, Preset},
    session::{Budgets, Config, Retry},
    tool::ToolSpec,
};
use wasm_bindgen::JsValue;
use worker::{Env, ObjectNamespace};

use crate::{auth::Tokens, errors::ApiError};

/// The secret that holds the provider's key.
pub(crate) const API_KEY: &str = "TAU_API_KEY";
/// The binding of Workers AI.
pub(crate) const AI: &str = "AI";
/// How models of Workers AI are called.
pub(crate) const AI_PREFIX: &str = "@cf/";
/// Estimated tokens of what is recalled at the beginning of a turn.
const RECALL_TOKENS: u32 = 300;

const CONTEXT_TOKENS: u32 = 128_000;
const AI_CONTEXT_TOKENS: u32 = 32_000;
const OUTPUT_TOKENS: u32 = 8_192;

/// What a session is begun with, kept in its object.
#[derive(Clone, Debug, PartialEq, Eq, FromJson, ToJson)]
pub(crate) struct Setup {
    /// Format version.
    pub(crate) v: u32,
    /// Its name.
    pub(crate) session: SessionId,
    /// Whose it is.
    pub(crate) principal: String,
    /// What its ids are drawn from.
    pub(crate) seed: [u8; 32],
    /// When it was begun.
    pub(crate) created: UnixMillis,
    /// What was asked for.
    pub(crate) terms: Terms,
}

/// What whoever begins a session may choose.
#[derive(Clone, Debug, PartialEq, Eq, FromJson, ToJson)]
pub(crate) struct Terms {
    /// Added to the system prompt.
    pub(crate) system: Option<String>,
    /// Its policy.
    pub(crate) policy: Policy,
    /// What a turn may use up.
    pub(crate) budgets: Budgets,
}

/// The Worker's settings. Cheap: nothing is read before it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    env: Env,
}

impl Settings {
    pub(crate) fn new(env: Env) -> Self {
        Self { env }
    }

    /// The objects of sessions.
    pub(crate) fn sessions(&self) -> Result<ObjectNamespace, ApiError> {
        self.namespace("SESSIONS")
    }

    /// The objects of principals.
    pub(crate) fn directories(&self) -> Result<ObjectNamespace, ApiError> {
        self.namespace("DIRECTORIES")
    }

    fn namespace(&self, name: &str) -> Result<ObjectNamespace, ApiError> {
        self.env
            .durable_object(name)
            .map_err(|_| ApiError::misconfigured(format!("the Worker has no binding {name}")))
    }

    /// A binding as it is.
    pub(crate) fn binding(&self, name: &str) -> JsValue {
        js_sys::Reflect::get(&self.env, &name.into()).unwrap_or(JsValue::UNDEFINED)
    }

    /// A variable or a secret; none when it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.binding(name).as_string()?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.into())
    }

    fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = |_| ApiError::misconfigured(format!("the variable {name} is not {what}"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Who is let in.
    pub(crate) fn tokens(&self) -> Result<Tokens, ApiError> {
        Tokens::parse(self.text("TAU_TOKENS").as_deref())
    }

    /// Whether a page of `origin` may call.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        let allowed = self.text("TAU_ALLOWED_ORIGINS").unwrap_or_default();
        allowed
            .split(',')
            .map(|allowed| allowed.trim().trim_end_matches('/'))
            .any(|allowed| !allowed.is_empty() && allowed == origin)
    }

    /// What the tool `http` may reach beyond what a session's policy says.
    fn egress(&self) -> Result<Vec<HostRule>, ApiError> {
        let set = self.text("TAU_HTTP_ALLOWED").unwrap_or_default();
        let origins = set
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let allowed = origins.map(|text| {
            let origin = Origin::parse(text).map(HostRule::Origin);
            origin.map_err(|refusal| {
                ApiError::misconfigured(format!(
                    "{text:?} in TAU_HTTP_ALLOWED is no origin: {}",
                    refusal.reason
                ))
                .hint("write it like http://127.0.0.1:8080")
            })
        });
        allowed.collect()
    }

    /// Requests a principal may make in a minute.
    pub(crate) fn requests_per_minute(&self) -> Result<u32, ApiError> {
        let set = self.parsed("TAU_REQUESTS_PER_MINUTE", "a number of requests")?;
        Ok(set.unwrap_or(120))
    }

    /// Numbers of a vector of the model for embeddings.
    pub(crate) fn embedding_dimensions(&self) -> Result<Option<u32>, ApiError> {
        let name = "TAU_EMBEDDINGS_DIMENSIONS";
        match self.parsed(name, "a number of numbers")? {
            Some(0 | 8_193..) => Err(ApiError::misconfigured(format!(
                "the variable {name} is not between 1 and 8192"
            ))),
            dimensions => Ok(dimensions),
        }
    }

    /// Sessions a principal may have.
    pub(crate) fn sessions_per_principal(&self) -> Result<u32, ApiError> {
        let set = self.parsed("TAU_SESSIONS_PER_PRINCIPAL", "a number of sessions")?;
        Ok(set.unwrap_or(1_000))
    }

    /// The policy of a session that names none.
    pub(crate) fn policy(&self) -> Result<Policy, ApiError> {
        let preset: Option<Preset> =
            self.parsed("TAU_POLICY", "permissive, balanced, strict or hardened")?;
        Ok(Policy::preset(preset.unwrap_or_default()))
    }

    /// The model, and how it is reached.
    pub(crate) fn model(&self) -> Result<ModelConfig, ApiError> {
        let Some(name) = self.text("TAU_MODEL") else {
            return Err(no_model("no model is set"));
        };
        let is_bound = name.starts_with(AI_PREFIX);
        let base_url = self.text("TAU_BASE_URL").unwrap_or_default();
        let api = if is_bound {
            if self.binding(AI).is_undefined() {
                return Err(no_model(&format!(
                    "{name} is a model of Workers AI, and the Worker has no binding {AI}"
                )));
            }
            Api::Embedded
        } else {
            if !base_url.starts_with("https://") && !base_url.starts_with("http://") {
                return Err(no_model("TAU_BASE_URL is not set to a provider's address"));
            }
            match self.text("TAU_API").as_deref() {
                None | Some("openai") => Api::OpenAi,
                Some("anthropic") => Api::Anthropic,
                Some(_) => return Err(no_model("TAU_API is neither openai nor anthropic")),
            }
        };
        let what = "a number of tokens";
        let context_tokens = self
            .parsed("TAU_CONTEXT_TOKENS", what)?
            .unwrap_or(if is_bound {
                AI_CONTEXT_TOKENS
            } else {
                CONTEXT_TOKENS
            });
        let max_output_tokens = self
            .parsed("TAU_MAX_OUTPUT_TOKENS", what)?
            .unwrap_or(OUTPUT_TOKENS.min(context_tokens / 4).max(1));
        if max_output_tokens == 0 || max_output_tokens >= context_tokens {
            return Err(ApiError::misconfigured(format!(
                "TAU_MAX_OUTPUT_TOKENS ({max_output_tokens}) is nothing, or leaves nothing of TAU_CONTEXT_TOKENS ({context_tokens})"
            )));
        }
        Ok(ModelConfig {
            name,
            api,
            base_url: if is_bound {
                String::new()
            } else {
                base_url.trim_end_matches('/').into()
            },
            secret: (!is_bound && self.text(API_KEY).is_some()).then(|| API_KEY.into()),
            context_tokens,
            max_output_tokens,
            pricing: self.pricing()?,
            images: self.parsed("TAU_IMAGES", "true or false")?.unwrap_or(false),
            temperature_milli: None,
        })
    }

    fn pricing(&self) -> Result<Pricing, ApiError> {
        let Some(text) = self.text("TAU_PRICING") else {
            return Ok(Pricing::default());
        };
        json::from_str(&text).map_err(|error| {
            ApiError::misconfigured(format!("the variable TAU_PRICING is not a price: {error}"))
        })
    }

    /// What the operator says of the agent in every session. Whom it works for is not among it:
    /// that differs by principal, who say it in a session's own system prompt.
    fn identity(&self, budget_tokens: u32) -> Vec<Section> {
        let variables = [(Kind::Soul, "TAU_SOUL"), (Kind::Agents, "TAU_AGENTS")];
        let files = variables.into_iter().map(|(kind, name)| File {
            kind,
            found: match self.text(name) {
                Some(text) => Found::Bytes {
                    total_bytes: text.len() as u64,
                    bytes: text.into_bytes(),
                },
                None => Found::Missing,
            },
            confirmed: true,
        });
        sections(files.collect(), budget_tokens).0
    }

    /// What a session of these terms is opened with.
    pub(crate) fn session(&self, terms: &Terms, tools: Vec<ToolSpec>) -> Result<Config, ApiError> {
        let mut system = system_prompt("a Worker, without files and programs");
        if let Some(more) = &terms.system {
            system.push_str("\n\n");
            system.push_str(more);
        }
        let models = vec![Arc::new(self.model()?)];
        let mut policy = terms.policy.clone();
        // In the policy, so that the dispatcher decides by it as the tool does.
        policy.http.allow.extend(self.egress()?);
        Ok(Config {
            identity: self.identity(budget_tokens(&models)),
            models,
            system,
            tools,
            policy,
            budgets: terms.budgets,
            retry: Retry::default(),
            compaction: true,
            undo_tool: true,
            memory: Some(memory_access()),
        })
    }
}

/// What of a principal's memory they and their sessions see: all of it is theirs.
pub(crate) fn memory_access() -> Access {
    Access {
        recall_tokens: RECALL_TOKENS,
        manages: true,
        ..Access::of_person()
    }
}

fn no_model(message: &str) -> ApiError {
    ApiError::new(503, "no_model", message).hint(
        "set TAU_MODEL and TAU_BASE_URL (and the secret TAU_API_KEY), or TAU_MODEL to a model of Workers AI (@cf/…) with the binding AI",
    )
}
