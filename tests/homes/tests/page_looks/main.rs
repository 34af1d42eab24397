//! How the page looks: its main states at two widths, in light and dark.
//!
//! Each state is a picture in `screenshots` of the target directory, to be looked at, and keeps
//! rules that a program can check: nothing is wider than the window, every control has a name, text
//! stands out from its ground, the console has nothing to complain of, all under a strict policy.

#[expect(dead_code, reason = "the tests of the page's behaviour use the rest")]
#[path = "../page/support/mod.rs"]
mod support;

mod deeds;
mod look;

use serde_json::{Value, json};

use look::Look;
use support::provider::{Provider, Step};

const ANSWER: Step = Step::Say(
    &[
        "The last frost is **15 May**, so plant out after that.\n\n",
        "1. Harden the seedlings for a week.\n2. Water in the morning.\n\n",
        "| Bed | Plant | From |\n|---|---|---|\n| 1 | Tomato | 20 May |\n| 2 | Basil | 1 June |\n\n",
        "```python\nfor bed in beds:\n    water(bed, litres=4)  # wider than a phone, so that this block has to scroll\n```\n\n",
        "> Later is better than twice.\n\nSee [the table](https://gardening.example/frost) or `beds.csv`.",
    ],
    1,
);
const HOSTILE: Step = Step::Say(
    &[
        "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> \
       [a](javascript:document.title='taken') [b](data:text/html,c) ![d](https://pictures.example/e.png) \
       [https://bank.example](https://thief.example/) [Sign in at bank\\.example](https://thief.example/) \
       [`bank.example`](https://thief.example/) [see https://bank.example/ here](https://thief.example/) \
       [bank.example](https://www.bank.example/) [the guide](https://thief.example/)",
    ],
    1,
);
const MEMORY: usize = 2;
const IDENTITY: usize = 3;
const SETTINGS: usize = 4;

/// Chooses the scripted model, by hand.
async fn choose_model(look: &Look, model: &Provider, policy: &str) {
    look.show(SETTINGS).await;
    look.fill("input[type=url]", &model.url()).await;
    look.fill(
        "input[placeholder='As the provider calls it']",
        "scripted-large",
    )
    .await;
    look.choose(".panel:nth-of-type(2) select", policy).await;
    look.click(".save .is-primary").await;
    look.wait_for_text("Saved").await;
}

/// All main states, one after the other.
async fn visit(width: u32, scheme: &str) {
    let note = json!({ "text": "Last frost in the high valley: 15 May." });
    let model = Provider::start([
        Step::Hang("The last frost is **15 May**, so plant out af"),
        Step::Call("remember", note),
        ANSWER,
        Step::Say(&["After the 15th of May."], 1),
        Step::Fail("401 Unauthorized", "Incorrect API key provided"),
    ])
    .await;
    let look = Look::open(width, scheme, &model).await;
    look.wait_for_text("choose a model").await;
    look.picture("empty").await;
    choose_model(&look, &model, "hardened").await;
    look.picture("settings").await;
    look.show(1).await;
    look.picture("ready").await;

    converse(&look).await;
    branch(&look).await;
    list(&look).await;

    look.show(MEMORY).await;
    look.type_into(".add textarea", "Prefers metric units and short answers.")
        .await;
    look.click(".add button").await;
    look.wait_for_text("2 memories").await;
    look.picture("memory").await;
    look.type_into(".screen .search", "frost").await;
    look.wait_for_text("1 memory matches").await;

    look.show(IDENTITY).await;
    look.wait_for_text("did:key:").await;
    look.type_into(".pair form:first-child textarea", "I was here.")
        .await;
    look.click(".pair form:first-child .button.is-primary")
        .await;
    look.wait_for(".pair form:first-child .copy").await;
    look.click(".pair form:last-child .actions button").await;
    look.wait_for_text("Genuine").await;
    look.picture("identity").await;

    look.show(1).await;
    look.say("And who pays for this?").await;
    look.wait_for(".turn-end .notice.is-bad").await;
    look.picture("error").await;
    look.close().await;
}

/// Streaming, a stop, a question, tools.
async fn converse(look: &Look) {
    look.say("When can I plant out tomatoes in the high valley?")
        .await;
    look.wait_for(".answer[data-live] .prose").await;
    look.picture("streaming").await;
    look.type_into(
        ".composer-text",
        &char::from(fantoccini::key::Key::Escape).to_string(),
    )
    .await;
    look.wait_for_end().await;
    look.wait_for_text("Stopped").await;

    look.say("Note the date, and tell me when to plant out.")
        .await;
    look.wait_for(".approval").await;
    look.picture("approval").await;
    look.click(".approval .is-primary").await;
    look.wait_until_gone(".approval").await;
    look.wait_for_end().await;
    look.wait_for_text("beds.csv").await;
    look.click(".tool summary").await;
    look.wait_for_text("Came back").await;
    look.picture("tools").await;
}

/// The same question again, and the way back.
async fn branch(look: &Look) {
    look.click(".turn:last-child [aria-label='Ask again']")
        .await;
    look.wait_for_text("After the 15th of May.").await;
    look.wait_for_end().await;
    look.wait_for_text("2 of 2").await;
    look.picture("branches").await;
    look.click(".more summary").await;
    look.click(".more-list button:first-child").await;
    look.wait_for_text_in(".branch-dialog[open]", "You are here")
        .await;
    look.picture("branch-list").await;
    look.click(".branch-dialog > .actions button").await;
    look.wait_until_gone(".branch-dialog[open]").await;
    look.click(".turn:last-child [aria-label='Previous branch']")
        .await;
    look.wait_for_text("1 of 2").await;
    look.wait_for_text("beds.csv").await;
}

/// The conversations: found, and asked about before one is deleted.
async fn list(look: &Look) {
    look.open_menu().await;
    look.type_into(".sidebar .search", "tomatoes").await;
    look.click(".session [aria-label^=Delete]").await;
    look.wait_for(".confirm").await;
    look.picture("sessions").await;
    look.click(".confirm .button:not(.is-danger)").await;
    if look.is_narrow {
        look.click("button[aria-label='Close menu']").await;
        look.wait_until_gone(".sidebar").await;
    }
}

#[tokio::test]
async fn the_main_states_look_right_on_a_phone() {
    visit(390, "light").await;
}

#[tokio::test]
async fn the_main_states_look_right_on_a_desk() {
    visit(1280, "light").await;
}

#[tokio::test]
async fn the_main_states_look_right_in_the_dark() {
    visit(1280, "dark").await;
}

#[tokio::test]
async fn the_smallest_screens_and_a_side_panel_have_room_for_everything() {
    let note = json!({ "text": "Beds are numbered from the gate." });
    let call = Step::Call("remember", note);
    let model = Provider::start([call.clone(), ANSWER, call, ANSWER]).await;
    for (width, path, scheme) in [(320, "/", "dark"), (1100, "/panel.html", "light")] {
        let look = Look::open(width, scheme, &model).await;
        look.go(path).await;
        look.run(
            "const { agent } = document.querySelector('tau-agent');
            await agent.call('settings.set', { base_url: given, model: 'scripted-large', policy: 'hardened' });",
            json!(model.url()),
        )
        .await;
        look.go(path).await;
        look.say("Remember how the beds are numbered.").await;
        look.wait_for(".approval").await;
        look.picture("small-approval").await;
        // By key, from where one writes.
        let keys = [
            fantoccini::key::Key::Alt.into(),
            'y',
            fantoccini::key::Key::Null.into(),
        ];
        look.type_into(".composer-text", &keys.iter().collect::<String>())
            .await;
        look.wait_for_text("beds.csv").await;
        look.wait_for_end().await;
        look.picture("small-answer").await;
        look.close().await;
    }
}

#[tokio::test]
async fn text_of_a_model_becomes_no_markup_and_leads_nowhere_by_deceit() {
    let model = Provider::start([HOSTILE]).await;
    let look = Look::open(1280, "light", &model).await;
    choose_model(&look, &model, "balanced").await;
    look.show(1).await;
    look.say("Show me what you can.").await;
    look.wait_for_end().await;
    let found = look
        .run(
            "const prose = document.querySelector('tau-agent').shadowRoot.querySelector('.prose');
            const links = [...prose.querySelectorAll('a')].map((link) => [link.textContent, link.href, link.rel]);
            return { title: document.title, loaded: prose.querySelectorAll('img, script, iframe').length, links };",
            Value::Null,
        )
        .await;
    let rel = "noopener noreferrer nofollow";
    let links = json!([
        ["d", "https://pictures.example/e.png", rel],
        [
            "https://bank.example (thief.example)",
            "https://thief.example/",
            rel
        ],
        [
            "Sign in at bank.example (thief.example)",
            "https://thief.example/",
            rel
        ],
        [
            "bank.example (thief.example)",
            "https://thief.example/",
            rel
        ],
        [
            "see https://bank.example/ here (thief.example)",
            "https://thief.example/",
            rel
        ],
        ["bank.example", "https://www.bank.example/", rel],
        ["the guide", "https://thief.example/", rel],
    ]);
    assert_eq!(
        found,
        json!({ "title": "Tau", "loaded": 0, "links": links })
    );
    let text = look.text(".prose").await;
    assert!(text.contains("<img src=x onerror="), "{text}");
    look.picture("hostile").await;
    look.close().await;
}

#[tokio::test]
async fn markdown_is_read_as_models_write_it_and_in_bounded_time() {
    let model = Provider::start([]).await;
    let look = Look::open(390, "light", &model).await;
    let read = async |text: &str| {
        let script = include_str!("markdown.js");
        look.run(script, json!({ "text": text })).await
    };
    let cases = [
        (
            "a *b* `c*d*` **e_f_g**",
            r#"[{"kind":"paragraph","children":[{"kind":"text","text":"a "},{"kind":"em","children":[{"kind":"text","text":"b"}]},{"kind":"text","text":" "},{"kind":"code","text":"c*d*"},{"kind":"text","text":" "},{"kind":"strong","children":[{"kind":"text","text":"e_f_g"}]}]}]"#,
        ),
        (
            "```rs\na\n\n*b*\n",
            r#"[{"kind":"code","language":"rs","text":"a\n\n*b*\n"}]"#,
        ),
        (
            "- a\n  - b\n- c\n1. d",
            r#"[{"kind":"list","ordered":false,"start":1,"items":[[{"kind":"paragraph","children":[{"kind":"text","text":"a"}]},{"kind":"list","ordered":false,"start":1,"items":[[{"kind":"paragraph","children":[{"kind":"text","text":"b"}]}]]}],[{"kind":"paragraph","children":[{"kind":"text","text":"c"}]}]]},{"kind":"list","ordered":true,"start":1,"items":[[{"kind":"paragraph","children":[{"kind":"text","text":"d"}]}]]}]"#,
        ),
        (
            "2 * 3 * 4, snake_case_name, 5 < 6",
            r#"[{"kind":"paragraph","children":[{"kind":"text","text":"2 * 3 * 4, snake_case_name, 5 < 6"}]}]"#,
        ),
        (
            "[x](https://u:p@a.example) https://a.example/b_c.",
            r#"[{"kind":"paragraph","children":[{"kind":"em","children":[{"kind":"text","text":"x"}]},{"kind":"text","text":" "},{"kind":"link","href":"https://a.example/b_c","children":[{"kind":"text","text":"https://a.example/b_c"}]},{"kind":"text","text":"."}]}]"#,
        ),
    ];
    for (text, expected) in cases {
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(read(text).await["blocks"], expected, "{text}");
    }
    let repeated = [
        "*a ", "[a](", "[", "`a``b```", "**a ", "> ", "- ", "\n- a", "~~~\n", "***a***b", "\\*",
        "*_",
    ];
    let many = repeated
        .iter()
        .map(|piece| piece.repeat(100_000 / piece.len()));
    let (spaces, tildes) = (" ".repeat(100_000), "~".repeat(100_000));
    let one = [
        format!("# {spaces}x"),
        format!("- {spaces}x\u{2028}y"),
        format!("a|b\n- {spaces}x"),
        format!("{tildes}`"),
        format!("```{}`", "a".repeat(100_000)),
        format!("{}](", "[".repeat(100_000)),
    ];
    for text in many.chain(one) {
        let read = read(&text).await;
        let ms = read["ms"].as_f64().expect("a time");
        let begin: String = text.chars().take(20).collect();
        assert!(ms < 5_000.0, "{begin:?} took {ms} ms");
    }
    look.close().await;
}
