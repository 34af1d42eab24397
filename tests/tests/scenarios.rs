//! Every scenario is five tests: it goes as written and leaves its transcript; it leaves the same one
//! however slow the store is; the transcript replays to the same hash; a change of any record is told
//! at its line; serde reads and writes each record as Tau does.
//!
//! `UPDATE_EXPECT=1` writes the transcripts anew.

use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
};
use tau_core::{
    journal::{Body, Record, replay::replay},
    session::{Batch, Range, StoreError},
};
use tau_platform::{MemoryStorage, Storage};
use tau_tests::scenario::{Carried, Progress, Simulated, difference, parse, play, play_process};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for file in scenarios() {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .replace('-', "_");
        let of = |test: fn(&Path) -> Result<(), Failed>| {
            let file = file.clone();
            move || test(&file)
        };
        trials.push(Trial::test(name.clone(), of(goes_as_written)));
        trials.push(Trial::test(
            format!("{name}::on_a_slow_store"),
            of(on_a_slow_store),
        ));
        trials.push(Trial::test(format!("{name}::replays"), of(replays)));
        trials.push(Trial::test(
            format!("{name}::edits_are_told"),
            of(edits_are_told),
        ));
        trials.push(Trial::test(
            format!("{name}::is_what_serde_writes"),
            of(is_what_serde_writes),
        ));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Every scenario, in the order of their names.
fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(&folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md"))
        .collect();
    files.sort();
    files
}

/// The transcript of a scenario played now.
fn played(file: &Path) -> Result<String, Failed> {
    let scenario = parse(&fs::read_to_string(file)?)?;
    Ok(play(&scenario)?.transcript())
}

fn goes_as_written(file: &Path) -> Result<(), Failed> {
    let found = played(file)?;
    if played(file)? != found {
        return Err("two runs of it are not the same".into());
    }
    let snapshot = file.with_extension("transcript");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&snapshot, &found)?;
        return Ok(());
    }
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    match difference(&expected, &found) {
        None => Ok(()),
        Some(difference) => {
            let name = snapshot.file_name().unwrap_or_default().to_string_lossy();
            Err(format!("{name} {difference}\nUPDATE_EXPECT=1 writes it anew").into())
        }
    }
}

/// A store whose every answer takes a while, and no two of them the same.
#[derive(Clone, Default)]
struct Slow {
    rows: MemoryStorage,
    done: Rc<Cell<usize>>,
}

impl Slow {
    /// Lets the executor go around a few times.
    async fn wait(&self) {
        self.done.set(self.done.get() + 1);
        for _ in 0..self.done.get() * 7 % 5 {
            tokio::task::yield_now().await;
        }
    }
}

impl Storage for Slow {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.wait().await;
        self.rows.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.wait().await;
        self.rows.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.wait().await;
        self.rows.commit(batch).await?;
        self.wait().await;
        Ok(())
    }
}

fn on_a_slow_store(file: &Path) -> Result<(), Failed> {
    let scenario = parse(&fs::read_to_string(file)?)?;
    let (store, mut carried) = (Slow::default(), Carried::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let found = loop {
        let process = play_process(&scenario, &Simulated, store.clone(), carried);
        match runtime.block_on(process)? {
            Progress::Next(next) => carried = next,
            Progress::Over(played) => break played.transcript(),
        }
    };
    match difference(&played(file)?, &found) {
        None => Ok(()),
        Some(difference) => Err(difference.into()),
    }
}

fn replays(file: &Path) -> Result<(), Failed> {
    let transcript = played(file)?;
    let lines: Vec<&[u8]> = transcript.lines().map(str::as_bytes).collect();
    let end: serde_json::Value = serde_json::from_slice(lines[lines.len() - 1])?;
    if lines.len() == 1 {
        // Nothing was stored.
        return Ok(());
    }
    let replayed = replay(lines.iter().copied())?;
    if end["hash"] != replayed.hash || end["records"] != replayed.records {
        return Err(format!("replayed to {replayed:?}, recorded was {end}").into());
    }
    Ok(())
}

fn edits_are_told(file: &Path) -> Result<(), Failed> {
    let transcript = played(file)?;
    let lines: Vec<&[u8]> = transcript.lines().map(str::as_bytes).collect();
    let records = lines.len() - 1;
    for place in 0..records {
        // One digit of the time, which no record can do without.
        let text = std::str::from_utf8(lines[place])?;
        let edited = text.replacen("\"at\":17", "\"at\":16", 1);
        if edited == text {
            return Err(format!("record {place} has no time: {text}").into());
        }
        let mut changed = lines.clone();
        changed[place] = edited.as_bytes();
        match replay(changed.iter().copied()) {
            Ok(_) => return Err(format!("a change of line {} is not found", place + 1).into()),
            Err(diverged) if diverged.line != place + 1 => {
                let told = diverged.to_string();
                return Err(format!("a change of line {} is told as {told}", place + 1).into());
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn is_what_serde_writes(file: &Path) -> Result<(), Failed> {
    let transcript = played(file)?;
    let mut lines = transcript.lines();
    lines.next_back();
    for (place, line) in lines.enumerate() {
        let record = Record::read(line.as_bytes())?;
        let body: Body = serde_json::from_str(line)?;
        if serde_json::to_string(&record)? != line || body != record.body {
            return Err(format!("serde makes something else of line {}", place + 1).into());
        }
    }
    Ok(())
}
