//! Holding a confined program back until it was seen that its sandbox is the one that was meant.
//!
//! bwrap follows links in what it binds. Another program that works in the same folder could have put
//! a link in the place of a folder since it was looked at, and one that leads out would show what is
//! outside. So bwrap waits before it starts the program, and goes on once the kernel's list of mounts
//! says that everything is what it should be.

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
const PAUSE: Duration = Duration::from_millis(1);
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

impl Door {
    /// Looks at the sandbox and lets the program start. Fails, and leaves it waiting, where something
    /// is not what was meant. Blocks for as long as bwrap needs.
    pub(crate) fn open(mut self) -> io::Result<()> {
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
                    return self.latch.write_all(b"1");
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
            if began.elapsed() > DEADLINE {
                let why = "bwrap did not make the sandbox in time";
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            thread::sleep(PAUSE);
        }
    }
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
