//! The credentials of a running process: put into requests, taken out of what comes back.
//!
//! Invariant: a value is opened for one request at a time and wiped with it. To be known again in
//! what comes back, values are also in the [`Redactor`], until the process ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tau_core::{
    credential::{Redactor, SCHEME, Scope, handle},
    egress::Origin,
    policy::Refusal,
};
use tau_platform::Clock;
use tau_target_native::{Secrets, TokioClock};
use zeroize::Zeroizing;

use super::{
    OF, Subject, ask,
    file::{Content, Entry, Place},
    holder::Holder,
    open,
    seal::DataKey,
};
use crate::{
    config::KNOWN,
    exit::{Error, Exit},
    home::Home,
    ui::{self, Ui},
};

/// A use is written down again after so long.
const USED_AGAIN_MS: u64 = 60_000;
/// What a line without a passphrase does.
const WITHOUT: &str = "leaves the stored credentials locked";
/// How often a person may mistype the passphrase.
const ATTEMPTS: usize = 3;

/// What this process knows of the store. Clones of the `Arc` share it.
pub(crate) struct Vault {
    state: Mutex<State>,
    redactor: RwLock<Arc<Redactor>>,
}

/// The vault as the HTTP adapters see it.
pub(crate) struct Keys(pub(crate) Arc<Vault>);

#[derive(Default)]
struct State {
    place: Option<Place>,
    /// The file's text, as `content` was read from.
    text: String,
    content: Option<Content>,
    key: Option<(Holder, DataKey)>,
    /// Why there is no key.
    locked: String,
    /// Values from elsewhere, by what they are called.
    others: Vec<(String, Zeroizing<String>)>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Of a process that uses no stored credential: it knows what the environment holds.
    pub(crate) fn closed() -> Arc<Self> {
        let vault = Self {
            state: Mutex::default(),
            redactor: RwLock::default(),
        };
        {
            let mut state = vault.state();
            state.know_environment();
            vault.learn(&state);
        }
        Arc::new(vault)
    }

    /// Opens the store of `home`, if there is something in it. Without a keyring or a passphrase in
    /// the environment a person is asked where one is there; else the store stays locked, and says
    /// so when a credential is needed.
    ///
    /// Opened once in a process: a passphrase is not asked for twice.
    pub(crate) fn open(home: &Home, ui: Ui) -> Result<Arc<Self>, Error> {
        if let Some(vault) = home.vault().get() {
            return Ok(Arc::clone(vault));
        }
        let vault = Self::fresh(home, ui)?;
        Ok(Arc::clone(home.vault().get_or_init(|| vault)))
    }

    fn fresh(home: &Home, ui: Ui) -> Result<Arc<Self>, Error> {
        let vault = Self::closed();
        let place = Place::of(home);
        let Some(text) = place.read()? else {
            return Ok(vault);
        };
        {
            let mut state = vault.state();
            state.place = Some(place);
            match Content::parse(&text) {
                Ok(content) if content.entries.is_empty() => {}
                Ok(content) => {
                    match unlock(OF, &content.key, WITHOUT, ui) {
                        Ok(Some(key)) => state.key = Some((content.key.clone(), key)),
                        Ok(None) => state.locked = "its passphrase was not given".into(),
                        Err(error) if error.exit == Exit::Auth && ask::given()?.is_some() => {
                            return Err(error);
                        }
                        Err(error) => state.lock(&error, ui),
                    }
                    state.content = Some(content);
                }
                Err(error) => state.lock(&error, ui),
            }
            state.text = text;
            for name in vault.learn(&state) {
                ui.warn(format!(
                    "the credential {name} was altered on the disk: it is not used"
                ));
            }
        }
        Ok(vault)
    }

    /// Keeps the values of these environment variables out of what comes back, too.
    pub(crate) fn watch<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut state = self.state();
        for name in names.filter(|name| !name.starts_with(SCHEME)) {
            state.know(name);
        }
        self.learn(&state);
    }

    /// Whether the credential that `secret` names (`secret:NAME`) can be sent there in that header.
    pub(crate) fn check(&self, secret: &str, header: &str, url: &str) -> Result<(), Error> {
        let refused = |refusal: Refusal| Error {
            hint: refusal.hint,
            ..Error::new(Exit::Auth, refusal.reason)
        };
        let target = tau_core::egress::parse(url).map_err(refused)?;
        let state = self.state();
        state
            .entry(secret, header, target.origin())
            .map_err(refused)?;
        state.key().map(|_| ()).map_err(refused)
    }

    /// What a model may write, and for which host.
    pub(crate) fn handles(&self) -> Vec<(String, String)> {
        let state = self.state();
        let entries = state.content.iter().flat_map(|content| &content.entries);
        entries
            .map(|(name, entry)| (handle(name), entry.host.clone()))
            .collect()
    }

    /// What takes known values out.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        let redactor = self.redactor.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&redactor)
    }

    /// Takes known values out of `text`; says whether there was one.
    pub(crate) fn redact(&self, text: &mut String) -> bool {
        match self.redactor().redact(text) {
            Some(clean) => {
                *text = clean;
                true
            }
            None => false,
        }
    }

    /// Makes the redactor anew. Gives the names of entries that do not open.
    fn learn(&self, state: &State) -> Vec<String> {
        let mut redactor = Redactor::default();
        let mut altered = Vec::new();
        for (name, value) in &state.others {
            redactor.add(name, value);
        }
        if let (Some(content), Some((_, key))) = (&state.content, &state.key) {
            for (name, entry) in &content.entries {
                match open(key, name, entry) {
                    Ok(value) => redactor.add(name, &value),
                    Err(_) => altered.push(name.clone()),
                }
            }
        }
        *self
            .redactor
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(redactor);
        altered
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets for Keys {
    fn value(
        &self,
        name: &str,
        header: &str,
        origin: &Origin,
    ) -> Result<Zeroizing<String>, Refusal> {
        let Some(stored) = name.strip_prefix(SCHEME) else {
            let value = std::env::var(name).map(Zeroizing::new);
            return value.map_err(|_| refuse(format!("the secret {name} is not set"), None));
        };
        let vault = &*self.0;
        let mut state = vault.state();
        if state.refresh()? {
            vault.learn(&state);
        }
        let entry = state.entry(name, header, origin)?;
        let value = open(state.key()?, stored, &entry)
            .map_err(|error| refuse(error.message, error.cause))?;
        state.note_use(stored);
        tracing::debug!(credential = stored, %origin, "credential used");
        Ok(value)
    }
}

impl State {
    /// Reads the file again if another process changed it; says whether it did.
    fn refresh(&mut self) -> Result<bool, Refusal> {
        let failed = |error: Error| refuse(error.message, error.hint);
        let Some(place) = &self.place else {
            return Ok(false);
        };
        let text = place.read().map_err(failed)?.unwrap_or_default();
        if text == self.text {
            return Ok(false);
        }
        self.content = match text.is_empty() {
            true => None,
            false => Some(Content::parse(&text).map_err(failed)?),
        };
        self.text = text;
        let holder = self.content.as_ref().map(|content| &content.key);
        if self.key.is_some() && self.key.as_ref().map(|(holder, _)| holder) != holder {
            self.key = None;
            self.locked = "it was given another key while this program ran".into();
        }
        Ok(true)
    }

    /// The entry of `secret`, if it may go there.
    fn entry(&self, secret: &str, header: &str, origin: &Origin) -> Result<Entry, Refusal> {
        let name = secret.strip_prefix(SCHEME).unwrap_or(secret);
        let entries = self.content.as_ref().map(|content| &content.entries);
        let Some(entry) = entries.and_then(|entries| entries.get(name)) else {
            let known: Vec<String> = entries
                .into_iter()
                .flatten()
                .map(|(name, entry)| format!("{} for {}", handle(name), entry.host))
                .collect();
            let hint = match known.is_empty() {
                true => "none is stored; a person can store one with `tau secret set`".into(),
                false => format!("stored are {}", known.join(", ")),
            };
            return Err(refuse(format!("there is no credential {name}"), Some(hint)));
        };
        Scope::parse(&entry.host)?.check(name, origin)?;
        if let Some(only) = &entry.header
            && !only.eq_ignore_ascii_case(header)
        {
            let reason = format!("the credential {name} goes into the header {only}, not {header}");
            return Err(refuse(reason, Some(format!("use the header {only}"))));
        }
        Ok(entry.clone())
    }

    fn key(&self) -> Result<&DataKey, Refusal> {
        let key = self.key.as_ref().map(|(_, key)| key);
        key.ok_or_else(|| {
            refuse(
                format!("the credential store is locked: {}", self.locked),
                Some("a person unlocks it: in a terminal, or with TAU_PASSPHRASE_FILE".into()),
            )
        })
    }

    fn lock(&mut self, error: &Error, ui: Ui) {
        self.locked.clone_from(&error.message);
        let cause = error.cause.as_ref().map(|cause| format!(": {cause}"));
        ui.warn(format!(
            "{}{}; stored credentials are not used",
            error.message,
            cause.unwrap_or_default()
        ));
    }

    /// Writes down that `name` was used. That it could not be is no reason not to send.
    fn note_use(&mut self, name: &str) {
        let now = TokioClock.now();
        let (Some(place), Some(content)) = (&self.place, &mut self.content) else {
            return;
        };
        let used = content.entries.get(name).and_then(|entry| entry.used_ms);
        if used.is_some_and(|used| now.0.saturating_sub(used) < USED_AGAIN_MS) {
            return;
        }
        let written = place.hold().and_then(|held| {
            let text = place.read()?.unwrap_or_default();
            let mut fresh = Content::parse(&text)?;
            if let Some(entry) = fresh.entries.get_mut(name) {
                entry.used_ms = Some(now.0);
            }
            place.write(&held, &fresh)
        });
        match written {
            Ok(()) => {
                if let Some(entry) = content.entries.get_mut(name) {
                    entry.used_ms = Some(now.0);
                }
            }
            Err(error) => tracing::debug!(error = %error.message, "a use could not be noted"),
        }
    }

    /// What the environment holds for any provider, and for the store itself.
    fn know_environment(&mut self) {
        for name in KNOWN.iter().map(|known| known.key_env) {
            self.know(name);
        }
        self.know("TAU_API_KEY");
        self.know("PGPASSWORD");
        if let Ok(Some(passphrase)) = ask::given() {
            self.others.push(("TAU_PASSPHRASE".into(), passphrase));
        }
    }

    fn know(&mut self, name: &str) {
        if self.others.iter().any(|(known, _)| known == name) {
            return;
        }
        if let Ok(value) = std::env::var(name) {
            self.others.push((name.into(), Zeroizing::new(value)));
        }
    }
}

/// The key of what is sealed; `None` when a passphrase is needed and nobody gives it. Who is asked is
/// told what an empty line is: `without`.
pub(crate) fn unlock(
    of: Subject,
    holder: &Holder,
    without: &str,
    ui: Ui,
) -> Result<Option<DataKey>, Error> {
    if !holder.wants_passphrase() || ask::given()?.is_some() {
        return holder.open(of, || ask::passphrase(of, ui)).map(Some);
    }
    if !ui::can_ask() {
        return Ok(None);
    }
    ui.note(format!("a line without a passphrase {without}"));
    for attempt in 1..=ATTEMPTS {
        let passphrase = ask::passphrase(of, ui)?;
        if passphrase.is_empty() {
            return Ok(None);
        }
        match holder.open(of, || Ok(passphrase)) {
            Err(error) if error.exit == Exit::Auth && attempt < ATTEMPTS => ui.error(&error),
            done => return done.map(Some),
        }
    }
    Ok(None)
}

fn refuse(reason: String, hint: Option<String>) -> Refusal {
    Refusal {
        rule: "credentials".into(),
        reason,
        hint,
    }
}
