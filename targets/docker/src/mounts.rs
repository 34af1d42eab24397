//! What of the file system a container sees, and who it is there.
//!
//! Invariant: every bind's source is what its own path says, without a link on the way, so that a
//! program that ran before cannot have led it elsewhere.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use bollard::models::{Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType};
use tau_target_process::Confinement;

use crate::{engine::Address, owner::Empty};

/// Folders that make a system a system; a workspace may be neither above nor within.
const SYSTEM: &[&str] = &[
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr",
];
/// Whom a program runs as where nobody else owns the workspace: `nobody` nearly everywhere.
const NOBODY: u32 = 65_534;
/// Where programs leave what they need for a moment; of limited size.
const SCRATCH: &[&str] = &["/tmp", "/var/tmp", "/run"];

/// Refuses a workspace, or anything else to be seen, that would give the machine away.
pub(crate) fn check(confinement: &Confinement, engine: &Address) -> io::Result<()> {
    let workspace = &confinement.workspace;
    if !workspace.is_absolute() {
        return Err(refused(workspace, "is no absolute path"));
    }
    let is_system = |path: &Path| {
        SYSTEM.iter().map(Path::new).any(|system| {
            // Below `/usr` people have folders of their own; below `/proc` nobody has.
            system.starts_with(path)
                || (["/dev", "/proc", "/sys"].contains(&system.to_str().unwrap_or_default())
                    && path.starts_with(system))
        })
    };
    if is_system(workspace) {
        return Err(refused(
            workspace,
            "cannot be a sandbox's workspace: the system is in it",
        ));
    }
    // Whoever can reach the engine is root.
    if let Address::Socket(socket) = engine {
        let socket = socket.canonicalize()?;
        for folder in [workspace].into_iter().chain(&confinement.readable) {
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            if socket.starts_with(&folder) {
                return Err(refused(&folder, "holds the socket of the engine"));
            }
        }
    }
    Ok(())
}

fn refused(path: &Path, why: &str) -> io::Error {
    let path = path.display();
    io::Error::new(io::ErrorKind::InvalidInput, format!("{path} {why}"))
}

/// The binds, those deeper in the tree last.
pub(crate) fn binds(confinement: &Confinement, empty: &Empty) -> io::Result<Vec<Mount>> {
    let workspace = &confinement.workspace;
    let mut mounts = vec![bind(workspace, workspace, false)?];
    for path in &confinement.readable {
        // What is a link is shown as what it leads to, at both places.
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        mounts.push(bind(&real, path, true)?);
    }
    for path in inside(workspace, &confinement.read_only) {
        mounts.push(bind(&path, &path, true)?);
    }
    for path in inside(workspace, &confinement.hidden) {
        // A bind rather than a `tmpfs`, which some engines fill with what it covers.
        let source = match fs::metadata(&path)?.is_dir() {
            true => empty.folder(),
            false => empty.file(),
        };
        mounts.push(bind(source, &path, true)?);
    }
    // The last to name a place decides about it, and an engine takes each only once.
    let mut kept: Vec<Mount> = Vec::new();
    for mount in mounts {
        kept.retain(|other| other.target != mount.target);
        kept.push(mount);
    }
    Ok(kept)
}

/// Those of `paths` that are in the workspace, are there, and are themselves: what is a link would
/// protect what it leads to and not itself.
fn inside(workspace: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    let is_itself = |path: &&PathBuf| {
        path.starts_with(workspace)
            && *path != workspace
            && path.canonicalize().is_ok_and(|real| real == **path)
    };
    let mut found: Vec<PathBuf> = paths.iter().filter(is_itself).cloned().collect();
    found.sort();
    found
}

fn bind(source: &Path, target: &Path, read_only: bool) -> io::Result<Mount> {
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| refused(path, "is not Unicode, as paths must be for an engine"))
    };
    Ok(Mount {
        source: Some(text(source)?),
        target: Some(within(&text(target)?)),
        typ: Some(MountType::BIND),
        read_only: Some(read_only),
        bind_options: Some(MountBindOptions {
            // What is mounted later, on either side, stays there.
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// Where a path of this machine is in a container: itself; one of Windows by its drive's letter,
/// `C:\a\b` as `/c/a/b`.
pub(crate) fn within(path: &str) -> String {
    let plain = path.strip_prefix(r"\\?\").unwrap_or(path);
    match plain.as_bytes() {
        [drive, b':', ..] if drive.is_ascii_alphabetic() => {
            let rest = plain[2..].replace('\\', "/");
            format!("/{}{rest}", char::from(drive.to_ascii_lowercase()))
        }
        _ => path.to_owned(),
    }
}

/// Folders of memory, of limited size: where programs expect to write, and where the image would
/// have folders made that fill the disk.
pub(crate) fn scratch(
    confinement: &Confinement,
    volumes: &[String],
    mounts: &[Mount],
    user: User,
) -> Vec<(String, String)> {
    let size = confinement.limits.scratch_bytes;
    let User { id, group } = user;
    let is_free = |place: &&str| {
        mounts
            .iter()
            .all(|mount| mount.target.as_deref() != Some(place))
    };
    SCRATCH
        .iter()
        .copied()
        .chain(volumes.iter().map(String::as_str))
        .filter(is_free)
        .map(|place| {
            // Some runtimes set the mode that the image's folder has, so it has to be the user's.
            let options =
                format!("rw,exec,nosuid,nodev,mode=1777,uid={id},gid={group},size={size}");
            (place.to_owned(), options)
        })
        .collect()
}

/// Whom a program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    id: u32,
    group: u32,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.group)
    }
}

impl User {
    /// The owner of the workspace; for one of root's `nobody`, unless root is asked for.
    ///
    /// In an engine without root, root within is the person that the engine belongs to, and all
    /// others are strangers to the workspace. Elsewhere root within is root, if without its powers
    /// over other people's files.
    pub(crate) fn of(workspace: &Path, is_rootless: bool, as_root: bool) -> io::Result<Self> {
        const ROOT: User = User { id: 0, group: 0 };
        if is_rootless {
            return Ok(ROOT);
        }
        Ok(match owner(workspace)? {
            (0, _) if as_root => ROOT,
            (0, _) => Self {
                id: NOBODY,
                group: NOBODY,
            },
            // The group of root is nobody's way to root's files.
            (id, 0) => Self { id, group: NOBODY },
            (id, group) => Self { id, group },
        })
    }
}

#[cfg(unix)]
fn owner(path: &Path) -> io::Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(path)?;
    Ok((found.uid(), found.gid()))
}

/// Engines on Windows let everybody write to what they share.
#[cfg(not(unix))]
fn owner(_: &Path) -> io::Result<(u32, u32)> {
    Ok((NOBODY, NOBODY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_target_process::Limits;

    fn confinement(workspace: &Path) -> Confinement {
        Confinement {
            workspace: workspace.to_owned(),
            read_only: Vec::new(),
            hidden: Vec::new(),
            readable: Vec::new(),
            environment: Vec::new(),
            limits: Limits::default(),
        }
    }

    fn pipe() -> Address {
        Address::Pipe("x".into())
    }

    #[test]
    fn a_workspace_that_holds_the_system_is_refused() {
        for workspace in [
            "/", "/usr", "/etc", "/proc/1", "/sys/fs", "/dev/shm", "here",
        ] {
            let error = check(&confinement(Path::new(workspace)), &pipe()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{workspace}");
        }
        for workspace in ["/srv", "/usr/local/src/own", "/home/me"] {
            check(&confinement(Path::new(workspace)), &pipe()).unwrap();
        }
    }

    #[test]
    fn nothing_that_holds_the_engines_socket_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        fs::create_dir(folder.join("in")).unwrap();
        fs::create_dir(folder.join("out")).unwrap();
        fs::write(folder.join("in/docker.sock"), "").unwrap();
        std::os::unix::fs::symlink(folder.join("in"), folder.join("link")).unwrap();
        let engine = Address::Socket(folder.join("link/docker.sock"));
        check(&confinement(&folder.join("out")), &engine).unwrap();
        check(&confinement(&folder.join("in")), &engine).unwrap_err();
        check(&confinement(&folder), &engine).unwrap_err();
        let mut shown = confinement(&folder.join("out"));
        shown.readable = vec![folder.join("link")];
        let error = check(&shown, &engine).unwrap_err().to_string();
        assert!(error.ends_with("holds the socket of the engine"), "{error}");
    }

    #[test]
    fn what_is_protected_is_itself_and_in_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().canonicalize().unwrap();
        for name in [".git", ".tau", "other"] {
            fs::create_dir(workspace.join(name)).unwrap();
        }
        fs::write(workspace.join(".netrc"), "secret").unwrap();
        std::os::unix::fs::symlink("/etc", workspace.join("link")).unwrap();
        let mut confinement = confinement(&workspace);
        confinement.read_only = [".git", "link", "link/ssl", "missing"]
            .map(|name| workspace.join(name))
            .into();
        confinement.read_only.push("/etc".into());
        confinement.hidden = [".tau", ".netrc"].map(|name| workspace.join(name)).into();
        let empty = Empty::new().unwrap();
        let found: Vec<_> = binds(&confinement, &empty)
            .unwrap()
            .into_iter()
            .map(|mount| {
                let name = |path: String| {
                    let path = PathBuf::from(path);
                    path.file_name().unwrap().to_str().unwrap().to_owned()
                };
                (
                    name(mount.target.unwrap()),
                    name(mount.source.unwrap()),
                    mount.read_only.unwrap(),
                )
            })
            .collect();
        let own = workspace.file_name().unwrap().to_str().unwrap().to_owned();
        let mount = |target: &str, source: &str| (target.to_owned(), source.to_owned(), true);
        assert_eq!(
            found,
            [
                (own.clone(), own, false),
                mount(".git", ".git"),
                mount(".netrc", "file"),
                mount(".tau", "folder"),
            ]
        );
    }

    #[test]
    fn a_place_is_mounted_once() {
        let mounts = vec![bind(Path::new("/tmp"), Path::new("/tmp"), false).unwrap()];
        let confinement = confinement(Path::new("/tmp"));
        let user = User { id: 1, group: 2 };
        let places: Vec<_> = scratch(&confinement, &["/data".into()], &mounts, user)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        assert_eq!(places, ["/var/tmp", "/run", "/data"]);
    }

    #[test]
    fn nobody_is_root_unless_that_is_asked_for_or_the_person() {
        let folder = tempfile::tempdir().unwrap();
        let user = |rootless, as_root| User::of(folder.path(), rootless, as_root).unwrap();
        assert_eq!(user(true, false).to_string(), "0:0");
        let own = user(false, false);
        assert!(own.id != 0 && own.group != 0, "{own}");
        let roots = User::of(Path::new("/"), false, false).unwrap();
        assert_eq!(roots.to_string(), "65534:65534");
        let asked = User::of(Path::new("/"), false, true).unwrap();
        assert_eq!(asked.to_string(), "0:0");
    }

    #[test]
    fn a_path_of_windows_gets_its_drive_for_a_folder() {
        assert_eq!(within(r"C:\Users\me\work"), "/c/Users/me/work");
        assert_eq!(within(r"\\?\D:\work"), "/d/work");
        assert_eq!(within("/home/me/work"), "/home/me/work");
    }
}
