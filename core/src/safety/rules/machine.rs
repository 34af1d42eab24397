//! Matching by all paths at once (Thompson's construction, as Pike runs it): time is the text's
//! length times the program's, whatever the pattern.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use super::pattern::{Look, Program, Step};

/// Matches one program.
pub(super) struct Machine<'a> {
    program: &'a Program,
    /// The places that are tried, the preferred first, and where each began.
    now: Vec<(usize, usize)>,
    next: Vec<(usize, usize)>,
    /// When each place was last added: it is added once for each character.
    added: Vec<usize>,
    tick: usize,
    stack: Vec<usize>,
    /// Which ASCII characters a match can begin with.
    begins: [bool; 128],
}

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a Program) -> Self {
        let mut machine = Self {
            program,
            now: Vec::new(),
            next: Vec::new(),
            added: vec![0; program.steps.len()],
            tick: 0,
            stack: Vec::new(),
            begins: [false; 128],
        };
        machine.begins = machine.beginnings();
        machine
    }

    /// Finds the matches that do not overlap, each the leftmost and the preferred one.
    pub(super) fn find(&mut self, text: &str, found: &mut dyn FnMut(Range<usize>)) {
        // Reading on for a longer match, in vain, is allowed for as long as the text is; then
        // the shortest match is taken, so that the whole stays linear.
        let mut patience = text.len();
        let mut from = 0;
        while let Some((range, read)) = self.first(text, from, patience) {
            patience = patience.saturating_sub(read - range.end);
            from = range.end;
            found(range);
        }
    }

    /// The first match from a place on, and how far was read.
    fn first(&mut self, text: &str, from: usize, patience: usize) -> Option<(Range<usize>, usize)> {
        self.now.clear();
        let mut matched: Option<Range<usize>> = None;
        let mut before = text[..from].chars().next_back();
        let mut at = from;
        self.tick += 1;
        loop {
            let c = text[at..].chars().next();
            if matched.is_none()
                && c.is_some_and(|c| self.begins.get(c as usize).is_none_or(|b| *b))
            {
                self.add(0, at, before, c);
            }
            let mut next = core::mem::take(&mut self.next);
            for (place, start) in &self.now {
                match &self.program.steps[*place] {
                    Step::Match => {
                        matched = Some(*start..at);
                        // What is less preferred is dropped.
                        break;
                    }
                    Step::Set(set) if c.is_some_and(|c| set.has(c)) => {
                        next.push((place + 1, *start))
                    }
                    _ => {}
                }
            }
            let Some(c) = c else { break };
            self.now.clear();
            before = Some(c);
            at += c.len_utf8();
            let after = text[at..].chars().next();
            self.tick += 1;
            for (place, start) in next.drain(..) {
                self.add(place, start, before, after);
            }
            self.next = next;
            if matched
                .as_ref()
                .is_some_and(|m| self.now.is_empty() || at - m.end > patience)
            {
                break;
            }
        }
        matched.map(|range| (range, at))
    }

    /// Adds a place and those it leads to without a character.
    fn add(&mut self, place: usize, start: usize, before: Option<char>, after: Option<char>) {
        self.stack.push(place);
        while let Some(place) = self.stack.pop() {
            if self.added[place] == self.tick {
                continue;
            }
            self.added[place] = self.tick;
            match &self.program.steps[place] {
                Step::Jump(to) => self.stack.push(*to),
                Step::Fork(first, second) => {
                    self.stack.push(*second);
                    self.stack.push(*first);
                }
                Step::Look(look) => {
                    if holds(*look, before, after) {
                        self.stack.push(place + 1);
                    }
                }
                Step::Set(_) | Step::Match => self.now.push((place, start)),
            }
        }
    }

    /// The ASCII characters that some first step takes, conditions taken as met.
    fn beginnings(&self) -> [bool; 128] {
        let mut begins = [false; 128];
        let mut seen = vec![false; self.program.steps.len()];
        let mut stack = vec![0];
        while let Some(place) = stack.pop() {
            if core::mem::replace(&mut seen[place], true) {
                continue;
            }
            match &self.program.steps[place] {
                Step::Jump(to) => stack.push(*to),
                Step::Fork(first, second) => stack.extend([*first, *second]),
                Step::Look(_) => stack.push(place + 1),
                Step::Set(set) => {
                    for (byte, begins) in (0_u8..).zip(&mut begins) {
                        *begins |= set.has(char::from(byte));
                    }
                }
                Step::Match => {}
            }
        }
        begins
    }
}

fn holds(look: Look, before: Option<char>, after: Option<char>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    match look {
        Look::Start => before.is_none(),
        Look::End => after.is_none(),
        Look::Border => is_word(before) != is_word(after),
        Look::NoBorder => is_word(before) == is_word(after),
    }
}
