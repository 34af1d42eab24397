//! A terminal with `tau` in it, and a person who types.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::Tau;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// The terminal.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    seen: Arc<Mutex<String>>,
    /// Up to where the test has looked.
    read: usize,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts `tau` with these arguments.
    pub(crate) fn start(tau: &Tau, arguments: &[&str]) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 100,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(tau.program());
        command.args(arguments);
        command.env_clear();
        command.cwd(tau.workspace());
        for (name, value) in tau.environment() {
            command.env(name, value);
        }
        command.env("TERM", "xterm");
        let child = pair.slave.spawn_command(command).expect("tau starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("its screen");
        let writer = Arc::new(Mutex::new(pair.master.take_writer().expect("its keyboard")));
        let seen = Arc::new(Mutex::new(String::new()));
        let (screen, keyboard) = (seen.clone(), writer.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                // The editor asks where the cursor is, and waits for the answer.
                if text.contains("\u{1b}[6n") {
                    let _ = keyboard
                        .lock()
                        .expect("the keyboard")
                        .write_all(b"\x1b[1;1R");
                }
                screen.lock().expect("the screen").push_str(&text);
            }
        });
        Self {
            child,
            writer,
            seen,
            read: 0,
            _master: pair.master,
        }
    }

    /// Types these keys.
    pub(crate) fn types(&self, keys: &str) {
        let mut writer = self.writer.lock().expect("the keyboard");
        writer.write_all(keys.as_bytes()).expect("keys are taken");
        writer.flush().expect("keys are taken");
    }

    /// Waits until `text` appears, after what was waited for before.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen.lock().expect("the screen").clone();
            if let Some(place) = seen[self.read..].find(text) {
                self.read += place + text.len();
                return;
            }
            assert!(
                Instant::now() < until,
                "{text:?} did not appear in {:?}",
                &seen[self.read..]
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that was shown so far.
    pub(crate) fn seen(&self) -> String {
        self.seen.lock().expect("the screen").clone()
    }

    /// Waits for the end; gives the exit code.
    #[track_caller]
    pub(crate) fn ends(mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of a child") {
                return status.exit_code();
            }
            if Instant::now() > until {
                let _ = self.child.kill();
                panic!(
                    "tau did not end; seen {:?}",
                    self.seen.lock().expect("the screen")
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
