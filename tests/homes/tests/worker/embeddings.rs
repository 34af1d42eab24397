//! Memory that is searched by meaning: by the binding of Workers AI, and by a server.

use anyhow::Result;
use serde_json::{Value, json};
use tau_homes::worker::{Client, Do, Model, Worker};

use super::eventually;

/// The model of Workers AI that the tests name; its vectors have so many numbers.
const BOUND: (&str, usize) = ("@cf/baai/bge-small-en-v1.5", 384);

/// A vector of so many numbers: one direction for what is about cats, another for all else.
fn vector(text: &Value, dimensions: usize) -> Vec<f64> {
    let text = text.as_str().unwrap_or_default();
    let mut vector = vec![0.0; dimensions];
    let is_cat = ["cat", "feline"].iter().any(|word| text.contains(word));
    vector[usize::from(is_cat)] = 2.0;
    vector[2] = 0.1;
    vector
}

fn json_answer(body: &Value) -> Do {
    Do::Status(
        200,
        vec!["content-type: application/json"],
        body.to_string(),
    )
}

/// What the binding answers to what it was asked.
fn bound(asked: &Value) -> Do {
    let texts = asked["text"].as_array().cloned().unwrap_or_default();
    let data: Vec<_> = texts.iter().map(|text| vector(text, BOUND.1)).collect();
    json_answer(&json!({ "shape": [data.len(), BOUND.1], "data": data }))
}

/// What a server answers.
fn served(asked: &Value, dimensions: usize) -> Do {
    let texts = asked["input"].as_array().cloned().unwrap_or_default();
    let data = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "index": index, "embedding": vector(text, dimensions) }));
    json_answer(&json!({ "data": data.collect::<Vec<_>>() }))
}

async fn remember(client: &Client, text: &str) -> Result<Value> {
    let draft = json!({ "text": text, "source": "person" });
    let body = json!({ "do": "remember", "draft": draft });
    Ok(client.post("/v1/memory", &body).await?.json())
}

/// The texts found, and what was told.
async fn search(client: &Client, query: &str) -> Result<(Vec<String>, Value)> {
    let body = json!({ "do": "search", "query": query });
    let reply = client.post("/v1/memory", &body).await?.json();
    let found = reply["answer"]["found"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |found: &Value| {
        found["entry"]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    Ok((found.iter().map(text).collect(), reply["notices"].clone()))
}

#[tokio::test]
async fn a_paraphrase_is_found_through_the_binding() -> Result<()> {
    let model = Model::start(|asked, _| bound(&asked.body)).await?;
    let worker = Worker::with(&model, &[("TAU_EMBEDDINGS", BOUND.0)]).await?;
    let alice = worker.alice();
    for text in ["the cat sat on the rug", "the report is due on Friday"] {
        let kept = remember(&alice, text).await?;
        assert_eq!(kept["notices"], Value::Null, "{kept}");
    }
    let (found, told) = search(&alice, "feline on carpet").await?;
    assert_eq!(
        found.first().map(String::as_str),
        Some("the cat sat on the rug")
    );
    assert_eq!(told, Value::Null);
    let asked = model.asked();
    assert!(asked.iter().all(|asked| asked.path == "/ai"));
    assert_eq!(asked[0].body["model"], BOUND.0);
    assert_eq!(asked[0].body["text"], json!(["the cat sat on the rug"]));
    Ok(())
}

#[tokio::test]
async fn a_binding_that_fails_is_told_and_words_are_searched() -> Result<()> {
    let model = Model::start(|_, number| match number {
        0 => Do::Status(500, vec![], "5007: No such model".into()),
        _ => json_answer(&json!({ "shape": [1, 3], "data": [[1.0, 0.0, 0.0]] })),
    })
    .await?;
    let worker = Worker::with(&model, &[("TAU_EMBEDDINGS", BOUND.0)]).await?;
    let alice = worker.alice();
    let kept = remember(&alice, "the cat sat on the rug").await?;
    let told = kept["notices"][0].as_str().unwrap_or_default();
    assert!(
        told.contains("words alone") && told.contains("No such model"),
        "{told}"
    );
    // Another model answers under the name: what it sends is compared with nothing.
    let kept = remember(&alice, "the report is due").await?;
    let told = kept["notices"][0].as_str().unwrap_or_default();
    assert!(told.contains("vectors of 3 numbers, not 384"), "{told}");
    let (found, _) = search(&alice, "cat").await?;
    assert_eq!(found, ["the cat sat on the rug"]);
    Ok(())
}

#[tokio::test]
async fn another_model_embeds_what_is_kept_behind_the_answers() -> Result<()> {
    let model = Model::start(|asked, _| served(&asked.body, 8)).await?;
    let mut worker = Worker::start(&model).await?;
    for text in ["the cat sat on the rug", "the report is due on Friday"] {
        remember(&worker.alice(), text).await?;
    }
    assert!(model.asked().is_empty(), "nothing makes vectors");

    worker.set("TAU_EMBEDDINGS", "mine");
    worker.set("TAU_EMBEDDINGS_URL", &format!("{}/v1", model.origin));
    worker.set("TAU_EMBEDDINGS_KEY", "the-key-of-embeddings");
    worker.set("TAU_EMBEDDINGS_DIMENSIONS", "8");
    worker.restart().await?;
    let alice = worker.alice();
    eventually("both have a vector", async || {
        let (found, _) = search(&alice, "feline on carpet").await?;
        Ok(found
            .first()
            .is_some_and(|text| text.starts_with("the cat")))
    })
    .await?;
    let asked = model.asked();
    let mut texts: Vec<String> = asked
        .iter()
        .flat_map(|asked| asked.body["input"].as_array().cloned().unwrap_or_default())
        .filter_map(|text| text.as_str().map(Into::into))
        .filter(|text: &String| text != "feline on carpet")
        .collect();
    texts.sort();
    assert_eq!(
        texts,
        ["the cat sat on the rug", "the report is due on Friday"],
        "each once"
    );
    for asked in &asked {
        assert_eq!(asked.path, "/v1/embeddings");
        let key = "authorization: Bearer the-key-of-embeddings";
        assert!(
            asked.headers.iter().any(|header| header == key),
            "{:?}",
            asked.headers
        );
    }
    Ok(())
}

#[tokio::test]
async fn settings_that_make_no_sense_are_told() -> Result<()> {
    let model = Model::scripted([]).await?;
    for variables in [
        &[("TAU_EMBEDDINGS", "mine")][..],
        &[
            ("TAU_EMBEDDINGS", "mine"),
            ("TAU_EMBEDDINGS_DIMENSIONS", "8"),
        ],
        &[
            ("TAU_EMBEDDINGS", BOUND.0),
            ("TAU_EMBEDDINGS_DIMENSIONS", "0"),
        ],
    ] {
        let worker = Worker::with(&model, variables).await?;
        let body = json!({ "do": "tree" });
        let refused = worker.alice().post("/v1/memory", &body).await?;
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert!(refused.text.contains("TAU_EMBEDDINGS"), "{}", refused.text);
    }
    Ok(())
}
