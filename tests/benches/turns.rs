//! What the runtime itself costs: turns, forks, long sessions, many sessions.
//!
//! The model answers at once from inside the process, so what is measured is Tau. Peers, in the
//! same run: SQLite itself writing the same bytes, and a copy of the same conversation as JSON.
//! Printed as a table, or as one JSON object with `--json`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    alloc::System,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::stream;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tau_core::{
    ids::{EffectId, UnixMillis},
    model::{Api, Delta, ModelConfig, ModelRequest, Pricing, StopReason},
    policy::Policy,
    session::{
        Batch, Budgets, Command, Config, Event, GenerateError, HttpError, HttpHead, HttpRequest,
        Retry, Session,
    },
    tool::{ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{
    Body, Generation, Host, HostTools, Http, LocalModel, MemoryStorage, NoEmbedder, NoSigner,
    Shown, Storage, memory::Service,
};
use tau_target_native::{SqliteStorage, TokioClock};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A home with nothing but a store and a model that answers at once.
struct BenchHost<S> {
    clock: TokioClock,
    storage: S,
    memory: Memory<S>,
    nothing: Nothing,
}

/// Memory that is never asked.
type Memory<S> = Service<S, NoEmbedder, TokioClock>;

struct Nothing;

struct Answer(u8);

impl<S: Storage> Host for BenchHost<S> {
    type Clock = TokioClock;
    type Http = Nothing;
    type Storage = S;
    type Tools = Nothing;
    type Model = Nothing;
    type Memory = Memory<S>;
    type Signer = NoSigner;

    fn clock(&self) -> &TokioClock {
        &self.clock
    }
    fn http(&self) -> &Nothing {
        &self.nothing
    }
    fn storage(&self) -> &S {
        &self.storage
    }
    fn tools(&self) -> &Nothing {
        &self.nothing
    }
    fn model(&self) -> &Nothing {
        &self.nothing
    }
    fn memory(&self) -> &Memory<S> {
        &self.memory
    }
    fn signer(&self) -> Option<&NoSigner> {
        None
    }
}

impl Http for Nothing {
    type Body = Self;
    async fn send(&self, _: HttpRequest) -> Result<(HttpHead, Self), HttpError> {
        Err(HttpError::Request {
            detail: "no network here".into(),
        })
    }
}

impl Body for Nothing {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        Ok(None)
    }
}

impl HostTools for Nothing {
    fn specs(&self) -> Vec<ToolSpec> {
        Vec::new()
    }
    async fn run(&self, _: EffectId, _: ToolRun) -> ToolOutput {
        ToolOutput::error("no tools here")
    }
}

impl LocalModel for Nothing {
    type Generation = Answer;
    async fn generate(&self, _: ModelRequest) -> Result<Answer, GenerateError> {
        Ok(Answer(0))
    }
}

impl Generation for Answer {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        self.0 += 1;
        Ok(match self.0 {
            1 => Some(Delta::Text {
                text: "Certainly: forty-two.".into(),
            }),
            2 => Some(Delta::Stop {
                reason: StopReason::EndTurn,
            }),
            _ => None,
        })
    }
}

fn host<S: Storage + Clone>(storage: S) -> BenchHost<S> {
    BenchHost {
        clock: TokioClock,
        memory: Service::new(storage.clone(), NoEmbedder, TokioClock),
        storage,
        nothing: Nothing,
    }
}

fn config(context_tokens: u32) -> Config {
    Config {
        models: vec![Arc::new(ModelConfig {
            name: "instant".into(),
            api: Api::Embedded,
            base_url: String::new(),
            secret: None,
            context_tokens,
            max_output_tokens: 256,
            pricing: Pricing::default(),
            images: false,
            temperature_milli: None,
        })],
        system: tau_core::context::system_prompt("a benchmark"),
        identity: Vec::new(),
        tools: Vec::new(),
        policy: Policy::default(),
        budgets: Budgets::default(),
        retry: Retry::default(),
        compaction: false,
        undo_tool: false,
        memory: Some(tau_core::memory::Access::of_person()),
    }
}

fn seed(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

fn now() -> UnixMillis {
    use tau_platform::Clock;
    TokioClock.now()
}

/// One turn; the time from the prompt to the first delta, and to the end.
async fn turn<S: Storage>(host: &BenchHost<S>, session: &mut Session) -> (Duration, Duration) {
    let text = "What is six times seven? Answer in one sentence.".to_owned();
    let start = Instant::now();
    let mut first = None;
    let inbox = stream::iter([Command::Prompt {
        text,
        images: Vec::new(),
    }]);
    tau_platform::drive(host, session, inbox, |shown| {
        if let Shown::Event(Event::TextDelta { .. }) = shown {
            first.get_or_insert_with(|| start.elapsed());
        }
    })
    .await;
    (first.expect("the model answers"), start.elapsed())
}

async fn turns<S: Storage>(
    host: &BenchHost<S>,
    session: &mut Session,
    count: usize,
) -> Vec<(Duration, Duration)> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(turn(host, session).await);
    }
    times
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The value below which `share` of `values` lie.
fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

struct Figures(Vec<(&'static str, f64, &'static str, Option<f64>)>);

impl Figures {
    fn add(&mut self, name: &'static str, value: f64, unit: &'static str, aim: Option<f64>) {
        self.0.push((name, value, unit, aim));
    }

    fn print(&self, as_json: bool) {
        if as_json {
            let all: serde_json::Map<_, _> = self
                .0
                .iter()
                .map(|(name, value, unit, aim)| {
                    (
                        (*name).into(),
                        json!({"value": value, "unit": unit, "at_most": aim}),
                    )
                })
                .collect();
            println!("{}", serde_json::Value::Object(all));
            return;
        }
        for (name, value, unit, aim) in &self.0 {
            let aim = aim.map(|aim| {
                let met = if *value <= aim { "met" } else { "MISSED" };
                format!("   at most {aim} {unit}: {met}")
            });
            println!(
                "{name:<58} {value:>10.2} {unit:<6}{}",
                aim.unwrap_or_default()
            );
        }
    }
}

async fn warm_turns(figures: &mut Figures) {
    let host = host(MemoryStorage::new());
    let mut session = Session::new(config(128_000), seed(1), now());
    turns(&host, &mut session, 50).await;
    let times = turns(&host, &mut session, 500).await;
    let firsts = || times.iter().map(|(first, _)| micros(*first)).collect();
    figures.add(
        "warm turn, prompt to first delta, memory store, p50",
        percentile(firsts(), 0.5),
        "us",
        Some(75.0),
    );
    figures.add(
        "warm turn, prompt to first delta, memory store, p99",
        percentile(firsts(), 0.99),
        "us",
        None,
    );
    let whole = times.iter().map(|(_, whole)| micros(*whole)).collect();
    figures.add(
        "warm turn, whole, memory store, p50",
        percentile(whole, 0.5),
        "us",
        None,
    );
}

async fn cold_starts(figures: &mut Figures) {
    let mut times = Vec::new();
    for number in 0..300 {
        let start = Instant::now();
        let host = host(MemoryStorage::new());
        let mut session = Session::new(config(128_000), seed(number), now());
        let before = start.elapsed();
        let (first, _) = turn(&host, &mut session).await;
        times.push(micros(before + first));
    }
    figures.add(
        "cold: home and session built, to first delta, p50",
        percentile(times, 0.5),
        "us",
        Some(275.0),
    );
}

async fn forks(figures: &mut Figures) {
    let host = host(MemoryStorage::new());
    let mut session = Session::new(config(128_000), seed(2), now());
    turns(&host, &mut session, 500).await;
    assert_eq!(session.entries().len(), 1_000);
    let region = Region::new(ALLOCATOR);
    let fork = session.fork(seed(3), now()).expect("the session is idle");
    let change = region.change();
    let kept = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    drop(fork);
    figures.add(
        "fork of 1,000 entries, memory kept",
        kept / 1024.0,
        "KiB",
        Some(90.0),
    );
    let time = |work: &dyn Fn()| {
        let times = (0..500).map(|_| {
            let start = Instant::now();
            work();
            micros(start.elapsed())
        });
        percentile(times.collect(), 0.5)
    };
    let fork = time(&|| drop(black_box(session.fork(seed(3), now()))));
    figures.add("fork of 1,000 entries, p50", fork, "us", Some(250.0));
    let messages: Vec<_> = session
        .entries()
        .path()
        .iter()
        .map(|entry| entry.message.clone())
        .collect();
    let copy = time(&|| {
        let text = serde_json::to_vec(&messages).expect("messages serialise");
        let _: Vec<tau_core::message::Message> =
            black_box(serde_json::from_slice(&text).expect("and read back"));
    });
    figures.add(
        "fork against a copy as JSON (serde_json), ratio",
        fork / copy,
        "x",
        None,
    );
}

/// Median time of a turn around entry 10 and around entry 10,000.
async fn growth<S: Storage + Clone>(storage: S, context_tokens: u32) -> (f64, f64) {
    let host = host(storage);
    let mut session = Session::new(config(context_tokens), seed(4), now());
    let times = turns(&host, &mut session, 5_000).await;
    let median = |part: &[(Duration, Duration)]| {
        percentile(part.iter().map(|(_, whole)| micros(*whole)).collect(), 0.5)
    };
    (median(&times[5..205]), median(&times[4_800..]))
}

async fn long_sessions(figures: &mut Figures, folder: &std::path::Path) {
    let (early, late) = growth(MemoryStorage::new(), 8_192).await;
    figures.add(
        "turn at entry 10,000 against entry 10, memory store, ratio",
        late / early,
        "x",
        Some(1.5),
    );
    let sqlite = || SqliteStorage::open(&folder.join("long.db")).expect("a new store opens");
    let (early, late) = growth(sqlite(), 8_192).await;
    figures.add("turn at entry 10, SQLite, p50", early, "us", None);
    figures.add(
        "turn at entry 10,000 against entry 10, SQLite, ratio",
        late / early,
        "x",
        Some(1.5),
    );
    let plain = sqlite_itself(folder).await;
    figures.add(
        "turn with SQLite against two bare SQLite commits, ratio",
        late / plain,
        "x",
        None,
    );
}

/// The peer: two commits of a turn's size straight into the same kind of store.
async fn sqlite_itself(folder: &std::path::Path) -> f64 {
    let store = SqliteStorage::open(&folder.join("peer.db")).expect("a new store opens");
    let mut times = Vec::new();
    for turn in 0..200 {
        let start = Instant::now();
        for half in 0..2 {
            let put = vec![(format!("peer/{turn:06}/{half}"), vec![b'x'; 900])];
            store
                .commit(Batch {
                    put,
                    ..Batch::default()
                })
                .await
                .expect("the peer commits");
        }
        times.push(micros(start.elapsed()));
    }
    percentile(times, 0.5)
}

async fn many_sessions(figures: &mut Figures) {
    const SESSIONS: u64 = 1_000;
    let host = host(MemoryStorage::new());
    let region = Region::new(ALLOCATOR);
    let start = Instant::now();
    let running = (0..SESSIONS).map(|number| {
        let host = &host;
        async move {
            let mut session = Session::new(config(128_000), seed(number), now());
            turns(host, &mut session, 3).await;
            session
        }
    });
    let sessions = futures_util::future::join_all(running).await;
    let elapsed = start.elapsed();
    assert!(sessions.iter().all(|session| session.entries().len() == 6));
    let change = region.change();
    let kept = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    figures.add(
        "1,000 sessions at once, three turns each",
        elapsed.as_secs_f64() * 1e3,
        "ms",
        None,
    );
    figures.add(
        "1,000 sessions at once, memory a session, stored rows too",
        kept / 1024.0 / SESSIONS as f64,
        "KiB",
        None,
    );
}

fn main() {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let folder = tempfile::tempdir().expect("a folder for the stores");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let mut figures = Figures(Vec::new());
    runtime.block_on(async {
        warm_turns(&mut figures).await;
        cold_starts(&mut figures).await;
        forks(&mut figures).await;
        long_sessions(&mut figures, folder.path()).await;
        many_sessions(&mut figures).await;
    });
    figures.print(as_json);
}
