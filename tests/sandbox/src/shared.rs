//! One engine for all tests of a run: each test may be a process of its own.
//!
//! Whoever comes first starts a process that starts the engine; everybody holds a file locked while
//! using it; when nobody has for a while, that process ends the engine, removes its folder and ends.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    fs::{File, TryLockError},
    hash::{Hash, Hasher},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Engine, PrivateEngine, foreign, image};

/// How long an engine that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
/// How long the engine and its image may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The right to use an engine, for as long as this value lives.
#[derive(Debug)]
pub struct Shared {
    /// The engine.
    pub engine: Engine,
    _user: Option<File>,
}

impl Shared {
    /// The engine that is there, or the one that the tests share. `supervisor` is the program of
    /// [`supervise`], `place` what tells one checkout from another.
    pub fn get(supervisor: &Path, place: &Path) -> io::Result<Self> {
        if let Some(socket) = foreign() {
            let image = image::import(&socket)?;
            return Ok(Self {
                engine: Engine { socket, image },
                _user: None,
            });
        }
        // Paths of sockets are short.
        let mut hasher = DefaultHasher::new();
        place.hash(&mut hasher);
        let folder = env::temp_dir().join(format!("tau-engine-{:x}", hasher.finish()));
        let files = Files::new(&folder);
        let gate = files.gate()?;
        if !files.is_running()? {
            let _ = fs::remove_file(&files.ready);
            Command::new(supervisor)
                .arg(&folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(&files.said)?)
                .process_group(0)
                .spawn()?;
        }
        let start = Instant::now();
        while !files.ready.exists() {
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other("the engine of the tests is not ready"));
            }
            // It says why and ends, if it cannot.
            let said = fs::read_to_string(&files.said)?;
            if !said.is_empty() {
                return Err(io::Error::other(said));
            }
            thread::sleep(PAUSE);
        }
        let user = File::options()
            .append(true)
            .create(true)
            .open(&files.users)?;
        user.lock_shared()?;
        drop(gate);
        Ok(Self {
            engine: Engine {
                socket: folder.join("engine/docker.sock"),
                image: fs::read_to_string(&files.ready)?,
            },
            _user: Some(user),
        })
    }
}

/// Runs the engine in `folder` until nobody uses it.
pub fn supervise(folder: &Path) -> io::Result<()> {
    let files = Files::new(folder);
    fs::create_dir_all(folder)?;
    let running = File::create(&files.running)?;
    running.lock()?;
    let place = folder.join("engine");
    if place.exists() {
        end_left_over(&place)?;
        fs::remove_dir_all(&place)?;
    }
    let engine = PrivateEngine::start(&place)?;
    let partial = files.ready.with_extension("partial");
    fs::write(&partial, engine.image()?)?;
    fs::rename(&partial, &files.ready)?;
    let mut used = Instant::now();
    loop {
        thread::sleep(PAUSE);
        // Whoever is about to use it holds the gate.
        let gate = files.gate()?;
        let users = File::options()
            .append(true)
            .create(true)
            .open(&files.users)?;
        match users.try_lock() {
            Ok(()) if used.elapsed() > IDLE => {
                fs::remove_file(&files.ready)?;
                drop(engine);
                fs::remove_dir_all(&place)?;
                drop(running);
                drop(gate);
                return Ok(());
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => used = Instant::now(),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Ends the engine of a supervisor that was killed.
fn end_left_over(place: &Path) -> io::Result<()> {
    let Ok(id) = fs::read_to_string(place.join("pid")) else {
        return Ok(());
    };
    let process = Path::new("/proc").join(id.trim());
    // The id may be another program's by now.
    let is_it = || {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*place.join("pid").to_string_lossy())
    };
    if let Some(id) = id.trim().parse().ok().and_then(Pid::from_raw)
        && is_it()
    {
        kill_process(id, Signal::TERM)?;
        let start = Instant::now();
        while is_it() && start.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

struct Files {
    gate: PathBuf,
    users: PathBuf,
    running: PathBuf,
    ready: PathBuf,
    said: PathBuf,
}

impl Files {
    fn new(folder: &Path) -> Self {
        let path = |name: &str| folder.join(name);
        Self {
            gate: path("gate"),
            users: path("users"),
            running: path("running"),
            ready: path("ready"),
            said: path("said"),
        }
    }

    fn gate(&self) -> io::Result<File> {
        if let Some(folder) = self.gate.parent() {
            fs::create_dir_all(folder)?;
        }
        let gate = File::create(&self.gate)?;
        gate.lock()?;
        Ok(gate)
    }

    /// Whether somebody supervises an engine, or is about to.
    fn is_running(&self) -> io::Result<bool> {
        match File::create(&self.running)?.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
