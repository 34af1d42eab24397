//! Opening: what the file is, before SQLite is asked, and what it becomes when it is new.

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use tau_core::session::StoreError;

use super::error;

/// "Tau!": tells the file from those of other programs.
const APPLICATION_ID: i32 = 0x5461_7521;
/// The version of the tables; a higher one is a newer program's.
const FORMAT: i32 = 3;
/// How long a commit waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a file that another process is making is tried again.
const SET_UP_TRIES: u32 = 100;
/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where everything is, and views of sessions.
const SCHEMA: &str = include_str!("schema.sql");
/// The view of what is remembered.
const MEMORIES: &str = include_str!("memories.sql");

/// Opens or makes the store at `path`.
pub(super) fn file(path: &Path) -> Result<Connection, StoreError> {
    prepare(path)?;
    let had_log = fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0);
    if !had_log {
        check_length(path)?;
    }

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags);
    let mut connection = opened.map_err(|error| error::words_of(path, error))?;
    // Two processes that make the same file at once refuse each other without waiting.
    let mut tries = 0;
    while let Err(refused) = set_up(&mut connection, path) {
        if tries == SET_UP_TRIES || !matches!(refused, StoreError::Locked { .. }) {
            return Err(refused);
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(20));
    }

    // A log may hold pages the file lacks. Once all of it is in the file, the length tells again.
    if had_log {
        let moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let (busy, in_log, moved): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(busy == 0 && in_log == moved)
        });
        if moved.map_err(|error| error::words_of(path, error))? {
            check_length(path)?;
        }
    }
    Ok(connection)
}

/// Opens a store without a file.
pub(super) fn memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory().map_err(error::words)?;
    set_up(&mut connection, Path::new(":memory:"))?;
    Ok(connection)
}

/// The file that SQLite appends commits to.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// `path` with `suffix` after its last part.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the folder and an empty file that only their owner can read, and tells in words what
/// SQLite would say with a number.
fn prepare(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| {
        let detail = match error.kind() {
            ErrorKind::IsADirectory => "is a folder, not a store".to_owned(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                format!("cannot be written: {error}")
            }
            _ => error.to_string(),
        };
        error::io(path, &detail)
    };
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(failed)?;
    }
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(failed)?;
    Ok(())
}

/// Holds the header's number of pages against the length of the file.
///
/// SQLite itself finds out when it first needs a page that is gone, which may be weeks later.
/// Offsets from <https://sqlite.org/fileformat2.html#the_database_header>.
fn check_length(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| error::io(path, &error.to_string());
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length == 0 {
        return Ok(());
    }
    let mut header = [0; 100];
    if file.read_exact(&mut header).is_err() || header[..16] != MAGIC[..] {
        return Err(error::corrupt(path, "is not a store"));
    }
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u64::from(word(28));
    // The count holds only when it was written along with the last change.
    let count_is_current = word(24) == word(92);
    if count_is_current && length < pages * page_bytes {
        let found = length / page_bytes;
        let detail = format!("was cut: {found} of {pages} pages are left");
        return Err(error::corrupt(path, &detail));
    }
    Ok(())
}

fn set_up(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let words = |error| error::words_of(path, error);
    connection.busy_timeout(BUSY_TIMEOUT).map_err(words)?;
    connection.set_prepared_statement_cache_capacity(8);

    // Within one transaction: between two reads another process may have made the tables.
    let (application, format, schema) = {
        let reading = connection.transaction().map_err(words)?;
        let number = |name: &str| {
            reading
                .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
                .map_err(words)
        };
        let found = (
            number("application_id")?,
            number("user_version")?,
            number("schema_version")?,
        );
        reading.commit().map_err(words)?;
        found
    };
    if application == APPLICATION_ID {
        if format > FORMAT {
            let detail = format!(
                "was written by a newer version of Tau (format {format}; this one reads {FORMAT})"
            );
            return Err(error::io(path, &detail));
        }
    } else if application != 0 || format != 0 || schema != 0 {
        return Err(error::io(path, "is the database of another program"));
    }

    connection
        .pragma_update(None, "journal_mode", "wal")
        .and_then(|()| connection.pragma_update(None, "synchronous", "full"))
        .map_err(words)?;
    if application != APPLICATION_ID {
        create(connection).map_err(words)?;
    } else if format < FORMAT {
        upgrade(connection).map_err(words)?;
    }
    Ok(())
}

/// Makes a store of an older format, where `kv` was a table, one of this, unless another process
/// did so since.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found >= FORMAT {
        return Ok(());
    }
    for view in ["entries", "sessions", "memories"] {
        transaction.execute_batch(&format!("DROP VIEW IF EXISTS {view}"))?;
    }
    transaction.execute_batch("ALTER TABLE kv RENAME TO old")?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(MEMORIES)?;
    transaction.execute_batch("INSERT INTO kv SELECT key, value FROM old; DROP TABLE old")?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Makes the tables, unless another process did so since.
fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if found == APPLICATION_ID {
        return Ok(());
    }
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(MEMORIES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}
