//! Going back, going on elsewhere, and summaries.

use anyhow::Result;
use serde_json::json;
use tau_homes::worker::{Do, Model, Worker};

use crate::{at_rest, said};

#[tokio::test]
async fn an_undone_turn_is_kept_on_its_branch_and_can_be_gone_back_to() -> Result<()> {
    let model = Model::start(|asked, _| Do::say(&format!("to {}", asked.last()))).await?;
    let mut worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let nothing = alice.post(&format!("{path}/undo"), &json!({})).await?;
    assert_eq!(
        (nothing.status, nothing.code().as_str()),
        (409, "nothing_to_undo")
    );
    for text in ["one", "two"] {
        alice.prompt(&path, text).await?.rest().await?;
    }
    let old = alice.get(&path).await?["head"].clone();
    assert_eq!(
        alice
            .post(&format!("{path}/undo"), &json!({}))
            .await?
            .status,
        200
    );
    worker.restart().await?;

    let alice = worker.alice();
    assert_eq!(
        said(&alice.get(&path).await?),
        ["user: one", "assistant: to one"]
    );
    let redone = alice.post(&format!("{path}/redo"), &json!({})).await?;
    assert_eq!(redone.json()["head"], old);
    alice.post(&format!("{path}/undo"), &json!({})).await?;
    alice.prompt(&path, "three").await?.rest().await?;
    let view = alice.get(&path).await?;
    let branch = [
        "user: one",
        "assistant: to one",
        "user: three",
        "assistant: to three",
    ];
    assert_eq!(said(&view), branch);
    assert_eq!(view["tips"].as_array().map(Vec::len), Some(2));
    let last = &model.asked()[2];
    assert!(
        !last.body.to_string().contains("two"),
        "the model is not told of what was undone"
    );

    let switched = alice
        .post(&format!("{path}/switch"), &json!({ "to": old }))
        .await?;
    assert_eq!(switched.status, 200, "{}", switched.text);
    let view = alice.get(&path).await?;
    assert_eq!(
        said(&view).last().map(String::as_str),
        Some("assistant: to two")
    );
    let nowhere = alice
        .post(
            &format!("{path}/switch"),
            &json!({"to": "0000000000000000"}),
        )
        .await?;
    assert_eq!(
        (nowhere.status, nowhere.code().as_str()),
        (422, "unknown_entry")
    );

    let export = alice
        .send("GET", &format!("{path}/export"), &[], "")
        .await?;
    let lines = export.text.trim_end().split('\n').map(str::as_bytes);
    assert!(tau_core::journal::replay::replay(lines).is_ok());
    Ok(())
}

#[tokio::test]
async fn a_conversation_is_summarised_when_asked() -> Result<()> {
    let model = Model::start(|asked, _| {
        let is_summary = asked.body["messages"]
            .to_string()
            .contains("Summarise the conversation");
        Do::say(if is_summary { "they greeted" } else { "hello" })
    })
    .await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let nothing = alice.post(&format!("{path}/compact"), &json!({})).await?;
    assert_eq!(
        (nothing.status, nothing.code().as_str()),
        (409, "nothing_to_compact")
    );
    for text in ["one", "two", "three"] {
        alice.prompt(&path, text).await?.rest().await?;
    }
    let reply = alice.post(&format!("{path}/compact"), &json!({})).await?;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let mark = reply.json()["mark"].as_str().unwrap_or_default().to_owned();
    let seen = alice
        .watch(&path, Some(&mark))
        .await?
        .until("compacted")
        .await?;
    assert!(
        seen.iter().any(|event| event.data["summarised"] == true),
        "{seen:?}"
    );
    let view = at_rest(&alice, &path).await?;
    assert!(view["entries"].to_string().contains("they greeted"));
    Ok(())
}
