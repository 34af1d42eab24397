//! What a server is asked, and how it is written in its language.

use std::collections::{BTreeMap, BTreeSet};
use tau_core::session::{Batch, Range, StoreError};
use tokio_postgres::types::{ToSql, Type};

use crate::{error::io, schema::quoted};

/// Of so many commits one removes the names of old ones.
const COMMITS_A_TIDYING: u8 = 64;
/// A longer key fits into no index page of the server.
const KEY_BYTES: usize = 2_600;

/// The statements, with the schema's name in them.
#[derive(Debug)]
pub(crate) struct Sql {
    get: String,
    scan: String,
    apply: String,
    tidy: String,
    facts: String,
}

impl Sql {
    pub(crate) fn new(schema: &str) -> Self {
        let schema = quoted(schema);
        Self {
            get: format!("SELECT value FROM {schema}.kv WHERE key = $1"),
            scan: format!(
                "SELECT key, value FROM {schema}.kv WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3"
            ),
            apply: format!("SELECT {schema}.apply($1, $2, $3, $4, $5, $6)"),
            tidy: format!("DELETE FROM {schema}.commits WHERE at < now() - interval '1 hour'"),
            facts: format!(
                "SELECT current_setting('server_version'), current_setting('fsync'), \
                 coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), \
                 (SELECT count(*) FROM {schema}.kv), \
                 pg_total_relation_size('{schema}.kv'), \
                 pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
            ),
        }
    }
}

/// What can be asked.
pub(crate) enum Question {
    Get(String),
    Scan {
        start: String,
        end: String,
        limit: i64,
    },
    Apply(Change),
    Tidy,
    Facts,
}

impl Question {
    /// A question for the rows of a range.
    pub(crate) fn scan(range: Range) -> Self {
        Self::Scan {
            start: bound(range.start),
            end: bound(range.end),
            limit: range.limit.into(),
        }
    }

    /// The statement and what goes with it.
    pub(crate) fn parts<'q>(
        &'q self,
        sql: &'q Sql,
    ) -> (&'q str, Vec<(&'q (dyn ToSql + Sync), Type)>) {
        match self {
            Self::Get(key) => (&sql.get, vec![(key, Type::TEXT)]),
            Self::Scan { start, end, limit } => (
                &sql.scan,
                vec![(start, Type::TEXT), (end, Type::TEXT), (limit, Type::INT8)],
            ),
            Self::Apply(change) => (&sql.apply, change.parts()),
            Self::Tidy => (&sql.tidy, Vec::new()),
            Self::Facts => (&sql.facts, Vec::new()),
        }
    }

    /// How much is sent.
    pub(crate) fn mib(&self) -> u32 {
        match self {
            Self::Apply(change) => change.mib,
            _ => 0,
        }
    }
}

/// A bound of a range as the server takes it, which has no U+0000: no key has one either, so that as
/// many are below the next character.
fn bound(mut key: String) -> String {
    if let Some(at) = key.find('\0') {
        key.truncate(at);
        key.push('\u{1}');
    }
    key
}

/// A batch as the server takes it: every key in one place, in order.
pub(crate) struct Change {
    /// Its name, the same each time it is sent.
    id: Vec<u8>,
    claimed: Vec<String>,
    claimed_values: Vec<Vec<u8>>,
    removed: Vec<String>,
    put: Vec<String>,
    put_values: Vec<Vec<u8>>,
    mib: u32,
}

impl Change {
    pub(crate) fn new(batch: Batch) -> Result<Self, StoreError> {
        let mut id = vec![0; 16];
        getrandom::fill(&mut id).map_err(|error| io(error.to_string()))?;
        let keys = batch.require_absent.iter().chain(&batch.delete);
        for key in keys.chain(batch.put.iter().map(|(key, _)| key)) {
            if key.len() > KEY_BYTES || key.contains('\0') {
                return Err(io(format!(
                    "a key of {} bytes cannot be stored: at most {KEY_BYTES}, and none of them zero",
                    key.len()
                )));
            }
        }
        let bytes: usize = batch.put.iter().map(|(_, value)| value.len()).sum();

        // Of two puts the later wins.
        let mut put: BTreeMap<String, Vec<u8>> = batch.put.into_iter().collect();
        let claims: BTreeSet<String> = batch.require_absent.into_iter().collect();
        let mut removed: BTreeSet<String> = batch.delete.into_iter().collect();
        removed.retain(|key| !put.contains_key(key) && !claims.contains(key));
        let (mut claimed, mut claimed_values) = (Vec::new(), Vec::new());
        for key in claims {
            // A key that has to be absent and stays so is taken for the time of the commit, so that
            // nobody else makes it meanwhile.
            let value = put.remove(&key).unwrap_or_else(|| {
                removed.insert(key.clone());
                Vec::new()
            });
            claimed.push(key);
            claimed_values.push(value);
        }
        let (put, put_values) = put.into_iter().unzip();
        Ok(Self {
            id,
            claimed,
            claimed_values,
            removed: removed.into_iter().collect(),
            put,
            put_values,
            mib: u32::try_from(bytes >> 20).unwrap_or(u32::MAX),
        })
    }

    /// Whether this is one of the few commits that names of old ones are removed after: told by its
    /// own name, so that processes that do one commit each take part.
    pub(crate) fn is_tidying(&self) -> bool {
        self.id[0] < u8::MAX / COMMITS_A_TIDYING
    }

    fn parts(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        const NAME: Type = Type::TEXT_ARRAY;
        const VALUE: Type = Type::BYTEA_ARRAY;
        vec![
            (&self.id, Type::BYTEA),
            (&self.claimed, NAME),
            (&self.claimed_values, VALUE),
            (&self.removed, NAME),
            (&self.put, NAME),
            (&self.put_values, VALUE),
        ]
    }
}
