//! Reading the beginning of a file for Tau itself, through the same door as the tools.

use std::io::{ErrorKind, Read};

use super::{
    output::Fault,
    workspace::{Access, Workspace},
};

/// The beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// How many it has.
    pub total_bytes: u64,
}

impl Workspace {
    /// At most `limit_bytes` of the regular file at `path`; `None` where nothing is.
    pub(super) fn peek(&self, path: &str, limit_bytes: u64) -> Result<Option<Peek>, String> {
        match self.root().join(path).symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let told = |fault: Fault| fault.in_a_line();
        let place = self.resolve(path, Access::Read).map_err(told)?;
        let (file, metadata) = place.open_file(path).map_err(told)?;
        let mut bytes = Vec::new();
        let read = file.take(limit_bytes).read_to_end(&mut bytes);
        read.map_err(|error| told(Fault::io(format!("cannot read {path}"), &error)))?;
        Ok(Some(Peek {
            total_bytes: metadata.len().max(bytes.len() as u64),
            bytes,
        }))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use tau_core::policy::Paths;

    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("in")).expect("a workspace");
        fs::write(folder.path().join("secret"), "not here").expect("a file");
        let workspace =
            Workspace::open(&folder.path().join("in"), Paths::default()).expect("the workspace");
        (folder, workspace)
    }

    #[test]
    fn the_beginning_is_read_and_the_whole_is_counted() {
        let (_folder, workspace) = workspace();
        assert_eq!(workspace.peek("a/b", 4), Ok(None));
        let file = fs::File::create(workspace.root().join("huge")).unwrap();
        // Without blocks of its own: reading it all would take a long time and much memory.
        file.set_len(1 << 40).unwrap();
        let peek = workspace.peek("huge", 4).unwrap().unwrap();
        assert_eq!((peek.bytes.len(), peek.total_bytes), (4, 1 << 40));
    }

    #[test]
    fn what_is_elsewhere_or_no_file_is_refused_in_a_line() {
        let (_folder, workspace) = workspace();
        let root = workspace.root();
        symlink("../secret", root.join("out")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(root.join("fifo"))
            .status();
        assert!(made.unwrap().success());
        fs::write(root.join("two"), "x").unwrap();
        fs::hard_link(root.join("two"), root.join("names")).unwrap();
        for (path, said) in [
            ("out", "outside the workspace"),
            ("dangling", "does not exist"),
            ("loop", "too many links"),
            ("folder", "is a directory"),
            ("fifo", "not a regular file"),
            ("names", "more than one hard link"),
        ] {
            let why = workspace.peek(path, 10).unwrap_err();
            assert!(why.contains(said) && !why.contains('\n'), "{path}: {why}");
        }
        fs::write(root.join("real"), "words").unwrap();
        symlink("real", root.join("link")).unwrap();
        let peek = workspace.peek("link", 10).unwrap().unwrap();
        assert_eq!(peek.bytes, b"words");
    }
}
