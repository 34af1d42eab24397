//! The real models. Pulled into the models folder (`TAU_MODELS`, or this machine's) if they are not there.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tau_target_rten::agent::{Agent, Call, Decision, Finish, Piece, Request, Turn};
use tau_target_rten::{Cancel, End, Error, Options, Sampling, Threads, cosine, eval, fetch};

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let folder = fetch::models_dir().expect("a data folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let models = runtime.block_on(fetch::pull_models(&folder, &mut |_| {}, &Cancel::new()));
    models.expect("the models can be pulled");
    fetch::load(&folder, Threads::auto()).expect("the models load")
});

fn greedy(max_tokens: usize) -> Options {
    Options {
        max_tokens,
        sampling: Sampling::Greedy,
        stop: vec![],
        repetition_penalty: 1.0,
    }
}

#[test]
fn the_tokenizer_agrees_with_llama_cpp() {
    let tokenizer = AGENT.text().tokenizer();
    for line in include_str!("data/tokens.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = case["text"].as_str().expect("a text");
        let tokens = tokenizer.encode(text).expect("tokens");
        assert_eq!(json!(tokens), case["tokens"], "{text:?}");
        assert_eq!(tokenizer.decode(&tokens), text);
    }
}

#[test]
fn text_cannot_end_its_own_turn() {
    let tokenizer = AGENT.text().tokenizer();
    let end = tokenizer.control("<|im_end|>").expect("a control token");
    assert!(
        !tokenizer
            .encode("a<|im_end|>b")
            .expect("tokens")
            .contains(&end)
    );
}

#[test]
fn generation_streams_stops_and_reuses_the_prompt() {
    let model = AGENT.text();
    let prompt = model
        .tokenizer()
        .encode("One, two, three, four, five,")
        .expect("tokens");
    let mut session = model.session();
    let mut streamed = String::new();
    let whole = model
        .generate(
            &mut session,
            &prompt,
            &greedy(12),
            &Cancel::new(),
            |piece| {
                streamed.push_str(piece);
                ControlFlow::Continue(())
            },
        )
        .expect("a generation");
    assert!(whole.text.contains("six"), "{}", whole.text);
    assert_eq!((streamed, whole.end), (whole.text, End::MaxTokens));
    let broken = model
        .generate(&mut session, &prompt, &greedy(12), &Cancel::new(), |_| {
            ControlFlow::Break(())
        })
        .expect("a generation");
    assert_eq!(
        (broken.end, broken.reused_tokens),
        (End::Broken, prompt.len() - 1)
    );
    let raised = Cancel::new();
    raised.cancel();
    let error = model.generate(&mut session, &prompt, &greedy(1), &raised, |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(error, Err(Error::Cancelled)));
}

#[test]
fn a_prompt_in_pieces_gives_the_scores_of_a_whole_one() {
    let model = AGENT.text();
    let text = "It was the best of times, it was the worst of times. ".repeat(40);
    let prompt = model.tokenizer().encode(&text).expect("tokens");
    let mut session = model.session();
    model
        .prompt(&mut session, &prompt[..300], &Cancel::new())
        .expect("scores");
    let (pieces, reused) = model
        .prompt(&mut session, &prompt, &Cancel::new())
        .expect("scores");
    assert_eq!(reused, 300);
    let (whole, _) = model
        .prompt(&mut model.session(), &prompt, &Cancel::new())
        .expect("scores");
    let best = |row: &[f32]| {
        row.iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map(|(i, _)| i)
    };
    assert_eq!(best(pieces.row(0)), best(whole.row(0)));
}

#[test]
fn a_prompt_beyond_the_context_is_refused() {
    let model = AGENT.text();
    let prompt = vec![100; model.context()];
    let error = model.prompt(&mut model.session(), &prompt, &Cancel::new());
    assert!(matches!(
        error,
        Err(Error::ContextFull {
            tokens: 2048,
            limit: 2047
        })
    ));
}

#[test]
fn vectors_are_of_length_one_and_near_for_like_texts() {
    let texts = [
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
    ];
    let vectors = AGENT.embedder().embed(&texts).expect("vectors");
    assert!(
        vectors
            .iter()
            .all(|v| v.len() == 384 && (cosine(v, v) - 1.0).abs() < 1e-4)
    );
    // The figures on the model's own card.
    for (other, expected) in [(1, 0.695), (2, 0.943), (3, 0.257)] {
        let found = cosine(&vectors[0], &vectors[other]);
        assert!(
            (found - expected).abs() < 0.002,
            "{found} for {}",
            texts[other]
        );
    }
}

fn respond(turns: Vec<Turn>) -> (Finish, Vec<Piece>) {
    let request = Request {
        system: String::new(),
        turns,
        tools: eval::tools(),
        max_tokens: 40,
    };
    let mut pieces = Vec::new();
    let finish = AGENT
        .respond(&request, &Cancel::new(), &mut |piece| pieces.push(piece))
        .expect("an answer");
    (finish, pieces)
}

#[test]
fn a_question_about_a_file_reads_it_and_quotes_it() {
    let question = Turn::User("What is the licence of this project? See README.md".into());
    let (finish, pieces) = respond(vec![question.clone()]);
    assert_eq!(finish, Finish::ToolCall);
    let arguments = json!({"path": "README.md"});
    assert_eq!(
        pieces[0],
        Piece::ToolCall {
            name: "read".into(),
            arguments: arguments.clone()
        }
    );

    let readme = "# Kettle\n\nA small program that boils water.\n\n## Installation\n\nRun the installer.\n\n## Usage\n\n\
                  Press the button and wait.\n\n## Licence\n\nKettle is licensed under MIT OR Apache-2.0, at your option.\n\n\
                  ## Contributing\n\nPatches are welcome.\n";
    let call = Call {
        id: "1".into(),
        name: "read".into(),
        arguments,
    };
    let result = |text: &str, is_error| Turn::ToolResult {
        call_id: "1".into(),
        name: "read".into(),
        text: text.into(),
        is_error,
    };
    let calls = Turn::AssistantCalls(vec![call]);
    let (finish, pieces) = respond(vec![question.clone(), calls.clone(), result(readme, false)]);
    assert_eq!(finish, Finish::Answered);
    assert!(
        matches!(&pieces[0], Piece::Text(text) if text.contains("MIT OR Apache-2.0")),
        "{pieces:?}"
    );
    assert!(matches!(pieces.last(), Some(Piece::Usage { .. })));

    // A folder that was taken for a file is listed instead; any other failure is told.
    let (finish, _) = respond(vec![
        question.clone(),
        calls.clone(),
        result("it is a directory", true),
    ]);
    assert_eq!(finish, Finish::ToolCall);
    let (finish, pieces) = respond(vec![question, calls, result("no such file", true)]);
    assert_eq!(finish, Finish::Answered);
    assert!(matches!(&pieces[0], Piece::Text(text) if text.contains("no such file")));
}

#[test]
fn talk_is_answered_without_a_tool() {
    let (finish, pieces) = respond(vec![Turn::User("Hello, how are you?".into())]);
    assert!(matches!(finish, Finish::Answered | Finish::Length));
    assert!(matches!(&pieces[0], Piece::Text(_)), "{pieces:?}");
}

#[test]
fn at_least_34_of_40_plain_instructions_become_the_right_call() {
    for list in [
        include_str!("../../../tests/embedded/instructions.jsonl"),
        include_str!("../../../tests/embedded/heldout.jsonl"),
    ] {
        let report = eval::run(&AGENT, list).expect("a report");
        assert!(report.right_call >= 34, "{report}\n{:#?}", report.misses);
    }
}

#[test]
fn what_there_is_no_tool_for_is_said_instead_of_tried() {
    let tools = eval::tools();
    for instruction in [
        "Write hello into a.txt",
        "Create a file called list.md with three fruits",
        "Run the command cargo build",
        "Replace foo with bar in main.rs",
    ] {
        let lacks = AGENT.lacks(instruction, &tools).expect("vectors");
        assert!(lacks.is_some(), "{instruction}");
    }
    let mut wrong = Vec::new();
    for list in ["instructions", "heldout"] {
        let path = format!(
            "{}/../../tests/embedded/{list}.jsonl",
            env!("CARGO_MANIFEST_DIR")
        );
        for line in std::fs::read_to_string(path).expect("a list").lines() {
            let case: Value = serde_json::from_str(line).expect("a line of JSON");
            let instruction = case["instruction"].as_str().expect("an instruction");
            if let Some(does) = AGENT.lacks(instruction, &tools).expect("vectors") {
                wrong.push(format!("{instruction}: {does}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_question_about_the_person_looks_into_memory() {
    let mut tools = eval::tools();
    tools.push(tau_target_rten::agent::Tool {
        name: "recall".into(),
        description: "Search what was remembered.".into(),
        parameters: json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}),
    });
    for instruction in [
        "What is my dog called?",
        "Where do I live?",
        "What do you remember about my car?",
    ] {
        let decision = AGENT
            .decide(instruction, &tools, &Cancel::new())
            .expect("a decision");
        let Decision::Call { name, .. } = decision else {
            panic!("{instruction}: {decision:?}")
        };
        assert_eq!(name, "recall", "{instruction}");
    }
}
