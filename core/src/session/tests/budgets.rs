//! Budgets and conversations that outgrow the model.

use alloc::{format, string::String, sync::Arc, vec, vec::Vec};
use serde_json::json;

use super::harness::*;
use crate::{
    message::Role,
    model::ToolChoice,
    session::{Budget, Budgets, Command, Config, Event, Outcome},
};

fn limited(budgets: Budgets) -> Config {
    Config {
        budgets,
        ..config()
    }
}

fn read() -> Reply {
    Reply::Calls(vec![("read", json!({}))])
}

#[test]
fn the_last_step_is_told_to_answer() {
    let budgets = Budgets {
        steps: 3,
        ..Budgets::default()
    };
    let mut home = Home::with(limited(budgets), [read(), read(), Reply::Text("so far")]);
    home.prompt("go").tool("read", "1").tool("read", "2");
    assert_eq!(
        home.outcome(),
        Some(&Outcome::BudgetExhausted {
            budget: Budget::Steps
        })
    );
    let last = &home.requests[2];
    assert_eq!(last.tool_choice, ToolChoice::None);
    assert!(last.closing.as_ref().unwrap().contains("steps"));
    assert_eq!(home.transcript().last().unwrap(), "Assistant so far");
}

#[test]
fn a_model_that_calls_tools_in_its_last_answer_is_refused() {
    let budgets = Budgets {
        steps: 2,
        ..Budgets::default()
    };
    let mut home = Home::with(limited(budgets), [read(), read()]);
    home.prompt("go").tool("read", "1");
    assert_eq!(
        home.outcome(),
        Some(&Outcome::BudgetExhausted {
            budget: Budget::Steps
        })
    );
    assert!(
        home.transcript()
            .last()
            .unwrap()
            .starts_with("Tool read=Denied")
    );
    assert!(home.tools.is_empty());
}

#[test]
fn money_and_tokens_stop_a_turn() {
    // Each call takes 110 tokens and costs 200.
    let cases = [
        (
            Budgets {
                cost_nano_usd: Some(200),
                ..Budgets::default()
            },
            Budget::Cost,
        ),
        (
            Budgets {
                tokens: Some(110),
                ..Budgets::default()
            },
            Budget::Tokens,
        ),
    ];
    for (budgets, budget) in cases {
        let mut home = Home::with(limited(budgets), [read()]);
        home.prompt("go").tool("read", "1");
        assert_eq!(home.outcome(), Some(&Outcome::BudgetExhausted { budget }));
        assert_eq!(home.requests.len(), 1);
    }
}

#[test]
fn near_the_limit_of_money_the_model_is_told_to_answer() {
    let budgets = Budgets {
        cost_nano_usd: Some(210),
        ..Budgets::default()
    };
    let mut home = Home::with(limited(budgets), [read(), Reply::Text("so far")]);
    home.prompt("go").tool("read", "1");
    assert_eq!(
        home.outcome(),
        Some(&Outcome::BudgetExhausted {
            budget: Budget::Cost
        })
    );
    assert_eq!(home.requests[1].tool_choice, ToolChoice::None);
}

#[test]
fn the_deadline_ends_tools_in_time_for_a_last_answer() {
    let budgets = Budgets {
        deadline_ms: Some(10_000),
        ..Budgets::default()
    };
    let mut home = Home::with(limited(budgets), [read(), Reply::Text("so far")]);
    home.prompt("go");
    assert!(home.wait() <= 8_000);
    assert!(
        home.transcript()[2].contains("read=TimedOut"),
        "{:?}",
        home.transcript()
    );
    assert_eq!(
        home.outcome(),
        Some(&Outcome::BudgetExhausted {
            budget: Budget::Deadline
        })
    );
    assert_eq!(home.transcript().last().unwrap(), "Assistant so far");
}

#[test]
fn past_the_deadline_a_hanging_model_is_cut_off() {
    let budgets = Budgets {
        deadline_ms: Some(10_000),
        ..Budgets::default()
    };
    let mut home = Home::with(limited(budgets), [Reply::Hangs("half")]);
    home.prompt("go");
    assert!(home.wait() > 9_000);
    assert_eq!(
        home.outcome(),
        Some(&Outcome::BudgetExhausted {
            budget: Budget::Deadline
        })
    );
    assert_eq!(home.transcript(), ["User go", "Assistant half"]);
}

fn small_model(context_tokens: u32, compaction: bool) -> Config {
    let mut config = config();
    for model in &mut config.models {
        let mut small = (**model).clone();
        small.context_tokens = context_tokens;
        small.max_output_tokens = 100;
        *model = Arc::new(small);
    }
    Config {
        compaction,
        ..config
    }
}

fn long(number: usize) -> String {
    format!("{number} {}", "x".repeat(800))
}

#[test]
fn without_summaries_the_oldest_messages_are_left_out() {
    let replies = (0..20).map(|_| Reply::Text("ok"));
    let mut home = Home::with(small_model(1_500, false), replies);
    for number in 0..20 {
        home.prompt(&long(number));
    }
    let last = home.requests.last().unwrap();
    assert!(last.messages.len() < 12, "{}", last.messages.len());
    assert!(
        last.messages
            .last()
            .unwrap()
            .joined_text()
            .starts_with("19 ")
    );
    assert!(home.events.iter().any(|e| matches!(
        e,
        Event::Compacted {
            summarised: false,
            ..
        }
    )));
    assert_eq!(home.session.entries().len(), 40, "nothing is forgotten");
}

#[test]
fn an_outgrown_conversation_is_summarised_and_goes_on() {
    let mut replies: Vec<Reply> = (0..4).map(|_| Reply::Text("ok")).collect();
    replies.extend([
        Reply::Text("they said 0 to 3"),
        Reply::Text("four"),
        Reply::Text("five"),
    ]);
    let mut home = Home::with(small_model(1_600, true), replies);
    for number in 0..6 {
        home.prompt(&long(number));
    }
    assert_eq!(
        home.outcome(),
        Some(&Outcome::Answered),
        "{:?}",
        home.events.last()
    );
    let summary = home
        .requests
        .iter()
        .position(|r| r.system.contains("summaries"))
        .unwrap();
    let after: Vec<String> = home.requests[summary + 1]
        .messages
        .iter()
        .map(|m| m.joined_text())
        .collect();
    assert!(after[0].contains("they said 0 to 3"), "{after:?}");
    assert_eq!(
        home.requests[summary + 1].messages.len(),
        2,
        "the summary and the prompt"
    );
}

#[test]
fn a_summary_that_fails_is_done_without() {
    let mut replies: Vec<Reply> = (0..4).map(|_| Reply::Text("ok")).collect();
    let refused = crate::wire::ProviderError {
        retryable: false,
        ..overloaded()
    };
    replies.extend([Reply::Fails(refused), Reply::Text("four")]);
    let mut home = Home::with(small_model(1_600, true), replies);
    for number in 0..5 {
        home.prompt(&long(number));
    }
    assert_eq!(home.outcome(), Some(&Outcome::Answered));
    assert!(
        home.events
            .iter()
            .any(|e| matches!(e, Event::Notice { .. }))
    );
}

#[test]
fn a_summary_can_be_asked_for() {
    let mut home = Home::new([Reply::Text("a"), Reply::Text("short"), Reply::Text("b")]);
    home.prompt("one").submit(Command::Compact).prompt("two");
    let last = home.requests.last().unwrap();
    assert_eq!(last.messages.len(), 2);
    assert_eq!(last.messages[0].role, Role::User);
    assert!(last.messages[0].joined_text().ends_with("short"));
}
