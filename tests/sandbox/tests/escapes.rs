//! Plays the attempts of `README.md`, each without a sandbox and within each sandbox there is.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not try"
)]

mod place;

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use place::{Place, SECRET};
use tau_target_bubblewrap::Bubblewrap;
use tau_target_process::{Confinement, Limits};

/// What a script prints when it got out.
const ESCAPED: &str = "ESCAPED";
/// What a script prints that has started something to outlive it.
const STARTED: &str = "STARTED";
/// How long such a thing waits before it writes its file, and some more.
const LATE: Duration = Duration::from_secs(6);
/// How long an attempt may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Small enough to be exceeded at once.
const LIMITS: Limits = Limits {
    memory_bytes: 128 << 20,
    processes: 50,
    file_bytes: 10 << 20,
    cpu_seconds: 1,
    scratch_bytes: 10 << 20,
};

/// One section of the list.
struct Attempt {
    name: String,
    /// What runs it, and its text.
    program: Vec<String>,
}

fn main() {
    // What a process was started with is what `/proc` shows of its environment.
    if env::var_os(place::VARIABLE).is_none() {
        let error = Command::new(env::current_exe().unwrap())
            .args(env::args_os().skip(1))
            .env(place::VARIABLE, SECRET)
            .exec();
        panic!("{error}");
    }
    let trials = attempts()
        .into_iter()
        .map(|attempt| Trial::test(attempt.name.clone(), move || play(&attempt)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The sections with a script.
fn attempts() -> Vec<Attempt> {
    let list = include_str!("../README.md");
    let prelude = include_str!("../prelude.py");
    let attempts: Vec<Attempt> = list
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let (name, rest) = section.split_once('\n').unwrap();
            let (_, block) = rest.split_once("```").unwrap();
            let (language, script) = block.split_once('\n').unwrap();
            let (script, _) = script.split_once("```").unwrap();
            let program = match language {
                "sh" => vec!["/bin/sh".into(), "-c".into(), script.to_owned()],
                "python" => {
                    let script = format!("{prelude}\n{script}");
                    vec!["/usr/bin/python3".into(), "-c".into(), script]
                }
                other => panic!("{name}: nothing runs {other}"),
            };
            let name = name.replace([' ', ','], "_").replace('/', "");
            Attempt { name, program }
        })
        .collect();
    assert!(attempts.len() >= 50);
    attempts
}

/// Descriptors are a process's own, so only one attempt is played in it at a time.
static ONE: Mutex<()> = Mutex::new(());

fn play(attempt: &Attempt) -> Result<(), Failed> {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    let mut command = Command::new(&attempt.program[0]);
    command
        .args(&attempt.program[1..])
        .current_dir(place.workspace())
        .envs(place.variables());
    let control = said(command, &place)?;
    if !control.contains(ESCAPED) {
        if place::is_root() {
            return Err(format!("the control did not get out:\n{control}").into());
        }
        eprintln!("this user cannot do it without a sandbox either");
    }

    let place = Place::new();
    let confinement = Confinement {
        workspace: place.workspace(),
        read_only: vec![place.protected()],
        hidden: Vec::new(),
        readable: Vec::new(),
        environment: place
            .variables()
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        limits: LIMITS,
    };
    let program: Vec<_> = attempt.program.iter().map(Into::into).collect();
    let confined = Bubblewrap::find()?.confine(&confinement, &program)?;
    let said = said(confined.command, &place)?;
    drop(confined.group);
    if said.contains(ESCAPED) || said.contains(SECRET) {
        return Err(format!("it got out:\n{said}").into());
    }
    place
        .check()
        .map_err(|changed| format!("{changed}:\n{said}"))?;
    Ok(())
}

/// What a command says; that it got out is added for what outlived it.
fn said(mut command: Command, place: &Place) -> Result<String, Failed> {
    let output = tempfile::tempfile()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .spawn()?;
    drop(command);
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err("it took too long".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    let mut said = read(output)?;
    if said.contains(STARTED) {
        let start = Instant::now();
        let is_late = |name| Path::exists(&place.workspace().join(name));
        while start.elapsed() < LATE {
            if is_late("late.txt") || is_late("later.txt") {
                said.push_str(ESCAPED);
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(said)
}

fn read(mut file: fs::File) -> Result<String, Failed> {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
