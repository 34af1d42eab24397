//! Connections: made when they are first needed, kept for the next question, given up when they
//! are broken.

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::timeout};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use crate::{
    error::{Failure, io, of_connecting},
    options::Options,
    tls,
};

/// How long a connection may take to be made and logged in, and how long a free one is waited for.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the password is, looked up when the first connection is made. The error is words for a
/// person.
#[derive(Clone)]
pub struct Password(Arc<Lookup>);

type Lookup = dyn Fn() -> Result<Option<Zeroizing<String>>, String> + Send + Sync;

impl Password {
    /// One that is looked up by `lookup`.
    pub fn new(
        lookup: impl Fn() -> Result<Option<Zeroizing<String>>, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(lookup))
    }

    /// None: the server knows its user otherwise.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|| Ok(None))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// One server, of which there may be connections.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Options,
    password: Password,
    reached: OnceCell<Reached>,
}

struct Reached {
    config: Config,
    tls: MakeRustlsConnect,
    pool: Pool,
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reached").finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(options: Options, password: Password) -> Self {
        Self {
            options,
            password,
            reached: OnceCell::new(),
        }
    }

    /// A connection nobody else uses at the moment.
    pub(crate) async fn connection(&self) -> Result<Object, Failure> {
        let pool = &self.reached().await?.pool;
        pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => of_connecting(&error),
            PoolError::Timeout(_) => {
                Failure::Unreachable(format!("no connection within {} s", CONNECT.as_secs()))
            }
            other => Failure::Unreachable(other.to_string()),
        })
    }

    /// A connection of its own, which ends with the client.
    pub(crate) async fn own_connection(&self) -> Result<tokio_postgres::Client, Failure> {
        let reached = self.reached().await?;
        let connecting = reached.config.connect(reached.tls.clone());
        let connected = timeout(CONNECT, connecting).await.map_err(|_| {
            Failure::Unreachable(format!("no connection within {} s", CONNECT.as_secs()))
        })?;
        let (client, connection) = connected.map_err(|error| of_connecting(&error))?;
        tokio::spawn(async move {
            // Who uses the client is told of it.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection of a session's hold ended");
            }
        });
        Ok(client)
    }

    async fn reached(&self) -> Result<&Reached, Failure> {
        self.reached
            .get_or_try_init(async || self.prepare())
            .await
            .map_err(|detail| Failure::Refused(io(detail)))
    }

    fn prepare(&self) -> Result<Reached, String> {
        let mut config = self.options.config.clone();
        if let Some(password) = (self.password.0)()? {
            config.password(password.as_bytes());
        }
        let tls = tls::connector(&self.options.tls)?;
        let manager = Manager::from_config(
            config.clone(),
            tls.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(self.options.connections)
            .timeouts(Timeouts {
                wait: Some(CONNECT),
                create: Some(CONNECT),
                recycle: Some(CONNECT),
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Reached { config, tls, pool })
    }
}

/// Ends a connection whose state nobody knows, instead of keeping it for the next question.
pub(crate) fn give_up(connection: Client) {
    drop(Object::take(connection));
}
