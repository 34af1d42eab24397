//! Many sessions at once against one Worker: how quick it is, and whether every answer arrives
//! whole and where it belongs.
//!
//! Each session asks for its own number and turn, and the provider answers with them, a few words
//! at a time. An answer that is not exactly the one asked for is mixed; a turn whose end does not
//! come is lost. At the end each session is read back and must hold all its turns.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tau_tests::wire::Piece;
use tokio::task::JoinSet;

use super::{Client, Do, Model, Worker, client::streamed};

/// Words of an answer; each is a piece of its own.
const WORDS: usize = 10;
/// Between two of them.
const PACE_MS: u64 = 20;

/// What came of it. Times are in ms.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Sessions at once.
    pub sessions: usize,
    /// Seconds in which turns were begun.
    pub seconds: u64,
    /// Turns that were answered as they should be.
    pub turns: usize,
    /// Turns whose end did not come.
    pub lost: usize,
    /// Answers that were not the one asked for.
    pub mixed: usize,
    /// Sessions that did not hold their turns afterwards.
    pub wrong_sessions: usize,
    /// Turns a second.
    pub turns_per_s: f64,
    /// From the request to the first event.
    pub first_event_ms: Spread,
    /// From the request to the first word.
    pub first_word_ms: Spread,
    /// From the request to the end of the turn; the provider alone takes
    /// [`Figures::provider_ms`] of it.
    pub turn_ms: Spread,
    /// What the provider takes for an answer.
    pub provider_ms: u64,
    /// The first things that went wrong.
    pub problems: Vec<String>,
}

impl Figures {
    /// Whether nothing was lost or mixed, and something was done.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.turns > 0 && self.lost + self.mixed + self.wrong_sessions == 0
    }
}

/// Middle and ends of a measurement.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// Half are quicker.
    pub p50: u64,
    /// One in twenty is slower.
    pub p95: u64,
    /// The slowest.
    pub max: u64,
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |share: usize| {
            let place = (values.len() * share / 100).min(values.len().saturating_sub(1));
            values.get(place).copied().unwrap_or_default()
        };
        Self {
            p50: at(50),
            p95: at(95),
            max: at(100),
        }
    }
}

#[derive(Default)]
struct Session {
    turns: usize,
    lost: usize,
    mixed: usize,
    is_wrong: bool,
    first_event: Vec<u64>,
    first_word: Vec<u64>,
    whole: Vec<u64>,
    problems: Vec<String>,
}

/// Runs `sessions` at once, each beginning turns for `seconds`.
pub async fn run(sessions: usize, seconds: u64) -> Result<Figures> {
    let model = Model::start(|asked, _| {
        let words = answer(&asked.last());
        let pieces = words.into_iter();
        Do::Stream(
            pieces
                .flat_map(|word| [Piece::Text(word), Piece::Wait(PACE_MS)])
                .collect(),
        )
    })
    .await?;
    let worker = Worker::start(&model).await?;
    let mut begun = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let client = worker.alice();
        let path = client.begin(&json!({})).await?;
        begun.push((client, path));
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for (number, (client, path)) in begun.into_iter().enumerate() {
        running.spawn(async move { ask(&client, &path, number, until).await });
    }
    let done = running.join_all().await;

    let mut figures = Figures {
        sessions,
        seconds,
        provider_ms: WORDS as u64 * PACE_MS,
        ..Figures::default()
    };
    let (mut first_event, mut first_word, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for session in done {
        figures.turns += session.turns;
        figures.lost += session.lost;
        figures.mixed += session.mixed;
        figures.wrong_sessions += usize::from(session.is_wrong);
        first_event.extend(session.first_event);
        first_word.extend(session.first_word);
        whole.extend(session.whole);
        figures.problems.extend(session.problems);
    }
    figures.problems.truncate(10);
    figures.turns_per_s = figures.turns as f64 / seconds.max(1) as f64;
    figures.first_event_ms = Spread::of(first_event);
    figures.first_word_ms = Spread::of(first_word);
    figures.turn_ms = Spread::of(whole);
    Ok(figures)
}

/// The answer to a prompt, word by word.
fn answer(prompt: &str) -> Vec<String> {
    (0..WORDS).map(|n| format!("{prompt}/{n} ")).collect()
}

async fn ask(client: &Client, path: &str, number: usize, until: Instant) -> Session {
    let mut session = Session::default();
    let mut asked = Vec::new();
    while Instant::now() < until {
        let prompt = format!("s{number}t{}", asked.len());
        let expected = answer(&prompt).concat();
        asked.push((prompt.clone(), expected.clone()));
        match turn(client, path, &prompt, &mut session).await {
            Ok(text) if text == expected => session.turns += 1,
            Ok(text) => {
                session.mixed += 1;
                session.problems.push(format!("{prompt} got {text:?}"));
            }
            Err(error) => {
                session.lost += 1;
                session.problems.push(format!("{prompt}: {error:#}"));
            }
        }
    }
    match client.get(path).await {
        Ok(view) => session.is_wrong = !holds(&view, &asked),
        Err(error) => {
            session.is_wrong = true;
            session.problems.push(format!("{path}: {error:#}"));
        }
    }
    session
}

/// One turn; the text that was streamed.
async fn turn(client: &Client, path: &str, prompt: &str, session: &mut Session) -> Result<String> {
    let start = Instant::now();
    let ms = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut events = client.prompt(path, prompt).await?;
    let mut seen = vec![events.next().await?.context("no event")?];
    session.first_event.push(ms());
    while let Some(event) = events.next().await? {
        if event.kind == "text_delta" && !seen.iter().any(|seen| seen.kind == "text_delta") {
            session.first_word.push(ms());
        }
        seen.push(event);
    }
    let end = seen.last().map(|event| &event.data["outcome"]["outcome"]);
    if end != Some(&json!("answered")) {
        anyhow::bail!("it ended with {end:?}");
    }
    session.whole.push(ms());
    Ok(streamed(&seen))
}

/// Whether a view has exactly these prompts and answers.
fn holds(view: &Value, asked: &[(String, String)]) -> bool {
    let entries = view["entries"].as_array().map_or(&[][..], Vec::as_slice);
    let texts: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["message"]["parts"][0]["text"].as_str())
        .collect();
    let expected: Vec<&str> = asked
        .iter()
        .flat_map(|(prompt, answer)| [prompt.as_str(), answer.as_str()])
        .collect();
    texts == expected
}
