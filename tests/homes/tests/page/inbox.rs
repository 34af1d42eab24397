//! What the page's agent sends by HTTP, to an inbox that pages may reach.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tau_platform::{
    Clock, Signer,
    messages::{Answer, Arrived, list},
};
use tau_target_native::TokioClock;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Stage,
    native::{Native, call, refused},
    support::http::{Server, send},
};

/// What an inbox was asked, and where its answer goes.
type Visit = (Option<Vec<u8>>, oneshot::Sender<Vec<u8>>);

const CORS: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "*"),
    ("content-type", "application/json"),
];

/// An inbox that pages may reach.
async fn inbox() -> (Server, mpsc::Receiver<Visit>) {
    let (tell, visits) = mpsc::channel::<Visit>(8);
    let server = Server::start(move |asked, mut stream| {
        let tell = tell.clone();
        async move {
            if asked.method == "OPTIONS" {
                return send(&mut stream, "204 No Content", &CORS, b"").await;
            }
            let (reply, answer) = oneshot::channel();
            let packet = (asked.method == "POST").then_some(asked.body);
            let told = tell.send((packet, reply)).await;
            let answer = answer.await.unwrap_or_default();
            assert!(told.is_ok(), "somebody answers");
            // Refusals too: as an error they would stand in the browser's console.
            send(&mut stream, "200 OK", &CORS, &answer).await
        }
    });
    (server.await, visits)
}

/// How an inbox is doing.
#[derive(Default)]
struct Doing {
    asked: AtomicUsize,
    /// What it answers is lost on the way.
    loses: AtomicBool,
}

/// Answers all who ask.
async fn serve(native: &Native, visits: &mut mpsc::Receiver<Visit>, doing: &Doing) {
    while let Some((packet, reply)) = visits.recv().await {
        doing.asked.fetch_add(1, Ordering::Relaxed);
        let Some(packet) = packet else {
            let about = Answer::about(native.signer.log()).to_bytes();
            reply.send(about).unwrap();
            continue;
        };
        let arrived = Arrived {
            bytes: &packet,
            place: "page",
            answers: true,
        };
        let office = native.office();
        let answer = office.answer(&native.desk, arrived, &native.gate, TokioClock.now());
        let (answer, _) = answer.await;
        let told = match doing.loses.load(Ordering::Relaxed) {
            true => b"lost".to_vec(),
            false => answer.to_bytes(),
        };
        reply.send(told).unwrap();
    }
}

#[tokio::test]
async fn the_page_sends_where_the_policy_and_the_person_allow() {
    let stage = Stage::among_agents([]).await;
    let native = Native::new("harbour", 0x11).await;
    let (server, mut visits) = inbox().await;
    let url = format!("{}/agents/inbox", server.url);
    let doing = Doing::default();
    let steps = async {
        // The policy keeps this machine from pages, so nobody is asked.
        let mut message = json!({
            "to": native.name(), "text": "Ahoy.", "url": url, "way": "channel",
        });
        let code = refused(&stage, "message.send", message.clone()).await;
        let asked = || doing.asked.load(Ordering::Relaxed);
        assert_eq!((code.as_str(), asked()), ("address_unknown", 0));
        // Who listens is asked for its keys, hands are shaken, and the message follows.
        message["allow"] = json!([server.url]);
        let sent = call(&stage, "message.send", message.clone()).await;
        assert_eq!(sent["status"], "taken", "{sent}");
        assert_eq!(asked(), 4);
        message["to"] = Native::new("mallory", 0x66).await.name().into();
        let code = refused(&stage, "message.send", message).await;
        assert_eq!(code, "recipient_mismatch");
        // What was carried before may be sent, and is taken once.
        let written = json!({ "to": native.name(), "text": "Ahoy again." });
        let written = call(&stage, "message.write", written).await;
        let by_id = json!({ "id": written["id"], "allow": [server.url] });
        let sent = call(&stage, "message.send", by_id.clone()).await;
        assert_eq!(sent["status"], "taken", "{sent}");
        assert_eq!(
            refused(&stage, "message.send", by_id).await,
            "message_ended"
        );
        // An answer that was lost is no reason for another message: the same one is sent again.
        doing.loses.store(true, Ordering::Relaxed);
        let message = json!({ "to": native.name(), "text": "Farewell.", "allow": [server.url] });
        let sent = call(&stage, "message.send", message).await;
        assert_eq!(sent["status"], "waiting", "{sent}");
        doing.loses.store(false, Ordering::Relaxed);
        let flush = "return until(async () => {
                         const { sent } = await call('message.flush', { allow: [given] });
                         return sent.length && sent;
                     });";
        let flushed = stage.run(flush, server.url.clone().into()).await;
        assert_eq!(
            (&flushed[0]["id"], &flushed[0]["status"]),
            (&sent["id"], &json!("taken"))
        );
    };
    tokio::select! {
        () = steps => {}
        () = serve(&native, &mut visits, &doing) => panic!("the inbox is gone"),
    }
    let mut held = list(&native.store, None, true).await.unwrap();
    held.sort_by_key(|held| held.letter.received());
    let texts: Vec<&str> = held.iter().map(|held| held.letter.text()).collect();
    assert_eq!(texts, ["Ahoy.", "Ahoy again.", "Farewell."]);
    assert!(held.iter().all(|held| held.letter.is_sealed()));
    let sent = call(&stage, "message.sent", json!({})).await;
    assert!(
        sent.as_array()
            .unwrap()
            .iter()
            .all(|sent| sent["status"] != "waiting"),
        "{sent}"
    );
    stage.browser.end().await;
}
