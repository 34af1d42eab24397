//! Two agents, each with a store of its own, and whoever stands between them.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::{Cell, RefCell};
use futures_util::FutureExt;
use tau_core::{
    ids::{SessionId, UnixMillis},
    policy::Policy,
    safety::Gate,
    session::{Batch, Range, StoreError},
};
use tau_kamn::{
    kel::{Change, KeyLog},
    keys::KeyTree,
    time::Timestamp,
};

use super::{letters::KEPT, *};
use crate::{Clock, EntropyError, MemoryStorage, TreeSigner, own_log, peers};

pub(super) const NOW: UnixMillis = UnixMillis(1_770_495_330_123);

/// Counts, so that nothing is drawn twice.
#[derive(Debug, Default)]
pub(super) struct Counting(Cell<u64>, u8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.set(self.0.get() + 1);
        let digest = tau_kamn::bytes::sha256(format!("{} {}", self.1, self.0.get()).as_bytes());
        for (into, byte) in bytes.iter_mut().zip(digest.into_iter().cycle()) {
            *into = byte;
        }
        Ok(())
    }
}

/// A store that can fail to commit.
#[derive(Debug, Default)]
pub(super) struct Store {
    inner: MemoryStorage,
    pub(super) fails: Cell<bool>,
    pub(super) commits: Cell<u32>,
    /// What another process commits right before this one does.
    meanwhile: RefCell<Option<Batch>>,
    last: RefCell<Batch>,
}

impl Store {
    pub(super) fn meanwhile(&self, batch: Batch) {
        self.meanwhile.replace(Some(batch));
    }

    /// What was committed last.
    pub(super) fn last(&self) -> Batch {
        self.last.borrow().clone()
    }

    pub(super) fn rows(&self) -> Vec<(String, Vec<u8>)> {
        now(self.inner.scan(Range::prefix("", 9_999))).unwrap()
    }
}

impl Storage for Store {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.inner.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if self.fails.get() {
            let detail = "the process ended".to_owned();
            return Err(StoreError::Io { detail });
        }
        if let Some(other) = self.meanwhile.take() {
            self.inner.commit(other).await?;
        }
        self.commits.set(self.commits.get() + 1);
        self.last.replace(batch.clone());
        self.inner.commit(batch).await
    }
}

pub(super) struct Agent {
    pub(super) store: Store,
    pub(super) signer: TreeSigner,
    entropy: Counting,
    pub(super) desk: Desk,
}

impl Agent {
    pub(super) fn new(label: &str, seed: u8) -> Self {
        let tree = KeyTree::from_seed(&[seed; 32]);
        let made = Timestamp::from_unix_ms(NOW.0 - 1_000).unwrap();
        let log = KeyLog::of_tree(label, &tree, made).unwrap();
        let agent = Self {
            store: Store::default(),
            signer: TreeSigner::new(tree, log).unwrap(),
            entropy: Counting(Cell::new(0), seed),
            desk: Desk::new(Pace {
                burst: 10_000,
                ..Pace::default()
            }),
        };
        now(own_log::keep(&agent.store, agent.signer.log())).unwrap();
        agent
    }

    /// Another process of the same agent.
    pub(super) fn restarted(self) -> Self {
        let desk = Desk::default();
        Self { desk, ..self }
    }

    /// Another process of the same agent, as it finds the store now.
    pub(super) fn copy(&self) -> Self {
        let seed = self.entropy.1;
        let tree = KeyTree::from_seed(&[seed; 32]);
        let store = Store::default();
        let put = self.store.rows();
        let rows = Batch {
            put,
            ..Batch::default()
        };
        now(store.inner.commit(rows)).unwrap();
        Self {
            store,
            signer: TreeSigner::new(tree, self.signer.log().clone()).unwrap(),
            entropy: Counting(Cell::new(1 << 32), seed),
            desk: Desk::default(),
        }
    }

    pub(super) fn deactivated(self) -> Self {
        self.changed(Change::Deactivate)
    }

    pub(super) fn office(&self) -> Office<'_, Store, TreeSigner, Counting> {
        Office {
            storage: &self.store,
            signer: &self.signer,
            entropy: &self.entropy,
        }
    }

    pub(super) fn did(&self) -> AgentDid {
        self.signer.log().unchecked_state().did().clone()
    }

    pub(super) fn knows(&self, other: &Self) {
        now(peers::learn(&self.store, other.signer.log())).unwrap();
    }

    fn write(&self, to: &Self, text: &str, way: Way) -> Result<Outgoing, MessageError> {
        now(self
            .office()
            .write(Draft::request(to.did(), text, way), NOW))
    }

    fn packet(&self, outgoing: &Outgoing) -> Vec<u8> {
        Packet::of(outgoing.sent.envelope().into(), self.signer.log()).to_bytes()
    }

    pub(super) fn take(&self, bytes: &[u8]) -> Result<Taken, &'static str> {
        self.take_at(bytes, NOW)
    }

    fn take_at(&self, bytes: &[u8], at: UnixMillis) -> Result<Taken, &'static str> {
        let arrived = Arrived {
            bytes,
            place: "test",
            answers: true,
        };
        let taken = now(self.office().receive(&self.desk, arrived, &gate(), at));
        taken.map_err(|error| error.reason_code())
    }

    /// The agent with the next key to sign with.
    fn rotated(self, signing: bool, agreement: bool) -> Self {
        let change = self.signer.rotation(signing, agreement);
        self.changed(change)
    }

    fn changed(self, change: Change) -> Self {
        let signer = now(self.signer.changed(change, NOW)).unwrap();
        now(own_log::keep(&self.store, signer.log())).unwrap();
        Self { signer, ..self }
    }

    pub(super) fn letters(&self) -> Vec<String> {
        let held = now(list(&self.store, None, false)).unwrap();
        held.iter().map(|held| held.letter.text().into()).collect()
    }
}

pub(super) fn gate() -> Gate {
    Gate::new(&Policy::default())
}

pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

fn two() -> (Agent, Agent) {
    let (alice, bob) = (Agent::new("alice", 0x11), Agent::new("bob", 0x22));
    alice.knows(&bob);
    (alice, bob)
}

pub(super) struct At(pub(super) UnixMillis);

impl Clock for At {
    fn now(&self) -> UnixMillis {
        self.0
    }

    async fn sleep_until(&self, _: UnixMillis) {}
}

/// The way to bob's inbox, which may lose answers or put something else in their place.
pub(super) struct Road<'a> {
    bob: &'a Agent,
    loses: Cell<u32>,
    seen: RefCell<Vec<Vec<u8>>>,
}

impl Carrier for Road<'_> {
    async fn carry(&self, _: String, body: Option<Vec<u8>>) -> Result<Vec<u8>, CarryError> {
        let Some(body) = body else {
            return Ok(Answer::about(self.bob.signer.log()).to_bytes());
        };
        self.seen.borrow_mut().push(body.clone());
        let arrived = Arrived {
            bytes: &body,
            place: "way",
            answers: true,
        };
        let office = self.bob.office();
        let (answer, _) = office.answer(&self.bob.desk, arrived, &gate(), NOW).await;
        if self.loses.get() > 0 {
            self.loses.set(self.loses.get() - 1);
            return Err(CarryError {
                reason: "the connection was lost".into(),
                is_passing: true,
            });
        }
        Ok(answer.to_bytes())
    }
}

pub(super) fn way(bob: &Agent) -> Road<'_> {
    Road {
        bob,
        loses: Cell::new(0),
        seen: RefCell::default(),
    }
}

#[test]
fn a_message_is_taken_once_and_refused_ever_after() {
    let (alice, bob) = two();
    let packet = alice.packet(&alice.write(&bob, "hello bob", Way::Plain).unwrap());
    let taken = bob.take(&packet).unwrap();
    let letter = taken.letter.unwrap();
    assert_eq!(letter.text(), "hello bob");
    assert_eq!(letter.sender().did, alice.did().to_string());
    assert!(!letter.is_sealed());
    assert_eq!(bob.take(&packet).unwrap_err(), "replay");
    // Another process, which knows nothing but the store.
    let again = bob.restarted();
    assert_eq!(again.take(&packet).unwrap_err(), "replay");
    let late = NOW.plus(3_600_001);
    assert_eq!(again.take_at(&packet, late).unwrap_err(), "expired");
    assert_eq!(again.letters(), ["hello bob"]);
}

#[test]
fn a_message_that_could_not_be_stored_was_not_taken() {
    let (alice, bob) = two();
    let packet = alice.packet(&alice.write(&bob, "hello", Way::Plain).unwrap());
    bob.store.fails.set(true);
    assert_eq!(bob.take(&packet).unwrap_err(), "store_failed");
    bob.store.fails.set(false);
    assert!(bob.letters().is_empty());
    assert!(bob.take(&packet).is_ok());
}

#[test]
fn what_is_stored_of_a_message_is_stored_at_once() {
    let (alice, bob) = two();
    bob.knows(&alice);
    let packet = alice.packet(&alice.write(&bob, "hello", Way::Sealed).unwrap());
    let before = bob.store.commits.get();
    bob.take(&packet).unwrap();
    // A crash has no place between the guard's row and the letter's.
    assert_eq!(bob.store.commits.get(), before + 1);
}

#[test]
fn unsigned_altered_readdressed_and_foreign_messages_are_refused() {
    let (alice, bob) = two();
    let carol = Agent::new("carol", 0x77);
    let outgoing = alice.write(&bob, "hello bob", Way::Plain).unwrap();
    let packet = String::from_utf8(alice.packet(&outgoing)).unwrap();
    let code = |agent: &Agent, text: &str| agent.take(text.as_bytes()).unwrap_err();
    let altered = packet.replace("hello bob", "hello rob");
    assert_eq!(code(&bob, &altered), "signature_invalid");
    assert_eq!(code(&carol, &packet), "recipient_mismatch");
    let readdressed = packet.replace(&bob.did().to_string(), &carol.did().to_string());
    assert_eq!(code(&carol, &readdressed), "signature_invalid");
    let bare = outgoing.sent.envelope();
    assert_eq!(code(&bob, bare), "sender_unresolved");
    let proof = bare.find(",\"proof\"").unwrap();
    let unsigned = format!("{}}}", &bare[..proof]);
    assert_eq!(code(&bob, &unsigned), "proof_missing");
    assert_eq!(code(&bob, "{\"v\":2}"), "packet_version_unknown");
    assert_eq!(code(&bob, "hello"), "json_syntax_invalid");
    let long = " ".repeat(PACKET_LIMIT_BYTES + 1);
    assert_eq!(code(&bob, &long), "json_too_long");
    // Nothing of all that was remembered, of the sender least of all.
    assert!(
        now(bob.store.scan(Range::prefix("guard/", 9)))
            .unwrap()
            .is_empty()
    );
    assert!(now(peers::list(&bob.store)).unwrap().is_empty());
    // Once it was met, the envelope alone is enough.
    bob.take(packet.as_bytes()).unwrap();
    let next = alice.write(&bob, "again", Way::Plain).unwrap();
    bob.take(next.sent.envelope().as_bytes()).unwrap();
}

#[test]
fn messages_of_two_processes_are_each_taken_once() {
    let (alice, bob) = two();
    let first = alice.packet(&alice.write(&bob, "one", Way::Plain).unwrap());
    let second = alice.packet(&alice.write(&bob, "two", Way::Plain).unwrap());
    bob.knows(&alice);
    let stored = now(guard::Stored::load(&bob.store, &alice.did())).unwrap();
    let stale = now(guard::Stored::load(&bob.store, &alice.did())).unwrap();
    assert_eq!((stored.next, stale.next), (0, 0));
    bob.take(&second).unwrap();
    bob.take(&first).unwrap();
    assert_eq!(bob.take(&second).unwrap_err(), "replay");
    assert_eq!(bob.letters(), ["two", "one"]);
}

#[test]
fn a_sealed_message_is_read_by_its_recipient_alone() {
    let (alice, bob) = two();
    let outgoing = alice.write(&bob, "for your eyes", Way::Sealed).unwrap();
    assert!(!outgoing.sent.envelope().contains("eyes"));
    let taken = bob.take(&alice.packet(&outgoing)).unwrap();
    let letter = taken.letter.unwrap();
    assert_eq!((letter.text(), letter.is_sealed()), ("for your eyes", true));
}

#[test]
fn hands_are_shaken_and_a_session_survives_restarts_and_a_rotation_in_the_middle() {
    let (alice, bob) = two();
    let carrier = way(&bob);
    now(alice.office().meet("https://bob.example/inbox", &carrier)).unwrap();
    let refused = alice.write(&bob, "too early", Way::Session).unwrap_err();
    assert_eq!(refused.reason_code(), "session_unknown");
    let proposal = now(alice.office().propose(&bob.did(), NOW)).unwrap();
    let again = now(alice.office().propose(&bob.did(), NOW)).unwrap_err();
    assert_eq!(again.reason_code(), "handshake_pending");
    let posted = now(alice
        .office()
        .post(proposal.sent, &alice.desk, &gate(), &carrier, &At(NOW)))
    .unwrap();
    assert_eq!(posted.sent.status, Status::Taken);
    // Proposal and confirmation went there, the acceptance came back with an answer.
    assert_eq!(carrier.seen.borrow().len(), 2);
    let hello = alice.write(&bob, "hello", Way::Session).unwrap();
    let hello = alice.packet(&hello);
    let taken = bob.take(&hello).unwrap();
    assert_eq!(taken.letter.as_ref().unwrap().text(), "hello");
    assert!(taken.letter.unwrap().sender().channel.is_some());
    assert_eq!(bob.take(&hello).unwrap_err(), "replay");
    let back = bob.write(&alice, "and to you", Way::Session).unwrap();
    alice.take(&bob.packet(&back)).unwrap();
    // The key that signs changes, the session stays.
    let alice = alice.rotated(true, false);
    let renewed = alice.write(&bob, "with a new key", Way::Session).unwrap();
    bob.take(&alice.packet(&renewed)).unwrap();
    assert_eq!(bob.letters(), ["hello", "with a new key"]);
    // The key that agrees changes: hands must be shaken again.
    let alice = alice.rotated(false, true);
    let refused = alice.write(&bob, "lost", Way::Session).unwrap_err();
    assert_eq!(refused.reason_code(), "session_unknown");
}

#[test]
fn replaced_key_signs_nothing_any_more() {
    let (alice, bob) = two();
    let old = alice.write(&bob, "old", Way::Plain).unwrap();
    let alice = alice.rotated(true, false);
    let fresh = alice.write(&bob, "fresh", Way::Plain).unwrap();
    bob.take(&alice.packet(&fresh)).unwrap();
    let refused = bob.take(old.sent.envelope().as_bytes()).unwrap_err();
    assert_eq!(refused, "kel_key_not_active");
}

#[test]
fn an_agent_whose_log_forks_is_believed_nothing_more() {
    let (alice, bob) = two();
    bob.take(&alice.packet(&alice.write(&bob, "one", Way::Plain).unwrap()))
        .unwrap();
    let alice = alice.rotated(true, false);
    bob.take(&alice.packet(&alice.write(&bob, "two", Way::Plain).unwrap()))
        .unwrap();
    // The same agent elsewhere, from before, goes another way.
    let other = Agent::new("alice", 0x11).rotated(false, true);
    other.knows(&bob);
    let forged = other.packet(&other.write(&bob, "three", Way::Plain).unwrap());
    assert_eq!(bob.take(&forged).unwrap_err(), "kel_fork_detected");
    let next = alice.packet(&alice.write(&bob, "four", Way::Plain).unwrap());
    assert_eq!(bob.take(&next).unwrap_err(), "kel_fork_detected");
    assert_eq!(bob.letters(), ["one", "two"]);
}

#[test]
fn a_lost_answer_is_no_reason_for_another_message() {
    let (alice, bob) = two();
    let carrier = way(&bob);
    let url = "https://bob.example/inbox";
    now(alice.office().address(&bob.did(), url)).unwrap();
    let outgoing = alice.write(&bob, "hello", Way::Sealed).unwrap();
    carrier.loses.set(1);
    let post = |sent| {
        now(alice
            .office()
            .post(sent, &alice.desk, &gate(), &carrier, &At(NOW)))
        .unwrap()
    };
    let posted = post(outgoing.sent);
    assert_eq!(posted.sent.status, Status::Waiting);
    assert_eq!(posted.sent.why.as_deref(), Some("the connection was lost"));
    let flush = |clock: At| {
        let office = alice.office();
        now(office.flush(&alice.desk, &gate(), &carrier, &clock)).unwrap()
    };
    // Not before its time, and then it is as good as taken.
    assert_eq!(flush(At(NOW)), (Vec::new(), Some(NOW.plus(1_000))));
    let (done, next) = flush(At(NOW.plus(1_000)));
    assert_eq!((done[0].sent.status, next), (Status::Taken, None));
    let seen = carrier.seen.borrow();
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]));
    assert_eq!(bob.letters(), ["hello"]);
    let late = alice.write(&bob, "late", Way::Plain).unwrap();
    let office = alice.office();
    let posted = now(office.post(
        late.sent,
        &alice.desk,
        &gate(),
        &carrier,
        &At(NOW.plus(3_600_001)),
    ));
    assert_eq!(posted.unwrap().sent.status, Status::Expired);
}

#[test]
fn a_refusal_is_signed_for_who_signed_the_message() {
    let (alice, bob) = two();
    let carrier = way(&bob);
    now(alice
        .office()
        .address(&bob.did(), "https://bob.example/inbox"))
    .unwrap();
    let outgoing = alice.write(&bob, "hello", Way::Plain).unwrap();
    bob.take(&alice.packet(&outgoing)).unwrap();
    let post = |sent| {
        now(alice
            .office()
            .post(sent, &alice.desk, &gate(), &carrier, &At(NOW)))
        .unwrap()
    };
    let posted = post(outgoing.sent);
    assert_eq!(posted.sent.status, Status::Refused);
    assert_eq!(posted.reason_code.as_deref(), Some("replay"));
    let why = posted.sent.why.unwrap();
    assert_eq!(why, "replay: the message was taken before");
    // Who forged a sender gets none.
    let arrived = Arrived {
        bytes: b"{}",
        place: "x",
        answers: true,
    };
    let (answer, _) = now(bob.office().answer(&bob.desk, arrived, &gate(), NOW));
    assert_eq!(answer.refused.unwrap().notice, None);
}

#[test]
fn a_sender_of_too_much_waits_and_what_was_refused_is_not_burnt() {
    let (alice, bob) = two();
    let mut refused = None;
    for number in 0..31 {
        let packet = alice.packet(&alice.write(&bob, "more", Way::Plain).unwrap());
        match bob.take(&packet) {
            Ok(_) => assert!(number < 30),
            Err(code) => {
                assert_eq!((number, code), (30, "spam_rate_exceeded"));
                refused = Some(packet);
            }
        }
    }
    let packet = refused.unwrap();
    assert!(bob.take_at(&packet, NOW.plus(61_000)).is_ok());
    assert!(bob.take_at(&packet, NOW.plus(61_000)).is_err());
}

#[test]
fn unread_letters_are_bounded_and_what_is_remembered_of_a_sender_too() {
    let (alice, bob) = two();
    let mut at = NOW;
    for number in 0..KEPT {
        at = at.plus(10_000);
        let draft = Draft {
            life_ms: 1_000,
            ..Draft::request(bob.did(), &format!("{number}"), Way::Plain)
        };
        let outgoing = now(alice.office().write(draft, at)).unwrap();
        bob.take_at(&alice.packet(&outgoing), at).unwrap();
    }
    let rows = |prefix: &str| now(bob.store.scan(Range::prefix(prefix, 9_999))).unwrap();
    assert!(rows("guard/").len() < 200, "{}", rows("guard/").len());
    let one_more = |text: &str| {
        let draft = Draft::request(bob.did(), text, Way::Plain);
        let outgoing = now(alice.office().write(draft, at)).unwrap();
        bob.take_at(&alice.packet(&outgoing), at.plus(60_000))
    };
    assert_eq!(one_more("full").unwrap_err(), "inbox_full");
    let first = now(list(&bob.store, None, true)).unwrap().remove(0);
    now(mark_done(&bob.store, &first.name, &SessionId("a".into()))).unwrap();
    one_more("read").unwrap();
    assert_eq!(rows("letter/in/").len() as u64, KEPT);
    let twice = now(mark_done(&bob.store, "x", &SessionId("a".into())));
    assert!(twice.is_ok());
    let twice = now(mark_done(&bob.store, "x", &SessionId("b".into())));
    assert_eq!(twice.unwrap_err().reason_code(), "store_failed");
}

#[test]
fn a_secret_does_not_leave_in_a_message() {
    let (alice, bob) = two();
    let text = "use ghp_16C7e42F292c6912E7710c838347Ae178B4a please";
    let refused = alice.write(&bob, text, Way::Sealed).unwrap_err();
    assert_eq!(refused.reason_code(), "message_holds_secret");
}

#[test]
fn every_changed_byte_of_a_sealed_packet_is_refused() {
    let (alice, bob) = two();
    bob.knows(&alice);
    let outgoing = alice.write(&bob, "hello", Way::Sealed).unwrap();
    let text = outgoing.sent.envelope().as_bytes();
    for at in 0..text.len() {
        let mut changed = text.to_vec();
        changed[at] ^= 1;
        assert!(bob.take(&changed).is_err(), "byte {at}");
    }
    assert!(bob.take(text).is_ok());
}

#[test]
fn packets_and_answers_read_back_and_newer_ones_are_refused() {
    let (alice, bob) = two();
    let outgoing = alice.write(&bob, "hello", Way::Plain).unwrap();
    let packet = Packet::read(&alice.packet(&outgoing)).unwrap();
    assert_eq!(packet.log.as_ref(), Some(alice.signer.log()));
    assert_eq!(Packet::read(&packet.to_bytes()), Ok(packet));
    let error = MessageError::Busy;
    let mut answer = Answer::refused(&error, None);
    answer.log = Some(bob.signer.log().clone());
    assert_eq!(
        (Answer::read(&answer.to_bytes()), answer.status()),
        (Ok(answer.clone()), 503)
    );
    let newer = String::from_utf8(answer.to_bytes()).unwrap();
    let newer = newer.replace("\"v\":1}", "\"v\":2}");
    assert_eq!(
        Answer::read(newer.as_bytes()),
        Err(MessageError::Version { found: 2 })
    );
}
