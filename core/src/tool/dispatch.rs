//! The one dispatcher: whether a tool call runs, is asked about, or is refused.
//!
//! Whoever asks, the order is the same: the tool exists, its arguments fit, no person refused this
//! very call, its rate, what it would carry out, the policy, the approvals. A refusal is data the
//! model can act on. Nothing outside this folder decides about a call.

mod aim;

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::Value;

use super::{
    ToolClass, ToolRun, ToolSpec,
    notice::{self, Leaving, Notice},
    schema,
};
use crate::{
    ids::UnixMillis,
    json, letter,
    message::ToolCall,
    policy::{
        Action, Policy, Refusal,
        rates::{Pace, Window},
    },
    safety::has_mark,
};
use aim::Aim;

/// What is done with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs within these limits.
    Run {
        /// What runs.
        run: ToolRun,
        /// The rule that lets it.
        rule: String,
    },
    /// A person is asked, and why.
    Ask {
        /// What would run.
        run: ToolRun,
        /// Why it is asked.
        reason: String,
        /// What the person is shown.
        notice: Notice,
    },
    /// It is decided about again at that time.
    Later {
        /// When.
        until: UnixMillis,
    },
    /// The call itself is wrong: no such tool, arguments that do not fit.
    Invalid(Refusal),
    /// Policy says no.
    Refuse(Refusal),
}

/// What stands when a call is decided about.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The rules of every yes that lasts.
    pub approved: &'a [String],
    /// The digests of calls that a person said no to.
    pub denied: &'a [String],
    /// What was read so far.
    pub seen: &'a Seen,
    /// The calls of the last minute.
    pub recent: &'a Window,
    /// The time.
    pub now: UnixMillis,
}

/// What was read so far that bears on what may leave, each by a name a person knows it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Data of the person's own.
    pub private: Option<String>,
    /// Words of others.
    pub untrusted: Option<String>,
}

/// Decides about `call`.
pub fn dispatch<'a>(
    call: &ToolCall,
    tools: impl Iterator<Item = &'a ToolSpec> + Clone,
    standing: &Standing<'_>,
) -> Verdict {
    let Some(tool) = tools.clone().find(|tool| tool.name == call.name) else {
        return Verdict::Invalid(unknown_tool(&call.name, tools));
    };
    if let Some(problem) = wrong_arguments(tool, &call.arguments) {
        return Verdict::Invalid(problem);
    }
    if let Some(refusal) = marked(tool, &call.arguments) {
        return Verdict::Refuse(refusal);
    }
    let aim = match Aim::of(tool, &call.arguments, standing.policy) {
        Ok(aim) => aim,
        Err(refusal) => return Verdict::Refuse(refusal),
    };
    let digest = notice::digest(call);
    if standing.denied.contains(&digest) && !standing.lets(&tool.name, aim.rule.as_deref()) {
        return Verdict::Refuse(refused_before());
    }
    if let Some(over) = over_rate(tool, standing) {
        return over;
    }
    let run = ToolRun::new(call, tool, standing.policy);
    let leaving = aim.leaving(standing.seen);
    if let Some(leaving) = leaving {
        // Whatever the tool's own rule says: where content came from is known for certain.
        return tainted(run, digest, aim, leaving, standing);
    }
    let (action, rule) = match aim.said {
        // A rule about this very command says more than one about all of them; a tool that is
        // denied stays denied.
        Some((action, rule)) if standing.policy.action(tool).0 != Action::Deny => (action, rule),
        _ => standing.policy.action(tool),
    };
    match action {
        Action::Allow => Verdict::Run { run, rule },
        Action::Ask => match standing.covering(&tool.name, aim.rule.as_deref()) {
            Some(rule) => Verdict::Run { run, rule },
            None => Verdict::Ask {
                run,
                reason: format!("policy: {rule}"),
                notice: Notice {
                    digest,
                    always: aim.rule.is_some(),
                    rule: aim.rule,
                    leaving: None,
                },
            },
        },
        Action::Deny => Verdict::Refuse(Refusal {
            reason: format!("the policy in force does not let {} run", tool.name),
            hint: Some("use another tool, or ask the person to change the policy".into()),
            rule,
        }),
    }
}

impl Standing<'_> {
    /// The yes that covers a call of `tool` whose own rule is `rule`.
    fn covering(&self, tool: &str, rule: Option<&str>) -> Option<String> {
        let mut given = self.approved.iter().chain(&self.policy.approved);
        let covers = |given: &&String| *given == tool || rule.is_some_and(|rule| *given == rule);
        given.find(covers).map(|given| format!("approved: {given}"))
    }

    fn lets(&self, tool: &str, rule: Option<&str>) -> bool {
        self.covering(tool, rule).is_some()
    }
}

/// A call that could carry out what was read: only the policy's own word on that, or a yes to that
/// very thing, lets it run.
fn tainted(
    run: ToolRun,
    digest: String,
    aim: Aim,
    leaving: Leaving,
    standing: &Standing<'_>,
) -> Verdict {
    let policy = standing.policy;
    let rule = format!("taint = {}", policy.taint().name());
    // Apart from the yes to the same call with nothing read.
    let yes = aim.rule.map(|rule| format!("{rule}, with what was read"));
    let given = yes.as_ref().filter(|yes| standing.approved.contains(yes));
    match (policy.taint(), given) {
        (Action::Allow, _) => Verdict::Run { run, rule },
        (Action::Ask, Some(given)) => Verdict::Run {
            run,
            rule: format!("approved: {given}"),
        },
        (Action::Ask, None) => Verdict::Ask {
            run,
            reason: leaving.sentence(),
            notice: Notice {
                digest,
                rule: yes,
                always: false,
                leaving: Some(leaving),
            },
        },
        (Action::Deny, _) => Verdict::Refuse(Refusal {
            rule,
            reason: leaving.sentence(),
            hint: Some("answer with text; nothing leaves this conversation by a tool".into()),
        }),
    }
}

fn over_rate(tool: &ToolSpec, standing: &Standing<'_>) -> Option<Verdict> {
    let limits = standing.policy.rate_limits(tool.class);
    match standing.recent.decide(&limits, standing.now) {
        Pace::Now => None,
        Pace::Later { until } => Some(Verdict::Later { until }),
        Pace::Refuse(refusal) => Some(Verdict::Refuse(refusal)),
    }
}

/// What the gate took out of a text cannot be put back by the model: acting on the rest would send
/// or write something that nobody wrote.
fn marked(tool: &ToolSpec, arguments: &Value) -> Option<Refusal> {
    let looks_only = matches!(tool.class, ToolClass::Read);
    (!looks_only && holds_mark(arguments)).then(|| Refusal {
        rule: "redacted".into(),
        reason: "the arguments hold something that was taken out, such as a secret".into(),
        hint: Some(
            "name a stored credential as {{secret:NAME}} in a header, or change the part around \
             what was taken out"
                .into(),
        ),
    })
}

fn holds_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => has_mark(text),
        Value::Array(items) => items.iter().any(holds_mark),
        Value::Object(map) => map.values().any(holds_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The refusal of a call that a person said no to before.
fn refused_before() -> Refusal {
    Refusal {
        rule: "approval".into(),
        reason: "the person said no to this very call before".into(),
        hint: Some("do not repeat it; find another way or ask what is wanted".into()),
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

/// The refusal of a call that nobody was there to be asked about.
#[must_use]
pub fn nobody_there(reason: Option<&str>) -> Refusal {
    let why = reason.unwrap_or("nobody is there to ask");
    Refusal {
        rule: "approval".into(),
        reason: format!("it needs a yes, and {why}"),
        hint: Some("go on without it and say what is left undone".into()),
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
    name.chars().flat_map(letter::lower_case).collect()
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
