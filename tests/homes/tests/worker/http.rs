//! The tool `http` in workerd: what servers get, and what the model is told of their answers.

use anyhow::Result;
use serde_json::{Value, json};
use tau_homes::worker::{Client, Do, Model, Worker};

use crate::{at_rest, said};

/// A model that calls `http` with the prompt and repeats what came of it, and a server beside it that
/// answers as `server` says.
async fn serving(
    server: impl Fn(&str) -> Do + Send + Sync + 'static,
) -> Result<(Model, Worker, String)> {
    let model = Model::start(move |asked, _| {
        match (asked.path == "/v1/chat/completions", asked.last_role()) {
            (false, _) => server(&asked.path),
            (true, "tool") => Do::say(&asked.last()),
            (true, _) => Do::call(
                "http",
                &serde_json::from_str(&asked.last()).unwrap_or_default(),
            ),
        }
    })
    .await?;
    let worker = Worker::start(&model).await?;
    let terms = json!({ "policy": { "tools": { "http": "allow" }, "taint": "allow" } });
    let path = worker.alice().begin(&terms).await?;
    Ok((model, worker, path))
}

/// What came of one call.
async fn called(client: &Client, path: &str, arguments: &Value) -> Result<String> {
    client
        .prompt(path, &arguments.to_string())
        .await?
        .rest()
        .await?;
    let said = said(&at_rest(client, path).await?);
    Ok(said.last().cloned().unwrap_or_default())
}

fn whole(status: u16, body: &str) -> Do {
    Do::Status(status, vec![], body.into())
}

#[tokio::test]
async fn method_headers_and_json_reach_the_server() -> Result<()> {
    let (model, worker, path) = serving(|_| whole(200, "{\"seen\": true}")).await?;
    let url = format!("{}/things", model.origin);
    for (method, body) in [
        ("GET", None),
        ("POST", Some(json!({ "colour": "green" }))),
        ("PUT", Some(json!([1, 2]))),
        ("DELETE", None),
    ] {
        let mut arguments = json!({ "url": url, "method": method, "headers": { "x-note": "n" } });
        if let Some(body) = &body {
            arguments["json"] = body.clone();
        }
        let told = called(&worker.alice(), &path, &arguments).await?;
        assert!(told.contains("seen"), "{told}");
        let asked = model.asked();
        let sent = asked
            .iter()
            .rfind(|asked| asked.path == "/things")
            .expect("a request");
        assert_eq!(sent.method, method);
        assert!(sent.headers.contains(&"x-note: n".into()));
        assert_eq!(sent.body, body.clone().unwrap_or_default());
        let json = "content-type: application/json".to_owned();
        assert_eq!(sent.headers.contains(&json), body.is_some(), "{method}");
    }
    Ok(())
}

#[tokio::test]
async fn failures_say_whether_asking_again_makes_sense() -> Result<()> {
    let (model, worker, path) = serving(|path| match path {
        "/busy" => Do::Status(429, vec!["retry-after: 7"], "slow down".into()),
        "/down" => whole(503, "later"),
        _ => whole(404, "nothing here"),
    })
    .await?;
    for (place, status, retry) in [
        ("gone", 404, false),
        ("busy", 429, true),
        ("down", 503, true),
    ] {
        let url = format!("{}/{place}", model.origin);
        let told = called(&worker.alice(), &path, &json!({ "url": url })).await?;
        let told = told.trim_start_matches("assistant: ");
        let told: Value = serde_json::from_str(told)?;
        assert_eq!(
            (&told["status"], &told["retry"]),
            (&json!(status), &json!(retry)),
            "{told}"
        );
        let after = (place == "busy").then_some(7_000);
        assert_eq!(told["retry_after_ms"].as_u64(), after, "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn slow_and_large_answers_are_cut_at_the_limits_in_force() -> Result<()> {
    let (model, worker, path) = serving(|path| match path {
        "/slow" => Do::Hang,
        _ => whole(200, &"x".repeat(100_000)),
    })
    .await?;
    let of = |place: &str| format!("{}/{place}", model.origin);
    let slow = json!({ "url": of("slow"), "timeout_ms": 300 });
    let told = called(&worker.alice(), &path, &slow).await?;
    assert!(told.contains("300 ms"), "{told}");
    let large = json!({ "url": of("large"), "max_bytes": 1_000 });
    let told = called(&worker.alice(), &path, &large).await?;
    let kept = told.matches('x').count();
    assert!((900..1_100).contains(&kept), "{kept}");
    Ok(())
}

#[tokio::test]
async fn redirects_are_decided_anew_and_credentials_stay_with_their_origin() -> Result<()> {
    let other = Model::start(|_, _| whole(200, "{\"other\": true}")).await?;
    let away: &str = format!("location: {}/there", other.origin).leak();
    let (model, mut worker, path) = serving(move |path| match path {
        "/away" => Do::Status(302, vec![away], String::new()),
        "/inside" => Do::Status(302, vec!["location: https://10.0.0.1/admin"], String::new()),
        _ => Do::Status(
            302,
            vec!["location: https://169.254.169.254/"],
            String::new(),
        ),
    })
    .await?;
    let allowed = format!("{},{}", model.origin, other.origin);
    worker.kill().await?;
    worker.set("TAU_HTTP_ALLOWED", &allowed);
    worker.launch().await?;
    let headers = json!({ "authorization": "Bearer of-the-first-origin-alone" });
    let call =
        |place: &str| json!({ "url": format!("{}/{place}", model.origin), "headers": headers });
    let told = called(&worker.alice(), &path, &call("away")).await?;
    assert!(told.contains("other"), "{told}");
    let asked = other.asked();
    assert_eq!(asked.len(), 1);
    let goes_along = |header: &String| header.starts_with("authorization:");
    assert!(
        !asked[0].headers.iter().any(goes_along),
        "{:?}",
        asked[0].headers
    );
    for place in ["inside", "metadata"] {
        let told = called(&worker.alice(), &path, &call(place)).await?;
        assert!(told.contains("denied"), "{told}");
    }
    Ok(())
}
