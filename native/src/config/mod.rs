//! The profile, `config.toml` in Tau's folder: what a person sets once.
//!
//! Invariant: a key that is not read is an error. A workspace cannot bring a profile of its own:
//! a cloned repository must not be able to loosen the policy.

mod edit;
mod lookup;
mod memory;
mod place;
mod probe;
mod providers;

pub(crate) use edit::set;
pub(crate) use lookup::{Choice, choose};
pub(crate) use memory::Memory;
pub(crate) use place::line_of;
pub(crate) use probe::{Server, local_servers};
pub(crate) use providers::{KNOWN, embedded};

use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};
use tau_core::{
    credential::{SCHEME, is_name},
    model::Api,
    policy::Policy,
    safety,
    session::{Budgets, Retry},
    tool::{dispatch, manifest::Trust},
};

use crate::exit::Error;

/// 1e-9 USD in one USD.
const NANO: f64 = 1e9;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Profile {
    /// Whether a conversation that outgrows the model is summarised.
    pub(crate) compaction: bool,
    /// What is remembered and recalled.
    pub(crate) memory: Memory,
    /// The model asked first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<Provider>,
    /// Those asked when it fails, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fallbacks: Vec<Provider>,
    /// What the agent may do.
    pub(crate) policy: Policy,
    /// Whom the person trusts with tools made of WebAssembly.
    pub(crate) tools: Trust,
    /// What a turn may use up.
    pub(crate) budgets: BudgetTable,
    /// How failing model calls are repeated.
    pub(crate) retry: Retry,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            compaction: true,
            memory: Memory::default(),
            provider: None,
            fallbacks: Vec::new(),
            policy: Policy::default(),
            tools: Trust::default(),
            budgets: BudgetTable::default(),
            retry: Retry::default(),
        }
    }
}

/// One model and where it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Provider {
    /// `openai`, `anthropic` or `embedded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<Api>,
    /// Up to and including the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// As the provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// The environment variable with the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_env: Option<String>,
    /// The stored credential with the key, `secret:NAME`, in the place of a variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// Tokens of request and answer together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context_tokens: Option<u32>,
    /// Tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_output_tokens: Option<u32>,
    /// Whether it takes pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) images: Option<bool>,
    /// 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) temperature: Option<f64>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pricing: Option<Prices>,
}

/// USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// Of the request.
    pub(crate) input: f64,
    /// Of the answer.
    pub(crate) output: f64,
    /// Of the request where the provider had it cached; otherwise as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cached_input: Option<f64>,
}

/// Limits of one turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BudgetTable {
    /// Model calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<u32>,
    /// Tokens in and out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<u64>,
    /// Money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_usd: Option<f64>,
    /// Wall time, such as `10m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deadline: Option<String>,
}

impl BudgetTable {
    /// In the core's units.
    pub(crate) fn budgets(&self) -> Result<Budgets, Error> {
        let defaults = Budgets::default();
        let bad = |key: &str, why: String| Error::config(format!("budgets.{key}: {why}"));
        Ok(Budgets {
            steps: match self.steps {
                Some(0) => return Err(bad("steps", "at least 1".into())),
                steps => steps.unwrap_or(defaults.steps),
            },
            tokens: self.tokens,
            cost_nano_usd: self
                .cost_usd
                .map(nano_usd)
                .transpose()
                .map_err(|why| bad("cost_usd", why))?,
            deadline_ms: self
                .deadline
                .as_deref()
                .map(parse_duration_ms)
                .transpose()
                .map_err(|why| bad("deadline", why))?,
        })
    }
}

/// The profile in `file`; the defaults when there is none.
pub(crate) fn load(file: &Path) -> Result<Profile, Error> {
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, &file.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Profile::default()),
        Err(error) => Err(Error::config(format!("{} cannot be read", file.display())).cause(error)),
    }
}

/// The profile written in `text`; `name` is what errors call it.
pub(crate) fn parse(text: &str, name: &str) -> Result<Profile, Error> {
    let profile: Profile = toml::from_str(text).map_err(|error| explain(&error, text, name))?;
    check(&profile).map_err(|error| Error {
        message: format!("{}: {}", at(name, text, &error.message), error.message),
        ..error
    })?;
    Ok(profile)
}

/// The profile's name, and the line of the key that `message` begins with.
fn at(name: &str, text: &str, message: &str) -> String {
    let key = message.split(": ").next().unwrap_or_default();
    match line_of(text, key) {
        Some(line) => format!("{name} line {line}"),
        None => name.to_owned(),
    }
}

fn explain(error: &toml::de::Error, text: &str, name: &str) -> Error {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.matches('\n').count() + 1
    });
    let place = match line {
        Some(line) => format!("{name} line {line}"),
        None => name.to_owned(),
    };
    let message = error.message();
    let failed = Error::config(format!("{place}: {message}"));
    match near(message) {
        Some(near) => failed.hint(format!("did you mean {near}?")),
        None => failed.hint("`tau config --help` lists what can be set"),
    }
}

/// The known key most like the unknown one, read from serde's message.
fn near(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    dispatch::nearest(wrong, known.into_iter()).map(str::to_owned)
}

/// What the types do not say.
fn check(profile: &Profile) -> Result<(), Error> {
    profile.budgets.budgets()?;
    if profile.retry.attempts == 0 {
        return Err(Error::config("retry.attempts: at least 1"));
    }
    if profile.provider.is_none() && !profile.fallbacks.is_empty() {
        return Err(Error::config(
            "fallbacks: there is no [provider] they stand in for",
        ));
    }
    if let Some(provider) = &profile.provider {
        check_provider(provider, "provider")?;
    }
    check_policy(&profile.policy)?;
    for (number, provider) in profile.fallbacks.iter().enumerate() {
        check_provider(provider, &format!("fallbacks[{number}]"))?;
    }
    Ok(())
}

fn check_policy(policy: &Policy) -> Result<(), Error> {
    let bad = |why: String| Error::config(format!("policy.{why}"));
    policy
        .commands
        .check()
        .map_err(|rule| bad(rule.to_string()))?;
    policy.paths.check().map_err(|glob| bad(glob.to_string()))?;
    safety::rules::Rules::compile(&policy.screen.rules).map_err(|rule| {
        let (index, family, why) = (rule.index, rule.family, rule.message);
        bad(format!("screen.rules[{index}].pattern: {family}: {why}"))
    })?;
    if !policy.paths.own.is_empty() || !policy.paths.workspace.is_empty() {
        let key = if policy.paths.own.is_empty() {
            "workspace"
        } else {
            "own"
        };
        return Err(bad(format!(
            "paths.{key}: is found out by Tau, and not set"
        )));
    }
    Ok(())
}

fn check_provider(provider: &Provider, table: &str) -> Result<(), Error> {
    let bad = |what: &str, why: &str| Err(Error::config(format!("{table}.{what}: {why}")));
    if let Some(url) = &provider.base_url
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        return bad("base_url", "begins with http:// or https://");
    }
    if provider
        .temperature
        .is_some_and(|heat| !(0.0..=2.0).contains(&heat))
    {
        return bad("temperature", "between 0 and 2");
    }
    if provider.context_tokens == Some(0) || provider.max_output_tokens == Some(0) {
        return bad("context_tokens, max_output_tokens", "at least 1");
    }
    if let Some(prices) = provider.pricing {
        let all = [Some(prices.input), Some(prices.output), prices.cached_input];
        if all
            .into_iter()
            .flatten()
            .any(|price| !(0.0..1e6).contains(&price))
        {
            return bad("pricing", "USD per million tokens, not negative");
        }
    }
    if let Some(key) = &provider.key {
        // The value itself is not repeated: it may be one.
        let name = key.strip_prefix(SCHEME).filter(|name| is_name(name));
        if name.is_none() {
            return Err(
                Error::config(format!("{table}.key: is not secret:NAME")).hint(
                    "a profile holds no key: store it with `tau secret set NAME --host HOST`, and \
                 write key = \"secret:NAME\"",
                ),
            );
        }
        if provider.key_env.is_some() {
            return bad("key", "is instead of key_env, not beside it");
        }
    }
    if provider.base_url.is_some() && provider.model.is_none() {
        return bad("model", "is needed with base_url");
    }
    Ok(())
}

/// Reads `openai`, `anthropic` or `embedded`.
pub(crate) fn parse_api(text: &str) -> Result<Api, String> {
    match text {
        "openai" => Ok(Api::OpenAi),
        "anthropic" => Ok(Api::Anthropic),
        "embedded" => Ok(Api::Embedded),
        _ => Err("openai, anthropic or embedded".into()),
    }
}

/// An API as it is written in a profile.
pub(crate) fn api_name(api: Api) -> &'static str {
    match api {
        Api::OpenAi => "openai",
        Api::Anthropic => "anthropic",
        Api::Embedded => "embedded",
    }
}

/// Reads an amount of USD as 1e-9 USD.
pub(crate) fn parse_usd(text: &str) -> Result<u64, String> {
    let amount = text.trim_start_matches('$').parse::<f64>();
    nano_usd(amount.map_err(|_| "an amount of USD, such as 0.50".to_owned())?)
}

fn nano_usd(usd: f64) -> Result<u64, String> {
    if !(0.0..=1e9).contains(&usd) {
        return Err("an amount of USD, not negative".into());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1e18"
    )]
    let nano = (usd * NANO).round() as u64;
    Ok(nano)
}

/// Reads `90s`, `10m`, `1h 30m` as ms.
pub(crate) fn parse_duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || "a duration such as 90s, 10m or 1h30m".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    u64::try_from(duration.as_millis())
        .ok()
        .filter(|ms| *ms > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
