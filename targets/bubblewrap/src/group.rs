//! A control group of its own for each program, where one can be made: memory and processes are
//! limited for all it starts together, and all of it can be ended at once.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use tau_target_process::Limits;

/// How often an ended group is looked at before it is left to the kernel.
const LOOKS: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(1);

/// The control group of one program. Dropping it ends what is in there.
#[derive(Debug)]
pub struct Group {
    /// One folder in cgroup v2, one for each controller in v1.
    folders: Vec<PathBuf>,
}

impl Group {
    /// A group with `limits`; none where this user cannot make one.
    pub(crate) fn new(limits: &Limits) -> Option<Self> {
        let parents = parents()?;
        let name = name();
        let mut group = Self {
            folders: Vec::new(),
        };
        for parent in &parents {
            let folder = parent.path.join(&name);
            fs::create_dir(&folder).ok()?;
            // From here on, dropping removes it.
            group.folders.push(folder.clone());
            for (file, value) in parent.version.settings(limits) {
                let path = folder.join(file);
                // Swap is not accounted everywhere; where it is, it must not be a way around.
                let is_swap = file.contains("swap") || file.contains("memsw");
                if is_swap && !path.exists() {
                    continue;
                }
                fs::write(&path, value).ok()?;
            }
        }
        Some(group)
    }

    /// A script that joins the group and becomes its arguments.
    pub(crate) fn script(&self) -> String {
        let mut script = String::new();
        for folder in &self.folders {
            // The folders are made of the kernel's names and ours: nothing to quote but for spaces.
            let file = folder.join("cgroup.procs");
            let file = file.display().to_string().replace('\'', r"'\''");
            script.push_str(&format!("echo 0 > '{file}' || exit 125; "));
        }
        script + "exec \"$@\""
    }

    /// Ends everything in the group.
    fn end(&self) {
        for _ in 0..LOOKS {
            let mut is_empty = true;
            for folder in &self.folders {
                // cgroup v2 ends all at once, since Linux 5.14.
                let _ = fs::write(folder.join("cgroup.kill"), "1");
                for process in processes(folder) {
                    is_empty = false;
                    kill(process);
                }
            }
            if is_empty {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
        for folder in &self.folders {
            // The kernel takes its time to let go of the last process.
            for _ in 0..LOOKS {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        thread::sleep(PAUSE);
                    }
                    _ => break,
                }
            }
        }
    }
}

fn processes(folder: &Path) -> Vec<i32> {
    fs::read_to_string(folder.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

fn kill(process: i32) {
    if let Some(process) = rustix::process::Pid::from_raw(process) {
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
}

fn name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("tau-{}-{count}", std::process::id())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Memory1,
    Processes1,
    Unified,
}

impl Version {
    fn settings(self, limits: &Limits) -> Vec<(&'static str, String)> {
        let memory = limits.memory_bytes.to_string();
        let processes = limits.processes.to_string();
        match self {
            Self::Memory1 => vec![
                ("memory.limit_in_bytes", memory.clone()),
                ("memory.memsw.limit_in_bytes", memory),
            ],
            Self::Processes1 => vec![("pids.max", processes)],
            Self::Unified => vec![
                ("memory.max", memory),
                ("memory.swap.max", "0".into()),
                ("pids.max", processes),
            ],
        }
    }
}

/// A folder that groups can be made in.
#[derive(Debug)]
struct Parent {
    path: PathBuf,
    version: Version,
}

/// Where this process's own groups are, as `/proc/self/cgroup` has it.
fn parents() -> Option<Vec<Parent>> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let controlled = |name: &str| {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            controllers
                .split(',')
                .any(|controller| controller == name)
                .then(|| path.to_owned())
        })
    };
    let v1 = |name: &str, version| {
        let path = controlled(name)?;
        let mount = mounts.lines().find_map(|line| {
            let (mount, kind) = mounted(line)?;
            let is_it = kind.starts_with("cgroup ") && has_option(line, name);
            is_it.then_some(mount)
        })?;
        Some(Parent {
            path: inside(mount, &path),
            version,
        })
    };
    if let (Some(memory), Some(pids)) = (
        v1("memory", Version::Memory1),
        v1("pids", Version::Processes1),
    ) {
        return Some(vec![memory, pids]);
    }
    let path = controlled("")?;
    let mount = mounts.lines().find_map(|line| {
        let (mount, kind) = mounted(line)?;
        kind.starts_with("cgroup2 ").then_some(mount)
    })?;
    let path = inside(mount, &path);
    // A group with processes in it cannot hand controllers down; ours may stand beside it.
    let parent = [path.parent().map(Path::to_owned), Some(path)]
        .into_iter()
        .flatten()
        .find(|folder| {
            let handed =
                fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
            let has = |name| {
                handed
                    .split_whitespace()
                    .any(|controller| controller == name)
            };
            has("memory") && has("pids")
        })?;
    Some(vec![Parent {
        path: parent,
        version: Version::Unified,
    }])
}

fn inside(mount: PathBuf, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

/// Mount point and what follows the separator of a line of `/proc/self/mountinfo` (proc(5)).
fn mounted(line: &str) -> Option<(PathBuf, &str)> {
    let (left, right) = line.split_once(" - ")?;
    let point = left.split(' ').nth(4)?;
    Some((PathBuf::from(point), right))
}

fn has_option(line: &str, name: &str) -> bool {
    line.rsplit(' ')
        .next()
        .is_some_and(|options| options.split(',').any(|option| option == name))
}
