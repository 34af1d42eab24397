//! Models as the core sees them: how one is described, what it is asked and what it sends back.
//!
//! A [`ModelRequest`] can hold only [`Vetted`] text, so whatever reaches a model has passed the
//! gate. Providers over HTTP and models in the process both answer with a sequence of [`Delta`]s
//! that ends in [`Delta::Stop`].

mod assemble;

pub use assemble::{AssembleError, Assembled, Assembler};

use alloc::{string::String, sync::Arc, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    json::{FromJson, ToJson},
    message::Message,
    safety::Vetted,
    tool::ToolSpec,
};

/// The wire format a model is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// `POST {base}/chat/completions` as OpenAI, Ollama, llama.cpp, vLLM, OpenRouter speak it.
    #[serde(rename = "openai")]
    OpenAi,
    /// `POST {base}/messages` as Anthropic speaks it.
    Anthropic,
    /// A model inside the home's own process ([`crate::session::Effect::Generate`]).
    Embedded,
}

/// Prices in thousandths of a micro-dollar (1e-9 USD) a token: 1 USD per million tokens is 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Pricing {
    /// A token of the request.
    pub input_nano_usd: u64,
    /// A token of the answer.
    pub output_nano_usd: u64,
    /// A token of the request that the provider had cached.
    pub cached_input_nano_usd: u64,
}

/// Everything needed to call one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ModelConfig {
    /// The name the provider knows it by.
    pub name: String,
    /// How it is spoken to.
    pub api: Api,
    /// Up to and including the version, without trailing slash (`https://api.openai.com/v1`);
    /// empty for [`Api::Embedded`].
    #[serde(default)]
    pub base_url: String,
    /// The secret whose value authenticates the request; `None` sends no credential.
    #[serde(default)]
    pub secret: Option<String>,
    /// Tokens of request and answer together that the model accepts.
    pub context_tokens: u32,
    /// Tokens an answer may have.
    pub max_output_tokens: u32,
    /// What it costs; zero where unknown or free.
    #[serde(default)]
    pub pricing: Pricing,
    /// Whether pictures may be sent.
    #[serde(default)]
    pub images: bool,
    /// 0 to 2 in thousandths, so that configurations compare exactly; `None` leaves the provider's default.
    #[serde(default)]
    pub temperature_milli: Option<u32>,
}

/// Tokens of one model call, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default)]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    pub input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// Those of the input that the provider had cached.
    pub cached_input_tokens: u64,
    /// What they cost by [`ModelConfig::pricing`], in 1e-9 USD.
    pub cost_nano_usd: u64,
}

impl Usage {
    /// Adds another call's tokens and cost; saturates.
    pub fn add(&mut self, other: &Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cached_input_tokens = self
            .cached_input_tokens
            .saturating_add(other.cached_input_tokens);
        self.cost_nano_usd = self.cost_nano_usd.saturating_add(other.cost_nano_usd);
    }

    /// The same tokens with their cost by `pricing`.
    #[must_use]
    pub fn priced(mut self, pricing: &Pricing) -> Self {
        let fresh = self.input_tokens.saturating_sub(self.cached_input_tokens);
        self.cost_nano_usd = fresh
            .saturating_mul(pricing.input_nano_usd)
            .saturating_add(
                self.cached_input_tokens
                    .saturating_mul(pricing.cached_input_nano_usd),
            )
            .saturating_add(self.output_tokens.saturating_mul(pricing.output_nano_usd));
        self
    }

    /// Tokens in and out together.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// Why a model stopped writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said what it wanted.
    EndTurn,
    /// It waits for tool results.
    ToolUse,
    /// It ran into the limit on output tokens.
    MaxTokens,
    /// The provider withheld the rest.
    ContentFilter,
    /// A reason this version does not know, as the provider wrote it.
    Unknown(String),
}

/// The next piece of an answer, in the order it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Delta {
    /// More of the answer's text.
    Text {
        /// To be appended.
        text: String,
    },
    /// More of the reasoning.
    Thinking {
        /// To be appended.
        text: String,
    },
    /// The provider's signature over the reasoning so far.
    ThinkingSignature {
        /// To be kept unchanged.
        signature: String,
    },
    /// A tool call begins.
    ToolCallStart {
        /// Which of the answer's calls, as later fragments name it.
        index: u32,
        /// The provider's id; empty when it sends none.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// More of a tool call's arguments, as JSON text.
    ToolCallArguments {
        /// As in the [`Delta::ToolCallStart`].
        index: u32,
        /// To be appended.
        fragment: String,
    },
    /// Tokens so far; the last one counts.
    Usage {
        /// Totals of this call.
        usage: Usage,
    },
    /// The answer is complete. Nothing but [`Delta::Usage`] may follow.
    Stop {
        /// Why.
        reason: StopReason,
    },
}

/// Whether the model may call tools in this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it sees fit.
    Auto,
    /// It must answer with text. The tools are still listed, so that earlier calls stay valid.
    None,
}

/// One call of a model. Cheap to clone: the parts are shared.
///
/// Written out for a model in another thread; never read back, as [`Vetted`] is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct ModelRequest {
    /// The model asked.
    pub model: Arc<ModelConfig>,
    /// The system prompt.
    pub system: Vetted<Arc<str>>,
    /// The conversation, oldest first; never a tool result without its call before it.
    pub messages: Arc<Vec<Vetted<Arc<Message>>>>,
    /// One instruction of the runtime after the conversation (a last step, a summary to write),
    /// sent as a user message so that the cached prefix stays as it was.
    pub closing: Option<Vetted<Arc<str>>>,
    /// The tools offered, in a fixed order.
    pub tools: Arc<Vec<Vetted<Arc<ToolSpec>>>>,
    /// Whether it may call them.
    pub tool_choice: ToolChoice,
    /// Tokens the answer may have.
    pub max_output_tokens: u32,
}
