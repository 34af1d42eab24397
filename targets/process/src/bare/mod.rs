//! Programs without a sandbox: what they may use of the machine is not limited, but their
//! environment is, and they end with all they started.

#[cfg(target_os = "linux")]
mod linux;
mod tree;

use std::{io, process::Stdio, time::Duration};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::time::timeout;

use crate::{Ended, Exit, Job, Running, Sandbox, StartError};
use tree::{Mark, Tree};

/// How long an ended program is waited for.
const REAP: Duration = Duration::from_millis(500);

/// Starts programs as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare;

/// A program that was started as it is.
#[derive(Debug)]
pub struct BareProcess {
    // Dropped before the child: while that is not reaped, its process id names nothing else.
    tree: Option<Tree>,
    child: Box<dyn ChildWrapper>,
}

impl Sandbox for Bare {
    type Running = BareProcess;

    fn name(&self) -> &'static str {
        "none"
    }

    async fn start(&self, job: Job) -> Result<BareProcess, StartError> {
        let mark = Mark::new()?;
        let mut command = mark.command(&job.program)?;
        command
            .current_dir(&job.confinement.workspace)
            .env_clear()
            .envs(job.confinement.environment)
            .env(Mark::VARIABLE, mark.variable())
            .stdin(Stdio::from(job.input))
            .stdout(Stdio::from(job.output))
            .stderr(Stdio::from(job.errors));
        let mut command = CommandWrap::from(command);
        command.wrap(KillOnDrop);
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessSession);
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        let child = command.spawn()?;
        // Our ends of the pipes that are written to are in the command, which goes away here.
        let tree = Some(Tree::new(child.id(), mark));
        Ok(BareProcess { tree, child })
    }
}

impl Running for BareProcess {
    async fn wait(&mut self) -> io::Result<Exit> {
        self.child.inner_mut().wait().await.map(Exit::from)
    }

    async fn end(mut self) -> Ended {
        #[cfg(windows)]
        let _ = self.child.start_kill();
        let ended = match self.tree.take() {
            Some(tree) => tree.end().await,
            None => Ended::default(),
        };
        let _ = timeout(REAP, self.child.inner_mut().wait()).await;
        ended
    }
}
