//! Finding and ending the processes of a call through `/proc`.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};

use super::tree::Root;
use crate::Ended;

const DEADLINE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);
/// Linux allows more, but what follows this much environment was not put there by us.
const MAX_ENVIRON_BYTES: u64 = 4 << 20;

/// One line of the process table.
#[derive(Clone, Debug)]
struct Process {
    pid: i32,
    name: String,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    start: u64,
}

/// When the process `pid` was started.
pub(super) fn start_of(pid: i32) -> Option<u64> {
    Process::read(pid).map(|process| process.start)
}

/// Ends the shell and everything that belongs to it.
pub(super) fn end(root: &Root) -> Ended {
    let started = Instant::now();
    let mut ended = HashSet::new();
    loop {
        let found = members(root);
        if found.is_empty() || started.elapsed() > DEADLINE {
            return Ended {
                others: ended.iter().filter(|pid| **pid != root.pid).count() as u64,
                left: found
                    .iter()
                    .map(|p| format!("{} ({})", p.name, p.pid))
                    .collect(),
            };
        }
        // The group first: in one step, so that a group that keeps forking is ended too.
        if found.iter().any(|process| process.group == root.pid) {
            let _ = Pid::from_raw(root.pid).map(|group| kill_process_group(group, Signal::KILL));
        }
        for process in &found {
            kill(process);
            ended.insert(process.pid);
        }
        // Looking again finds what was started meanwhile, and waits for what is still ending.
        std::thread::sleep(PAUSE);
    }
}

fn kill(process: &Process) {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return;
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => {
            // The handle names one process for good; is it still the one that was found?
            if start_of(process.pid) == Some(process.start) {
                let _ = pidfd_send_signal(&handle, Signal::KILL);
            }
        }
        // Kernels before 5.3 have no handles.
        Err(rustix::io::Errno::NOSYS) => {
            let _ = kill_process(pid, Signal::KILL);
        }
        Err(_) => {}
    }
}

/// The running processes of the call.
fn members(root: &Root) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let running: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .filter_map(Process::read)
        .filter(|process| !matches!(process.state, 'Z' | 'X' | 'x'))
        .collect();
    let mut members: HashSet<i32> = running
        .iter()
        .filter(|process| process.belongs_to(root))
        .map(|process| process.pid)
        .collect();
    loop {
        let before = members.len();
        for process in &running {
            if members.contains(&process.parent) {
                members.insert(process.pid);
            }
        }
        if members.len() == before {
            break;
        }
    }
    running
        .into_iter()
        .filter(|process| members.contains(&process.pid))
        .collect()
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name is in parentheses and may hold anything, parentheses included.
        let (open, close) = (stat.find('(')?, stat.rfind(')')?);
        let fields: Vec<&str> = stat[close + 1..].split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
        Some(Self {
            pid,
            name: stat.get(open + 1..close)?.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            start: fields.get(19)?.parse().ok()?,
        })
    }

    fn belongs_to(&self, root: &Root) -> bool {
        // An id can be another program's by now, but not that of one started before the shell.
        let is_of_shell = [self.pid, self.group, self.session].contains(&root.pid)
            && root.start.is_some_and(|start| start <= self.start)
            && (self.pid != root.pid || root.start == Some(self.start));
        is_of_shell || self.has_limit(root) || self.has_variable(root)
    }

    fn has_limit(&self, root: &Root) -> bool {
        let bytes = root.mark.resident_kib.saturating_mul(1024).to_string();
        fs::read_to_string(format!("/proc/{}/limits", self.pid)).is_ok_and(|limits| {
            limits
                .lines()
                .filter(|line| line.starts_with("Max resident set"))
                .any(|line| line.split_whitespace().any(|word| word == bytes))
        })
    }

    fn has_variable(&self, root: &Root) -> bool {
        let mut environ = Vec::new();
        let id = root.mark.id.as_bytes();
        File::open(format!("/proc/{}/environ", self.pid))
            .and_then(|file| file.take(MAX_ENVIRON_BYTES).read_to_end(&mut environ))
            .is_ok_and(|_| environ.windows(id.len()).any(|window| window == id))
    }
}
