//! Whose a container is: a file that the process holds locked, whose path is the container's label.
//!
//! A lock ends with its process however that ends, on every system. So whoever gets the lock of a
//! container's owner knows that the owner is gone, and removes what it left. Containers without
//! the label are never touched.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::ListContainersOptionsBuilder,
};
use tempfile::TempDir;

use crate::{
    ANSWER, WORK,
    engine::{Engine, Failure, within},
    remove,
};

/// The label that holds the path of the owner's file.
pub(crate) const LABEL: &str = "tau.owner";
/// After this long an ended container is removed whose owner's file is gone, in seconds: owners do
/// that themselves within moments.
const FORGOTTEN_SECONDS: i64 = 24 * 3_600;

/// This process, to the containers that it makes.
#[derive(Debug)]
pub(crate) struct Owner {
    // Locked for as long as it is open.
    _file: File,
    path: PathBuf,
    empty: Empty,
    has_left: AtomicBool,
}

impl Owner {
    pub(crate) fn new() -> io::Result<Self> {
        let empty = Empty::new()?;
        let path = empty.0.path().join("owner");
        let file = File::create_new(&path)?;
        file.lock()?;
        Ok(Self {
            _file: file,
            path,
            empty,
            has_left: AtomicBool::new(false),
        })
    }

    /// As a label's value.
    pub(crate) fn label(&self) -> io::Result<String> {
        let path = self.path.to_str();
        path.map(str::to_owned).ok_or_else(|| {
            io::Error::other("the folder for temporary files has a name that is not Unicode")
        })
    }

    /// Has the file outlive this process: a container could not be removed.
    pub(crate) fn leave(&self) {
        self.has_left.store(true, Ordering::Release);
    }

    pub(crate) fn empty(&self) -> &Empty {
        &self.empty
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.has_left.load(Ordering::Acquire) {
            self.empty.0.disable_cleanup(true);
        }
    }
}

/// A folder and a file with nothing in them, to put in the place of what is hidden.
#[derive(Debug)]
pub(crate) struct Empty(TempDir, [PathBuf; 2]);

impl Empty {
    pub(crate) fn new() -> io::Result<Self> {
        let place = tempfile::Builder::new().prefix("tau-docker-").tempdir()?;
        let names = ["folder", "file"].map(|name| place.path().join(name));
        fs::create_dir(&names[0])?;
        fs::write(&names[1], "")?;
        Ok(Self(place, names))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.1[0]
    }

    pub(crate) fn file(&self) -> &Path {
        &self.1[1]
    }
}

/// Removes the containers whose owners are gone.
pub(crate) async fn sweep(engine: &Engine) -> Result<(), Failure> {
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&HashMap::from([("label", vec![LABEL])]))
        .build();
    let found = within(ANSWER, engine.client.list_containers(Some(options))).await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
        .try_into()
        .unwrap_or(i64::MAX);
    let mut left = Vec::new();
    for container in &found {
        if let (Some(id), Some(folder)) = (&container.id, abandoned(container, now)) {
            within(WORK, remove::remove(&engine.client, id)).await?;
            left.extend(folder);
        }
    }
    for folder in left {
        // Another process may be sweeping too.
        let _ = fs::remove_dir_all(folder);
    }
    Ok(())
}

/// Whether nobody waits for the container any more; with what its owner left on the disk.
fn abandoned(container: &ContainerSummary, now_seconds: i64) -> Option<Option<PathBuf>> {
    let path = Path::new(container.labels.as_ref()?.get(LABEL)?);
    // The owner's file has a name that only an owner makes: what follows removes its folder.
    let folder = path.parent()?;
    let is_ours = path.file_name()? == "owner"
        && folder
            .file_name()?
            .to_str()
            .is_some_and(|name| name.starts_with("tau-docker-"));
    if !is_ours {
        return None;
    }
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Some(Some(folder.to_owned())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        },
        // Swept with other temporary files, or of another machine that uses the engine.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_running = matches!(
                container.state,
                Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED)
            );
            let age = now_seconds.saturating_sub(container.created.unwrap_or(now_seconds));
            (!is_running && age > FORGOTTEN_SECONDS).then_some(None)
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(label: &str, created: i64) -> ContainerSummary {
        ContainerSummary {
            labels: Some(HashMap::from([(LABEL.to_owned(), label.to_owned())])),
            created: Some(created),
            state: Some(ContainerSummaryStateEnum::EXITED),
            ..Default::default()
        }
    }

    #[test]
    fn a_container_is_abandoned_once_its_owners_lock_is_free() {
        let owner = Owner::new().unwrap();
        let label = owner.label().unwrap();
        assert_eq!(abandoned(&container(&label, 0), i64::MAX), None);
        // As after a kill: the lock is gone, the folder is not.
        owner.leave();
        drop(owner);
        let folder = Path::new(&label).parent().unwrap().to_owned();
        assert_eq!(
            abandoned(&container(&label, 0), 0),
            Some(Some(folder.clone()))
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_owner_that_left_nothing_leaves_nothing() {
        let owner = Owner::new().unwrap();
        let path = owner.path.clone();
        drop(owner);
        assert!(!path.parent().unwrap().exists());
    }

    #[test]
    fn one_whose_owner_cannot_be_found_is_left_for_a_day() {
        let label = "/nonexistent/tau-docker-x/owner";
        let day = FORGOTTEN_SECONDS;
        assert_eq!(abandoned(&container(label, 10), 10 + day), None);
        assert_eq!(abandoned(&container(label, 10), 11 + day), Some(None));
        let mut running = container(label, 10);
        running.state = Some(ContainerSummaryStateEnum::RUNNING);
        assert_eq!(abandoned(&running, 11 + day), None);
    }

    #[test]
    fn a_label_that_no_owner_made_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("owner");
        fs::write(&file, "").unwrap();
        let label = file.to_str().unwrap();
        assert_eq!(abandoned(&container(label, 0), i64::MAX), None);
        assert_eq!(abandoned(&ContainerSummary::default(), i64::MAX), None);
    }
}
