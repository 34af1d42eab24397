use alloc::{vec, vec::Vec};
use serde_json::json;
use tau_core::{
    ids::CallId,
    journal::{sections::signed_section, verify::verify},
    model::{Delta, StopReason},
    policy::{Extent, Policy, Preset},
    receipt::{self, LIMIT_BYTES, verify::Signatures},
    safety::Labels,
    session::{Command, Event, Session},
    tool::{OnRestore, ToolClass, ToolOutput, ToolSpec},
};
use tau_kamn::{
    AgreementKey, Signature,
    kel::{Change, Event as KeyEvent, SignedEvent},
    keys::KeyTree,
    time::Timestamp,
};
use zeroize::Zeroizing;

use super::*;
use crate::{
    clock::Clock,
    copy,
    drive::{Left, Shown, drive},
    memory_store::MemoryStorage,
    open::{self, Stored},
    signer::{NoSigner, SignerError, TreeSigner},
    sim::{self, START, SimHost, SimTool, Step, timed},
};

const SEED: [u8; 32] = [5; 32];

fn tree() -> KeyTree {
    KeyTree::from_seed(&[3; 32])
}

fn agent() -> TreeSigner {
    let created = Timestamp::from_unix_ms(START.0).unwrap();
    let log = KeyLog::of_tree("tau", &tree(), created).unwrap();
    TreeSigner::new(tree(), log).unwrap()
}

/// The agent after one more change of its keys, which its home has stored.
fn after(home: &SimHost, signer: TreeSigner, change: Change) -> TreeSigner {
    let now = home.clock().now();
    let changed = home.block_on(signer.changed(change, now)).unwrap();
    home.block_on(own_log::keep(home.storage(), changed.log()))
        .unwrap();
    changed
}

fn shell() -> ToolSpec {
    ToolSpec {
        name: "shell".into(),
        description: "Runs a program.".into(),
        parameters: json!({"type": "object", "properties": {}}),
        class: ToolClass::Execute,
        on_restore: OnRestore::Fail,
        touches: Vec::new(),
        yields: Labels::NONE,
    }
}

fn home() -> SimHost {
    let home = SimHost::new();
    home.tools()
        .add(SimTool::new(shell(), ToolOutput::ok("ran")));
    home
}

fn begin(home: &SimHost, preset: Preset) -> Session {
    let config = tau_core::session::Config {
        tools: vec![shell()],
        policy: Policy::preset(preset),
        ..sim::config()
    };
    Session::new(config, SEED, home.clock().now())
}

fn prompt() -> Command {
    Command::Prompt {
        text: "go".into(),
        images: Vec::new(),
    }
}

/// Lets the model call the tool, then say something.
fn script(home: &SimHost) {
    let call = Delta::ToolCallStart {
        index: 0,
        id: "c1".into(),
        name: "shell".into(),
    };
    let arguments = Delta::ToolCallArguments {
        index: 0,
        fragment: "{}".into(),
    };
    let stop = Delta::Stop {
        reason: StopReason::ToolUse,
    };
    home.model()
        .answer([call, arguments, stop].map(|delta| Step {
            after_ms: 1,
            delta: Ok(delta),
        }));
    home.model().say(1, &["done"]);
}

fn stopped(shown: &[Shown]) -> Option<StoreError> {
    shown.iter().find_map(|what| match what {
        Shown::Event(Event::Stopped { error }) => Some(error.clone()),
        _ => None,
    })
}

fn loaded(home: &SimHost, session: &Session) -> Stored {
    home.block_on(open::load(home.storage(), session.id()))
        .unwrap()
}

fn verified(home: &SimHost, session: &Session) -> Result<Signatures, receipt::verify::Wrong> {
    let journal = loaded(home, session).journal;
    let work = verify_session(home.storage(), session.id(), &journal);
    home.block_on(work).unwrap()
}

/// A key ends when the next begins: what is dated in that very millisecond is the next one's.
fn home_sleeps(home: &SimHost) {
    home.block_on(home.clock().sleep(1_000));
}

fn rows(home: &SimHost, prefix: &str) -> usize {
    let rows = home.storage().rows();
    rows.iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .count()
}

#[test]
fn a_turn_leaves_a_receipt_for_each_call_and_changes_nothing_of_its_journal() {
    let signing = home().signing(agent());
    script(&signing);
    let mut session = begin(&signing, Preset::Permissive);
    signing.run(&mut session, [(0, prompt())]);
    let found = verified(&signing, &session).unwrap();
    assert_eq!((found.receipts, found.unsigned), (3, 0));
    assert_eq!(found.by, [agent().log().unchecked_state().did().as_kamn()]);
    let receipts = signing
        .block_on(of_session(signing.storage(), session.id()))
        .unwrap();
    assert!(receipts.iter().all(|stored| stored.len() <= LIMIT_BYTES));

    let plain = home();
    script(&plain);
    let mut unsigned = begin(&plain, Preset::Permissive);
    plain.run(&mut unsigned, [(0, prompt())]);
    assert_eq!(session.chain(), unsigned.chain());
    assert_eq!(rows(&plain, "receipt"), 0);
    let found = verified(&plain, &unsigned).unwrap();
    assert_eq!((found.receipts, found.unsigned), (0, 3));
}

#[test]
fn an_export_with_receipts_verifies_without_the_store() {
    let home = home().signing(agent());
    script(&home);
    let mut session = begin(&home, Preset::Permissive);
    home.run(&mut session, [(0, prompt())]);
    let mut fork = session.fork([6; 32], home.clock().now()).unwrap();
    home.model().say(1, &["more"]);
    home.run(&mut fork, [(0, prompt())]);
    let stored = loaded(&home, &fork);
    assert_eq!(stored.ancestors.len(), 1);
    let lines = home
        .block_on(export(home.storage(), fork.id(), &stored))
        .unwrap();
    let text = signed_section(&stored.ancestors, &stored.journal, &stored.blobs, &lines);
    let found = verify(
        text.strip_suffix(b"\n")
            .unwrap()
            .split(|byte| *byte == b'\n'),
    );
    assert_eq!(found.first_bad, None);
    let signatures = found.signatures.unwrap();
    assert_eq!((signatures.receipts, signatures.unsigned), (4, 0));
}

#[test]
fn a_record_and_its_receipt_are_stored_together_or_not_at_all() {
    for nth in 1..6 {
        let home = home().signing(agent());
        script(&home);
        home.storage().fail(nth, StoreError::Full);
        let mut session = begin(&home, Preset::Permissive);
        home.run(&mut session, [(0, prompt())]);
        if rows(&home, "session/") > 0 {
            verified(&home, &session).unwrap();
        }
        // What was stored goes on in the next process, with one chain.
        if let Ok(mut session) = home.block_on(open::open(home.storage(), session.id())) {
            session.resume(home.clock().now());
            home.model().say(1, &["done"]);
            home.run(&mut session, []);
            verified(&home, &session).unwrap();
        }
    }
}

#[test]
fn a_session_opened_in_the_middle_of_a_call_goes_on_with_its_chain() {
    let first = SimHost::new();
    first.tools().add(SimTool::hanging(shell()));
    let home = first.clone().signing(agent());
    script(&home);
    let mut session = begin(&home, Preset::Permissive);
    // The process dies while the tool runs.
    let inbox = timed(home.clock(), [(0, prompt())]);
    let run = async {
        let work = drive(&home, &mut session, inbox, |_| {});
        let end = home.clock().sleep(1_000);
        futures_util::future::select(core::pin::pin!(work), core::pin::pin!(end)).await;
    };
    home.block_on(run);
    let id = session.id().clone();
    let before = verified(&home, &session).unwrap().receipts;

    let mut session = home.block_on(open::open(home.storage(), &id)).unwrap();
    session.resume(home.clock().now());
    home.run(&mut session, []);
    let found = verified(&home, &session).unwrap();
    assert_eq!(found.unsigned, 0);
    assert!(found.receipts > before);
}

#[test]
fn what_ends_without_a_home_is_signed_too() {
    let home = SimHost::new();
    home.tools().add(SimTool::hanging(shell()));
    let home = home.signing(agent());
    script(&home);
    let mut session = begin(&home, Preset::Permissive);
    let run = async {
        let inbox = timed(home.clock(), [(0, prompt())]);
        let work = drive(&home, &mut session, inbox, |_| {});
        let end = home.clock().sleep(1_000);
        futures_util::future::select(core::pin::pin!(work), core::pin::pin!(end)).await;
    };
    home.block_on(run);
    let id = session.id().clone();
    let signer = agent();
    let interrupt = |signer: Option<TreeSigner>| {
        let mut session = home.block_on(open::open(home.storage(), &id)).unwrap();
        session
            .submit(Command::Interrupt, home.clock().now())
            .unwrap();
        home.block_on(open::store(home.storage(), signer.as_ref(), &mut session))
    };
    let refused = interrupt(None).unwrap_err();
    assert!(
        refused.to_string().contains("keys are not here"),
        "{refused}"
    );
    interrupt(Some(signer)).unwrap();
    assert_eq!(verified(&home, &session).unwrap().receipts, 2);
}

#[test]
fn an_agent_whose_keys_do_not_count_does_nothing() {
    let home = home();
    let revoked = {
        let signer = agent();
        let did = signer.log().unchecked_state().did().as_kamn();
        let change = Change::RevokeKey {
            key_id: alloc::format!("{did}#keys-1"),
            reason: "lost".into(),
            compromised_since_ms: 1.into(),
        };
        after(&home, signer, change)
    };
    let home = home.signing(revoked);
    script(&home);
    let mut session = begin(&home, Preset::Permissive);
    let (shown, _) = home.run(&mut session, [(0, prompt())]);
    let error = stopped(&shown).unwrap();
    assert!(matches!(error, StoreError::Unsigned { .. }), "{error}");
    assert!(error.to_string().contains("revoked"), "{error}");
    assert_eq!(home.model().requests().len(), 0, "no model was asked");
    assert_eq!(rows(&home, "session/"), 0);
}

#[test]
fn keys_that_fail_stop_the_session() {
    let home = home();
    let mut receipts = Receipts::default();
    let signer = Broken(agent());
    let mut session = begin(&home, Preset::Permissive);
    session.submit(prompt(), home.clock().now()).unwrap();
    let Some((id, tau_core::session::Effect::Commit(batch))) = session.poll_effect() else {
        panic!("a prompt is stored first");
    };
    let commit = receipts.commit(home.storage(), Some(&signer), batch);
    home.block_on(commit).unwrap();
    session.answer(id, tau_core::session::Answer::Committed(Ok(())), START);
    // A failed attempt is worth a receipt.
    let (id, _) = session.poll_effect().unwrap();
    let failed = tau_core::session::GenerateError::Failed { detail: "x".into() };
    let answer = tau_core::session::Answer::Generating(Err(failed));
    session.answer(id, answer, START);
    let Some((_, tau_core::session::Effect::Commit(batch))) = session.poll_effect() else {
        panic!("the failure is stored");
    };
    let commit = receipts.commit(home.storage(), Some(&signer), batch);
    let error = home.block_on(commit).unwrap_err();
    assert!(error.to_string().contains("the device is gone"), "{error}");
    assert_eq!(rows(&home, "receipt"), 0);
}

#[test]
fn a_session_with_receipts_does_not_go_on_without_keys() {
    let plain = home();
    let signing = plain.clone().signing(agent());
    script(&signing);
    let mut session = begin(&signing, Preset::Permissive);
    signing.run(&mut session, [(0, prompt())]);
    let (shown, _) = plain.run(&mut session, [(0, prompt())]);
    let error = stopped(&shown).unwrap();
    assert!(error.to_string().contains("keys are not here"), "{error}");
    // Moving in it does nothing outside.
    let mut session = plain
        .block_on(open::open(plain.storage(), session.id()))
        .unwrap();
    session.submit(Command::Undo, plain.clock().now()).unwrap();
    plain
        .block_on(open::store(
            plain.storage(),
            None::<&NoSigner>,
            &mut session,
        ))
        .unwrap();
    verified(&plain, &session).unwrap();
}

#[test]
fn a_key_is_rotated_in_the_middle_of_a_session() {
    let plain = home();
    let first = plain.clone().signing(agent());
    script(&first);
    let mut session = begin(&first, Preset::Permissive);
    first.run(&mut session, [(0, prompt())]);
    home_sleeps(&plain);
    let change = agent().rotation(true, false);
    let second = plain.clone().signing(after(&plain, agent(), change));
    script(&second);
    let (shown, _) = second.run(&mut session, [(5_000, prompt())]);
    assert_eq!(stopped(&shown), None);
    let found = verified(&plain, &session).unwrap();
    assert_eq!((found.receipts, found.unsigned), (6, 0));

    // A process that has the key of before is found out before it does anything.
    plain.model().say(1, &["more"]);
    let (shown, _) = first.run(&mut session, [(0, prompt())]);
    let error = stopped(&shown).unwrap();
    assert!(error.to_string().contains("changed meanwhile"), "{error}");
}

#[test]
fn an_approval_leaves_a_receipt_of_its_own() {
    let home = home().signing(agent());
    script(&home);
    let mut session = begin(&home, Preset::Strict);
    let approve = Command::Approve {
        call_id: CallId("c1".into()),
        extent: Extent::Call,
        digest: None,
    };
    let (_, left) = home.run(&mut session, [(0, prompt()), (1_000, approve)]);
    assert_eq!(left, Left::Idle);
    assert_eq!(verified(&home, &session).unwrap().receipts, 4);
}

#[test]
fn what_is_taken_out_of_a_store_is_missed() {
    let home = home().signing(agent());
    script(&home);
    let mut session = begin(&home, Preset::Permissive);
    home.run(&mut session, [(0, prompt())]);
    let remove = Batch {
        delete: vec![key(session.id(), 1)],
        ..Batch::default()
    };
    home.block_on(home.storage().commit(remove)).unwrap();
    verified(&home, &session).unwrap_err();
}

#[test]
fn a_merged_store_has_the_receipts_with_the_sessions() {
    let home = home().signing(agent());
    script(&home);
    let mut session = begin(&home, Preset::Permissive);
    home.run(&mut session, [(0, prompt())]);
    let there = MemoryStorage::new();
    let merge = || {
        home.block_on(copy::merge(home.storage(), &there, |_| {}))
            .unwrap()
    };
    merge();
    home.model().say(1, &["more"]);
    home.run(&mut session, [(0, prompt())]);
    let copied = merge();
    assert_eq!(copied.kept, 0, "{copied:?}");
    let journal = loaded(&home, &session).journal;
    let found = home.block_on(verify_session(&there, session.id(), &journal));
    assert_eq!(found.unwrap().unwrap().receipts, 4);
    let head = |stored: &dyn Fn() -> Option<Vec<u8>>| stored();
    let here = head(&|| {
        home.block_on(home.storage().get(head_key(session.id())))
            .unwrap()
    });
    let other = head(&|| home.block_on(there.get(head_key(session.id()))).unwrap());
    assert_eq!(here, other);
}

/// Keys that can be looked at and sign nothing.
struct Broken(TreeSigner);

impl Signer for Broken {
    fn log(&self) -> &KeyLog {
        self.0.log()
    }

    async fn sign(&self, _: &[u8]) -> Result<Signature, SignerError> {
        Err(SignerError::Failed {
            detail: "the device is gone".into(),
        })
    }

    async fn agree(&self, other: &AgreementKey) -> Result<Zeroizing<[u8; 32]>, SignerError> {
        self.0.agree(other).await
    }

    async fn sign_event(&self, event: KeyEvent) -> Result<SignedEvent, SignerError> {
        self.0.sign_event(event).await
    }
}
