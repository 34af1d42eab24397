//! The texts to learn from.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tau_core::safety::injection;

/// Files of ordinary text that are read, by what their names end in.
const ENDINGS: [&str; 12] = [
    "md", "txt", "rst", "rs", "py", "js", "ts", "html", "json", "toml", "c", "h",
];

/// The most bytes of one file, and of one folder, that are read.
const MOST_OF_FILE: usize = 64 * 1024;
const MOST_OF_FOLDER: usize = 12 * 1024 * 1024;

/// How long a line that attacks are put between is at least, and in how many texts it stands.
const CARRIER_BYTES: usize = 100;
const CARRIER_TEXTS: usize = 8;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Attack,
    Ordinary,
}

/// A text.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(super) label: Label,
    pub(super) tier: String,
    pub(super) family: String,
    source: String,
}

impl Text {
    /// Whether its words are hidden in an encoding, so that they teach nothing.
    pub(super) fn is_encoded(&self) -> bool {
        self.tier == "obfuscated"
    }

    /// A number for its source: texts of one source are held out together. Within the family of
    /// jailbreaks collected in one list, each text is a source of its own.
    pub(super) fn group(&self) -> u64 {
        let source = if self.source.ends_with("DanInTheWildFull") {
            &self.text
        } else {
            &self.source
        };
        // FNV-1a (Fowler, Noll and Vo).
        let hash = source
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        hash >> 32
    }
}

/// Reads the corpus.
pub(super) fn corpus(path: &Path) -> Result<Vec<Text>> {
    if !path.exists() {
        bail!(
            "{} is not there: give the folder of corpora with --data",
            path.display()
        );
    }
    let rows = fs::read_to_string(path)?;
    rows.lines()
        .map(|row| {
            let row: Value = serde_json::from_str(row)?;
            let field = |name: &str| {
                row[name]
                    .as_str()
                    .map(str::to_owned)
                    .with_context(|| format!("a row without {name}"))
            };
            let label = if field("label")? == "attack" {
                Label::Attack
            } else {
                Label::Ordinary
            };
            let (text, tier, family) = (field("text")?, field("tier")?, field("family")?);
            // Of a seed's source only the way it persuades counts: the same words stand before
            // other payloads and in other documents.
            let source = field("source")?;
            let source = source
                .rsplit_once('/')
                .filter(|_| source.contains("seeds"))
                .map_or(source.as_str(), |(kind, _)| {
                    kind.rsplit(' ').next().unwrap_or(kind)
                })
                .to_owned();
            Ok(Text {
                text,
                label,
                tier,
                family,
                source,
            })
        })
        .collect()
}

/// Sentences of our own that look like attacks and are none.
pub(super) fn own() -> impl Iterator<Item = Text> {
    include_str!("ordinary.txt").lines().map(|line| Text {
        text: line.to_owned(),
        label: Label::Ordinary,
        tier: "own".to_owned(),
        family: "sentences".to_owned(),
        source: line.to_owned(),
    })
}

/// Reads the ordinary text in a folder, in the order of its files' names.
pub(crate) fn ordinary(folder: &Path) -> Result<Vec<Text>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    // Evenly from the whole folder, not only its first files.
    let step = (files.iter().map(|(_, bytes)| *bytes).sum::<usize>() / MOST_OF_FOLDER).max(1);
    let mut texts = Vec::new();
    let mut left = MOST_OF_FOLDER;
    for (path, bytes) in files.into_iter().step_by(step) {
        let Some(rest) = left.checked_sub(bytes) else {
            break;
        };
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        left = rest;
        let ending = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let source = path
            .parent()
            .unwrap_or(folder)
            .to_string_lossy()
            .into_owned();
        texts.push(Text {
            text,
            label: Label::Ordinary,
            tier: "files".to_owned(),
            family: ending,
            source,
        });
    }
    Ok(texts)
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, usize)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            collect(&path, files)?;
        } else if kind.is_file()
            && path
                .extension()
                .is_some_and(|e| ENDINGS.iter().any(|known| e == *known))
        {
            let bytes = usize::try_from(entry.metadata()?.len()).unwrap_or(usize::MAX);
            if (64..=MOST_OF_FILE).contains(&bytes) {
                files.push((path, bytes));
            }
        }
    }
    Ok(())
}

/// Lines that stand in many attacks and are none: the documents that attacks are hidden in.
pub(super) fn carriers(texts: &[&Text]) -> Vec<String> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts.iter().filter(|text| text.label == Label::Attack) {
        for line in text.text.lines().filter(|line| line.len() >= CARRIER_BYTES) {
            *lines.entry(line).or_default() += 1;
        }
    }
    lines
        .into_iter()
        .filter(|(line, texts)| *texts >= CARRIER_TEXTS && injection::scan(line).is_empty())
        .map(|(line, _)| line.to_owned())
        .collect()
}
