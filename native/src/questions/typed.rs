//! One typed line, given up as soon as nobody waits for it any more.

use std::sync::atomic::AtomicBool;

/// The next line on stdin: `Some(None)` at its end, `None` once `over` is set.
#[cfg(unix)]
pub(super) fn line(over: &AtomicBool) -> Option<Option<String>> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::sync::atomic::Ordering;

    /// How often `over` is looked at.
    const LOOK: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    let stdin = rustix::stdio::stdin();
    let mut line = Vec::new();
    loop {
        if over.load(Ordering::Relaxed) {
            return None;
        }
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return Some(None),
        }
        // A terminal gives a line at a time; nothing is left in a buffer for a later reader.
        let mut piece = [0; 4096];
        match rustix::io::read(stdin, &mut piece) {
            Ok(0) | Err(_) => return Some(None),
            Ok(length) => line.extend(piece.iter().take(length)),
        }
        if line.ends_with(b"\n") {
            return Some(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// Throws away what was typed and not read.
#[cfg(unix)]
pub(super) fn discard() {
    // Fails where stdin is no terminal, which has nothing typed.
    let _ = rustix::termios::tcflush(
        rustix::stdio::stdin(),
        rustix::termios::QueueSelector::IFlush,
    );
}

/// The next line on stdin: `Some(None)` at its end.
#[cfg(not(unix))]
pub(super) fn line(_: &AtomicBool) -> Option<Option<String>> {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => Some(None),
        Ok(_) => Some(Some(line)),
    }
}

/// Throws away what was typed and not read.
#[cfg(not(unix))]
pub(super) fn discard() {}
