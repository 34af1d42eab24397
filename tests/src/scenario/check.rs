//! Expectations: what must hold once everything before them is over.

use serde_json::Value;
use std::collections::BTreeMap;
use tau_core::{
    message::{Role, ToolResult},
    session::{Event, Outcome},
};

use super::{
    Played, Request, ScenarioError, items::unquote, parse::fail, reply::texts, stage::kind,
};

/// One expectation and the line it is written at.
#[derive(Clone, Debug)]
pub struct Check {
    line: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// How the last turn ended, its words in order.
    Outcome(Vec<String>),
    /// The model's last text.
    Answer(String),
    /// What a failed turn says, message or hint.
    Failure(String),
    /// How many requests were sent.
    Requests(usize),
    /// What a request holds, or not.
    Request {
        nth: Option<usize>,
        contains: bool,
        text: String,
    },
    /// How long the last turn took.
    Took { from_ms: u64, to_ms: u64 },
    /// How often a tool ran.
    Ran { tool: String, times: usize },
    /// How a call ended, and what its result holds.
    Result {
        call: String,
        status: String,
        text: String,
    },
    /// The calls of the last results, in order.
    Order(Vec<String>),
    /// Whether an event of that type was seen, and what it holds.
    Event {
        seen: bool,
        kind: String,
        text: String,
    },
    /// What the last refused command was told.
    Refused(String),
    /// How many records are stored.
    Records(usize),
    /// Messages in the session, such as `user assistant tool assistant`.
    Roles(Vec<String>),
    /// What the store holds.
    Stored { prefix: String, text: String },
    /// What is in no request, no event and nothing stored.
    Nowhere(String),
}

/// Reads one expectation.
pub(super) fn read(line: usize, item: &str) -> Result<Check, ScenarioError> {
    let words: Vec<&str> = item.split_whitespace().collect();
    let rest = |skipped: usize| {
        let mut rest = item;
        for _ in 0..skipped {
            rest = rest
                .trim_start()
                .split_once(' ')
                .map_or("", |(_, rest)| rest);
        }
        unquote(rest.trim())
    };
    let number = |word: &str| match word.parse::<usize>() {
        Ok(number) => Ok(number),
        Err(_) => fail(line, format!("{word:?} is no number")),
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let what = match words.as_slice() {
        ["outcome", outcome @ ..] => What::Outcome(owned(outcome)),
        ["answer", ..] => What::Answer(rest(1)),
        ["failure", ..] => What::Failure(rest(1)),
        ["requests", count] => What::Requests(number(count)?),
        ["request", nth, verb @ ("contains" | "lacks"), ..] => What::Request {
            nth: if *nth == "last" {
                None
            } else {
                Some(number(nth)?)
            },
            contains: *verb == "contains",
            text: rest(3),
        },
        ["took", range] => {
            let (from, to) = range.split_once("..").unwrap_or((range, range));
            What::Took {
                from_ms: number(from)? as u64,
                to_ms: number(to)? as u64,
            }
        }
        ["ran", tool, times] => What::Ran {
            tool: (*tool).into(),
            times: number(times)?,
        },
        ["result", call, status, ..] => What::Result {
            call: (*call).into(),
            status: (*status).into(),
            text: rest(3),
        },
        ["order", calls @ ..] => What::Order(owned(calls)),
        ["event", kind, ..] => What::Event {
            seen: true,
            kind: (*kind).into(),
            text: rest(2),
        },
        ["no", "event", kind, ..] => What::Event {
            seen: false,
            kind: (*kind).into(),
            text: rest(3),
        },
        ["refused", ..] => What::Refused(rest(1)),
        ["records", count] => What::Records(number(count)?),
        ["roles", roles @ ..] => What::Roles(owned(roles)),
        ["nowhere", ..] => What::Nowhere(rest(1)),
        ["stored", prefix, ..] => What::Stored {
            prefix: (*prefix).into(),
            text: rest(2),
        },
        _ => return fail(line, format!("{item:?} is nothing that can be expected")),
    };
    Ok(Check { line, what })
}

impl Check {
    /// Whether all of `checks` hold; the first that does not is told.
    pub(super) fn all(checks: &[Self], played: &Played) -> Result<(), String> {
        checks.iter().try_for_each(|check| {
            check
                .holds(played)
                .map_err(|found| format!("line {}: {found}", check.line))
        })
    }

    fn holds(&self, played: &Played) -> Result<(), String> {
        match &self.what {
            What::Outcome(words) => same(words, &outcome(played)),
            What::Answer(text) => same(text, &answer(played)),
            What::Failure(text) => holds(&failure(played), text),
            What::Requests(count) => same(count, &played.carried.requests.len()),
            What::Request {
                nth,
                contains,
                text,
            } => {
                let request = match nth {
                    Some(nth) => played.carried.requests.get(nth.saturating_sub(1)),
                    None => played.carried.requests.last(),
                };
                let request = request.ok_or("there was no such request")?;
                if request.holds(text) == *contains {
                    return Ok(());
                }
                let verb = if *contains { "lacks" } else { "contains" };
                Err(format!("the request {verb} {text:?}: {}", request.body))
            }
            What::Took { from_ms, to_ms } => {
                let took = played.carried.took_ms;
                if (*from_ms..=*to_ms).contains(&took) {
                    return Ok(());
                }
                Err(format!("the turn took {took} ms"))
            }
            What::Ran { tool, times } => same(
                times,
                &played
                    .carried
                    .runs
                    .iter()
                    .filter(|run| run.name == *tool)
                    .count(),
            ),
            What::Result { call, status, text } => {
                let results = results(played);
                let result = results.get(call).ok_or("that call has no result")?;
                same(status, &status_of(result))?;
                holds(&result.text, text)
            }
            What::Order(calls) => same(calls, &order(played)),
            What::Event { seen, kind, text } => event(played, *seen, kind, text),
            What::Refused(text) => match &played.carried.refused {
                Some(error) => holds(error, text),
                None => Err("no command was refused".into()),
            },
            What::Records(count) => same(count, &played.journal.len()),
            What::Roles(roles) => same(roles, &self::roles(played)),
            What::Stored { prefix, text } => {
                let mut rows = played
                    .rows
                    .iter()
                    .filter(|(key, _)| key.starts_with(prefix));
                if rows.any(|(_, value)| String::from_utf8_lossy(value).contains(text)) {
                    return Ok(());
                }
                Err(format!("nothing stored under {prefix} holds {text:?}"))
            }
            What::Nowhere(text) => nowhere(played, text),
        }
    }
}

impl Request {
    /// Whether it holds `text`, as it is sent or in one of its strings.
    fn holds(&self, text: &str) -> bool {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_default();
        self.url.contains(text)
            || self.body.contains(text)
            || texts(&json).iter().any(|part| part.contains(text))
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(expected: &T, found: &T) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("expected {expected:?}, found {found:?}"))
}

fn holds(found: &str, text: &str) -> Result<(), String> {
    if found.contains(text) {
        return Ok(());
    }
    Err(format!("expected {text:?} in {found:?}"))
}

fn last_outcome(played: &Played) -> Option<&Outcome> {
    played.events().rev().find_map(|event| match event {
        Event::TurnFinished { outcome, .. } => Some(outcome),
        _ => None,
    })
}

/// The last outcome in words, such as `budget steps` or `failed unauthorized`.
fn outcome(played: &Played) -> Vec<String> {
    match last_outcome(played) {
        None => vec!["none".into()],
        Some(Outcome::Answered) => vec!["answered".into()],
        Some(Outcome::Truncated) => vec!["truncated".into()],
        Some(Outcome::Interrupted) => vec!["interrupted".into()],
        Some(Outcome::BudgetExhausted { budget }) => vec!["budget".into(), name(budget)],
        Some(Outcome::Failed { error }) => vec!["failed".into(), name(&error.kind)],
    }
}

fn name(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn failure(played: &Played) -> String {
    match last_outcome(played) {
        Some(Outcome::Failed { error }) => {
            format!(
                "{} {}",
                error.message,
                error.hint.as_deref().unwrap_or_default()
            )
        }
        _ => String::new(),
    }
}

fn answer(played: &Played) -> String {
    let path = played
        .session
        .as_ref()
        .map(|session| session.entries().path())
        .unwrap_or_default();
    let last = path
        .iter()
        .rev()
        .find(|entry| entry.message.role == Role::Assistant);
    last.map(|entry| entry.message.joined_text())
        .unwrap_or_default()
}

fn roles(played: &Played) -> Vec<String> {
    let path = played
        .session
        .as_ref()
        .map(|session| session.entries().path())
        .unwrap_or_default();
    path.iter().map(|entry| name(&entry.message.role)).collect()
}

fn results(played: &Played) -> BTreeMap<String, ToolResult> {
    let results = played.events().filter_map(|event| match event {
        Event::ToolFinished { result } => Some((result.call_id.0.clone(), result.clone())),
        _ => None,
    });
    results.collect()
}

fn status_of(result: &ToolResult) -> String {
    name(&result.status)
}

fn order(played: &Played) -> Vec<String> {
    let path = played
        .session
        .as_ref()
        .map(|session| session.entries().path())
        .unwrap_or_default();
    let last = path
        .iter()
        .rev()
        .find(|entry| entry.message.role == Role::Tool);
    let ids = last.map(|entry| {
        entry
            .message
            .tool_results()
            .map(|r| r.call_id.0.clone())
            .collect()
    });
    ids.unwrap_or_default()
}

fn nowhere(played: &Played, text: &str) -> Result<(), String> {
    if played
        .carried
        .requests
        .iter()
        .any(|request| request.holds(text))
    {
        return Err(format!("a request holds {text:?}"));
    }
    let holds = |(_, value): &&(String, Vec<u8>)| String::from_utf8_lossy(value).contains(text);
    if let Some((key, _)) = played.rows.iter().find(holds) {
        return Err(format!("{key} holds {text:?}"));
    }
    let mut streamed = String::new();
    for event in played.events() {
        if let Event::TextDelta { text } | Event::ThinkingDelta { text } = event {
            streamed += text;
        }
        let json = serde_json::to_value(event).unwrap_or_default();
        if json.to_string().contains(text) || texts(&json).iter().any(|part| part.contains(text)) {
            return Err(format!("this event holds {text:?}: {event:?}"));
        }
    }
    if streamed.contains(text) {
        return Err(format!("{text:?} was shown while it was written"));
    }
    Ok(())
}

fn event(played: &Played, seen: bool, of_kind: &str, text: &str) -> Result<(), String> {
    let found = played
        .events()
        .filter(|event| kind(event) == of_kind)
        .find(|event| {
            let json = serde_json::to_value(event).unwrap_or_default();
            json.to_string().contains(text) || texts(&json).iter().any(|part| part.contains(text))
        });
    match (seen, found) {
        (true, None) => Err(format!("no event {of_kind} with {text:?} was seen")),
        (false, Some(event)) => Err(format!("this event was seen: {event:?}")),
        _ => Ok(()),
    }
}
