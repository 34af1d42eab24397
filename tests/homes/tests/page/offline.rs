//! Without a network, and without a store.

use serde_json::{Value, json};

use crate::{
    Stage,
    support::{provider::Step, site},
};

#[tokio::test]
async fn memory_and_history_work_without_a_network() {
    let stage = Stage::new([Step::Say(&["Noted."], 0)]).await;
    let session = stage.say("Hello").await;
    stage
        .run(
            "await call('memory.add', { text: 'The key is under the mat' });",
            Value::Null,
        )
        .await;
    stage.browser.go_offline().await;
    // And really: neither the page's server nor the model's is there any more.
    let Stage {
        browser,
        site,
        provider,
    } = stage;
    drop((site, provider));
    let found = browser
        .run(
            "return {
                 search: await call('memory.list', { query: 'keys' }),
                 added: await call('memory.add', { text: 'Written offline' }),
                 sessions: await call('sessions.list'),
                 view: await call('sessions.open', { session: given }),
                 did: (await call('identity')).did,
             };",
            session.clone(),
        )
        .await;
    assert_eq!(found["search"][0]["text"], "The key is under the mat");
    assert_eq!(found["added"]["text"], "Written offline");
    assert_eq!(found["sessions"][0]["title"], "Hello");
    assert_eq!(found["view"]["entries"].as_array().unwrap().len(), 2);
    assert!(
        found["did"]
            .as_str()
            .unwrap()
            .starts_with("kamn:did:agent:")
    );

    let outcome = browser
        .run(
            "window.seen = [];
             await call('prompt', { session: given, text: 'Are you there?' });
             await event('retrying');
             await call('interrupt', { session: given });
             return (await event('turn_finished')).outcome;",
            session,
        )
        .await;
    assert_eq!(outcome, json!({ "outcome": "interrupted" }));
    // The browser tells of the requests that failed.
    browser.complaints().await;
    browser.end().await;
}

#[tokio::test]
async fn database_deleted_under_the_page_is_told_and_nothing_is_made_up() {
    let stage = Stage::new([Step::Say(&["Hello."], 0)]).await;
    let session = stage.say("Hello").await;
    let told = stage
        .run(
            "await new Promise((resolve, reject) => {
                 const request = indexedDB.deleteDatabase('tau');
                 request.onsuccess = resolve;
                 request.onerror = () => reject(request.error);
             });
             const refused = (name, args) => call(name, args).then(() => null, ({ code, message, hint }) => ({ code, message, hint }));
             const list = await refused('sessions.list');
             await refused('prompt', { session: given, text: 'Still there?' });
             const { detail } = await told('error');
             return { list, detail, databases: (await indexedDB.databases()).map(({ name }) => name) };",
            session,
        )
        .await;
    assert_eq!(told["list"]["code"], "storage");
    let message = told["list"]["message"].as_str().unwrap();
    assert!(message.contains("deleted"), "{message}");
    assert_eq!(told["detail"]["code"], "storage", "{told}");
    assert_eq!(
        told["databases"],
        json!(["tau-identity"]),
        "it was made again"
    );

    stage.browser.reload().await;
    let empty = stage
        .run("await open(); return call('sessions.list');", Value::Null)
        .await;
    assert_eq!(empty, json!([]));
    stage.browser.end().await;
}

#[tokio::test]
async fn page_without_a_store_says_so_when_it_opens() {
    let stage = Stage::new([]).await;
    // As private browsing without storage has it: opening a database fails.
    let refused = stage
        .run(
            &format!(
                "{AFTER}
                 startAfter(`Object.defineProperty(self, 'indexedDB', {{
                     value: {{ open() {{ throw new DOMException('denied', 'SecurityError'); }} }},
                 }});`);
                 const {{ Agent }} = await import('/tau.js');
                 return Agent.open().then(() => null, ({{ code, message }}) => ({{ code, message }}));"
            ),
            Value::Null,
        )
        .await;
    assert_eq!(refused["code"], "storage", "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("keeps nothing"),
        "{refused}"
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn full_store_is_told_and_what_was_stored_stays() {
    let stage = Stage::new([Step::Say(&["Hello."], 0)]).await;
    let settings = stage.settings();
    stage.browser.reload().await;
    let told = stage
        .run(
            &format!(
                "{AFTER}
                 // As a browser without room for this site has it.
                 startAfter(`
                     let full = false;
                     new BroadcastChannel('full').onmessage = () => {{ full = true; }};
                     const put = IDBObjectStore.prototype.put;
                     IDBObjectStore.prototype.put = function (...row) {{
                         if (full) throw new DOMException('no room', 'QuotaExceededError');
                         return put.apply(this, row);
                     }};
                 `);
                 await open();
                 await call('settings.set', given);
                 const {{ session }} = await call('sessions.create');
                 await call('prompt', {{ session, text: 'Hello' }});
                 await event('turn_finished');
                 new BroadcastChannel('full').postMessage(true);
                 const refused = await until(() => call('memory.add', {{ text: 'x' }}).then(() => null, ({{ code, hint }}) => ({{ code, hint }})));
                 await call('prompt', {{ session, text: 'More' }}).catch(() => null);
                 const {{ detail }} = await told('error');
                 const stopped = await event('stopped');
                 return {{ refused, detail, stopped, view: await call('sessions.open', {{ session }}) }};"
            ),
            settings,
        )
        .await;
    assert_eq!(told["refused"]["code"], "storage_full", "{told}");
    assert!(told["refused"]["hint"].is_string(), "{told}");
    assert_eq!(told["detail"]["code"], "storage_full", "{told}");
    assert_eq!(told["stopped"]["error"], "Full", "{told}");
    assert_eq!(told["view"]["running"], false);
    assert_eq!(told["view"]["entries"].as_array().unwrap().len(), 2);
    stage.browser.end().await;
}

#[tokio::test]
async fn worker_that_breaks_ends_every_call_with_an_error() {
    let stage = Stage::new([Step::Hang("I am")]).await;
    let settings = stage.settings();
    stage.browser.reload().await;
    let told = stage
        .run(
            &format!(
                "{AFTER}
                 startAfter(`new BroadcastChannel('break').onmessage = () => {{ throw new Error('broken on purpose'); }};`);
                 await open();
                 await call('settings.set', given);
                 const {{ session }} = await call('sessions.create');
                 await call('prompt', {{ session, text: 'Hello' }});
                 await event('text_delta');
                 new BroadcastChannel('break').postMessage(true);
                 const {{ detail }} = await told('error');
                 const after = await call('status').then(() => null, ({{ code }}) => code);
                 return {{ detail, after }};"
            ),
            settings,
        )
        .await;
    assert_eq!(told["detail"]["code"], "crashed", "{told}");
    let message = told["detail"]["message"].as_str().unwrap();
    assert!(message.contains("broken on purpose"), "{message}");
    assert_eq!(told["after"], "crashed");
    stage.browser.end().await;
}

#[tokio::test]
async fn both_workers_start_from_another_origin_than_the_page() {
    let stage = Stage::new([]).await;
    let other = site::serve().await;
    let told = stage
        .run(
            "const { Agent } = await import(`${given}/tau.js`);
             const agent = await Agent.open();
             const refused = await agent.call('model.load', { url: '/nothing/' }).catch(({ code, message }) => ({ code, message }));
             return { refused, home: (await agent.call('status')).home };",
            other.url.clone().into(),
        )
        .await;
    assert_eq!(told["home"], "browser");
    assert_eq!(told["refused"]["code"], "model", "{told}");
    // The model's worker runs: it looked for the model, and there is none.
    let message = told["refused"]["message"].as_str().unwrap();
    assert!(message.contains("manifest.json"), "{message}");
    // The browser tells of what was not found.
    stage.browser.complaints().await;
    stage.browser.end().await;
}

/// Has the agent's worker run a script before its own.
pub(crate) const AFTER: &str = "
    const startAfter = (text) => {
        const script = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
        const first = script(text);
        const Plain = window.Worker;
        window.Worker = class extends Plain {
            constructor(url, options) {
                super(script(`import '${first}'; import '${url}';`), options);
            }
        };
    };
";
