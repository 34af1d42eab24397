//! What a watcher may see, in the order it happened.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::{CallId, EntryId, TurnId, UnixMillis},
    json::{FromJson, ToJson},
    message::{Message, Sender, ToolResult},
    model::Usage,
    policy::Refusal,
    safety::{Screened, Source},
    tool::notice::Notice,
};

/// One thing that happened. Serialised as `{"type": "...", ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A turn began; its prompt is stored.
    TurnStarted {
        /// The turn.
        turn: TurnId,
        /// The prompt's entry.
        entry: EntryId,
    },
    /// What another agent wrote begins the turn, and is stored.
    Delivered {
        /// Its entry.
        entry: EntryId,
        /// Who wrote it, and which it is.
        sender: Sender,
        /// The message, as the model reads it.
        message: Message,
    },
    /// Something was found in memory for the prompt, and is stored.
    Recalled {
        /// Its entry.
        entry: EntryId,
        /// What was found, as the model reads it.
        message: Message,
        /// The names of what was found.
        memories: Vec<String>,
    },
    /// A model is being asked.
    ModelCalled {
        /// Its name.
        model: String,
        /// The how-manieth call of this turn, from 1.
        step: u32,
        /// The attempt at this call, from 1.
        attempt: u32,
    },
    /// More of the answer.
    TextDelta {
        /// To be appended.
        text: String,
    },
    /// More of the reasoning.
    ThinkingDelta {
        /// To be appended.
        text: String,
    },
    /// The model's message is complete and stored.
    Message {
        /// Its entry.
        entry: EntryId,
        /// The message.
        message: Message,
    },
    /// An attempt failed; what was streamed of it does not count.
    Retrying {
        /// What went wrong.
        error: String,
        /// When the next attempt starts.
        at: UnixMillis,
        /// The model it will ask.
        model: String,
    },
    /// A tool call was let through and is starting.
    ToolStarted {
        /// The call.
        call_id: CallId,
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
    /// A tool call waits for a person: answer with `Approve` or `Deny`.
    ApprovalRequested {
        /// The call.
        call_id: CallId,
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Value,
        /// Why it is asked.
        reason: String,
        /// Whether it was running when Tau stopped, so that a yes may do its work twice: no
        /// standing approval answers this question.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        may_have_run: bool,
        /// What a yes would mean.
        #[serde(default)]
        notice: Notice,
    },
    /// A tool call was refused; the model is told the same.
    ToolDenied {
        /// The call.
        call_id: CallId,
        /// The tool.
        name: String,
        /// Rule, reason and hint.
        refusal: Refusal,
    },
    /// A tool call ended and its result is stored.
    ToolFinished {
        /// The result as the model will read it.
        result: ToolResult,
    },
    /// The gate found something.
    Screened {
        /// Where the content came from.
        source: Source,
        /// What was found, and what was done about it.
        findings: Vec<Screened>,
    },
    /// Tokens and cost of one model call.
    Usage {
        /// Of that call.
        call: Usage,
        /// Of the turn so far.
        turn: Usage,
    },
    /// A summary of the conversation is being written: by a turn of its own, or by the one running.
    Compacting {
        /// The turn.
        turn: TurnId,
    },
    /// Older messages were summarised, or left out of the request.
    Compacted {
        /// How many entries the model no longer sees in full.
        entries: u64,
        /// Whether a summary stands for them.
        summarised: bool,
    },
    /// The conversation goes on from another place.
    Moved {
        /// Its last entry from here on; none is its beginning.
        head: Option<EntryId>,
    },
    /// Something a person should know, in a sentence.
    Notice {
        /// The sentence.
        text: String,
    },
    /// The turn is over and stored.
    TurnFinished {
        /// The turn.
        turn: TurnId,
        /// How it ended.
        outcome: Outcome,
        /// Of the whole turn.
        usage: Usage,
    },
    /// A command's change is stored (a new policy, for one).
    Done,
    /// The session could not be stored and stops.
    Stopped {
        /// What the store said.
        error: super::StoreError,
    },
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The model answered.
    Answered,
    /// The answer was cut at the limit on output tokens.
    Truncated,
    /// A budget ran out.
    BudgetExhausted {
        /// Which.
        budget: Budget,
    },
    /// Somebody interrupted it.
    Interrupted,
    /// No model could be made to answer.
    Failed {
        /// The last error.
        error: Failure,
    },
}

/// What a turn may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Model calls.
    Steps,
    /// Tokens in and out.
    Tokens,
    /// Money.
    Cost,
    /// Wall time.
    Deadline,
}

/// Why a model call failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Failure {
    /// What kind it was; the exit code follows from it.
    pub kind: FailureKind,
    /// The model asked last.
    pub model: String,
    /// What happened, in the provider's words where it had some.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Kinds of failing model calls, by who can mend them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, FromJson, ToJson)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The key is missing or wrong (401, 403).
    Unauthorized,
    /// No such model or path (404).
    NotFound,
    /// The provider refuses the request as it is (400, 413, 422).
    BadRequest,
    /// Too many requests, or no credit left (429, 402).
    RateLimited,
    /// The provider is in trouble (5xx, 529).
    Unavailable,
    /// It cannot be reached, hangs or closes early.
    Connection,
    /// What it sent is not the format it claims to speak.
    Malformed,
    /// The provider withheld the answer.
    Filtered,
    /// The embedded model is missing or failed.
    Embedded,
}
