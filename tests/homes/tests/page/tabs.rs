//! Two tabs and one session.

use serde_json::Value;

use crate::{Stage, replay, support::provider::Step};

#[tokio::test]
async fn second_tab_is_told_who_has_the_session_and_gets_it_when_that_tab_closes() {
    let stage = Stage::new([
        Step::Say(&["From the first."], 0),
        Step::Say(&["From the second."], 0),
    ])
    .await;
    let session = stage.say("One").await;
    let first = stage.browser.tab().await;
    let second = stage.browser.new_tab().await;
    stage.browser.go(&stage.blank()).await;
    let waiting = stage
        .run(
            "await open();
             const view = await call('sessions.open', { session: given });
             const { detail } = await told('held');
             const refused = await call('prompt', { session: given, text: 'Me too' }).catch((error) => error.code);
             const deleted = await call('sessions.delete', { session: given }).catch((error) => error.code);
             return { view, detail, refused, deleted, found: await call('memory.list', { query: 'x' }) };",
            session.clone(),
        )
        .await;
    assert_eq!(waiting["view"]["held"], true);
    assert_eq!(
        waiting["view"]["entries"].as_array().unwrap().len(),
        2,
        "it can be read"
    );
    assert_eq!(waiting["detail"]["session"], session);
    assert_eq!(waiting["detail"]["holder"], "Another tab (Blank)");
    assert!(waiting["detail"]["since"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(waiting["refused"], "held");
    assert_eq!(waiting["deleted"], "held");

    stage.browser.switch_to(&first).await;
    stage.browser.close_tab().await;
    stage.browser.switch_to(&second).await;
    let export = stage
        .run(
            "const { detail } = await told('released');
             if (detail.view.entries.length !== 2) throw new Error(JSON.stringify(detail));
             await call('prompt', { session: given, text: 'Now me' });
             await event('turn_finished');
             return call('sessions.export', { session: given });",
            session.clone(),
        )
        .await;
    let replayed = replay(&export);
    assert_eq!(replayed["session"], session);
    stage.browser.end().await;
}

#[tokio::test]
async fn closed_session_is_given_on_without_closing_the_tab() {
    let stage = Stage::new([
        Step::Say(&["Slowly,", " slowly."], 300),
        Step::Say(&["Here."], 0),
    ])
    .await;
    let session = stage
        .run(
            "const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'One' });
             await event('text_delta');
             await call('sessions.close', { session });
             return session;",
            Value::Null,
        )
        .await;
    stage.browser.new_tab().await;
    stage.browser.go(&stage.blank()).await;
    // The turn that ran was finished first: its answer is there, and was asked for once.
    let view = stage
        .run(
            "await open();
             const view = await call('sessions.open', { session: given });
             return view.held ? (await told('released')).detail.view : view;",
            session.clone(),
        )
        .await;
    assert_eq!(view["running"], false);
    assert_eq!(
        view["entries"][1]["message"]["parts"][0]["text"],
        "Slowly, slowly."
    );
    stage
        .run(
            "await call('prompt', { session: given, text: 'Two' }); await event('turn_finished');",
            session,
        )
        .await;
    assert_eq!(stage.provider.bodies().len(), 2);
    stage.browser.end().await;
}

#[tokio::test]
async fn two_new_tabs_get_one_identity_and_sessions_of_their_own() {
    let stage = Stage::new([Step::Say(&["A."], 50), Step::Say(&["B."], 50)]).await;
    let first = stage.say("In the first tab").await;
    let one = stage
        .run("return (await call('identity')).did;", Value::Null)
        .await;
    stage.browser.new_tab().await;
    stage.browser.go(&stage.blank()).await;
    stage.run("await open();", Value::Null).await;
    let second = stage.say("In the second tab").await;
    assert_ne!(first, second);
    let two = stage
        .run("return (await call('identity')).did;", Value::Null)
        .await;
    assert_eq!(one, two);
    let list = stage
        .run("return (await call('sessions.list')).length;", Value::Null)
        .await;
    assert_eq!(list, 2);
    stage.browser.end().await;
}

#[tokio::test]
async fn session_that_is_closed_while_it_opens_is_given_on() {
    let stage = Stage::new([Step::Say(&["A."], 0)]).await;
    let session = stage.say("Hello").await;
    let held = stage
        .run(
            "await call('sessions.close', { session: given });
             const opening = call('sessions.open', { session: given });
             await Promise.all([opening, call('sessions.close', { session: given })]);
             // The browser frees a lock some time after it was given back.
             let all;
             for (let tries = 0; tries < 100; tries++) {
                 const { held, pending } = await navigator.locks.query();
                 all = [...held, ...pending].filter(({ name }) => name.includes(given)).length;
                 if (all === 0) break;
                 await new Promise((done) => setTimeout(done, 50));
             }
             return all;",
            session,
        )
        .await;
    assert_eq!(held, 0);
    stage.browser.end().await;
}

#[tokio::test]
async fn tabs_that_change_different_settings_keep_both_changes() {
    let stage = Stage::new([]).await;
    let first = stage.browser.tab().await;
    let second = stage.browser.new_tab().await;
    stage.browser.go(&stage.blank()).await;
    stage
        .run(
            "await open(); await call('settings.set', { model: 'other' });",
            Value::Null,
        )
        .await;
    stage.browser.switch_to(&first).await;
    let told = stage
        .run(
            "const { detail } = await told('settings');
             return [detail.model, await call('settings.set', { policy: 'strict' })];",
            Value::Null,
        )
        .await;
    assert_eq!(told[0], "other");
    assert_eq!(told[1]["model"], "other");
    stage.browser.switch_to(&second).await;
    let both = stage
        .run(
            "await told('settings'); return call('settings.get');",
            Value::Null,
        )
        .await;
    assert_eq!(both["model"], "other");
    assert_eq!(both["policy"], "strict");
    stage.browser.end().await;
}

#[tokio::test]
async fn key_forgotten_in_one_tab_is_forgotten_in_all() {
    let stage = Stage::new([]).await;
    stage
        .run("await call('key.set', { key: 'sk-1' });", Value::Null)
        .await;
    let first = stage.browser.tab().await;
    stage.browser.new_tab().await;
    stage.browser.go(&stage.blank()).await;
    stage
        .run("await open(); await call('key.forget');", Value::Null)
        .await;
    stage.browser.switch_to(&first).await;
    let status = stage
        .run(
            "await told('settings'); return call('status');",
            Value::Null,
        )
        .await;
    assert_eq!(status["has_key"], false, "{status}");
    assert_eq!(status["key_needed"], false, "{status}");
    stage.browser.end().await;
}
