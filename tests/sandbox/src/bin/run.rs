//! Runs a script in a container with the streams and the end of this process: what a test needs a
//! process of its own for. It takes an engine's socket, an image, a workspace and the script.
#![expect(
    clippy::print_stderr,
    reason = "what it says is why it failed, for the tests to show"
)]

use std::{env, error::Error, path::PathBuf, process::ExitCode};

use tau_target_docker::{Configuration, Docker};
use tau_target_process::{Confinement, Input, Job, Limits, Output, Running, Sandbox};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => Err(error.into()),
    };
    code.unwrap_or_else(|error| {
        eprintln!("test-run: {error}");
        ExitCode::FAILURE
    })
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [socket, image, workspace, script] = arguments.as_slice() else {
        return Err("it takes a socket, an image, a workspace and a script".into());
    };
    let docker = Docker::connect(Configuration {
        socket: Some(socket.clone()),
        image: image.clone(),
        milli_cpus: 1_000,
        as_root: false,
    })
    .await?;
    let job = Job {
        program: ["/bin/sh", "-c", script].map(Into::into).into(),
        confinement: Confinement {
            workspace: PathBuf::from(workspace),
            read_only: Vec::new(),
            hidden: Vec::new(),
            readable: Vec::new(),
            environment: Vec::new(),
            limits: Limits::default(),
        },
        input: Input::Inherit,
        output: Output::Inherit,
        errors: Output::Inherit,
    };
    let mut running = docker.start(job).await?;
    let exit = running.wait().await?;
    running.end().await;
    Ok(ExitCode::from(u8::try_from(exit.code())?))
}
