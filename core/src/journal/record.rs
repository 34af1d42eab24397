//! The record types, format version 1.

use alloc::{boxed::Box, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CallId, EffectId, EntryId, SessionId, TurnId, UnixMillis},
    json::{self, FromJson, ToJson, Value},
    message::{Message, Sender, ToolResult},
    model::{StopReason, Usage},
    policy::{Extent, Policy},
    safety::{Labels, Screened, Source},
    session::{Config, MarkKind, Outcome},
    tool::notice::Notice,
    wire::ProviderError,
};

/// The version this code writes, and the newest it reads.
pub const VERSION: u32 = 1;

/// One record: `{"v":1,"seq":…,"at":…,"prev":"…","type":"…", …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToJson)]
pub struct Record {
    /// Format version.
    pub v: u32,
    /// Its number within the session, from 0.
    pub seq: u64,
    /// When it was written.
    pub at: UnixMillis,
    /// SHA-256 of the record before, in lower-case hex.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

impl FromJson for Record {
    fn from_json(value: &mut Value) -> Result<Self, json::Error> {
        let object = json::object(value, None)?;
        Ok(Self {
            v: json::field(object, "v")?,
            seq: json::field(object, "seq")?,
            at: json::field(object, "at")?,
            prev: json::field(object, "prev")?,
            body: Body::from_json(value)?,
        })
    }
}

impl Record {
    /// The record that is written as `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, json::Error> {
        json::from_slice(bytes)
    }
}

/// What stands in a record of any version.
#[derive(FromJson)]
pub(super) struct Head {
    pub(super) v: u32,
    pub(super) seq: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// The session began. Always the first record, and only there.
    Created(Box<Created>),
    /// The session was opened with another configuration.
    Configured {
        /// The configuration from here on.
        config: Box<Config>,
    },
    /// The policy was replaced.
    PolicySet {
        /// The policy from here on.
        policy: Policy,
    },
    /// The place in the conversation changed: what follows continues from there.
    Moved {
        /// The last entry of the conversation from here on; none is its beginning.
        to: Option<EntryId>,
        /// Why.
        by: MovedBy,
        /// The branch it goes on with, if it was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
    },
    /// A place got a name. What goes on from a branch's beginning goes on from here.
    Named {
        /// The name.
        name: String,
        /// What it is for.
        kind: MarkKind,
        /// The entry; none is the conversation's beginning.
        entry: Option<EntryId>,
    },
    /// A name was taken away.
    Unnamed {
        /// The name.
        name: String,
    },
    /// A branch, a bookmark or the session got another name.
    Renamed {
        /// The name before; none is the session's own.
        from: Option<String>,
        /// The name from here on.
        to: String,
    },
    /// Another branch was merged, entry by entry.
    Appended {
        /// The turn that the copies belong to.
        turn: TurnId,
        /// The other branch's last entry.
        from: EntryId,
        /// The entry that the first copy follows.
        parent: Option<EntryId>,
        /// The copies, each following the one before.
        copies: Vec<Copied>,
    },
    /// Another branch was merged as one entry that tells it in short.
    Squashed {
        /// The turn that the entry belongs to.
        turn: TurnId,
        /// The other branch's last entry.
        from: EntryId,
        /// The entry.
        entry: EntryId,
        /// The entry it follows.
        parent: Option<EntryId>,
        /// What it tells.
        message: Message,
    },
    /// The agent took back what it did last; its turn goes on from an earlier place.
    TakenBack {
        /// The running turn.
        turn: TurnId,
        /// The entry it goes on from; none is the conversation's beginning.
        to: Option<EntryId>,
        /// What of the running turn stays, as copies, each following the one before.
        copies: Vec<Copied>,
    },
    /// The gate found something in what the next record holds, or in a prompt that was withheld.
    Screened {
        /// Where the content came from.
        source: Source,
        /// What was found, and what was done about it.
        findings: Vec<Screened>,
    },
    /// A turn began.
    Prompt {
        /// The turn.
        turn: TurnId,
        /// The entry of the prompt.
        entry: EntryId,
        /// The entry it follows.
        parent: Option<EntryId>,
        /// The prompt.
        message: Message,
        /// The model call that follows.
        effect: EffectId,
    },
    /// A turn began with what another agent wrote.
    Delivered {
        /// The turn.
        turn: TurnId,
        /// The entry of the message.
        entry: EntryId,
        /// The entry it follows.
        parent: Option<EntryId>,
        /// Who wrote it, and which it is.
        sender: Sender,
        /// The message, as the model reads it.
        message: Message,
        /// The model call that follows.
        effect: EffectId,
    },
    /// Something was found in memory for the prompt before it.
    Recalled {
        /// The entry of what was found.
        entry: EntryId,
        /// The entry it follows: the prompt.
        parent: Option<EntryId>,
        /// What was found, as the model reads it.
        message: Message,
        /// The names of what was found.
        memories: Vec<String>,
        /// What it is, by where it came from.
        #[serde(default, skip_serializing_if = "Labels::is_none")]
        labels: Labels,
    },
    /// An attempt at a model call failed.
    AttemptFailed {
        /// The call.
        effect: EffectId,
        /// The model that failed.
        model: String,
        /// How.
        error: ProviderError,
        /// The attempt that follows; none ends the turn.
        next: Option<NextAttempt>,
    },
    /// A model answered.
    Answer {
        /// The entry of the answer.
        entry: EntryId,
        /// The entry it follows.
        parent: Option<EntryId>,
        /// The answer.
        message: Message,
        /// The model that wrote it.
        model: String,
        /// Tokens and cost of this call.
        usage: Usage,
        /// Why it stopped; `None` when it was cut off by an interrupt or a deadline.
        stop: Option<StopReason>,
    },
    /// A tool call waits for a person.
    ToolAsked {
        /// The call.
        call_id: CallId,
        /// Why.
        reason: String,
        /// Whether it was running when Tau stopped.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        may_have_run: bool,
        /// What the person is shown.
        #[serde(default)]
        notice: Notice,
    },
    /// A person let a tool call run.
    ToolApproved {
        /// The call.
        call_id: CallId,
        /// How far the yes reaches.
        #[serde(default)]
        extent: Extent,
    },
    /// A tool call is about to run.
    ToolStarted {
        /// The call.
        call_id: CallId,
        /// The effect it runs as.
        effect: EffectId,
        /// The rule that let it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        rule: String,
    },
    /// A tool call ended.
    ToolFinished {
        /// The result as the model reads it.
        result: ToolResult,
        /// Who ended it.
        by: FinishedBy,
    },
    /// All calls of an answer ended; their results, in call order, are one entry.
    ToolResults {
        /// The entry of the results.
        entry: EntryId,
        /// The entry it follows.
        parent: Option<EntryId>,
        /// The model call that follows, if one does.
        effect: Option<EffectId>,
    },
    /// The conversation was summarised.
    Compacted {
        /// The entry of the summary.
        entry: EntryId,
        /// The entry it follows.
        parent: Option<EntryId>,
        /// The summary, as the model reads it from here on.
        message: Message,
        /// The last entry it stands for.
        covers: EntryId,
        /// Tokens and cost of writing it.
        usage: Usage,
        /// The model call that follows, if one does.
        effect: Option<EffectId>,
    },
    /// A summary is to be written, before the turn goes on or as its only purpose.
    Compacting {
        /// The turn.
        turn: TurnId,
        /// The last entry it will stand for.
        covers: EntryId,
        /// The model call that writes it.
        effect: EffectId,
    },
    /// The oldest messages of the window are no longer sent.
    LeftOut {
        /// The first entry that still is.
        from: EntryId,
    },
    /// The summary could not be had; the turn goes on without.
    SummaryGivenUp {
        /// The model call that follows.
        effect: EffectId,
    },
    /// What was said elsewhere was taken over: the entries here or, where there are none, all that
    /// the session holds by now. Approvals and the policy of before do not hold any more then.
    Imported {
        /// Where it is from, in a word.
        from: String,
        /// Whether the person says that nobody else wrote any of it.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        own: bool,
        /// Entries, parents before their children.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entries: Vec<ImportedEntry>,
        /// Where the session stands afterwards; where it stood, without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<EntryId>,
    },
    /// The session was opened with work unfinished by the process before.
    Resumed,
    /// A turn ended.
    TurnFinished {
        /// The turn.
        turn: TurnId,
        /// How.
        outcome: Outcome,
        /// Of the whole turn.
        usage: Usage,
    },
}

/// How a session began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Created {
    /// Its name.
    pub session: SessionId,
    /// 32 bytes in lower-case hex; ids and jitter are drawn from it.
    pub seed: String,
    /// What it was set up with.
    pub config: Config,
    /// The session it continues, for a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkPoint>,
}

/// A place in another session's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ForkPoint {
    /// The other session.
    pub session: SessionId,
    /// How many of its records belong to the fork.
    pub records: u64,
    /// The chain's hash after them.
    pub hash: String,
}

/// An entry with the message of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Copied {
    /// The entry.
    pub entry: EntryId,
    /// The entry it is a copy of.
    pub of: EntryId,
}

/// An entry that was said elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct ImportedEntry {
    /// Its name.
    pub entry: EntryId,
    /// The entry it follows.
    pub parent: Option<EntryId>,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// When it was said.
    pub at: UnixMillis,
    /// The message.
    pub message: Message,
}

/// The attempt after a failed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct NextAttempt {
    /// The model asked, by its place in the configuration.
    pub model: u32,
    /// The how-manieth attempt at that model, from 1.
    pub attempt: u32,
    /// When.
    pub at: UnixMillis,
    /// The effect it will be.
    pub effect: EffectId,
}

/// Why the place in the conversation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum MovedBy {
    /// One turn back.
    Undo,
    /// Takes an undo back.
    Redo,
    /// To an entry that was named.
    Switch,
}

/// Who ended a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum FinishedBy {
    /// The home that ran it.
    Home,
    /// The dispatcher, before it ran.
    Dispatcher,
    /// The core itself: its own tools.
    Core,
    /// A person who refused it.
    Person,
    /// Nobody: it needed a yes, and no person could be asked.
    Nobody,
    /// Time: an approval nobody gave, a home that never answered, the turn's deadline.
    Timeout,
    /// An interrupt.
    Interrupt,
    /// A restore that must not run it again.
    Restore,
}
