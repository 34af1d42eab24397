//! The agent takes back what it did last, by a tool, and its turn goes on without it.
//!
//! What is taken back are the steps of the running turn so far; where there are none, the turn
//! before. The running turn's prompt and the answer that asked for it follow, as copies, where the
//! rest ended. Nothing is deleted: the next request lacks what was taken back, the session does
//! not. Labels stay, because the model had read it when it wrote the answer that is kept. A yes, a
//! no and what a policy decided are no part of the conversation, and are never taken back.

use alloc::{format, string::String, vec, vec::Vec};

use super::super::{Session, State};
use crate::{
    context::Window,
    ids::{EntryId, TurnId, UnixMillis},
    journal::{Body, Copied},
    json::object_of,
    message::{Message, ToolStatus},
    safety::Labels,
    session::{Entry, Event},
    tool::{OnRestore, ToolClass, ToolSpec},
};

/// The tool.
pub(crate) const UNDO: &str = "undo";

/// The tool, as a model is told of it.
#[must_use]
pub fn tool_spec() -> ToolSpec {
    ToolSpec {
        name: UNDO.into(),
        description: "Forget your last steps, or the turn before. Their effects stay.".into(),
        parameters: object_of([
            ("type", "object".into()),
            ("properties", object_of([])),
            ("additionalProperties", false.into()),
        ]),
        class: ToolClass::Read,
        on_restore: OnRestore::Fail,
        touches: Vec::new(),
        yields: Labels::NONE,
    }
}

/// What would be taken back now.
struct Back {
    /// The entry that the running turn goes on from; none is the conversation's beginning.
    to: Option<EntryId>,
    /// The places of what follows there, the oldest first.
    keeps: Vec<usize>,
    /// The places of what goes, the newest first.
    goes: Vec<usize>,
    /// Whether a person's words are among it.
    is_turn: bool,
}

impl Session {
    /// Whether the agent would take back what a person said, while words of others are in sight
    /// that may have told it to.
    pub(crate) fn hides_words(&self) -> bool {
        let head = self.state.entries.path_back().next();
        let labels = head.map_or(Labels::NONE, |(_, entry)| entry.labels);
        labels.untrusted && self.back().is_some_and(|back| back.is_turn)
    }

    /// Takes back; the status and what the model is told.
    pub(crate) fn take_back(&mut self, now: UnixMillis) -> (ToolStatus, String) {
        let Some((turn, back)) = self
            .state
            .turn
            .as_ref()
            .map(|turn| turn.id)
            .zip(self.back())
        else {
            let why = "there is nothing before this to take back";
            return (ToolStatus::Error, why.into());
        };
        let Back {
            to,
            keeps,
            goes,
            is_turn,
        } = back;
        let entries = &self.state.entries;
        let gone: Vec<&Entry> = goes
            .iter()
            .filter_map(|at| entries.get(*at))
            .map(|entry| &**entry)
            .collect();
        let last = gone.iter().find(|entry| rests(&entry.message));
        let last = last.map(|entry| entry.id.clone());
        let what = match (is_turn, gone.last()) {
            (true, Some(entry)) => format!("turn {}", entry.turn.0),
            _ => "the steps of this turn so far".into(),
        };
        let told = format!(
            "Taken back: {what}, {} messages. {}",
            gone.len(),
            effects(&gone)
        );
        let kept = last.map_or(String::new(), |last| format!("; entry {last} has them"));
        let text = format!(
            "the agent took back {what}: its {} messages stay in the session{kept}. \
             What tools did outside is not undone",
            gone.len()
        );
        self.tell_stored(Event::Notice { text });
        let copies = self.copies(&keeps);
        self.record(Body::TakenBack { turn, to, copies }, now);
        (ToolStatus::Ok, told)
    }

    fn back(&self) -> Option<Back> {
        let prompt = self.state.turn.as_ref()?.prompt;
        let entries = &self.state.entries;
        let mut path = entries.path_back().map(|(place, _)| place);
        let answer = path.next().filter(|answer| *answer > prompt)?;
        let mut since: Vec<usize> = path.take_while(|place| *place > prompt).collect();
        since.reverse();
        // A summary stands for what is to be gone from the window, or for what comes back in full.
        let entry = |place: &usize| entries.get(*place);
        let (undoing, steps): (Vec<usize>, Vec<usize>) = since
            .into_iter()
            .filter(|place| entry(place).is_some_and(|entry| entry.covers.is_none()))
            .partition(|place| entry(place).is_some_and(|entry| stays(entry)));
        if !steps.is_empty() {
            let mut keeps = undoing;
            keeps.push(answer);
            let mut goes = steps;
            goes.reverse();
            return Some(Back {
                to: entries.id(Some(prompt)),
                keeps,
                goes,
                is_turn: false,
            });
        }
        let before = entries.get(prompt)?.parent?;
        // A turn that only summarised goes along with what it stands for.
        let mut said = entries.back_from(Some(before));
        let turn = said.find(|(_, entry)| entry.covers.is_none())?.1.turn;
        let goes: Vec<usize> = entries
            .back_from(Some(before))
            .skip_while(|(_, entry)| entry.turn != turn)
            .take_while(|(_, entry)| entry.turn == turn)
            .map(|(place, _)| place)
            .collect();
        let first = goes.last().and_then(|place| entries.get(*place))?;
        let mut keeps = vec![prompt];
        keeps.extend(undoing);
        keeps.push(answer);
        Some(Back {
            to: entries.id(first.parent),
            keeps,
            goes,
            is_turn: true,
        })
    }
}

impl State {
    pub(super) fn taken_back(
        &mut self,
        id: TurnId,
        to: Option<&EntryId>,
        copies: &[Copied],
        at: UnixMillis,
    ) -> Result<(), String> {
        let place = to.map(|to| self.place(to)).transpose()?;
        let running = self.turn.as_ref().filter(|turn| turn.id == id);
        let prompt = running.ok_or("its turn is not running")?.prompt;
        let first = copies.first().ok_or("nothing is kept")?;
        let moves_prompt = self.place(&first.of)? == prompt;
        if !moves_prompt && place != Some(prompt) {
            return Err("the prompt of the turn would be lost".into());
        }
        self.entries.set_head(place);
        let next = self.entries.len();
        self.names.carry(place);
        self.copy(copies, to.cloned(), id, at)?;
        if let (true, Some(turn)) = (moves_prompt, &mut self.turn) {
            turn.prompt = next;
        }
        self.window = Window::rebuild(&self.entries);
        Ok(())
    }
}

/// Whether a conversation can rest after the message.
fn rests(message: &Message) -> bool {
    message.tool_calls().next().is_none()
}

/// Whether the entry is no step: what memory brought to the prompt, and taking back itself.
fn stays(entry: &Entry) -> bool {
    entry.recalled.is_some() || only_undoes(&entry.message)
}

/// Whether the message is about nothing but taking back.
fn only_undoes(message: &Message) -> bool {
    let calls = message.tool_calls().map(|call| call.name.as_str());
    let results = message.tool_results().map(|result| result.name.as_str());
    let mut names = calls.chain(results).peekable();
    names.peek().is_some() && names.all(|name| name == UNDO)
}

/// What stays done: the tools that ran, by name.
fn effects(gone: &[&Entry]) -> String {
    let mut names: Vec<&str> = Vec::new();
    let results = gone.iter().rev().flat_map(|e| e.message.tool_results());
    for result in results.filter(|result| result.status != ToolStatus::Denied) {
        if !names.contains(&result.name.as_str()) {
            names.push(&result.name);
        }
    }
    match names.is_empty() {
        true => "No tool had run.".into(),
        false => format!("What these tools did is not undone: {}.", names.join(", ")),
    }
}
