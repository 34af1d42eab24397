//! The element's start: failed, tried again, and left behind.

use serde_json::{Value, json};

use crate::Stage;

#[tokio::test]
async fn start_that_failed_can_be_tried_again() {
    let stage = Stage::new([]).await;
    let told = stage
        .run(
            "await import('/element.js');
             const element = document.createElement('tau-agent');
             element.setAttribute('policy', 'lenient');
             const failed = new Promise((go) => element.addEventListener('tau-error', ({ detail }) => go(detail.code)));
             const ready = new Promise((go) => element.addEventListener('tau-ready', go));
             document.body.append(element);
             const code = await failed;
             element.setAttribute('policy', 'strict');
             element.shadowRoot.querySelector('.opening button').click();
             await ready;
             return { code, policy: (await element.agent.call('settings.get')).policy };",
            Value::Null,
        )
        .await;
    assert_eq!(told, json!({ "code": "bad_request", "policy": "strict" }));
    stage.browser.end().await;
}

#[tokio::test]
async fn element_that_is_removed_while_it_starts_leaves_no_agent_behind() {
    let stage = Stage::new([]).await;
    let alive = stage
        .run(
            "window.alive = new Set();
             window.Worker = class extends Worker {
                 constructor(...given) { super(...given); alive.add(this); }
                 terminate() { super.terminate(); alive.delete(this); }
             };
             await import('/element.js');
             const element = document.createElement('tau-agent');
             let ready = 0;
             element.addEventListener('tau-ready', () => { ready += 1; });
             document.body.append(element);
             await until(() => alive.size === 1, 'a worker');
             element.remove();
             await new Promise((go) => setTimeout(go, 1));
             document.body.append(element);
             await until(() => ready === 1 && alive.size === 1, 'one ready element');
             const shown = element.shadowRoot.querySelectorAll('.frame').length;
             element.remove();
             await until(() => alive.size === 0, 'no worker');
             return [shown, ready];",
            Value::Null,
        )
        .await;
    assert_eq!(alive, json!([1, 1]));
    stage.browser.end().await;
}
