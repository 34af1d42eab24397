//! What a person is shown of a call before a yes.

use alloc::{format, string::String};
use serde::{Deserialize, Serialize};

use crate::{
    journal,
    json::{FromJson, ToJson},
    message::ToolCall,
};

/// What a yes to a call would mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Notice {
    /// The first 16 hex digits of the SHA-256 of the tool's name and its arguments: a yes that
    /// names another is for another call.
    #[serde(default)]
    pub digest: String,
    /// What a yes for the session would cover; none is offered without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Whether the yes may outlive the session.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub always: bool,
    /// What leaves, where what was read may go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
}

/// A call that could carry out what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Leaving {
    /// What of the person's own is in sight.
    pub private: String,
    /// Whose words are in sight that may hold orders.
    pub untrusted: String,
    /// Where it would go.
    pub to: String,
}

impl Leaving {
    /// All three, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "private data was read ({}), so was untrusted content ({}), and this call leaves for {}",
            self.private, self.untrusted, self.to
        )
    }
}

/// The digest of a call: what a yes is bound to.
#[must_use]
pub fn digest(call: &ToolCall) -> String {
    // Keys of JSON objects are in order here, so the text is canonical.
    let text = format!("{}\n{}", call.name, call.arguments);
    let mut digest = journal::sha256_hex(text.as_bytes());
    digest.truncate(16);
    digest
}
