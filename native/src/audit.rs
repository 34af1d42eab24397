//! The audit log of this machine: what was decided about calls that have no session.

use tau_core::{
    audit::{self, Decided, Decision, Head},
    message::ToolCall,
    policy::rates::Window,
    session::StoreError,
    tool::{ToolClass, ToolSpec, notice},
};
use tau_platform::{Clock, Storage};
use tau_target_native::{SqliteStorage, TokioClock};

use crate::{
    exit::{Error, Exit},
    home::Home,
};

/// Another process may write a line at the same time: so often it is tried again.
const ATTEMPTS: u32 = 16;

/// The log, for decisions about one call.
pub(crate) struct Audit {
    storage: SqliteStorage,
    head: Head,
    tool: String,
    digest: String,
    class: ToolClass,
}

impl Audit {
    /// Opens the log for a call.
    pub(crate) async fn open(
        home: &Home,
        call: &ToolCall,
        specs: &[ToolSpec],
    ) -> Result<Self, Error> {
        let storage = home.store()?;
        let head = head(&storage).await?;
        let spec = specs.iter().find(|spec| spec.name == call.name);
        Ok(Self {
            storage,
            head,
            tool: call.name.clone(),
            digest: notice::digest(call),
            class: spec.map_or(ToolClass::Read, |spec| spec.class),
        })
    }

    /// The calls of the last minute, those of other processes included.
    pub(crate) fn recent(&self) -> &Window {
        &self.head.recent
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
            let batch = head.append(&decision, self.class, TokioClock.now());
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
pub(crate) async fn head(storage: &SqliteStorage) -> Result<Head, Error> {
    let stored = storage.get(audit::HEAD.into()).await?;
    Head::read(stored.as_deref()).map_err(|error| {
        Error::new(Exit::Store, error).hint("`tau verify` says what else is wrong")
    })
}
