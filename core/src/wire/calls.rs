//! Which tool call a fragment belongs to.
//!
//! OpenAI numbers the calls of an answer and names each once. Compatible servers leave out the
//! number, number every call 0, repeat id and name in every fragment, or send a call whole. Calls
//! get numbers of our own here, in the order they begin.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{
    WireError,
    ndjson::Brackets,
    table::{Action, Situation, on, settle},
};
use crate::model::Delta;

/// Calls one answer may hold.
const LIMIT: usize = 1_024;

/// The calls begun so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    begun: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    /// The provider's number.
    number: Option<u64>,
    id: String,
    name: String,
    /// Of the arguments so far.
    brackets: Brackets,
}

/// A piece of a call as it came; what is missing is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) number: Option<u64>,
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

impl Calls {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    /// Whether the last call's arguments are JSON that was begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.begun
            .last()
            .is_some_and(|call| call.brackets.is_open())
    }

    /// Sorts a fragment in and passes it on.
    pub(super) fn take(
        &mut self,
        fragment: Fragment<'_>,
        out: &mut Vec<Delta>,
    ) -> Result<(), WireError> {
        let place = match self.place(fragment)? {
            Some(place) => place,
            None => self.begin(fragment, out)?,
        };
        self.append(place, fragment.arguments, out);
        Ok(())
    }

    /// The call that `fragment` goes on with; `None` if it begins one.
    fn place(&self, fragment: Fragment<'_>) -> Result<Option<usize>, WireError> {
        let Fragment {
            number, id, name, ..
        } = fragment;
        let find = |same: &dyn Fn(&Call) -> bool| self.begun.iter().rposition(same);
        let place = match number {
            Some(_) => find(&|call| call.number == number),
            None if !id.is_empty() => find(&|call| call.id == id),
            None if !name.is_empty() && on(Situation::NameWithoutIndex) == Action::Open => None,
            None if on(Situation::FragmentWithoutIndex) == Action::Append => {
                self.begun.len().checked_sub(1)
            }
            None => None,
        };
        let Some((place, call)) = place.and_then(|p| self.begun.get(p).map(|call| (p, call)))
        else {
            if id.is_empty() && name.is_empty() {
                settle(Situation::FragmentWithoutCall, || {
                    "arguments for a tool call that never began".into()
                })?;
            }
            return Ok(None);
        };
        let known = !id.is_empty() && !call.id.is_empty();
        let begins = if known {
            call.id != id && on(Situation::NewIdAtSameIndex) == Action::Open
        } else {
            let whole = call.brackets.is_whole() && !fragment.arguments.is_empty();
            let named = !name.is_empty() && (name != call.name || whole);
            named && !call.name.is_empty() && on(Situation::NameAtSameIndex) == Action::Open
        };
        Ok((!begins).then_some(place))
    }

    fn begin(&mut self, fragment: Fragment<'_>, out: &mut Vec<Delta>) -> Result<usize, WireError> {
        let place = self.begun.len();
        if place >= LIMIT {
            settle(Situation::OverLimit, Default::default)?;
        }
        if fragment.name.is_empty() {
            settle(Situation::NamelessCall, || {
                "a tool call without name".into()
            })?;
        }
        self.begun.push(Call {
            number: fragment.number,
            id: fragment.id.to_string(),
            name: fragment.name.to_string(),
            brackets: Brackets::default(),
        });
        out.push(Delta::ToolCallStart {
            index: index(place),
            id: fragment.id.to_string(),
            name: fragment.name.to_string(),
        });
        Ok(place)
    }

    fn append(&mut self, place: usize, arguments: &str, out: &mut Vec<Delta>) {
        let Some(call) = self.begun.get_mut(place).filter(|_| !arguments.is_empty()) else {
            return;
        };
        for byte in arguments.bytes() {
            call.brackets.take(byte);
        }
        out.push(Delta::ToolCallArguments {
            index: index(place),
            fragment: arguments.to_string(),
        });
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
