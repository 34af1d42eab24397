//! Two agents in two homes: a task paid for out of an escrow, what is said of it, who is asked next.

use serde_json::Value;
use std::{thread, time::Duration};

use crate::support::{Done, Server, Tau, say};

/// A home with an agent of its own.
struct Agent {
    tau: Tau,
    did: String,
}

impl Agent {
    fn new(label: &str) -> Self {
        let tau = Tau::new();
        let made = tau.tau(&["identity", "new", "--label", label, "--json"]);
        let did = text(&made.code(0).json(), "did").to_owned();
        Self { tau, did }
    }

    /// Learns who another is.
    fn meet(&self, other: &Self) {
        let log = other
            .tau
            .tau(&["identity", "export"])
            .code(0)
            .stdout
            .clone();
        self.with(&["identity", "import", "-"], &log).code(0);
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.tau.tau(arguments)
    }

    fn with(&self, arguments: &[&str], stdin: &str) -> Done {
        self.tau.tau_with(arguments, stdin.as_bytes())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).code(0).json()
    }

    /// Reserves so much for another; the escrow's name.
    fn reserve(&self, to: &Self, amount: &str, deadline: &str, more: &[&str]) -> String {
        let arguments = ["escrow", "open", "--to", &to.did, "--amount", amount];
        let arguments = [&arguments[..], &["--deadline", deadline], more].concat();
        self.run(&arguments).code(0).stdout.trim().to_owned()
    }

    /// Hands its ledger to another.
    fn show_ledger_to(&self, other: &Self) {
        let file = self.run(&["escrow", "export"]).code(0).stdout.clone();
        other.with(&["escrow", "import", "-"], &file).code(0);
    }

    /// The ledger sums to nothing and holds; what its accounts have.
    fn amounts(&self) -> Vec<(String, String)> {
        let checked = self.json(&["escrow", "ledger", "main", "--check"]);
        assert_eq!(checked["holds"], true, "{checked}");
        let ledger = &checked["ledgers"][0];
        for sums in list(&ledger["sums"]) {
            assert_eq!(sums["sums_to_zero"], true, "{sums}");
        }
        let amounts = list(&ledger["amounts"]).iter();
        amounts
            .map(|one| {
                (
                    text(one, "place").to_owned(),
                    text(one, "amount").to_owned(),
                )
            })
            .collect()
    }

    fn available(&self, to: &Self) -> Option<String> {
        let place = format!("available {}", to.did);
        let mut amounts = self.amounts().into_iter();
        amounts.find_map(|(at, amount)| (at == place).then_some(amount))
    }

    fn attest(&self, of: &Self, task: &str, outcome: &str, response: &str) -> String {
        let arguments = [
            "trust",
            "attest",
            &of.did,
            "--task",
            task,
            "--outcome",
            outcome,
        ];
        let arguments = [&arguments[..], &["--response", response]].concat();
        self.run(&arguments).code(0).stdout.clone()
    }

    fn score(&self, of: &Self) -> u64 {
        let shown = self.json(&["trust", "show", &of.did]);
        shown["score"].as_u64().expect("a score")
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn list(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no list"))
}

/// Two who know each other, and what the first can spend.
fn pair() -> (Agent, Agent) {
    let (alice, bob) = (Agent::new("alice"), Agent::new("bob"));
    alice.meet(&bob);
    bob.meet(&alice);
    alice.run(&["escrow", "deposit", "5000"]).code(0);
    (alice, bob)
}

#[test]
fn delegation_reserves_a_turn_is_settled_at_its_cost_and_the_ledger_sums_to_zero() {
    let (alice, bob) = pair();
    let server = Server::new([say("Four.")]);
    alice.tau.ask(&server, &["two and two?"]).code(0);
    let sessions = alice.json(&["session", "list"]);
    let session = text(&sessions["sessions"][0], "session").to_owned();

    let id = alice.reserve(&bob, "1000", "1h", &["--task", "sums"]);
    assert_eq!(alice.available(&alice).as_deref(), Some("4000"));
    let settled = alice.json(&["escrow", "settle", &id, "--session", &session]);
    assert_eq!(settled["turn"]["outcome"], "answered");
    assert_eq!(settled["waits_for"], bob.did.as_str());
    let cost = text(&settled, "to_payee").to_owned();
    let tokens = settled["turn"]["usage"]["input_tokens"].as_u64().unwrap()
        + settled["turn"]["usage"]["output_tokens"].as_u64().unwrap();
    assert_eq!(cost, tokens.to_string());
    assert_eq!(alice.available(&bob).as_deref(), Some(cost.as_str()));
    // The same once more pays nothing once more.
    let again = alice.json(&["escrow", "settle", &id, "--session", &session]);
    assert_eq!(
        (&again["recorded"], text(&again, "to_payee")),
        (&Value::from(0), cost.as_str())
    );

    // The rest is the payee's to give back: his home signs, hers records, once.
    alice.show_ledger_to(&bob);
    let back = bob.run(&["escrow", "refund", &id]);
    back.code(0).tells("signed; ");
    alice.with(&["escrow", "import", "-"], &back.stdout).code(0);
    alice
        .with(&["escrow", "import", "-"], &back.stdout)
        .code(0)
        .tells("nothing moved again");
    let shown = alice.json(&["escrow", "show", &id]);
    assert_eq!(
        (text(&shown, "state"), text(&shown, "remaining")),
        ("refunded", "0")
    );
    let rest: u64 = 5000 - tokens;
    assert_eq!(alice.available(&alice), Some(rest.to_string()));
    // A ledger that was changed on the way is not taken.
    let file = alice.run(&["escrow", "export"]).code(0).stdout.clone();
    let changed = file.replace("\"amount\":\"5000\"", "\"amount\":\"9000\"");
    assert_ne!(changed, file);
    bob.with(&["escrow", "import", "-"], &changed)
        .code(10)
        .tells("signature_invalid");
}

#[test]
fn failure_and_the_deadline_refund_and_what_nobody_may_ask_is_refused() {
    let (alice, bob) = pair();
    let failed = alice.reserve(&bob, "300", "1h", &[]);
    alice.show_ledger_to(&bob);
    let settled = bob.json(&["escrow", "settle", &failed, "--failed"]);
    let command = settled["commands"][0].to_string();
    alice.with(&["escrow", "import", "-"], &command).code(0);
    assert_eq!(alice.available(&alice).as_deref(), Some("5000"));

    let late = alice.reserve(&bob, "300", "1s", &[]);
    bob.run(&["escrow", "release", &late]).code(2);
    alice.show_ledger_to(&bob);
    bob.run(&["escrow", "release", &late])
        .code(2)
        .tells("may not release");
    thread::sleep(Duration::from_millis(1_100));
    alice
        .run(&["escrow", "settle", &late, "--timed-out"])
        .code(0);
    assert_eq!(alice.available(&alice).as_deref(), Some("5000"));
    let too_much = [
        "escrow",
        "open",
        "--to",
        &bob.did,
        "--amount",
        "5001",
        "--deadline",
        "1h",
    ];
    alice.run(&too_much).code(2).tells("insufficient_funds");
    let stranger = Agent::new("eve");
    let unknown = [
        "escrow",
        "open",
        "--to",
        &stranger.did,
        "--amount",
        "1",
        "--deadline",
        "1h",
    ];
    alice.run(&unknown).code(77).tells("trust_below_gate");

    // A dispute stops everything until both agree.
    let id = alice.reserve(&bob, "100", "1h", &[]);
    alice
        .run(&["escrow", "dispute", &id, "--reason", "late"])
        .code(0);
    alice.run(&["escrow", "release", &id]).code(2);
    alice.show_ledger_to(&bob);
    let half = alice.run(&[
        "escrow",
        "resolve",
        &id,
        "--to-payee",
        "40",
        "--to-payer",
        "60",
    ]);
    alice.with(&["escrow", "import", "-"], &half.stdout).code(2);
    let whole = bob.with(&["escrow", "agree", "-"], &half.code(0).stdout);
    alice
        .with(&["escrow", "import", "-"], &whole.code(0).stdout)
        .code(0);
    assert_eq!(alice.available(&bob).as_deref(), Some("40"));
    assert_eq!(alice.available(&alice).as_deref(), Some("4960"));
}

#[test]
fn routing_prefers_the_more_trusted_and_below_the_threshold_nobody_is_asked() {
    let (alice, bob) = pair();
    let carol = Agent::new("carol");
    alice.meet(&carol);
    let tasks = [
        (&bob, "completed", "900ms"),
        (&bob, "completed", "2s"),
        (&carol, "failed", "20s"),
    ];
    let mut said = String::new();
    for (of, outcome, response) in tasks {
        let id = alice.reserve(of, "10", "1h", &[]);
        said = alice.attest(of, &id, outcome, response);
    }
    let (good, bad) = (alice.score(&bob), alice.score(&carol));
    assert!(good > 600 && bad < 500, "{good} and {bad}");

    let both = ["--among", &bob.did, "--among", &carol.did];
    let routed = alice.json(&[&["trust", "route", "--threshold", "100"][..], &both].concat());
    assert_eq!(routed["chosen"], bob.did.as_str());
    assert_eq!(list(&routed["order"]).len(), 2);
    let routed = alice.json(&[&["trust", "route", "--threshold", "600"][..], &both].concat());
    assert_eq!(list(&routed["order"]).len(), 1);
    alice
        .run(&[&["trust", "route", "--threshold", "900"][..], &both].concat())
        .code(77)
        .tells("no_trusted_route")
        .tells(&format!("its score is {bad}, 900 is the least"));

    // Everybody comes to the same score, from the export alone; a forged word changes none.
    let export = alice.run(&["trust", "export"]).code(0).stdout.clone();
    let alone = carol.with(
        &["trust", "show", &bob.did, "--from", "-", "--json"],
        &export,
    );
    assert_eq!(alone.code(0).json()["score"], good);
    let forged = said.replace("task_failed", "task_completed");
    carol.with(&["trust", "import", "-"], &export).code(0);
    assert_eq!(carol.score(&bob), good);
    carol.with(&["trust", "import", "-"], &forged).code(10);
    assert_eq!(carol.score(&carol), bad);
    carol.with(&["trust", "import", "-"], &said).code(0);
    alice
        .run(&["trust", "attest", &bob.did, "--endorse", "quick"])
        .code(0);
    alice
        .run(&["trust", "attest", &alice.did, "--endorse", "me"])
        .code(2);
}
