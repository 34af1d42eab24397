//! The process that kills, and what it counts.

use std::{
    env,
    fmt::Display,
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};
use tau_core::session::Range;
use tau_platform::Storage;
use tau_target_native::SqliteStorage;
use tempfile::TempDir;

use crate::{
    Rows,
    child::{BEGINS, DONE, FROM, TO, WRITES},
};

/// Kills of each kind, where nobody says otherwise: a hundred of each of five.
const KILLS: u32 = 100;
/// After so many kills the whole file is read for damage.
const CHECKED_EACH: u32 = 20;

/// What a store may be after a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// As it was before.
    Nothing,
    /// As it is on the way, which is told apart from being done.
    Begun,
    /// As it is afterwards.
    Everything,
}

/// One kind of work and the places it is killed in.
pub(crate) struct Kind<'a> {
    /// What the table calls it.
    pub(crate) name: &'a str,
    /// The test that is the child.
    pub(crate) role: &'a str,
    /// The file that it reads.
    pub(crate) from: &'a Path,
    /// What the store it writes to holds before.
    pub(crate) before: &'a Rows,
}

impl Kind<'_> {
    /// Kills it in as many places, and has `look` say what is left each time. What was killed goes
    /// on with what it left, until it is done.
    pub(crate) async fn suffer(&self, look: impl Fn(&Rows) -> Found) {
        let kills = number("TAU_TEST_KILLS", KILLS);
        let mut state = number("TAU_TEST_SEED", 6_u64);
        let folder = TempDir::new().expect("a folder");
        let template = folder.path().join("template.db");
        fill(&template, self.before).await;
        let (mut nothing, mut begun, mut everything, mut acknowledged) = (0, 0, 0, 0);
        let mut spans = Spans::default();
        let mut file = PathBuf::new();
        for kill in 0..kills {
            if file.as_os_str().is_empty() {
                file = folder.path().join(format!("{kill}.db"));
                std::fs::copy(&template, &file).expect("a copy");
            }
            let mut running = Running::start(self, &file);
            // Half of them from the first write on, where most can go wrong.
            let (after, span) = match kill % 2 {
                0 => (BEGINS, spans.whole),
                _ => (WRITES, spans.writing),
            };
            match spans.are_known(kill) {
                true if running.hears(after) => {
                    // A little more than it takes, so that some are through.
                    let share = random(&mut state) % 1_150;
                    thread::sleep(span * u32::try_from(share).expect("small") / 1_000);
                }
                true => {}
                false => spans.measure(&mut running),
            }
            let is_done = running.kill();
            acknowledged += u32::from(is_done);
            let store = SqliteStorage::open(&file).expect("the store opens after a kill");
            let found = look(&rows(&store).await);
            match found {
                Found::Nothing => nothing += 1,
                Found::Begun => begun += 1,
                Found::Everything => everything += 1,
            }
            assert!(
                !is_done || found == Found::Everything,
                "{}, kill {kill}: it was done, and {found:?} is there",
                self.name
            );
            if kill % CHECKED_EACH == 0 || kill + 1 == kills {
                let damage = store.integrity_check().await;
                assert_eq!(damage, Ok(Vec::new()), "{}, kill {kill}", self.name);
            }
            drop(store);
            if found == Found::Everything {
                remove(&file);
                file = PathBuf::new();
            }
        }
        say_row(self.name, [kills, nothing, begun, everything, acknowledged]);
        assert!(
            nothing > 0 && everything > acknowledged.min(1),
            "{}: all kills fell on one side",
            self.name
        );
    }
}

/// A line of the table that `--nocapture` shows.
#[expect(clippy::print_stdout, reason = "`cargo xtask kills` reads it there")]
fn say_row(name: &str, [kills, nothing, begun, everything, acknowledged]: [u32; 5]) {
    println!(
        "{name:<16} {kills:>5} kills: {nothing:>4} left nothing, {begun:>4} a beginning, \
         {everything:>4} all of it ({acknowledged} of those had said so)"
    );
}

/// How long it takes, as far as that is known.
#[derive(Default)]
struct Spans {
    whole: Duration,
    writing: Duration,
    measured: u32,
}

impl Spans {
    /// Runs that are measured, and killed when they are done.
    const MEASURED: u32 = 4;

    fn are_known(&self, kill: u32) -> bool {
        self.measured >= Self::MEASURED || kill >= Self::MEASURED
    }

    /// Listens to its end. The shortest one is least disturbed by whatever else this machine does.
    fn measure(&mut self, running: &mut Running) {
        assert!(running.hears(BEGINS), "it begins");
        let began = Instant::now();
        assert!(running.hears(WRITES), "it writes");
        let wrote = Instant::now();
        assert!(running.hears(DONE), "it is done");
        let shorter = |old: Duration, new: Duration| match self.measured {
            0 => new,
            _ => old.min(new),
        };
        self.whole = shorter(self.whole, began.elapsed());
        self.writing = shorter(self.writing, wrote.elapsed());
        self.measured += 1;
    }
}

/// A child, and what it says.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    is_done: bool,
}

impl Running {
    fn start(kind: &Kind<'_>, to: &Path) -> Self {
        let program = env::current_exe().expect("a path of this test");
        let mut child = Command::new(program)
            .args(["--exact", kind.role, "--nocapture"])
            .env(TO, to)
            .env(FROM, kind.from)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self {
            child,
            lines,
            is_done: false,
        }
    }

    /// Waits for `line`. `false` when it ended without.
    fn hears(&mut self, line: &str) -> bool {
        for said in self.lines.by_ref() {
            let Ok(said) = said else { return false };
            self.is_done |= said == DONE;
            if said == line {
                return true;
            }
        }
        false
    }

    /// Kills it; whether it had said that it was done. A child never ends by itself.
    fn kill(mut self) -> bool {
        self.child.kill().expect("a kill");
        let status = self.child.wait().expect("its end");
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "it ended by itself: {status}");
        self.hears("its last words were read");
        self.is_done
    }
}

/// Everything in a store.
pub(crate) async fn rows(store: &impl Storage) -> Rows {
    let all = Range {
        start: String::new(),
        end: "\u{7f}".into(),
        limit: u32::MAX,
    };
    store.scan(all).await.expect("the rows")
}

/// A file that holds `rows`, and nothing beside it.
pub(crate) async fn fill(path: &Path, rows: &Rows) {
    let store = SqliteStorage::open(path).expect("a store");
    let batch = tau_core::session::Batch {
        put: rows.clone(),
        ..Default::default()
    };
    store.commit(batch).await.expect("a commit");
    drop(store);
    let beside = path.with_extension("db-wal");
    let size = std::fs::metadata(&beside).map_or(0, |file| file.len());
    assert_eq!(size, 0, "{} holds a part of it", beside.display());
}

fn remove(file: &Path) {
    for extension in ["db", "db-wal", "db-shm"] {
        // Not all of them are there.
        let _ = std::fs::remove_file(file.with_extension(extension));
    }
}

/// A number from the environment.
fn number<T: FromStr + Display>(name: &str, otherwise: T) -> T {
    let Ok(text) = env::var(name) else {
        return otherwise;
    };
    match text.parse() {
        Ok(number) => number,
        Err(_) => panic!("{name} is {text:?}, which is no number"),
    }
}

/// Numbers without pattern, the same every time.
fn random(state: &mut u64) -> u64 {
    // Knuth, MMIX.
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}
