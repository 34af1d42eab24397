//! Bodies, rates and numbers that are refused.

use anyhow::Result;
use serde_json::json;
use tau_homes::worker::{
    Do, Model, Worker,
    runtime::{ALICE, BOB},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn bodies_that_are_too_large_or_no_json_are_refused() -> Result<()> {
    let model = Model::scripted([Do::say("still here")]).await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let prompt = format!("{path}/prompt");

    let large = json!({ "text": "x".repeat(1024 * 1024) }).to_string();
    let text = json!({ "text": "x".repeat(300 * 1024) }).to_string();
    for (body, status, code) in [
        (large.as_str(), 413, "too_large"),
        (&text, 413, "too_large"),
        ("{\"text\": \"a\"", 400, "malformed_json"),
        ("nonsense", 400, "malformed_json"),
        ("{\"text\": 7}", 422, "invalid_request"),
        ("{\"txt\": \"a\"}", 422, "invalid_request"),
        ("{\"text\": \"a\", \"loud\": true}", 422, "invalid_request"),
        ("{\"text\": \" \"}", 422, "empty_prompt"),
    ] {
        let reply = alice.send("POST", &prompt, &[], body).await?;
        let shown = &body[..body.len().min(40)];
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{shown}"
        );
    }
    for (body, code) in [
        (json!({"policy": "lax"}), "invalid_request"),
        (json!({"policy": {"shell": "allow"}}), "invalid_request"),
        (json!({"budgets": {"cost_nano_usd": 5}}), "invalid_request"),
        (json!({"system": "x".repeat(70_000)}), "invalid_request"),
    ] {
        let reply = alice.post("/v1/sessions", &body).await?;
        assert_eq!((reply.status, reply.code().as_str()), (422, code));
    }
    let events = alice.prompt(&path, "are you there?").await?.rest().await?;
    assert!(!events.is_empty());
    assert_eq!(model.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_body_without_an_announced_length_is_read_no_further_than_the_limit() -> Result<()> {
    let model = Model::scripted([]).await?;
    let worker = Worker::start(&model).await?;
    let address = worker.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ALICE}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        // Until the Worker no longer listens, or far beyond the limit.
        for _ in 0..64 {
            if writer.write_all(&piece).await.is_err() {
                break;
            }
        }
        writer
    });
    let mut answer = vec![0; 4096];
    let read = reader.read(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    writing.abort();
    Ok(())
}

#[tokio::test]
async fn a_principal_who_asks_too_often_waits_and_nobody_else_does() -> Result<()> {
    let model = Model::scripted([]).await?;
    let worker = Worker::with(&model, &[("TAU_REQUESTS_PER_MINUTE", "6")]).await?;
    let alice = worker.alice();
    for _ in 0..6 {
        alice.get("/v1/sessions").await?;
    }
    let reply = alice.send("GET", "/v1/sessions", &[], "").await?;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (429, "too_many_requests")
    );
    let wait: u32 = reply.header("retry-after").unwrap_or_default().parse()?;
    assert!((1..=10).contains(&wait), "{wait}");
    worker.client(BOB).get("/v1/sessions").await?;
    Ok(())
}

#[tokio::test]
async fn a_principal_has_so_many_sessions_and_can_delete_some() -> Result<()> {
    let model = Model::scripted([Do::say("one")]).await?;
    let mut worker = Worker::with(&model, &[("TAU_SESSIONS_PER_PRINCIPAL", "2")]).await?;
    let alice = worker.alice();
    let first = alice.begin(&json!({})).await?;
    alice.prompt(&first, "hello").await?.rest().await?;
    alice.begin(&json!({})).await?;
    let reply = alice.post("/v1/sessions", &json!({})).await?;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (409, "too_many_sessions")
    );

    assert_eq!(alice.send("DELETE", &first, &[], "").await?.status, 204);
    assert_eq!(alice.send("GET", &first, &[], "").await?.status, 404);
    assert_eq!(alice.send("DELETE", &first, &[], "").await?.status, 404);
    alice.begin(&json!({})).await?;
    worker.restart().await?;
    let reply = worker.alice().send("GET", &first, &[], "").await?;
    assert_eq!(reply.status, 404, "what was deleted stays deleted");
    let list = worker.alice().get("/v1/sessions").await?;
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_session_is_deleted_in_the_middle_of_its_turn() -> Result<()> {
    let model = Model::scripted([Do::Hang, Do::say("never")]).await?;
    let mut worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    alice
        .post(&format!("{path}/prompt"), &json!({"text": "go"}))
        .await?;
    crate::eventually("the provider is asked", async || {
        Ok(model.asked().len() == 1)
    })
    .await?;
    assert_eq!(alice.send("DELETE", &path, &[], "").await?.status, 204);
    let routine = json!({"id": "r", "prompt": "are you there?", "every_ms": 1_000});
    for (verb, body) in [
        ("prompt", json!({"text": "go"})),
        ("routines", routine),
        ("interrupt", json!({})),
    ] {
        let reply = alice.post(&format!("{path}/{verb}"), &body).await?;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (404, "no_such_session"),
            "{verb}"
        );
    }
    crate::eventually("its connection closes", async || Ok(model.closed() == 1)).await?;
    worker.restart().await?;
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert_eq!(model.asked().len(), 1, "no alarm wakes what is deleted");
    assert_eq!(
        worker.alice().get("/v1/sessions").await?["sessions"],
        json!([])
    );
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_full_takes_no_prompt_and_can_be_read() -> Result<()> {
    let answer = "all work and no play ".repeat(60_000);
    let model = Model::start(move |_, _| Do::say(&answer)).await?;
    let worker = Worker::with(&model, &[("TAU_CONTEXT_TOKENS", "4000000000")]).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let mut taken = 0;
    let full = loop {
        let reply = alice
            .post(&format!("{path}/prompt"), &json!({"text": "more"}))
            .await?;
        if reply.status != 202 {
            break reply;
        }
        taken += 1;
        assert!(taken < 30, "nothing ends it");
        crate::at_rest(&alice, &path).await?;
        // So that the next request does not carry this answer.
        alice.post(&format!("{path}/undo"), &json!({})).await?;
    };
    assert_eq!(
        (full.status, full.code().as_str()),
        (507, "session_full"),
        "{}",
        full.text
    );
    assert!(full.json()["error"]["hint"].is_string());
    assert!(taken > 10, "{taken} answers of a megabyte");
    let routine = json!({"id": "r", "prompt": "and more", "every_ms": 1_000});
    let refused = alice.post(&format!("{path}/routines"), &routine).await?;
    assert_eq!(refused.code(), "session_full");
    let export = alice
        .send("GET", &format!("{path}/export"), &[], "")
        .await?;
    assert_eq!(export.status, 200);
    assert_eq!(model.asked().len(), taken);
    Ok(())
}
