//! How bwrap is told what a program may touch.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::Command,
};

use command_fds::{CommandFdExt, FdMapping};

use tau_target_process::{Confinement, Limits};

use crate::{Unavailable, door::Door, filter, group::Group};

/// What of the system is there, read-only; links stay links.
const SYSTEM: &[&str] = &[
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix",
];
/// What of `/etc` is there: names, libraries, certificates, time. No passwords, no keys.
const CONFIGURATION: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/group",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
];
/// Where programs leave the sockets that others talk to them by: services, agents, Tau's own proxies.
const SOCKETS: &[&str] = &["/run", "/tmp", "/var/run"];
/// The descriptors bwrap reads the filters from.
const FILTERS: [i32; 2] = [3, 4];
/// The descriptor bwrap says which process it is on, the one it waits for, and the one that the shell
/// behind it waits for.
const DOOR: [i32; 3] = [5, 6, 7];
/// Becomes the program once its line has come. bwrap goes on also when the pipe it waits at is closed,
/// as it is when Tau dies: nobody would end what it starts then.
const WAITING: &str = "IFS= read -r line <&7 && [ \"$line\" = go ] && exec \"$@\" 7<&-";

/// The programs a sandbox is made with.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) bwrap: PathBuf,
    /// Sets limits of a process, inside.
    pub(crate) prlimit: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> Result<Self, Unavailable> {
        Ok(Self {
            bwrap: program("bwrap", "bubblewrap")?,
            prlimit: program("prlimit", "util-linux")?,
        })
    }
}

/// The first program of that name along `PATH` that only root can have put there.
fn program(name: &'static str, package: &'static str) -> Result<PathBuf, Unavailable> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| {
            fs::metadata(path)
                .is_ok_and(|found| found.is_file() && found.uid() == 0 && found.mode() & 0o022 == 0)
        })
        .ok_or(Unavailable::Missing {
            program: name,
            package,
        })
}

/// What can be read beside the system, which is there anyway.
fn readable(confinement: &Confinement) -> impl Iterator<Item = &PathBuf> {
    let is_system = |folder: &PathBuf| SYSTEM.iter().any(|path| Path::new(path) == folder);
    confinement
        .readable
        .iter()
        .filter(move |folder| !is_system(folder))
}

/// Whether the workspace is one that can be given away whole.
pub(crate) fn check(programs: &Programs, confinement: &Confinement) -> io::Result<()> {
    let workspace = &confinement.workspace;
    for folder in readable(confinement).chain([workspace]) {
        let holds_system = SYSTEM
            .iter()
            .chain(&["/dev", "/etc", "/proc", "/sys"])
            .any(|path| Path::new(path).starts_with(folder));
        if holds_system || !folder.is_absolute() {
            let folder = folder.display();
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{folder} cannot be given to a sandbox: the system is in it"),
            ));
        }
        // A socket is connected to whether its folder is read-only or not.
        let holds_sockets = SOCKETS
            .iter()
            .any(|path| Path::new(path).starts_with(folder));
        // Disks that a person plugged in are the exception.
        let is_service = folder.starts_with("/run") && !folder.starts_with("/run/media");
        if holds_sockets || is_service {
            let folder = folder.display();
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{folder} cannot be given to a sandbox: sockets of other programs are in it"
                ),
            ));
        }
    }
    // Whoever can write to the sandbox's own program is not confined by it.
    for program in [&programs.bwrap, &programs.prlimit] {
        if program.canonicalize()?.starts_with(workspace) {
            let program = program.display();
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{program} lies in the workspace that it should confine"),
            ));
        }
    }
    Ok(())
}

/// What starts `program` confined, and what it waits at.
pub(crate) fn command(
    programs: &Programs,
    confinement: &Confinement,
    group: Option<&Group>,
    program: &[OsString],
) -> io::Result<(Command, Door)> {
    let mut words: Vec<OsString> = vec![programs.bwrap.clone().into()];
    words.extend(namespaces());
    let (mounts, binds) = file_system(confinement);
    words.extend(mounts);
    words.push("--clearenv".into());
    for (name, value) in &confinement.environment {
        words.extend(["--setenv".into(), name.clone(), value.clone()]);
    }
    words.extend(["--", "/bin/sh", "-c", WAITING, "sh"].map(Into::into));
    words.push(programs.prlimit.clone().into());
    words.extend(limits(&confinement.limits, group.is_some()));
    words.push("--".into());
    words.extend(program.iter().cloned());

    let mut command = match group {
        None => Command::new(&words[0]),
        // Joining comes first, so that nothing is started outside of the group.
        Some(group) => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &group.script(), "sh"]).arg(&words[0]);
            shell
        }
    };
    let (told, tells) = io::pipe()?;
    let (waits, latch) = io::pipe()?;
    let mut descriptors = filters()?;
    let behind = waits.try_clone()?;
    let ends = [OwnedFd::from(tells), waits.into(), behind.into()];
    for (parent_fd, child_fd) in ends.into_iter().zip(DOOR) {
        descriptors.push(FdMapping {
            parent_fd,
            child_fd,
        });
    }
    command
        .args(&words[1..])
        .env_clear()
        .current_dir("/")
        .fd_mappings(descriptors)
        .map_err(io::Error::other)?;
    let door = Door { told, latch, binds };
    Ok((command, door))
}

fn namespaces() -> impl Iterator<Item = OsString> {
    [
        "--unshare-user",
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--hostname",
        "sandbox",
        "--cap-drop",
        "ALL",
        "--add-seccomp-fd",
        "3",
        "--add-seccomp-fd",
        "4",
        "--info-fd",
        "5",
        "--block-fd",
        "6",
    ]
    .into_iter()
    .map(Into::into)
}

/// What of the file system is there, and which paths are the same as outside.
fn file_system(confinement: &Confinement) -> (Vec<OsString>, Vec<PathBuf>) {
    let mut binds = Vec::new();
    let mut words: Vec<OsString> = Vec::new();
    let scratch = confinement.limits.scratch_bytes.to_string();
    for path in SYSTEM.iter().chain(CONFIGURATION).map(Path::new) {
        match fs::read_link(path) {
            Ok(to) if SYSTEM.contains(&path.to_str().unwrap_or_default()) => {
                words.extend(["--symlink".into(), to.into(), path.into()]);
            }
            // A link in `/etc` may lead to where nothing else is: what it leads to is bound.
            _ if path.exists() => words.extend(["--ro-bind".into(), path.into(), path.into()]),
            _ => {}
        }
    }
    words.extend(["--proc", "/proc", "--dev", "/dev"].map(Into::into));
    // Knobs of the kernel: a user who is root outside could turn them.
    words.extend(["--ro-bind", "/proc/sys", "/proc/sys"].map(Into::into));
    for place in ["/tmp", "/dev/shm", "/run", "/var/tmp"] {
        words.extend(["--size", &scratch, "--tmpfs", place].map(Into::into));
    }
    let mut bind = |kind: &str, path: &Path| {
        words.extend([kind.into(), path.into(), path.into()]);
        binds.push(path.to_owned());
    };
    for path in readable(confinement).filter(|path| path.exists()) {
        bind("--ro-bind", path);
    }
    bind("--bind", &confinement.workspace);
    let inside = |path: &&PathBuf| path.starts_with(&confinement.workspace);
    let shown = |path: &&PathBuf| {
        let mut folders = confinement.readable.iter();
        inside(path) || folders.any(|folder| path.starts_with(folder))
    };
    // A folder that something is mounted on cannot be renamed: with one above it moved away, what is
    // protected would be free to be made anew.
    let above: BTreeSet<&Path> = confinement
        .read_only
        .iter()
        .filter(inside)
        .flat_map(|path| path.ancestors().skip(1))
        .filter(|path| path.starts_with(&confinement.workspace) && *path != confinement.workspace)
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()))
        .collect();
    // Sorted, so that none covers one that came before.
    for path in above {
        bind("--bind", path);
    }
    for path in confinement.read_only.iter().filter(inside) {
        // What is a link would protect what it leads to and not itself.
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_symlink()) {
            bind("--ro-bind", path);
        }
    }
    for path in confinement.hidden.iter().filter(shown) {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => words.extend(["--tmpfs".into(), path.into()]),
            Ok(found) if found.is_file() => {
                words.extend(["--ro-bind".into(), "/dev/null".into(), path.into()]);
            }
            _ => {}
        }
    }
    words.extend(["--chdir".into(), confinement.workspace.clone().into()]);
    (words, binds)
}

fn limits(limits: &Limits, has_group: bool) -> Vec<OsString> {
    let mut words = vec![
        format!("--fsize={}", limits.file_bytes),
        format!("--cpu={}", limits.cpu_seconds),
        "--core=0".into(),
        "--nofile=4096".into(),
        // Unlimited queues and locked pages are memory that nobody counts.
        "--msgqueue=819200".into(),
        "--memlock=8388608".into(),
    ];
    if !has_group {
        // Data, not addresses: interpreters reserve far more addresses than they use.
        words.push(format!("--data={}", limits.memory_bytes));
        words.push(format!("--nproc={}", limits.processes));
    }
    words.into_iter().map(Into::into).collect()
}

/// Pipes that hold the filters: each is smaller than what fits into one.
fn filters() -> io::Result<Vec<FdMapping>> {
    let mut mappings = Vec::new();
    for (program, child_fd) in filter::programs()?.into_iter().zip(FILTERS) {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(&program)?;
        let parent_fd = OwnedFd::from(reader);
        mappings.push(FdMapping {
            parent_fd,
            child_fd,
        });
    }
    Ok(mappings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confinement(workspace: &Path) -> Confinement {
        Confinement {
            workspace: workspace.to_owned(),
            read_only: vec![workspace.join(".tau"), "/etc".into()],
            hidden: Vec::new(),
            readable: vec!["/nonexistent".into()],
            environment: vec![("A".into(), "b c".into())],
            limits: Limits::default(),
        }
    }

    fn words(command: &Command) -> Vec<&std::ffi::OsStr> {
        command.get_args().collect()
    }

    #[test]
    fn only_what_exists_inside_the_workspace_is_made_read_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".tau")).unwrap();
        let (words, binds) = file_system(&confinement(folder.path()));
        let after = |kind: &str, path: &Path| {
            words
                .windows(2)
                .any(|pair| pair[0] == kind && pair[1] == path.as_os_str())
        };
        assert!(after("--bind", folder.path()));
        assert_eq!(
            binds,
            [folder.path().to_owned(), folder.path().join(".tau")]
        );
        assert!(after("--ro-bind", &folder.path().join(".tau")));
        assert!(!after("--ro-bind", Path::new("/etc")));
        assert!(!after("--ro-bind", Path::new("/nonexistent")));
    }

    fn programs(bwrap: &Path) -> Programs {
        Programs {
            bwrap: bwrap.to_owned(),
            prlimit: "/bin/sh".into(),
        }
    }

    #[test]
    fn a_workspace_that_holds_the_system_or_the_sandbox_is_refused() {
        let programs = programs(Path::new("/bin/sh"));
        for workspace in ["/", "/usr", "/proc", "here"] {
            let confinement = confinement(Path::new(workspace));
            let error = check(&programs, &confinement).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{workspace}");
        }
        for workspace in ["/run", "/run/user/1000", "/tmp", "/var"] {
            let error = check(&programs, &confinement(Path::new(workspace))).unwrap_err();
            assert!(error.to_string().contains("sockets"), "{workspace}");
        }
        check(&programs, &confinement(Path::new("/srv"))).unwrap();
        for (folder, is_refused) in [("/usr", false), ("/", true), ("/proc", true)] {
            let mut confinement = confinement(Path::new("/srv"));
            confinement.readable = vec![folder.into()];
            let checked = check(&programs, &confinement);
            assert_eq!(checked.is_err(), is_refused, "{folder}");
        }

        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("bwrap");
        fs::write(&own, "").unwrap();
        let error = check(&self::programs(&own), &confinement(folder.path())).unwrap_err();
        assert!(
            error.to_string().ends_with("that it should confine"),
            "{error}"
        );
    }

    #[test]
    fn the_environment_of_bwrap_is_empty() {
        let programs = programs(Path::new("/usr/bin/bwrap"));
        let confinement = confinement(Path::new("/srv"));
        let (command, _) = command(&programs, &confinement, None, &["true".into()]).unwrap();
        assert_eq!(command.get_envs().count(), 0);
        let words = words(&command);
        assert!(
            words
                .windows(3)
                .any(|words| words == ["--setenv", "A", "b c"])
        );
        assert_eq!(words.last().unwrap(), &"true");
    }
}
