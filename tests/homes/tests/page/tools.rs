//! The tools a page has.

use serde_json::{Value, json};

use crate::{Stage, support::provider::Step};

#[tokio::test]
async fn the_time_is_told_in_the_zone_that_was_asked_for() {
    let stage = Stage::new([
        Step::Call("time", json!({ "timezone": "Asia/Tokyo" })),
        Step::Say(&["It is late."], 0),
    ])
    .await;
    stage.say("What time is it in Tokyo?").await;
    let result = stage
        .run("return (await event('tool_finished')).result;", Value::Null)
        .await;
    let text = result["text"].as_str().unwrap();
    assert_eq!(result["status"], "ok", "{text}");
    assert!(
        text.contains("+09:00") && text.ends_with("day Asia/Tokyo"),
        "{text}"
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn private_addresses_are_not_requested_and_nobody_is_asked() {
    let stage = Stage::new([Step::Say(&["…"], 0)]).await;
    // The site itself: it would answer.
    let own = stage.blank().replace("http:", "https:");
    let other = crate::Provider::start([
        Step::Call("http", json!({ "url": own })),
        Step::Say(&["As you wish."], 0),
    ])
    .await;
    let told = stage
        .run(
            "await call('settings.set', { base_url: given });
             const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'Read it' });
             await event('turn_finished');
             return (await event('tool_finished')).result;",
            other.url().into(),
        )
        .await;
    assert_eq!(told["status"], "denied", "{told}");
    stage.browser.end().await;
}

#[tokio::test]
async fn page_that_offers_nothing_has_no_tool_that_reads_it() {
    let stage = Stage::new([]).await;
    let tools = stage
        .run(
            "await open({ page: undefined }); return (await call('status')).tools;",
            Value::Null,
        )
        .await;
    assert_eq!(
        tools,
        json!(["time", "http", "remember", "recall", "memory", "undo"])
    );
    stage.browser.end().await;
}
