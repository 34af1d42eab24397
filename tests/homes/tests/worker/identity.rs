//! Who the Worker's agent is, as everybody is told.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tau_homes::worker::{Client, Do, Model, Worker, client::Reply};
use tau_kamn::{
    did_doc::Relationship,
    did_web::DidWeb,
    interop::a2a,
    jcs,
    kel::{Key, KeyLog},
    keys::KeyTree,
};

use crate::said;

const LOG: &str = "/.well-known/kamn/log";
const SEED: [u8; 32] = [0x5a; 32];

fn nobody(worker: &Worker) -> Client {
    Client::new(&worker.url, None)
}

async fn ask(worker: &Worker, path: &str) -> Result<Reply> {
    // From a page of anywhere, under the Worker's name.
    let headers = [
        ("host", "agent.example"),
        ("origin", "https://elsewhere.example"),
    ];
    nobody(worker).send("GET", path, &headers, "").await
}

async fn log(worker: &Worker) -> Result<KeyLog> {
    let reply = ask(worker, LOG).await?;
    KeyLog::read(reply.text.as_bytes()).with_context(|| reply.text.clone())
}

#[tokio::test]
async fn everybody_is_told_who_the_agent_is_and_a_restart_changes_nothing() -> Result<()> {
    let model = Model::scripted([Do::say("hello")]).await?;
    let mut worker = Worker::start(&model).await?;
    let reply = ask(&worker, LOG).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let first = log(&worker).await?;
    let state = first.state()?;

    let reply = ask(&worker, "/.well-known/did.json").await?;
    let host: DidWeb = "did:web:agent.example".parse()?;
    let document = host.accept(reply.text.as_bytes(), None)?.document;
    assert!(document.also_known_as().contains(&state.did().as_kamn()));
    let signing: Vec<Key> = document
        .methods_for(Relationship::Authentication)
        .map(|method| method.key)
        .collect();
    let current = state.current_signing().map(|(_, key)| Key::Signing(*key));
    assert_eq!(signing, Vec::from_iter(current));

    let card = ask(&worker, "/.well-known/agent-card.json").await?;
    let extension = &card.json()["capabilities"]["extensions"][0];
    let extension = jcs::parse(extension.to_string().as_bytes(), 4096)?;
    let identity = a2a::identity(extension)?;
    assert_eq!(
        (&identity.did, &identity.kel_head),
        (state.did(), state.head())
    );
    assert_eq!(card.json()["url"], "https://agent.example/agents/inbox");

    // Two principals are served by one agent, and a turn goes on as before.
    let path = worker.alice().begin(&json!({})).await?;
    worker.alice().prompt(&path, "hi").await?.rest().await?;
    assert_eq!(
        said(&worker.alice().get(&path).await?),
        ["user: hi", "assistant: hello"]
    );
    worker.restart().await?;
    assert_eq!(log(&worker).await?, first);
    Ok(())
}

#[tokio::test]
async fn only_what_is_public_is_told_and_only_by_a_name() -> Result<()> {
    let model = Model::scripted([]).await?;
    let worker = Worker::start(&model).await?;
    for path in [
        "/.well-known/kamn/keys",
        "/identity/keys",
        "/identity/log",
        "/.well-known/",
    ] {
        let reply = ask(&worker, path).await?;
        assert!(
            matches!(reply.status, 401 | 403 | 404),
            "{path}: {}",
            reply.text
        );
        assert!(!reply.text.contains("seed"), "{path}: {}", reply.text);
        let reply = worker.alice().send("POST", path, &[], "").await?;
        assert_eq!(reply.status, 404, "{path}: {}", reply.text);
    }
    // An address is no name: a document for it would be anybody's tomorrow.
    let reply = nobody(&worker)
        .send("GET", "/.well-known/did.json", &[], "")
        .await?;
    assert_eq!((reply.status, reply.code().as_str()), (404, "no_name"));
    assert_eq!(nobody(&worker).send("GET", LOG, &[], "").await?.status, 200);
    assert_eq!(
        nobody(&worker).send("POST", LOG, &[], "").await?.status,
        401
    );
    Ok(())
}

#[tokio::test]
async fn a_seed_from_a_secret_makes_the_agent_and_is_nowhere_else() -> Result<()> {
    let model = Model::scripted([]).await?;
    let seed = STANDARD.encode(SEED);
    let mut worker = Worker::with(&model, &[("TAU_IDENTITY_SEED", &seed)]).await?;
    let first = log(&worker).await?;
    let tree = KeyTree::from_seed(&SEED);
    assert_eq!(first.state()?.identity(), &tree.identity(0).public_key());
    let path = worker.alice().begin(&json!({})).await?;
    worker.alice().get(&path).await?;
    for spelling in [seed.as_str(), "90,90,90,90,90,90", "ZZZZZZZZZZZZ"] {
        assert!(!worker.keeps(spelling)?, "{spelling} is on the disk");
    }

    // Another secret is another agent, and the first one's is the first again: not a second story.
    worker.set("TAU_IDENTITY_SEED", &STANDARD.encode([7; 32]));
    worker.restart().await?;
    assert_ne!(log(&worker).await?.state()?.did(), first.state()?.did());
    worker.set("TAU_IDENTITY_SEED", &seed);
    worker.restart().await?;
    assert_eq!(log(&worker).await?, first);

    let wrong = "c2hvcnQgYW5kIHNlY3JldA==";
    worker.set("TAU_IDENTITY_SEED", wrong);
    worker.restart().await?;
    let reply = ask(&worker, LOG).await?;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (503, "misconfigured")
    );
    assert!(reply.text.contains("TAU_IDENTITY_SEED"), "{}", reply.text);
    assert!(!reply.text.contains(wrong), "{}", reply.text);
    Ok(())
}
