//! The first process of a container, held by the kernel's handle: it shows what the container really
//! sees, and when an engine dies its containers run on, and nobody else could end them.

use std::io;

use bollard::models::Mount;

/// A container's first process; when it ends, the kernel ends all others.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct First {
    handle: std::os::fd::OwnedFd,
    mounts: std::path::PathBuf,
}

/// No other system shows an engine's processes.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct First;

#[cfg(not(target_os = "linux"))]
impl First {
    pub(crate) fn find(_: i64, _: &str) -> Option<Self> {
        None
    }

    pub(crate) fn check(&self, _: &[Mount]) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn end(&self) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
impl First {
    /// The process `id`, if it is one of this machine and in the container.
    pub(crate) fn find(id: i64, container: &str) -> Option<Self> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(id).ok()?)?;
        let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
        // Looked at after it was opened: what the handle names cannot become another. An engine in
        // a virtual machine counts processes of its own.
        let groups = std::fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
        groups.contains(container).then_some(Self {
            handle,
            mounts: format!("/proc/{id}/mountinfo").into(),
        })
    }

    /// Whether the container's binds are what they were meant to be.
    pub(crate) fn check(&self, binds: &[Mount]) -> io::Result<()> {
        let own = std::fs::read("/proc/self/mountinfo")?;
        // Nothing is mounted for a process that has ended, and nothing runs.
        let theirs = match std::fs::read(&self.mounts) {
            Ok(theirs) if !theirs.is_empty() => theirs,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            _ => return Ok(()),
        };
        let binds = binds.iter().filter_map(|bind| {
            let (source, target) = (bind.source.as_ref()?, bind.target.as_ref()?);
            Some((std::path::Path::new(source), std::path::Path::new(target)))
        });
        tau_target_process::mounts::compare(&own, &theirs, binds).map_err(io::Error::other)
    }

    /// Ends it, and says whether it has ended. Its user is the workspace's owner, so who owns the
    /// workspace may.
    pub(crate) fn end(&self) -> bool {
        use rustix::{
            event::{PollFd, PollFlags, Timespec, poll},
            process::{Signal, pidfd_send_signal},
        };
        let limit = Timespec {
            tv_sec: 2,
            tv_nsec: 0,
        };
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
        poll(&mut ended, Some(&limit)).is_ok_and(|count| count > 0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_a_process_of_the_container_is_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = i64::from(child.id());
        assert!(First::find(id, "no-such-container").is_none());
        assert!(First::find(0, "").is_none());
        let groups = std::fs::read_to_string(format!("/proc/{id}/cgroup")).unwrap();
        let first = First::find(id, groups.lines().next().unwrap()).unwrap();
        assert!(first.end());
        assert!(!child.wait().unwrap().success());
    }
}
