//! What a person or a program asks of a session.

use alloc::{boxed::Box, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::MergeHow;
use crate::{
    ids::{CallId, EntryId},
    json::{FromJson, ToJson},
    message::{Image, Letter},
    policy::{Extent, Policy},
    safety::rules::BadRule,
    tool::reserved::BadToolName,
};

/// A wish of whoever the agent works for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// Begin a turn. Refused while one is running.
    Prompt {
        /// What is wanted.
        text: String,
        /// Pictures that go with it.
        #[serde(default)]
        images: Vec<Image>,
    },
    /// Begin a turn with what another agent wrote. Refused while one is running.
    Deliver {
        /// The message, as the home that checked it has it.
        letter: Box<Letter>,
    },
    /// End the running turn at once, keeping what was said and done. No turn is no error.
    Interrupt,
    /// Let a waiting tool call run.
    Approve {
        /// The call.
        call_id: CallId,
        /// How far the yes reaches.
        #[serde(default)]
        extent: Extent,
        /// The digest of what was shown, if the yes is to hold for nothing else.
        #[serde(default)]
        digest: Option<String>,
    },
    /// Refuse a waiting tool call.
    Deny {
        /// The call.
        call_id: CallId,
        /// Told to the model.
        #[serde(default)]
        reason: Option<String>,
        /// Nobody was there to ask: the call is not refused for good.
        #[serde(default)]
        absent: bool,
    },
    /// Summarise the conversation so far now. Refused while a turn is running.
    Compact,
    /// Go back to before the last turn. Nothing is deleted: a prompt from there begins a branch.
    /// What tools did outside stays done. Refused while a turn is running.
    Undo,
    /// Take the last undo back. Possible until something is said. Refused while a turn is running.
    Redo,
    /// Go on from another entry of the session. Refused while a turn is running.
    Switch {
        /// The entry that the next prompt will follow; one at which a conversation can rest.
        to: EntryId,
    },
    /// Go on from what has a name: a branch or a bookmark. Refused while a turn is running.
    SwitchTo {
        /// The name.
        name: String,
    },
    /// Begin a branch with a name, and go on from its beginning. Refused while a turn is running.
    Branch {
        /// Its name.
        name: String,
        /// The entry it begins after; where the session stands, without one.
        #[serde(default)]
        at: Option<EntryId>,
    },
    /// Give a place a name that stays there. Refused while a turn is running.
    Bookmark {
        /// The name.
        name: String,
        /// The entry; where the session stands, without one.
        #[serde(default)]
        at: Option<EntryId>,
    },
    /// Take a name away from a branch or a bookmark: what was said there stays. Refused while a
    /// turn is running.
    Forget {
        /// The name.
        name: String,
    },
    /// Give a branch, a bookmark or the session another name. Refused while a turn is running.
    Rename {
        /// The name it has; the session's own without one.
        #[serde(default)]
        from: Option<String>,
        /// The name it gets.
        to: String,
    },
    /// Bring what was said on another branch into the conversation as it stands. Refused while a
    /// turn is running.
    Merge {
        /// The last entry of the other branch.
        from: EntryId,
        /// Entry by entry, or in short.
        #[serde(default)]
        how: MergeHow,
    },
    /// Replace the policy, from the next tool call on.
    SetPolicy {
        /// The whole new policy.
        policy: Policy,
    },
}

/// Why a command was not taken. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// A prompt without text and pictures.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The prompt alone does not fit the model.
    #[error(
        "the prompt has about {tokens} tokens, the model takes {limit} besides instructions, tools and its answer"
    )]
    PromptTooLarge {
        /// An estimate.
        tokens: u64,
        /// What is left of the model's context for it.
        limit: u64,
    },
    /// The gate let nothing of the prompt through.
    #[error("the prompt was withheld: it holds {families}, which the policy blocks")]
    Withheld {
        /// The families found, in words.
        families: String,
    },
    /// The policy has a rule that cannot be used.
    #[error("the policy cannot be in force: {rule}")]
    BadRule {
        /// Which, and what is wrong with it.
        rule: BadRule,
    },
    /// Two tools cannot be told apart by their names.
    #[error("the tools cannot be offered: {name}")]
    BadTools {
        /// Which.
        name: BadToolName,
    },
    /// The model takes no pictures.
    #[error("model {model} takes no images")]
    NoImages {
        /// Its name.
        model: String,
    },
    /// A turn is running.
    #[error("a turn is running: wait for it or interrupt it")]
    Busy,
    /// No call of that id waits for an answer.
    #[error("no tool call {call_id} is waiting for approval")]
    NotWaiting {
        /// The id given.
        call_id: CallId,
    },
    /// The call that waits is not the one that was shown.
    #[error("tool call {call_id} is not the one that was shown: look at what waits now")]
    Changed {
        /// The id given.
        call_id: CallId,
    },
    /// No yes that lasts is offered for the call.
    #[error("tool call {call_id} can be allowed by itself only")]
    NoRule {
        /// The id given.
        call_id: CallId,
    },
    /// There is nothing to summarise.
    #[error("there is nothing to summarise yet")]
    NothingToCompact,
    /// The conversation is at its beginning.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// Nothing was undone, or something was said since.
    #[error("there is nothing to redo")]
    NothingToRedo,
    /// The session has no such entry.
    #[error("there is no entry {entry} in this session")]
    UnknownEntry {
        /// The id given.
        entry: EntryId,
    },
    /// Nothing has that name.
    #[error("there is no branch or bookmark {name} in this session")]
    UnknownName {
        /// The name given.
        name: String,
    },
    /// The name is given to something else.
    #[error("the name {name} is given already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// No name for anything.
    #[error("{name:?} is no name: a name {why}")]
    BadName {
        /// What was given, or its beginning.
        name: String,
        /// What a name is.
        why: &'static str,
    },
    /// There is no entry yet that could have a name.
    #[error("there is nothing to name yet")]
    NothingToName,
    /// All of it is in the conversation already.
    #[error("there is nothing to merge: all up to entry {entry} is in the conversation already")]
    NothingToMerge {
        /// The end of the other branch.
        entry: EntryId,
    },
    /// A conversation cannot go on from there: tool calls would be without their results.
    #[error("entry {entry} calls tools: go to the results that follow it")]
    MidTurn {
        /// The id given.
        entry: EntryId,
    },
    /// A commit failed earlier: what is in memory is no longer what is stored.
    #[error("the session stopped because it could not be stored; open it again")]
    Stopped,
}
