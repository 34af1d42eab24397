//! Conversations of other programs, read from their files.
//!
//! A file is read line by line into pieces that each name what they follow; `Builder` makes whole
//! entries of them. Nothing is guessed: a name given twice, a missing parent or a cycle is told at
//! its line, and what is left behind (instructions, reasoning, the talk of sub-agents) is counted.

mod build;
mod claude;
mod codex;
mod older;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::Import;
use crate::{
    ids::{SessionId, UnixMillis},
    journal::{sections::Diverged, sha256_hex},
    json::{self, Value},
};
use build::Builder;

/// A program whose files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Claude Code: `~/.claude/projects/*/*.jsonl`.
    ClaudeCode,
    /// Codex: `~/.codex/sessions/*/*/*/rollout-*.jsonl`.
    Codex,
    /// Tau as it was before its journals: a record for each message, with numbers for names.
    OlderTau,
}

/// A conversation of another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The name it gets here: the same whenever the same conversation is read.
    pub session: SessionId,
    /// What it was called there.
    pub title: Option<String>,
    /// Its entries.
    pub import: Import,
    /// What was left behind, in words.
    pub left: Vec<String>,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ClaudeCode, Self::Codex, Self::OlderTau];

    /// As a person names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::OlderTau => "older-tau",
        }
    }

    /// The program that writes files that begin with `line`.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Self> {
        let line: Value = json::from_slice(line).ok()?;
        let has = |name: &str| line.get(name).is_some();
        match line["type"].as_str() {
            _ if has("record_type") || (has("id") && has("parent_id") && has("message")) => {
                Some(Self::OlderTau)
            }
            Some("session_meta") => Some(Self::Codex),
            None if has("id") && has("timestamp") => Some(Self::Codex),
            Some("summary" | "file-history-snapshot" | "queue-operation") => Some(Self::ClaudeCode),
            Some(_) if has("sessionId") || has("uuid") => Some(Self::ClaudeCode),
            _ => None,
        }
    }

    /// Reads a file. `name` tells conversations apart that have no name of their own, `now` is when
    /// messages without a time were said.
    pub fn read<'a>(
        self,
        lines: impl Iterator<Item = &'a [u8]>,
        name: &str,
        now: UnixMillis,
    ) -> Result<Foreign, Diverged> {
        let mut builder = Builder::new(self, name, now);
        let mut state = codex::State::default();
        for (number, line) in (1..).zip(lines) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let read = json::from_slice(line)
                .map_err(|error| format!("this is not JSON: {error}"))
                .and_then(|line: Value| match self {
                    Self::ClaudeCode => claude::line(&mut builder, number, &line),
                    Self::Codex => codex::line(&mut builder, &mut state, number, &line),
                    Self::OlderTau => older::line(&mut builder, number, &line),
                });
            read.map_err(|why| Diverged { line: number, why })?;
        }
        builder.finish()
    }
}

/// Sixteen hex digits for a name that another program gave.
fn hashed(parts: &[&str]) -> String {
    let mut hash = sha256_hex(parts.join("\n").as_bytes());
    hash.truncate(16);
    hash
}

/// Milliseconds of a time as RFC 3339 writes it.
fn millis(time: &str) -> Option<UnixMillis> {
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Days from the civil calendar, after Howard Hinnant's `days_from_civil`.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let rest = time.get(19..)?;
    let digits: String = rest
        .strip_prefix('.')
        .unwrap_or("")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let fraction = format!("{:0<3}", digits.chars().take(3).collect::<String>());
    let zone = rest.trim_start_matches(['.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let offset = match zone.split_at_checked(1) {
        Some((sign @ ("+" | "-"), clock)) => {
            let hours: i64 = clock.get(0..2)?.parse().ok()?;
            let minutes: i64 = clock.get(3..5)?.parse().ok()?;
            (hours * 60 + minutes) * if sign == "-" { -1 } else { 1 }
        }
        _ => 0,
    };
    let seconds = days * 86_400 + hour * 3_600 + (minute - offset) * 60 + second;
    let millis = seconds.checked_mul(1_000)? + fraction.parse::<i64>().ok()?;
    u64::try_from(millis).ok().map(UnixMillis)
}

/// The text of a value: itself, or of the texts it lists.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let texts = items.iter().filter_map(|item| item["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
