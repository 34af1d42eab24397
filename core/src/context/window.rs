//! The window: the part of the conversation that goes into requests.
//!
//! It grows by one message at a time and is shared with the request, so that a turn costs the
//! same at entry 10 and at entry 10,000.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    message::{Message, Role},
    safety::Vetted,
    session::{Entries, Entry},
};

/// The messages of the next request, and where in the conversation they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    messages: Arc<Vec<Vetted<Arc<Message>>>>,
    /// For each message, the place of its entry and its estimated tokens.
    places: Arc<Vec<(usize, u32)>>,
    tokens: u64,
}

impl Window {
    /// The messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> &Arc<Vec<Vetted<Arc<Message>>>> {
        &self.messages
    }

    /// Estimated tokens of the messages.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether the entry at `place` is in it.
    pub(crate) fn holds(&self, place: usize) -> bool {
        self.places.iter().any(|(held, _)| *held == place)
    }

    /// Adds the newest entry.
    pub(crate) fn push(&mut self, place: usize, entry: &Entry) {
        Arc::make_mut(&mut self.messages).push(entry.message.clone());
        Arc::make_mut(&mut self.places).push((place, entry.tokens));
        self.tokens += u64::from(entry.tokens);
    }

    /// The window after a summary: the summary, then every entry behind what it covers.
    pub(crate) fn rebuild(entries: &Entries) -> Self {
        let mut kept: Vec<(usize, &Arc<Entry>)> = Vec::new();
        let mut summary = None;
        for (place, entry) in entries.path_back() {
            match (entry.covers, &summary) {
                (Some(covers), None) => summary = Some((place, covers, entry)),
                // An older summary is covered by the newer one.
                (Some(_), Some(_)) => {}
                (None, Some((_, covers, _))) if place <= *covers => break,
                (None, _) => kept.push((place, entry)),
            }
        }
        let mut window = Self::default();
        if let Some((place, _, entry)) = summary {
            window.push(place, entry);
        }
        for (place, entry) in kept.into_iter().rev() {
            window.push(place, entry);
        }
        window
    }

    /// Where the window would begin if its oldest groups were left out until at most `limit`
    /// estimated tokens are kept, but nothing from the entry at `keep_from` on. `None` when nothing
    /// can be left out.
    pub(crate) fn cut_for(&self, limit: u64, keep_from: usize) -> Option<usize> {
        let mut tokens = self.tokens;
        let mut cut = 0;
        while tokens > limit {
            let end = self.group_end(cut);
            if end >= self.len() || self.places[end - 1].0 >= keep_from {
                break;
            }
            tokens -= self.places[cut..end]
                .iter()
                .map(|(_, tokens)| u64::from(*tokens))
                .sum::<u64>();
            cut = end;
        }
        (cut > 0).then(|| self.places[cut].0)
    }

    /// Leaves out every message before the one of the entry at `place`; returns how many.
    pub(crate) fn cut_before(&mut self, place: usize) -> usize {
        let Some(cut) = self.places.iter().position(|(at, _)| *at == place) else {
            return 0;
        };
        Arc::make_mut(&mut self.messages).drain(..cut);
        let left_out = Arc::make_mut(&mut self.places).drain(..cut);
        self.tokens -= left_out.map(|(_, tokens)| u64::from(tokens)).sum::<u64>();
        cut
    }

    /// The messages from the start up to the entry at `place`, that one excluded.
    pub(crate) fn before(&self, place: usize) -> &[Vetted<Arc<Message>>] {
        let end = self
            .places
            .iter()
            .position(|(at, _)| *at >= place)
            .unwrap_or(self.len());
        &self.messages[..end]
    }

    /// Estimated tokens of [`Window::before`].
    pub(crate) fn tokens_before(&self, place: usize) -> u64 {
        let before = self.before(place).len();
        let tokens = self.places[..before].iter();
        tokens.map(|(_, tokens)| u64::from(*tokens)).sum()
    }

    /// The messages with the largest tool results shortened until `limit` estimated tokens are
    /// kept, for a turn that alone outgrows the model.
    pub(crate) fn shortened(&self, limit: u64) -> Arc<Vec<Vetted<Arc<Message>>>> {
        let mut messages = (*self.messages).clone();
        let mut tokens: Vec<u64> = self
            .places
            .iter()
            .map(|(_, tokens)| u64::from(*tokens))
            .collect();
        let mut total: u64 = tokens.iter().sum();
        // Each round at least halves one message, so this ends.
        while total > limit {
            let largest = (0..messages.len())
                .filter(|i| messages[*i].role == Role::Tool && tokens[*i] > 64)
                .max_by_key(|i| tokens[*i]);
            let Some(largest) = largest else { break };
            let shorter = messages[largest].shortened_results();
            let now = u64::from(super::estimate_message(&shorter));
            if now >= tokens[largest] {
                break;
            }
            total -= tokens[largest] - now;
            tokens[largest] = now;
            messages[largest] = shorter;
        }
        Arc::new(messages)
    }

    /// The end of the group that begins at `start`: one message, and after an answer with tool
    /// calls also its results.
    fn group_end(&self, start: usize) -> usize {
        let mut end = start + 1;
        while self
            .messages
            .get(end)
            .is_some_and(|message| message.role == Role::Tool)
        {
            end += 1;
        }
        end
    }
}
