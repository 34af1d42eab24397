//! Who is let in, and what they can see.

use anyhow::Result;
use serde_json::json;
use tau_homes::worker::{
    Client, Do, Model, Worker,
    runtime::{ALICE, BOB},
};

use crate::said;

#[tokio::test]
async fn nobody_is_let_in_without_a_token() -> Result<()> {
    let model = Model::scripted([]).await?;
    let worker = Worker::start(&model).await?;
    let nobody = Client::new(&worker.url, None);
    let health = nobody.get("/health").await?;
    assert_eq!(health["name"], "tau");
    assert_eq!(
        health.as_object().map(serde_json::Map::len),
        Some(2),
        "name and version only"
    );
    for (client, path) in [
        (nobody.clone(), "/v1/sessions"),
        (nobody, "/v1/sessions/0123456789abcdef"),
        (worker.client("alice-0123456789abcdeg"), "/v1/sessions"),
        (worker.client(""), "/v1/sessions"),
    ] {
        let reply = client.send("GET", path, &[], "").await?;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (401, "unauthorized"),
            "{path}"
        );
        assert!(
            reply
                .header("www-authenticate")
                .is_some_and(|h| h.starts_with("Bearer"))
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_principal_never_sees_anothers_session() -> Result<()> {
    let model = Model::scripted([Do::say("for alice")]).await?;
    let worker = Worker::start(&model).await?;
    let (alice, bob) = (worker.alice(), worker.client(BOB));
    let path = alice.begin(&json!({})).await?;
    alice.prompt(&path, "mine").await?.rest().await?;

    let nowhere = "/v1/sessions/0123456789abcdef";
    let unknown = bob.send("GET", nowhere, &[], "").await?;
    for (method, verb) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/prompt"),
        ("GET", "/events"),
        ("POST", "/approve"),
        ("POST", "/deny"),
        ("POST", "/interrupt"),
        ("POST", "/undo"),
        ("POST", "/redo"),
        ("POST", "/switch"),
        ("POST", "/compact"),
        ("GET", "/export"),
        ("GET", "/routines"),
        ("POST", "/routines"),
        ("DELETE", "/routines/r"),
    ] {
        let reply = bob.send(method, &format!("{path}{verb}"), &[], "").await?;
        let theirs = (reply.status, &reply.text);
        assert_eq!(
            theirs,
            (404, &unknown.text),
            "the same as for one that is nobody's: {verb}"
        );
    }
    assert_eq!(bob.get("/v1/sessions").await?["sessions"], json!([]));
    assert_eq!(
        said(&alice.get(&path).await?),
        ["user: mine", "assistant: for alice"]
    );
    Ok(())
}

#[tokio::test]
async fn memory_is_a_principals_and_reaches_all_their_sessions() -> Result<()> {
    let model = Model::start(
        |asked, _| match (asked.last_role(), asked.last().as_str()) {
            ("tool", result) => Do::say(result),
            (_, "keep it") => Do::call("remember", &json!({"text": "the colour is blue"})),
            _ => Do::call("recall", &json!({"query": "colour"})),
        },
    )
    .await?;
    let mut worker = Worker::start(&model).await?;
    let first = worker.alice().begin(&json!({})).await?;
    worker
        .alice()
        .prompt(&first, "keep it")
        .await?
        .rest()
        .await?;
    worker.restart().await?;
    for (token, expected) in [(ALICE, true), (BOB, false)] {
        let client = worker.client(token);
        let path = client.begin(&json!({})).await?;
        client.prompt(&path, "what colour?").await?.rest().await?;
        let answer = said(&client.get(&path).await?).pop().unwrap_or_default();
        assert_eq!(
            answer.contains("the colour is blue"),
            expected,
            "{token}: {answer}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn pages_of_foreign_origins_are_refused_before_anything() -> Result<()> {
    let model = Model::scripted([]).await?;
    let allowed = (
        "TAU_ALLOWED_ORIGINS",
        "https://a.example, https://b.example/",
    );
    let worker = Worker::with(&model, &[allowed]).await?;
    let alice = worker.alice();
    for origin in [
        "https://evil.example",
        "http://a.example",
        "https://a.example.evil",
        "null",
    ] {
        let headers = [("origin", origin)];
        for (method, path) in [
            ("GET", "/v1/sessions"),
            ("POST", "/v1/sessions"),
            ("GET", "/health"),
            ("OPTIONS", "/v1/sessions"),
        ] {
            let reply = alice.send(method, path, &headers, "").await?;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (403, "foreign_origin"),
                "{origin}"
            );
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
    }
    assert_eq!(
        alice.get("/v1/sessions").await?["sessions"],
        json!([]),
        "nothing was begun"
    );

    for origin in ["https://a.example", "https://b.example"] {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
        ];
        let nobody = Client::new(&worker.url, None);
        let preflight = nobody.send("OPTIONS", "/v1/sessions", &asked, "").await?;
        assert_eq!(preflight.status, 204);
        assert!(
            preflight
                .header("access-control-allow-headers")
                .is_some_and(|h| h.contains("authorization"))
        );
        let reply = alice
            .send("GET", "/v1/sessions", &[("origin", origin)], "")
            .await?;
        assert_eq!(reply.status, 200);
        for reply in [preflight, reply] {
            assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
            assert_eq!(reply.header("vary"), Some("Origin"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_set_up_is_said_and_lets_nobody_in() -> Result<()> {
    let model = Model::scripted([]).await?;
    for tokens in ["", "{}", "{\"alice\": \"short\"}", "nonsense"] {
        let worker = Worker::with(&model, &[("TAU_TOKENS", tokens)]).await?;
        let reply = worker
            .client(ALICE)
            .send("GET", "/v1/sessions", &[], "")
            .await?;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (503, "misconfigured"),
            "{tokens}"
        );
        assert!(reply.json()["error"]["hint"].is_string());
        assert_eq!(worker.client(ALICE).get("/health").await?["name"], "tau");
    }
    for (name, value, code) in [
        ("TAU_MODEL", "", "no_model"),
        ("TAU_BASE_URL", "", "no_model"),
        ("TAU_API", "smoke signals", "no_model"),
        ("TAU_CONTEXT_TOKENS", "many", "misconfigured"),
        ("TAU_POLICY", "lax", "misconfigured"),
        ("TAU_REQUESTS_PER_MINUTE", "x", "misconfigured"),
    ] {
        let worker = Worker::with(&model, &[(name, value)]).await?;
        let reply = worker.alice().post("/v1/sessions", &json!({})).await?;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (503, code),
            "{name}: {}",
            reply.text
        );
    }
    Ok(())
}

#[tokio::test]
async fn memory_is_the_same_for_a_tool_and_for_whoever_asks() -> Result<()> {
    let model = Model::start(|asked, _| match asked.last_role() {
        "tool" => Do::say("done"),
        _ => Do::call(
            "remember",
            &json!({"text": "the boat is green", "kind": "fact", "namespace": "boats"}),
        ),
    })
    .await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker.alice().begin(&json!({})).await?;
    worker
        .alice()
        .prompt(&path, "keep it")
        .await?
        .rest()
        .await?;
    worker.restart().await?;
    let ask = |action: serde_json::Value| {
        let alice = worker.alice();
        async move { alice.post("/v1/memory", &action).await }
    };
    let found = ask(json!({"do": "search", "query": "boat"})).await?;
    assert_eq!(found.status, 200, "{}", found.text);
    let hit = found.json()["answer"]["found"][0].clone();
    assert_eq!(hit["entry"]["text"], "the boat is green");
    assert_eq!(hit["entry"]["namespace"], "boats");
    assert_eq!(hit["keyword"]["rank"], 1);
    let id = hit["entry"]["id"].clone();
    let gone = ask(json!({"do": "forget", "ids": [id]})).await?;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let listed = worker.alice().get("/v1/memory").await?;
    assert_eq!(listed["answer"]["entries"], json!([]));
    ask(json!({"do": "restore", "ids": [id]})).await?;
    let listed = worker.alice().get("/v1/memory").await?;
    assert_eq!(listed["answer"]["entries"][0]["entry"]["id"], id);
    let others = worker.client(BOB).get("/v1/memory").await?;
    assert_eq!(others["answer"]["entries"], json!([]));
    for (action, status, code) in [
        (json!({"do": "read", "ids": ["nothing"]}), 404, "no_memory"),
        (
            json!({"do": "remember", "draft": {"text": ""}}),
            422,
            "invalid_memory",
        ),
        (
            json!({"do": "remember", "draft": {"text": "x", "namespace": "../.."}}),
            422,
            "invalid_memory",
        ),
        (json!({"do": "steal"}), 422, "invalid_request"),
    ] {
        let refused = ask(action.clone()).await?;
        let told = (refused.status, refused.code());
        assert_eq!(told, (status, code.to_owned()), "{action}");
    }
    Ok(())
}
