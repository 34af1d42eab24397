//! Removing containers, whatever happens.

use std::{io, thread};

use bollard::{Docker, errors::Error, query_parameters::RemoveContainerOptionsBuilder};

use crate::{
    WORK,
    engine::{Failure, within},
    image::is_missing,
};

/// Ends and removes the container; one that is gone already is as good.
pub(crate) async fn remove(client: &Docker, container: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    match client.remove_container(container, Some(options)).await {
        Err(error) if !is_missing(&error) && !is_under_way(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether somebody else is removing it this moment.
fn is_under_way(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError {
            status_code: 409,
            message,
        } if message.contains("already in progress")
    )
}

/// Removes the container and says whether it is gone, without a runtime to do it on: the one that made it may be ending, or be
/// busy with the very thread that is dropping it.
pub(crate) fn remove_now(client: &Docker, container: &str) -> bool {
    let client = client.clone();
    let container = container.to_owned();
    let remover = thread::Builder::new().name("docker-remove".into());
    let removal = remover.spawn(move || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime
            .block_on(within(WORK, remove(&client, &container)))
            .map_err(Failure::into)
    });
    // What could not be removed has its label; the next process removes it.
    removal.is_ok_and(|removal| matches!(removal.join(), Ok(Ok(()))))
}
