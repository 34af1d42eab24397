//! One container, from its making to its removal.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bollard::{
    errors::Error,
    models::ContainerCreateBody,
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;
use tau_target_process::{Ended, Exit, Job, Running, StartError};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    Docker, WORK,
    create::{Plan, is_loss, plan},
    engine::{Failure, unavailable, within},
    owner::Owner,
    process::First,
    remove,
    streams::Streams,
};

/// How long what a program wrote may take to be read after it was ended.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(500);

/// How a program ended, or what kept that from being known.
type Outcome = Result<Exit, (io::ErrorKind, String)>;

/// A program that runs in a container. Dropping it removes the container, and waits for that.
#[derive(Debug)]
pub struct Container {
    client: bollard::Docker,
    name: String,
    // What is bound in the place of what is hidden is the owner's, and so is the label.
    owner: Arc<Owner>,
    outcome: watch::Receiver<Option<Outcome>>,
    task: Option<JoinHandle<()>>,
    // Not told by the task's end: a runtime that ends takes its tasks with it.
    is_removed: Arc<AtomicBool>,
    // None where the engine's processes are not this machine's.
    first: Option<First>,
}

impl Container {
    /// Its name at the engine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn start(docker: &Docker, job: Job) -> Result<Self, StartError> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        let name = format!("tau-{:016x}", u64::from_be_bytes(id));
        let Plan { body, preface } = plan(docker, &job, &name)?;
        let client = docker.engine.client.clone();
        let (sender, outcome) = watch::channel(None);
        // From here on dropping it removes the container.
        let mut container = Self {
            client: client.clone(),
            name,
            owner: Arc::clone(&docker.owner),
            outcome,
            task: None,
            is_removed: Arc::default(),
            first: None,
        };
        let binds = body
            .host_config
            .as_ref()
            .and_then(|host| host.mounts.clone())
            .unwrap_or_default();
        let id = container.create(docker, body).await?;
        let attached = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = within(WORK, client.attach_container(&id, Some(attached))).await?;
        let mut streams = Streams::new(attached, job.input, job.output, job.errors)?;
        within(WORK, client.start_container(&id, None)).await?;
        container.first = hold(&client, &id).await?;
        if let Some(first) = &container.first {
            first.check(&binds)?;
        }
        // Only now does anything of the job run. Where the first process has ended already, what it
        // said and its code tell why.
        let _ = timeout(WORK, streams.write(&preface))
            .await
            .map_err(|_| Failure::Late(WORK))?;
        let is_removed = Arc::clone(&container.is_removed);
        container.task = Some(tokio::spawn(async move {
            let outcome = finish(&client, &id, streams).await;
            sender.send_replace(Some(
                outcome.map_err(|error| (error.kind(), error.to_string())),
            ));
            // Whoever waits has what it wants; what is left here goes.
            let removal = within(WORK, remove::remove(&client, &id)).await;
            is_removed.store(removal.is_ok(), Ordering::Release);
        }));
        Ok(container)
    }

    async fn create(
        &self,
        docker: &Docker,
        body: ContainerCreateBody,
    ) -> Result<String, StartError> {
        let options = CreateContainerOptionsBuilder::new()
            .name(&self.name)
            .build();
        let made = within(WORK, self.client.create_container(Some(options), body))
            .await
            .map_err(|failure| docker.image.refused(failure))?;
        match made.warnings.iter().find(|warning| is_loss(warning)) {
            Some(warning) => Err(unavailable(
                format!("the engine would not confine the program: {warning}"),
                "see `docker info` for what it cannot limit",
            )),
            None => Ok(made.id),
        }
    }
}

/// Holds the container's first process.
async fn hold(client: &bollard::Docker, id: &str) -> Result<Option<First>, Failure> {
    let found = within(WORK, client.inspect_container(id, None)).await?;
    let pid = found.state.and_then(|state| state.pid);
    Ok(pid.and_then(|pid| First::find(pid, id)))
}

/// Copies until the program has ended, and says how it did.
async fn finish(client: &bollard::Docker, id: &str, streams: Streams) -> io::Result<Exit> {
    let exit = async {
        let condition = WaitContainerOptionsBuilder::new()
            .condition("not-running")
            .build();
        let mut answers = client.wait_container(id, Some(condition)).boxed();
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            Some(Err(Error::DockerContainerWaitError { error, code })) if error.is_empty() => {
                Ok(code)
            }
            Some(Err(error)) => Err(Failure::from(error).into()),
            None => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the engine went away before the program ended",
            )),
        }
    };
    let (code, ()) = tokio::try_join!(exit, streams.copy())?;
    // The first process tells of a signal as shells do, so it cannot be told from such a code.
    Ok(Exit::Code(i32::try_from(code).unwrap_or(i32::MAX)))
}

impl Running for Container {
    /// Done once the program has ended and all that it wrote was copied. Fails when the engine
    /// goes away: how the program ended is not known then.
    async fn wait(&mut self) -> io::Result<Exit> {
        let lost = || io::Error::other("the runtime ended before the program did");
        let outcome = self.outcome.wait_for(Option::is_some).await;
        let outcome = outcome.map_err(|_| lost())?.clone();
        outcome
            .ok_or_else(lost)?
            .map_err(|(kind, message)| io::Error::new(kind, message))
    }

    async fn end(mut self) -> Ended {
        let mut ended = Ended::default();
        let removal = within(WORK, remove::remove(&self.client, &self.name)).await;
        if let Err(failure) = removal {
            self.owner.leave();
            if !self.first.as_ref().is_some_and(First::end) {
                ended
                    .left
                    .push(format!("container {} ({failure})", self.name));
            }
        }
        // Asking once more would not help, and would be waited for.
        self.is_removed.store(true, Ordering::Release);
        if let Some(mut task) = self.task.take()
            && timeout(LAST_WORDS, &mut task).await.is_err()
        {
            task.abort();
        }
        ended
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let is_removed =
            self.is_removed.load(Ordering::Acquire) || remove::remove_now(&self.client, &self.name);
        if !is_removed {
            self.owner.leave();
            self.first.as_ref().map(First::end);
        }
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
