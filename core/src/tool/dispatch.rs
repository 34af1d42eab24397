//! The one dispatcher: whether a tool call runs, is asked about, or is refused.
//!
//! Whoever asks, the order is the same: the tool exists, its arguments fit, policy allows. A
//! refusal is data the model can act on. Nothing outside this file decides about a call.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::Value;

use super::{ToolRun, ToolSpec, schema};
use crate::{
    json,
    message::ToolCall,
    policy::{Action, Policy, Refusal},
};

/// What is done with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs within these limits.
    Run(ToolRun),
    /// A person is asked, and why.
    Ask {
        /// What would run.
        run: ToolRun,
        /// Why it is asked.
        reason: String,
    },
    /// The call itself is wrong: no such tool, arguments that do not fit.
    Invalid(Refusal),
    /// Policy says no.
    Refuse(Refusal),
}

/// Decides about `call`. `approved` holds the tools a person approved for the whole session.
pub fn dispatch<'a>(
    call: &ToolCall,
    tools: impl Iterator<Item = &'a ToolSpec> + Clone,
    policy: &Policy,
    approved: &BTreeSet<String>,
) -> Verdict {
    let Some(tool) = tools.clone().find(|tool| tool.name == call.name) else {
        return Verdict::Invalid(unknown_tool(&call.name, tools));
    };
    if let Some(problem) = wrong_arguments(tool, &call.arguments) {
        return Verdict::Invalid(problem);
    }
    let run = ToolRun {
        call_id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
        limits: policy.tool_limits(),
    };
    let (action, rule) = policy.action(tool);
    match action {
        Action::Allow => Verdict::Run(run),
        Action::Ask if approved.contains(&tool.name) => Verdict::Run(run),
        Action::Ask => Verdict::Ask {
            run,
            reason: format!("policy: {rule}"),
        },
        Action::Deny => Verdict::Refuse(Refusal {
            reason: format!("the policy in force does not let {} run", tool.name),
            hint: Some("use another tool, or ask the person to change the policy".into()),
            rule,
        }),
    }
}

/// The refusal of a call that waited for a person who said no.
#[must_use]
pub fn refused_by_person(reason: Option<&str>) -> Refusal {
    Refusal {
        rule: "approval".into(),
        reason: match reason.map(str::trim) {
            Some(reason) if !reason.is_empty() => format!("the person said no: {reason}"),
            _ => "the person said no".into(),
        },
        hint: Some("do not repeat the call; find another way or ask what is wanted".into()),
    }
}

/// The refusal of a call that waited longer than anybody answered.
#[must_use]
pub fn nobody_answered(after_ms: u64) -> Refusal {
    Refusal {
        rule: "approval".into(),
        reason: format!("nobody approved it within {} s", after_ms / 1000),
        hint: Some("go on without it and say what is left undone".into()),
    }
}

impl Refusal {
    /// The text of the tool result that tells the model.
    #[must_use]
    pub fn to_result_text(&self) -> String {
        let mut object = serde_json::Map::new();
        object.insert("error".into(), "denied".into());
        object.insert("rule".into(), self.rule.clone().into());
        object.insert("reason".into(), self.reason.clone().into());
        if let Some(hint) = &self.hint {
            object.insert("hint".into(), hint.clone().into());
        }
        json::to_string(&Value::Object(object))
    }
}

fn unknown_tool<'a>(name: &str, tools: impl Iterator<Item = &'a ToolSpec>) -> Refusal {
    let names: Vec<&str> = tools.map(|tool| tool.name.as_str()).collect();
    Refusal {
        rule: "tool exists".into(),
        reason: format!("there is no tool called {name:?}"),
        hint: Some(match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => "there are no tools here: answer with text".into(),
            None => format!("the tools are {}", names.join(", ")),
        }),
    }
}

fn wrong_arguments(tool: &ToolSpec, arguments: &Value) -> Option<Refusal> {
    let problems = match arguments {
        Value::String(words) => vec![not_json(words)],
        arguments => schema::check(&tool.parameters, arguments),
    };
    if problems.is_empty() {
        return None;
    }
    Some(Refusal {
        rule: "arguments".into(),
        reason: problems.join("; "),
        hint: Some(format!(
            "call {} again with arguments that fit its schema",
            tool.name
        )),
    })
}

fn not_json(words: &str) -> String {
    match json::from_str::<Value>(words) {
        Ok(_) => "the arguments are not a JSON object".to_string(),
        Err(error) => format!("the arguments are not valid JSON: {error}"),
    }
}

/// The name most like `name`, when it is close enough to be a slip: at most one edit in three
/// letters (Damerau-Levenshtein, restricted, on lower-cased letters).
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = lower_case(name);
    if name.len() > 64 {
        return None;
    }
    known
        .map(|candidate| (edits(&name, &lower_case(candidate)), candidate))
        .filter(|(edits, candidate)| *edits * 3 <= candidate.chars().count().max(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

fn lower_case(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

fn edits(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut rows: Vec<usize> = vec![0; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for i in 0..=a.len() {
        rows[at(i, 0)] = i;
    }
    for j in 0..=b.len() {
        rows[at(0, j)] = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[at(i - 1, j)] + 1)
                .min(rows[at(i, j - 1)] + 1)
                .min(rows[at(i - 1, j - 1)] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[at(i - 2, j - 2)] + 1);
            }
            rows[at(i, j)] = least;
        }
    }
    rows[at(a.len(), b.len())]
}

#[cfg(test)]
mod tests;
