//! Programs in containers of their own, by an engine that speaks Docker's API.
//!
//! Invariants: a program is started with all that its confinement asks for or not at all; what an
//! engine would leave out silently is an error. The environment goes to the program through its
//! standard input, so no description of the container ever holds it. A container ends with the
//! [`Container`] that stands for it, and what a killed process left is removed by the next one.
//!
//! | what is kept away | by |
//! |---|---|
//! | files outside | the image's own, read-only root with binds of what is granted |
//! | other processes, other networks | namespaces; the network has loopback alone |
//! | privileges | no capabilities, no new ones, a user who is not root unless that is asked for |
//! | the kernel's rarely used doors | a seccomp profile of Tau's own (`profile.rs`) |
//! | too much of the machine | the engine's control groups, limits of each process, sized `tmpfs` |
//! | other images than the one meant | images by digest or identifier alone |

mod create;
mod engine;
mod environment;
mod image;
mod mounts;
mod owner;
mod process;
mod profile;
mod remove;
mod running;
mod status;
mod streams;

use std::{sync::Arc, time::Duration};

use tau_target_process::{Job, Sandbox, StartError};

use engine::Engine;
use image::Image;
use owner::Owner;

pub use running::Container;
pub use status::{Fact, Status};

/// How long the engine may take to answer a question about itself.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take to make, start or remove a container: many at once wait for each other.
const WORK: Duration = Duration::from_secs(120);

/// Which engine, and what containers are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Where the engine listens: a path, `unix://PATH` or `npipe://PIPE`. Otherwise what
    /// `DOCKER_HOST` says, otherwise where engines listen by default. Only engines of this machine:
    /// they see the workspace.
    pub socket: Option<String>,
    /// What containers are made of: `NAME@sha256:DIGEST`, or an identifier `sha256:DIGEST`. It has
    /// to hold `/bin/sh`, and is never fetched.
    pub image: String,
    /// Thousandths of a processor that a program and all it starts may use at a time; at most what
    /// the engine has.
    pub milli_cpus: u32,
    /// Whether a program runs as root where root owns the workspace: without any of root's powers,
    /// but as the owner of root's files. Otherwise it runs there as `nobody`, who can write only
    /// what everybody may.
    pub as_root: bool,
}

/// An engine that was seen answering, and an image that it has.
#[derive(Clone, Debug)]
pub struct Docker {
    engine: Engine,
    image: Image,
    owner: Arc<Owner>,
    milli_cpus: u32,
    as_root: bool,
}

impl Docker {
    /// Finds the engine and the image, and removes what killed processes left on that engine.
    ///
    /// Fails where there is no engine, where it may not be used, where it does not answer, where it
    /// cannot limit memory or processes, and where it does not have the image.
    pub async fn connect(configuration: Configuration) -> Result<Self, StartError> {
        let reference = image::Reference::parse(&configuration.image)?;
        let engine = Engine::connect(configuration.socket.as_deref()).await?;
        let image = Image::find(&engine, reference).await?;
        owner::sweep(&engine).await?;
        Ok(Self {
            owner: Arc::new(Owner::new()?),
            milli_cpus: configuration.milli_cpus.clamp(1, engine.milli_cpus),
            as_root: configuration.as_root,
            engine,
            image,
        })
    }

    /// What holds on this machine: what the engine says of itself, and what a program sees that is
    /// started in `workspace` now.
    pub async fn status(&self, workspace: &std::path::Path) -> Result<Status, StartError> {
        status::status(self, workspace).await
    }
}

impl Sandbox for Docker {
    type Running = Container;

    fn name(&self) -> &'static str {
        "docker"
    }

    async fn start(&self, job: Job) -> Result<Container, StartError> {
        // A task of its own: an engine does not stop making a container when nobody waits any more,
        // so somebody has to stay to remove it.
        let docker = self.clone();
        let task = tokio::spawn(async move { Container::start(&docker, job).await });
        task.await.map_err(std::io::Error::other)?
    }
}
