//! An agent of this machine, with a store and keys of its own, and what is asked of the page's.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use serde_json::{Value, json};
use tau_core::{ids::UnixMillis, policy::Policy, safety::Gate};
use tau_kamn::{AgentDid, kel::KeyLog, keys::KeyTree, time::Timestamp};
use tau_platform::{
    Clock, Signer, TreeSigner,
    messages::{Arrived, Desk, Draft, Office, Packet, Taken},
    own_log, peers,
    trade::{self, File, Trade},
};
use tau_target_native::{SqliteStorage, SystemEntropy, TokioClock};
use tempfile::TempDir;

use crate::Stage;

/// The agent of this machine.
pub(crate) struct Native {
    _folder: TempDir,
    pub(crate) store: SqliteStorage,
    pub(crate) signer: TreeSigner,
    pub(crate) desk: Desk,
    pub(crate) gate: Gate,
}

impl Native {
    pub(crate) async fn new(label: &str, seed: u8) -> Self {
        let folder = TempDir::new().unwrap();
        let store = SqliteStorage::open(&folder.path().join("tau.db")).unwrap();
        let tree = KeyTree::from_seed(&[seed; 32]);
        let made = Timestamp::from_unix_ms(TokioClock.now().0).unwrap();
        let log = KeyLog::of_tree(label, &tree, made).unwrap();
        own_log::keep(&store, &log).await.unwrap();
        Self {
            _folder: folder,
            store,
            signer: TreeSigner::new(tree, log).unwrap(),
            desk: Desk::default(),
            gate: Gate::new(&Policy::default()),
        }
    }

    pub(crate) fn office(&self) -> Office<'_, SqliteStorage, TreeSigner, SystemEntropy> {
        Office {
            storage: &self.store,
            signer: &self.signer,
            entropy: &SystemEntropy,
        }
    }

    pub(crate) fn did(&self) -> AgentDid {
        self.signer.log().unchecked_state().did().clone()
    }

    pub(crate) fn name(&self) -> String {
        self.did().as_kamn()
    }

    /// Learns who the page's agent is, from its log.
    pub(crate) async fn learn(&self, stage: &Stage) -> AgentDid {
        let log = call(stage, "identity.log", json!({})).await;
        let log = KeyLog::read(text(&log).as_bytes()).unwrap();
        peers::learn(&self.store, &log).await.unwrap();
        log.unchecked_state().did().clone()
    }

    /// Takes a packet, and gives what is replied.
    pub(crate) async fn take(&self, packet: &Value) -> (Taken, Option<String>) {
        let arrived = Arrived {
            bytes: text(packet).as_bytes(),
            place: "page",
            answers: true,
        };
        let office = self.office();
        let taken = office.receive(&self.desk, arrived, &self.gate, TokioClock.now());
        let taken = taken.await.unwrap();
        let reply = taken.replies.first();
        let reply = reply.map(|sent| self.packet(sent.envelope(), true));
        (taken, reply)
    }

    pub(crate) async fn write(&self, draft: Draft, at: UnixMillis) -> String {
        let written = self.office().write(draft, at).await.unwrap();
        self.packet(written.sent.envelope(), true)
    }

    pub(crate) fn packet(&self, envelope: &str, with_log: bool) -> String {
        let mut packet = Packet::of(envelope.into(), self.signer.log());
        packet.log = packet.log.filter(|_| with_log);
        String::from_utf8(packet.to_bytes()).unwrap()
    }

    /// The agent with the next key to sign with.
    pub(crate) async fn rotated(self) -> Self {
        let change = self.signer.rotation(true, false);
        let signer = self.signer.changed(change, TokioClock.now()).await.unwrap();
        own_log::keep(&self.store, signer.log()).await.unwrap();
        Self { signer, ..self }
    }

    pub(crate) fn till(&self) -> trade::Desk<'_, SqliteStorage, TreeSigner> {
        trade::Desk {
            storage: &self.store,
            signer: &self.signer,
            now: TokioClock.now(),
        }
    }

    /// Takes in the page's ledger as it is now.
    pub(crate) async fn follow(&self, stage: &Stage) -> Trade {
        let exported = call(stage, "escrow.export", json!({})).await;
        let File::Ledger { logs, ledger } = File::read(text(&exported).as_bytes()).unwrap() else {
            panic!("no ledger: {exported}");
        };
        let mut trade = Trade::open(&self.store).await.unwrap();
        trade.learn(&logs, &self.store).await.unwrap();
        let imported = trade.import_ledger(&ledger, &self.store).await.unwrap();
        assert!(imported.new > 0, "{imported:?}");
        trade
    }
}

/// What the page's agent answers.
pub(crate) async fn call(stage: &Stage, name: &str, args: Value) -> Value {
    let given = json!({ "name": name, "args": args });
    stage
        .run("return call(given.name, given.args);", given)
        .await
}

/// The code with which a call is refused.
pub(crate) async fn refused(stage: &Stage, name: &str, args: Value) -> String {
    let given = json!({ "name": name, "args": args });
    let tried = stage
        .browser
        .try_run("return call(given.name, given.args);", given);
    let error = tried.await.unwrap_err();
    error["code"].as_str().unwrap_or_default().to_owned()
}

/// A value that must be text.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
