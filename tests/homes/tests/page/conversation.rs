//! Streaming, stop, retry, branches and export.

use serde_json::{Value, json};
use std::time::Duration;

use crate::{Stage, replay, support::provider::Step};

#[tokio::test]
async fn tokens_arrive_one_by_one_before_the_answer_is_over() {
    let stage = Stage::new([Step::Say(&["One", ", two", ", three."], 150)]).await;
    let times = stage
        .run(
            "const at = [];
             agent.addEventListener('session', ({ detail }) => {
                 if (['text_delta', 'turn_finished'].includes(detail.event.type)) at.push([detail.event.type, performance.now()]);
             });
             const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'Count' });
             await event('turn_finished');
             return at;",
            Value::Null,
        )
        .await;
    let times: Vec<(String, f64)> = serde_json::from_value(times).unwrap();
    let deltas: Vec<f64> = times
        .iter()
        .filter(|(kind, _)| kind == "text_delta")
        .map(|(_, at)| *at)
        .collect();
    assert_eq!(deltas.len(), 3, "{times:?}");
    let end = times.last().unwrap().1;
    assert!(
        deltas[0] + 100.0 < end,
        "the first token came with the end: {times:?}"
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn stop_closes_the_connection_to_the_model() {
    let stage = Stage::new([Step::Hang("Well then")]).await;
    let outcome = stage
        .run(
            "const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'Think long' });
             await event('text_delta');
             await call('interrupt', { session });
             return (await event('turn_finished')).outcome;",
            Value::Null,
        )
        .await;
    assert_eq!(outcome, json!({ "outcome": "interrupted" }));
    for _ in 0..100 {
        if stage.provider.closed_by_page() == 1 {
            stage.browser.end().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the connection stays open");
}

#[tokio::test]
async fn too_many_requests_and_a_lost_connection_are_tried_again() {
    let stage = Stage::new([
        Step::Fail("429 Too Many Requests", "slow down"),
        Step::Break("Half an ans"),
        Step::Say(&["Whole."], 0),
    ])
    .await;
    let session = stage.say("Try").await;
    let seen = stage.run("return events();", Value::Null).await;
    let seen = seen.as_array().unwrap();
    let retries = seen
        .iter()
        .filter(|event| event["type"] == "retrying")
        .count();
    assert_eq!(retries, 2, "{seen:?}");
    let view = stage
        .run("return call('sessions.open', { session: given });", session)
        .await;
    assert_eq!(view["entries"][1]["message"]["parts"][0]["text"], "Whole.");
    assert_eq!(stage.provider.bodies().len(), 3);
    // The browser itself tells of the failed responses.
    stage.browser.complaints().await;
    stage.browser.end().await;
}

#[tokio::test]
async fn key_is_sent_to_its_endpoint_and_shown_to_nobody() {
    let stage = Stage::new([Step::Say(&["Hi."], 0), Step::Say(&["Hi again."], 0)]).await;
    stage
        .run(
            "await call('key.set', { key: 'sk-test-123456' });",
            Value::Null,
        )
        .await;
    stage.say("Hello").await;
    assert_eq!(
        stage.provider.credentials(),
        [Some("Bearer sk-test-123456".to_owned())]
    );
    let shown = stage
        .run(
            "return JSON.stringify([await call('settings.get'), await call('status'), await call('sessions.list'), seen]);",
            Value::Null,
        )
        .await;
    assert!(!shown.as_str().unwrap().contains("sk-test"), "{shown}");

    // Whoever changes the address does not get the key that was for another.
    let other = crate::Provider::start([Step::Say(&["Mine now?"], 0)]).await;
    stage
        .run(
            "window.seen = []; await call('settings.set', { base_url: given });",
            other.url().into(),
        )
        .await;
    stage.say("Hello").await;
    assert_eq!(other.credentials(), [None]);
    stage.browser.end().await;
}

#[tokio::test]
async fn undo_redo_and_switch_keep_every_branch() {
    let stage = Stage::new([
        Step::Say(&["First."], 0),
        Step::Say(&["Second."], 0),
        Step::Say(&["Second, otherwise."], 0),
    ])
    .await;
    let views = stage
        .run(
            "const { session } = await call('sessions.create');
             const turn = async (text) => {
                 window.seen = [];
                 await call('prompt', { session, text });
                 await event('turn_finished');
             };
             const view = () => call('sessions.open', { session });
             const moved = async (name, args) => {
                 window.seen = [];
                 await call(name, { session, ...args });
                 await event('moved');
                 return view();
             };
             await turn('one');
             await turn('two');
             const whole = await view();
             const undone = await moved('undo');
             const redone = await moved('redo');
             await moved('undo');
             await turn('two, again');
             const branched = await view();
             const back = await moved('switch', { to: whole.head });
             return { whole, undone, redone, branched, back };",
            Value::Null,
        )
        .await;
    assert_eq!(views["undone"]["head"], views["whole"]["entries"][1]["id"]);
    assert_eq!(views["undone"]["can_redo"], true);
    assert_eq!(views["redone"]["head"], views["whole"]["head"]);
    assert_eq!(views["branched"]["entries"].as_array().unwrap().len(), 6);
    assert_eq!(views["branched"]["tips"].as_array().unwrap().len(), 2);
    assert_eq!(views["back"]["head"], views["whole"]["head"]);
    let on_path: Vec<&Value> = views["back"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["on_path"])
        .collect();
    assert_eq!(on_path, [true, true, true, true, false, false]);
    // The branch was asked for without what it branches from.
    let asked = stage.provider.bodies()[2]["messages"].to_string();
    assert!(
        asked.contains("First.") && !asked.contains("Second."),
        "{asked}"
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn exported_session_replays() {
    let stage = Stage::new([
        Step::Call("remember", json!({ "text": "The boat is blue." })),
        Step::Say(&["I will remember."], 0),
    ])
    .await;
    let session = stage.say("Remember: the boat is blue.").await;
    let export = stage
        .run(
            "return call('sessions.export', { session: given });",
            session.clone(),
        )
        .await;
    let replayed = replay(&export);
    assert_eq!(replayed["session"], session);
    let found = stage
        .run(
            "return call('memory.list', { query: 'boats' });",
            Value::Null,
        )
        .await;
    assert_eq!(found[0]["text"], "The boat is blue.");
    assert_eq!(found[0]["scope"], "user");
    let forgotten = stage
        .run(
            "const before = await call('memory.list');
             await call('memory.remove', { id: given });
             const after = await call('memory.list');
             const gone = await call('memory.list', { forgotten: true });
             await call('memory.restore', { id: given });
             const back = await call('memory.list', { query: 'boats' });
             return [before.length - after.length, gone.map(({ id }) => id), back[0].id];",
            found[0]["id"].clone(),
        )
        .await;
    let id = &found[0]["id"];
    assert_eq!(forgotten, json!([1, [id], id]));
    stage.browser.end().await;
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let stage = Stage::new([]).await;
    let codes = stage
        .run(
            "const code = (name, args) => call(name, args).then(() => 'none', (error) => error.code);
             const { session } = await call('sessions.create');
             const missing = '0123456789abcdef';
             return {
                 unknown: await code('sessions.steal'),
                 malformed: await code('prompt', { session }),
                 empty: await code('prompt', { session, text: '  ' }),
                 not_open: await code('prompt', { session: missing, text: 'x' }),
                 missing: await code('sessions.open', { session: missing }),
                 undo: await code('undo', { session }),
                 approve: await code('approve', { session, call_id: 'x' }),
                 setting: await code('settings.set', { colour: 'red' }),
                 address: await code('settings.set', { base_url: 'ftp://x' }),
                 port: await code('settings.set', { base_url: 'https://a.example:99999' }),
                 memory: await code('memory.remove', { id: 'x' }),
                 nul: await code('identity.sign', { text: 'kamn:key-event:v1\\0{}' }),
             };",
            Value::Null,
        )
        .await;
    assert_eq!(
        codes,
        json!({
            "unknown": "bad_request",
            "malformed": "bad_request",
            "empty": "empty_prompt",
            "not_open": "not_open",
            "missing": "no_session",
            "undo": "nothing_to_undo",
            "approve": "not_waiting",
            "setting": "bad_request",
            "address": "bad_request",
            "port": "bad_request",
            "memory": "no_memory",
            "nul": "bad_request",
        })
    );
    stage.browser.end().await;
}
