//! Holding a confined program back until it was seen that its sandbox is the one that was meant.
//!
//! bwrap follows links in what it binds. Another program that works in the same folder could have put
//! a link in the place of a folder since it was looked at, and one that leads out would show what is
//! outside. So bwrap waits before it starts the program, and goes on once the kernel's list of mounts
//! says that everything is what it should be.
//!
//! Invariant: without [`Door::open`] no program starts, also when this process dies. A door that is
//! dropped is one that stays closed; what waits at it ends.

use std::{
    fs,
    io::{self, PipeReader, PipeWriter, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tau_target_process::mounts;

/// How long bwrap may take to make a sandbox.
const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_micros(100);
/// How often the same list is read again before it is believed to be wrong.
const STEADY: u32 = 20;

/// What a program waits at.
#[derive(Debug)]
pub(crate) struct Door {
    /// Where bwrap says which process it is.
    pub(crate) told: PipeReader,
    /// What it waits for.
    pub(crate) latch: PipeWriter,
    /// What it sees at its own path.
    pub(crate) binds: Vec<PathBuf>,
}

/// What bwrap waits for, and then the shell behind it.
const ENTER: &[u8] = b"1";
const GO: &[u8] = b"go\n";

impl Door {
    /// Lets the program start, if bwrap has not ended: then it has said why.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        self.say(GO)
    }

    /// Looks at the sandbox, and waits until it would end with this process. Fails where something is
    /// not what was meant, which may go on waiting. Blocks for as long as bwrap needs.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        let mut told = String::new();
        self.told.read_to_string(&mut told)?;
        let Some(process) = child(&told) else {
            // bwrap has ended and said why; nothing was started.
            return Ok(());
        };
        let began = Instant::now();
        let mut last = Vec::new();
        let mut same = 0;
        loop {
            let own = fs::read("/proc/self/mountinfo")?;
            let theirs = fs::read(format!("/proc/{process}/mountinfo"));
            let theirs = theirs.unwrap_or_default();
            if theirs.is_empty() {
                return Ok(());
            }
            if is_made(&own, &theirs) {
                let binds = self.binds.iter().map(|path| (&**path, &**path));
                let Err(why) = mounts::compare(&own, &theirs, binds) else {
                    self.say(ENTER)?;
                    return until_bound(process, began);
                };
                // A list is read in pieces: one that something is mounted into meanwhile is neither
                // what was nor what is.
                same = match theirs == last {
                    true => same + 1,
                    false => 0,
                };
                if same == STEADY {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
                }
                last = theirs;
            }
            pause(began)?;
        }
    }

    fn say(&mut self, what: &[u8]) -> io::Result<()> {
        match self.latch.write_all(what) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

/// Waits until the first process of the sandbox has asked the kernel to end it with its parent: it
/// does so just before it puts on its filters, which can be seen.
fn until_bound(process: u32, began: Instant) -> io::Result<()> {
    let own = filters("self")?.unwrap_or_default();
    while filters(&process.to_string())?.is_some_and(|theirs| theirs <= own) {
        pause(began)?;
    }
    Ok(())
}

/// How many seccomp filters a process is under; before Linux 5.9, whether it is under any. None when
/// it has ended.
fn filters(process: &str) -> io::Result<Option<u32>> {
    let status = match fs::read_to_string(format!("/proc/{process}/status")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        status => status?,
    };
    let value = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
    };
    if value("State:").is_none_or(|state| state.starts_with(['Z', 'X'])) {
        return Ok(None);
    }
    let count = value("Seccomp_filters:").or_else(|| value("Seccomp:"));
    Ok(Some(
        count.and_then(|count| count.parse().ok()).unwrap_or(0),
    ))
}

fn pause(began: Instant) -> io::Result<()> {
    if began.elapsed() > DEADLINE {
        let why = "bwrap did not make the sandbox in time";
        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
    }
    thread::sleep(PAUSE);
    Ok(())
}

/// Whether bwrap is done: it leaves the file system that it came from, then the one it builds in.
fn is_made(own: &[u8], theirs: &[u8]) -> bool {
    !mounts::same_root(own, theirs) && !mounts::is_mounted(theirs, Path::new("/newroot"))
}

/// The process's id, of the JSON that `--info-fd` gets: `{"child-pid": 1234, …}`.
fn child(told: &str) -> Option<u32> {
    let (_, rest) = told.split_once("\"child-pid\"")?;
    let digits = rest.trim_start_matches([':', ' ']);
    let end = digits.find(|c: char| !c.is_ascii_digit())?;
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_read_as_bwrap_writes_it() {
        let told = "{\n    \"child-pid\": 29249,\n    \"mnt-namespace\": 4026532177\n}\n";
        assert_eq!(child(told), Some(29_249));
        for nothing in ["", "{}", "{\"child-pid\": }", "{\"child-pid\": 1"] {
            assert_eq!(child(nothing), None, "{nothing}");
        }
    }
}
