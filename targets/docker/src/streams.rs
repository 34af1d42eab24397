//! What a program reads and writes, between the engine's one connection and the job's pipes.

use std::{
    io::{self, PipeReader, PipeWriter},
    pin::Pin,
    thread,
};

use bollard::container::{AttachContainerResults, LogOutput};
use futures_util::{Stream, StreamExt};
use tau_target_process::{Input, Output};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Writer = Pin<Box<dyn AsyncWrite + Send>>;
type Frames = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

/// The ends of a program's streams, on both sides.
pub(crate) struct Streams {
    input: Option<Reader>,
    outputs: [Option<Writer>; 2],
    to_program: Writer,
    from_program: Frames,
}

impl Streams {
    /// Puts the two sides together.
    pub(crate) fn new(
        attached: AttachContainerResults,
        input: Input,
        output: Output,
        errors: Output,
    ) -> io::Result<Self> {
        let input = match input {
            Input::Null => None,
            Input::Pipe(pipe) => Some(reader(pipe)?),
            Input::Inherit => Some(reader(standard_input()?)?),
        };
        let output = match output {
            Output::Inherit => Box::pin(tokio::io::stdout()),
            Output::Pipe(pipe) => writer(pipe)?,
        };
        let errors = match errors {
            Output::Inherit => Box::pin(tokio::io::stderr()),
            Output::Pipe(pipe) => writer(pipe)?,
        };
        Ok(Self {
            input,
            outputs: [Some(output), Some(errors)],
            to_program: attached.input,
            from_program: attached.output,
        })
    }

    /// Writes what the program must have before it is started.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to_program.write_all(bytes).await?;
        self.to_program.flush().await
    }

    /// Copies until the program has written its last. The order is kept within a stream; between
    /// the two it is as the engine read them.
    pub(crate) async fn copy(self) -> io::Result<()> {
        let Self {
            input,
            outputs,
            to_program,
            from_program,
        } = self;
        let outputs = copy_outputs(from_program, outputs);
        let input = async {
            copy_input(input, to_program).await;
            // The output decides when it is over.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = outputs => result,
            () = input => Ok(()),
        }
    }
}

/// Copies until either side has ended: a program may well end without reading all.
async fn copy_input(input: Option<Reader>, mut to_program: Writer) {
    if let Some(mut input) = input {
        let _ = tokio::io::copy(&mut input, &mut to_program).await;
    }
    let _ = to_program.shutdown().await;
    // Dropping it would close the whole connection, the output with it.
    std::future::pending::<()>().await;
}

async fn copy_outputs(mut frames: Frames, mut outputs: [Option<Writer>; 2]) -> io::Result<()> {
    while let Some(frame) = frames.next().await {
        let (place, bytes) = match frame.map_err(io::Error::other)? {
            LogOutput::StdErr { message } => (1, message),
            LogOutput::StdOut { message } => (0, message),
            // There is no terminal, and input does not come back.
            LogOutput::Console { .. } | LogOutput::StdIn { .. } => {
                return Err(io::Error::other("the engine sent what is no output"));
            }
        };
        if let Some(output) = &mut outputs[place] {
            // As with a closed pipe's other end: what nobody reads is thrown away.
            if output.write_all(&bytes).await.is_err() || output.flush().await.is_err() {
                outputs[place] = None;
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn reader(pipe: PipeReader) -> io::Result<Reader> {
    let pipe = std::os::fd::OwnedFd::from(pipe);
    Ok(Box::pin(tokio::net::unix::pipe::Receiver::from_owned_fd(
        pipe,
    )?))
}

#[cfg(unix)]
fn writer(pipe: PipeWriter) -> io::Result<Writer> {
    let pipe = std::os::fd::OwnedFd::from(pipe);
    Ok(Box::pin(tokio::net::unix::pipe::Sender::from_owned_fd(
        pipe,
    )?))
}

#[cfg(windows)]
fn reader(pipe: PipeReader) -> io::Result<Reader> {
    let file = std::fs::File::from(std::os::windows::io::OwnedHandle::from(pipe));
    Ok(Box::pin(tokio::fs::File::from_std(file)))
}

#[cfg(windows)]
fn writer(pipe: PipeWriter) -> io::Result<Writer> {
    let file = std::fs::File::from(std::os::windows::io::OwnedHandle::from(pipe));
    Ok(Box::pin(tokio::fs::File::from_std(file)))
}

/// What this process reads, as a pipe. A thread of its own, which ends with the process: a read of
/// standard input cannot be taken back, and nothing may wait for it.
fn standard_input() -> io::Result<PipeReader> {
    let (reader, mut writer) = io::pipe()?;
    thread::Builder::new()
        .name("docker-stdin".into())
        .spawn(move || io::copy(&mut io::stdin().lock(), &mut writer))?;
    Ok(reader)
}
