//! Which model is asked: flags, then the profile, then a key in the environment. What has to be
//! looked for outside (a server on localhost, the embedded model) is asked for by the caller.

use std::sync::Arc;
use tau_core::model::{Api, ModelConfig, Pricing};

use super::{
    Prices, Profile, Provider,
    providers::{self, KNOWN, Known, OTHER_CONTEXT_TOKENS, OTHER_OUTPUT_TOKENS},
};
use crate::{
    cli::ModelFlags,
    exit::{Error, Exit},
};

/// The environment, by name. Values may be secrets: they are only looked at for being there.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The models to ask, in order, and why these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Never empty.
    pub(crate) models: Vec<Arc<ModelConfig>>,
    /// Such as `ANTHROPIC_API_KEY is set`.
    pub(crate) why: String,
}

impl Choice {
    /// One model.
    pub(crate) fn one(model: ModelConfig, why: impl Into<String>) -> Self {
        Self {
            models: vec![Arc::new(model)],
            why: why.into(),
        }
    }
}

/// What flags, profile and environment say; `None` when they say nothing.
pub(crate) fn choose(
    flags: &ModelFlags,
    profile: &Profile,
    env: Env<'_>,
) -> Result<Option<Choice>, Error> {
    let choice = look_up(flags, profile, env)?;
    let mut models = choice.iter().flat_map(|choice| &choice.models);
    models.try_for_each(|model| check_address(model))?;
    Ok(choice)
}

fn look_up(flags: &ModelFlags, profile: &Profile, env: Env<'_>) -> Result<Option<Choice>, Error> {
    if flags.api == Some(Api::Embedded) || flags.model.as_deref() == Some("embedded") {
        return Ok(Some(Choice::one(providers::embedded(), "asked for")));
    }
    if flags.base_url.is_some() || flags.api.is_some() {
        return by_flags(flags, env).map(Some);
    }
    if let Some(provider) = &profile.provider {
        return by_profile(flags, profile, provider, env).map(Some);
    }
    if let Some(found) = by_environment(flags, env)? {
        return Ok(Some(found));
    }
    if flags.key_env.is_some() {
        return Err(Error::usage("--key-env says nothing without a provider")
            .hint("add --base-url URL or --api KIND"));
    }
    Ok(None)
}

fn by_flags(flags: &ModelFlags, env: Env<'_>) -> Result<Choice, Error> {
    if flags.base_url.is_some() && flags.model.is_none() {
        return Err(Error::usage("--base-url needs --model").hint("name a model of that server"));
    }
    let provider = Provider {
        api: flags.api,
        base_url: flags.base_url.clone(),
        model: flags.model.clone(),
        key_env: flags.key_env.clone(),
        ..Provider::default()
    };
    let why = match flags.base_url {
        Some(_) => "--base-url",
        None => "--api",
    };
    Ok(Choice::one(model(&provider, env)?, why))
}

fn by_profile(
    flags: &ModelFlags,
    profile: &Profile,
    provider: &Provider,
    env: Env<'_>,
) -> Result<Choice, Error> {
    let mut first = provider.clone();
    if let Some(name) = &flags.model {
        if first.model.as_ref() != Some(name) {
            // Its price is another one.
            first.pricing = None;
        }
        first.model = Some(name.clone());
    }
    if flags.key_env.is_some() {
        first.key = None;
        first.key_env.clone_from(&flags.key_env);
    }
    let mut models = vec![Arc::new(model(&first, env)?)];
    for fallback in &profile.fallbacks {
        models.push(Arc::new(model(fallback, env)?));
    }
    let why = match &flags.model {
        Some(_) => "--model, at the provider of the profile",
        None => "named in the profile",
    };
    Ok(Choice {
        models,
        why: why.into(),
    })
}

fn by_environment(flags: &ModelFlags, env: Env<'_>) -> Result<Option<Choice>, Error> {
    let Some(known) = KNOWN.iter().find(|known| is_set(env, known.key_env)) else {
        return Ok(None);
    };
    let elsewhere = (known.key_env == "OPENAI_API_KEY")
        .then(|| value(env, "OPENAI_BASE_URL"))
        .flatten();
    let mut found = of_known(known);
    if let Some(name) = &flags.model {
        name.clone_into(&mut found.name);
    }
    if flags.model.as_ref().is_some_and(|name| name != known.model) || elsewhere.is_some() {
        found.pricing = Pricing::default();
    }
    if let Some(url) = elsewhere {
        url.trim_end_matches('/').clone_into(&mut found.base_url);
    }
    let secret = flags.key_env.as_deref().unwrap_or(known.key_env);
    if !is_set(env, secret) {
        return Err(missing(secret));
    }
    found.secret = Some(secret.into());
    Ok(Some(Choice::one(found, format!("{secret} is set"))))
}

/// The model a provider's entry describes.
fn model(provider: &Provider, env: Env<'_>) -> Result<ModelConfig, Error> {
    if provider.api == Some(Api::Embedded) {
        return Ok(providers::embedded());
    }
    let base_url = provider.base_url.as_deref();
    let guessed = match (provider.api, base_url) {
        (None, None) => KNOWN.iter().find(|known| is_set(env, known.key_env)),
        (api, url) => providers::known(api, url),
    };
    let known = guessed.filter(|known| provider.api.is_none_or(|api| api == known.api));
    let api = provider
        .api
        .or(known.map(|known| known.api))
        .unwrap_or(Api::OpenAi);
    let (Some(base_url), Some(name)) = (
        base_url.or(known.map(|known| known.base_url)),
        provider.model.as_deref().or(known.map(|known| known.model)),
    ) else {
        return Err(Error::config("no provider is named and no key is set")
            .hint("set provider.api or provider.base_url, or one of the keys `tau doctor` names"));
    };
    let fresh = ModelConfig {
        name: name.into(),
        api,
        base_url: base_url.trim_end_matches('/').into(),
        secret: None,
        context_tokens: OTHER_CONTEXT_TOKENS,
        max_output_tokens: OTHER_OUTPUT_TOKENS,
        pricing: Pricing::default(),
        images: false,
        temperature_milli: None,
    };
    let mut model = match known {
        Some(known) => ModelConfig {
            name: name.into(),
            pricing: if name == known.model {
                known.pricing
            } else {
                Pricing::default()
            },
            ..of_known(known)
        },
        None => fresh,
    };
    model.secret = secret(provider, known, api, env)?;
    if let Some(tokens) = provider.context_tokens {
        model.context_tokens = tokens;
        model.max_output_tokens = model.max_output_tokens.min(tokens / 4).max(1);
    }
    model.max_output_tokens = provider
        .max_output_tokens
        .unwrap_or(model.max_output_tokens);
    if model.max_output_tokens >= model.context_tokens {
        return Err(Error::config(format!(
            "max_output_tokens ({}) leaves nothing of context_tokens ({})",
            model.max_output_tokens, model.context_tokens
        )));
    }
    model.images = provider.images.unwrap_or(model.images);
    model.temperature_milli = provider.temperature.map(|heat| thousandths(heat) as u32);
    if let Some(prices) = &provider.pricing {
        model.pricing = pricing(prices);
    }
    Ok(model)
}

fn of_known(known: &Known) -> ModelConfig {
    ModelConfig {
        name: known.model.into(),
        api: known.api,
        base_url: known.base_url.into(),
        secret: Some(known.key_env.into()),
        context_tokens: known.context_tokens,
        max_output_tokens: known.max_output_tokens,
        pricing: known.pricing,
        images: true,
        temperature_milli: None,
    }
}

/// The environment variable or stored credential with the key; `None` sends none, as local servers
/// want it.
fn secret(
    provider: &Provider,
    known: Option<&Known>,
    api: Api,
    env: Env<'_>,
) -> Result<Option<String>, Error> {
    if let Some(stored) = &provider.key {
        // Whether it is there and for this server, the vault says.
        return Ok(Some(stored.clone()));
    }
    if let Some(name) = &provider.key_env {
        return needed(env, name).map(Some);
    }
    if let Some(known) = known {
        let found = [known.key_env, "TAU_API_KEY"]
            .into_iter()
            .find(|name| is_set(env, name));
        return found
            .map(|name| Some(name.into()))
            .ok_or_else(|| missing(known.key_env));
    }
    let of_api = match api {
        Api::Anthropic => "ANTHROPIC_API_KEY",
        Api::OpenAi | Api::Embedded => "OPENAI_API_KEY",
    };
    let found = ["TAU_API_KEY", of_api]
        .into_iter()
        .find(|name| is_set(env, name));
    Ok(found.map(Into::into))
}

/// `name`, if the environment has it.
pub(super) fn needed(env: Env<'_>, name: &str) -> Result<String, Error> {
    match is_set(env, name) {
        true => Ok(name.into()),
        false => Err(missing(name)),
    }
}

fn missing(name: &str) -> Error {
    Error::new(Exit::Auth, format!("the environment has no {name}"))
        .hint(format!("export {name}=… with the provider's key"))
}

fn check_address(model: &ModelConfig) -> Result<(), Error> {
    check_url(&model.base_url, &model.name)
}

/// Addresses are shown and stored; what is secret belongs into a variable.
pub(super) fn check_url(base_url: &str, name: &str) -> Result<(), Error> {
    let authority = base_url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    if authority.contains('@') || base_url.contains(['?', '#']) {
        let told = format!("the base URL of {name} has a user, a password or a query in it");
        return Err(Error::usage(told)
            .hint("put the key into an environment variable and name it: --key-env, or key_env"));
    }
    Ok(())
}

fn pricing(prices: &Prices) -> Pricing {
    Pricing {
        input_nano_usd: thousandths(prices.input),
        output_nano_usd: thousandths(prices.output),
        cached_input_nano_usd: thousandths(prices.cached_input.unwrap_or(prices.input)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the profile was checked: not negative, below 1e6"
)]
fn thousandths(value: f64) -> u64 {
    (value * 1_000.0).round() as u64
}

fn is_set(env: Env<'_>, name: &str) -> bool {
    value(env, name).is_some()
}

fn value(env: Env<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// `api name base_url secret (why)`, or the error.
    fn looked_up(flags: &str, profile: &str, env: &[(&str, &str)]) -> String {
        let env: BTreeMap<&str, &str> = env.iter().copied().collect();
        let mut wanted = ModelFlags::default();
        for flag in flags.split_whitespace() {
            let (name, value) = flag.split_once('=').unwrap();
            let value = value.to_owned();
            match name {
                "model" => wanted.model = Some(value),
                "url" => wanted.base_url = Some(value),
                "api" => wanted.api = Some(super::super::parse_api(&value).unwrap()),
                "key" => wanted.key_env = Some(value),
                other => panic!("{other}"),
            }
        }
        let profile = super::super::parse(profile, "p").unwrap();
        let env = |name: &str| env.get(name).map(|value| (*value).to_owned());
        match choose(&wanted, &profile, &env) {
            Ok(None) => "nothing".into(),
            Err(error) => format!("{}: {}", error.exit as u8, error.message),
            Ok(Some(choice)) => {
                let models = choice.models.iter().map(|model| {
                    let api = super::super::api_name(model.api);
                    let secret = model.secret.as_deref().unwrap_or("-");
                    format!("{api} {} {} {secret}", model.name, model.base_url)
                });
                let models: Vec<_> = models.collect();
                format!("{} ({})", models.join(", "), choice.why)
            }
        }
    }

    const PROFILE: &str = "[provider]\nbase_url = \"http://h/v1\"\nmodel = \"p\"\n";

    #[test]
    fn flags_come_before_the_profile_and_that_before_keys() {
        let keys = &[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "a")];
        for (flags, profile, expected) in [
            (
                "url=http://x/v1/ model=m",
                PROFILE,
                "openai m http://x/v1 OPENAI_API_KEY (--base-url)",
            ),
            (
                "url=http://x/v1 model=m api=anthropic",
                PROFILE,
                "anthropic m http://x/v1 ANTHROPIC_API_KEY (--base-url)",
            ),
            (
                "model=embedded",
                PROFILE,
                "embedded embedded  - (asked for)",
            ),
            (
                "",
                PROFILE,
                "openai p http://h/v1 OPENAI_API_KEY (named in the profile)",
            ),
            (
                "model=q",
                PROFILE,
                "openai q http://h/v1 OPENAI_API_KEY (--model, at the provider of the profile)",
            ),
            (
                "",
                "",
                "anthropic claude-sonnet-4-5 https://api.anthropic.com/v1 ANTHROPIC_API_KEY (ANTHROPIC_API_KEY is set)",
            ),
            (
                "api=openai",
                "",
                "openai gpt-5-mini https://api.openai.com/v1 OPENAI_API_KEY (--api)",
            ),
        ] {
            assert_eq!(looked_up(flags, profile, keys), expected, "{flags}");
        }
    }

    #[test]
    fn a_server_without_a_key_gets_none() {
        assert_eq!(
            looked_up("url=http://x/v1 model=m", "", &[("OPENAI_API_KEY", " ")]),
            "openai m http://x/v1 - (--base-url)"
        );
        assert_eq!(
            looked_up(
                "url=http://x/v1 model=m",
                "",
                &[("OPENAI_API_KEY", "o"), ("TAU_API_KEY", "t")]
            ),
            "openai m http://x/v1 TAU_API_KEY (--base-url)"
        );
    }

    #[test]
    fn keys_are_looked_for_in_order() {
        assert_eq!(looked_up("", "", &[]), "nothing");
        assert_eq!(
            looked_up(
                "",
                "",
                &[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://o/v1")]
            ),
            "openai gpt-5-mini http://o/v1 OPENAI_API_KEY (OPENAI_API_KEY is set)"
        );
        assert_eq!(
            looked_up("model=z", "", &[("OPENROUTER_API_KEY", "k")]),
            "openai z https://openrouter.ai/api/v1 OPENROUTER_API_KEY (OPENROUTER_API_KEY is set)"
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        for (flags, profile, expected) in [
            ("url=http://x/v1", "", "2: --base-url needs --model"),
            ("key=K", "", "2: --key-env says nothing without a provider"),
            (
                "api=anthropic",
                "",
                "4: the environment has no ANTHROPIC_API_KEY",
            ),
            (
                "url=http://x/v1 model=m key=K",
                "",
                "4: the environment has no K",
            ),
            (
                "",
                "[provider]\nmodel = \"m\"",
                "3: no provider is named and no key is set",
            ),
        ] {
            assert_eq!(looked_up(flags, profile, &[]), expected);
        }
    }

    #[test]
    fn fallbacks_follow_the_first_model() {
        let profile = format!("{PROFILE}\n[[fallbacks]]\napi = \"embedded\"\n");
        assert_eq!(
            looked_up("", &profile, &[]),
            "openai p http://h/v1 -, embedded embedded  - (named in the profile)"
        );
    }

    #[test]
    fn prices_are_those_of_the_model() {
        let env = |name: &str| (name == "ANTHROPIC_API_KEY").then(|| "k".to_owned());
        let cost = |flags: &ModelFlags, profile: &str| {
            let profile = super::super::parse(profile, "p").unwrap();
            let choice = choose(flags, &profile, &env).unwrap().unwrap();
            choice.models[0].pricing.output_nano_usd
        };
        assert_eq!(cost(&ModelFlags::default(), ""), 15_000);
        let other = ModelFlags {
            model: Some("other".into()),
            ..ModelFlags::default()
        };
        assert_eq!(cost(&other, ""), 0);
        let priced = format!("{PROFILE}[provider.pricing]\ninput = 0.5\noutput = 1.5\n");
        assert_eq!(cost(&ModelFlags::default(), &priced), 1_500);
    }
}
