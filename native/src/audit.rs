//! The audit log of this machine: what was decided about calls that have no session.

use tau_core::{
    audit::{self, Decided, Decision, Head},
    message::ToolCall,
    session::StoreError,
    tool::notice,
};
use tau_platform::{Clock, Storage};
use tau_target_native::TokioClock;

use crate::{
    exit::{Error, Exit},
    store::Store,
};

/// Another process may write a line at the same time: so often it is tried again.
const ATTEMPTS: u32 = 16;

/// The log, for decisions about one call.
pub(crate) struct Audit {
    storage: Store,
    tool: String,
    digest: String,
}

impl Audit {
    /// Opens the log for a call.
    pub(crate) fn new(storage: Store, call: &ToolCall) -> Self {
        Self {
            storage,
            tool: call.name.clone(),
            digest: notice::digest(call),
        }
    }

    /// Stores a decision. What was decided is not done before.
    pub(crate) async fn note(
        &self,
        verdict: Decided,
        rule: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let decision = Decision {
            tool: self.tool.clone(),
            digest: self.digest.clone(),
            verdict,
            rule: rule.into(),
            reason: reason.into(),
        };
        for _ in 0..ATTEMPTS {
            let mut head = head(&self.storage).await?;
            let batch = head.append(&decision, TokioClock.now());
            match self.storage.commit(batch).await {
                Err(StoreError::Conflict { .. }) => {}
                done => return Ok(done?),
            }
        }
        Err(Error::new(
            Exit::Store,
            "the audit log is written by others without a pause",
        ))
    }
}

/// The log's end as it is stored.
pub(crate) async fn head(storage: &Store) -> Result<Head, Error> {
    let stored = storage.get(audit::HEAD.into()).await?;
    Head::read(stored.as_deref()).map_err(|error| {
        Error::new(Exit::Store, error).hint("`tau verify` says what else is wrong")
    })
}
