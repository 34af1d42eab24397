//! Who the agent of this home is: made at its first turn, sealed on the disk, known to its store.
//!
//! Invariants: the seed is in no store and in no log, and leaves this module only as keys that sign,
//! or sealed with a passphrase for another home. A change of keys is on the disk before the new key
//! signs anything. The store's copy of the log follows the file's.

mod file;
mod keeper;

pub(crate) use keeper::Protection;

use serde_json::Value;
use std::path::Path;
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid,
    kel::{self, Change, KeyLog},
    time::Timestamp,
};
use tau_platform::{
    Clock, Signer, SignerError, TreeSigner, own_log,
    peers::{self, LogError},
};
use tau_target_native::TokioClock;
use zeroize::Zeroizing;

use crate::{
    credentials::{
        KeptBy, Subject, ask,
        seal::{DataKey, random},
    },
    exit::{Error, Exit},
    home::Home,
    private_file::{Held, PrivateFile},
    store::Store,
    ui::Ui,
};
use file::{Content, MOST_BYTES, Moving, SEED_BYTES, Seed};
use keeper::Keeper;

/// What an agent is called that nobody called anything.
pub(crate) const LABEL: &str = "tau";

/// What changes, given the keys there are.
pub(crate) type ToChange = Box<dyn FnOnce(&TreeSigner) -> Change>;

/// The identity of a home. What it holds needs no key to be looked at; signing does.
pub(crate) struct Identity {
    home: Home,
    content: Content,
    log: KeyLog,
}

impl Identity {
    /// The one of `home`, if there is one.
    pub(crate) fn load(home: &Home) -> Result<Option<Self>, Error> {
        let Some(bytes) = place(home).read(MOST_BYTES)? else {
            return Ok(None);
        };
        let (content, log) = Content::parse(&bytes)?;
        let home = home.clone();
        Ok(Some(Self { home, content, log }))
    }

    /// The one of `home`, which must be there.
    pub(crate) fn need(home: &Home) -> Result<Self, Error> {
        Self::load(home)?.ok_or_else(|| {
            Error::usage("this agent has no identity yet")
                .hint("`tau identity new` makes one; so does the first turn")
        })
    }

    /// Makes one, unless there is one already: says whether it is new.
    pub(crate) fn make(
        home: &Home,
        label: &str,
        wanted: Option<KeptBy>,
        ui: Ui,
    ) -> Result<(Self, bool), Error> {
        let mut seed = Seed(Zeroizing::new([0; SEED_BYTES]));
        random(&mut *seed.0)?;
        let refused = |error: kel::Error| {
            Error::usage(format!("an agent cannot be called {label:?}"))
                .cause(error)
                .hint("small letters, digits, hyphens and underscores, such as tau or build-bot")
        };
        let made = Timestamp::from_unix_ms(TokioClock.now().0)
            .map_err(|error| Error::internal("the clock is out of range").cause(error))?;
        let log = KeyLog::of_tree(label, &seed.tree(), made).map_err(refused)?;
        // Before the lock: a person may be asked.
        let fresh = Keeper::fresh(home, wanted, false, ui)?;
        let held = place(home).hold()?;
        if let Some(there) = Self::load(home)? {
            fresh.1.forget(home)?;
            return Ok((there, false));
        }
        Ok((Self::write(home, &held, fresh, &seed, log)?, true))
    }

    /// Seals `seed` and `log` in the place of what is there.
    fn write(
        home: &Home,
        held: &Held,
        (key, keeper): (DataKey, Keeper),
        seed: &Seed,
        log: KeyLog,
    ) -> Result<Self, Error> {
        let content = Content::new(keeper, &key, seed, &log)?;
        place(home).write(held, &content.to_bytes()?)?;
        let home = home.clone();
        Ok(Self { home, content, log })
    }

    /// The log of its keys. It may fork.
    pub(crate) fn log(&self) -> &KeyLog {
        &self.log
    }

    /// Who it is.
    pub(crate) fn did(&self) -> &AgentDid {
        self.log.unchecked_state().did()
    }

    /// What protects its seed.
    pub(crate) fn protection(&self) -> Protection {
        self.content.key.protection()
    }

    /// Its keys; `None` where a passphrase is needed and nobody gives it.
    pub(crate) fn unlock(&self, ui: Ui) -> Result<Option<TreeSigner>, Error> {
        let Some(seed) = self.seed(ui)? else {
            return Ok(None);
        };
        let signer = TreeSigner::new(seed.tree(), self.log.clone());
        signer.map(Some).map_err(of_signer)
    }

    /// Its keys, for a command that is nothing without them.
    pub(crate) fn need_unlocked(&self, ui: Ui) -> Result<TreeSigner, Error> {
        self.unlock(ui)?.ok_or_else(locked)
    }

    fn seed(&self, ui: Ui) -> Result<Option<Seed>, Error> {
        let key = self.content.key.unlock(&self.home, ui)?;
        key.map(|key| self.content.open(&key, &self.log))
            .transpose()
    }

    /// Makes these changes of its keys, each derived from the keys before it. Killed at any moment, the
    /// log and the keys are those before all of them or after.
    pub(crate) async fn change(&mut self, changes: Vec<ToChange>, ui: Ui) -> Result<(), Error> {
        let signer = self.need_unlocked(ui)?;
        let held = place(&self.home).hold()?;
        let mut signer = self.again(signer)?;
        for change in changes {
            let change = change(&signer);
            let changed = signer.changed(change, TokioClock.now()).await;
            signer = changed.map_err(of_signer)?;
        }
        self.put_log(&held, signer.log())
    }

    /// The keys with the log as it is now that nobody else changes it.
    fn again(&mut self, signer: TreeSigner) -> Result<TreeSigner, Error> {
        let now = Self::need(&self.home)?;
        if now.did() != self.did() || now.content.key != self.content.key {
            return Err(
                Error::usage("another program changed the identity meanwhile").hint("try again"),
            );
        }
        *self = now;
        signer.with_log(self.log.clone()).map_err(of_signer)
    }

    fn put_log(&mut self, held: &Held, log: &KeyLog) -> Result<(), Error> {
        let content = self.content.clone().with_log(log)?;
        place(&self.home).write(held, &content.to_bytes()?)?;
        self.content = content;
        self.log = log.clone();
        Ok(())
    }

    /// Brings file and store to the same log. In a store that is another agent's, this one's is kept
    /// among the others, so that what it signs can be checked there too.
    pub(crate) async fn settle(&mut self, storage: &Store) -> Result<(), Error> {
        let (log, _) = match own_log::load(storage).await.map_err(of_log)? {
            Some(kept) if kept == self.log => return Ok(()),
            Some(kept) if kept.unchecked_state().did() != self.did() => {
                peers::learn(storage, &self.log).await.map_err(of_log)?
            }
            _ => own_log::keep(storage, &self.log).await.map_err(of_log)?,
        };
        if log == self.log {
            return Ok(());
        }
        let held = place(&self.home).hold()?;
        let now = Self::need(&self.home)?;
        if now.did() == self.did() {
            *self = now;
            let mut all = self.log.clone();
            // A fork is no failure here: it is kept, and told by whoever asks for a key.
            let _ = all.merge(&log);
            self.put_log(&held, &all)?;
        }
        Ok(())
    }

    /// Seals the seed anew, with a fresh key held as `wanted`.
    pub(crate) fn rekey(&mut self, wanted: KeptBy, ui: Ui) -> Result<(), Error> {
        let seed = self.seed(ui)?.ok_or_else(locked)?;
        let signer = TreeSigner::new(seed.tree(), self.log.clone()).map_err(of_signer)?;
        let changing = self.protection() == Protection::Passphrase;
        let fresh = Keeper::fresh(&self.home, Some(wanted), changing, ui)?;
        let held = place(&self.home).hold()?;
        drop(self.again(signer)?);
        let before = self.content.key.clone();
        *self = Self::write(&self.home, &held, fresh, &seed, self.log.clone())?;
        before.forget(&self.home)
    }

    /// Everything that makes the agent, sealed with `passphrase`, for another home.
    pub(crate) fn pack(&self, passphrase: &str, ui: Ui) -> Result<Vec<u8>, Error> {
        ask::long_enough(passphrase)?;
        let seed = self.seed(ui)?.ok_or_else(locked)?;
        Moving::new(&seed, &self.log, passphrase)?.to_bytes()
    }

    /// Whether `value` is what [`Identity::pack`] makes.
    pub(crate) fn is_packed(value: &Value) -> bool {
        Moving::is(value)
    }

    /// Lets the agent that was packed live here. One that is here already is kept aside if it is to be
    /// replaced, otherwise this is refused.
    pub(crate) async fn unpack(
        home: &Home,
        packed: Value,
        passphrase: Option<&Path>,
        replace: bool,
        wanted: Option<KeptBy>,
        ui: Ui,
    ) -> Result<Self, Error> {
        let here = Self::load(home)?;
        if let (Some(here), false) = (&here, replace) {
            let did = here.did();
            return Err(Error::usage(format!("this home is {did} already"))
                .hint("--replace puts the other one in its place; the present one is kept aside"));
        }
        let (seed, log) = Moving::open(packed, || match passphrase {
            Some(file) => ask::in_file(file),
            None => ask::passphrase(Subject::Moving, ui),
        })?;
        TreeSigner::new(seed.tree(), log.clone()).map_err(of_signer)?;
        let storage = home.store()?;
        let fresh = Keeper::fresh(home, wanted, false, ui)?;
        let held = place(home).hold()?;
        let here = Self::load(home)?;
        let log = match &here {
            // What this home has seen of the agent since is not undone.
            Some(here) if here.did() == log.unchecked_state().did() => {
                let mut all = here.log.clone();
                let _ = all.merge(&log);
                all
            }
            Some(here) => {
                let digits = here.did().fingerprint().unwrap_or_default();
                let aside = home.root().join(format!("identity-{digits}.json"));
                PrivateFile::new(home, aside).write(&held, &here.content.to_bytes()?)?;
                log
            }
            None => log,
        };
        let mut identity = Self::write(home, &held, fresh, &seed, log)?;
        drop(held);
        if let Some(here) = here.as_ref().filter(|here| here.did() == identity.did()) {
            here.content.key.forget(home)?;
        }
        let known = own_log::load(&storage).await.map_err(of_log)?;
        if let Some(known) = known
            && known.unchecked_state().did() != identity.did()
            && here.is_some_and(|here| here.did() == known.unchecked_state().did())
        {
            // What it signed stays checkable.
            own_log::remove(&storage).await.map_err(of_log)?;
            peers::learn(&storage, &known).await.map_err(of_log)?;
        }
        identity.settle(&storage).await?;
        Ok(identity)
    }
}

/// What it means that nobody signs.
const UNSIGNED: &str = "nothing is signed, and sessions that were signed do not go on";

/// Who signs in a turn, made if this home has nobody yet. Whatever is wrong with it is told, and a turn
/// goes on without signatures where its session has none.
pub(crate) async fn signer(home: &Home, storage: &Store, ui: Ui) -> Option<TreeSigner> {
    match find(home, storage, ui).await {
        Ok(Some(signer)) => Some(signer),
        Ok(None) => {
            ui.note(format!("the agent's identity is locked: {UNSIGNED}"));
            None
        }
        Err(error) => {
            let cause = error.cause.map(|cause| format!(": {cause}"));
            let cause = cause.unwrap_or_default();
            ui.warn(format!("{}{cause}; {UNSIGNED}", error.message));
            None
        }
    }
}

async fn find(home: &Home, storage: &Store, ui: Ui) -> Result<Option<TreeSigner>, Error> {
    let mut identity = match Identity::load(home)? {
        Some(identity) => identity,
        None => {
            let (identity, is_new) = Identity::make(home, LABEL, None, ui)?;
            if is_new {
                ui.note(format!("the agent's identity: {}", identity.did()));
            }
            identity
        }
    };
    identity.settle(storage).await?;
    identity.log.state().map_err(|error| of_kel(&error))?;
    identity.unlock(ui)
}

/// Goes on with the keys as they are now: another program may have changed them since.
pub(crate) fn refreshed(home: &Home, signer: TreeSigner) -> Option<TreeSigner> {
    let Ok(Some(now)) = Identity::load(home) else {
        return Some(signer);
    };
    if now.log == *signer.log() {
        return Some(signer);
    }
    // Another agent's log fits no key of this one's.
    signer.with_log(now.log).ok()
}

/// When `at` was, for people.
pub(crate) fn date(at: UnixMillis) -> String {
    match i64::try_from(at.0).map(jiff::Timestamp::from_millisecond) {
        Ok(Ok(at)) => format!("{at:.0}"),
        _ => "unknown".into(),
    }
}

/// Why a key does not sign, as the program ends with it.
pub(crate) fn of_signer(error: SignerError) -> Error {
    Error::new(Exit::Auth, error.to_string()).hint(match error {
        SignerError::NoKey { .. } => "`tau identity show` says which keys there are",
        SignerError::OtherKeys { .. } | SignerError::Failed { .. } => {
            "take identity.json back from a copy that belongs together"
        }
    })
}

/// Why a log is not taken, as the program ends with it.
pub(crate) fn of_log(error: LogError) -> Error {
    match error {
        LogError::Store(error) => error.into(),
        LogError::Refused(error) => of_kel(&error),
        error @ LogError::Damaged { .. } => Error::new(Exit::Store, error.to_string())
            .hint("`tau identity forget DID` removes the log of another agent"),
        error @ LogError::Full { .. } => {
            Error::usage(error.to_string()).hint("`tau identity forget DID` makes room")
        }
    }
}

/// Why a log says nothing, as the program ends with it.
pub(crate) fn of_kel(error: &kel::Error) -> Error {
    let told = Error::new(Exit::Auth, error.to_string());
    match error {
        kel::Error::Fork { .. } => {
            told.hint("somebody else has its identity key: begin again under another name")
        }
        _ => told.cause(error.reason_code()),
    }
}

fn locked() -> Error {
    Error::new(Exit::Auth, "the agent's identity is locked")
        .hint("give its passphrase: in a terminal, in TAU_PASSPHRASE_FILE, or in TAU_PASSPHRASE")
}

fn place(home: &Home) -> PrivateFile {
    PrivateFile::new(home, home.identity_file())
}
