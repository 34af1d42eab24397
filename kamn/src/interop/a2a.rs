//! Tasks as A2A has them, and an agent's identity on its A2A card.

use alloc::string::String;

use super::InteropError;
use crate::{
    bytes::hex,
    did::AgentDid,
    error::beginning,
    jcs::{Object, Value},
    task::State,
};

/// What names the extension of a card that says who an agent is in KAMN.
pub const EXTENSION_URI: &str = "https://kamn.network/a2a/identity/v1";
/// That KAMN's blocked tasks are said to be working.
pub const LOSSY_BLOCKED: &str = "lossy_blocked";
/// That a task that waits for a login is said to be blocked.
pub const LOSSY_AUTH_REQUIRED: &str = "lossy_auth_required";

/// A state of an A2A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Received.
    Submitted,
    /// Being done.
    Working,
    /// Waits for an answer.
    InputRequired,
    /// Waits for a login.
    AuthRequired,
    /// Done.
    Completed,
    /// Not done.
    Failed,
    /// Not wanted any more.
    Canceled,
    /// Not taken.
    Rejected,
}

impl TaskState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Working,
        Self::InputRequired,
        Self::AuthRequired,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Rejected,
    ];

    /// As versions before 1.0 write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Working => "working",
            Self::InputRequired => "input-required",
            Self::AuthRequired => "auth-required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
        }
    }

    /// As the JSON of version 1.0 writes it.
    #[must_use]
    pub fn name_v1(self) -> &'static str {
        match self {
            Self::Submitted => "TASK_STATE_SUBMITTED",
            Self::Working => "TASK_STATE_WORKING",
            Self::InputRequired => "TASK_STATE_INPUT_REQUIRED",
            Self::AuthRequired => "TASK_STATE_AUTH_REQUIRED",
            Self::Completed => "TASK_STATE_COMPLETED",
            Self::Failed => "TASK_STATE_FAILED",
            Self::Canceled => "TASK_STATE_CANCELED",
            Self::Rejected => "TASK_STATE_REJECTED",
        }
    }

    /// Reads either way of writing it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name || state.name_v1() == name)
    }
}

/// A task's state in A2A, and what is lost by saying it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The state.
    pub state: TaskState,
    /// What to put into the metadata beside it.
    pub warning: Option<&'static str>,
}

/// How A2A says a state. A task that was turned down by a message of type Rejection is
/// [`TaskState::Rejected`]: KAMN has no such state.
#[must_use]
pub fn from_task(state: State) -> Mapped {
    let (state, warning) = match state {
        State::Submitted | State::Accepted => (TaskState::Submitted, None),
        State::Delegated | State::InProgress => (TaskState::Working, None),
        State::InputRequired => (TaskState::InputRequired, None),
        State::Blocked => (TaskState::Working, Some(LOSSY_BLOCKED)),
        State::Completed => (TaskState::Completed, None),
        State::Failed => (TaskState::Failed, None),
        State::Cancelled => (TaskState::Canceled, None),
    };
    Mapped { state, warning }
}

/// What an A2A state is in KAMN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// This state.
    State {
        /// The state.
        state: State,
        /// What is lost by saying it so.
        warning: Option<&'static str>,
    },
    /// A message of type Rejection.
    Rejection,
    /// Nobody knows: a person must look.
    ManualReview,
}

/// What a state's name in A2A is in KAMN.
#[must_use]
pub fn to_task(name: &str) -> Back {
    let state = |state, warning| Back::State { state, warning };
    match TaskState::of(name) {
        Some(TaskState::Submitted) => state(State::Submitted, None),
        Some(TaskState::Working) => state(State::InProgress, None),
        Some(TaskState::InputRequired) => state(State::InputRequired, None),
        Some(TaskState::AuthRequired) => state(State::Blocked, Some(LOSSY_AUTH_REQUIRED)),
        Some(TaskState::Completed) => state(State::Completed, None),
        Some(TaskState::Failed) => state(State::Failed, None),
        Some(TaskState::Canceled) => state(State::Cancelled, None),
        Some(TaskState::Rejected) => Back::Rejection,
        None => Back::ManualReview,
    }
}

/// The state a task of KAMN is in after A2A says `name` of it. Staying where it is is fine; what KAMN
/// does not allow is refused.
pub fn follow(from: State, name: &str) -> Result<Back, InteropError> {
    let back = to_task(name);
    match back {
        Back::State { state, .. } if from_task(from).state == from_task(state).state => {
            Ok(Back::State {
                state: from,
                warning: None,
            })
        }
        Back::State { state, .. } if !from.leads_to(state) => Err(InteropError::Unmapped {
            what: "transition",
            found: beginning(name),
        }),
        Back::Rejection if from.is_terminal() => Err(InteropError::Unmapped {
            what: "transition",
            found: beginning(name),
        }),
        back => Ok(back),
    }
}

/// The extension of an agent card (`capabilities.extensions`) that says who the agent is: its DID,
/// the hash of its newest key event, and where envelopes go.
#[must_use]
pub fn extension(did: &AgentDid, kel_head: &[u8; 32], endpoint: &str) -> Value {
    Object::new()
        .with("uri", EXTENSION_URI)
        .with("required", false)
        .with(
            "params",
            Object::new()
                .with("did", did.as_w3c())
                .with("kelHead", hex(kel_head))
                .with("envelopeEndpoint", endpoint),
        )
        .into()
}

/// What a card says of an agent's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its DID.
    pub did: AgentDid,
    /// The hash of its newest key event, as claimed.
    pub kel_head: [u8; 32],
    /// Where envelopes go.
    pub endpoint: String,
}

/// Reads [`extension`]. A claim: only a log with that head proves it.
pub fn identity(extension: Value) -> Result<Identity, InteropError> {
    use crate::{bytes::from_hex, jcs::Fields};
    let mut fields = Fields::of("agent card extension", extension)?;
    if fields.string("uri")? != EXTENSION_URI {
        return Err(super::shape("extension", "it is another one"));
    }
    let mut params = fields.fields("params", "agent card identity")?;
    let identity = Identity {
        did: AgentDid::parse_any(&params.string("did")?)?,
        kel_head: from_hex("key event hash", &params.string("kelHead")?)?,
        endpoint: params.string("envelopeEndpoint")?,
    };
    params.end()?;
    if !identity.endpoint.starts_with("https://") {
        return Err(super::shape("endpoint", "it is no absolute https URI"));
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alice;

    #[test]
    fn every_state_has_its_words_and_comes_back() {
        let table = [
            (State::Submitted, "submitted", None),
            (State::Accepted, "submitted", None),
            (State::Delegated, "working", None),
            (State::InProgress, "working", None),
            (State::InputRequired, "input-required", None),
            (State::Blocked, "working", Some("lossy_blocked")),
            (State::Completed, "completed", None),
            (State::Failed, "failed", None),
            (State::Cancelled, "canceled", None),
        ];
        for (state, name, warning) in table {
            let mapped = from_task(state);
            assert_eq!((mapped.state.name(), mapped.warning), (name, warning));
        }
        for state in TaskState::ALL {
            assert_eq!(to_task(state.name()), to_task(state.name_v1()));
        }
        let blocked = Back::State {
            state: State::Blocked,
            warning: Some("lossy_auth_required"),
        };
        assert_eq!(to_task("auth-required"), blocked);
        assert_eq!(to_task("rejected"), Back::Rejection);
        for unknown in ["", "unknown", "Working", "TASK_STATE_UNSPECIFIED"] {
            assert_eq!(to_task(unknown), Back::ManualReview);
        }
    }

    #[test]
    fn transitions_that_kamn_does_not_allow_are_refused() {
        let stays = Back::State {
            state: State::Blocked,
            warning: None,
        };
        assert_eq!(follow(State::Blocked, "working"), Ok(stays));
        assert!(follow(State::InProgress, "completed").is_ok());
        assert!(follow(State::Completed, "completed").is_ok());
        assert!(follow(State::Completed, "working").is_err());
        assert!(follow(State::Submitted, "completed").is_err());
        assert!(follow(State::Failed, "rejected").is_err());
        assert_eq!(follow(State::Submitted, "odd"), Ok(Back::ManualReview));
    }

    #[test]
    fn identity_on_a_card_reads_back() {
        let did = alice().did;
        let card = extension(&did, &[7; 32], "https://example.com/kamn");
        let read = identity(card).unwrap();
        assert_eq!((read.did, read.kel_head), (did.clone(), [7; 32]));
        assert!(identity(extension(&did, &[7; 32], "http://example.com")).is_err());
    }
}
