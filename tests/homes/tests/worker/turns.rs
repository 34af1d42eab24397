//! Turns: prompt, stream, list, stop, and what a provider can do wrong.

use anyhow::Result;
use serde_json::json;
use tau_homes::worker::{Do, Model, Worker, client::streamed, runtime::KEY};
use tau_tests::wire::Piece;

use crate::{at_rest, eventually, said};

#[tokio::test]
async fn what_the_operator_says_of_the_agent_stands_in_every_sessions_prompt() -> Result<()> {
    let model = Model::scripted([Do::Stream(vec![Piece::Text("Hello.".into())])]).await?;
    let said = [("TAU_AGENTS", "Ask first."), ("TAU_SOUL", "A gardener.")];
    let worker = Worker::with(&model, &said).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({ "system": "Be kind." })).await?;
    alice.prompt(&path, "Hi!").await?.rest().await?;
    let asked = &model.asked()[0];
    let system = asked.body["messages"][0]["content"].as_str();
    let system = system.unwrap_or_default();
    let parts = [
        "Be kind.",
        "SOUL.md",
        "A gardener.",
        "AGENTS.md",
        "Ask first.",
    ];
    let places = parts.map(|part| system.find(part));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{system}"
    );
    assert!(!system.contains("USER.md") && system.contains("from=\"the person\">\nA gardener."));
    Ok(())
}

#[tokio::test]
async fn a_prompt_is_answered_as_events_listed_and_exported_for_replay() -> Result<()> {
    let model = Model::scripted([Do::Stream(vec![
        Piece::Text("Hello ".into()),
        Piece::Wait(50),
        Piece::Text("there".into()),
    ])])
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({ "system": "Be kind." })).await?;

    let reply = alice
        .send("GET", &format!("{path}/export"), &[], "")
        .await?;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (409, "nothing_to_export")
    );
    let list = alice.get("/v1/sessions").await?;
    assert_eq!(
        list["sessions"][0]["turns"], 0,
        "it is listed before anything is said"
    );

    let events = alice.prompt(&path, "Hi!").await?.rest().await?;
    assert_eq!(streamed(&events), "Hello there");
    assert_eq!(events[0].kind, "turn_started");
    let last = events.last().expect("an event");
    assert_eq!(
        last.data["outcome"]["outcome"], "answered",
        "the stream ends with the turn"
    );

    let asked = &model.asked()[0];
    assert_eq!(asked.path, "/v1/chat/completions");
    assert!(
        asked
            .headers
            .contains(&format!("authorization: Bearer {KEY}"))
    );
    let system = asked.body["messages"][0]["content"]
        .as_str()
        .unwrap_or_default();
    assert!(system.ends_with("Be kind."), "{system}");

    let view = alice.get(&path).await?;
    assert_eq!(said(&view), ["user: Hi!", "assistant: Hello there"]);
    eventually("the line in the list", async || {
        let list = alice.get("/v1/sessions").await?;
        let line = &list["sessions"][0];
        Ok(line["title"] == "Hi!" && line["turns"] == 1 && line["running"] == false)
    })
    .await?;

    let export = alice
        .send("GET", &format!("{path}/export"), &[], "")
        .await?;
    let lines = export.text.trim_end().split('\n').map(str::as_bytes);
    let replayed = tau_core::journal::replay::replay(lines).expect("a replay");
    assert_eq!(replayed.records, 4);

    let everything = [
        &export.text,
        &view.to_string(),
        &list.to_string(),
        &worker.output(),
    ]
    .map(String::as_str)
    .concat();
    assert!(!everything.contains(KEY), "the key is nowhere");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_echoes_the_key_is_not_repeated() -> Result<()> {
    let told = format!("you sent {KEY}, that is {}", KEY.to_uppercase());
    let failed = json!({"error": {"message": told}}).to_string();
    let model = Model::scripted([Do::say(&told), Do::Status(401, vec![], failed)]).await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let events = alice.prompt(&path, "Hi!").await?.rest().await?;
    let streamed = streamed(&events);
    assert!(streamed.starts_with("you sent [redacted:"), "{streamed}");
    alice.prompt(&path, "again").await?.rest().await?;
    let view = at_rest(&alice, &path).await?;
    let export = alice
        .send("GET", &format!("{path}/export"), &[], "")
        .await?;
    let everything = [streamed, view.to_string(), export.text, worker.output()].concat();
    assert!(
        !everything.to_lowercase().contains(KEY),
        "the key is nowhere"
    );
    Ok(())
}

#[tokio::test]
async fn without_a_wish_for_events_a_prompt_is_answered_once_it_is_stored() -> Result<()> {
    let model = Model::scripted([Do::say("one"), Do::say("two")]).await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let reply = alice
        .post(&format!("{path}/prompt"), &json!({"text": "a"}))
        .await?;
    assert_eq!(reply.status, 202);
    let mark = reply.json()["mark"].as_str().expect("a mark").to_owned();
    let seen = alice
        .watch(&path, Some(&mark))
        .await?
        .until("turn_finished")
        .await?;
    assert_eq!(streamed(&seen), "one");
    Ok(())
}

#[tokio::test]
async fn an_interrupt_ends_the_turn_and_the_connection_to_the_provider() -> Result<()> {
    let model = Model::scripted([Do::Stream(vec![
        Piece::Text("for ever".into()),
        Piece::Hang,
    ])])
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let mut turn = alice.prompt(&path, "go").await?;
    turn.until("text_delta").await?;
    let busy = alice
        .post(&format!("{path}/prompt"), &json!({"text": "me too"}))
        .await?;
    assert_eq!((busy.status, busy.code().as_str()), (409, "busy"));

    assert_eq!(
        alice
            .post(&format!("{path}/interrupt"), &json!({}))
            .await?
            .status,
        202
    );
    let rest = turn.rest().await?;
    assert_eq!(
        rest.last().expect("an end").data["outcome"]["outcome"],
        "interrupted"
    );
    eventually("the provider's connection closes", async || {
        Ok(model.closed() == 1)
    })
    .await?;
    assert_eq!(
        said(&alice.get(&path).await?),
        ["user: go", "assistant: for ever"]
    );
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_does_not_end_the_turn() -> Result<()> {
    let model = Model::scripted([Do::Stream(vec![
        Piece::Text("one ".into()),
        Piece::Wait(1_000),
        Piece::Text("two".into()),
    ])])
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let mut turn = alice.prompt(&path, "go").await?;
    turn.until("text_delta").await?;
    drop(turn);
    assert_eq!(
        said(&at_rest(&alice, &path).await?),
        ["user: go", "assistant: one two"]
    );
    assert_eq!(model.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_watcher_goes_on_behind_its_mark_without_loss_or_repetition() -> Result<()> {
    let words = (0..20).flat_map(|n| [Piece::Text(format!("w{n} ")), Piece::Wait(30)]);
    let model = Model::scripted([Do::Stream(words.collect())]).await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;

    let mut watch = alice.watch(&path, None).await?;
    let view = watch.next().await?.expect("a first event");
    assert_eq!((view.kind.as_str(), &view.id), ("view", &None));
    let begun = alice
        .post(&format!("{path}/prompt"), &json!({"text": "go"}))
        .await?;
    assert_eq!(begun.status, 202);

    let mut seen = Vec::new();
    // Away and back again, in the middle of the answer.
    for _ in 0..4 {
        for _ in 0..4 {
            seen.push(watch.next().await?.expect("more"));
        }
        drop(watch);
        let mark = seen.last().and_then(|event| event.id.clone());
        watch = alice.watch(&path, mark.as_deref()).await?;
    }
    seen.extend(watch.until("turn_finished").await?);
    let expected: String = (0..20).map(|n| format!("w{n} ")).collect();
    assert_eq!(streamed(&seen), expected);
    let marks: Vec<_> = seen.iter().filter_map(|event| event.id.clone()).collect();
    let mut unique = marks.clone();
    unique.dedup();
    assert_eq!(marks.len(), seen.len());
    assert_eq!(marks, unique);
    Ok(())
}

#[tokio::test]
async fn what_a_provider_does_wrong_is_told_and_tried_again_where_that_helps() -> Result<()> {
    let garbage = Piece::Raw("data: {\"choices\": [{\"delta\": {\"content\": \"half\n\n".into());
    let model = Model::scripted([
        Do::Stream(vec![garbage, Piece::Close]),
        Do::Stream(vec![Piece::Text("cut of".into()), Piece::Reset]),
        Do::Status(
            429,
            vec!["retry-after: 1"],
            "{\"error\":{\"message\":\"slow down\"}}".into(),
        ),
        Do::say("at last"),
        Do::Status(401, vec![], "{\"error\":{\"message\":\"bad key\"}}".into()),
    ])
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let events = alice.prompt(&path, "go").await?.rest().await?;
    let retries = events
        .iter()
        .filter(|event| event.kind == "retrying")
        .count();
    assert_eq!(retries, 3, "{events:?}");
    assert_eq!(
        said(&alice.get(&path).await?),
        ["user: go", "assistant: at last"]
    );

    let events = alice.prompt(&path, "again").await?.rest().await?;
    let end = &events.last().expect("an end").data["outcome"];
    assert_eq!(
        (&end["outcome"], &end["error"]["kind"]),
        (&json!("failed"), &json!("unauthorized"))
    );
    Ok(())
}
