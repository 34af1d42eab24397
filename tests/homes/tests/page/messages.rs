//! The page's agent and one of this machine: what one writes the other takes, carried as text.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use serde_json::{Value, json};
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid,
    attest::Kind,
    envelope::MessageType,
    escrow::{Action, Amount, Terms},
    ledger::Entry,
    settlement::Ended,
    trust::Gates,
};
use tau_platform::{
    Clock, Signer,
    messages::{Arrived, Draft, Packet, Way},
    trade::{CommandFile, Done, File, MAIN, Statement, TOKENS, Trade, height_at},
};
use tau_target_native::TokioClock;

use crate::{
    Stage,
    native::{Native, call, refused, text},
    support::provider::Step,
};

async fn take(stage: &Stage, packet: &str) -> Value {
    call(stage, "message.take", json!({ "packet": packet })).await
}

async fn not_taken(stage: &Stage, packet: &str) -> String {
    refused(stage, "message.take", json!({ "packet": packet })).await
}

async fn reload(stage: &Stage) {
    stage.browser.reload().await;
    stage
        .run("await open({ agents: true });", Value::Null)
        .await;
}

/// What the page says of an agent's score.
async fn score(stage: &Stage, did: &AgentDid) -> u64 {
    let shown = call(stage, "trust.show", json!({ "did": did.as_kamn() })).await;
    shown["score"].as_u64().unwrap()
}

fn request(to: &AgentDid, way: Way) -> Draft {
    Draft::request(to.clone(), "Please count the ships in the harbour.", way)
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one way from the first word to the last"
)]
async fn the_page_and_a_native_agent_meet_work_for_each_other_and_settle() {
    let stage = Stage::among_agents([Step::Say(&["Good to know."], 0)]).await;
    let native = Native::new("harbour", 0x11).await;

    // Each is shown the other's log of keys.
    let page = native.learn(&stage).await;
    let log = native.signer.log().to_value().to_canonical();
    let learned = call(&stage, "identity.learn", json!({ "log": log })).await;
    assert_eq!(learned["learned"], "first");

    // They shake hands, by packets that somebody carries.
    let to = native.name();
    let under_none = json!({ "to": to, "text": "too early", "way": "channel" });
    let code = refused(&stage, "message.write", under_none).await;
    assert_eq!(code, "session_unknown");
    let proposal = call(&stage, "message.shake", json!({ "to": to })).await;
    assert_eq!(proposal["status"], "handed");
    let (_, acceptance) = native.take(&proposal["packet"]).await;
    let accepted = take(&stage, &acceptance.unwrap()).await;
    assert_eq!(accepted["letter"], Value::Null, "nothing to be read");
    let (_, end) = native.take(&accepted["reply"]).await;
    assert_eq!(end, None);
    assert!(native.office().has_channel(&page).await.unwrap());
    let channels = call(&stage, "message.channels", json!({})).await;
    assert_eq!(channels[0]["with"], to);

    // What the task may cost is reserved before it is handed on, and the message names the escrow.
    let too_much = json!({ "to": to, "amount": 100, "deadline_ms": 300_000 });
    let code = refused(&stage, "escrow.reserve", too_much).await;
    assert_eq!(code, "insufficient_funds");
    let has = call(&stage, "escrow.deposit", json!({ "amount": 500 })).await;
    assert_eq!(
        (&has["available"], &has["asset"]),
        (&json!("500"), &json!(TOKENS))
    );
    let terms = json!({ "to": to, "amount": "100", "deadline_ms": 300_000, "task": "ships" });
    let reserved = call(&stage, "escrow.reserve", terms).await;
    assert_eq!(reserved["done"], "recorded", "{reserved}");
    let id = text(&reserved["id"]).to_owned();
    let delegated = json!({
        "to": to, "text": "Please count the ships in the harbour.", "kind": "Delegation",
        "way": "channel", "fields": { "escrow": id },
    });
    let delegated = call(&stage, "message.write", delegated).await;
    let (task, _) = native.take(&delegated["packet"]).await;
    assert_eq!(task.from, page);
    assert_eq!(
        task.received.envelope().message_type,
        MessageType::Delegation
    );
    assert_eq!(task.body["escrow"], id);
    let mut ledger = native.follow(&stage).await;
    let kept = ledger.ledger_of(&id).unwrap();
    let machine = kept.ledger().escrow(&id).unwrap().machine().unwrap();
    assert_eq!(machine.remaining(), Amount::new(100));

    // A key changes in the middle, and what the old one signs counts no more.
    let office = native.office();
    let old = office.write(request(&page, Way::Plain), TokioClock.now());
    let old = old.await.unwrap();
    let native = native.rotated().await;
    let answer = Draft {
        kind: MessageType::Response,
        answers: Some(task.id.clone()),
        ..Draft::request(page.clone(), "Seven ships.", Way::Session)
    };
    let answer = native.write(answer, TokioClock.now()).await;
    let taken = take(&stage, &answer).await;
    assert_eq!(
        (&taken["text"], &taken["sealed"], &taken["kind"]),
        (&json!("Seven ships."), &json!(true), &json!("Response"))
    );
    let stale = native.packet(old.sent.envelope(), false);
    assert_eq!(not_taken(&stage, &stale).await, "kel_key_not_active");

    // The letter begins a turn of a session, as content of somebody else, once.
    let letters = call(&stage, "message.list", json!({ "unread": true })).await;
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");
    assert_eq!(letters[0]["answers"], delegated["id"]);
    let nowhere = json!({ "letter": letters[0]["name"], "session": "nobody" });
    let code = refused(&stage, "message.give", nowhere).await;
    assert_eq!(code, "not_open");
    let view = stage
        .run(
            "const { session } = await call('sessions.create');
             await call('message.give', { letter: given, session });
             await event('turn_finished');
             return call('sessions.open', { session });",
            letters[0]["name"].clone(),
        )
        .await;
    let first = &view["entries"][0];
    assert_eq!(first["sender"]["did"], native.did().to_string(), "{view}");
    let asked = stage.provider.bodies()[0].to_string();
    assert!(asked.contains("<message of another agent>"), "{asked}");
    assert!(asked.contains("Seven ships."), "{asked}");
    let again = json!({ "letter": letters[0]["name"], "session": view["session"] });
    assert_eq!(
        refused(&stage, "message.give", again).await,
        "given_already"
    );
    let unread = call(&stage, "message.list", json!({ "unread": true })).await;
    assert_eq!(unread, json!([]));

    // It cost less than was reserved: the payer releases that, and the payee gives back the rest.
    let settled = call(&stage, "escrow.settle", json!({ "id": id, "cost": 80 })).await;
    assert_eq!(settled["escrow"]["released"], "80", "{settled}");
    assert_eq!(settled["waits_for"], to);
    let again = call(&stage, "escrow.settle", json!({ "id": id, "cost": 80 })).await;
    assert_eq!(again["recorded"], 0, "nothing is paid twice");
    ledger = native.follow(&stage).await;
    let till = native.till();
    let back = ledger.command(&id, Action::RefundByPayee, &till);
    let Done::ForKeeper { command, .. } = back.await.unwrap() else {
        panic!("the page keeps the ledger");
    };
    let log = native.signer.log().clone();
    let command = File::Command(CommandFile { log, command });
    let command = json!({ "text": command.to_value().unwrap().to_canonical() });
    let ended = call(&stage, "escrow.import", command.clone()).await;
    assert_eq!(
        (&ended["done"], &ended["escrow"]["remaining"]),
        (&json!("recorded"), &json!("0")),
        "{ended}"
    );
    let again = call(&stage, "escrow.import", command).await;
    assert_eq!(again["done"], "repeated");
    assert_eq!(call(&stage, "escrow.list", json!({})).await, json!([]));

    // Who paid says how it went, and the score moves on both sides, to the same.
    let before = score(&stage, &native.did()).await;
    let said = json!({ "did": to, "task": id, "outcome": "completed", "response_ms": 900 });
    call(&stage, "trust.attest", said).await;
    let after = score(&stage, &native.did()).await;
    assert!(after > before, "{before} {after}");
    let exported = call(&stage, "trust.export", json!({})).await;
    let File::Trust(trust) = File::read(text(&exported).as_bytes()).unwrap() else {
        panic!("no attestations: {exported}");
    };
    let now = TokioClock.now();
    let moved = ledger.import_trust(&trust, &native.store, now).await;
    assert_eq!(moved.unwrap().admitted.len(), 1);
    let there = ledger.score(&native.did(), now).unwrap();
    assert_eq!(u64::from(there), after);

    // And the other way: the native agent pays the page's, in a ledger of its own.
    let earned = pay(&native, &mut ledger, &page).await;
    let trust = ledger.export_trust(height_at(TokioClock.now()), &native.store);
    let trust = trust.await.unwrap().to_value().unwrap().to_canonical();
    let before = score(&stage, &page).await;
    let taken = call(&stage, "trust.import", json!({ "text": trust })).await;
    assert_eq!(
        (taken["admitted"].as_array().unwrap().len(), &taken["known"]),
        (1, &json!(1)),
        "{taken}"
    );
    let own = score(&stage, &page).await;
    assert!(own > before, "{before} {own}");
    assert_eq!(own, u64::from(earned));

    // All of it is there after a reload.
    reload(&stage).await;
    assert_eq!(score(&stage, &native.did()).await, after);
    assert_eq!(score(&stage, &page).await, own);
    let ledgers = call(&stage, "escrow.ledgers", json!({})).await;
    for ledger in ledgers.as_array().unwrap() {
        assert_eq!(ledger["holds"], true, "{ledger}");
        assert_eq!(ledger["sums"][0]["sums_to_zero"], true, "{ledger}");
    }
    assert_eq!(ledgers.as_array().unwrap().len(), 2);
    assert_eq!(not_taken(&stage, &answer).await, "replay");
    let more = Draft::request(page.clone(), "Eight now.", Way::Session);
    let more = native.write(more, TokioClock.now()).await;
    assert_eq!(take(&stage, &more).await["text"], "Eight now.");
    stage.browser.end().await;
}

/// Reserves an amount for the page's agent, pays it, and says that the task was done; its score then.
async fn pay(native: &Native, ledger: &mut Trade, page: &AgentDid) -> u16 {
    let now = TokioClock.now();
    let terms = Terms {
        asset: TOKENS.into(),
        amount: Amount::new(50),
        payer: native.did().as_did().clone(),
        payee: page.as_did().clone(),
        arbiter: None,
        task_id: "report".into(),
        created_ms: now.0,
        timeout_ms: now.0 + 300_000,
        nonce: [1; 16],
    };
    let id = terms.id().unwrap();
    let deposit = Entry::Deposit {
        account: terms.payer.clone(),
        asset: TOKENS.into(),
        amount: Amount::new(50),
        receipt: None,
    };
    let till = native.till();
    ledger.record(MAIN, deposit, &till).await.unwrap();
    let reserved = ledger.reserve(MAIN, terms, &Gates::default(), &till).await;
    assert!(matches!(reserved.unwrap(), Done::Recorded(_)));
    let ended = Ended::Succeeded {
        cost: Amount::new(50),
    };
    let settled = ledger.settle(&id, ended, &till).await.unwrap();
    assert_eq!(settled.waits_for, None);
    let statement = Statement {
        kind: Kind::TaskCompleted { response_ms: 900 },
        subject: page.clone(),
        reference: id,
    };
    ledger.attest(statement, 1, &till).await.unwrap();
    ledger.score(page, TokioClock.now()).unwrap()
}

#[tokio::test]
async fn forged_replayed_readdressed_and_expired_packets_fail_also_after_a_reload() {
    let stage = Stage::among_agents([]).await;
    let native = Native::new("harbour", 0x11).await;
    let other = Native::new("mallory", 0x66).await;
    let page = native.learn(&stage).await;
    other.learn(&stage).await;
    let now = TokioClock.now();
    let good = native.write(request(&page, Way::Plain), now).await;
    let sealed = native.write(request(&page, Way::Sealed), now).await;

    let altered = good.replace("count the ships", "scuttle a ship");
    assert_ne!(altered, good);
    // Signed by another, in this agent's name: once with its log, and once with one made of another's.
    let renamed = other.write(request(&page, Way::Plain), now).await;
    let renamed = renamed.replace(&other.did().to_string(), &native.did().to_string());
    let mut forged = Packet::of(String::new(), native.signer.log());
    let message: Value = serde_json::from_str(&renamed).unwrap();
    forged.message = message["message"].to_string();
    let forged = String::from_utf8(forged.to_bytes()).unwrap();
    let readdressed = good.replace(&page.to_string(), &other.did().to_string());
    let early = UnixMillis(now.0 - 7_200_000);
    let expired = native.write(request(&page, Way::Plain), early).await;
    let bad = [
        (&altered, "signature_invalid"),
        (&forged, "signature_invalid"),
        (&renamed, "kel_signature_invalid"),
        (&readdressed, "recipient_mismatch"),
        (&expired, "expired"),
    ];
    for (packet, code) in bad {
        assert_eq!(not_taken(&stage, packet).await, code);
    }
    for nothing in ["", "{}", "[1]", "hello", "{\"v\":2}"] {
        assert_ne!(not_taken(&stage, nothing).await, "", "{nothing:?}");
    }
    let none = call(&stage, "message.list", json!({})).await;
    assert_eq!(none, json!([]), "nothing of it was kept");

    assert_eq!(take(&stage, &good).await["sealed"], false);
    assert_eq!(take(&stage, &sealed).await["sealed"], true);
    reload(&stage).await;
    for (packet, code) in bad {
        assert_eq!(not_taken(&stage, packet).await, code);
    }
    for packet in [&good, &sealed] {
        assert_eq!(not_taken(&stage, packet).await, "replay");
    }
    let letters = call(&stage, "message.list", json!({})).await;
    assert_eq!(letters.as_array().unwrap().len(), 2, "{letters}");

    // What it writes itself is for its recipient alone, and holds no secret.
    let token = ["ghp", "_a1B2c3D4e5F6", "g7H8i9J0k1L2", "m3N4o5P6q7R8"].concat();
    let secret = json!({ "to": native.name(), "text": format!("use {token}") });
    let code = refused(&stage, "message.write", secret).await;
    assert_eq!(code, "message_holds_secret");
    let written = json!({ "to": native.name(), "text": "Aye." });
    let written = call(&stage, "message.write", written).await;
    let (taken, _) = native.take(&written["packet"]).await;
    assert_eq!(taken.body["text"], "Aye.");
    let arrived = Arrived {
        bytes: text(&written["packet"]).as_bytes(),
        place: "page",
        answers: false,
    };
    let stranger = other.office();
    let read = stranger.receive(&other.desk, arrived, &other.gate, TokioClock.now());
    assert_eq!(read.await.unwrap_err().reason_code(), "recipient_mismatch");
    stage.browser.end().await;
}

#[tokio::test]
async fn a_page_that_was_not_opened_for_it_says_what_dealing_with_others_takes() {
    let stage = Stage::new([]).await;
    for name in ["message.list", "trust.list", "escrow.list"] {
        assert_eq!(refused(&stage, name, json!({})).await, "not_opened");
    }
    stage.browser.end().await;
}
