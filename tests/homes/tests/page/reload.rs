//! What a reload keeps, and what it takes up again.

use serde_json::{Value, json};

use crate::{
    Stage,
    offline::AFTER,
    support::{provider::Step, site},
};

#[tokio::test]
async fn reload_keeps_sessions_memory_and_settings() {
    let stage = Stage::new([Step::Say(&["Hello."], 0)]).await;
    let session = stage.say("Good morning").await;
    stage
        .run(
            "await call('memory.add', { text: 'Tea without sugar' });",
            Value::Null,
        )
        .await;
    stage.browser.reload().await;
    let kept = stage
        .run(
            "await open();
             return {
                 sessions: await call('sessions.list'),
                 view: await call('sessions.open', { session: given }),
                 memory: await call('memory.list'),
                 settings: await call('settings.get'),
             };",
            session.clone(),
        )
        .await;
    assert_eq!(kept["sessions"][0]["session"], session);
    assert_eq!(kept["sessions"][0]["title"], "Good morning");
    assert_eq!(kept["view"]["entries"].as_array().unwrap().len(), 2);
    assert_eq!(kept["memory"][0]["text"], "Tea without sugar");
    assert_eq!(kept["settings"]["model"], "scripted");
    stage.browser.end().await;
}

#[tokio::test]
async fn turn_that_a_reload_cut_off_goes_on_by_itself() {
    let stage = Stage::new([Step::Hang("I was just ab"), Step::Say(&["Done."], 0)]).await;
    let session = stage
        .run(
            "const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'Work' });
             await event('text_delta');
             return session;",
            Value::Null,
        )
        .await;
    stage.browser.reload().await;
    let told = stage
        .run(
            "await open();
             const before = await call('sessions.open', { session: given });
             const finished = await event('turn_finished');
             const after = await call('sessions.open', { session: given });
             return { before, finished, after };",
            session,
        )
        .await;
    assert_eq!(told["before"]["running"], true);
    assert_eq!(told["finished"]["outcome"]["outcome"], "answered");
    assert_eq!(
        told["after"]["entries"][1]["message"]["parts"][0]["text"],
        "Done."
    );
    assert_eq!(stage.provider.bodies().len(), 2);
    stage.browser.end().await;
}

#[tokio::test]
async fn cut_off_turn_waits_for_the_key_that_a_reload_forgot() {
    let stage = Stage::new([Step::Hang("I was"), Step::Say(&["Done."], 0)]).await;
    let session = stage
        .run(
            "await call('key.set', { key: 'sk-1' });
             const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'Work' });
             await event('text_delta');
             return session;",
            Value::Null,
        )
        .await;
    stage.browser.reload().await;
    let told = stage
        .run(
            "await open();
             await call('sessions.open', { session: given });
             const refused = await call('prompt', { session: given, text: 'x' }).catch((error) => error.code);
             const { key_needed } = await call('status');
             await call('key.set', { key: 'sk-1' });
             const { outcome } = await event('turn_finished');
             return { refused, key_needed, outcome };",
            session,
        )
        .await;
    assert_eq!(told["refused"], "no_key");
    assert_eq!(told["key_needed"], true);
    assert_eq!(told["outcome"]["outcome"], "answered");
    let sent = Some("Bearer sk-1".to_owned());
    assert_eq!(stage.provider.credentials(), [sent.clone(), sent]);
    stage.browser.end().await;
}

#[tokio::test]
async fn approval_across_a_reload_runs_the_tool_once() {
    let stage = Stage::new([
        Step::Call("page", json!({})),
        Step::Say(&["On Tuesday."], 0),
    ])
    .await;
    let session = stage
        .run(
            "const { session } = await call('sessions.create');
             await call('prompt', { session, text: 'When is the launch?' });
             await event('approval_requested');
             return { session, reads };",
            Value::Null,
        )
        .await;
    assert_eq!(
        session["reads"], 0,
        "the page was read before anybody said yes"
    );
    stage.browser.reload().await;
    let told = stage
        .run(
            "await open();
             const { session } = given;
             const view = await call('sessions.open', { session });
             await event('approval_requested');
             const [{ call_id }] = view.waiting;
             await call('approve', { session, call_id });
             const again = await call('approve', { session, call_id }).catch((error) => error.code);
             await event('turn_finished');
             return { again, reads, result: (await event('tool_finished')).result };",
            session,
        )
        .await;
    assert_eq!(told["reads"], 1);
    assert_eq!(told["again"], "not_waiting");
    assert_eq!(told["result"]["text"], site::TEXT);
    let asked = stage.provider.bodies()[1]["messages"].to_string();
    assert!(asked.contains(site::TEXT), "{asked}");
    stage.browser.end().await;
}

#[tokio::test]
async fn denied_call_never_reads_the_page_and_the_model_is_told() {
    let stage = Stage::new([Step::Call("page", json!({})), Step::Say(&["All right."], 0)]).await;
    let reads = stage
        .run(
            "const { session } = await call('sessions.create');
             await call('settings.set', { policy: 'permissive' });
             await call('prompt', { session, text: 'Look' });
             const { call_id } = await event('approval_requested');
             await call('deny', { session, call_id, reason: 'not today' });
             await event('turn_finished');
             return reads;",
            Value::Null,
        )
        .await;
    assert_eq!(reads, 0);
    assert!(
        stage.provider.bodies()[1]["messages"]
            .to_string()
            .contains("not today")
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn address_below_the_site_is_made_whole() {
    let stage = Stage::new([]).await;
    let settings = stage
        .run(
            "return call('settings.set', { base_url: '/models/v1' });",
            Value::Null,
        )
        .await;
    let whole = format!("{}/models/v1", stage.site.url);
    assert_eq!(settings["base_url"], whole);
    stage.browser.end().await;
}

#[tokio::test]
async fn cut_off_turn_of_the_embedded_model_goes_on_once_the_model_is_loaded_again() {
    let stage = Stage::new([]).await;
    // What the model's worker says, without the model: it stops in the middle where a text ends so.
    let small = |piece: &str, ends: bool| {
        format!(
            "{AFTER}
             startAfter(`self.Worker = class extends EventTarget {{
                 tell(data) {{ setTimeout(() => this.dispatchEvent(new MessageEvent('message', {{ data }}))); }}
                 postMessage({{ load, generate }}) {{
                     const model = {{ name: 'small', api: 'embedded', context_tokens: 2048, max_output_tokens: 256 }};
                     if (load) this.tell({{ loaded: JSON.stringify({{ model, system: 'Be brief.', tools: [], limits: 'Little.' }}) }});
                     if (!generate) return;
                     const say = (delta) => this.tell({{ piece: {{ id: generate.id, delta: JSON.stringify(delta) }} }});
                     say({{ type: 'text', text: '{piece}' }});
                     if (!{ends}) return;
                     say({{ type: 'stop', reason: 'end_turn' }});
                     this.tell({{ done: {{ id: generate.id }} }});
                 }}
                 terminate() {{}}
             }};`);
             await open();"
        )
    };
    stage.browser.reload().await;
    let session = stage
        .run(
            &format!(
                "{}
                 await call('settings.set', {{ api: 'embedded' }});
                 await call('model.load', {{ url: '/small/' }});
                 const {{ session }} = await call('sessions.create');
                 await call('prompt', {{ session, text: 'Work' }});
                 await event('text_delta');
                 return session;",
                small("I was just ab", false)
            ),
            Value::Null,
        )
        .await;
    stage.browser.reload().await;
    let told = stage
        .run(
            &format!(
                "{}
                 const before = await call('sessions.open', {{ session: given }});
                 await call('model.load', {{ url: '/small/' }});
                 const {{ outcome }} = await event('turn_finished');
                 return {{ before, outcome, after: await call('sessions.open', {{ session: given }}) }};",
                small("Done.", true)
            ),
            session,
        )
        .await;
    assert_eq!(told["before"]["running"], true);
    assert_eq!(told["outcome"]["outcome"], "answered", "{told}");
    assert_eq!(
        told["after"]["entries"][1]["message"]["parts"][0]["text"],
        "Done."
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn embedded_model_that_the_browser_does_not_start_is_told_as_a_failed_load() {
    let stage = Stage::new([]).await;
    stage.browser.reload().await;
    let told = stage
        .run(
            &format!(
                "{AFTER}
                 startAfter(`self.Worker = class {{ constructor() {{ throw new DOMException('not from there', 'SecurityError'); }} }};`);
                 await open();
                 const refused = await call('model.load', {{ url: '/small/' }}).catch(({{ code, message }}) => ({{ code, message }}));
                 return {{ refused, status: await call('model.status') }};"
            ),
            Value::Null,
        )
        .await;
    assert_eq!(told["refused"]["code"], "model", "{told}");
    assert_eq!(told["status"]["state"], "failed", "{told}");
    assert_eq!(told["status"]["error"]["message"], "not from there");
    stage.browser.end().await;
}
