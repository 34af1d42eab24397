//! Commands as they are: what the tools do themselves is tested apart from any sandbox.

use tau_core::policy::ProgramLimits;
use tau_target_native::tools::{Programs, Started};
use tau_target_process::{Bare, BareProcess, Job, Sandbox, StartError};

#[derive(Debug)]
pub(crate) struct Unconfined;

impl Programs for Unconfined {
    type Running = BareProcess;

    async fn start(&self, job: Job, _: &ProgramLimits) -> Result<Started<BareProcess>, StartError> {
        Ok(Started {
            running: Bare.start(job).await?,
            unsandboxed: None,
            requests: None,
        })
    }
}
