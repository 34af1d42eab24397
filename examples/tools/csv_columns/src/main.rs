//! Lists the columns of a CSV file of the folder `data`, and how many rows there are. Asks to read that
//! folder, and sees no other.

use serde::{Deserialize, Serialize};
use std::{fs, process::ExitCode};

#[derive(Deserialize)]
struct Arguments {
    file: String,
}

#[derive(Serialize)]
struct Answer {
    columns: Vec<String>,
    rows: usize,
}

fn main() -> ExitCode {
    tau_tool::run(|Arguments { file }| {
        let path = format!("data/{file}");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut lines = records(&text).into_iter();
        let columns = lines.next().ok_or("the file is empty")?;
        let rows = lines.count();
        Ok(Answer { columns, rows })
    })
}

/// The records of a text (RFC 4180): commas, lines, and fields in quotes that hold either.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let (mut record, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            letter => field.push(letter),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}
