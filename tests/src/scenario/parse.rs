//! Reads a scenario.

use std::fmt;

use super::{
    Death, Head, Point, Reply, Scenario, Setup, Step, What, When, check,
    items::{self, Item},
};
use crate::wire::Tokens;
use tau_core::{policy::Extent, session::MergeHow};

/// A scenario that is not written as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for ScenarioError {}

type Result<T> = std::result::Result<T, ScenarioError>;

pub(super) fn fail<T>(line: usize, why: impl Into<String>) -> Result<T> {
    Err(ScenarioError {
        line,
        why: why.into(),
    })
}

/// One `## …` with its lines.
struct Section<'a> {
    line: usize,
    words: Vec<&'a str>,
    body: Vec<(usize, &'a str)>,
}

/// What stands in a scenario for a token of a well-known form.
const TOKEN: &str = "@token@";

/// Made when it is needed: no file holds what a scanner would take for a real one.
fn token() -> String {
    ["ghp", "_a1B2c3D4e5F6", "g7H8i9J0k1L2", "m3N4o5P6q7R8"].concat()
}

/// Reads `text`.
pub fn parse(text: &str) -> Result<Scenario> {
    let text = text.replace(TOKEN, &token());
    let (head, sections) = split(&text);
    let Some(title) = head.iter().find_map(|(_, line)| line.strip_prefix("# ")) else {
        return fail(
            1,
            "a scenario begins with `# ` and what it shows, in a sentence",
        );
    };
    let mut scenario = Scenario {
        title: title.trim().into(),
        setup: setup(&head)?,
        replies: Vec::new(),
        steps: Vec::new(),
    };
    let mut calls = 0;
    for section in &sections {
        if section.words.first() == Some(&"model") {
            let reply = reply(section, &scenario.setup, &mut calls)?;
            scenario.replies.push(reply);
        } else {
            let what = step(section)?;
            scenario.steps.push(Step {
                line: section.line,
                what,
            });
        }
    }
    if !scenario
        .steps
        .iter()
        .any(|step| matches!(step.what, What::Expect(_)))
    {
        return fail(1, "nothing is expected: add `## expect`");
    }
    Ok(scenario)
}

/// The lines before the first section, and the sections. A line in a fence begins none.
fn split(text: &str) -> (Vec<(usize, &str)>, Vec<Section<'_>>) {
    let mut head = Vec::new();
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut fenced = false;
    for (line, content) in (1..).zip(text.lines()) {
        if content.starts_with("```") {
            fenced = !fenced;
        }
        match content.strip_prefix("## ").filter(|_| !fenced) {
            Some(title) => {
                let words = title.split_whitespace().collect();
                sections.push(Section {
                    line,
                    words,
                    body: Vec::new(),
                });
            }
            None => match sections.last_mut() {
                Some(section) => section.body.push((line, content)),
                None => head.push((line, content)),
            },
        }
    }
    (head, sections)
}

/// The first fenced block among `lines`, and the line it begins at.
fn fence(lines: &[(usize, &str)]) -> Option<(usize, String)> {
    let mut lines = lines
        .iter()
        .skip_while(|(_, line)| !line.starts_with("```"));
    let (start, _) = lines.next()?;
    let inside: Vec<&str> = lines
        .map(|(_, line)| *line)
        .take_while(|line| !line.starts_with("```"))
        .collect();
    Some((*start, inside.join("\n")))
}

fn setup(head: &[(usize, &str)]) -> Result<Setup> {
    let Some((start, text)) = fence(head) else {
        return Ok(Setup::default());
    };
    toml::from_str(&text).or_else(|error| {
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        fail(start + 1 + before.matches('\n').count(), error.message())
    })
}

fn step(section: &Section<'_>) -> Result<What> {
    let line = section.line;
    let body = || items::text(&section.body);
    let number = |word: &str| match word.parse() {
        Ok(number) => Ok(number),
        Err(_) => fail(line, format!("{word:?} is no number")),
    };
    Ok(match section.words.as_slice() {
        ["prompt"] => {
            let (images, text) = items::images(&section.body)?;
            What::Prompt { text, images }
        }
        ["prompt", "now"] => What::PromptNow { text: body() },
        ["prompt", "of", bytes, "bytes"] => What::Prompt {
            text: "word ".repeat(number(bytes)? / 5),
            images: Vec::new(),
        },
        ["interrupt", when @ ..] => What::Interrupt(self::when(line, when)?),
        ["approve", call, "for", "session"] => What::Approve {
            call: (*call).into(),
            extent: Extent::Session,
            when: When::Now,
        },
        ["approve", call, "always"] => What::Approve {
            call: (*call).into(),
            extent: Extent::Always,
            when: When::Now,
        },
        ["approve", call, when @ ..] => {
            let when = self::when(line, when)?;
            What::Approve {
                call: (*call).into(),
                extent: Extent::Call,
                when,
            }
        }
        ["deny", call] => {
            let reason = Some(body()).filter(|reason| !reason.is_empty());
            What::Deny {
                call: (*call).into(),
                reason,
            }
        }
        ["policy"] => {
            let (start, text) = fence(&section.body).unwrap_or((line, String::new()));
            What::Policy(toml::from_str(&text).or_else(|error| fail(start, error.message()))?)
        }
        ["compact"] => What::Compact,
        ["undo"] => What::Undo,
        ["redo"] => What::Redo,
        ["switch", nth] => What::Switch(number(nth)?),
        ["switch", "to", name] => What::SwitchTo((*name).into()),
        ["branch", name] => What::Branch((*name).into()),
        ["merge", nth] => What::Merge(number(nth)?, MergeHow::Append),
        ["squash", nth] => What::Merge(number(nth)?, MergeHow::Squash),
        ["wait", millis] => What::Wait(number(millis)? as u64),
        ["reopen"] => What::Reopen,
        ["crash", side @ ("before" | "after"), operation, nth] => {
            let Some(operation) = super::Operation::named(operation) else {
                return fail(line, format!("{operation:?} is nothing a home does"));
            };
            let side = if *side == "before" {
                super::Side::Before
            } else {
                super::Side::After
            };
            What::Crash(Death::At(Point {
                operation: Some(operation),
                nth: number(nth)?,
                side,
            }))
        }
        ["crash", when @ ..] => What::Crash(Death::When(self::when(line, when)?)),
        ["expect"] => {
            let checks = items::items(&section.body)?;
            let checks = checks.iter().map(|(line, item)| match item {
                Item::Item(item) => check::read(*line, item),
                Item::Text(_) => fail(*line, "an expectation begins with `- `"),
            });
            What::Expect(checks.collect::<Result<_>>()?)
        }
        words => {
            return fail(
                line,
                format!("{:?} is nothing a scenario knows", words.join(" ")),
            );
        }
    })
}

fn when(line: usize, words: &[&str]) -> Result<When> {
    match words {
        [] => Ok(When::Now),
        ["at", millis] => match millis.parse() {
            Ok(millis) => Ok(When::At(millis)),
            Err(_) => fail(line, format!("{millis:?} is no number of milliseconds")),
        },
        ["when", event] => Ok(When::On((*event).into())),
        words => fail(
            line,
            format!("{:?} is no time: `at MS` or `when EVENT`", words.join(" ")),
        ),
    }
}

fn reply(section: &Section<'_>, setup: &Setup, calls: &mut usize) -> Result<Reply> {
    let line = section.line;
    let mut reply = Reply {
        line,
        model: None,
        head: Head::Status(200),
        headers: Vec::new(),
        late_ms: 0,
        pieces: Vec::new(),
        tokens: Tokens::default(),
        split: None,
        cut: None,
    };
    let mut words = section.words[1..].iter();
    while let Some(word) = words.next() {
        match *word {
            "status" => match words.next().and_then(|word| word.parse().ok()) {
                Some(status) => reply.head = Head::Status(status),
                None => return fail(line, "a status is a number"),
            },
            "refused" => reply.head = Head::Refused,
            "hangs" => reply.head = Head::Hangs,
            name if setup.model(Some(name)).is_some() => reply.model = Some(name.into()),
            word => {
                return fail(
                    line,
                    format!("{word:?} is neither a model nor a way to fail"),
                );
            }
        }
    }
    for (line, item) in items::items(&section.body)? {
        items::piece(line, &item, &mut reply, calls)?;
    }
    Ok(reply)
}
