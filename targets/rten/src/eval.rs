//! How good the embedded model is: right calls on a list of plain instructions, and tokens a second.
//!
//! A list is JSON lines of `{id, instruction, tool, arguments}`. `tool` is null where no tool fits. `arguments` has for
//! each argument the accepted values (null: may be left out), or `{words, without}`: every one of `words` must be in
//! the text and it must not begin with one of `without`. An argument that is not listed must not be given.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::{Agent, Decision, Tool};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::text::TextModel;

/// Counts over a list.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Instructions for which a tool fits.
    pub with_tool: usize,
    /// Of those, the right tool was called.
    pub right_tool: usize,
    /// Of those, with the right arguments.
    pub right_call: usize,
    /// Instructions for which no tool fits.
    pub without_tool: usize,
    /// Of those, none was called.
    pub right_none: usize,
    /// What went wrong: id, instruction, what was decided.
    pub misses: Vec<(String, String, String)>,
    /// Mean seconds of a decision.
    pub seconds: f64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "right tool {} of {}, right tool and argument {} of {}; no tool fits: {} of {}; {:.2} s a decision",
            self.right_tool,
            self.with_tool,
            self.right_call,
            self.with_tool,
            self.right_none,
            self.without_tool,
            self.seconds
        )
    }
}

#[derive(Deserialize)]
struct Case {
    id: String,
    instruction: String,
    tool: Option<String>,
    arguments: BTreeMap<String, Accepted>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Accepted {
    Values(Vec<Value>),
    Words {
        words: Vec<String>,
        without: Vec<String>,
    },
}

impl Accepted {
    fn takes(&self, given: Option<&Value>) -> bool {
        match self {
            Self::Values(values) => values.iter().any(|value| match (value, given) {
                (Value::Null, None) => true,
                (Value::String(a), Some(Value::String(b))) => {
                    a.trim().eq_ignore_ascii_case(b.trim())
                }
                (a, Some(b)) => a == b,
                (_, None) => false,
            }),
            Self::Words { words, without } => given.and_then(Value::as_str).is_some_and(|text| {
                let text = text.to_lowercase();
                words.iter().all(|word| text.contains(&word.to_lowercase()))
                    && !without
                        .iter()
                        .any(|word| text.starts_with(&word.to_lowercase()))
            }),
        }
    }
}

/// The five tools of the lists.
pub fn tools() -> Vec<Tool> {
    let tool = |name: &str, description: &str, properties: Value, required: Value| Tool {
        name: name.into(),
        description: description.into(),
        parameters: json!({"type": "object", "properties": properties, "required": required}),
    };
    let text = |about: &str| json!({"type": "string", "description": about});
    vec![
        tool(
            "ls",
            "List the files in a folder.",
            json!({"path": text("The folder")}),
            json!([]),
        ),
        tool(
            "read",
            "Read a file.",
            json!({"path": text("The file")}),
            json!(["path"]),
        ),
        tool(
            "grep",
            "Search files for a text.",
            json!({"pattern": text("What to search for"), "path": text("Where to search")}),
            json!(["pattern"]),
        ),
        tool(
            "remember",
            "Remember a fact for later.",
            json!({"text": text("The fact")}),
            json!(["text"]),
        ),
        tool(
            "time",
            "Tell the current date and time.",
            json!({"timezone": text("A time zone")}),
            json!([]),
        ),
    ]
}

/// Scores a list, given as its text. Fails with [`Error::Malformed`] on a line that is no case.
pub fn run(agent: &Agent, list: &str) -> Result<Report> {
    let tools = tools();
    let mut report = Report::default();
    let start = Instant::now();
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let case: Case = serde_json::from_str(line).map_err(|error| Error::Malformed {
            format: "instruction list",
            detail: error.to_string(),
        })?;
        let decision = agent.decide(&case.instruction, &tools, &Cancel::new())?;
        let right = match (&case.tool, &decision) {
            (None, _) => {
                report.without_tool += 1;
                let right = decision == Decision::Answer;
                report.right_none += usize::from(right);
                right
            }
            (Some(tool), Decision::Call { name, arguments }) if tool == name => {
                report.with_tool += 1;
                report.right_tool += 1;
                let listed = case
                    .arguments
                    .iter()
                    .all(|(name, accepted)| accepted.takes(arguments.get(name)));
                let unlisted = arguments.as_object().is_some_and(|given| {
                    given.keys().all(|name| case.arguments.contains_key(name))
                });
                report.right_call += usize::from(listed && unlisted);
                listed && unlisted
            }
            (Some(_), _) => {
                report.with_tool += 1;
                false
            }
        };
        if !right {
            let decided = match decision {
                Decision::Answer => "answer".to_owned(),
                Decision::Call { name, arguments } => format!("{name} {arguments}"),
            };
            report.misses.push((case.id, case.instruction, decided));
        }
    }
    let cases = (report.with_tool + report.without_tool).max(1);
    report.seconds = start.elapsed().as_secs_f64() / cases as f64;
    Ok(report)
}

/// Tokens a second.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    /// Reading a prompt of 270 tokens.
    pub prompt: f64,
    /// Writing 64 tokens after it.
    pub decode: f64,
    /// Threads used.
    pub threads: usize,
}

/// Measures the text model. Takes a few seconds; a busy machine shows.
pub fn speed(model: &TextModel) -> Result<Speed> {
    let text = "A prompt like any other, neither very long nor very short. ".repeat(30);
    let mut prompt = model.tokenizer().encode(&text)?;
    prompt.truncate(270);
    let mut session = model.session();
    // Once to warm up.
    model.prompt(&mut session, &prompt[..32], &Cancel::new())?;
    session.truncate(0);
    let start = Instant::now();
    model.prompt(&mut session, &prompt, &Cancel::new())?;
    let read = start.elapsed();
    let start = Instant::now();
    for token in &prompt[..64] {
        model.feed(&mut session, &[*token], &[0])?;
    }
    let wrote = start.elapsed();
    Ok(Speed {
        prompt: prompt.len() as f64 / read.as_secs_f64(),
        decode: 64.0 / wrote.as_secs_f64(),
        threads: model.threads().count(),
    })
}

/// llama.cpp's figures for the same file, by its own `llama-bench`. `None` if that is not installed or fails.
#[cfg(feature = "fetch")]
pub fn llama_bench(gguf: &std::path::Path, threads: usize) -> Option<Speed> {
    let output = std::process::Command::new("llama-bench")
        .args(["-p", "270", "-n", "64", "-o", "json", "-t"])
        .arg(threads.to_string())
        .arg("-m")
        .arg(gguf)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let runs: Vec<Value> = serde_json::from_slice(&output.stdout).ok()?;
    let rate = |length: &str| {
        let run = runs
            .iter()
            .find(|run| run[length].as_u64().is_some_and(|n| n > 0))?;
        run["avg_ts"].as_f64()
    };
    Some(Speed {
        prompt: rate("n_prompt")?,
        decode: rate("n_gen")?,
        threads,
    })
}
