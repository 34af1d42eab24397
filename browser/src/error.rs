//! Why a call was refused: a code for programs, a sentence and a hint for people.

use serde_json::Value;
use tau_core::{
    json::{self, ToJson},
    memory::MemoryError,
    session::{CommandError, StoreError},
};
use tau_platform::{open::OpenError, removal::RemovalError};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, ToJson)]
pub(crate) struct Refused {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new("bad_request", message)
    }

    pub(crate) fn to_value(&self) -> Value {
        json::to_value(self)
    }

    pub(crate) fn to_json(&self) -> String {
        json::to_string(&self.to_value())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Conflict { .. } => Self::new("conflict", message)
                .hint("open the session again: another tab wrote to it"),
            StoreError::Locked { .. } => Self::new("storage_blocked", message)
                .hint("close the other tabs of this site, then reload the page"),
            StoreError::Corrupt { .. } => Self::new("storage_damaged", message),
            StoreError::Full => {
                Self::new("storage_full", "the browser gives this site no more room")
                    .hint("delete conversations, or free space on the device")
            }
            StoreError::Unsigned { .. } => Self::new("unsigned", message)
                .hint("reload the page; a session that has receipts goes on only with its agent"),
            StoreError::Io { .. } => Self::new("storage", message)
                .hint("reload the page; what was stored before is kept"),
        }
    }
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Missing(_) => Self::new("no_session", error.to_string()),
            OpenError::Journal { .. } => Self::new("session_damaged", error.to_string()),
        }
    }
}

impl From<RemovalError> for Refused {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Store(error) => error.into(),
            RemovalError::Missing(_) => Self::new("no_session", error.to_string()),
            RemovalError::Continued { .. } => Self::new("session_continued", error.to_string())
                .hint("delete the conversation that continues it first"),
        }
    }
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        let code = match error {
            CommandError::EmptyPrompt => "empty_prompt",
            CommandError::PromptTooLarge { .. } => "prompt_too_large",
            CommandError::Withheld { .. } => "prompt_withheld",
            CommandError::BadRule { .. } => "bad_rule",
            CommandError::BadTools { .. } => "bad_tools",
            CommandError::NoImages { .. } => "no_images",
            CommandError::Busy => "busy",
            CommandError::NotWaiting { .. } => "not_waiting",
            CommandError::Changed { .. } => "changed",
            CommandError::NoRule { .. } => "no_rule",
            CommandError::NothingToCompact => "nothing_to_compact",
            CommandError::NothingToUndo => "nothing_to_undo",
            CommandError::NothingToRedo => "nothing_to_redo",
            CommandError::UnknownEntry { .. } => "unknown_entry",
            CommandError::MidTurn { .. } => "mid_turn",
            CommandError::UnknownName { .. } => "unknown_name",
            CommandError::NameTaken { .. } => "name_taken",
            CommandError::BadName { .. } => "bad_name",
            CommandError::NothingToName => "nothing_to_name",
            CommandError::NothingToMerge { .. } => "nothing_to_merge",
            CommandError::Stopped => "stopped",
        };
        Self::new(code, error.to_string())
    }
}

impl From<MemoryError> for Refused {
    fn from(error: MemoryError) -> Self {
        let code = match error {
            MemoryError::Empty => "empty_memory",
            MemoryError::TooLong { .. } => "memory_too_long",
            MemoryError::Withheld { .. } => "memory_withheld",
            MemoryError::Full { .. } => "memory_full",
            MemoryError::Same { .. } => "memory_exists",
            MemoryError::Control { .. } | MemoryError::Malformed { .. } => "invalid_memory",
        };
        Self::new(code, error.to_string())
    }
}
