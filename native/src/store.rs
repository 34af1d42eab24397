//! Which store everything is kept in: a file of this machine, or a server that several share.
//!
//! Invariant: a store that a copy was not finished into is used by nothing but the copy.

use std::{fmt, path::PathBuf, sync::Arc};
use tau_core::{
    egress::Origin,
    ids::{SessionId, UnixMillis},
    session::{Batch, Range, StoreError},
};
use tau_platform::{Clock, Storage, copy};
use tau_target_native::{Secrets, SessionLock, SqliteStorage, TokioClock};
use tau_target_postgres::{Options, OptionsError, Password, PostgresStorage, SessionHold, Tls};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::{
    config::StoreTable,
    credentials::{Keys, Vault},
    exit::{Error, Exit},
    home::Home,
};

/// The environment variable that names another store.
pub(crate) const VARIABLE: &str = "TAU_STORE";
/// Where a password is looked for when the profile says nothing: where `psql` looks.
const PASSWORD: &str = "PGPASSWORD";

/// Where a store is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL server.
    Server(Box<Options>),
}

impl Place {
    /// Reads a path or an address. `name` is what errors call it.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Self, Error> {
        if Options::is_address(text) {
            return match text.parse() {
                Ok(options) => Ok(Self::Server(Box::new(options))),
                Err(error) => Err(refused(name, &error)),
            };
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let scheme: String = scheme.chars().take(20).collect();
            return Err(
                Error::config(format!("{name}: there is no store at {scheme:?}"))
                    .hint("a store is a file, or postgres://USER@HOST/DATABASE"),
            );
        }
        let path = std::path::absolute(text)
            .map_err(|error| Error::config(format!("{name}: is not a path")).cause(error))?;
        Ok(Self::File(path))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(options) => options.fmt(f),
        }
    }
}

fn refused(name: &str, error: &OptionsError) -> Error {
    let refused = Error::config(format!("{name}: {error}"));
    match error {
        OptionsError::Password => refused.hint(
            "an address is shown and logged: put the password into PGPASSWORD, or store it with \
             `tau secret set NAME --host HOST:PORT` and write password = \"secret:NAME\"",
        ),
        _ => refused.hint(
            "such as postgres://tau@db.example/tau; sslmode is verify-full unless it is this machine",
        ),
    }
}

/// A store that is open. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    adapter: Adapter,
    /// Set when it was seen to be whole.
    whole: Arc<OnceCell<()>>,
}

#[derive(Clone, Debug)]
enum Adapter {
    Sqlite(SqliteStorage),
    Postgres(PostgresStorage),
}

impl Store {
    /// Opens the file at `path`, made when it is missing.
    pub(crate) fn file(path: &std::path::Path) -> Result<Self, StoreError> {
        Ok(Self::of(Adapter::Sqlite(SqliteStorage::open(path)?)))
    }

    /// The store in a server, which is not asked before it is needed.
    pub(crate) fn server(options: Options, password: Password) -> Self {
        Self::of(Adapter::Postgres(PostgresStorage::new(options, password)))
    }

    fn of(adapter: Adapter) -> Self {
        Self {
            adapter,
            whole: Arc::default(),
        }
    }

    /// Does without looking whether it is whole: for the copy itself.
    pub(crate) fn unchecked(self) -> Self {
        Self {
            whole: Arc::new(OnceCell::new_with(Some(()))),
            ..self
        }
    }

    /// What is wrong with it, in words; and what it is, when nothing is.
    pub(crate) async fn inspect(&self) -> Result<(String, Vec<String>), StoreError> {
        match &self.adapter {
            Adapter::Sqlite(store) => Ok(("sound".into(), store.integrity_check().await?)),
            Adapter::Postgres(store) => {
                let facts = store.facts().await?;
                let tls = match (facts.encrypted, &store.options().tls) {
                    (false, _) => "not encrypted",
                    (true, Tls::VerifyFull { .. }) => "encrypted, the server is verified",
                    (true, _) => "encrypted, the server is not verified",
                };
                let mut problems = Vec::new();
                if !facts.fsync {
                    problems.push("its fsync is off: a power cut loses what was stored".into());
                }
                if facts.read_only {
                    problems.push("it takes no writes".into());
                }
                let about = format!(
                    "PostgreSQL {}, {tls}, {} keys, {} KiB",
                    facts.version,
                    facts.keys,
                    facts.size_bytes / 1024
                );
                Ok((about, problems))
            }
        }
    }

    /// Takes each of `sessions`, as [`Self::hold`] does.
    pub(crate) async fn hold_all(
        &self,
        home: &Home,
        sessions: &[SessionId],
        program: &str,
    ) -> Result<Vec<Hold>, Error> {
        let now = TokioClock.now();
        let mut held = Vec::new();
        for session in sessions {
            held.push(self.hold(home, session, program, now).await?);
        }
        Ok(held)
    }

    /// Takes `session` for this process, against all others that use this store. `program` tells
    /// them who has it.
    pub(crate) async fn hold(
        &self,
        home: &Home,
        session: &SessionId,
        program: &str,
        now: UnixMillis,
    ) -> Result<Hold, Error> {
        let store = match &self.adapter {
            Adapter::Sqlite(_) => {
                let lock = SessionLock::acquire(&home.locks(), session, program, now)?;
                return Ok(Hold::File { _lock: lock });
            }
            Adapter::Postgres(store) => store,
        };
        match store.hold(session, program, now).await {
            Ok(hold) => Ok(Hold::Server { _hold: hold }),
            Err(StoreError::Locked { holder }) => Err(Error::new(
                Exit::Held,
                format!("session {session} is in use by {holder}"),
            )
            .hint("end that program, or start another session by leaving --session out")),
            Err(error) => Err(error.into()),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        let look = || async {
            match self.adapter.get(copy::UNFINISHED.into()).await? {
                None => Ok(()),
                Some(marker) => Err(StoreError::Io {
                    detail: format!(
                        "it is an unfinished copy of {}: run `tau store copy` again to finish it",
                        copy::source_of(&marker)
                    ),
                }),
            }
        };
        self.whole.get_or_try_init(look).await.map(|_| ())
    }
}

/// The hold of this process on one session, until it is dropped.
#[derive(Debug)]
pub(crate) enum Hold {
    /// Against the processes of this machine.
    File {
        /// Given back when it is dropped.
        _lock: SessionLock,
    },
    /// Against those of every machine.
    Server {
        /// Given back when it is dropped.
        _hold: SessionHold,
    },
}

impl Storage for Store {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.check().await?;
        self.adapter.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.check().await?;
        self.adapter.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.check().await?;
        self.adapter.commit(batch).await
    }
}

impl Storage for Adapter {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Sqlite(store) => store.get(key).await,
            Self::Postgres(store) => store.get(key).await,
        }
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.scan(range).await,
            Self::Postgres(store) => store.scan(range).await,
        }
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.commit(batch).await,
            Self::Postgres(store) => store.commit(batch).await,
        }
    }
}

/// Where the password for `options` is looked up, when the first connection is made: the credential
/// or the variable that `table` names, otherwise `PGPASSWORD`.
pub(crate) fn password(home: &Home, options: &Options, table: &StoreTable) -> Password {
    let origin = options.origin();
    if let Some(secret) = table.password.clone() {
        let home = home.clone();
        return Password::new(move || {
            let origin = origin.as_deref();
            let origin =
                origin.ok_or("a stored password belongs to one server, and these are several")?;
            let origin = Origin::parse(origin).map_err(|refusal| refusal.reason)?;
            let vault = Vault::open(&home, home.ui()).map_err(|error| error.message)?;
            let value = Keys(vault).value(&secret, "password", &origin);
            value.map(Some).map_err(|refusal| match refusal.hint {
                Some(hint) => format!("{}; {hint}", refusal.reason),
                None => refusal.reason,
            })
        });
    }
    let named = table.password_env.clone();
    Password::new(move || match &named {
        Some(name) => match std::env::var(name) {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(_) => Err(format!("the password is to be in {name}, which is not set")),
        },
        None => Ok(std::env::var(PASSWORD).ok().map(Zeroizing::new)),
    })
}
