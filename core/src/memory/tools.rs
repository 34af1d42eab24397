//! The tools of memory as a model sees them: what they are, what a call asks, what it is told.
//!
//! Every word of a schema is paid in each request: what a model rarely needs is left to a person's
//! commands.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::Value;

use super::{
    Access, Memory, Scope,
    entry::{Draft, IN_SESSION, MemoryError, PERSON},
    request::{Action, Answer, Changes, Failure, Narrow, Reply, Search, Was},
};
use crate::{
    ids::SessionId,
    json::object_of,
    order,
    safety::Labels,
    tool::{OnRestore, ToolClass, ToolSpec},
};

/// The tool that writes an entry.
pub const REMEMBER: &str = "remember";
/// The tool that searches entries.
pub const RECALL: &str = "recall";
/// The tool that reads, changes, forgets and lists entries.
pub const MEMORY: &str = "memory";
/// All of them.
pub const NAMES: [&str; 3] = [REMEMBER, RECALL, MEMORY];

/// The tools of memory, as offered to a model that may see what `access` says.
#[must_use]
pub fn tool_specs(access: &Access) -> Vec<ToolSpec> {
    let spec = |name: &str, description: &str, arguments: Vec<(&str, Value)>, needed, class| {
        let mut properties = serde_json::Map::new();
        for (name, schema) in arguments {
            properties.insert(name.into(), schema);
        }
        ToolSpec {
            name: name.into(),
            description: description.into(),
            parameters: object_of([
                ("type", "object".into()),
                ("properties", properties.into()),
                ("required", vec![Value::from(needed)].into()),
                ("additionalProperties", false.into()),
            ]),
            class,
            on_restore: OnRestore::Reissue,
            touches: Vec::new(),
            // What a memory is was stored with it.
            yields: Labels::NONE,
        }
    };
    let text = || object_of([("type", "string".into())]);
    let one_of = |names: Vec<Value>| object_of([("type", "string".into()), ("enum", names.into())]);
    let tags = || object_of([("type", "array".into()), ("items", text())]);
    let filed = || {
        let filed = [("kind", text()), ("tags", tags()), ("namespace", text())];
        filed.into_iter().filter(|_| access.manages)
    };
    let mut remembered = vec![("text", text())];
    remembered.extend(filed());
    let mut searched = vec![("query", text())];
    searched.extend(filed());
    if let [_, _, ..] = *access.scopes().collect::<Vec<_>>() {
        let kinds = access.scopes().map(|scope| scope.kind().into());
        remembered.push(("scope", one_of(kinds.collect())));
    }
    let actions = ["read", "update", "forget", "restore", "tree"].map(Value::from);
    let mut specs = vec![
        spec(
            REMEMBER,
            "Keep a fact for later sessions.",
            remembered,
            "text",
            ToolClass::Remember,
        ),
        spec(
            RECALL,
            "Search what was remembered.",
            searched,
            "query",
            ToolClass::Read,
        ),
    ];
    if access.manages {
        specs.push(spec(
            MEMORY,
            "Read or change what was remembered.",
            vec![
                ("action", one_of(actions.to_vec())),
                ("id", text()),
                ("text", text()),
                ("namespace", text()),
            ],
            "action",
            ToolClass::Remember,
        ));
    }
    specs
}

/// Where a call comes from.
#[derive(Clone, Debug)]
pub struct Caller<'a> {
    /// The session; none for a person's own call.
    pub session: Option<&'a SessionId>,
    /// What the conversation holds.
    pub labels: Labels,
    /// What it may see.
    pub access: &'a Access,
}

/// What a call of one of the tools asks. The error is told to the model.
pub fn action(name: &str, arguments: &Value, caller: &Caller<'_>) -> Result<Action, Failure> {
    let text = |name: &str| arguments[name].as_str().map(String::from);
    let list = |name: &str| -> Vec<String> {
        let items = arguments[name].as_array().into_iter().flatten();
        items
            .filter_map(|item| item.as_str().map(Into::into))
            .collect()
    };
    match name {
        REMEMBER => {
            let scope = match arguments["scope"].as_str() {
                Some(name) => Some(scope_named(caller.access, name)?),
                None => None,
            };
            let draft = Draft {
                text: text("text").unwrap_or_default(),
                kind: text("kind"),
                tags: list("tags"),
                namespace: text("namespace").unwrap_or_default(),
                source: match caller.session {
                    Some(_) => IN_SESSION.into(),
                    None => PERSON.into(),
                },
                session: caller.session.cloned(),
                labels: caller.labels,
                ..Draft::default()
            };
            let draft = draft.checked()?;
            Ok(Action::Remember { draft, scope })
        }
        RECALL => Ok(Action::Search(Search {
            query: text("query").unwrap_or_default(),
            narrow: Narrow {
                kind: text("kind"),
                tags: list("tags"),
                namespace: text("namespace"),
                ..Narrow::default()
            },
            ..Search::default()
        })),
        _ => {
            let action = arguments["action"].as_str().unwrap_or_default();
            let ids = || match text("id") {
                Some(id) => Ok(id),
                None => Err(MemoryError::Malformed {
                    what: format!("{action} needs the id of an entry"),
                }),
            };
            Ok(match action {
                "read" => Action::Read {
                    ids: vec![ids()?],
                    forgotten: false,
                },
                "update" => Action::Update {
                    id: ids()?,
                    changes: Changes {
                        text: text("text"),
                        namespace: text("namespace"),
                        labels: caller.labels,
                        ..Changes::default()
                    },
                },
                "forget" => Action::Forget {
                    ids: vec![ids()?],
                    purge: false,
                },
                "restore" => Action::Restore { ids: vec![ids()?] },
                _ => Action::Tree {
                    namespace: text("namespace").unwrap_or_default(),
                },
            })
        }
    }
}

/// The scope of that name among those of `access`.
pub fn scope_named(access: &Access, name: &str) -> Result<Scope, Failure> {
    let found = access.named(name).cloned();
    found.ok_or_else(|| Failure::NoScope {
        scope: name.into(),
        scopes: access
            .scopes()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// What a model is told came of a call, and what that is.
#[must_use]
pub fn tell(name: &str, arguments: &Value, reply: &Reply) -> (String, Labels) {
    match &reply.answer {
        Answer::Remembered { kept, was } => {
            let id = &kept.entry.id;
            let told = match was {
                Was::New => format!("remembered as {id}"),
                Was::Same => format!("the same was remembered before, as {id}"),
                Was::Forgotten => format!("remembered again, as {id}"),
            };
            (told, Labels::NONE)
        }
        Answer::Found { found } => {
            let entries = found.iter().map(|found| &found.entry);
            let labels = labels(entries.clone());
            (lines(entries), labels)
        }
        Answer::Entries { entries } => {
            let first = entries.iter().map(|kept| &kept.entry);
            let reads = name == MEMORY && arguments["action"] == "read";
            match (reads, arguments["action"].as_str()) {
                (true, _) => {
                    let labels = labels(first.clone());
                    let texts: Vec<String> = first.map(whole).collect();
                    (texts.join("\n\n"), labels)
                }
                (false, said) => {
                    let done = match said {
                        Some("forget") => "forgotten",
                        Some("restore") => "restored",
                        _ => "changed",
                    };
                    let ids: Vec<&str> = first.map(|entry| entry.id.as_str()).collect();
                    (format!("{done}: {}", ids.join(", ")), Labels::NONE)
                }
            }
        }
        Answer::Tree { branches } => {
            let mut lines: Vec<String> = branches
                .iter()
                .map(|branch| {
                    let scope = branch.scope.kind();
                    format!("{scope}: {}/ {}", branch.namespace, branch.entries)
                })
                .collect();
            order::sort_by(&mut lines, |a, b| a < b);
            let labels = Labels {
                private: !lines.is_empty(),
                ..Labels::NONE
            };
            match lines.is_empty() {
                true => ("nothing is remembered".into(), labels),
                false => (lines.join("\n"), labels),
            }
        }
    }
}

/// What entries are: the person's own, and what was in sight when they were written.
pub fn labels<'a>(entries: impl Iterator<Item = &'a Memory>) -> Labels {
    entries.fold(Labels::NONE, |labels, entry| Labels {
        private: true,
        ..labels.with(entry.labels)
    })
}

fn lines<'a>(entries: impl Iterator<Item = &'a Memory>) -> String {
    let lines: Vec<String> = entries.map(line).collect();
    match lines.is_empty() {
        true => "nothing is remembered about that".into(),
        false => lines.join("\n"),
    }
}

/// An entry as a model reads it among others.
#[must_use]
pub fn line(entry: &Memory) -> String {
    format!("[{}] {}", entry.id, entry.text)
}

/// An entry with everything said of it.
fn whole(entry: &Memory) -> String {
    let mut said = vec![format!("[{}] {}", entry.id, entry.kind)];
    if !entry.namespace.is_empty() {
        said.push(format!("in {}", entry.namespace));
    }
    if !entry.tags.is_empty() {
        said.push(format!("tags {}", entry.tags.join(", ")));
    }
    if !entry.links.is_empty() {
        said.push(format!("links {}", entry.links.join(", ")));
    }
    format!("{}\n{}", said.join("; "), entry.text)
}
