//! One process a session, on whichever machine: an advisory lock that the server gives back when
//! its holder's connection ends.
//!
//! Invariant: the lock is the server's, never the text in `holders`, which only tells who it is. A
//! holder whose machine vanished is found out by the server's own questions within a minute; should
//! it come back and go on writing, the journal refuses it.

use sha2::{Digest, Sha256};
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    session::StoreError,
};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Error, types::Type};

use crate::{
    error::{Failure, io, of_question},
    schema::quoted,
    server::Server,
};

/// How long the lock of a process that was killed just now may live on.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How the server finds out about a machine that vanished: asked after 20 s of silence, three times.
const VANISHED: &str = "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; \
                        SET tcp_keepalives_count = 3; \
                        SELECT set_config(name, '0', false) FROM pg_settings \
                        WHERE name = 'idle_session_timeout'";

/// The hold of this process on one session, until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct SessionHold {
    /// The lock is its connection's.
    client: Client,
}

impl SessionHold {
    pub(crate) async fn take(
        server: &Server,
        session: &SessionId,
        program: &str,
        now: UnixMillis,
    ) -> Result<Self, StoreError> {
        let schema = &server.options.schema;
        let client = server.own_connection().await.map_err(words)?;
        answered(client.batch_execute(VANISHED)).await?;
        let lock = lock_of(schema, session);
        let begun = Instant::now();
        loop {
            let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
                &[(&lock, Type::INT8)];
            let sql = "SELECT pg_try_advisory_lock($1)";
            let rows = answered(client.query_typed(sql, parameters)).await?;
            if rows.first().is_some_and(|row| row.get(0)) {
                break;
            }
            if begun.elapsed() >= PATIENCE {
                let holder = holder(&client, schema, session).await?;
                return Err(StoreError::Locked { holder });
            }
            sleep(Duration::from_millis(50)).await;
        }
        let sql = format!(
            "INSERT INTO {}.holders (session, holder) VALUES ($1, $2) \
             ON CONFLICT (session) DO UPDATE SET holder = excluded.holder",
            quoted(schema)
        );
        let who = who(program, now);
        answered(client.query_typed(&sql, &[(&session.0, Type::TEXT), (&who, Type::TEXT)])).await?;
        Ok(Self { client })
    }

    /// Whether the server still knows of it. Once it does not, another process may take the session.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.client.is_closed()
    }
}

async fn holder(client: &Client, schema: &str, session: &SessionId) -> Result<String, StoreError> {
    let sql = format!(
        "SELECT holder FROM {}.holders WHERE session = $1",
        quoted(schema)
    );
    let rows = answered(client.query_typed(&sql, &[(&session.0, Type::TEXT)])).await?;
    // It may be writing itself down this very moment.
    Ok(rows
        .first()
        .map_or_else(|| "another process".to_owned(), |row| row.get(0)))
}

async fn answered<T>(question: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match timeout(ANSWER, question).await {
        Ok(answer) => answer.map_err(|error| words(of_question(&error))),
        Err(_) => Err(io(format!("no answer within {} s", ANSWER.as_secs()))),
    }
}

fn words(failure: Failure) -> StoreError {
    match failure {
        Failure::Refused(error) => error,
        Failure::Taken(detail)
        | Failure::Busy(detail)
        | Failure::Unreachable(detail)
        | Failure::Lost(detail) => io(detail),
    }
}

/// Who has a session, in words for others.
fn who(program: &str, now: UnixMillis) -> String {
    let process = std::process::id();
    let since = i64::try_from(now.0)
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    match since {
        Some(at) => format!(
            "{program} (process {process} on {}) since {at:.0}",
            machine()
        ),
        None => format!("{program} (process {process} on {})", machine()),
    }
}

/// What this machine calls itself.
#[cfg(unix)]
fn machine() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// What this machine calls itself.
#[cfg(not(unix))]
fn machine() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "another machine".to_owned())
}

/// The number of a session's lock: such locks have numbers, and are common to a whole database.
fn lock_of(schema: &str, session: &SessionId) -> i64 {
    let digest = Sha256::digest(format!("tau session {schema} {session}"));
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(bytes)
}
