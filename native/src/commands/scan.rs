//! `tau scan`: what the detectors find in texts, by the same functions as the gate.
//!
//! Invariant: no secret that was found is shown again, in no kind of output.

mod lines;
mod lossy;
mod show;

use serde_json::{Map, Value, json};
use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};
use tau_core::safety::{Finding, Kind, Severity, injection, redact, rules::Rules, secrets};

use crate::{
    config,
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};
use lossy::Lossy;

/// Look for injections and secrets in texts.
///
/// Reads stdin, or files. Offsets count bytes of UTF-8, from 0; where a text is not UTF-8, of the
/// bytes as they came. A text is flagged by a finding of medium or high severity. Rules of the
/// profile (`policy.screen.rules`) apply.
///
/// Ends with 0 when nothing is flagged and 10 when something is; with --redact or --jsonl with 0
/// in both cases. A text that cannot be read makes it 2, and the others are answered all the same.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files to read; `-` is stdin, which is read when none is named.
    files: Vec<PathBuf>,
    /// What to look for: injection, secrets or all.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "KIND",
        hide_possible_values = true
    )]
    kind: Sought,
    /// Print the text with what is flagged replaced by `[redacted: FAMILY]`.
    #[arg(long)]
    redact: bool,
    /// Print one JSON object: `{flag, texts: [{id, flag, findings}]}`.
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// Read one `{"id", "text"}` a line, and print one `{"id", "flag", "findings": [{kind, family,
    /// severity, start, end}]}` a line in the same order.
    #[arg(long)]
    jsonl: bool,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Sought {
    /// Text that gives a model orders.
    Injection,
    /// Values that give access to something.
    Secrets,
    /// Both.
    #[default]
    All,
}

/// The detectors and the profile's rules.
struct Scanner {
    sought: Sought,
    rules: Rules,
}

impl Scanner {
    /// Everything that is found, by place.
    fn scan(&self, text: &str) -> Vec<Finding> {
        let mut found = match self.sought {
            Sought::Secrets => Vec::new(),
            Sought::Injection | Sought::All => injection::scan(text),
        };
        if self.sought != Sought::Injection {
            found.extend(secrets::scan(text));
        }
        let of_rules = self.rules.scan(text).into_iter();
        found.extend(of_rules.filter(|finding| match self.sought {
            Sought::All => true,
            Sought::Injection => finding.kind == Kind::Injection,
            Sought::Secrets => finding.kind == Kind::Secret,
        }));
        found.sort_by_key(|finding| (finding.start, std::cmp::Reverse(finding.end)));
        found
    }

    /// `text` without what is flagged in it.
    fn redacted(&self, text: &str, findings: &[Finding]) -> String {
        let flagged: Vec<Finding> = findings
            .iter()
            .filter(|finding| is_strong(finding))
            .cloned()
            .collect();
        redact(text, &flagged)
    }

    /// The answer about one text, as in every kind of JSON.
    fn told(&self, id: Value, text: &str, redacts: bool) -> Map<String, Value> {
        let findings = self.scan(text);
        let mut told = Map::new();
        told.insert("id".into(), id);
        told.insert("flag".into(), is_flagged(&findings).into());
        told.insert("findings".into(), json!(findings));
        if redacts {
            told.insert("text".into(), self.redacted(text, &findings).into());
        }
        told
    }
}

fn is_strong(finding: &Finding) -> bool {
    finding.severity >= Severity::Medium
}

fn is_flagged(findings: &[Finding]) -> bool {
    findings.iter().any(is_strong)
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let profile = config::load(&home.config_file())?;
    let rules = Rules::compile(&profile.policy.screen.rules)
        .map_err(|error| Error::config(format!("policy.screen.rules[{}]: {error}", error.index)))?;
    let scanner = Scanner {
        sought: args.kind,
        rules,
    };
    let mut inputs = args.files;
    if inputs.is_empty() {
        inputs.push("-".into());
    }
    if inputs.iter().any(|input| is_stdin(input)) && io::stdin().is_terminal() {
        ui.note("reads what is typed, until Ctrl-D");
    }
    match (args.jsonl, args.json) {
        (true, _) => lines::answer(&scanner, &inputs, args.redact, ui),
        (_, true) => Ok(as_object(&scanner, &inputs, args.redact, ui)),
        _ => Ok(for_people(&scanner, &inputs, args.redact, ui)),
    }
}

/// What all inputs together come to.
#[derive(Clone, Copy, Default)]
struct Sum {
    flagged: bool,
    failed: bool,
}

impl Sum {
    /// The exit code where flags count.
    fn exit(self) -> Exit {
        match self {
            Self { failed: true, .. } => Exit::Usage,
            Self { flagged: true, .. } => Exit::Flagged,
            Self { .. } => Exit::Ok,
        }
    }
}

fn as_object(scanner: &Scanner, inputs: &[PathBuf], redacts: bool, ui: Ui) -> Exit {
    let mut sum = Sum::default();
    let mut texts = Vec::new();
    for input in inputs {
        let id = input.display().to_string();
        let Some(text) = open(input, &mut sum, ui) else {
            texts.push(json!({"id": id, "error": "cannot be read"}));
            continue;
        };
        let mut told = scanner.told(id.into(), &text.text, redacts);
        sum.flagged |= told["flag"] == true;
        text.correct(&mut told);
        texts.push(told.into());
    }
    ui.json(&json!({"flag": sum.flagged, "texts": texts}));
    sum.flagged &= !redacts;
    sum.exit()
}

fn for_people(scanner: &Scanner, inputs: &[PathBuf], redacts: bool, ui: Ui) -> Exit {
    let mut sum = Sum::default();
    let mut count = 0;
    for input in inputs {
        let Some(text) = open(input, &mut sum, ui) else {
            continue;
        };
        let findings = scanner.scan(&text.text);
        if redacts {
            ui.out(&scanner.redacted(&text.text, &findings));
            count += findings.iter().filter(|finding| is_strong(finding)).count();
            continue;
        }
        count += findings.len();
        sum.flagged |= is_flagged(&findings);
        // Excerpts of injections must not show the secrets beside them, whatever is looked for.
        let mut hidden = secrets::scan(&text.text);
        hidden.extend(
            findings
                .iter()
                .filter(|finding| finding.kind == Kind::Secret)
                .cloned(),
        );
        let name = (!is_stdin(input)).then(|| input.display().to_string());
        for line in show::lines(&text.text, name.as_deref(), &findings, &hidden) {
            ui.line(line);
        }
    }
    let verb = if redacts { "redacted" } else { "found" };
    ui.note(match count {
        0 => format!("nothing {verb}"),
        count => format!("{count} {verb}"),
    });
    sum.exit()
}

/// The text of `input`; what cannot be read is told and counted.
fn open(input: &Path, sum: &mut Sum, ui: Ui) -> Option<Lossy> {
    match bytes(input) {
        Ok(bytes) => {
            let text = Lossy::new(bytes);
            if let Some(invalid) = text.invalid() {
                ui.warn(format!(
                    "{} is not UTF-8 from byte {invalid} on: such bytes are read as U+FFFD",
                    shown(input)
                ));
            }
            Some(text)
        }
        Err(error) => {
            sum.failed = true;
            let error = Error::usage(format!("{} cannot be read", shown(input))).cause(error);
            ui.error(&error);
            None
        }
    }
}

fn bytes(input: &Path) -> io::Result<Vec<u8>> {
    if !is_stdin(input) {
        return fs::read(input);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_stdin(input: &Path) -> bool {
    input.as_os_str() == "-"
}

fn shown(input: &Path) -> String {
    match is_stdin(input) {
        true => "stdin".into(),
        false => input.display().to_string(),
    }
}

#[cfg(test)]
mod tests;
