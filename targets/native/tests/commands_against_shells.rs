//! What core reads in a command, compared with what the shells of this machine do: every program
//! that one of them starts was read, or the command was not understood.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be prepared cannot be tested"
)]

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tau_core::policy::commands::Script;

/// Programs that note that they ran, in an otherwise empty `PATH`.
const PROGRAMS: [&str; 3] = ["pa", "pb", "pc"];
/// Pieces that commands are made of. None defines a program's name anew: that could go on for ever.
const PIECES: &[&str] = &[
    "pa",
    "pa",
    "pb",
    "pb",
    "pc",
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    ";",
    "; ",
    " && ",
    " || ",
    " | ",
    " & ",
    "(",
    ")",
    "$(",
    "$(",
    ")",
    "`",
    "`",
    "'",
    "'",
    "\"",
    "\"",
    "\\",
    "$",
    "${x}",
    "${x:-pa}",
    "{ ",
    "; }",
    "<<E\n",
    "\nE\n",
    "<<'E'\n",
    "<<-E\n",
    "\t",
    "<(",
    "#",
    " #",
    "x=",
    "=",
    "if ",
    "; then ",
    "; fi",
    "for i in ",
    "; do ",
    "; done",
    "case x in ",
    "x) ",
    " ;; ",
    " esac",
    "f() ",
    "!",
    " ! ",
    "[[ ",
    " ]]",
    "$((",
    "))",
    "((",
    "*",
    "~",
    " 2>&1 ",
    " &>n ",
    ">n ",
    " >",
    "<",
    "$'",
    "\\'",
    "\\\n",
    "{pa,pb}",
    "-c ",
    "eval ",
    "command ",
    "exec ",
    "function f ",
    "in ",
    "alias pa=pb\n",
    "${x:=",
    "}",
    "1",
    "2>n",
    "time ",
    "\r",
    "é",
];

struct Bench {
    dir: tempfile::TempDir,
    runs: Cell<usize>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        for name in PROGRAMS {
            let file = dir.path().join("bin").join(name);
            let text = format!("#!/bin/sh\necho {name} >> \"$TAU_LOG\"\n");
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            dir,
            runs: Cell::new(0),
        }
    }

    /// The programs that ran.
    fn run(&self, shell: &Path, text: &str) -> BTreeSet<String> {
        // What the last command left running writes elsewhere.
        self.runs.set(self.runs.get() + 1);
        let log = self.dir.path().join(format!("log-{}", self.runs.get()));
        let folder = self.dir.path().join(format!("work-{}", self.runs.get()));
        fs::create_dir(&folder).unwrap();
        let mut child = Command::new(shell)
            .args(["-c", text])
            .current_dir(&folder)
            .env_clear()
            .env("PATH", self.dir.path().join("bin"))
            .env("TAU_LOG", &log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.wait().unwrap();
        let ran = fs::read_to_string(&log).unwrap_or_default();
        ran.lines().map(str::to_owned).collect()
    }
}

/// Numbers that are the same in every run: xorshift (Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn shells() -> Vec<PathBuf> {
    let known = ["/bin/sh", "/bin/bash", "/bin/dash"];
    let mut shells: Vec<PathBuf> = Vec::new();
    for shell in known.iter().map(Path::new).filter(|shell| shell.exists()) {
        let real = shell.canonicalize().unwrap();
        if !shells.contains(&real) {
            shells.push(real);
        }
    }
    shells
}

#[test]
fn every_program_that_a_shell_starts_was_read() {
    let bench = Bench::new();
    let shells = shells();
    let count: usize = std::env::var("TAU_SHELL_CASES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(300);
    let seed = std::env::var("TAU_SHELL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x7a75);
    let mut numbers = Numbers(seed);
    let (mut understood, mut started) = (0, 0);
    for _ in 0..count {
        // Commands that are understood are what is to be tried: others are drawn again.
        let (text, script) = loop {
            let length = 1 + numbers.below(14);
            let text: String = (0..length)
                .map(|_| PIECES[numbers.below(PIECES.len())])
                .collect();
            let script = Script::parse(&text);
            if script.unknown.is_none() && text.contains('p') {
                break (text, script);
            }
        };
        understood += 1;
        // Code that is not seen is told, not read.
        if script.calls.iter().any(|call| call.opaque.is_some()) {
            continue;
        }
        let read: BTreeSet<&str> = script.programs().into_iter().collect();
        for shell in &shells {
            let ran = bench.run(shell, &text);
            started += ran.len();
            for program in &ran {
                assert!(
                    read.contains(program.as_str()),
                    "{} started {program} in {text:?}, read was {read:?}",
                    shell.display()
                );
            }
        }
    }
    assert!(
        started > understood / 4,
        "only {started} programs were started by {understood} commands"
    );
}
