//! Arguments: what a tool's schema asks for, copied out of the person's words.
//!
//! Invariant: a text argument is a slice of the instruction (or a value the schema lists); nothing is made up. What
//! cannot be found is left out, and a tool whose required arguments cannot be found is not called.

use serde_json::Value;

use super::Tool;
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

/// What is to be searched: a quotation, a name of code, a name, or a run of telling words.
fn pattern<'t>(text: &'t str, words: &[Word<'t>], quotations: &[&'t str]) -> Offer<'t> {
    if let Some(quoted) = quotations.first() {
        return Offer::Value(Value::from(*quoted));
    }
    let place = words::folder(words, true).map(|word| word.start);
    let telling: Vec<Word<'_>> = content_words(words)
        .into_iter()
        .filter(|word| {
            Some(word.start) != place && !words::is_file(word.text) && !words::is_folder(word.text)
        })
        .collect();
    if let Some(name) = telling.iter().find(|word| words::is_identifier(word.text)) {
        return Offer::Value(Value::from(name.text));
    }
    // `the word apple`: what follows is meant, whatever it is.
    let noun = [
        "word", "words", "text", "term", "phrase", "string", "name", "function", "variable",
    ];
    let pointed = words.windows(2).find(|pair| {
        pair[0].is_one_of(&noun) && !pair[0].ends_clause && telling.contains(&pair[1])
    });
    if let Some(pair) = pointed {
        let all = spans(text, &telling);
        let run = all
            .iter()
            .filter(|span| text[pair[1].start..].starts_with(**span))
            .max_by_key(|span| span.len());
        return Offer::Value(Value::from(*run.unwrap_or(&pair[1].text)));
    }
    let capital = |word: &Word<'_>| word.start > 0 && word.text.starts_with(char::is_uppercase);
    let names: Vec<Word<'_>> = telling.iter().copied().filter(capital).collect();
    if !names.is_empty() {
        let all = spans(text, &names);
        let longest = all.iter().copied().max_by_key(|span| span.len());
        return longest.map_or(Offer::Nothing, |name| Offer::Value(Value::from(name)));
    }
    match spans(text, &telling) {
        spans if spans.is_empty() => Offer::Nothing,
        spans => Offer::Among(spans),
    }
}

fn glob(words: &[Word<'_>], quotations: &[&str]) -> Offer<'static> {
    let starred = words
        .iter()
        .find(|word| word.text.contains('*'))
        .map(|word| word.text.to_owned());
    let extension = || {
        let dotted = words
            .iter()
            .find(|word| word.text.starts_with('.') && !word.text.contains('/'))?;
        Some(format!("**/*{}", dotted.text))
    };
    let quoted = || quotations.first().map(|quoted| format!("**/*{quoted}*"));
    starred
        .or_else(extension)
        .or_else(quoted)
        .map_or(Offer::Nothing, |text| Offer::Value(text.into()))
}

/// A place: a zone's name, or the capitalised words at the end of `in New York`.
fn zone<'t>(text: &'t str, words: &[Word<'t>]) -> Option<&'t str> {
    if let Some(zone) = words.iter().find(|word| words::is_zone(word.text)) {
        return Some(zone.text);
    }
    let at = words
        .iter()
        .rposition(|word| word.is_one_of(&["in", "at", "for"]))?;
    let capital = |word: &&Word<'_>| word.text.starts_with(char::is_uppercase);
    let names: Vec<&Word<'_>> = words[at + 1..].iter().take_while(capital).collect();
    Some(&text[names.first()?.start..names.last()?.end()])
}

/// What is to be remembered: the words after the request to do so, or before it if nothing follows.
fn fact<'t>(text: &'t str, words: &[Word<'t>]) -> &'t str {
    let triggers = [
        "remember", "mind", "note", "forget", "store", "save", "memorise", "memorize", "memory",
        "down", "future", "know",
    ];
    let links = [
        "that",
        "this",
        "for",
        "later",
        "next",
        "time",
        "the",
        "fact",
        "following",
        "it",
        "in",
        "your",
        "to",
        "memory",
        "down",
        "of",
        "please",
    ];
    let end = text.trim_end().trim_end_matches(['.', '!', '?']).len();
    let Some(trigger) = words.iter().position(|word| word.is_one_of(&triggers)) else {
        return text[..end].trim();
    };
    let mut from = trigger + 1;
    let closed = |at: usize| {
        words
            .get(at)
            .is_some_and(|word| text[word.end()..].starts_with(':'))
    };
    if !closed(trigger) {
        while let Some(word) = words.get(from) {
            // `the` opens a fact of its own unless it is `the fact` or `the following`.
            let own = word.is("the")
                && !words
                    .get(from + 1)
                    .is_some_and(|next| next.is_one_of(&["fact", "following"]));
            if own || !word.is_one_of(&links) {
                break;
            }
            from += 1;
            if closed(from - 1) || (word.is("that") && words.get(from).is_some()) {
                break;
            }
        }
    }
    match words.get(from) {
        Some(first) => text[first.start..end].trim(),
        None => {
            let before =
                text[..words[trigger].start].trim_end_matches([',', ';', ' ', '.', ':', '-']);
            // `For next time, …` only introduces.
            let opening = before.find(',').filter(|comma| {
                let lead = before[..*comma].to_ascii_lowercase();
                lead.starts_with("for ") || lead.starts_with("from now")
            });
            let fact = opening.map_or(before, |comma| &before[comma + 1..]).trim();
            let fact = fact
                .trim_end_matches(" please")
                .trim_end_matches(['.', ',', ' ']);
            if fact.is_empty() {
                text[..end].trim()
            } else {
                fact
            }
        }
    }
}

/// The rest of the instruction after the first of these words, up to a file's `in report.txt`.
fn after<'t>(text: &'t str, words: &[Word<'t>], marks: &[&str]) -> Option<&'t str> {
    let at = words.iter().position(|word| word.is_one_of(marks))? + 1;
    let rest = words.get(at..)?;
    let stop = rest
        .windows(2)
        .position(|pair| pair[0].is_one_of(&["in", "to", "into"]) && words::is_file(pair[1].text));
    let last = match stop {
        Some(at) => rest.get(at.checked_sub(1)?)?.end(),
        None => text.trim_end().trim_end_matches(['.', '!', '?']).len(),
    };
    text.get(rest.first()?.start..last)
}

/// `one` of `change one to two`.
fn before_change<'t>(text: &'t str, words: &[Word<'t>]) -> Option<&'t str> {
    let verb = words
        .iter()
        .position(|word| word.is_one_of(&["replace", "change", "rename", "turn"]))?;
    let link = words
        .iter()
        .position(|word| word.is_one_of(&["with", "to", "by", "into"]))?;
    let (first, last) = (words.get(verb + 1)?, words.get(link.checked_sub(1)?)?);
    text.get(first.start..last.end())
}

/// Runs of up to four of these words that stand together in the text.
fn spans<'t>(text: &'t str, words: &[Word<'t>]) -> Vec<&'t str> {
    let mut out = Vec::new();
    for from in 0..words.len() {
        for to in from..words.len().min(from + 4) {
            let together = to == from
                || (!words[to - 1].ends_clause
                    && text[words[to - 1].end()..words[to].start].trim().is_empty());
            if !together {
                break;
            }
            out.push(&text[words[from].start..words[to].end()]);
        }
    }
    out
}

/// Words that say something of their own, not how a search is asked for.
fn content_words<'t>(words: &[Word<'t>]) -> Vec<Word<'t>> {
    words
        .iter()
        .copied()
        .filter(|word| !word.is_one_of(PLAIN))
        .collect()
}

const PLAIN: &[&str] = &[
    "a",
    "about",
    "all",
    "an",
    "and",
    "any",
    "anyone",
    "anything",
    "anywhere",
    "appear",
    "appears",
    "are",
    "around",
    "as",
    "at",
    "be",
    "by",
    "call",
    "called",
    "can",
    "check",
    "code",
    "contain",
    "containing",
    "contains",
    "could",
    "current",
    "defined",
    "definition",
    "did",
    "directory",
    "do",
    "document",
    "documents",
    "does",
    "each",
    "every",
    "everywhere",
    "file",
    "files",
    "find",
    "folder",
    "for",
    "from",
    "function",
    "get",
    "give",
    "grep",
    "has",
    "have",
    "here",
    "how",
    "i",
    "if",
    "in",
    "inside",
    "into",
    "is",
    "it",
    "line",
    "lines",
    "list",
    "look",
    "looking",
    "me",
    "mention",
    "mentioned",
    "mentions",
    "my",
    "name",
    "named",
    "names",
    "note",
    "notes",
    "occur",
    "occurrence",
    "occurrences",
    "occurs",
    "of",
    "on",
    "our",
    "out",
    "over",
    "phrase",
    "place",
    "places",
    "please",
    "project",
    "search",
    "see",
    "set",
    "show",
    "some",
    "string",
    "talk",
    "talks",
    "tell",
    "term",
    "text",
    "that",
    "the",
    "there",
    "these",
    "this",
    "through",
    "to",
    "use",
    "used",
    "uses",
    "using",
    "variable",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "with",
    "word",
    "words",
    "would",
    "you",
    "your",
];

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
