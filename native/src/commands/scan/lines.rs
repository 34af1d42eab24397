//! Many texts, one JSON object a line, answered as they come.

use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use super::{Scanner, is_stdin, shown};
use crate::{
    exit::{Error, Exit},
    ui::Ui,
};

/// A line as it should be.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    text: String,
}

/// Answers every line of every input, and goes on after one that is wrong.
pub(super) fn answer(
    scanner: &Scanner,
    inputs: &[PathBuf],
    redacts: bool,
    ui: Ui,
) -> Result<Exit, Error> {
    let mut wrong = 0;
    for input in inputs {
        let cannot = |error: io::Error| {
            Error::usage(format!("{} cannot be read", shown(input))).cause(error)
        };
        let mut reader: Box<dyn BufRead> = match is_stdin(input) {
            true => Box::new(io::stdin().lock()),
            false => Box::new(BufReader::new(File::open(input).map_err(cannot)?)),
        };
        let mut bytes = Vec::new();
        let mut number = 0;
        while reader.read_until(b'\n', &mut bytes).map_err(cannot)? > 0 {
            number += 1;
            if !bytes.trim_ascii().is_empty() {
                let (told, is_wrong) = one(scanner, &bytes, number, redacts);
                wrong += usize::from(is_wrong);
                ui.json(&told);
                if ui.stdout_closed() {
                    return Ok(Exit::Ok);
                }
            }
            bytes.clear();
        }
    }
    if wrong > 0 {
        // On stderr alone: stdout has one line for each that came in.
        let error = Error::usage(format!("{wrong} lines could not be understood"));
        ui.error(&error.hint(r#"a line is an object: {"id": "a", "text": "…"}"#));
        return Ok(Exit::Usage);
    }
    Ok(Exit::Ok)
}

/// The answer to a line, and whether the line was wrong.
fn one(scanner: &Scanner, bytes: &[u8], number: usize, redacts: bool) -> (Value, bool) {
    let line = String::from_utf8_lossy(bytes);
    match serde_json::from_str::<Line>(&line) {
        Ok(Line { id, text }) => {
            let mut told = scanner.told(id, &text, redacts);
            if matches!(line, std::borrow::Cow::Owned(_)) {
                told.insert("lossy".into(), true.into());
            }
            (told.into(), false)
        }
        Err(error) => {
            let id = serde_json::from_str::<Value>(&line).map(|line| line["id"].clone());
            let id = id.unwrap_or_default();
            // serde's own position is always of line 1.
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            let column = error.column();
            let told = json!({"id": id, "error": why, "line": number, "column": column});
            (told, true)
        }
    }
}
