//! What receipts cost: signing each of 1,000 tool calls, and verifying all of them.
//!
//! The session runs in virtual time in a simulated home with its store in memory, signed and unsigned
//! by turns, so the difference is what receipts cost. Peer, in the same run: ed25519-dalek alone over
//! as many texts of the same length. Printed as a table, or as one JSON object with `--json`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde_json::json;
use tau_core::{
    journal::verify::{lines, verify},
    model::{Delta, StopReason},
    policy::{Policy, Preset},
    receipt::{LIMIT_BYTES, Receipt},
    safety::Labels,
    session::{Command, Config, Session},
    tool::{OnRestore, ToolClass, ToolOutput, ToolSpec},
};
use tau_kamn::{kel::KeyLog, keys::KeyTree, time::Timestamp};
use tau_platform::{
    Clock, TreeSigner, open, receipts,
    sim::{self, START, SimHost, SimTool, Step},
};

const TURNS: usize = 100;
const CALLS_A_TURN: u32 = 10;
const CALLS: usize = TURNS * CALLS_A_TURN as usize;
/// Runs of each kind; the fastest counts, as what else the machine does only adds.
const ROUNDS: usize = 7;

fn signer() -> TreeSigner {
    let tree = || KeyTree::from_seed(&[3; 32]);
    let created = Timestamp::from_unix_ms(START.0).expect("a time");
    let log = KeyLog::of_tree("tau", &tree(), created).expect("a log");
    TreeSigner::new(tree(), log).expect("its keys")
}

fn look() -> ToolSpec {
    ToolSpec {
        name: "look".into(),
        description: "Looks at a file.".into(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        class: ToolClass::Read,
        on_restore: OnRestore::Reissue,
        touches: Vec::new(),
        yields: Labels::WORKSPACE,
    }
}

/// Ten calls at once, then an answer.
fn script(home: &SimHost) {
    let mut deltas = Vec::new();
    for index in 0..CALLS_A_TURN {
        deltas.push(Delta::ToolCallStart {
            index,
            id: format!("c{index}"),
            name: "look".into(),
        });
        deltas.push(Delta::ToolCallArguments {
            index,
            fragment: json!({ "path": format!("src/part_{index}.rs") }).to_string(),
        });
    }
    deltas.push(Delta::Stop {
        reason: StopReason::ToolUse,
    });
    home.model().answer(deltas.into_iter().map(|delta| Step {
        after_ms: 0,
        delta: Ok(delta),
    }));
    home.model().say(0, &["All of them were looked at."]);
}

/// A session of 1,000 calls, and how long the agent took over it.
fn played(signs: bool) -> (SimHost, Session, Duration) {
    let mut home = SimHost::new();
    if signs {
        home = home.signing(signer());
    }
    let text = "fn part() -> u32 {\n    42\n}\n".repeat(8);
    home.tools().add(SimTool::new(look(), ToolOutput::ok(text)));
    let config = Config {
        tools: vec![look()],
        policy: Policy::preset(Preset::Permissive),
        ..sim::config()
    };
    let mut session = Session::new(config, [7; 32], home.clock().now());
    let mut took = Duration::ZERO;
    for _ in 0..TURNS {
        script(&home);
        let prompt = Command::Prompt {
            text: "Look at all of them.".into(),
            images: Vec::new(),
        };
        let begun = Instant::now();
        // A minute between turns, for the rate of calls.
        home.run(&mut session, [(61_000, prompt)]);
        took += begun.elapsed();
    }
    (home, session, took)
}

fn fastest(mut run: impl FnMut() -> Duration) -> Duration {
    let times = (0..ROUNDS).map(|_| run());
    times.min().unwrap_or_default()
}

struct Figures(Vec<(&'static str, f64, &'static str, Option<f64>)>);

impl Figures {
    fn add(&mut self, name: &'static str, value: f64, unit: &'static str, aim: Option<f64>) {
        self.0.push((name, value, unit, aim));
    }

    fn print(&self, as_json: bool) {
        if as_json {
            let all = self.0.iter().map(|(name, value, unit, aim)| {
                let figure = json!({"value": value, "unit": unit, "at_most": aim});
                ((*name).to_owned(), figure)
            });
            let all: serde_json::Map<_, _> = all.collect();
            println!("{}", serde_json::Value::Object(all));
            return;
        }
        for (name, value, unit, aim) in &self.0 {
            let aim = aim.map(|aim| {
                let met = if *value <= aim { "met" } else { "MISSED" };
                format!("   at most {aim} {unit}: {met}")
            });
            let aim = aim.unwrap_or_default();
            println!("{name:<58} {value:>10.2} {unit:<6}{aim}");
        }
    }
}

/// What signing adds to a call, and what is stored of it.
fn overhead(figures: &mut Figures) {
    let (mut plain, mut signed) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        plain = plain.min(played(false).2);
        signed = signed.min(played(true).2);
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / CALLS as f64;
    figures.add("a tool call, unsigned", micros(plain), "us", None);
    let added = micros(signed.saturating_sub(plain));
    figures.add("receipts, added to a tool call", added, "us", Some(100.0));
}

/// Verifying the session's export, and ed25519-dalek alone.
fn verifying(figures: &mut Figures) {
    let (home, session, _) = played(true);
    let (text, stored) = home.block_on(async {
        let storage = home.storage();
        let loaded = open::load(storage, session.id()).await.expect("a session");
        let signed = receipts::export(storage, session.id(), &loaded).await;
        let stored = receipts::of_session(storage, session.id()).await;
        let text = loaded.export_signed(&signed.expect("receipts"));
        (text, stored.expect("receipts"))
    });
    let sizes = || stored.iter().map(Vec::len);
    figures.add(
        "a receipt, stored, mean",
        sizes().sum::<usize>() as f64 / stored.len() as f64,
        "bytes",
        None,
    );
    figures.add(
        "a receipt, stored, largest",
        sizes().max().unwrap_or_default() as f64,
        "bytes",
        Some(LIMIT_BYTES as f64),
    );
    let took = fastest(|| {
        let begun = Instant::now();
        let verified = verify(lines(&text));
        let took = begun.elapsed();
        assert!(verified.ok, "{verified:?}");
        took
    });
    figures.add(
        "verifying a session of 1,000 tool calls",
        took.as_secs_f64() * 1e3,
        "ms",
        Some(200.0),
    );
    let a_second = |time: Duration| stored.len() as f64 / time.as_secs_f64();
    figures.add("receipts verified", a_second(took), "1/s", None);

    let key = SigningKey::from_bytes(&[3; 32]);
    let texts = stored.iter().map(|stored| {
        let (receipt, _) = Receipt::read(stored).expect("a receipt");
        receipt.to_signed()
    });
    let signed: Vec<_> = texts.map(|text| (key.sign(&text), text)).collect();
    let verifying: VerifyingKey = key.verifying_key();
    let alone = fastest(|| {
        let begun = Instant::now();
        for (signature, text) in &signed {
            assert!(verifying.verify_strict(text, signature).is_ok());
        }
        begun.elapsed()
    });
    figures.add("ed25519-dalek alone", a_second(alone), "1/s", None);
    figures.add(
        "its share of verifying",
        100.0 * alone.as_secs_f64() / took.as_secs_f64(),
        "%",
        None,
    );
}

fn main() {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let mut figures = Figures(Vec::new());
    overhead(&mut figures);
    verifying(&mut figures);
    figures.print(as_json);
}
