//! `cargo xtask eval train`: makes the injection detector's two tables from corpora.
//!
//! Invariant: the same texts make the same bytes. Nothing of a text is kept but weights of hashed
//! words, and of hashed groups of five characters.

mod model;
pub(crate) mod texts;

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use tau_core::safety::{
    Severity,
    injection::{self, training},
};

use self::{
    model::{Model, Window},
    texts::{Label, Text},
};

/// Where the tables are kept.
const TABLES: &str = "core/src/safety/injection";

/// How many of 1,000 blocks of ordinary text may be worth a closer look.
const HOT: usize = 8;

/// How many parts the sources are split into; each is held out once.
const FOLDS: u64 = 5;

/// Of 1,000 ordinary texts, how many the model may hold for an attack, by its own training texts.
const FALSE_ALARMS: usize = 1;

/// The same for weak evidence.
const WEAK_ALARMS: usize = 20;

/// Make the tables of the injection detector.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of corpora with injection.jsonl [default: shared/data beside the checkout].
    #[arg(long)]
    data: Option<PathBuf>,
    /// A folder of ordinary text beside the corpora's: documents and code. Repeatable.
    #[arg(long, value_name = "DIR")]
    ordinary: Vec<PathBuf>,
    /// Only score with each fifth of the sources held out; write nothing.
    #[arg(long)]
    held_out: bool,
}

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let data = args
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from("../shared/data"));
    let mut texts = texts::corpus(&data.join("injection.jsonl"))?;
    let corpus = texts.len();
    texts.extend(texts::own());
    for folder in &args.ordinary {
        texts.extend(texts::ordinary(folder)?);
    }
    println!(
        "{corpus} texts of the corpus, {} others",
        texts.len() - corpus
    );
    if args.held_out {
        return held_out(&texts, corpus);
    }
    let weights = prefilter(&texts);
    write("prefilter.bin", &weights)?;
    let everything: Vec<&Text> = texts.iter().collect();
    let model = train(&everything);
    write("model.bin", &model.packed())
}

fn prefilter(texts: &[Text]) -> Vec<u8> {
    let of = |label: Label| {
        texts
            .iter()
            .filter(move |t| t.label == label && !t.is_encoded())
            .map(|t| &*t.text)
            .collect::<Vec<_>>()
    };
    training::prefilter(&of(Label::Ordinary), &of(Label::Attack), HOT)
}

fn write(name: &str, bytes: &[u8]) -> Result<()> {
    let path = PathBuf::from(TABLES).join(name);
    fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    println!(
        "{}: {} bytes, {} not zero",
        path.display(),
        bytes.len(),
        bytes.iter().filter(|b| **b != 0).count()
    );
    Ok(())
}

/// Trains a model on texts.
fn train(texts: &[&Text]) -> Model {
    let carriers = texts::carriers(texts);
    let mut attacks: Vec<Vec<Window>> = Vec::new();
    let mut ordinary: Vec<Vec<Window>> = carriers.iter().map(|line| model::windows(line)).collect();
    for text in texts.iter().filter(|text| !text.is_encoded()) {
        let windows = model::windows(&text.text);
        match text.label {
            Label::Attack => attacks.push(windows),
            Label::Ordinary => ordinary.push(windows),
        }
    }
    Model::train(&attacks, &ordinary, [WEAK_ALARMS, FALSE_ALARMS])
}

/// What was found of the texts of a kind.
#[derive(Default)]
struct Tally {
    texts: usize,
    by_rules: usize,
    by_either: usize,
}

/// Holds each fifth of the sources out of the training, and scores on it.
fn held_out(texts: &[Text], corpus: usize) -> Result<()> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for fold in 0..FOLDS {
        let (held, kept): (Vec<&Text>, Vec<&Text>) =
            texts.iter().partition(|text| text.group() % FOLDS == fold);
        let model = train(&kept);
        println!(
            "part {} of {FOLDS}: trained on {}, held out {}",
            fold + 1,
            kept.len(),
            held.len()
        );
        for text in held {
            let rules = flags(&text.text);
            let either =
                rules || (!text.is_encoded() && model.is_strong(&model::windows(&text.text)));
            for kind in [text.tier.clone(), format!("{} {}", text.tier, text.family)] {
                let tally = tallies.entry(kind).or_default();
                tally.texts += 1;
                tally.by_rules += usize::from(rules);
                tally.by_either += usize::from(either);
            }
        }
    }
    println!("{corpus} texts; share flagged with the text's source held out\n");
    println!("| texts | n | rules alone | rules and model |\n|---|---|---|---|");
    for (kind, tally) in tallies {
        let share = |n: usize| n as f64 / tally.texts as f64;
        println!(
            "| {kind} | {} | {:.3} | {:.3} |",
            tally.texts,
            share(tally.by_rules),
            share(tally.by_either)
        );
    }
    Ok(())
}

/// Whether the rules flag a text.
fn flags(text: &str) -> bool {
    injection::scan(text)
        .iter()
        .any(|f| f.severity >= Severity::Medium && f.family != "likely_injection")
}
