//! Settings: what a person chose, kept in the store, and what a session is set up with from them.
//!
//! The provider's key is no setting. It is held in memory, named by the origin it was given for, and
//! sent nowhere else: who changes the address does not get the key that was for another. What is
//! kept is only that the endpoint wanted one, so that an unfinished turn waits for it after a reload
//! instead of failing without it.
//!
//! All tabs share what is stored: a change is one to the stored settings as they are then, made by
//! one tab at a time, and told to the others.

use serde_json::Value;
use std::{mem, rc::Rc, sync::Arc};
use tau_core::{
    context::system_prompt,
    json::{self, FromJson, ToJson},
    model::{Api, ModelConfig, Pricing},
    policy::{Action, Policy, Preset},
    safety::{Gate, Source, Untrusted},
    session::{Batch, Budgets, Config, Retry},
    tool::ToolSpec,
};
use tau_platform::{HostTools, Storage};
use wasm_bindgen_futures::JsFuture;

use crate::{
    State,
    browser::{Lock, is_address, words},
    error::Refused,
    memory,
    model::Loaded,
    tools::PAGE,
};

/// Where they are stored.
const ROW: &str = "settings";
/// What an answer may have, where nobody says.
const OUTPUT_TOKENS: u32 = 8_192;
/// Characters of a person's own instructions.
const SYSTEM_LIMIT_BYTES: usize = 64 * 1024;

/// What a person chose, format version 1.
#[derive(Clone, Debug, PartialEq, Eq, FromJson, ToJson)]
#[serde(default)]
pub(crate) struct Settings {
    v: u32,
    pub(crate) base_url: String,
    pub(crate) model: String,
    pub(crate) api: Api,
    context_tokens: u32,
    /// `None` is a quarter of the context, at most [`OUTPUT_TOKENS`].
    max_output_tokens: Option<u32>,
    images: bool,
    policy: Preset,
    system: String,
    memory: bool,
    /// Whether the endpoint was given a key.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub(crate) wants_key: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            v: 1,
            base_url: String::new(),
            model: String::new(),
            api: Api::OpenAi,
            context_tokens: 128_000,
            max_output_tokens: None,
            images: false,
            policy: Preset::Balanced,
            system: String::new(),
            memory: true,
            wants_key: false,
        }
    }
}

impl Settings {
    /// Those of the last visit.
    pub(crate) async fn load(storage: &impl Storage) -> Result<Self, Refused> {
        let Some(stored) = storage.get(ROW.into()).await? else {
            return Ok(Self::default());
        };
        let settings: Self = json::from_slice(&stored).map_err(|error| {
            Refused::new(
                "storage_damaged",
                format!("the settings cannot be read: {error}"),
            )
        })?;
        if settings.v > 1 {
            return Err(Refused::new(
                "storage_newer",
                format!("the settings have format version {}", settings.v),
            )
            .hint("a newer Tau wrote them: reload the page to get it"));
        }
        Ok(settings)
    }

    /// Keeps them.
    pub(crate) fn to_batch(&self) -> Batch {
        Batch {
            put: vec![(ROW.into(), json::to_vec(self))],
            ..Batch::default()
        }
    }

    /// As a page sees them.
    pub(crate) fn show(&self) -> Value {
        let mut shown = json::to_value(self);
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("v");
            shown.remove("wants_key");
            shown.insert("max_output_tokens".into(), self.output_tokens().into());
        }
        shown
    }

    /// These with the values of `changes`, which must be an object.
    pub(crate) fn with(&self, changes: &Value) -> Result<Self, Refused> {
        let Value::Object(changes) = changes else {
            return Err(Refused::bad_request("settings are an object"));
        };
        let mut merged = json::to_value(self);
        let known = self.show();
        for (name, value) in changes {
            if known.get(name).is_none() {
                return Err(Refused::bad_request(format!(
                    "there is no setting {name:?}"
                )));
            }
            merged[name] = value.clone();
        }
        let mut settings: Self =
            json::from_value(merged).map_err(|error| Refused::bad_request(error.to_string()))?;
        settings.check()?;
        if settings.origin() != self.origin() {
            settings.wants_key = false;
        }
        Ok(settings)
    }

    fn check(&mut self) -> Result<(), Refused> {
        self.model = self.model.trim().into();
        self.base_url = self.base_url.trim().trim_end_matches('/').into();
        if !self.base_url.is_empty() && self.origin().is_none() {
            return Err(Refused::bad_request(format!(
                "base_url {:?} is not an http or https address without user and password",
                self.base_url
            )));
        }
        if !(1_024..=10_000_000).contains(&self.context_tokens) {
            return Err(Refused::bad_request(
                "context_tokens lies between 1024 and 10000000",
            ));
        }
        if !(1..self.context_tokens).contains(&self.output_tokens()) {
            return Err(Refused::bad_request(
                "max_output_tokens is at least 1 and leaves something of context_tokens",
            ));
        }
        if self.system.len() > SYSTEM_LIMIT_BYTES {
            return Err(Refused::bad_request("system is longer than 64 KiB"));
        }
        // As a session will have it: what is taken out is not kept beside it either.
        let system = Untrusted::new(mem::take(&mut self.system), Source::Instructions);
        self.system = Gate::new(&self.policy()).vet(system).0.into_inner();
        Ok(())
    }

    pub(crate) fn uses_memory(&self) -> bool {
        self.memory
    }

    fn output_tokens(&self) -> u32 {
        self.max_output_tokens
            .unwrap_or_else(|| OUTPUT_TOKENS.min(self.context_tokens / 4))
    }

    /// Scheme and authority of the endpoint; also the name of its key.
    pub(crate) fn origin(&self) -> Option<&str> {
        let url = &self.base_url;
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| url.starts_with(scheme))?;
        let rest = &url[scheme.len()..];
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_plain = !authority.is_empty()
            && authority
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'@' && b != b'\\');
        is_plain.then(|| &url[..scheme.len() + authority.len()])
    }

    /// What the model asked first is called; nothing when none is chosen.
    pub(crate) fn model_name(&self, loaded: Option<&Loaded>) -> Option<String> {
        match self.api {
            Api::Embedded => loaded.map(|loaded| loaded.model.name.clone()),
            _ if self.base_url.is_empty() || self.model.is_empty() => None,
            _ => Some(self.model.clone()),
        }
    }

    /// The policy of a session.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::preset(self.policy);
        // What stands on a page is the person's: each look is asked for, whatever the preset.
        policy.tools.insert(PAGE.into(), Action::Ask);
        policy
    }

    fn endpoint(&self) -> ModelConfig {
        ModelConfig {
            name: self.model.clone(),
            api: self.api,
            base_url: self.base_url.clone(),
            secret: self.origin().filter(|_| self.wants_key).map(Into::into),
            context_tokens: self.context_tokens,
            max_output_tokens: self.output_tokens(),
            pricing: Pricing::default(),
            images: self.images,
            temperature_milli: None,
        }
    }

    /// What a session is set up with.
    fn config(&self, tools: Vec<ToolSpec>, loaded: Option<&Loaded>) -> Result<Config, Refused> {
        let is_embedded = self.api == Api::Embedded;
        if !is_embedded && self.model_name(None).is_none() {
            return Err(Refused::new("no_model", "no model is chosen").hint(
                "set base_url and model, or load the embedded model and set api to embedded",
            ));
        }
        let (model, mut system, tools) = match (is_embedded, loaded) {
            (false, _) => (self.endpoint(), system_prompt("a web page"), tools),
            (true, Some(loaded)) => {
                let offered = |tool: &ToolSpec| loaded.tools.contains(&tool.name);
                let tools = tools.into_iter().filter(offered).collect();
                (loaded.model.clone(), loaded.system.clone(), tools)
            }
            (true, None) => {
                return Err(Refused::new("no_model", "the embedded model is not loaded")
                    .hint("load it with model.load"));
            }
        };
        if !self.system.trim().is_empty() {
            system += "\n\n";
            system += self.system.trim();
        }
        Ok(Config {
            models: vec![Arc::new(model)],
            system,
            identity: Vec::new(),
            tools,
            policy: self.policy(),
            budgets: Budgets::default(),
            retry: Retry::default(),
            // A model this small invents when it summarises.
            compaction: !is_embedded,
            // Nor does it know what to take back.
            undo_tool: !is_embedded,
            memory: self.memory.then(|| memory::access(is_embedded)),
        })
    }
}

impl State {
    /// What a session is set up with now.
    pub(crate) fn config(&self) -> Result<Config, Refused> {
        use tau_platform::Host;
        let loaded = self.model().loaded();
        let mut config = self
            .settings
            .borrow()
            .config(self.host.tools().specs(), loaded.as_deref())?;
        let granted = self.grants.borrow();
        config.policy.approved.extend(granted.iter().cloned());
        Ok(config)
    }

    /// Changes the settings. A key given for another origin is forgotten.
    pub(crate) async fn change_settings(&self, changes: &Value) -> Result<Value, Refused> {
        self.store_settings(|stored| {
            let changed = stored.with(changes)?;
            if !changed.base_url.is_empty() && !is_address(&changed.base_url) {
                return Err(Refused::bad_request(format!(
                    "base_url {:?} is not an address",
                    changed.base_url
                )));
            }
            Ok(changed)
        })
        .await?;
        Ok(self.settings.borrow().show())
    }

    /// Takes the provider's key into memory.
    pub(crate) async fn set_key(&self, key: &str) -> Result<(), Refused> {
        let key = key.trim();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Refused::bad_request(
                "a key is printable ASCII without spaces",
            ));
        }
        let meant = self.settings.borrow().origin().map(String::from);
        self.key.borrow_mut().set(key);
        let stored = self.store_settings(|stored| {
            // It is for the endpoint this tab showed, not for one that another tab chose meanwhile.
            if stored.origin() == meant.as_deref() {
                return Ok(stored.clone());
            }
            Err(Refused::new("conflict", "another tab changed the endpoint")
                .hint("look at the address, then enter the key again"))
        });
        let stored = stored.await;
        if stored.is_err() {
            self.key.borrow_mut().forget();
        }
        stored
    }

    /// Forgets the key, and that one was wanted.
    pub(crate) async fn forget_key(&self) -> Result<(), Refused> {
        self.key.borrow_mut().forget();
        let forgotten = |stored: &Settings| {
            let mut settings = stored.clone();
            settings.wants_key = false;
            Ok(settings)
        };
        self.store_settings(forgotten).await
    }

    /// Takes the settings that another tab stored.
    pub(crate) async fn settings_changed_elsewhere(self: &Rc<Self>) -> Result<(), Refused> {
        let stored = Settings::load(self.storage()).await?;
        if stored == *self.settings.borrow() {
            return Ok(());
        }
        self.take_settings(stored);
        self.settings_changed();
        let shown = self.settings.borrow().show();
        self.browser.tell("settings", &shown);
        Ok(())
    }

    /// Whether the endpoint had a key that is no longer there.
    pub(crate) fn misses_key(&self) -> bool {
        let settings = self.settings.borrow();
        let origin = settings.origin().filter(|_| settings.api != Api::Embedded);
        settings.wants_key && origin.is_some_and(|origin| self.key.borrow().of(origin).is_none())
    }

    pub(crate) fn has_key(&self) -> bool {
        let settings = self.settings.borrow();
        self.key.borrow().is_for(settings.origin())
    }

    /// Stores what `change` makes of the stored settings, while no other tab changes them.
    async fn store_settings(
        &self,
        change: impl FnOnce(&Settings) -> Result<Settings, Refused>,
    ) -> Result<(), Refused> {
        // No session has this name, so it is no session's lock.
        let request = self.browser.lock(ROW);
        let taken = JsFuture::from(request.taken()).await;
        let lock = Lock(request);
        taken.map_err(|thrown| Refused::new("lock", words(&thrown)))?;
        let stored = Settings::load(self.storage()).await?;
        let mut settings = change(&stored)?;
        let origin = settings.origin();
        settings.wants_key |= origin.is_some() && self.key.borrow().is_for(origin);
        if settings != stored {
            self.commit(settings.to_batch()).await?;
            self.browser.settings_changed();
        }
        self.take_settings(settings);
        drop(lock);
        Ok(())
    }

    /// Goes on with settings as they are stored.
    fn take_settings(&self, settings: Settings) {
        let mut key = self.key.borrow_mut();
        // Another tab forgot it: that no key is wanted holds for all.
        if key.bind(settings.origin()) && !settings.wants_key {
            key.forget();
        }
        drop(key);
        self.settings.replace(settings);
    }
}

/// The provider's key, in memory.
#[derive(Default)]
pub(crate) struct Key {
    value: Option<String>,
    /// The origin it may be sent to; none before an endpoint was named.
    origin: Option<String>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Key {
    fn set(&mut self, value: &str) {
        *self = Self {
            value: Some(value.into()),
            origin: None,
        };
    }

    fn forget(&mut self) {
        *self = Self::default();
    }

    /// Ties a new key to `origin`, and drops one that was given for another. Whether there is a key
    /// for it now.
    fn bind(&mut self, origin: Option<&str>) -> bool {
        match (&self.origin, origin) {
            (None, Some(origin)) if self.value.is_some() => self.origin = Some(origin.into()),
            (Some(own), origin) if Some(own.as_str()) != origin => self.forget(),
            _ => {}
        }
        self.origin.is_some()
    }

    /// The key for `origin`.
    pub(crate) fn of(&self, origin: &str) -> Option<String> {
        self.value
            .clone()
            .filter(|_| self.origin.as_deref() == Some(origin))
    }

    fn is_for(&self, origin: Option<&str>) -> bool {
        self.value.is_some() && (self.origin.is_none() || self.origin.as_deref() == origin)
    }
}

#[cfg(test)]
mod tests;
