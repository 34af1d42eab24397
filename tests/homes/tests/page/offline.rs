//! Without a network, and without a store.

use serde_json::{Value, json};

use crate::{Stage, support::provider::Step};

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
            "const script = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
             const refusing = script(`Object.defineProperty(self, 'indexedDB', { value: { open() { throw new DOMException('denied', 'SecurityError'); } } });`);
             const Plain = window.Worker;
             window.Worker = class extends Plain {
                 constructor(url, options) {
                     super(script(`import '${refusing}'; import '${url}';`), options);
                 }
             };
             const { Agent } = await import('/tau.js');
             return Agent.open().then(() => null, ({ code, message }) => ({ code, message }));",
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
