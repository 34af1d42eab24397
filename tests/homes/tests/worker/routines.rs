//! Prompts that come by themselves, by the object's alarm.

use anyhow::Result;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tau_homes::worker::{Do, Model, Worker};

use crate::{at_rest, eventually, said};

fn in_ms(millis: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default() + millis
}

#[tokio::test]
async fn a_routine_runs_at_its_time_with_nobody_connected_and_after_a_kill() -> Result<()> {
    let model = Model::start(|asked, _| Do::say(&format!("did {}", asked.last()))).await?;
    let mut worker = Worker::start(&model).await?;
    let path = worker.alice().begin(&json!({})).await?;
    let routine = json!({"id": "once", "prompt": "water the plants", "at": in_ms(3_000)});
    let added = worker
        .alice()
        .post(&format!("{path}/routines"), &routine)
        .await?;
    assert_eq!(added.status, 201, "{}", added.text);
    let again = worker
        .alice()
        .post(&format!("{path}/routines"), &routine)
        .await?;
    assert_eq!(
        (again.status, again.code().as_str()),
        (409, "routine_exists")
    );
    worker.restart().await?;

    eventually("the provider is asked", async || {
        Ok(model.asked().len() == 1)
    })
    .await?;
    let alice = worker.alice();
    let view = at_rest(&alice, &path).await?;
    assert_eq!(
        said(&view),
        ["user: water the plants", "assistant: did water the plants"]
    );
    eventually("the record of the run", async || {
        let all = alice.get(&format!("{path}/routines")).await?;
        Ok(all["routines"][0]["runs"][0]["outcome"]["outcome"] == "answered")
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(model.asked().len(), 1, "once is once");
    Ok(())
}

#[tokio::test]
async fn a_routine_that_repeats_runs_until_it_is_removed() -> Result<()> {
    let model = Model::start(|_, _| Do::say("tick")).await?;
    let worker = Worker::start(&model).await?;
    let alice = worker.alice();
    let path = alice.begin(&json!({})).await?;
    let routines = format!("{path}/routines");
    for wrong in [
        json!({"id": "a/b", "prompt": "x", "every_ms": 1000}),
        json!({"id": "a", "prompt": " ", "every_ms": 1000}),
        json!({"id": "a", "prompt": "x", "every_ms": 10}),
        json!({"id": "a", "prompt": "x"}),
    ] {
        assert_eq!(alice.post(&routines, &wrong).await?.status, 422, "{wrong}");
    }
    let every = json!({"id": "tick", "prompt": "tick?", "every_ms": 1_000});
    assert_eq!(alice.post(&routines, &every).await?.status, 201);
    eventually("three runs", async || Ok(model.asked().len() >= 3)).await?;
    let gone = alice
        .send("DELETE", &format!("{routines}/tick"), &[], "")
        .await?;
    assert_eq!(gone.status, 204);
    let unknown = alice
        .send("DELETE", &format!("{routines}/tick"), &[], "")
        .await?;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "no_such_routine")
    );
    at_rest(&alice, &path).await?;
    let asked = model.asked().len();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(model.asked().len() <= asked + 1, "it does not go on");
    Ok(())
}
