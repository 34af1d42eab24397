//! Plays the attempts of `README.md`, each without a sandbox and within each sandbox there is.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it could not try"
)]

mod place;

use std::{
    env,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use place::{Place, SECRET};
use tau_sandbox_tests::{Shared, readable};
use tau_target_bubblewrap::Bubblewrap;
use tau_target_docker::{Configuration, Docker};
use tau_target_process::{Confinement, Input, Job, Limits, Output, Running, Sandbox};

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
#[derive(Clone)]
struct Attempt {
    name: String,
    /// What runs it, and its text.
    program: Vec<String>,
}

/// What an attempt is played within.
#[derive(Clone, Copy)]
enum Kind {
    Bubblewrap,
    /// As an ordinary user, who owns the workspace.
    Docker,
    /// As root, where that was asked for.
    DockerAsRoot,
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
        .flat_map(|attempt| {
            [
                (Kind::Bubblewrap, "bubblewrap"),
                (Kind::Docker, "docker"),
                (Kind::DockerAsRoot, "docker_as_root"),
            ]
            .map(|(kind, name)| {
                let attempt = attempt.clone();
                let name = format!("{name}::{}", attempt.name);
                Trial::test(name, move || play(kind, &attempt))
            })
        })
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

fn play(kind: Kind, attempt: &Attempt) -> Result<(), Failed> {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // The engine is also something to be reached.
    let shared = Shared::get(
        Path::new(env!("CARGO_BIN_EXE_test-engine")),
        Path::new(env!("CARGO_TARGET_TMPDIR")),
    )?;
    let engine = &shared.engine;

    let place = Place::new(&engine.socket);
    let control = unconfined(attempt, &place)?;
    if !control.contains(ESCAPED) {
        if place::is_root() {
            return Err(format!("the control did not get out:\n{control}").into());
        }
        eprintln!("this user cannot do it without a sandbox either");
    }

    let place = Place::new(&engine.socket);
    // A multi-threaded one would start bwrap on a thread that may end before it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let said = runtime.block_on(async {
        match kind {
            Kind::Bubblewrap => {
                let sandbox = Bubblewrap::find()?;
                confined(&sandbox, attempt, &place, Vec::new()).await
            }
            Kind::Docker | Kind::DockerAsRoot => {
                let as_root = matches!(kind, Kind::DockerAsRoot);
                if !as_root {
                    place.give_away();
                }
                let configuration = Configuration {
                    socket: Some(engine.socket.to_string_lossy().into_owned()),
                    image: engine.image.clone(),
                    milli_cpus: 2_000,
                    as_root,
                };
                let sandbox = Docker::connect(configuration).await?;
                confined(&sandbox, attempt, &place, readable()).await
            }
        }
    })?;
    if said.contains(ESCAPED) || said.contains(SECRET) {
        return Err(format!("it got out:\n{said}").into());
    }
    place
        .check()
        .map_err(|changed| format!("{changed}:\n{said}"))?;
    Ok(())
}

/// What an attempt says without a sandbox; that it got out is added for what outlived it.
fn unconfined(attempt: &Attempt, place: &Place) -> Result<String, Failed> {
    let (reader, writer) = io::pipe()?;
    let mut child = Command::new(&attempt.program[0])
        .args(&attempt.program[1..])
        .current_dir(place.workspace())
        .envs(place.variables())
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()?;
    let said = thread::spawn(move || read(reader));
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err("without a sandbox it took too long".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    with_late(said.join().unwrap()?, place)
}

/// What an attempt says within a sandbox, and that it got out if something of it outlived its end.
async fn confined<S: Sandbox>(
    sandbox: &S,
    attempt: &Attempt,
    place: &Place,
    readable: Vec<std::path::PathBuf>,
) -> Result<String, Failed> {
    let (reader, writer) = io::pipe()?;
    let variables = place.variables().into_iter();
    let job = Job {
        program: attempt.program.iter().map(Into::into).collect(),
        confinement: Confinement {
            workspace: place.workspace(),
            read_only: vec![place.protected()],
            hidden: Vec::new(),
            readable,
            environment: variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            limits: LIMITS,
        },
        input: Input::Null,
        output: Output::Pipe(writer.try_clone()?),
        errors: Output::Pipe(writer),
    };
    let mut running = sandbox.start(job).await?;
    let said = thread::spawn(move || read(reader));
    let ended = tokio::time::timeout(LIMIT, running.wait()).await;
    let left = running.end().await.left;
    let said = said.join().unwrap()?;
    let exit = ended.map_err(|_| format!("it took too long:\n{said}"))??;
    if !left.is_empty() {
        return Err(format!("{left:?} would not end").into());
    }
    let code = exit.code();
    with_late(format!("{said}\nended with {code}"), place)
}

fn with_late(mut said: String, place: &Place) -> Result<String, Failed> {
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

fn read(mut from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
