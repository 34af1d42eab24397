//! Repair: what can still be read of a damaged store, in a new one.
//!
//! Invariant: nothing is thrown away. The damaged file is only read, then moved aside, and the new
//! one is complete before it takes the name.
//!
//! A b-tree is read from its low end until a page is missing, from its high end until a page is
//! missing, and what lies between is halved by key until nothing more is found. Rows whose path
//! from the root leads over a lost page are lost with it.

use rusqlite::{Connection, OpenFlags, config::DbConfig, params};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tau_core::session::StoreError;

use super::{
    error,
    open::{self, beside, log_of},
};

/// How often a stretch is halved without a row found before it is given up: 127 places to look.
const HALVINGS: u32 = 7;

/// Below every key.
const LOWEST: &str = "";
/// Above every key.
const HIGHEST: &str = "\u{10ffff}";

/// What [`repair`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairReport {
    /// Where the damaged file is now; `None` when nothing was wrong and nothing was changed.
    pub damaged: Option<PathBuf>,
    /// Keys in the store now.
    pub rows: u64,
    /// Stretches of keys that could not be read, in order. Nobody knows how many keys they held.
    pub gaps: Vec<Gap>,
}

/// Keys that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// They come after this key, which was read; `None` for the first of all.
    pub after: Option<String>,
    /// They come before this key; `None` for the last of all.
    pub before: Option<String>,
}

/// Puts a new store with every readable row in the place of the damaged one at `path`, which is
/// kept beside it as `<path>.damaged-<n>`. A sound store is left alone.
///
/// No other process may have the file open. Blocks for as long as it takes to read all of it.
pub fn repair(path: &Path) -> Result<RepairReport, StoreError> {
    let os = |error: io::Error| error::io(path, &error.to_string());
    if !fs::metadata(path).map_err(os)?.is_file() {
        return Err(error::io(path, "is not a file"));
    }
    match sound(path) {
        Ok(Some(rows)) => {
            return Ok(RepairReport {
                damaged: None,
                rows,
                gaps: Vec::new(),
            });
        }
        Ok(None) | Err(StoreError::Corrupt { .. }) => {}
        Err(other) => return Err(other),
    }

    let fresh = beside(path, ".repaired");
    remove(&fresh).map_err(os)?;
    remove(&log_of(&fresh)).map_err(os)?;
    let (rows, gaps) = salvage(path, &fresh)?;

    let aside = (1_u32..)
        .map(|n| beside(path, &format!(".damaged-{n}")))
        .find(|name| !name.exists())
        .ok_or_else(|| error::io(path, "has too many damaged copies"))?;
    fs::rename(path, &aside).map_err(os)?;
    if log_of(path).exists() {
        fs::rename(log_of(path), log_of(&aside)).map_err(os)?;
    }
    remove(&beside(path, "-shm")).map_err(os)?;
    fs::rename(&fresh, path).map_err(os)?;
    Ok(RepairReport {
        damaged: Some(aside),
        rows,
        gaps,
    })
}

/// The number of keys when nothing is wrong.
fn sound(path: &Path) -> Result<Option<u64>, StoreError> {
    let connection = open::file(path)?;
    let words = |error| error::words_of(path, error);
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(words)?;
    if verdict != "ok" {
        return Ok(None);
    }
    let count = "SELECT count(*), count(value) FROM kv";
    let (rows, values) = connection
        .query_row(count, [], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?))
        })
        .map_err(words)?;
    Ok((rows == values).then_some(u64::from(rows)))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies every readable row of `from` into a new store at `to`.
fn salvage(from: &Path, to: &Path) -> Result<(u64, Vec<Gap>), StoreError> {
    let mut target = open::file(to)?;
    let words = |error| error::words_of(to, error);
    let transaction = target.transaction().map_err(words)?;
    let mut salvager = Salvager {
        target: &transaction,
        rows: 0,
        gaps: Vec::new(),
        failed: None,
    };
    match read_only(from) {
        Ok(source) => salvager.range(&source, None, None, HALVINGS),
        Err(_) => salvager.gap(None, None),
    }
    if let Some(error) = salvager.failed {
        return Err(words(error));
    }
    let (rows, gaps) = (salvager.rows, salvager.gaps);
    transaction.commit().map_err(words)?;
    // Closing moves the log into the file, which is then whole on its own.
    target.close().map_err(|(_, error)| words(error))?;
    Ok((rows, gaps))
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    // Not opened read-only, because a log can then not be read; but nothing is written.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // With this SQLite reads a file that is shorter than its header says.
    connection.pragma_update(None, "writable_schema", true)?;
    connection.prepare("SELECT key, value FROM kv")?;
    Ok(connection)
}

struct Salvager<'t> {
    target: &'t Connection,
    rows: u64,
    gaps: Vec<Gap>,
    /// What went wrong with the new store.
    failed: Option<rusqlite::Error>,
}

impl Salvager<'_> {
    /// Keeps what can be read strictly between two keys.
    fn range(
        &mut self,
        source: &Connection,
        after: Option<String>,
        before: Option<String>,
        halvings: u32,
    ) {
        let (low, whole) = self.read(source, after.clone(), before.clone(), true);
        if whole {
            return;
        }
        let (high, whole) = self.read(source, before.clone(), low.clone(), false);
        if whole {
            return;
        }
        let found = low != after || high != before;
        let halvings = if found { HALVINGS } else { halvings };
        let middle = middle(low.as_deref(), high.as_deref());
        match middle.filter(|_| halvings > 0 && self.failed.is_none()) {
            Some(middle) => {
                self.range(source, low, Some(middle.clone()), halvings - 1);
                self.one(source, &middle);
                self.range(source, Some(middle), high, halvings - 1);
            }
            None => self.gap(low, high),
        }
    }

    /// Reads from `start` towards `end`, both exclusive, until the end or an error. Returns the
    /// last key that was read (`start` when none was) and whether it came to the end.
    fn read(
        &mut self,
        source: &Connection,
        start: Option<String>,
        end: Option<String>,
        ascending: bool,
    ) -> (Option<String>, bool) {
        // Plain comparisons: SQLite then goes to the first key by the tree, and so around damage.
        let (sql, first, last) = if ascending {
            let sql = "SELECT key, value FROM kv WHERE key > ?1 AND key < ?2 ORDER BY key";
            (sql, LOWEST, HIGHEST)
        } else {
            let sql = "SELECT key, value FROM kv WHERE key < ?1 AND key > ?2 ORDER BY key DESC";
            (sql, HIGHEST, LOWEST)
        };
        let bounds = [
            start.as_deref().unwrap_or(first),
            end.as_deref().unwrap_or(last),
        ];
        let mut reached = start.clone();
        let whole = (|| {
            let mut statement = source.prepare_cached(sql)?;
            let mut rows = statement.query(bounds)?;
            while let Some(row) = rows.next()? {
                let (Ok(key), Ok(value)) = (row.get_ref(0)?.as_str(), row.get_ref(1)?.as_blob())
                else {
                    continue;
                };
                // Damage can lead in circles.
                let onward = reached
                    .as_deref()
                    .is_none_or(|last| if ascending { key > last } else { key < last });
                if !onward || !self.keep(key, value) {
                    return Ok(false);
                }
                reached = Some(key.to_owned());
            }
            Ok::<bool, rusqlite::Error>(true)
        })();
        (reached, whole.unwrap_or(false))
    }

    fn one(&mut self, source: &Connection, key: &str) {
        let value: rusqlite::Result<Vec<u8>> =
            source.query_row("SELECT value FROM kv WHERE key = ?1", [key], |row| {
                row.get(0)
            });
        if let Ok(value) = value {
            self.keep(key, &value);
        }
    }

    fn keep(&mut self, key: &str, value: &[u8]) -> bool {
        let added = (|| {
            let sql = "SELECT 1 FROM short WHERE key = ?1";
            if self.target.prepare_cached(sql)?.exists([key])? {
                return Ok(0);
            }
            let sql = "INSERT INTO kv (key, value) VALUES (?1, ?2)";
            let mut insert = self.target.prepare_cached(sql)?;
            insert.execute(params![key, value]).map(|_| 1)
        })();
        match added {
            Ok(added) => {
                self.rows += added;
                true
            }
            Err(error) => {
                self.failed.get_or_insert(error);
                false
            }
        }
    }

    /// Notes that nothing between two keys was read, as one gap with its neighbour.
    fn gap(&mut self, after: Option<String>, before: Option<String>) {
        match self.gaps.last_mut() {
            // Nothing was read since: the key between them was only a place to look.
            Some(last) if last.before == after => last.before = before,
            _ => self.gaps.push(Gap { after, before }),
        }
    }
}

/// What keys are written in from the first character on in which two differ, narrowest first: a
/// half in the middle of characters that no key has would find nothing.
const ALPHABETS: [&[u8]; 2] = [b"0123456789", b"0123456789abcdef"];

/// A key about half-way between two keys; `None` when there is none.
fn middle(low: Option<&str>, high: Option<&str>) -> Option<String> {
    /// Characters after what both have in common that are looked at.
    const DIGITS: usize = 8;
    let (low, high) = (low.unwrap_or(LOWEST), high.unwrap_or("\u{7f}"));
    let pairs = low.bytes().zip(high.bytes());
    let shared = pairs.take_while(|(a, b)| a == b).count();
    let ascii: Vec<u8> = (0..0x80).collect();
    let differing = [low, high].map(|key| key.as_bytes().get(shared).copied());
    let fits = |alphabet: &&[u8]| differing.iter().flatten().all(|c| alphabet.contains(c));
    let alphabet = ALPHABETS.into_iter().find(fits).unwrap_or(&ascii);

    let base = alphabet.len() as u64;
    let number = |key: &str| {
        let rest = key.as_bytes().get(shared..).unwrap_or_default();
        (0..DIGITS).fold(0_u64, |sum, at| {
            let digit = rest.get(at).map_or(0, |c| {
                // What the alphabet lacks counts as the next lower character it has.
                alphabet.partition_point(|a| a <= c).saturating_sub(1)
            });
            sum * base + digit as u64
        })
    };
    let (from, to) = (number(low), number(high));
    let mut half = from + to.checked_sub(from)? / 2;
    if half == from {
        return None;
    }
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = alphabet[(half % base) as usize];
        half /= base;
    }
    let mut key = low.get(..shared)?.to_owned();
    key.push_str(std::str::from_utf8(&digits).ok()?);
    Some(key).filter(|key| key.as_str() > low && key.as_str() < high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_lies_between() {
        let middle_of = |low, high| middle(Some(low), Some(high));
        assert_eq!(middle_of("a/0", "a/4").as_deref(), Some("a/20000000"));
        assert_eq!(middle_of("s/0a", "s/f").as_deref(), Some("s/7d000000"));
        assert!(middle(None, None).is_some());
        assert_eq!(middle_of("b", "a"), None);
        assert_eq!(middle_of("a", "a\0"), None);
        let key = |n: u32| format!("session/s/journal/{n:010}");
        let half = middle(Some(&key(100)), Some(&key(500))).unwrap();
        assert!(key(200) < half && half < key(400), "{half}");
    }
}
