//! What of a journal is worth a receipt, told from its records alone.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;
use tau_kamn::bytes::sha256;

use crate::{
    ids::UnixMillis,
    journal::unhex,
    json::{self, FromJson},
    safety::Labels,
};

/// Records after which a model is asked or a tool runs.
const BEFORE_ACTS: [&str; 6] = [
    "prompt",
    "delivered",
    "compacting",
    "tool_started",
    "tool_results",
    "resumed",
];

/// What a receipt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tool call came to an end, whoever ended it.
    Tool,
    /// A person let a call run.
    Approval,
    /// A model was asked: it answered, or it failed.
    Model,
    /// A message was taken, of another agent or from a channel.
    Message,
}

impl Kind {
    /// As a receipt writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Approval => "approval",
            Self::Model => "model",
            Self::Message => "message",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        let all = [Self::Tool, Self::Approval, Self::Model, Self::Message];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that was done, as a record tells it. Hashes of JSON are over the text with sorted names
/// and no white space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What for.
    pub kind: Kind,
    /// The record's number.
    pub seq: u64,
    /// SHA-256 of the record's bytes.
    pub record: [u8; 32],
    /// When it was written.
    pub at: UnixMillis,
    /// The tool or the model, by its name; of a message, what it is.
    pub what: String,
    /// What ran, where that can be named by its content ([`crate::tool::Ran`]).
    pub module: Option<[u8; 32]>,
    /// SHA-256 of what it was given: the call's arguments; for a model, the record before, and with
    /// it all that could be sent; for a message, who sent it.
    pub args: Option<[u8; 32]>,
    /// SHA-256 of what came of it, as the record has it; none for an approval.
    pub result: Option<[u8; 32]>,
    /// The work it took, where that is metered.
    pub fuel: Option<u64>,
    /// What let it happen or ended it: a rule, how far a yes reaches, who refused; whose message it
    /// is. Empty for an answer.
    pub decision: String,
    /// What came in with the result; for an approval, what may leave.
    pub taint: Labels,
}

/// What a record tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What was done, if it tells of that.
    pub fact: Option<Fact>,
    /// Whether something is done outside once it is stored.
    pub acts: bool,
}

/// Follows a journal, record by record, and says what each is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracker {
    /// The calls of the last answer.
    calls: Vec<Call>,
    /// The record of that answer.
    from: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    id: String,
    name: String,
    args: [u8; 32],
    /// What let it run.
    rule: Option<String>,
    /// What a yes to it would let out.
    leaving: Labels,
}

impl Tracker {
    /// The record from which on a journal must be read to follow it from here.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Takes the next record, whose links others check.
    pub fn take(&mut self, line: &[u8]) -> Result<Told, json::Error> {
        let record: Value = json::from_slice(line)?;
        Ok(Told {
            fact: self.record(&record, line),
            acts: BEFORE_ACTS.contains(&text(&record["type"])),
        })
    }

    pub(super) fn record(&mut self, record: &Value, line: &[u8]) -> Option<Fact> {
        let begun = |kind, what: &str| Fact {
            kind,
            seq: record["seq"].as_u64().unwrap_or_default(),
            record: sha256(line),
            at: UnixMillis(record["at"].as_u64().unwrap_or_default()),
            what: what.to_owned(),
            module: None,
            args: None,
            result: None,
            fuel: None,
            decision: String::new(),
            taint: Labels::NONE,
        };
        let asked = |what: &str, result: &Value| Fact {
            args: unhex(text(&record["prev"])),
            result: Some(hash(result)),
            ..begun(Kind::Model, what)
        };
        let call_id = text(&record["call_id"]);
        match text(&record["type"]) {
            "answer" => {
                self.answered(record);
                let cut_off = record["stop"].is_null();
                Some(Fact {
                    decision: if cut_off {
                        "cut off".into()
                    } else {
                        String::new()
                    },
                    ..asked(text(&record["model"]), &record["message"])
                })
            }
            "attempt_failed" => Some(Fact {
                decision: "failed".into(),
                ..asked(text(&record["model"]), &record["error"])
            }),
            "delivered" => Some(Fact {
                args: Some(hash(&record["sender"])),
                result: Some(hash(&record["message"])),
                decision: format!("from {}", text(&record["sender"]["did"])),
                taint: Labels::EXTERNAL,
                ..begun(Kind::Message, "letter")
            }),
            "prompt" if !record["received"].is_null() => {
                let received = &record["received"];
                Some(Fact {
                    args: Some(hash(received)),
                    result: Some(hash(&record["message"])),
                    decision: format!("from {}", text(&received["channel"])),
                    taint: Labels::EXTERNAL,
                    ..begun(Kind::Message, "channel")
                })
            }
            // Which model wrote it, its record does not say.
            "compacted" => Some(asked("summary", &record["message"])),
            "tool_asked" => {
                let leaves = !record["notice"]["leaving"].is_null();
                if let Some(call) = self.call(call_id) {
                    call.leaving.private = leaves;
                    call.leaving.untrusted = leaves;
                }
                None
            }
            "tool_approved" => {
                let call = self.call(call_id)?;
                Some(Fact {
                    args: Some(call.args),
                    // Older records were written when there was only this one.
                    decision: record["extent"].as_str().unwrap_or("call").to_owned(),
                    taint: call.leaving,
                    ..begun(Kind::Approval, &call.name)
                })
            }
            "tool_started" => {
                self.call(call_id)?.rule = Some(text(&record["rule"]).to_owned());
                None
            }
            "tool_finished" => {
                let result = &record["result"];
                let call = self.call(text(&result["call_id"]));
                let rule = call.as_ref().and_then(|call| call.rule.as_deref());
                let decision = decision(rule, text(&record["by"]));
                let ran = &result["ran"];
                let mut labels = result["labels"].clone();
                Some(Fact {
                    args: call.map(|call| call.args),
                    module: unhex(text(&ran["module"])),
                    fuel: ran["fuel"].as_u64(),
                    result: Some(hash(result)),
                    taint: Labels::from_json(&mut labels).unwrap_or_default(),
                    decision,
                    ..begun(Kind::Tool, text(&result["name"]))
                })
            }
            _ => None,
        }
    }

    fn answered(&mut self, record: &Value) {
        self.from = record["seq"].as_u64().unwrap_or_default();
        let parts = record["message"]["parts"].as_array();
        let parts = parts.map(Vec::as_slice).unwrap_or_default();
        let calls = parts.iter().filter(|part| part["type"] == "tool_call");
        self.calls = calls
            .map(|call| Call {
                id: text(&call["id"]).to_string(),
                name: text(&call["name"]).to_string(),
                args: hash(&call["arguments"]),
                rule: None,
                leaving: Labels::NONE,
            })
            .collect();
    }

    fn call(&mut self, id: &str) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.id == id)
    }
}

/// The rule that let a call run; who ended it, where that was not what ran it.
fn decision(rule: Option<&str>, by: &str) -> String {
    match (rule, by) {
        (Some(rule), "home" | "core") => rule.to_owned(),
        (Some(rule), by) => format!("{rule}; ended by {by}"),
        (None, by) => format!("refused by {by}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// SHA-256 of a value's JSON.
pub(super) fn hash(value: &Value) -> [u8; 32] {
    sha256(&json::to_vec(value))
}
