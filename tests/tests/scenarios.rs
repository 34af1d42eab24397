//! Every scenario is three tests: it goes as written and leaves its transcript; the transcript
//! replays to the same hash; a change of any record is told at its line.
//!
//! `UPDATE_EXPECT=1` writes the transcripts anew.

use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tau_core::journal::replay::replay;
use tau_tests::scenario::{difference, parse, play};

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
        trials.push(Trial::test(format!("{name}::replays"), of(replays)));
        trials.push(Trial::test(
            format!("{name}::edits_are_told"),
            of(edits_are_told),
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
