//! Providers that are known by name: where they are, where their key is, which model is taken.

use tau_core::model::{Api, ModelConfig, Pricing};

/// A provider that a key in the environment is enough for.
#[derive(Debug)]
pub(crate) struct Known {
    /// As people call it.
    pub(crate) name: &'static str,
    /// The environment variable with its key.
    pub(crate) key_env: &'static str,
    /// What it speaks.
    pub(crate) api: Api,
    /// Where it is.
    pub(crate) base_url: &'static str,
    /// The model taken when none is named.
    pub(crate) model: &'static str,
    /// Of that model.
    pub(crate) context_tokens: u32,
    /// Of an answer.
    pub(crate) max_output_tokens: u32,
    /// Of that model.
    pub(crate) pricing: Pricing,
}

/// In the order in which their keys are looked for.
pub(crate) const KNOWN: [Known; 3] = [
    Known {
        name: "Anthropic",
        key_env: "ANTHROPIC_API_KEY",
        api: Api::Anthropic,
        base_url: "https://api.anthropic.com/v1",
        model: "claude-sonnet-4-5",
        context_tokens: 200_000,
        max_output_tokens: 16_384,
        pricing: usd_per_million(3_000, 15_000, 300),
    },
    Known {
        name: "OpenAI",
        key_env: "OPENAI_API_KEY",
        api: Api::OpenAi,
        base_url: "https://api.openai.com/v1",
        model: "gpt-5-mini",
        context_tokens: 272_000,
        max_output_tokens: 16_384,
        pricing: usd_per_million(250, 2_000, 25),
    },
    Known {
        name: "OpenRouter",
        key_env: "OPENROUTER_API_KEY",
        api: Api::OpenAi,
        base_url: "https://openrouter.ai/api/v1",
        model: "anthropic/claude-sonnet-4.5",
        context_tokens: 200_000,
        max_output_tokens: 16_384,
        pricing: usd_per_million(3_000, 15_000, 300),
    },
];

/// What a server nobody knows is taken to accept, unless the profile says otherwise.
pub(super) const OTHER_CONTEXT_TOKENS: u32 = 128_000;
/// The same for its answers.
pub(super) const OTHER_OUTPUT_TOKENS: u32 = 8_192;

/// Prices in thousandths of a dollar for a million tokens.
const fn usd_per_million(input: u64, output: u64, cached_input: u64) -> Pricing {
    Pricing {
        input_nano_usd: input,
        output_nano_usd: output,
        cached_input_nano_usd: cached_input,
    }
}

/// The known provider at `base_url`; without one, the first that speaks `api`.
pub(super) fn known(api: Option<Api>, base_url: Option<&str>) -> Option<&'static Known> {
    match base_url.map(|url| url.trim_end_matches('/')) {
        Some(url) => KNOWN.iter().find(|known| known.base_url == url),
        None => KNOWN.iter().find(|known| Some(known.api) == api),
    }
}

/// The model inside Tau.
pub(crate) fn embedded() -> ModelConfig {
    tau_target_rten::translate::model()
}
