//! What is remembered and may bear on a prompt: asked for at the beginning of its turn.
//!
//! Invariant: a turn does not fail for want of memory. What was found is a record of its own, behind
//! the prompt and in front of the first answer; nothing found is no record. Asking changes nothing,
//! so that it is not stored that it was asked: a restored session asks again.

use alloc::{string::String, vec::Vec};

use crate::{
    ids::{EffectId, TurnId, UnixMillis},
    journal::Body,
    memory::{self, Answer, Failure, Reply, Request},
    message::Message,
    safety::{Labels, Source},
    session::{Effect, Event, Session, Stage, Turn},
};

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// Asked for.
    Asked(EffectId),
    /// Answered in this turn.
    Over(TurnId),
}

impl Session {
    /// Asks memory for what bears on the prompt, once. Returns whether the turn waits for it.
    pub(super) fn proceed_recall(&mut self) -> bool {
        let Some(turn) = &self.state.turn else {
            return false;
        };
        match self.recall {
            Some(Recall::Asked(_)) => return true,
            Some(Recall::Over(of)) if of == turn.id => return false,
            Some(Recall::Over(_)) | None => {}
        }
        let Some(request) = self.recall_request(turn) else {
            return false;
        };
        let id = self.passing_id();
        self.recall = Some(Recall::Asked(id));
        self.emit(id, Effect::Memory(request));
        true
    }

    fn recall_request(&self, turn: &Turn) -> Option<Request> {
        let access = self.state.config.memory.as_ref()?;
        let is_first = turn.steps == 0 && matches!(turn.stage, Stage::Model(_));
        if access.recall_tokens == 0 || !is_first {
            return None;
        }
        let entries = &self.state.entries;
        let mut since = entries.iter().skip(turn.prompt);
        // What strangers write brings nothing of the person's into sight.
        let prompt = since.next().filter(|prompt| prompt.sender.is_none())?;
        if since.any(|entry| entry.recalled.is_some()) {
            return None;
        }
        let search = memory::recall_search(
            &prompt.message,
            access.recall_tokens,
            self.recalled_before().map(Into::into).collect(),
        )?;
        Some(Request {
            access: access.clone(),
            action: memory::Action::Search(search),
        })
    }

    /// The names of what was recalled before and is still in the request.
    fn recalled_before(&self) -> impl Iterator<Item = &str> {
        let back = self.state.entries.path_back();
        let found = back.filter_map(|(place, entry)| {
            let recalled = entry.recalled.as_ref()?;
            self.state.window.holds(place).then_some(recalled)
        });
        found.flat_map(|recalled| recalled.memories.iter().map(|name| &**name))
    }

    /// Whether the turn waits for memory.
    pub(super) fn is_recalling(&self) -> bool {
        matches!(self.recall, Some(Recall::Asked(_)))
    }

    /// Whether that effect is what the turn waits for.
    pub(crate) fn recalls_by(&self, id: EffectId) -> bool {
        self.recall == Some(Recall::Asked(id))
    }

    /// Memory answered what was asked at the beginning of the turn.
    pub(super) fn recall_answered(&mut self, result: Result<Reply, Failure>, now: UnixMillis) {
        let Some(turn) = &self.state.turn else {
            return;
        };
        self.recall = Some(Recall::Over(turn.id));
        let reply = match result {
            Ok(reply) => reply,
            Err(failure) => {
                let text = alloc::format!("nothing is recalled: {failure}");
                return self.tell(Event::Notice { text });
            }
        };
        for text in reply.notices {
            self.tell(Event::Notice { text });
        }
        let found = match reply.answer {
            Answer::Found { found } if !found.is_empty() => found,
            _ => return,
        };
        let memories: Vec<_> = found.iter().map(|found| found.entry.id.clone()).collect();
        let labels = memory::labels(found.iter().map(|found| &found.entry));
        self.recalled(memory::recalled_message(&found), memories, labels, now);
    }

    /// What was found when a recording was made.
    pub(crate) fn recalled_again(
        &mut self,
        id: EffectId,
        message: Message,
        memories: Vec<String>,
        labels: Labels,
        now: UnixMillis,
    ) {
        let Some(turn) = self.state.turn.as_ref().filter(|_| self.recalls_by(id)) else {
            return;
        };
        self.recall = Some(Recall::Over(turn.id));
        self.recalled(message, memories, labels, now);
        self.go_on(now);
    }

    /// Stores what was found.
    fn recalled(
        &mut self,
        message: Message,
        memories: Vec<String>,
        labels: Labels,
        now: UnixMillis,
    ) {
        let message = self.vet(message, Source::Memory, now);
        let (entry, parent) = self.next_entry();
        self.tell_stored(Event::Recalled {
            entry: entry.clone(),
            message: message.clone(),
            memories: memories.clone(),
        });
        self.record(
            Body::Recalled {
                entry,
                parent,
                message,
                memories,
                labels,
            },
            now,
        );
    }

    /// Takes back what was asked: the turn is over.
    pub(super) fn end_recall(&mut self) {
        if let Some(Recall::Asked(id)) = self.recall.take() {
            self.cancel(id);
        }
    }
}
