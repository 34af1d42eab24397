use alloc::{format, string::String, vec, vec::Vec};
use serde_json::json;
use tau_kamn::{
    kel::{Change, KeyLog},
    keys::KeyTree,
    time::Timestamp,
};

use super::{
    verify::{Logs, Place, check},
    *,
};
use crate::{
    ids::{CallId, EffectId},
    journal::{Body, Chain, FinishedBy, sections, verify::verify},
    message::{Message, Part, Role, ToolCall, ToolResult, ToolStatus},
    model::Usage,
    session::{
        Journal,
        tests::{
            durability::{busy, play},
            harness::{Home, Reply},
        },
    },
    tool::{Ran, ToolOutput},
};

/// Before every record of [`busy`].
const BEGUN_MS: u64 = 900_000;

fn time(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

struct Agent {
    tree: KeyTree,
    log: KeyLog,
    /// What it signs with.
    number: u32,
}

impl Agent {
    fn new() -> Self {
        let tree = KeyTree::from_seed(&[3; 32]);
        let log = KeyLog::of_tree("tau", &tree, time(BEGUN_MS)).unwrap();
        Self {
            tree,
            log,
            number: 1,
        }
    }

    fn change(&mut self, at_ms: u64, change: Change) {
        let number = self.log.unchecked_state().identity_number();
        let event = self.log.next(time(at_ms), change);
        let event = event.signed_by(&self.tree.identity(number));
        self.log.append(event).unwrap();
    }

    fn rotate(&mut self, at_ms: u64) {
        self.number += 1;
        let signing = Some(self.tree.signing(self.number).public_key());
        let agreement = None;
        self.change(at_ms, Change::Rotate { signing, agreement });
    }

    fn revoke(&mut self, number: u32, since_ms: u64, at_ms: u64) {
        let did = self.log.unchecked_state().did().as_kamn();
        let change = Change::RevokeKey {
            key_id: format!("{did}#keys-{number}"),
            reason: "lost".into(),
            compromised_since_ms: Integer::try_from(since_ms).unwrap(),
        };
        self.change(at_ms, change);
    }

    fn logs(&self) -> Logs {
        let mut logs = Logs::default();
        logs.add(self.log.clone());
        logs
    }
}

/// Receipts of a journal as they are stored, one after another, as they would have been written.
#[derive(Default)]
struct Writer {
    tracker: Tracker,
    head: Head,
    stored: Vec<Vec<u8>>,
}

impl Writer {
    fn take(&mut self, session: &SessionId, records: &[Vec<u8>], agent: &Agent) {
        for line in records {
            if let Some(fact) = self.tracker.take(line).unwrap().fact {
                let state = agent.log.state().unwrap();
                let receipt = self.head.receipt(session, fact, state).unwrap();
                let signature = agent.tree.signing(agent.number).sign(&receipt.to_signed());
                let stored = receipt.stored(&signature);
                self.head.follow(&stored, self.tracker.from());
                self.stored.push(stored);
            }
        }
    }
}

fn facts(journal: &Journal) -> Vec<Fact> {
    let mut tracker = Tracker::default();
    let facts = journal
        .iter()
        .filter_map(|line| tracker.take(line).unwrap().fact);
    facts.collect()
}

fn played() -> (SessionId, Journal) {
    let mut home: Home = busy();
    play(&mut home);
    (home.session.id().clone(), home.journal())
}

fn signed() -> (Agent, SessionId, Journal, Vec<Vec<u8>>) {
    let (session, journal) = played();
    let agent = Agent::new();
    let mut writer = Writer::default();
    writer.take(&session, &journal, &agent);
    (agent, session, journal, writer.stored)
}

fn checked(
    session: &SessionId,
    journal: &Journal,
    receipts: &[Vec<u8>],
    logs: &Logs,
) -> Result<verify::Signatures, verify::Wrong> {
    let receipts = receipts.iter().map(Vec::as_slice);
    check(session, facts(journal).iter(), receipts, logs)
}

fn place(
    session: &SessionId,
    journal: &Journal,
    receipts: &[Vec<u8>],
    logs: &Logs,
) -> Option<Place> {
    checked(session, journal, receipts, logs)
        .err()
        .map(|wrong| wrong.place)
}

fn export(agent: &Agent, journal: &Journal, receipts: &[Vec<u8>]) -> Vec<u8> {
    let mut lines = vec![log_line(&agent.log)];
    lines.extend(receipts.iter().map(|receipt| receipt_line(receipt)));
    sections::signed_section(&[], journal, &crate::journal::Blobs::default(), &lines)
}

fn verify_text(text: &[u8]) -> crate::journal::verify::Verified {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    verify(body.split(|byte| *byte == b'\n'))
}

#[test]
fn every_call_approval_and_model_call_has_a_receipt_that_says_what_happened() {
    let (agent, session, journal, receipts) = signed();
    let found = checked(&session, &journal, &receipts, &agent.logs()).unwrap();
    assert_eq!(found.receipts, receipts.len() as u64);
    assert_eq!(found.unsigned, 0);
    assert_eq!(found.by, [agent.log.unchecked_state().did().as_kamn()]);
    let told: Vec<String> = receipts
        .iter()
        .map(|stored| {
            let fact = Receipt::read(stored).unwrap().0.fact;
            format!("{} {}: {}", fact.kind.name(), fact.what, fact.decision)
        })
        .collect();
    assert_eq!(
        told,
        [
            "model first: failed",
            "model first: ",
            "tool nope: refused by dispatcher",
            "tool read: read = allow (balanced)",
            "approval shell: session",
            "tool shell: approved: shell",
            "model first: ",
            "tool remember: remember = allow (balanced)",
            "tool recall: read = allow (balanced)",
            "model first: ",
            "model summary: ",
            "model first: ",
            "model first: cut off",
        ]
    );
}

#[test]
fn a_receipt_reads_back_and_has_one_text() {
    let (_, _, _, receipts) = signed();
    for stored in &receipts {
        let (receipt, signature) = Receipt::read(stored).unwrap();
        assert_eq!(&receipt.stored(&signature), stored);
    }
    let text = String::from_utf8(receipts[0].clone()).unwrap();
    let spaced = text.replacen(':', ": ", 1);
    let error = Receipt::read(spaced.as_bytes()).unwrap_err();
    assert_eq!(error.reason_code(), "receipt_not_canonical");
    let newer = text.replace("\"v\":1", "\"v\":2");
    let error = Receipt::read(newer.as_bytes()).unwrap_err();
    assert_eq!(error.reason_code(), "receipt_version_unsupported");
}

#[test]
fn the_largest_receipt_keeps_the_limit() {
    let tree = KeyTree::from_seed(&[1; 32]);
    let agent = tree.identity(0);
    let label = "a".repeat(50);
    let did = tau_kamn::AgentDid::new(&label, &agent.public_key()).unwrap();
    let most = 1 << 40;
    for (what, decision) in [
        ("\"".repeat(500), "\\\u{1}é".repeat(500)),
        ("é".repeat(500), "x".repeat(900)),
    ] {
        let receipt = Receipt {
            session: SessionId("0123456789abcdef".into()),
            n: most,
            at: UnixMillis(most * 2),
            fact: Fact {
                kind: Kind::Approval,
                seq: most,
                record: [255; 32],
                at: UnixMillis(most),
                what,
                module: Some([255; 32]),
                args: Some([255; 32]),
                result: Some([255; 32]),
                fuel: Some(u64::MAX),
                decision,
                taint: Labels {
                    private: true,
                    untrusted: true,
                    external: true,
                },
            },
            prev: Some([255; 32]),
            key: format!("{did}#keys-1024"),
        };
        let stored = receipt.stored(&agent.sign(b""));
        assert!(stored.len() <= LIMIT_BYTES, "{} bytes", stored.len());
        Receipt::read(&stored).unwrap();
    }
    let (_, _, _, receipts) = signed();
    let sizes = receipts.iter().map(Vec::len);
    assert!(
        sizes.clone().all(|size| (400..600).contains(&size)),
        "{:?}",
        sizes.collect::<Vec<_>>()
    );
}

#[test]
fn an_export_names_the_line_of_any_byte_that_is_changed() {
    let mut home = Home::new([Reply::Calls(vec![("read", json!({}))]), Reply::Text("done")]);
    home.prompt("go").tool("read", "contents");
    let journal = home.journal();
    let agent = Agent::new();
    let mut writer = Writer::default();
    writer.take(home.session.id(), &journal, &agent);
    let receipts = writer.stored;
    let text = export(&agent, &journal, &receipts);
    let verified = verify_text(&text);
    assert!(verified.ok, "{verified:?}");
    let signatures = verified.signatures.unwrap();
    assert_eq!(signatures.receipts, receipts.len() as u64);
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    let mut line = 1;
    for place in 0..text.len() {
        let mut changed = text.clone();
        // Another bit each time; the end of a line changes two lines, of which the first is named.
        changed[place] ^= 1 << (place % 7);
        let verified = verify_text(&changed);
        let named = verified.first_bad.map(|bad| bad.line);
        // The end's hash and the last record contradict each other, whichever was changed.
        let is_end = line == lines && named == Some(1 + journal.len() as u64);
        assert!(
            named == Some(line) || is_end,
            "byte {place} of line {line}: {named:?}"
        );
        if text[place] == b'\n' {
            line += 1;
        }
    }
}

#[test]
fn who_rewrites_the_whole_chain_is_found_by_the_receipts() {
    let (agent, session, journal, receipts) = signed();
    let mut chain = Chain::default();
    let mut changed = 0;
    let forged: Journal = journal
        .iter()
        .map(|line| {
            let mut record = crate::journal::Record::read(line).unwrap();
            if let Body::ToolFinished { result, .. } = &mut record.body
                && result.name == "shell"
            {
                result.text = "did nothing".into();
                changed = record.seq;
            }
            chain.append(record.body, record.at).1
        })
        .collect();
    assert!(changed > 0);
    let text = export(&agent, &forged, &receipts);
    let verified = verify_text(&text);
    let bad = verified.first_bad.unwrap();
    assert_eq!(bad.line, 2 + changed, "{}", bad.why);
    let at = place(&session, &forged, &receipts, &agent.logs());
    assert_eq!(at, Some(Place::Record(changed)));
}

#[test]
fn a_receipt_left_out_moved_or_repeated_is_found() {
    let (agent, session, journal, receipts) = signed();
    let at = |receipts: &[Vec<u8>]| place(&session, &journal, receipts, &agent.logs());
    let mut cut = receipts.clone();
    cut.remove(4);
    assert_eq!(at(&cut), Some(Place::Receipt(4)));
    let mut swapped = receipts.clone();
    swapped.swap(2, 3);
    assert_eq!(at(&swapped), Some(Place::Receipt(2)));
    let mut again = receipts.clone();
    again.push(receipts[0].clone());
    assert_eq!(at(&again), Some(Place::Receipt(receipts.len() as u64)));
    let last = facts(&journal).last().unwrap().seq;
    let short = &receipts[..receipts.len() - 1];
    assert_eq!(at(short), Some(Place::Record(last)));
    assert_eq!(at(&receipts[1..]), Some(Place::Receipt(0)));
    assert_eq!(at(&[]), None, "a journal without any is told as unsigned");
}

#[test]
fn a_journal_older_than_its_first_receipt_is_signed_from_there_on() {
    let (session, journal) = played();
    let agent = Agent::new();
    let (old, new) = journal.split_at(journal.len() / 2);
    let mut writer = Writer::default();
    for line in old {
        writer.tracker.take(line).unwrap();
    }
    writer.take(&session, new, &agent);
    let found = checked(&session, &journal, &writer.stored, &agent.logs()).unwrap();
    assert!(found.unsigned > 0 && found.receipts > 0);
    let all = facts(&journal).len() as u64;
    assert_eq!(found.unsigned + found.receipts, all);
}

#[test]
fn a_key_rotated_in_the_middle_signs_what_came_after() {
    let (session, journal) = played();
    let mut agent = Agent::new();
    let (first, rest) = journal.split_at(journal.len() / 2);
    let mut writer = Writer::default();
    writer.take(&session, first, &agent);
    let begun = writer.stored.len();
    // Later than the record that is signed with it first was dated.
    agent.rotate(1_900_000);
    writer.take(&session, rest, &agent);
    let found = checked(&session, &journal, &writer.stored, &agent.logs()).unwrap();
    assert_eq!(found.receipts, writer.stored.len() as u64);
    let (younger, _) = Receipt::read(&writer.stored[begun]).unwrap();
    assert_eq!(younger.at, UnixMillis(1_900_000));
    // The key before it signs nothing that is dated after.
    let mut late = writer.stored[begun].clone();
    let (mut receipt, _) = Receipt::read(&late).unwrap();
    receipt.key = receipt.key.replace("keys-2", "keys-1");
    late = receipt.stored(&agent.tree.signing(1).sign(&receipt.to_signed()));
    writer.stored[begun] = late;
    let wrong = checked(&session, &journal, &writer.stored, &agent.logs()).unwrap_err();
    assert_eq!(wrong.place, Place::Receipt(begun as u64), "{}", wrong.why);
}

#[test]
fn receipts_of_a_revoked_key_are_told_apart_and_believed_only_from_before() {
    let (mut agent, session, journal, receipts) = signed();
    agent.revoke(1, 2_000_000, 2_500_000);
    let found = checked(&session, &journal, &receipts, &agent.logs()).unwrap();
    assert_eq!(found.revoked, found.receipts);

    let (mut agent, session, journal, receipts) = signed();
    agent.revoke(1, BEGUN_MS + 1, 2_500_000);
    let at = place(&session, &journal, &receipts, &agent.logs());
    assert_eq!(at, Some(Place::Receipt(0)));
}

#[test]
fn another_agents_receipts_pass_for_nobody_elses() {
    let (agent, session, journal, receipts) = signed();
    let tree = KeyTree::from_seed(&[9; 32]);
    let log = KeyLog::of_tree("tau", &tree, time(BEGUN_MS)).unwrap();
    let other = Agent {
        tree,
        log,
        number: 1,
    };
    let at = place(&session, &journal, &receipts, &other.logs());
    assert_eq!(at, Some(Place::Receipt(0)), "its key event log is missing");
    // Signed by the other, under the name of the first.
    let (receipt, _) = Receipt::read(&receipts[0]).unwrap();
    let forged = receipt.stored(&other.tree.signing(1).sign(&receipt.to_signed()));
    let mut receipts = receipts;
    receipts[0] = forged;
    let at = place(&session, &journal, &receipts, &agent.logs());
    assert_eq!(at, Some(Place::Receipt(0)));
}

/// A session in which a module ran and said `text`, after `work` units.
fn of_module(text: &str, work: u64) -> Journal {
    let mut home = Home::new([Reply::Text("hello")]);
    home.prompt("go");
    let created = crate::journal::Record::read(&home.journal()[0]).unwrap();
    let call_id = CallId("c".into());
    let call = ToolCall {
        id: call_id.clone(),
        name: "read".into(),
        arguments: json!({"b": 1, "a": [1.5, "é"]}),
    };
    let answer = Body::Answer {
        entry: crate::ids::EntryId("e".into()),
        parent: None,
        message: Message {
            role: Role::Assistant,
            parts: vec![Part::ToolCall(call)],
        },
        model: "m".into(),
        usage: Usage::default(),
        stop: None,
    };
    let started = Body::ToolStarted {
        call_id: call_id.clone(),
        effect: EffectId(1),
        rule: "read = allow".into(),
    };
    let finished = Body::ToolFinished {
        result: ToolResult {
            call_id,
            name: "read".into(),
            status: ToolStatus::Ok,
            text: text.into(),
            images: vec![],
            duration_ms: 5,
            labels: Labels::EXTERNAL,
            ran: Some(alloc::boxed::Box::new(ran(work))),
        },
        by: FinishedBy::Home,
    };
    let mut chain = Chain::default();
    let bodies = [created.body, answer, started, finished];
    bodies
        .map(|body| chain.append(body, UnixMillis(1_000_000)).1)
        .into()
}

fn ran(fuel: u64) -> Ran {
    Ran {
        module: "ab".repeat(32),
        engine: "wasmtime".into(),
        fuel,
    }
}

#[test]
fn a_module_is_named_by_its_content_with_the_work_it_took() {
    let fact = facts(&of_module("3", 1234)).pop().unwrap();
    assert_eq!(fact.module, Some([0xab; 32]));
    assert_eq!(fact.fuel, Some(1234));
    assert_eq!(fact.taint, Labels::EXTERNAL);
    let args = bytes::sha256(r#"{"a":[1.5,"é"],"b":1}"#.as_bytes());
    assert_eq!(fact.args, Some(args));
}

#[test]
fn a_call_run_again_must_come_to_the_same_with_the_same_work() {
    let key = "sk-ant-api03-9wqXq2l6yNpTnJrKcVbHsDfGmZxQeRtYuIoPaSdFgHjKlMnBvCxZ";
    // What the gate takes out of a result, it takes out again.
    for said in ["3", key] {
        let journal = of_module(&gated(said), 1234);
        let calls = rerun::finished(&[], &journal, &crate::journal::Blobs::default()).unwrap();
        let [call] = &*calls else {
            panic!("one call ran: {calls:?}");
        };
        assert_eq!(call.place, 3);
        let again = call.again.as_ref().unwrap();
        let output = |text: &str, ran: Option<Ran>| ToolOutput {
            ran: ran.map(alloc::boxed::Box::new),
            ..ToolOutput::ok(text)
        };
        assert_eq!(again.compare(output(said, Some(ran(1234)))), Ok(()));
        again.compare(output("4", Some(ran(1234)))).unwrap_err();
        again.compare(output(said, Some(ran(1235)))).unwrap_err();
        again.compare(output(said, None)).unwrap_err();
        let failed = ToolOutput {
            status: ToolStatus::Error,
            ..output(said, Some(ran(1234)))
        };
        again.compare(failed).unwrap_err();
        // Another engine counts otherwise.
        let other = Ran {
            engine: "wasmi".into(),
            ..ran(9)
        };
        assert_eq!(again.compare(output(said, Some(other))), Ok(()));
    }
}

/// What a session's gate makes of a tool's text.
fn gated(text: &str) -> String {
    let source = crate::safety::Source::Tool {
        name: "read".into(),
    };
    let content = crate::safety::Untrusted::new(String::from(text), source);
    crate::safety::Gate::default().vet(content).0.into_inner()
}

#[test]
fn what_was_not_a_module_is_not_run_again() {
    let (_, journal) = played();
    let calls = rerun::finished(&[], &journal, &crate::journal::Blobs::default()).unwrap();
    assert!(!calls.is_empty());
    assert!(calls.iter().all(|call| call.again.is_err()));
}
