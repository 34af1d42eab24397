//! Arguments: what a tool's schema asks for, copied out of the person's words.
//!
//! Invariant: a text argument is a slice of the instruction (or a value the schema lists); nothing is made up. What
//! cannot be found is left out, and a tool whose required arguments cannot be found is not called.

use serde_json::Value;

use super::Tool;
use super::slices::{after, before_change, content_words, fact, glob, pattern, spans, zone};
use super::words::{self, Word};
use crate::error::{Error, Result};

/// What a text argument holds, told from its name and description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Pattern,
    Glob,
    Fact,
    Content,
    Old,
    New,
    Command,
    Zone,
    Query,
    Other,
}

/// A property of a tool's schema.
#[derive(Debug, Clone)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    pub(crate) required: bool,
    schema: &'a Value,
}

/// What the instruction offers for a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Offer<'t> {
    /// Nothing: leave it out.
    Nothing,
    /// One certain value.
    Value(Value),
    /// Texts among which the model chooses.
    Among(Vec<&'t str>),
}

/// The properties of a tool, in the schema's order, required ones first. Fails with [`Error::Schema`].
pub(crate) fn parameters(tool: &Tool) -> Result<Vec<Parameter<'_>>> {
    let bad = |detail: &str| Error::Schema {
        tool: tool.name.clone(),
        detail: detail.into(),
    };
    let schema = tool
        .parameters
        .as_object()
        .ok_or_else(|| bad("it is not an object"))?;
    let properties = match schema.get("properties") {
        None => None,
        Some(value) => Some(
            value
                .as_object()
                .ok_or_else(|| bad("its properties are not an object"))?,
        ),
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut out: Vec<Parameter<'_>> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| Parameter {
            name,
            required: required.contains(&name.as_str()),
            schema,
        })
        .collect();
    out.sort_by_key(|parameter| !parameter.required);
    Ok(out)
}

impl Parameter<'_> {
    /// What the parameter holds, given the tool it belongs to.
    pub(crate) fn kind(&self, tool: &Tool) -> Kind {
        let has = |text: &str, parts: &[&str]| parts.iter().any(|part| text.contains(part));
        let name = self.name.to_ascii_lowercase();
        let about = tool.description.to_ascii_lowercase();
        if has(&name, &["path", "file", "dir", "folder"]) {
            let folder = has(&name, &["dir", "folder"])
                || !self.required
                || has(&tool.name, &["ls", "list", "dir"]);
            return if folder { Kind::Folder } else { Kind::File };
        }
        match name.as_str() {
            "old" | "old_text" | "old_string" | "search" | "find"
                if has(&about, &["replace", "edit"]) =>
            {
                Kind::Old
            }
            "new" | "new_text" | "new_string" | "replace" | "replacement" => Kind::New,
            _ if has(&name, &["glob"])
                || (has(&tool.name, &["glob"]) && has(&name, &["pattern"])) =>
            {
                Kind::Glob
            }
            _ if has(&name, &["pattern", "regex", "needle", "search", "keyword"]) => Kind::Pattern,
            _ if has(&name, &["query", "question"]) => Kind::Query,
            _ if has(&name, &["zone", "tz", "city", "place", "location"]) => Kind::Zone,
            _ if has(&name, &["command", "cmd", "script"]) => Kind::Command,
            _ if has(&name, &["content", "body"]) => Kind::Content,
            _ if has(&name, &["text", "note", "fact", "memory", "message"]) => Kind::Fact,
            _ => Kind::Other,
        }
    }

    fn listed(&self) -> Option<&Vec<Value>> {
        self.schema.get("enum").and_then(Value::as_array)
    }

    fn json_type(&self) -> &str {
        match self.schema.get("type") {
            Some(Value::String(name)) => name,
            // `["string", "null"]` and its like.
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .find(|name| *name != "null")
                .unwrap_or("string"),
            _ => "string",
        }
    }

    /// What `instruction` offers for this parameter.
    pub(crate) fn offer<'t>(&self, tool: &Tool, instruction: &'t str) -> Offer<'t> {
        let words = words::words(instruction);
        let value = |text: &str| Offer::Value(Value::from(text));
        if let Some(listed) = self.listed() {
            let said = listed.iter().find(|value| {
                value
                    .as_str()
                    .is_some_and(|text| words.iter().any(|word| word.is(text)))
            });
            return match (said, self.required) {
                (Some(said), _) => Offer::Value(said.clone()),
                (None, true) => listed.first().cloned().map_or(Offer::Nothing, Offer::Value),
                (None, false) => Offer::Nothing,
            };
        }
        match self.json_type() {
            "integer" | "number" => return self.number(&words),
            "boolean" => {
                let said = words.iter().any(|word| word.is(self.name));
                return if said || self.required {
                    Offer::Value(said.into())
                } else {
                    Offer::Nothing
                };
            }
            "array" | "object" => return Offer::Nothing,
            _ => {}
        }
        let quotations = words::quotations(instruction);
        let found = match self.kind(tool) {
            Kind::File => words
                .iter()
                .find(|word| words::is_file(word.text))
                .map(|word| word.text),
            Kind::Folder => {
                let searching = !self.required && !matches!(tool.name.as_str(), "ls" | "list");
                let file = words
                    .iter()
                    .find(|word| words::is_file(word.text))
                    .filter(|_| searching);
                let folder = words::folder(&words, true).filter(|word| !words::is_file(word.text));
                file.copied().or(folder).map(|word| word.text)
            }
            Kind::Glob => return glob(&words, &quotations),
            Kind::Pattern => return pattern(instruction, &words, &quotations),
            Kind::Zone => zone(instruction, &words),
            Kind::Fact => Some(fact(instruction, &words)),
            Kind::Query => Some(instruction.trim()),
            Kind::Content => quotations.first().copied().or_else(|| {
                after(
                    instruction,
                    &words,
                    &["saying", "says", "containing", "text", "content", "with"],
                )
            }),
            Kind::Command => quotations
                .first()
                .copied()
                .or_else(|| after(instruction, &words, &["run", "execute", "command"])),
            Kind::Old => quotations
                .first()
                .copied()
                .or_else(|| before_change(instruction, &words)),
            Kind::New => quotations
                .get(1)
                .copied()
                .or_else(|| after(instruction, &words, &["with", "to", "by", "into", "be"])),
            Kind::Other => {
                return match quotations.first() {
                    Some(quoted) => value(quoted),
                    None if self.required => {
                        Offer::Among(spans(instruction, &content_words(&words)))
                    }
                    None => Offer::Nothing,
                };
            }
        };
        found
            .filter(|text| !text.is_empty())
            .map_or(Offer::Nothing, value)
    }

    fn number(&self, words: &[Word<'_>]) -> Offer<'static> {
        let numbers = || {
            words
                .iter()
                .filter_map(|word| word.text.parse::<i64>().ok())
        };
        let stem = self.name.trim_end_matches('s');
        let named = words
            .iter()
            .any(|word| word.text.to_ascii_lowercase().starts_with(stem))
            || (self.name == "limit"
                && words.iter().any(|word| word.is_one_of(&["first", "lines"])));
        let found = numbers().next().filter(|_| named || self.required);
        found.map_or(Offer::Nothing, |number| Offer::Value(number.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str, properties: Value, required: &[&str]) -> Tool {
        let parameters = json!({"type": "object", "properties": properties, "required": required});
        Tool {
            name: name.into(),
            description: String::new(),
            parameters,
        }
    }

    fn offered(tool: &Tool, instruction: &str) -> Vec<String> {
        parameters(tool)
            .expect("a sound schema")
            .iter()
            .map(|parameter| match parameter.offer(tool, instruction) {
                Offer::Nothing => "-".into(),
                Offer::Value(Value::String(text)) => text,
                Offer::Value(other) => other.to_string(),
                Offer::Among(spans) => spans.join("|"),
            })
            .collect()
    }

    #[test]
    fn arguments_are_copied_from_the_words() {
        let text = json!({"type": "string"});
        let grep = tool("grep", json!({"pattern": text, "path": text}), &["pattern"]);
        assert_eq!(
            offered(&grep, "Search for \"two words\" in attic"),
            ["two words", "attic"]
        );
        assert_eq!(offered(&grep, "where is readAll used?"), ["readAll", "-"]);
        assert_eq!(
            offered(&grep, "find pears in fruit.txt"),
            ["pears", "fruit.txt"]
        );
        let read = tool(
            "read",
            json!({"path": text, "limit": {"type": "integer"}}),
            &["path"],
        );
        assert_eq!(
            offered(&read, "show the first 10 lines of a/b.c"),
            ["a/b.c", "10"]
        );
        assert_eq!(offered(&read, "what is this?"), ["-", "-"]);
        let remember = tool("remember", json!({"text": text}), &["text"]);
        assert_eq!(
            offered(&remember, "Remember the key hangs outside."),
            ["the key hangs outside"]
        );
        assert_eq!(
            offered(&remember, "Save this for later: it rains"),
            ["it rains"]
        );
        assert_eq!(
            offered(&remember, "From now on, I eat no meat, remember that!"),
            ["I eat no meat"]
        );
        let time = tool("time", json!({"timezone": text}), &[]);
        assert_eq!(
            offered(&time, "what time is it in Buenos Aires?"),
            ["Buenos Aires"]
        );
        assert_eq!(offered(&time, "what time is it?"), ["-"]);
    }

    #[test]
    fn a_listed_value_must_be_one_of_the_list() {
        let unit = tool("t", json!({"unit": {"enum": ["metre", "foot"]}}), &[]);
        assert_eq!(offered(&unit, "length in FOOT please"), ["foot"]);
        assert_eq!(offered(&unit, "length in miles"), ["-"]);
    }

    #[test]
    fn a_schema_that_is_no_object_is_an_error() {
        let tool = Tool {
            name: "t".into(),
            description: String::new(),
            parameters: json!([1]),
        };
        assert!(matches!(parameters(&tool), Err(Error::Schema { .. })));
    }
}
