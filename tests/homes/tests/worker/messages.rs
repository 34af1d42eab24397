//! Two agents in two homes: one of this machine with SQLite and its own listener, and a Worker.

use anyhow::{Context, Result};
use serde_json::json;
use std::sync::Arc;
use tau_core::{egress::HostRule, ids::UnixMillis, policy::Policy, safety::Gate};
use tau_homes::worker::{Client, Do, Model, Worker};
use tau_kamn::{
    AgentDid,
    attest::Kind,
    envelope::MessageType,
    escrow::{Amount, Terms},
    kel::KeyLog,
    keys::KeyTree,
    ledger::Entry,
    settlement::Ended,
    time::Timestamp,
    trust::Gates,
};
use tau_platform::{
    Clock, Signer, TreeSigner,
    messages::{
        Answer, Arrived, Desk, Draft, Office, PACKET_LIMIT_BYTES, Packet, Post, Posted, Status,
        Way, list,
    },
    own_log,
    trade::{self, Done, MAIN, Statement, TOKENS, Trade},
};
use tau_target_native::{
    SqliteStorage, SystemEntropy, TokioClock,
    egress::{Egress, SystemResolver},
    listener::{Inbox, PATH},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{at_rest, said};

type Shop<'a> = Office<'a, SqliteStorage, TreeSigner, SystemEntropy>;

/// The agent of this machine.
struct Native {
    _folder: TempDir,
    store: SqliteStorage,
    signer: TreeSigner,
    desk: Desk,
    gate: Gate,
    post: Post<Egress<SystemResolver>, TokioClock>,
}

impl Native {
    /// An agent that reaches `origin`.
    async fn new(label: &str, seed: u8, origin: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let store = SqliteStorage::open(&folder.path().join("tau.db"))?;
        let tree = KeyTree::from_seed(&[seed; 32]);
        let made = Timestamp::from_unix_ms(TokioClock.now().0)?;
        let log = KeyLog::of_tree(label, &tree, made)?;
        own_log::keep(&store, &log).await?;
        let mut policy = Policy::default();
        let rule: HostRule = origin.parse().map_err(|_| anyhow::anyhow!("an origin"))?;
        policy.http.allow.push(rule);
        let egress = Egress::new(SystemResolver, Arc::new(|_: &str| None));
        Ok(Self {
            _folder: folder,
            store,
            signer: TreeSigner::new(tree, log)?,
            desk: Desk::default(),
            gate: Gate::new(&policy),
            post: Post::new(egress, TokioClock, &policy),
        })
    }

    fn office(&self) -> Shop<'_> {
        Office {
            storage: &self.store,
            signer: &self.signer,
            entropy: &SystemEntropy,
        }
    }

    fn did(&self) -> AgentDid {
        self.signer.log().unchecked_state().did().clone()
    }

    async fn send(&self, draft: Draft) -> Result<Posted> {
        let written = self.office().write(draft, TokioClock.now()).await?;
        let office = self.office();
        let posted = office.post(
            written.sent,
            &self.desk,
            &self.gate,
            &self.post,
            &TokioClock,
        );
        Ok(posted.await?)
    }

    async fn shake(&self, with: &AgentDid) -> Result<Posted> {
        let office = self.office();
        let proposal = office.propose(with, TokioClock.now()).await?;
        let posted = office.post(
            proposal.sent,
            &self.desk,
            &self.gate,
            &self.post,
            &TokioClock,
        );
        Ok(posted.await?)
    }

    /// The agent with the next key to sign with.
    async fn rotated(self) -> Result<Self> {
        let change = self.signer.rotation(true, false);
        let signer = self.signer.changed(change, TokioClock.now()).await?;
        own_log::keep(&self.store, signer.log()).await?;
        Ok(Self { signer, ..self })
    }

    /// Who writes into this agent's ledger now.
    fn till(&self) -> trade::Desk<'_, SqliteStorage, TreeSigner> {
        trade::Desk {
            storage: &self.store,
            signer: &self.signer,
            now: TokioClock.now(),
        }
    }

    /// Takes one message at `inbox`, which the other side sends meanwhile.
    async fn take(&self, inbox: &mut Inbox) -> Result<()> {
        loop {
            let mut asked = inbox.next().await.context("nobody asks")?;
            let Some(packet) = asked.packet.take() else {
                asked.answer(200, Answer::about(self.signer.log()).to_bytes());
                continue;
            };
            let arrived = Arrived {
                bytes: &packet,
                place: "worker",
                answers: true,
            };
            let office = self.office();
            let answer = office.answer(&self.desk, arrived, &self.gate, TokioClock.now());
            let (answer, taken) = answer.await;
            asked.answer(answer.status(), answer.to_bytes());
            taken?;
            return Ok(());
        }
    }
}

/// A Worker whose letters are Alice's, and whose model says `says`. It reaches `origin` beside it.
async fn worker(says: &'static str, origin: &str) -> Result<(Model, Worker)> {
    let model = Model::start(move |_, _| Do::say(says)).await?;
    let allowed = format!("{},{origin}", model.origin);
    let variables = [("TAU_INBOX", "alice"), ("TAU_HTTP_ALLOWED", &allowed)];
    let worker = Worker::with(&model, &variables).await?;
    Ok((model, worker))
}

async fn letters(alice: &Client) -> Result<Vec<String>> {
    let listed = alice.get("/v1/letters").await?;
    let all = listed["letters"].as_array().cloned().unwrap_or_default();
    let text = |letter: &serde_json::Value| letter["text"].as_str().unwrap_or_default().to_owned();
    Ok(all.iter().map(text).collect())
}

/// What the Worker says to a packet from anybody: the status and the reason.
async fn refused(worker: &Worker, packet: &[u8]) -> Result<(u16, String)> {
    let anybody = Client::new(&worker.url, None);
    let text = String::from_utf8(packet.to_vec())?;
    let reply = anybody.send("POST", PATH, &[], &text).await?;
    let code = reply.json()["refused"]["reason_code"].clone();
    Ok((reply.status, code.as_str().unwrap_or_default().into()))
}

fn task(to: &AgentDid, way: Way) -> Draft {
    Draft {
        kind: MessageType::Delegation,
        ..Draft::request(to.clone(), "Please count the ships in the harbour.", way)
    }
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one way from the first word to the last"
)]
async fn two_agents_in_two_homes_meet_shake_hands_and_work_for_each_other() -> Result<()> {
    let any = ([127, 0, 0, 1], 0).into();
    let mut inbox = Inbox::listen(any, PACKET_LIMIT_BYTES).await?;
    let here = format!("http://{}", inbox.address());
    let (model, mut worker) = worker("Seven ships.", &here).await?;
    let alice = worker.alice();
    let native = Native::new("harbour", 0x11, &worker.url).await?;

    // They exchange logs of keys: one asks, the other is shown.
    let to = native
        .office()
        .meet(&format!("{}{PATH}", worker.url), &native.post)
        .await?;
    assert_eq!(native.shake(&to).await?.sent.status, Status::Taken);
    // What the task may cost is reserved before it is handed on, and the message names the escrow.
    let mut ledger = Trade::open(&native.store).await?;
    let terms = terms(&native.did(), &to)?;
    let escrow = terms.id()?;
    let deposit = Entry::Deposit {
        account: terms.payer.clone(),
        asset: terms.asset.clone(),
        amount: Amount::new(500),
        receipt: None,
    };
    ledger.record(MAIN, deposit, &native.till()).await?;
    let gates = Gates {
        escrow: 0,
        ..Gates::default()
    };
    let reserved = ledger.reserve(MAIN, terms, &gates, &native.till()).await?;
    assert!(matches!(reserved, Done::Recorded(_)), "{reserved:?}");
    let mut delegated = task(&to, Way::Session);
    delegated.body.insert("escrow".into(), escrow.clone());
    let first = native.send(delegated).await?;
    assert_eq!(first.sent.status, Status::Taken, "{first:?}");
    let told = letters(&alice).await?;
    assert!(
        told[0].starts_with("Please count the ships in the harbour."),
        "{told:?}"
    );
    assert!(told[0].contains(&escrow), "{told:?}");

    // A key changes in the middle, and what the old one signs counts no more.
    let office = native.office();
    let old = office.write(task(&to, Way::Plain), TokioClock.now());
    let old = old.await?;
    let native = native.rotated().await?;
    let again = native.send(task(&to, Way::Session)).await?;
    assert_eq!(again.sent.status, Status::Taken, "{again:?}");
    let stale = Packet {
        message: old.sent.envelope().into(),
        log: None,
    };
    let said_of_stale = refused(&worker, &stale.to_bytes()).await?;
    assert_eq!(said_of_stale.1, "kel_key_not_active");

    // The letter begins a turn of a session, as content of somebody else.
    let listed = alice.get("/v1/letters").await?;
    let name = &listed["letters"][0]["name"];
    let path = alice.begin(&json!({})).await?;
    let (deliver, letter) = (format!("{path}/deliver"), json!({ "letter": name }));
    let given = alice.post(&deliver, &letter);
    assert_eq!(given.await?.status, 202);
    let view = at_rest(&alice, &path).await?;
    assert_eq!(
        view["entries"][0]["sender"]["did"],
        native.did().to_string()
    );
    let lines = said(&view);
    assert!(
        lines[0].starts_with("user: <message of another agent>"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "assistant: Seven ships.");
    let twice = alice.post(&deliver, &letter);
    assert_eq!(twice.await?.code(), "given_already");
    let asked = model.asked();
    assert!(!asked.is_empty());

    // The answer goes back, sealed, to where this agent listens; the session survives a kill.
    worker.restart().await?;
    let alice = worker.alice();
    let url = format!("{here}{PATH}");
    let answer = json!({
        "to": native.did().to_string(), "text": "Seven ships.", "url": url, "kind": "Response",
        "answers": first.sent.id,
    });
    let sending: JoinHandle<Result<_>> =
        tokio::spawn(async move { alice.post("/v1/messages", &answer).await });
    native.take(&mut inbox).await?;
    let reply = sending.await??;
    assert_eq!(
        (reply.status, &reply.json()["status"]),
        (200, &json!("taken"))
    );
    let held = list(&native.store, None, true).await?;
    assert_eq!(held[0].letter.text(), "Seven ships.");
    assert!(held[0].letter.is_sealed());
    assert_eq!(held[0].letter.answers(), Some(first.sent.id.as_str()));
    assert_eq!(held[0].letter.sender().did, to.to_string());

    // The task is done: what was reserved is released, once, and what was done is attested.
    let ended = Ended::Succeeded {
        cost: Amount::new(100),
    };
    let settled = ledger.settle(&escrow, ended, &native.till()).await?;
    assert_eq!((settled.done.len(), settled.waits_for), (1, None));
    let again = ledger.settle(&escrow, ended, &native.till()).await?;
    assert_eq!(again.done.len(), 0);
    let score = |ledger: &Trade| ledger.score(&to, TokioClock.now()).unwrap_or_default();
    let before = score(&ledger);
    let statement = Statement {
        kind: Kind::TaskCompleted { response_ms: 1_000 },
        subject: to.clone(),
        reference: escrow,
    };
    ledger.attest(statement, 1, &native.till()).await?;
    let after = score(&ledger);
    assert!(after > before, "{before} {after}");
    // Another process sees the same.
    let ledger = Trade::open(&native.store).await?;
    assert_eq!(score(&ledger), after);
    Ok(())
}

fn terms(payer: &AgentDid, payee: &AgentDid) -> Result<Terms> {
    let now_ms = TokioClock.now().0;
    Ok(Terms {
        asset: TOKENS.into(),
        amount: Amount::new(100),
        payer: payer.as_did().clone(),
        payee: payee.as_did().clone(),
        arbiter: None,
        task_id: "ships".into(),
        created_ms: now_ms,
        timeout_ms: now_ms + 300_000,
        nonce: [1; 16],
    })
}

#[tokio::test]
async fn forged_replayed_readdressed_and_expired_messages_fail_also_after_a_restart() -> Result<()>
{
    let (_model, mut worker) = worker("", "http://127.0.0.1:9").await?;
    let native = Native::new("harbour", 0x11, &worker.url).await?;
    let other = Native::new("mallory", 0x66, &worker.url).await?;
    let inbox = format!("{}{PATH}", worker.url);
    let to = native.office().meet(&inbox, &native.post).await?;
    other.office().meet(&inbox, &other.post).await?;
    let write = async |of: &Native, draft: Draft, at: UnixMillis| -> Result<Vec<u8>> {
        let written = of.office().write(draft, at).await?;
        Ok(Packet::of(written.sent.envelope().into(), of.signer.log()).to_bytes())
    };
    let now = TokioClock.now();
    let good = write(&native, task(&to, Way::Plain), now).await?;
    let text = String::from_utf8(good.clone())?;

    let altered = text.replace("count the ships", "scuttle a ship");
    assert_eq!(
        refused(&worker, altered.as_bytes()).await?,
        (401, "signature_invalid".into())
    );
    // Signed by another, in this agent's name.
    let forged = String::from_utf8(write(&other, task(&to, Way::Plain), now).await?)?;
    let forged = forged.replace(&other.did().to_string(), &native.did().to_string());
    let said = refused(&worker, forged.as_bytes()).await?;
    assert_ne!(said.0, 200, "{said:?}");
    let readdressed = text.replace(&to.to_string(), &other.did().to_string());
    assert_eq!(
        refused(&worker, readdressed.as_bytes()).await?,
        (421, "recipient_mismatch".into())
    );
    let early = UnixMillis(now.0 - 7_200_000);
    let expired = write(&native, task(&to, Way::Plain), early).await?;
    assert_eq!(refused(&worker, &expired).await?.1, "expired");
    let long = vec![b' '; PACKET_LIMIT_BYTES + 1];
    assert_eq!(refused(&worker, &long).await?.0, 413);
    assert!(letters(&worker.alice()).await?.is_empty());

    let anybody = Client::new(&worker.url, None);
    let taken = anybody.send("POST", PATH, &[], &text).await?;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(refused(&worker, &good).await?, (409, "replay".into()));
    worker.restart().await?;
    assert_eq!(refused(&worker, &good).await?, (409, "replay".into()));
    assert_eq!(letters(&worker.alice()).await?.len(), 1);

    // Letters are one principal's, and nobody's without a token.
    let bob = worker.client(tau_homes::worker::runtime::BOB);
    let code = bob.send("GET", "/v1/letters", &[], "").await?.code();
    assert_eq!(code, "not_your_inbox");
    let stranger = Client::new(&worker.url, None);
    assert_eq!(
        stranger.send("GET", "/v1/letters", &[], "").await?.status,
        401
    );
    Ok(())
}

#[tokio::test]
async fn a_worker_that_names_nobody_takes_no_messages() -> Result<()> {
    let model = Model::start(|_, _| Do::say("")).await?;
    let worker = Worker::start(&model).await?;
    let anybody = Client::new(&worker.url, None);
    assert_eq!(
        anybody.send("GET", PATH, &[], "").await?.code(),
        "inbox_closed"
    );
    let posted = anybody.send("POST", PATH, &[], "{}").await?;
    assert_eq!((posted.status, posted.code()), (404, "inbox_closed".into()));
    Ok(())
}
