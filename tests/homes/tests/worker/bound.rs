//! Models of Workers AI, by a binding that has the scripted provider behind it.

use anyhow::Result;
use serde_json::json;
use tau_homes::worker::{Do, Model, Worker, client::streamed};
use tau_tests::wire::Piece;

#[tokio::test]
async fn a_bound_model_streams_in_the_older_and_the_newer_shape() -> Result<()> {
    let older = Piece::Raw(
        "data: {\"response\":\"Hello \"}\n\ndata: {\"response\":\"there\"}\n\n\
         data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n\
         data: [DONE]\n\n"
            .into(),
    );
    let model =
        Model::scripted([Do::Stream(vec![older, Piece::Close]), Do::say("And newer")]).await?;
    let name = "@cf/meta/llama";
    let worker = Worker::with(&model, &[("TAU_MODEL", name), ("TAU_BASE_URL", "")]).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let events = alice.prompt(&path, "hi").await?.rest().await?;
    assert_eq!(streamed(&events), "Hello there");
    let usage = events.iter().find(|event| event.kind == "usage");
    assert_eq!(
        usage.map(|event| event.data["call"]["input_tokens"].clone()),
        Some(json!(5))
    );
    let events = alice.prompt(&path, "more").await?.rest().await?;
    assert_eq!(streamed(&events), "And newer");
    let asked = &model.asked()[1].body;
    assert_eq!(
        (&asked["model"], &asked["stream"]),
        (&json!(name), &json!(true))
    );
    assert_eq!(asked["messages"].as_array().map(Vec::len), Some(4));
    Ok(())
}

#[tokio::test]
async fn a_bound_models_failure_is_told_in_its_words() -> Result<()> {
    let model = Model::start(|_, _| Do::Status(500, vec![], "5007: No such model".into())).await?;
    let worker = Worker::with(
        &model,
        &[("TAU_MODEL", "@cf/no/such"), ("TAU_BASE_URL", "")],
    )
    .await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let events = alice.prompt(&path, "hi").await?.rest().await?;
    let end = &events.last().expect("an end").data["outcome"];
    assert_eq!(
        (&end["outcome"], &end["error"]["kind"]),
        (&json!("failed"), &json!("not_found"))
    );
    assert!(
        end["error"]["message"]
            .to_string()
            .contains("No such model"),
        "{end}"
    );
    assert_eq!(
        model.asked().len(),
        1,
        "what cannot work is not tried again"
    );
    Ok(())
}
