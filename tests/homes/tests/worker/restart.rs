//! The runtime is killed and started again, with and without somebody who asks.

use anyhow::Result;
use serde_json::json;
use std::time::Duration;
use tau_homes::worker::{Do, Model, Worker, client::streamed, model::Asked};
use tau_tests::wire::Piece;

use crate::{at_rest, eventually, said};

#[tokio::test]
async fn a_session_goes_on_after_the_runtime_was_killed() -> Result<()> {
    let model = Model::scripted([Do::say("first"), Do::say("second")]).await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker.alice().begin(&json!({})).await?;
    let before = worker.alice().prompt(&path, "one").await?.rest().await?;
    let mark = before.last().and_then(|event| event.id.clone());
    worker.restart().await?;

    let alice = worker.alice();
    let list = alice.get("/v1/sessions").await?;
    assert_eq!(list["sessions"][0]["title"], "one");
    let mut watch = alice.watch(&path, mark.as_deref()).await?;
    let first = watch.next().await?.expect("an event");
    assert_eq!(
        first.kind, "view",
        "a mark of another life gives the whole session"
    );
    assert_eq!(said(&first.data), ["user: one", "assistant: first"]);

    let events = alice.prompt(&path, "two").await?.rest().await?;
    assert_eq!(streamed(&events), "second");
    let messages = model.asked()[1].body["messages"].as_array().map(Vec::len);
    assert_eq!(messages, Some(4), "system, and what was said before");
    Ok(())
}

#[tokio::test]
async fn a_turn_killed_in_the_middle_is_taken_up_with_nobody_connected() -> Result<()> {
    let model = Model::scripted([
        Do::Stream(vec![Piece::Text("lost".into()), Piece::Hang]),
        Do::say("found"),
    ])
    .await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker.alice().begin(&json!({})).await?;
    let begun = worker
        .alice()
        .post(&format!("{path}/prompt"), &json!({"text": "go"}))
        .await?;
    assert_eq!(begun.status, 202);
    eventually("the provider is asked", async || {
        Ok(model.asked().len() == 1)
    })
    .await?;
    worker.restart().await?;
    // Nobody asks the Worker for anything: only its alarm is left.
    eventually("the provider is asked again", async || {
        Ok(model.asked().len() == 2)
    })
    .await?;
    let view = at_rest(&worker.alice(), &path).await?;
    assert_eq!(said(&view), ["user: go", "assistant: found"]);
    Ok(())
}

#[tokio::test]
async fn a_turn_killed_in_the_middle_is_taken_up_by_the_next_request() -> Result<()> {
    let model = Model::scripted([Do::Hang, Do::say("found")]).await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker.alice().begin(&json!({})).await?;
    worker
        .alice()
        .post(&format!("{path}/prompt"), &json!({"text": "go"}))
        .await?;
    eventually("the provider is asked", async || {
        Ok(model.asked().len() == 1)
    })
    .await?;
    worker.restart().await?;
    let mut watch = worker.alice().watch(&path, None).await?;
    let seen = watch.until("turn_finished").await?;
    assert_eq!(streamed(&seen), "found");
    Ok(())
}

#[tokio::test]
async fn looking_takes_no_turn_up_and_needs_no_model() -> Result<()> {
    let model = Model::scripted([Do::Hang, Do::say("found")]).await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker.alice().begin(&json!({})).await?;
    worker
        .alice()
        .post(&format!("{path}/prompt"), &json!({"text": "go"}))
        .await?;
    eventually("the provider is asked", async || {
        Ok(model.asked().len() == 1)
    })
    .await?;
    worker.kill().await?;
    worker.set("TAU_MODEL", "");
    worker.launch().await?;
    let alice = worker.alice();
    let view = alice.get(&path).await?;
    assert_eq!(
        (&view["running"], said(&view)),
        (&json!(true), vec!["user: go".to_owned()])
    );
    alice.get(&format!("{path}/routines")).await?;
    let export = alice
        .send("GET", &format!("{path}/export"), &[], "")
        .await?;
    assert_eq!(export.status, 200, "{}", export.text);
    let command = alice.post(&format!("{path}/interrupt"), &json!({})).await?;
    assert_eq!((command.status, command.code().as_str()), (503, "no_model"));
    eventually("an alarm that cannot do its work says why", async || {
        Ok(worker.output().contains("no model is set"))
    })
    .await?;

    // What was missing is set: the alarm that was put off has the turn taken up.
    worker.kill().await?;
    worker.set("TAU_MODEL", "m");
    worker.launch().await?;
    eventually("the provider is asked again", async || {
        Ok(model.asked().len() == 2)
    })
    .await?;
    let view = at_rest(&worker.alice(), &path).await?;
    assert_eq!(said(&view), ["user: go", "assistant: found"]);
    Ok(())
}

#[tokio::test]
async fn a_summary_killed_in_the_middle_is_taken_up_with_nobody_connected() -> Result<()> {
    let is_summary = |asked: &Asked| {
        let messages = asked.body["messages"].to_string();
        messages.contains("Summarise the conversation")
    };
    let model = Model::start(move |asked, number| match (is_summary(asked), number) {
        (false, _) => Do::say("hello"),
        (true, 2) => Do::Hang,
        (true, _) => Do::say("they greeted"),
    })
    .await?;
    let mut worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    for text in ["one", "two"] {
        alice.prompt(&path, text).await?.rest().await?;
    }
    let reply = alice.post(&format!("{path}/compact"), &json!({})).await?;
    assert_eq!(reply.status, 202, "{}", reply.text);
    eventually("the summary is asked for", async || {
        Ok(model.asked().len() == 3)
    })
    .await?;
    worker.restart().await?;
    eventually("the summary is asked for again", async || {
        Ok(model.asked().len() == 4)
    })
    .await?;
    let view = at_rest(&worker.alice(), &path).await?;
    assert!(view["entries"].to_string().contains("they greeted"));
    Ok(())
}

#[tokio::test]
async fn a_turn_nobody_watches_is_not_dropped_by_the_runtime() -> Result<()> {
    // Longer than the ten seconds after which an object without requests is dropped.
    let words = (0..14).flat_map(|n| [Piece::Text(format!("w{n} ")), Piece::Wait(1_000)]);
    let model = Model::scripted([Do::Stream(words.collect())]).await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    alice
        .post(&format!("{path}/prompt"), &json!({"text": "go"}))
        .await?;
    tokio::time::sleep(Duration::from_secs(16)).await;
    let expected: String = (0..14).map(|n| format!("w{n} ")).collect();
    let view = at_rest(&alice, &path).await?;
    assert_eq!(
        said(&view),
        ["user: go".to_owned(), format!("assistant: {expected}")]
    );
    assert_eq!(model.asked().len(), 1, "the answer was paid for once");
    Ok(())
}

#[tokio::test]
async fn an_approval_that_comes_after_a_kill_runs_the_tool_once() -> Result<()> {
    let model = Model::start(|asked, _| {
        if asked.last_role() == "tool" {
            return Do::say(&format!("read: {}", asked.last().contains("42")));
        }
        let url = asked.last();
        Do::call("http", &json!({ "url": url }))
    })
    .await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker
        .alice()
        .begin(&json!({ "policy": { "preset": "balanced", "tools": { "http": "ask" } } }))
        .await?;
    let url = format!("{}/page", model.origin);
    let mut turn = worker.alice().prompt(&path, &url).await?;
    turn.until("approval_requested").await?;
    drop(turn);
    worker.restart().await?;

    let alice = worker.alice();
    let view = alice.get(&path).await?;
    assert_eq!(
        view["waiting"][0]["name"], "http",
        "the question outlives the runtime"
    );
    assert_eq!(model.page(), 0, "nothing runs before the answer");
    let wrong = alice
        .post(&format!("{path}/approve"), &json!({"call_id": "c9"}))
        .await?;
    assert_eq!((wrong.status, wrong.code().as_str()), (409, "not_waiting"));
    let yes = alice
        .post(&format!("{path}/approve"), &json!({"call_id": "c1"}))
        .await?;
    assert_eq!(yes.status, 202, "{}", yes.text);
    let view = at_rest(&alice, &path).await?;
    assert_eq!(
        said(&view).last().map(String::as_str),
        Some("assistant: read: true")
    );
    let again = alice
        .post(&format!("{path}/approve"), &json!({"call_id": "c1"}))
        .await?;
    assert_eq!(again.status, 409);
    worker.restart().await?;
    at_rest(&worker.alice(), &path).await?;
    assert_eq!(model.page(), 1, "exactly once");
    Ok(())
}

#[tokio::test]
async fn a_denial_reaches_the_model_and_nothing_runs() -> Result<()> {
    let model = Model::start(|asked, _| match asked.last_role() {
        "tool" => Do::say("understood"),
        _ => Do::call("http", &json!({ "url": asked.last() })),
    })
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice
        .begin(&json!({ "policy": { "tools": { "http": "ask" } } }))
        .await?;
    let mut turn = alice
        .prompt(&path, &format!("{}/page", model.origin))
        .await?;
    turn.until("approval_requested").await?;
    let body = json!({"call_id": "c1", "reason": "not that page"});
    assert_eq!(
        alice.post(&format!("{path}/deny"), &body).await?.status,
        202
    );
    turn.rest().await?;
    assert!(model.asked()[1].last().contains("not that page"));
    assert_eq!(model.page(), 0);
    Ok(())
}

#[tokio::test]
async fn a_turn_that_cannot_be_stored_is_tried_again_later_and_not_by_who_looks() -> Result<()> {
    // Larger than a row can be.
    let piece = Piece::Text("x".repeat(500_000));
    let model = Model::start(move |_, number| match number {
        0 => Do::Stream(vec![piece.clone(); 5]),
        _ => Do::say("shorter"),
    })
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let events = alice.prompt(&path, "go").await?.rest().await?;
    let last = events.last().expect("an event");
    assert_eq!(last.kind, "stopped");
    for _ in 0..2 {
        assert_eq!(alice.get(&path).await?["running"], true);
        let watched = alice
            .send("GET", &format!("{path}/events"), &[], "")
            .await?;
        assert_eq!((watched.status, watched.code().as_str()), (503, "stopped"));
    }
    assert_eq!(model.asked().len(), 1);
    // By the alarm alone.
    eventually("the provider is asked again", async || {
        Ok(model.asked().len() == 2)
    })
    .await?;
    let view = at_rest(&alice, &path).await?;
    assert_eq!(said(&view), ["user: go", "assistant: shorter"]);
    Ok(())
}
