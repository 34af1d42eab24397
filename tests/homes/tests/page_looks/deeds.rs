//! What a person does in the element, and that it does what was meant.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::{
    ANSWER, SETTINGS, choose_model,
    look::Look,
    support::provider::{Provider, Step},
};

fn remember(text: &str) -> Step {
    Step::Call("remember", json!({ "text": text }))
}

/// A letter with Alt held.
fn alt(letter: char) -> String {
    [Key::Alt.into(), letter, Key::Null.into()].iter().collect()
}

async fn memories(look: &Look) -> Vec<String> {
    let found = look
        .run(
            "const { agent } = document.querySelector('tau-agent');
            return (await agent.call('memory.list')).map(({ text }) => text).sort();",
            Value::Null,
        )
        .await;
    serde_json::from_value(found).expect("texts")
}

#[tokio::test]
async fn approval_is_of_the_call_that_is_shown_even_if_call_ids_repeat() {
    // A scripted model calls every call the same.
    let model = Provider::start([
        remember("first note"),
        remember("second note"),
        remember("third note"),
        ANSWER,
        ANSWER,
    ])
    .await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "hardened").await;
    look.show(1).await;
    look.say("Note the first.").await;
    look.wait_for_text_in(".approval", "first note").await;
    look.type_into(".composer-text", &alt('c')).await;
    look.wait_until_gone(".approval").await;
    look.say("Note the others.").await;
    look.wait_for_text_in(".approval", "second note").await;
    look.click(".approval .is-primary").await;
    look.wait_for_text_in(".approval", "third note").await;
    assert_eq!(memories(&look).await, ["second note"]);
    look.click(".approval .is-primary").await;
    look.wait_for_text("beds.csv").await;
    assert_eq!(memories(&look).await, ["second note", "third note"]);

    // The first still waits, and the reason typed beside it goes with the key that refuses.
    look.click(".session:last-child .session-open").await;
    look.wait_for_text_in(".approval", "first note").await;
    look.type_into(".approval .input", "not that one").await;
    look.type_into(".approval .input", &alt('n')).await;
    look.wait_for_text("beds.csv").await;
    assert_eq!(memories(&look).await, ["second note", "third note"]);
    let told = model.bodies().last().expect("asked again").to_string();
    assert!(told.contains("not that one"), "{told}");
    look.close().await;
}

#[tokio::test]
async fn question_out_of_sight_is_not_answered_by_a_key() {
    let model = Provider::start([remember("a note"), ANSWER]).await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "hardened").await;
    look.show(1).await;
    look.say("Note it.").await;
    look.wait_for(".approval").await;
    look.show(2).await;
    look.type_into(".add textarea", &alt('y')).await;
    look.show(1).await;
    look.wait_for(".approval").await;
    assert!(memories(&look).await.is_empty());
    look.type_into(".composer-text", &alt('y')).await;
    look.wait_for_text("beds.csv").await;
    look.close().await;
}

#[tokio::test]
async fn search_by_key_leaves_the_conversation_usable_where_the_menu_is_always_there() {
    let model = Provider::start([ANSWER]).await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "balanced").await;
    look.show(1).await;
    look.say("When?").await;
    look.wait_for_end().await;
    look.type_into(".composer-text", &alt('s')).await;
    look.wait_for(".search:focus").await;
    look.type_into(".search", "when").await;
    let inert = look
        .run(
            "return document.querySelector('tau-agent').shadowRoot.querySelector('.main').inert;",
            Value::Null,
        )
        .await;
    assert_eq!(inert, false);
    look.click(".composer-text").await;
    look.close().await;
}

#[tokio::test]
async fn conversation_is_deleted_while_it_runs_without_an_error() {
    let model = Provider::start([Step::Hang("Well, ")]).await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "balanced").await;
    look.show(1).await;
    look.say("Think long.").await;
    look.wait_for(".answer[data-live] .prose").await;
    look.click(".session [aria-label^=Delete]").await;
    look.click(".confirm .is-danger").await;
    look.wait_until_gone(".session").await;
    // Whatever its end would ask for has been asked by then.
    let left = look
        .run(
            "const element = document.querySelector('tau-agent');
            for (let calls = 0; calls < 10; calls += 1) await element.agent.call('status');
            await new Promise((go) => setTimeout(go, 200));
            return [...element.shadowRoot.querySelectorAll('.banner')].map((banner) => banner.innerText);",
            Value::Null,
        )
        .await;
    assert_eq!(left, json!([]));
    look.close().await;
}

#[tokio::test]
async fn conversation_that_is_left_before_it_is_open_is_free_for_other_tabs() {
    let model = Provider::start([ANSWER, ANSWER]).await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "balanced").await;
    look.show(1).await;
    for text in ["One", "Two"] {
        look.say(text).await;
        look.wait_for_end().await;
        look.type_into(".composer-text", &alt('c')).await;
        look.wait_until_gone(".turn").await;
    }
    let held = look
        .run(
            "const root = document.querySelector('tau-agent').shadowRoot;
            const [first, second] = root.querySelectorAll('.session-open');
            first.click();
            second.click();
            for (let left = 200; left > 0; left -= 1) {
                await new Promise((go) => setTimeout(go, 20));
                const { held } = await navigator.locks.query();
                const here = held.filter(({ name }) => name.startsWith('tau-session-')).length;
                if (root.querySelector('.turn') && here === 1) return 1;
            }
            return (await navigator.locks.query()).held.map(({ name }) => name);",
            Value::Null,
        )
        .await;
    assert_eq!(held, 1);
    look.close().await;
}

#[tokio::test]
async fn conversation_of_a_model_that_is_not_loaded_says_so() {
    let model = Provider::start([ANSWER]).await;
    let look = Look::open(390, "light", &model).await;
    choose_model(&look, &model, "balanced").await;
    look.show(1).await;
    look.say("When?").await;
    look.wait_for_end().await;
    look.run(
        "await document.querySelector('tau-agent').agent.call('settings.set', { api: 'embedded' });",
        Value::Null,
    )
    .await;
    look.go("/").await;
    look.wait_for_text_in(".banner", "The small model is not loaded yet")
        .await;
    look.picture("unloaded").await;
    look.click(".banner button").await;
    look.wait_for_text("Folder of its files").await;
    look.close().await;
}

#[tokio::test]
async fn what_is_always_allowed_is_asked_no_more_until_it_is_revoked_in_the_settings() {
    let model = Provider::start([
        remember("first note"),
        ANSWER,
        remember("second note"),
        ANSWER,
        remember("third note"),
        ANSWER,
    ])
    .await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "hardened").await;
    look.show(1).await;
    look.say("Note the first.").await;
    look.wait_for_text_in(".approval", "first note").await;
    // Beside the call alone and the conversation.
    look.click(".approval .actions button:nth-of-type(3)").await;
    look.wait_for_text("beds.csv").await;

    // In another conversation, after a reload.
    look.go("/").await;
    look.show(1).await;
    look.type_into(".composer-text", &alt('c')).await;
    look.wait_until_gone(".turn").await;
    look.say("Note the second.").await;
    look.wait_for_text("beds.csv").await;
    assert_eq!(memories(&look).await, ["first note", "second note"]);

    look.show(SETTINGS).await;
    look.click("[aria-label='Revoke: remember']").await;
    look.wait_until_gone("[aria-label='Revoke: remember']")
        .await;
    look.show(1).await;
    look.type_into(".composer-text", &alt('c')).await;
    look.wait_until_gone(".turn").await;
    look.say("Note the third.").await;
    look.wait_for_text_in(".approval", "third note").await;
    assert_eq!(memories(&look).await, ["first note", "second note"]);
    look.close().await;
}

#[tokio::test]
async fn branch_is_begun_left_gone_to_and_merged() {
    let model = Provider::start([
        Step::Say(&["In May."], 1),
        Step::Say(&["With a fleece, in April."], 1),
        Step::Say(&["From seed, in March."], 1),
    ])
    .await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "balanced").await;
    look.show(1).await;
    look.say("When do I plant?").await;
    look.wait_for_text("In May.").await;
    look.wait_for_end().await;

    let open = async || {
        look.click(".more summary").await;
        look.click(".more-list button:first-child").await;
        look.wait_for(".branch-dialog[open]").await;
    };
    open().await;
    look.fill(".branch-dialog input", "early").await;
    look.click(".branch-dialog [type=submit]").await;
    look.wait_until_gone(".branch-dialog[open]").await;
    look.say("And earlier?").await;
    look.wait_for_text("With a fleece, in April.").await;
    look.wait_for_end().await;

    // The line that was left got a name of its own.
    open().await;
    look.click(".branch-dialog [aria-label='Go there: main']")
        .await;
    look.wait_until_gone("ol.turns > :nth-child(2)").await;
    look.say("And from seed?").await;
    look.wait_for_text("From seed, in March.").await;
    look.wait_for_end().await;

    open().await;
    look.wait_for_text_in(".branch-dialog [data-current]", "main")
        .await;
    look.click(".branch-dialog [aria-label='Merge here: early']")
        .await;
    look.wait_for_text_in("ol.turns", "With a fleece, in April.")
        .await;
    let path = look
        .run(
            "const { agent } = document.querySelector('tau-agent');
            const [{ session }] = await agent.call('sessions.list');
            const view = await agent.call('sessions.open', { session });
            return view.entries.filter((entry) => entry.on_path).map((entry) => entry.message.parts[0].text);",
            Value::Null,
        )
        .await;
    assert_eq!(
        path,
        json!([
            "When do I plant?",
            "In May.",
            "And from seed?",
            "From seed, in March.",
            "And earlier?",
            "With a fleece, in April.",
        ])
    );

    // What cannot be done is told above the conversation: all of it is here already.
    open().await;
    look.click(".branch-dialog [aria-label='Merge in short: early']")
        .await;
    look.wait_for_text_in(".banner", "nothing to merge").await;
    look.close().await;
}
