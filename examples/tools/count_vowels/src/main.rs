//! Counts the vowels of a text. Asks for nothing: it computes, and reaches nothing.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, process::ExitCode};

#[derive(Deserialize)]
struct Arguments {
    text: String,
}

#[derive(Serialize)]
struct Answer {
    vowels: usize,
    each: BTreeMap<char, usize>,
}

fn main() -> ExitCode {
    tau_tool::run(|Arguments { text }| {
        let mut each = BTreeMap::new();
        for letter in text.to_lowercase().chars() {
            if "aeiou".contains(letter) {
                *each.entry(letter).or_default() += 1;
            }
        }
        let vowels = each.values().sum();
        Ok(Answer { vowels, each })
    })
}
