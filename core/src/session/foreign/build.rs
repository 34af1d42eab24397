//! Pieces of another program's conversation, made into whole entries.
//!
//! Programs write an answer in several lines, results of its calls each in one of its own, and lines
//! that are no messages in between. Here an answer is one entry, the results of its calls one more,
//! and whatever followed any of these lines follows the entry.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{Foreign, Program, hashed};
use crate::{
    ids::{EntryId, SessionId, TurnId, UnixMillis},
    journal::{ImportedEntry, sections::Diverged},
    message::{Message, Part, Role, ToolCall, ToolResult, ToolStatus},
    safety::Labels,
    session::Import,
};

/// What a line holds.
#[derive(Debug)]
pub(super) enum Piece {
    /// Words of the person.
    Person(Vec<Part>),
    /// Part of an answer; those with the same name are one.
    Answer(String, Vec<Part>),
    /// Results of calls: the call's name, how it went, what came.
    Results(Vec<(String, ToolStatus, String, Vec<crate::message::Image>)>),
    /// Nothing that is said: what follows it follows what it follows.
    Nothing,
}

#[derive(Debug)]
struct Line {
    number: usize,
    id: String,
    parent: Option<String>,
    at: Option<UnixMillis>,
    piece: Piece,
}

/// An entry in the making.
#[derive(Debug)]
struct Draft {
    id: String,
    parent: Option<usize>,
    at: UnixMillis,
    role: Role,
    parts: Vec<Part>,
    results: BTreeMap<String, ToolResult>,
}

/// Collects the lines of a file.
#[derive(Debug)]
pub(super) struct Builder {
    program: Program,
    now: UnixMillis,
    pub(super) name: String,
    pub(super) title: Option<String>,
    lines: Vec<Line>,
    left: BTreeMap<&'static str, usize>,
}

impl Builder {
    pub(super) fn new(program: Program, name: &str, now: UnixMillis) -> Self {
        Self {
            program,
            now,
            name: name.into(),
            title: None,
            lines: Vec::new(),
            left: BTreeMap::new(),
        }
    }

    pub(super) fn line(
        &mut self,
        number: usize,
        id: String,
        parent: Option<String>,
        at: Option<UnixMillis>,
        piece: Piece,
    ) {
        self.lines.push(Line {
            number,
            id,
            parent,
            at,
            piece,
        });
    }

    /// Counts something that is left behind.
    pub(super) fn leave(&mut self, what: &'static str) {
        *self.left.entry(what).or_default() += 1;
    }

    pub(super) fn finish(mut self) -> Result<Foreign, Diverged> {
        let order = self.order()?;
        let session = hashed(&[self.program.name(), &self.name]);
        let drafts = self.drafts(order);
        let (entries, head) = self.entries(&session, drafts);
        let told = |(what, count): (&&'static str, &usize)| format!("{count} {what}");
        Ok(Foreign {
            session: SessionId(session),
            title: self.title.clone(),
            import: Import {
                from: self.program.name().into(),
                own: false,
                entries,
                head,
            },
            left: self.left.iter().map(told).collect(),
        })
    }

    /// The lines, each after the one it follows.
    fn order(&mut self) -> Result<Vec<Line>, Diverged> {
        let mut places = BTreeMap::new();
        for (place, line) in self.lines.iter().enumerate() {
            if places.insert(line.id.clone(), place).is_some() {
                let why = format!("{:?} is the name of an earlier line, too", line.id);
                let line = line.number;
                return Err(Diverged { line, why });
            }
        }
        let mut after: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (place, line) in self.lines.iter().enumerate() {
            let parent = match &line.parent {
                None => None,
                Some(parent) => Some(*places.get(parent).ok_or_else(|| Diverged {
                    line: line.number,
                    why: format!("it follows {parent:?}, which is not in the file"),
                })?),
            };
            after.entry(parent).or_default().push(place);
        }
        let mut ready: BTreeSet<usize> = after
            .remove(&None)
            .unwrap_or_default()
            .into_iter()
            .collect();
        let mut order = Vec::with_capacity(self.lines.len());
        while let Some(place) = ready.pop_first() {
            order.push(place);
            ready.extend(after.remove(&Some(place)).unwrap_or_default());
        }
        let mut lines: Vec<Option<Line>> = self.lines.drain(..).map(Some).collect();
        let ordered: Vec<Line> = order
            .iter()
            .filter_map(|place| lines[*place].take())
            .collect();
        match lines.iter().flatten().next() {
            None => Ok(ordered),
            Some(line) => Err(Diverged {
                line: line.number,
                why: format!("{:?} follows itself in a circle", line.id),
            }),
        }
    }

    fn drafts(&mut self, lines: Vec<Line>) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = Vec::new();
        // Where what follows a line belongs, and the entries of answers and calls by their names.
        let mut stands: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        let mut last = self.now;
        for line in lines {
            let parent = line.parent.and_then(|parent| stands.get(&parent).copied());
            let parent = parent.flatten();
            last = line.at.unwrap_or(last);
            let mut draft = |role, parts, id: &str| {
                drafts.push(Draft {
                    id: id.into(),
                    parent,
                    at: last,
                    role,
                    parts,
                    results: BTreeMap::new(),
                });
                drafts.len() - 1
            };
            let place = match line.piece {
                Piece::Person(parts) if !parts.is_empty() => {
                    Some(draft(Role::User, parts, &line.id))
                }
                Piece::Answer(name, parts) => {
                    let place = match answers.get(&name) {
                        Some(place) => *place,
                        None => draft(Role::Assistant, Vec::new(), &line.id),
                    };
                    answers.insert(name, place);
                    for part in parts {
                        if let Part::ToolCall(call) = &part
                            && calls.insert(call.id.0.clone(), place).is_some()
                        {
                            *self
                                .left
                                .entry("calls with the name of another")
                                .or_default() += 1;
                            continue;
                        }
                        drafts[place].parts.push(part);
                    }
                    Some(place)
                }
                Piece::Results(results) => {
                    let mut place = parent;
                    for (call, status, text, images) in results {
                        let Some(of) = calls.get(&call) else {
                            *self.left.entry("results without their calls").or_default() += 1;
                            continue;
                        };
                        place = Some(*of);
                        let known = drafts[*of].parts.iter().find_map(|part| match part {
                            Part::ToolCall(known) if known.id.0 == call => Some(known.clone()),
                            _ => None,
                        });
                        if let Some(known) = known {
                            let result = result(&known, status, text, images);
                            drafts[*of].results.entry(call).or_insert(result);
                        }
                    }
                    place
                }
                Piece::Person(_) | Piece::Nothing => parent,
            };
            stands.insert(line.id, place);
        }
        drafts
    }

    /// Whole entries, results behind their calls; and where the conversation stood last.
    fn entries(&self, session: &str, drafts: Vec<Draft>) -> (Vec<ImportedEntry>, Option<EntryId>) {
        let name = |id: &str| match (self.program, id.parse::<u64>()) {
            // Numbers stay what they were.
            (Program::OlderTau, Ok(number)) => EntryId(format!("{number:016x}")),
            _ => EntryId(hashed(&[session, id])),
        };
        let mut entries = Vec::new();
        // Of each draft: the entry that what follows it follows, and its turn.
        let mut ends: Vec<(Option<EntryId>, u32)> = Vec::with_capacity(drafts.len());
        let mut turns = 0;
        for draft in drafts {
            let before = draft.parent.and_then(|parent| ends.get(parent).cloned());
            let (parent, turn) = before.unwrap_or_default();
            if draft.parts.is_empty() {
                ends.push((parent, turn));
                continue;
            }
            let turn = match draft.role {
                Role::User => {
                    turns += 1;
                    turns
                }
                _ => turn.max(1),
            };
            turns = turns.max(turn);
            let entry = name(&draft.id);
            let mut results = draft.results;
            let calls = draft.parts.iter().filter_map(|part| match part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            });
            let missing = |call: &ToolCall| {
                let why = "no result was recorded".to_string();
                result(call, ToolStatus::Cancelled, why, Vec::new())
            };
            let answered: Vec<Part> = calls
                .map(|call| results.remove(&call.id.0).unwrap_or_else(|| missing(call)))
                .map(Part::ToolResult)
                .collect();
            let said = |entry: &EntryId, parent, role, parts| ImportedEntry {
                entry: entry.clone(),
                parent,
                turn: TurnId(turn),
                at: draft.at,
                message: Message { role, parts },
            };
            entries.push(said(&entry, parent, draft.role, draft.parts));
            if answered.is_empty() {
                ends.push((Some(entry), turn));
                continue;
            }
            let of_calls = EntryId(hashed(&[session, &entry.0, "results"]));
            entries.push(said(&of_calls, Some(entry), Role::Tool, answered));
            ends.push((Some(of_calls), turn));
        }
        let head = ends.pop().and_then(|(end, _)| end);
        (entries, head)
    }
}

fn result(
    call: &ToolCall,
    status: ToolStatus,
    text: String,
    images: Vec<crate::message::Image>,
) -> ToolResult {
    ToolResult {
        call_id: call.id.clone(),
        name: call.name.clone(),
        status,
        text,
        images,
        duration_ms: 0,
        labels: Labels::NONE,
        ran: None,
    }
}

/// One text as the parts of a message; none for an empty one.
pub(super) fn words(text: String) -> Vec<Part> {
    match text.trim().is_empty() {
        true => Vec::new(),
        false => vec![Part::Text { text }],
    }
}
