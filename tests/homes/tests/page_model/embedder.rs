//! The embedder alone, by the messages of `model.js`.

use serde_json::{Value, json};

use super::Stage;

/// A worker that nothing but the test speaks to, and what it said.
const WORKER: &str = "
    window.said = [];
    window.worker = new Worker('/model.js', { type: 'module' });
    worker.addEventListener('message', ({ data }) => said.push(data));
";

impl Stage {
    /// The first message of that name.
    async fn said(&self, name: &str) -> Value {
        self.until(&format!(
            "const found = window.said.find((one) => '{name}' in one); return found ? found.{name} : null"
        ))
        .await
    }

    /// Sends `message`, an expression that may use `given`, the folder of the models.
    async fn tell(&self, message: &str) {
        self.run(&format!("window.said = []; worker.postMessage({message})"))
            .await;
    }

    /// Loads the embedder; the stages of what was told meanwhile.
    async fn load_embedder(&self) -> Value {
        self.tell("{ load_embedder: { url: given } }").await;
        let space = self.said("embedder_loaded").await;
        let space: Value = serde_json::from_str(space.as_str().unwrap()).unwrap();
        assert_eq!(
            space,
            json!({ "name": "all-MiniLM-L6-v2", "dimensions": 384 })
        );
        self.run("return [...new Set(said.flatMap(({ progress }) => progress ? [`${progress.of} ${progress.stage}`] : []))]")
            .await
    }

    async fn vectors(&self, texts: &[&str]) -> Vec<Vec<f64>> {
        let texts = json!(texts);
        self.tell(&format!("{{ embed: {{ id: 7, texts: {texts} }} }}"))
            .await;
        let told = self.said("embedded").await;
        assert_eq!(told["id"], 7);
        serde_json::from_str(told["vectors"].as_str().unwrap()).unwrap()
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[tokio::test]
async fn the_embedder_is_loaded_alone_and_works_without_a_network() {
    let stage = Stage::new().await;
    stage.run(WORKER).await;
    stage
        .tell("{ embed: { id: 1, texts: ['too early'] } }")
        .await;
    assert_eq!(stage.said("failed").await["code"], "not_loaded");

    let stages = stage.load_embedder().await;
    assert_eq!(stages, json!(["embedder fetch", "embedder read"]));
    let mut asked = stage.models.asked();
    asked.retain(|name| name != "manifest.json");
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked.iter().all(|name| name.starts_with("all-minilm")),
        "{asked:?}"
    );

    // Nothing is there any more but the browser.
    stage.browser.go_offline().await;
    stage.models.set_away(true);
    let texts = [
        "the cat sat on the rug",
        "feline on carpet",
        "the quarterly report is due",
        "a",
        "b",
        "c",
    ];
    let vectors = stage.vectors(&texts).await;
    assert_eq!(vectors.len(), texts.len());
    for vector in &vectors {
        assert_eq!(vector.len(), 384);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4);
    }
    let (near, far) = (
        cosine(&vectors[0], &vectors[1]),
        cosine(&vectors[0], &vectors[2]),
    );
    assert!(near > far + 0.2, "{near} {far}");
    assert!(stage.vectors(&[]).await.is_empty());

    // What is given up is not answered; what waits behind it is.
    let many = json!(vec!["a text that takes a while"; 400]);
    stage
        .run(&format!(
            "window.said = [];
             worker.postMessage({{ embed: {{ id: 8, texts: {many} }} }});
             worker.postMessage({{ embed: {{ id: 9, texts: ['last'] }} }});
             worker.postMessage({{ cancel: {{ id: 8 }} }});"
        ))
        .await;
    assert_eq!(stage.said("embedded").await["id"], 9);
    let failed = stage.said("failed").await;
    assert_eq!(
        (&failed["id"], &failed["code"]),
        (&json!(8), &json!("cancelled"))
    );
    stage.browser.complaints().await;
    stage.browser.end().await;
}

#[tokio::test]
async fn the_model_and_the_embedder_share_their_files() {
    let stage = Stage::new().await;
    stage.run(WORKER).await;
    stage.load_embedder().await;
    stage.models.asked();
    stage.tell("{ load: { url: given } }").await;
    stage.said("loaded").await;
    let asked = stage.models.asked();
    assert!(
        asked.iter().all(|name| !name.starts_with("all-minilm")),
        "{asked:?}"
    );

    // The model has an embedder; both answer at the same time.
    stage
        .run(
            "window.said = [];
             const request = JSON.stringify({ model: JSON.parse(given.model ?? 'null') });
             worker.postMessage({ embed: { id: 5, texts: Array(40).fill('a text') } });
             worker.postMessage({ generate: { id: 6, request } });",
        )
        .await;
    let told = stage.said("embedded").await;
    let vectors: Vec<Vec<f64>> = serde_json::from_str(told["vectors"].as_str().unwrap()).unwrap();
    assert_eq!(vectors.len(), 40);
    // That was no request, which harms nobody else.
    assert_eq!(stage.said("failed").await["code"], "request");

    // Loaded again by another page, nothing is fetched.
    stage.open().await;
    stage.run(WORKER).await;
    stage.models.set_away(true);
    assert_eq!(stage.load_embedder().await, json!(["embedder read"]));
    stage.browser.end().await;
}

#[tokio::test]
async fn memory_is_searched_by_words_and_once_it_is_wished_by_meaning() {
    let stage = Stage::new().await;
    stage
        .run(
            "for (const text of ['the cat sat on the rug', 'the report is due on Friday'])
                 await call('memory.add', { text });",
        )
        .await;
    let by_words =
        "return (await call('memory.list', { query: 'report' })).map(({ text }) => text)";
    assert_eq!(
        stage.run(by_words).await,
        json!(["the report is due on Friday"])
    );
    let status = stage.run("return await call('embedder.status')").await;
    assert_eq!(status, json!({ "state": "absent" }));
    assert!(stage.models.asked().is_empty(), "nobody asked for it");

    let loaded = stage
        .run("return await call('embedder.load', { url: given })")
        .await;
    assert_eq!(
        loaded,
        json!({ "state": "ready", "model": "all-MiniLM-L6-v2" })
    );
    let status = stage.run("return await call('model.status')").await;
    assert_eq!(status["state"], "absent", "the language model is another");

    stage.browser.go_offline().await;
    stage.models.set_away(true);
    // What was kept before gets its vectors behind the page's back.
    let first = stage
        .until(
            "const [first] = await call('memory.list', { query: 'feline on carpet' });
             return first?.text ?? null",
        )
        .await;
    assert_eq!(first, "the cat sat on the rug");
    stage
        .run("await call('memory.add', { text: 'our dog barks at the postman' })")
        .await;
    let found = stage
        .run("return (await call('memory.list', { query: 'noisy canine' }))[0].text")
        .await;
    assert_eq!(found, "our dog barks at the postman");
    assert_eq!(stage.run(by_words).await[0], "the report is due on Friday");
    stage.browser.complaints().await;
    stage.browser.end().await;
}
