//! The store: questions and commits, asked again where that is safe.
//!
//! A read may always be repeated. A commit goes out under a name of its own, which the server
//! keeps with what it did: sent again, it is done if it was not, and found done if it was. So a
//! connection that dies at any moment, or a server that does, leaves no doubt for as long as the
//! server comes back in time; if it does not, the error says that the outcome is not known.

use futures_util::TryStreamExt;
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tau_core::{
    ids::{SessionId, UnixMillis},
    session::{Batch, Range, StoreError},
};
use tau_platform::{Storage, storage::conflict};
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};
use tokio_postgres::{Client, Row};

use crate::{
    error::{Failure, io, of_question},
    hold::SessionHold,
    options::Options,
    question::{Change, Question, Sql},
    schema,
    server::{Password, Server, give_up},
};

/// How long one answer, or the next row of one, may take.
const ANSWER: Duration = Duration::from_secs(30);
/// For each MiB that is sent, so much longer.
const ANSWER_PER_MIB: Duration = Duration::from_secs(1);
/// How often others may be in the way.
const BUSY_TRIES: u32 = 12;

/// A store in a server. Clones share its connections; so may any number of processes, on any number
/// of machines. Needs a tokio runtime. Nothing is connected before the first question.
#[derive(Clone, Debug)]
pub struct PostgresStorage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: Server,
    sql: Sql,
    /// Set when the tables were looked at.
    checked: OnceCell<()>,
    /// Whether the server ever answered: one that never did is not waited for.
    answered: AtomicBool,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its version.
    pub version: String,
    /// Whether what it acknowledges is on its disk.
    pub fsync: bool,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Keys in the store.
    pub keys: u64,
    /// Bytes that the store takes on its disk.
    pub size_bytes: u64,
    /// Whether it refuses writes.
    pub read_only: bool,
}

impl PostgresStorage {
    /// The store at `options`. The tables are made when they are missing, with the first question.
    #[must_use]
    pub fn new(options: Options, password: Password) -> Self {
        let sql = Sql::new(&options.schema);
        Self {
            shared: Arc::new(Shared {
                server: Server::new(options, password),
                sql,
                checked: OnceCell::new(),
                answered: AtomicBool::new(false),
            }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.server.options
    }

    /// What the server says of itself and of the store.
    pub async fn facts(&self) -> Result<Facts, StoreError> {
        let rows = self.ask(&Question::Facts).await?;
        let row = rows
            .first()
            .ok_or_else(|| io("the server gave no answer"))?;
        let count = |at: usize| column::<i64>(row, at).map(|number| number.unsigned_abs());
        Ok(Facts {
            version: column(row, 0)?,
            fsync: column::<String>(row, 1)? == "on",
            encrypted: column(row, 2)?,
            keys: count(3)?,
            size_bytes: count(4)?,
            read_only: column(row, 5)?,
        })
    }

    /// Takes `session` for this process, against all that use this store, on whichever machine; until
    /// the hold is dropped or the process ends in any way.
    ///
    /// `program` tells others who has it. Waits at most half a second: a process killed just now
    /// may still seem to hold it. Fails with [`StoreError::Locked`] naming the holder.
    pub async fn hold(
        &self,
        session: &SessionId,
        program: &str,
        now: UnixMillis,
    ) -> Result<SessionHold, StoreError> {
        // So that the tables are there.
        self.get(String::new()).await?;
        SessionHold::take(&self.shared.server, session, program, now).await
    }

    /// Asks until there is an answer, or none is to be had.
    async fn ask(&self, question: &Question) -> Result<Vec<Row>, StoreError> {
        let begun = Instant::now();
        let patience = self.options().patience;
        let (mut tries, mut was_lost) = (0_u32, false);
        loop {
            let (failure, detail) = match self.attempt(question).await {
                Ok(rows) => {
                    self.shared.answered.store(true, Ordering::Relaxed);
                    return Ok(rows);
                }
                Err(Failure::Taken(key)) => return Err(conflict(&key)),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Busy(detail)) => (Kind::Busy, detail),
                Err(Failure::Unreachable(detail)) => (Kind::Unreachable, detail),
                Err(Failure::Lost(detail)) => (Kind::Lost, detail),
            };
            tries += 1;
            was_lost |= failure == Kind::Lost;
            let is_known = self.shared.answered.load(Ordering::Relaxed);
            let over = match failure {
                Kind::Busy => tries >= BUSY_TRIES || begun.elapsed() >= patience,
                // Kept connections may all be broken: those are found out one by one, for nothing.
                _ => begun.elapsed() >= patience || !(is_known || was_lost),
            };
            if over {
                return Err(self.told(question, failure, &detail, was_lost));
            }
            tracing::debug!(%detail, tries, "the store is asked again");
            sleep(pause(tries)).await;
        }
    }

    /// The words for having given up.
    fn told(&self, question: &Question, kind: Kind, detail: &str, was_lost: bool) -> StoreError {
        if kind == Kind::Busy && !was_lost {
            return StoreError::Locked {
                holder: format!("other processes that are writing ({detail})"),
            };
        }
        let place = self.options();
        if was_lost && matches!(question, Question::Apply(_)) {
            return io(format!(
                "the connection to {place} was lost while it stored something, and did not come \
                 back within {} s ({detail}): whether it was stored is not known",
                place.patience.as_secs()
            ));
        }
        match was_lost {
            true => io(format!("the connection to {place} was lost: {detail}")),
            false => io(format!("{place} cannot be reached: {detail}")),
        }
    }

    async fn attempt(&self, question: &Question) -> Result<Vec<Row>, Failure> {
        let mut connection = self.shared.server.connection().await?;
        let schema = &self.options().schema;
        let checked = self
            .shared
            .checked
            .get_or_try_init(async || schema::ensure(&mut connection, schema).await)
            .await;
        let answer = match checked {
            Ok(()) => self.send(&connection, question).await,
            Err(failure) => Err(failure),
        };
        if matches!(answer, Err(Failure::Lost(_))) {
            give_up(connection);
        }
        answer
    }

    async fn send(&self, client: &Client, question: &Question) -> Result<Vec<Row>, Failure> {
        let late = |_| Failure::Lost(format!("no answer within {} s", ANSWER.as_secs()));
        let failed = |error| of_question(&error);
        let (sql, parameters) = question.parts(&self.shared.sql);
        let patience = ANSWER + ANSWER_PER_MIB * question.mib();
        let sent = client.query_typed_raw(sql, parameters);
        let answer = timeout(patience, sent).await.map_err(late)?;
        let mut stream = pin!(answer.map_err(failed)?);
        let mut rows = Vec::new();
        // To the end: the server commits after the last row, and says so only then.
        while let Some(row) = timeout(patience, stream.try_next())
            .await
            .map_err(late)?
            .map_err(failed)?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Removes the names of commits that nobody asks for any more. That it fails hurts nobody.
    async fn tidy(&self) {
        if let Err(error) = self.ask(&Question::Tidy).await {
            tracing::debug!(%error, "names of old commits were not removed");
        }
    }
}

impl Storage for PostgresStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.ask(&Question::Get(key)).await?;
        rows.first().map(|row| column(row, 0)).transpose()
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = self.ask(&Question::scan(range)).await?;
        rows.iter()
            .map(|row| Ok((column(row, 0)?, column(row, 1)?)))
            .collect()
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let change = Change::new(batch)?;
        let is_tidying = change.is_tidying();
        self.ask(&Question::Apply(change)).await?;
        if is_tidying {
            self.tidy().await;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Busy,
    Unreachable,
    Lost,
}

/// Longer each time, and not the same for everybody.
fn pause(tries: u32) -> Duration {
    let mut byte = [0];
    // Without randomness it is the same for everybody after all.
    let _ = getrandom::fill(&mut byte);
    let most_ms = 10_u64 << tries.min(6);
    Duration::from_millis(most_ms / 2 + most_ms * u64::from(byte[0]) / 510)
}

fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    at: usize,
) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| io(error.to_string()))
}
