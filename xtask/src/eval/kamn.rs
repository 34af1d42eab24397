//! `cargo xtask eval kamn`: what the identity layer takes and refuses of public vectors.
//!
//! A row is judged wrongly when something is taken that must not be, or refused that must be taken.
//! Two things are refused on purpose and counted apart: signatures on whose validity implementations
//! disagree, of which the corpus says so, and JSON that is well-formed but that signed objects must
//! not have (fractions, null).

use crate::workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tau_kamn::{
    DidKey, PublicKey, Signature, SigningKey,
    did_doc::{self, Relationship},
    jcs,
};

/// Hold the identity layer against public vectors.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of corpora: ed25519.jsonl, didkey.jsonl, jcs.jsonl [default: shared/data/crypto
    /// beside the checkout].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Name the rows that were refused on purpose.
    #[arg(long)]
    refused: bool,
}

const LIMIT_BYTES: usize = 65_536;

/// What was made of a row.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// Taken, as it must be.
    Taken,
    /// Refused, as it must be.
    Refused,
    /// Refused, though another reader might take it; why.
    OnPurpose(String),
    /// Judged wrongly; how.
    Wrong(String),
}

type Judge = fn(&Value) -> Result<Judged>;

const CORPORA: [(&str, Judge); 3] = [
    ("ed25519.jsonl", signature),
    ("didkey.jsonl", did_key),
    ("jcs.jsonl", canonical),
];

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    let beside = workspace::root().join("../shared/data/crypto");
    let data = args.data.clone().unwrap_or(beside);
    let mut wrong = 0;
    println!("corpus          rows   taken  refused  on purpose  wrong");
    for (name, judge) in CORPORA {
        wrong += corpus(&data, name, judge, args.refused)?;
    }
    if wrong > 0 {
        bail!("{wrong} rows were judged wrongly");
    }
    Ok(())
}

/// Judges every row of a corpus; how many were judged wrongly.
fn corpus(data: &Path, name: &str, judge: Judge, names_refused: bool) -> Result<usize> {
    let path = data.join(name);
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; name its folder with --data DIR",
            path.display()
        )
    })?;
    let mut counts = [0; 4];
    let mut remarks = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let row: Value = serde_json::from_str(line).with_context(|| format!("{name}: not JSON"))?;
        let id = row["id"].as_str().unwrap_or("?");
        let judged = judge(&row).with_context(|| format!("{name}: {id}"))?;
        let place = match &judged {
            Judged::Taken => 0,
            Judged::Refused => 1,
            Judged::OnPurpose(_) => 2,
            Judged::Wrong(_) => 3,
        };
        counts[place] += 1;
        match judged {
            Judged::Wrong(why) => remarks.push(format!("  wrong: {id}: {why}")),
            Judged::OnPurpose(why) if names_refused => {
                remarks.push(format!("  on purpose: {id}: {why}"));
            }
            _ => {}
        }
    }
    let rows: usize = counts.iter().sum();
    let [taken, refused, on_purpose, wrong] = counts;
    println!("{name:14} {rows:5}  {taken:6}  {refused:7}  {on_purpose:10}  {wrong:5}");
    for remark in remarks {
        println!("{remark}");
    }
    if rows == 0 {
        bail!("{name} has no rows");
    }
    Ok(wrong)
}

/// A signature: `strict` says whether it must be taken.
fn signature(row: &Value) -> Result<Judged> {
    let bytes = |member: &str| unhex(text(row, member)?);
    let (key, message, signature) = (bytes("pub")?, bytes("msg")?, bytes("sig")?);
    let is_taken = PublicKey::from_bytes(&key)
        .and_then(|key| key.verify(&message, &Signature::from_bytes(&signature)?))
        .is_ok();
    let flag = |member: &str| row[member].as_bool().unwrap_or(false);
    Ok(match (flag("strict"), is_taken) {
        (true, true) => Judged::Taken,
        (false, false) if flag("lax") => {
            Judged::OnPurpose(format!("others take it: {}", row["flags"]))
        }
        (false, false) => Judged::Refused,
        (true, false) => Judged::Wrong("it is valid".into()),
        (false, true) => Judged::Wrong("it must be refused".into()),
    })
}

/// A did:key: the resolved ones with their key, its secret and what follows from it.
fn did_key(row: &Value) -> Result<Judged> {
    let did = text(row, "did")?;
    let read = did.parse::<DidKey>();
    if text(row, "expect")? != "resolve" {
        return Ok(match read {
            Err(_) => Judged::Refused,
            Ok(key) => Judged::Wrong(format!("it was read as {key}")),
        });
    }
    let wrong = |why: &str| Ok(Judged::Wrong(why.into()));
    let Ok(DidKey::Ed25519(key)) = read else {
        return wrong("it is an Ed25519 key");
    };
    if key.to_bytes().to_vec() != unhex(text(row, "pub")?)? {
        return wrong("it is another key");
    }
    let seed: [u8; 32] = unhex(text(row, "seed")?)?
        .try_into()
        .map_err(|_| anyhow::anyhow!("the seed is not 32 bytes"))?;
    if SigningKey::from_seed(&seed).public_key() != key {
        return wrong("the seed gives another key");
    }
    let document = did_doc::of_did_key(&key)?;
    let mut agreeing = document.methods_for(Relationship::KeyAgreement);
    let expected = row["x25519_did_fragment"].as_str().unwrap_or_default();
    // Some rows have the whole URL, some what follows its #.
    if !agreeing.any(|method| method.id.ends_with(expected)) || !expected.contains('#') {
        return wrong("another key to agree on secrets with follows from it");
    }
    if DidKey::Ed25519(key).to_string() != did {
        return wrong("it is printed in another way");
    }
    Ok(Judged::Taken)
}

/// JSON, with its canonical text where it has one.
fn canonical(row: &Value) -> Result<Judged> {
    let read = jcs::parse(text(row, "input")?.as_bytes(), LIMIT_BYTES);
    Ok(match (row["expect"].as_str(), read) {
        (None, Err(_)) => Judged::Refused,
        (None, Ok(_)) => Judged::Wrong("it must be refused".into()),
        (Some(expected), Ok(value)) if value.to_canonical() == expected => Judged::Taken,
        (Some(_), Ok(value)) => Judged::Wrong(format!("it became {}", value.to_canonical())),
        (Some(expected), Err(error)) => {
            // Numbers that are no integers, however written, and null: what the profile leaves out.
            let is_left_out = matches!(error, jcs::Error::Number { .. })
                || expected.contains("null") && matches!(error, jcs::Error::Syntax { .. });
            match is_left_out {
                true => Judged::OnPurpose(error.to_string()),
                false => Judged::Wrong(error.to_string()),
            }
        }
    })
}

fn text<'a>(row: &'a Value, member: &str) -> Result<&'a str> {
    row[member]
        .as_str()
        .with_context(|| format!("{member} is no text"))
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        bail!("not hex");
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).context("not hex"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_judged_wrongly_are_seen() {
        let wrong = |judged: Result<Judged>| matches!(judged, Ok(Judged::Wrong(_)));
        let key = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
        assert!(wrong(did_key(&json!({"did": key, "expect": "reject"}))));
        let other = json!({"did": key, "expect": "resolve", "pub": "00", "seed": ""});
        assert!(wrong(did_key(&other)));
        assert!(wrong(canonical(&json!({"input": "{}", "expect": null}))));
        assert!(wrong(canonical(&json!({"input": "[1]", "expect": "[2]"}))));
        assert!(wrong(canonical(&json!({"input": "[", "expect": "[]"}))));
        let forged = json!({"pub": "00", "msg": "", "sig": "", "strict": true, "lax": true});
        assert!(wrong(signature(&forged)));
    }

    #[test]
    fn what_signed_objects_leave_out_is_counted_apart() {
        let row = json!({"input": "[0.5, null]", "expect": "[0.5,null]"});
        assert!(matches!(canonical(&row), Ok(Judged::OnPurpose(_))));
        let row = json!({"input": "[ 1 ]", "expect": "[1]"});
        assert_eq!(canonical(&row).ok(), Some(Judged::Taken));
    }
}
