//! What the tables are, before they are used: none yet, ours, another program's, a newer Tau's.

use tokio_postgres::{Client, Error, IsolationLevel, error::SqlState, types::Type};

use crate::error::{Failure, io, of_question};

/// The version of the tables; a higher one is a newer program's.
const FORMAT: i32 = 1;
/// Whose tables these are.
const APPLICATION: &str = "tau";
/// The lock of whoever makes tables: `Tau!` and the rest of a number nobody else uses.
const MAKING: i64 = 0x5461_7521_0000_0001;

const SCHEMA: &str = include_str!("schema.sql");

/// What there is.
enum Found {
    Nothing,
    Foreign(String),
    Tables { application: String, format: i32 },
}

/// Makes the tables when there are none, and refuses those of others.
pub(crate) async fn ensure(client: &mut Client, name: &str) -> Result<(), Failure> {
    let failed = |error: Error| of_question(&error);
    match look(client, name).await.map_err(failed)? {
        Found::Nothing => {}
        found => return judge(found, name),
    }
    // Whatever the database is set to: what others did while this one waited is to be seen.
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start();
    let transaction = transaction.await.map_err(failed)?;
    let lock = format!("SELECT pg_advisory_xact_lock({MAKING})");
    transaction.batch_execute(&lock).await.map_err(failed)?;
    // Another process may have made them while this one waited.
    match look(transaction.client(), name).await.map_err(failed)? {
        Found::Nothing => {}
        found => return judge(found, name),
    }
    let script = SCHEMA
        .replace("{schema}", &quoted(name))
        .replace("{format}", &FORMAT.to_string());
    transaction.batch_execute(&script).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// `name` as it is written in a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn look(client: &Client, name: &str) -> Result<Found, Error> {
    let rows = client
        .query_typed(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1",
            &[(&name, Type::TEXT)],
        )
        .await?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(Found::Nothing);
    }
    if !names.iter().any(|name| name == "about") || !names.iter().any(|name| name == "kv") {
        return Ok(Found::Foreign(names.join(", ")));
    }
    let about = format!(
        "SELECT application, format FROM {}.about LIMIT 1",
        quoted(name)
    );
    let told = match client.query_typed(&about, &[]).await {
        Ok(rows) => rows.first().and_then(|row| {
            Some(Found::Tables {
                application: row.try_get(0).ok()?,
                format: row.try_get(1).ok()?,
            })
        }),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_COLUMN) => None,
        Err(error) => return Err(error),
    };
    Ok(told.unwrap_or_else(|| Found::Foreign(names.join(", "))))
}

fn judge(found: Found, name: &str) -> Result<(), Failure> {
    let detail = match found {
        Found::Nothing => return Ok(()),
        Found::Tables {
            application,
            format,
        } if application == APPLICATION => {
            if format <= FORMAT {
                return Ok(());
            }
            format!(
                "the schema {name} was written by a newer version of Tau (format {format}; this \
                 one reads {FORMAT})"
            )
        }
        Found::Tables { application, .. } => {
            format!("the schema {name} belongs to another program, {application:?}")
        }
        Found::Foreign(tables) => {
            format!("the schema {name} has tables of another program: {tables}")
        }
    };
    Err(Failure::Refused(io(detail)))
}
