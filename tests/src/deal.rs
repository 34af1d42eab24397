//! Two agents who know nothing of each other but their key event logs: a handshake, a task with an
//! escrow, a key that changes on the way, payment, attestations, and scores that move. What is
//! replayed or forged on the way is refused.
//!
//! Invariant: all keys and times are given, so every home comes to the same bytes, and [`DIGEST`] is
//! their hash. The values KAMN's specification computed from the same seeds are among them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

use tau_kamn::{
    AgentDid, DidKey, KamnDid,
    attest::{Attestation, Book, Kind, Policy, SignedAttestation},
    bytes::{hex, sha256},
    channel::{self, Channel},
    envelope::{Arrival, Envelope, MessageType, Received, receive},
    escrow::{Action, Amount, Command, Terms},
    group::Group,
    guard::{Guard, Limits, Order, WindowSize},
    handshake::{self, Acceptance, Answer, Confirmation, Initiator, Proposal, Responder},
    jcs::{self, Value},
    kel::{Change, KeyLog},
    key::{AgreementSecret, SigningKey},
    keys::KeyTree,
    ledger::{Entry, Ledger, Outcome, SignedEvent, restore},
    payment::{self, Offer, Payments},
    ratchet::{Session, SessionMessage},
    seal::{Route, seal},
    task::{State, Tasks},
    time::Timestamp,
};

const START_MS: u64 = 1_770_000_000_000;
const CHANNEL: &str = "channel:direct:alice-bob";

type Logs = BTreeMap<AgentDid, KeyLog>;

/// One agent and all it has: its keys, the logs it knows, its guard.
struct Agent {
    did: AgentDid,
    tree: KeyTree,
    signing: u32,
    logs: Logs,
    guard: Guard,
    sent: u32,
    /// What it wrote.
    said: Vec<String>,
}

impl Agent {
    fn new(label: &str, seed: u8) -> Self {
        let tree = KeyTree::from_seed(&[seed; 32]);
        let log = KeyLog::of_tree(label, &tree, at(START_MS)).unwrap();
        let did = log.state().unwrap().did().clone();
        let window = WindowSize::new(64).unwrap();
        Self {
            did: did.clone(),
            tree,
            signing: 1,
            logs: BTreeMap::from([(did, log)]),
            guard: Guard::new(Order::Window(window), Limits::default()),
            sent: 0,
            said: Vec::new(),
        }
    }

    fn as_did(&self) -> KamnDid {
        self.did.as_did().clone()
    }

    fn log(&self) -> &KeyLog {
        &self.logs[&self.did]
    }

    /// Takes another's log as it came over the wire.
    fn learn(&mut self, did: &AgentDid, text: &str) {
        let log = KeyLog::read(text.as_bytes()).unwrap();
        assert_eq!(log.state().unwrap().did(), did);
        self.logs.insert(did.clone(), log);
    }

    /// Signs a message and remembers nothing but its number.
    fn write(
        &mut self,
        to: &AgentDid,
        message_type: MessageType,
        body: BTreeMap<String, String>,
        now_ms: u64,
    ) -> (String, [u8; 32]) {
        self.sent += 1;
        let envelope = Envelope {
            id: format!("{}:{}", self.did.label(), self.sent),
            from: self.did.clone(),
            to: vec![to.as_did().clone()],
            created: at(now_ms),
            expires: at(now_ms + 60_000),
            thread_id: None,
            parent_id: None,
            nonce: self.sent.into(),
            message_type,
            priority: "Normal".into(),
            content_type: "application/json".into(),
            recipient_keys: vec![format!("{to}#key-agreement-1")],
            body,
            attachments: vec![],
        };
        let fragment = format!("keys-{}", self.signing);
        let key = self.tree.signing(self.signing);
        let signed = envelope.sign(&fragment, &key, at(now_ms)).unwrap();
        self.said.push(signed.to_canonical());
        (signed.to_canonical(), signed.hash())
    }

    fn read(&mut self, text: &str, now_ms: u64) -> Result<Received, &'static str> {
        let recipient = self.as_did();
        let arrival = Arrival {
            recipient: &recipient,
            channel: None,
            now_ms,
            anchor_ms: None,
        };
        receive(
            text.as_bytes(),
            arrival,
            &self.logs,
            &|_| Ok(()),
            &mut self.guard,
        )
        .map_err(|error| error.reason_code())
    }

    fn command(&self, id: &str, seq: u64, action: Action, now_ms: u64) -> Entry {
        let command = Command {
            escrow_id: id.into(),
            seq,
            action,
            actor: self.as_did(),
            created: at(now_ms),
        };
        Entry::Command(command.sign(&self.tree.signing(self.signing)).unwrap())
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms).unwrap()
}

fn log_text(agent: &Agent) -> String {
    agent.log().to_value().to_canonical()
}

/// A pair that knows each other's logs.
fn pair() -> (Agent, Agent) {
    let (mut alice, mut bob) = (Agent::new("alice", 0x11), Agent::new("bob", 0x22));
    let (a, b) = (log_text(&alice), log_text(&bob));
    alice.learn(&bob.did.clone(), &b);
    bob.learn(&alice.did.clone(), &a);
    (alice, bob)
}

/// Three messages over the wire, after which both have the session.
fn shake_hands(alice: &mut Agent, bob: &mut Agent, now_ms: u64) -> (Session, Session) {
    let (a, b) = (alice.did.clone(), bob.did.clone());
    let direct = Channel::new(
        CHANNEL,
        channel::Kind::Direct,
        &a,
        BTreeSet::from([b.clone()]),
    );
    let direct = direct.unwrap();
    let ephemeral = KeyTree::from_seed(&[0x44; 32]).agreement(1);
    let proposal = Proposal {
        channel_id: CHANNEL.into(),
        channel_type: direct.kind().name().into(),
        ephemeral: ephemeral.public_key(),
        nonce: [0xa1; 32],
        suites: handshake::suites(),
        permissions_digest: direct.permissions().digest(),
        kel_head: *alice.log().state().unwrap().head(),
    };
    let mut initiator = Initiator::new(&a.as_kamn(), &b.as_kamn(), proposal, ephemeral, now_ms);
    let body = initiator.proposal().to_entries();
    let (first, hash) = alice.write(&b, MessageType::Proposal, body, now_ms);
    initiator.sent(hash).unwrap();

    let got = bob.read(&first, now_ms).unwrap();
    let proposal = Proposal::from_entries(&got.envelope().body).unwrap();
    assert_eq!(proposal.permissions_digest, direct.permissions().digest());
    let sender = bob.logs[&a].state().unwrap();
    assert_eq!(&proposal.kel_head, sender.head());
    let (_, alice_key) = sender.current_agreement().unwrap();
    let own = bob.tree.agreement(1);
    let answer = Answer {
        me: &b.as_kamn(),
        own: (&own).into(),
        peer_key: alice_key,
        ephemeral: KeyTree::from_seed(&[0x55; 32]).agreement(1),
        nonce: [0xb2; 32],
        kel_head: *bob.log().state().unwrap().head(),
        suites: handshake::suites(),
    };
    let facts = handshake::Received::of(&got, MessageType::Proposal).unwrap();
    let (mut responder, acceptance) = Responder::accept(&facts, &proposal, answer, now_ms).unwrap();
    let (second, hash) = bob.write(&a, MessageType::Acceptance, acceptance.to_entries(), now_ms);
    responder.sent(hash).unwrap();

    let got = alice.read(&second, now_ms).unwrap();
    let acceptance = Acceptance::from_entries(&got.envelope().body).unwrap();
    let facts = handshake::Received::of(&got, MessageType::Acceptance).unwrap();
    assert!(handshake::Received::of(&got, MessageType::StatusUpdate).is_err());
    let (_, bob_key) = alice.logs[&b].state().unwrap().current_agreement().unwrap();
    let secret = alice.tree.agreement(1);
    let (session_a, confirmation) = initiator
        .finish(&facts, &acceptance, &secret, bob_key, now_ms)
        .unwrap();
    let body = confirmation.to_entries();
    let (third, _) = alice.write(&b, MessageType::StatusUpdate, body, now_ms);

    let got = bob.read(&third, now_ms).unwrap();
    let confirmation = Confirmation::from_entries(&got.envelope().body).unwrap();
    let facts = handshake::Received::of(&got, MessageType::StatusUpdate).unwrap();
    let session_b = responder.finish(&facts, &confirmation, now_ms).unwrap();
    (session_a, session_b)
}

/// The two, their session, and a ledger that a third keeps.
struct World {
    alice: Agent,
    bob: Agent,
    session_a: Session,
    session_b: Session,
    tasks: Tasks,
    ledger: Ledger,
    events: Vec<SignedEvent>,
    /// The logs that the keeper of the ledger knows.
    public: Logs,
    escrow: String,
    now_ms: u64,
}

impl World {
    fn new() -> Self {
        let (mut alice, mut bob) = pair();
        let now_ms = START_MS + 1000;
        let (session_a, session_b) = shake_hands(&mut alice, &mut bob, now_ms);
        Self {
            public: alice.logs.clone(),
            alice,
            bob,
            session_a,
            session_b,
            tasks: Tasks::new(),
            ledger: Ledger::new(),
            events: Vec::new(),
            escrow: String::new(),
            now_ms,
        }
    }

    fn record(&mut self, entry: Entry) -> Result<(), &'static str> {
        let outcome = self
            .ledger
            .apply(entry, &self.public, self.now_ms)
            .map_err(|error| error.reason_code())?;
        match outcome {
            Outcome::Recorded(event) => self.events.push(event.sign(&operator()).unwrap()),
            other => panic!("{other:?}"),
        }
        assert!(self.ledger.is_conserved());
        Ok(())
    }

    fn release(&self, by: &Agent, seq: u64, units: u128) -> Entry {
        let amount = Amount::new(units);
        by.command(&self.escrow, seq, Action::Release { amount }, self.now_ms)
    }

    /// A task, sealed under the session inside of a signed envelope.
    fn delegate(&mut self) {
        let (alice, bob, now_ms) = (&mut self.alice, &mut self.bob, self.now_ms);
        let task = self
            .session_a
            .seal(now_ms, b"summarise the report")
            .unwrap();
        let body = task.to_entries();
        let (request, _) = alice.write(&bob.did, MessageType::Delegation, body, now_ms);
        assert!(!request.contains("summarise"));
        let got = bob.read(&request, now_ms).unwrap();
        let sealed = SessionMessage::from_entries(&got.envelope().body).unwrap();
        let text = self.session_b.open(now_ms, &sealed).unwrap();
        assert_eq!(text.as_slice(), b"summarise the report");
        assert_eq!(bob.read(&request, now_ms).unwrap_err(), "replay");
        let changed = request.replace("alice:3", "alice:9");
        assert_eq!(bob.read(&changed, now_ms).unwrap_err(), "signature_invalid");
        let (a, b) = (alice.as_did(), bob.as_did());
        self.tasks.submit("task-1", a, b.clone(), &[]).unwrap();
        self.tasks.advance("task-1", State::Accepted, &b).unwrap();
        self.tasks.advance("task-1", State::InProgress, &b).unwrap();
    }

    /// An escrow for the task, funded by alice and by nobody else.
    fn fund(&mut self) {
        let (a, b) = (self.alice.as_did(), self.bob.as_did());
        let terms = Terms {
            asset: "KAMN".into(),
            amount: Amount::new(120),
            payer: a.clone(),
            payee: b,
            arbiter: None,
            task_id: "task-1".into(),
            created_ms: self.now_ms,
            timeout_ms: self.now_ms + 300_000,
            nonce: [5; 16],
        };
        self.escrow = terms.id().unwrap();
        let deposit = Entry::Deposit {
            account: a,
            asset: "KAMN".into(),
            amount: Amount::new(500),
            receipt: None,
        };
        self.record(deposit).unwrap();
        self.record(Entry::Open(terms)).unwrap();
        let stolen = self.bob.command(&self.escrow, 1, Action::Fund, self.now_ms);
        assert_eq!(self.record(stolen), Err("escrow_unauthorized"));
        let fund = self
            .alice
            .command(&self.escrow, 1, Action::Fund, self.now_ms);
        self.record(fund).unwrap();
    }

    /// Alice's signing key changes. What the old one signs from now on counts nowhere.
    fn rotate(&mut self) {
        self.now_ms += 10_000;
        let a = self.alice.did.clone();
        let change = Change::Rotate {
            signing: Some(self.alice.tree.signing(2).public_key()),
            agreement: None,
        };
        let event = self.alice.log().next(at(self.now_ms), change);
        let event = event.signed_by(&self.alice.tree.identity(0));
        self.alice.logs.get_mut(&a).unwrap().append(event).unwrap();
        self.alice.signing = 2;
        self.bob.learn(&a, &log_text(&self.alice));
        self.public.insert(a, self.alice.log().clone());
        self.now_ms += 1000;
        let mut thief = thief();
        thief.sent = 50;
        let body = BTreeMap::from([("text".into(), "hello".into())]);
        let to = self.bob.did.clone();
        let (late, _) = thief.write(&to, MessageType::Request, body, self.now_ms);
        assert_eq!(
            self.bob.read(&late, self.now_ms).unwrap_err(),
            "kel_key_not_active"
        );
        let stolen = self.release(&thief, 2, 120);
        assert_eq!(self.record(stolen), Err("signature_invalid"));
        // Nor when it is dated back to when the key counted.
        let dated_back = Action::Release {
            amount: Amount::new(120),
        };
        let dated_back = thief.command(&self.escrow, 2, dated_back, START_MS + 2000);
        assert_eq!(self.record(dated_back), Err("escrow_signer_unknown"));
    }

    /// Bob reports; alice offers, confirms, and commands the escrow with the new key.
    fn pay(&mut self) {
        let (a, b, now_ms) = (self.alice.as_did(), self.bob.as_did(), self.now_ms);
        self.tasks.advance("task-1", State::Completed, &b).unwrap();
        let done = self.session_b.seal(now_ms, b"done").unwrap();
        let to = self.alice.did.clone();
        let body = done.to_entries();
        let (report, _) = self.bob.write(&to, MessageType::Response, body, now_ms);
        let got = self.alice.read(&report, now_ms).unwrap();
        let sealed = SessionMessage::from_entries(&got.envelope().body).unwrap();
        let text = self.session_a.open(now_ms, &sealed).unwrap();
        assert_eq!(text.as_slice(), b"done");
        let offer = Offer {
            task_id: "task-1".into(),
            escrow_id: self.escrow.clone(),
            payer: a.clone(),
            payee: b.clone(),
            amount: Amount::new(100),
        };
        let confirmation = payment::Confirmation {
            task_id: "task-1".into(),
            escrow_id: self.escrow.clone(),
            confirmer: a.clone(),
        };
        let mut payments = Payments::new();
        let task = self.tasks.get("task-1").unwrap();
        let escrow = self.ledger.escrow(&self.escrow).unwrap();
        payments.offer(offer, task, escrow).unwrap();
        let action = payments.confirm(&confirmation, escrow).unwrap();
        let paid = self.alice.command(&self.escrow, 2, action, now_ms);
        self.record(paid.clone()).unwrap();
        let again = self.ledger.apply(paid, &self.public, now_ms);
        assert_eq!(again, Ok(Outcome::Repeated));
        let other = self.release(&self.alice, 2, 20);
        assert_eq!(self.record(other), Err("escrow_conflict"));
        let back = self
            .bob
            .command(&self.escrow, 3, Action::RefundByPayee, now_ms);
        self.record(back).unwrap();
        assert_eq!(self.ledger.available(&b, "KAMN"), Amount::new(100));
        assert_eq!(self.ledger.available(&a, "KAMN"), Amount::new(400));
    }

    fn attested(&self, issuer: &Agent, subject: &Agent, reference: &str, nonce: u64) -> Value {
        let attestation = Attestation {
            kind: Kind::TaskCompleted { response_ms: 800 },
            subject: subject.did.clone(),
            issuer: issuer.did.clone(),
            reference: reference.into(),
            height: 7,
            created: at(self.now_ms),
            expires: at(self.now_ms + 60_000),
            nonce,
        };
        let key = issuer.tree.signing(issuer.signing);
        attestation.sign(&key).unwrap().to_value().unwrap()
    }

    fn admit(&self, book: &mut Book, attested: &Value) -> Result<(), &'static str> {
        let value = jcs::parse(attested.to_canonical().as_bytes(), 65_536).unwrap();
        let signed = SignedAttestation::from_value(value).unwrap();
        let now = (self.now_ms, 7);
        book.admit(signed, &self.public, &self.ledger, &Policy::default(), now)
            .map_err(|error| error.reason_code())
    }
}

fn operator() -> SigningKey {
    KeyTree::from_seed(&[9; 32]).signing(1)
}

/// Somebody who has alice's first signing key.
fn thief() -> Agent {
    Agent::new("alice", 0x11)
}

/// SHA-256 of [`lines`], each with its end of line.
pub const DIGEST: &str = "695e7852c9e394ef2e68751b75f1fc3f3bafcddd7f269563ae8472de373ec575";

/// The SHA-256 of what both came to, in hex digits.
#[must_use]
pub fn digest() -> String {
    let lines: String = lines().iter().map(|line| format!("{line}\n")).collect();
    hex(&sha256(lines.as_bytes()))
}

/// All that both wrote and signed and came to, after the worked examples of the specification.
///
/// # Panics
///
/// With the sentence that does not hold.
#[must_use]
pub fn lines() -> Vec<String> {
    let mut lines = examples();
    let mut world = World::new();
    world.delegate();
    world.fund();
    world.rotate();
    world.pay();

    // Anybody who has the events and the logs comes to the same ledger.
    let key = operator().public_key();
    let again = restore(&world.events, &key, &world.public, world.ledger.head());
    assert_eq!(again.as_ref(), Ok(&world.ledger));
    lines.extend(world.alice.said.iter().chain(&world.bob.said).cloned());
    lines.extend(
        world
            .public
            .values()
            .map(|log| log.to_value().to_canonical()),
    );
    lines.push(hex(world.ledger.head().unwrap()));

    // Alice says how it went; her word counts because the ledger knows the deal.
    let (alice, bob, id) = (&world.alice, &world.bob, &world.escrow);
    let mut book = Book::new();
    let before = book.score(&bob.did, 7).score;
    let good = world.attested(alice, bob, id, 1);
    lines.push(good.to_canonical());
    world.admit(&mut book, &good).unwrap();
    let after = book.score(&bob.did, 7).score;
    assert!(after > before);
    lines.push(format!("{before} {after}"));
    assert_eq!(book.score(&alice.did, 7).score, 500);
    let stranger = "attestation_source_unverified";
    let refusals = [
        (world.attested(alice, bob, id, 2), "attestation_duplicate"),
        (world.attested(bob, alice, id, 1), stranger),
        (
            world.attested(&thief(), bob, "other", 3),
            "signature_invalid",
        ),
        (world.attested(alice, bob, "other", 4), stranger),
        (world.attested(bob, bob, id, 5), "attestation_self_issued"),
    ];
    for (attested, expected) in refusals {
        assert_eq!(world.admit(&mut book, &attested), Err(expected));
    }
    lines
}

/// Names, keys, an envelope, a sealed message, the name of an escrow and a group's first message, of the
/// seeds and times of the specification.
fn examples() -> Vec<String> {
    let trees = [0x11, 0x22].map(|byte| KeyTree::from_seed(&[byte; 32]));
    let agents = ["alice", "bob"].iter().zip(&trees);
    let dids: Vec<AgentDid> = agents
        .map(|(label, tree)| AgentDid::new(label, &tree.identity(0).public_key()).unwrap())
        .collect();
    let mut lines = Vec::new();
    for (did, tree) in dids.iter().zip(&trees) {
        lines.extend([did.as_kamn(), did.as_w3c()]);
        for key in [tree.identity(0), tree.signing(1)] {
            let key = key.public_key();
            lines.push(hex(&key.to_bytes()));
            lines.push(DidKey::Ed25519(key).to_string());
        }
        let key = tree.agreement(1).public_key();
        lines.push(hex(&key.to_bytes()));
        lines.push(DidKey::X25519(key).to_string());
    }
    let refs = dids.iter().map(|did| format!("{did}#key-agreement-1"));
    let refs: Vec<String> = refs.collect();
    let created = at(1_770_495_330_123);
    let envelope = Envelope {
        id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
        from: dids[0].clone(),
        to: vec![dids[1].as_did().clone()],
        created,
        expires: at(1_770_495_330_123 + 30 * 60 * 1_000),
        thread_id: None,
        parent_id: None,
        nonce: 1.into(),
        message_type: MessageType::Request,
        priority: "Normal".into(),
        content_type: "application/json".into(),
        recipient_keys: vec![refs[1].clone()],
        body: BTreeMap::from([
            ("task.description".into(), "analyze market trends".into()),
            ("task.type".into(), "research".into()),
        ]),
        attachments: vec![],
    };
    let unsigned = Value::Object(envelope.to_object()).to_canonical();
    lines.push(hex(&sha256(unsigned.as_bytes())));
    let signed = envelope.sign("keys-1", &trees[0].signing(1), created);
    lines.push(signed.unwrap().to_canonical());
    let route = Route {
        sender_ref: &refs[0],
        recipient_ref: &refs[1],
        nonce: 1,
    };
    let ephemeral = AgreementSecret::from_bytes(&[0x33; 32]);
    let to = trees[1].agreement(1).public_key();
    let sealed = seal(&route, &trees[0].agreement(1), &to, ephemeral, b"hello bob").unwrap();
    lines.push(hex(&sealed.ciphertext));
    let terms = Terms {
        asset: "KAMN".into(),
        amount: Amount::new(120),
        payer: dids[0].as_did().clone(),
        payee: dids[1].as_did().clone(),
        arbiter: None,
        task_id: "task-1".into(),
        created_ms: 1_716_620_000_000,
        timeout_ms: 1_716_620_100_000,
        nonce: core::array::from_fn(|at| u8::try_from(at).unwrap()),
    };
    lines.push(terms.id().unwrap());
    let carol = KeyTree::from_seed(&[0x77; 32]).identity(0).public_key();
    let carol = AgentDid::new("carol", &carol).unwrap();
    let members = dids.iter().chain([&carol]).map(ToString::to_string);
    let mut group = Group::new("channel:group:1", &dids[0].to_string(), members.collect()).unwrap();
    group.rotate(Zeroizing::new([0x66; 32])).unwrap();
    let message = group.seal(&trees[0].signing(1), b"group payload").unwrap();
    lines.push(hex(&message.ciphertext));
    lines.push(message.signature.to_multibase());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_agents_deal_with_each_other_from_handshake_to_score() {
        assert_eq!(digest(), DIGEST, "{:#?}", lines());
    }

    #[test]
    fn what_the_specification_computed_is_among_what_every_home_comes_to() {
        let lines = lines().join("\n");
        for value in [
            "kamn:did:agent:alice--keyh-85e459682aec9ceefd5b43b739011ac9",
            "did:key:z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD",
            "z6LScrEE7WZjLt95KqjHs9n8rvwH5xNef2X1mgu4AFsJbWej",
            "d8a081e2579a88cef5aa8647f269aad823c5cf87d91ca7950351d960a9611799",
            "did:kamn:agent:bob--keyh-2790e7d7ba6257e8ea5c5859f1b26a8e",
            "1edafcea589015f66f90d35f020de4b8f699d2f20a86b5f37ed8ca7188b334ec",
            "z5pdFwfsfZohKTk9AhswsjbxFpXm6WVfziVBcQgM8v5tuwU6GCAT9LjsaWZNG6ywPCgerxK5CgJBAC3GHkZ7ScGRm",
            "5ef22e4c958be960183d05b540d2c917954a79318dcf9b5918",
            "escrow:08ca6af86aaed299cd5fe7f0d87a9186",
            "a2d0d692101c14146ff3dbc00a9bffe0c0cef90ee265d574901dcd958a",
            "z3XUfkwk5GPmJKXd67Fa5m8kghpM4N4x4eVqhCSMcUYJNdkfEJctEZWFhmqyHhH3UnwBJHhyAdye3rPmye8AQ33YP",
        ] {
            assert!(lines.contains(value), "{value}");
        }
    }
}
