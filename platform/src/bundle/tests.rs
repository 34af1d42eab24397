use alloc::{format, string::String, vec, vec::Vec};
use futures_util::FutureExt;
use tau_core::{
    bundle::{Kdf, Kind, Limits, PartName},
    ids::{EntryId, SessionId, TurnId, UnixMillis},
    journal::{self, sections},
    memory::{Access, Action, Answer, Memory, Request, Scope, Search},
    message::{Message, Role},
    policy::{Action as Allowed, Policy, Preset},
    receipt::Head,
    safety::Gate,
    session::{Batch, Import, Session},
};
use tau_kamn::{
    kel::{Change, KeyLog},
    keys::KeyTree,
    time::Timestamp,
};
use zeroize::Zeroizing;

use super::*;
use crate::{
    Entropy, EntropyError, MemoryStorage, MemoryTools, NoEmbedder, NoSigner, Signer, Storage,
    TreeSigner, memory::Service, open, peers, sim::SimHost, transfer::Mode, transfer::Outcome,
};

const NOW: UnixMillis = UnixMillis(1_800_000_100_000);

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

/// Counts, so that a test is the same every time.
struct Counting(core::cell::Cell<u8>);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.set(self.0.get() + 1);
        bytes.fill(self.0.get());
        Ok(())
    }
}

fn entropy() -> Counting {
    Counting(core::cell::Cell::new(40))
}

fn signer(seed: u8) -> TreeSigner {
    let tree = KeyTree::from_seed(&[seed; 32]);
    let created = Timestamp::from_unix_ms(NOW.0 - 100_000).unwrap();
    let log = KeyLog::of_tree("tau", &tree, created).unwrap();
    TreeSigner::new(tree, log).unwrap()
}

fn rotated(signer: TreeSigner, change: Change) -> TreeSigner {
    let created = Timestamp::from_unix_ms(NOW.0 + 1_000).unwrap();
    let event = now(signer.sign_event(signer.log().next(created, change))).unwrap();
    let mut log = signer.log().clone();
    log.append(event).unwrap();
    signer.with_log(log).unwrap()
}

/// A home with a conversation of these texts, memories and a receipt.
fn home(id: &str, texts: &[&str], memories: &[&str]) -> MemoryStorage {
    let store = MemoryStorage::new();
    let session = SessionId(id.into());
    let mut session = Session::taken_over(session, [1; 32], UnixMillis(1));
    say(&store, &mut session, texts);
    for text in memories {
        let entry = tau_core::memory::Draft {
            text: (*text).into(),
            ..Default::default()
        };
        let scope = Scope::User;
        let id = tau_core::memory::entry::id_of("", text, 0);
        let entry = entry.checked().unwrap().entry(id, UnixMillis(5));
        put(&store, &scope.key(&entry.id), entry.to_bytes());
    }
    let alice = signer(1).log().unchecked_state().did().as_kamn();
    let receipt = format!("{{\"key\":\"{alice}#keys-1\",\"v\":1}}");
    put(
        &store,
        &format!("receipt/{id}/0000000000"),
        receipt.into_bytes(),
    );
    put(
        &store,
        &format!("receipt-head/{id}"),
        Head::default().to_bytes(),
    );
    // Who signs there is known there.
    if id == "aa" {
        now(peers::learn(&store, signer(1).log())).unwrap();
    }
    store
}

fn put(store: &MemoryStorage, key: &str, value: Vec<u8>) {
    let batch = Batch {
        put: vec![(key.into(), value)],
        ..Batch::default()
    };
    now(store.commit(batch)).unwrap();
}

fn say(store: &MemoryStorage, session: &mut Session, texts: &[&str]) {
    let mut parent = session.view().head;
    let before = session.entries().len();
    let entries = texts.iter().enumerate().map(|(place, text)| {
        let role = [Role::User, Role::Assistant][place % 2];
        let entry = EntryId(format!("{:016x}", before + place + 1));
        journal::ImportedEntry {
            entry: entry.clone(),
            parent: parent.replace(entry),
            turn: TurnId(1),
            at: UnixMillis(1),
            message: Message::text(role, *text),
        }
    });
    let entries: Vec<_> = entries.collect();
    let import = Import {
        from: "test".into(),
        own: true,
        head: entries.last().map(|entry| entry.entry.clone()),
        entries,
    };
    session.import(import, UnixMillis(1)).unwrap();
    now(open::store(store, None::<&NoSigner>, session)).unwrap();
}

fn wanted(id: &str) -> Wanted {
    Wanted {
        sessions: vec![SessionId(id.into())],
        scopes: vec![Scope::User],
    }
}

fn exported(store: &MemoryStorage, id: &str, by: &TreeSigner, seal: Seal) -> Made {
    let mut all = now(parts(store, &wanted(id), |_, _| {})).unwrap();
    all.push(policy_part(&Policy::preset(Preset::Strict)).unwrap());
    now(make(by, all, None, seal, &entropy(), NOW)).unwrap()
}

fn opened(bytes: &[u8], by: Option<&TreeSigner>) -> Result<Whole, ReadError> {
    let mut pieces = bytes.chunks(1_000);
    now(read(
        || Ok(pieces.next().unwrap_or_default().to_vec()),
        by,
        |kdf: &Kdf| match kdf.passes {
            1 => Ok(Zeroizing::new([9; 32])),
            _ => Err(ReadError::Passphrase),
        },
        Limits::default(),
        |_| true,
        |_, _| {},
    ))
}

/// Imports, as a home with its memory in the same store does.
fn imported(
    store: &MemoryStorage,
    bytes: &[u8],
    by: &TreeSigner,
) -> Result<(Author, Planned, crate::memory::Kept), ImportError> {
    let whole = opened(bytes, Some(by)).unwrap();
    let own = by.log();
    let author = now(author_of(store, &whole.manifest, Some(own), NOW, false))?;
    let gate = Gate::new(&Policy::default());
    let wish = Wish {
        mode: Mode::Merge,
        own: author == Author::Own,
        now: NOW,
        seed: [3; 32],
        gate: &gate,
    };
    let policy = Policy::preset(Preset::Balanced);
    let planned = now(plan(store, whole, &policy, &wish))?;
    let memory = Service::new(store.clone(), NoEmbedder, SimHost::new().clock().clone());
    let kept = now(memory.keep_all(&planned.memories, planned.batch.clone(), false));
    now(learn_signers(store, &planned.logs))?;
    Ok((author, planned, kept.unwrap()))
}

fn outcomes(planned: &Planned) -> Vec<(Outcome, u64)> {
    let sessions = planned.report.sessions.sessions.iter();
    sessions.map(|one| (one.outcome, one.added)).collect()
}

fn found(store: &MemoryStorage, query: &str) -> Vec<Memory> {
    let memory = Service::new(store.clone(), NoEmbedder, SimHost::new().clock().clone());
    let search = Search {
        query: query.into(),
        ..Search::default()
    };
    let request = Request {
        access: Access::of_person(),
        action: Action::Search(search),
    };
    match now(memory.serve(request)).unwrap().answer {
        Answer::Found { found } => found.into_iter().map(|found| found.entry).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_agent_is_carried_to_another_home_and_again_brings_nothing_twice() {
    let from = home("aa", &["one", "1"], &["tea is green", "cats sleep"]);
    let (alice, bob) = (signer(1), signer(2));
    let made = exported(&from, "aa", &alice, Seal::Open);
    let there = home("bb", &["uno", "un"], &["cats sleep", "dogs run"]);
    let (author, planned, kept) = imported(&there, &made.bytes, &bob).unwrap();
    assert_eq!(author, Author::New);
    assert_eq!(outcomes(&planned), [(Outcome::New, 2)]);
    assert_eq!((kept.new, kept.same), (1, 1));
    assert_eq!(planned.report.receipts.added, 1);
    let tightened = planned.policy.unwrap();
    assert_eq!(tightened.policy.preset, Preset::Strict);
    assert_eq!(
        tightened
            .policy
            .class_action(tau_core::tool::ToolClass::Write),
        Allowed::Ask
    );
    // What was said by another agent, and remembered, is words of others.
    let session = now(open::open(&there, &SessionId("aa".into()))).unwrap();
    assert!(session.entries().iter().all(|entry| entry.labels.untrusted));
    let tea = found(&there, "tea");
    assert_eq!(tea.len(), 1);
    assert!(tea[0].labels.untrusted && tea[0].labels.private);
    assert_eq!(planned.logs, [alice.log().clone()]);
    assert!(now(there.get("receipt-head/aa".into())).unwrap().is_some());
    assert!(
        now(there.get("receipt/aa/0000000000".into()))
            .unwrap()
            .is_some()
    );
    assert!(now(peers::list(&there)).unwrap().len() == 1);
    let rows = there.rows();
    let (author, planned, kept) = imported(&there, &made.bytes, &bob).unwrap();
    assert_eq!(author, Author::Known);
    assert_eq!(outcomes(&planned), [(Outcome::Same, 0)]);
    assert_eq!((kept.new, planned.report.receipts.added), (0, 0));
    assert_eq!(there.rows(), rows);
}

#[test]
fn what_an_agent_exported_itself_is_its_own_when_it_comes_back() {
    let from = home("aa", &["one", "1"], &["tea is green"]);
    let alice = signer(1);
    let made = exported(&from, "aa", &alice, Seal::Open);
    let fresh = MemoryStorage::new();
    let (author, _, _) = imported(&fresh, &made.bytes, &alice).unwrap();
    assert_eq!(author, Author::Own);
    let session = now(open::open(&fresh, &SessionId("aa".into()))).unwrap();
    assert!(
        session
            .entries()
            .iter()
            .all(|entry| !entry.labels.untrusted)
    );
    assert!(!found(&fresh, "tea")[0].labels.untrusted);
}

#[test]
fn a_bundle_made_since_another_has_what_is_new_and_knows_what_is_not() {
    let from = home("aa", &["one", "1"], &["tea is green"]);
    let alice = signer(1);
    let first = exported(&from, "aa", &alice, Seal::Open);
    let mut session = now(open::open(&from, &SessionId("aa".into()))).unwrap();
    say(&from, &mut session, &["two", "2"]);
    let all = || now(parts(&from, &wanted("aa"), |_, _| {})).unwrap();
    let since = |base: &Made| {
        now(make(
            &alice,
            all(),
            Some(&base.manifest),
            Seal::Open,
            &entropy(),
            NOW,
        ))
        .unwrap()
    };
    let second = since(&first);
    let names = |made: &Made| -> Vec<String> {
        let parts = made.manifest.parts().iter();
        parts.map(|part| format!("{}", part.name)).collect()
    };
    assert_eq!(names(&second), ["session/aa"]);
    let third = since(&second);
    assert!(names(&third).is_empty(), "{:?}", names(&third));
    assert_eq!(third.manifest.draft().unchanged.len(), 3);
    let there = MemoryStorage::new();
    imported(&there, &first.bytes, &signer(2)).unwrap();
    let (_, planned, _) = imported(&there, &second.bytes, &signer(2)).unwrap();
    assert_eq!(outcomes(&planned), [(Outcome::Merged, 2)]);
    assert_eq!(planned.report.unchanged.len(), 2);
}

#[test]
fn a_sealed_bundle_opens_for_those_it_is_for_alone() {
    let from = home("aa", &["one", "1"], &["tea is green"]);
    let (alice, bob, carol) = (signer(1), signer(2), signer(3));
    let logs = vec![bob.log().clone(), carol.log().clone()];
    let made = exported(&from, "aa", &alice, Seal::Agents(logs));
    let text = String::from_utf8_lossy(&made.bytes);
    assert!(!text.contains("tea") && !text.contains("session/aa"));
    for by in [&bob, &carol] {
        let whole = opened(&made.bytes, Some(by)).unwrap();
        assert!(whole.was_sealed && whole.parts.len() == 4);
    }
    let refused = opened(&made.bytes, Some(&signer(4))).unwrap_err();
    assert_eq!(refused.reason_code(), "not_a_recipient");
    assert_eq!(opened(&made.bytes, None), Err(ReadError::NoIdentity));
    let none: Option<&NoSigner> = None;
    assert!(none.is_none());
    // A key that was replaced since is not guessed for.
    let change = bob.rotation(false, true);
    let error = opened(&made.bytes, Some(&rotated(bob, change))).unwrap_err();
    assert_eq!(error.reason_code(), "decryption_failed");
}

#[test]
fn a_passphrase_opens_what_was_sealed_with_it() {
    let from = home("aa", &["one", "1"], &[]);
    let kdf = Kdf {
        salt: [1; 16],
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    let sealed = |derived: u8| Seal::Passphrase {
        kdf: kdf.clone(),
        derived: Zeroizing::new([derived; 32]),
    };
    let made = exported(&from, "aa", &signer(1), sealed(9));
    assert!(opened(&made.bytes, None).unwrap().was_sealed);
    let other = exported(&from, "aa", &signer(1), sealed(8));
    assert_eq!(
        opened(&other.bytes, None).unwrap_err().reason_code(),
        "decryption_failed"
    );
}

#[test]
fn what_is_known_of_its_author_refuses_a_bundle() {
    let from = home("aa", &["one", "1"], &[]);
    let bob = signer(2);
    let made = exported(&from, "aa", &signer(1), Seal::Open);
    let revoke = |reason: &str| Change::RevokeKey {
        key_id: format!(
            "{}#keys-1",
            signer(1).log().unchecked_state().did().as_kamn()
        ),
        reason: reason.into(),
        compromised_since_ms: tau_kamn::jcs::Integer::try_from(NOW.0).unwrap(),
    };
    let lost = rotated(signer(1), revoke("lost"));
    let there = MemoryStorage::new();
    now(peers::learn(&there, lost.log())).unwrap();
    let refused = imported(&there, &made.bytes, &bob).unwrap_err();
    assert_eq!(refused.reason_code(), "kel_key_revoked");
    // Another history of the same agent: nothing of it is believed any more.
    let other = signer(1).rotation(true, false);
    let fork = rotated(signer(1), other);
    let all = now(parts(&from, &wanted("aa"), |_, _| {})).unwrap();
    let later = UnixMillis(NOW.0 + 2_000);
    let signed = now(make(&fork, all, None, Seal::Open, &entropy(), later)).unwrap();
    let refused = imported(&there, &signed.bytes, &bob).unwrap_err();
    assert_eq!(refused.reason_code(), "kel_fork_detected");
    let rows = there.rows();
    assert!(
        rows.iter().all(|(key, _)| key.starts_with("peer/")),
        "{rows:?}"
    );
}

#[test]
fn a_part_that_is_signed_and_makes_no_sense_is_refused_by_name() {
    let from = home("aa", &["one", "1"], &["tea is green"]);
    let name = |name: &str| -> PartName { name.parse().unwrap() };
    let good = now(parts(&from, &wanted("aa"), |_, _| {})).unwrap();
    let session = &good[0].1;
    let memory = String::from_utf8(good[2].1.clone()).unwrap();
    let grant = sections::rows_section(&[sections::Row {
        key: "grant/x".into(),
        value: "{}".into(),
    }]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("session/aa", b"nothing".to_vec()),
        ("session/bb", session.clone()),
        ("session/aa", session[..session.len() - 20].to_vec()),
        ("session/aa", [session.as_slice(), session].concat()),
        ("receipts/aa", session.clone()),
        ("receipts/aa", grant.clone()),
        ("memory/user", grant),
        ("memory/default", memory.clone().into_bytes()),
        ("memory/agent", memory.into_bytes()),
        ("memory/user", b"\xff\xfe".to_vec()),
        ("policy/agent", b"{\"preset\":\"anything\"}".to_vec()),
    ];
    for (part, content) in cases {
        let parts = vec![(name(part), content)];
        let made = now(make(&signer(1), parts, None, Seal::Open, &entropy(), NOW)).unwrap();
        let there = MemoryStorage::new();
        let error = imported(&there, &made.bytes, &signer(1)).unwrap_err();
        assert!(
            format!("{error}").starts_with(&format!("part {part}: ")),
            "{error}"
        );
        assert!(there.rows().is_empty(), "{part}");
    }
}

#[test]
fn an_import_that_cannot_be_stored_leaves_nothing() {
    let from = home("aa", &["one", "1"], &["tea is green"]);
    let made = exported(&from, "aa", &signer(1), Seal::Open);
    let whole = opened(&made.bytes, None).unwrap();
    let there = MemoryStorage::new();
    let gate = Gate::new(&Policy::default());
    let wish = Wish {
        mode: Mode::Merge,
        own: false,
        now: NOW,
        seed: [3; 32],
        gate: &gate,
    };
    let planned = now(plan(&there, whole, &Policy::default(), &wish)).unwrap();
    // Somebody else begins the session in between.
    let id = SessionId("aa".into());
    let mut other = Session::taken_over(id, [7; 32], UnixMillis(1));
    say(&there, &mut other, &["uno", "un"]);
    let rows = there.rows();
    let memory = Service::new(there.clone(), NoEmbedder, SimHost::new().clock().clone());
    assert!(now(memory.keep_all(&planned.memories, planned.batch, false)).is_err());
    assert_eq!(there.rows(), rows);
}

#[test]
fn a_rehearsal_counts_and_stores_nothing() {
    let from = home("aa", &["one", "1"], &["tea is green"]);
    let made = exported(&from, "aa", &signer(1), Seal::Open);
    let whole = opened(&made.bytes, None).unwrap();
    let there = MemoryStorage::new();
    let author = now(author_of(&there, &whole.manifest, None, NOW, true)).unwrap();
    assert_eq!(author, Author::New);
    let gate = Gate::new(&Policy::default());
    let wish = Wish {
        mode: Mode::Merge,
        own: false,
        now: NOW,
        seed: [3; 32],
        gate: &gate,
    };
    let planned = now(plan(&there, whole, &Policy::default(), &wish)).unwrap();
    assert_eq!(outcomes(&planned), [(Outcome::New, 2)]);
    let memory = Service::new(there.clone(), NoEmbedder, SimHost::new().clock().clone());
    let kept = now(memory.keep_all(&planned.memories, planned.batch, true)).unwrap();
    assert_eq!(kept.new, 1);
    assert!(there.rows().is_empty());
}

#[test]
fn a_part_of_a_later_version_is_kept_out_and_told() {
    let name: PartName = "hologram/x".parse().unwrap();
    assert_eq!(*name.kind(), Kind::Unknown("hologram".into()));
    let parts = vec![(name.clone(), b"?".to_vec())];
    let made = now(make(&signer(1), parts, None, Seal::Open, &entropy(), NOW)).unwrap();
    let there = MemoryStorage::new();
    let (_, planned, _) = imported(&there, &made.bytes, &signer(1)).unwrap();
    assert_eq!(planned.report.unknown, [name]);
    assert!(there.rows().is_empty());
}
