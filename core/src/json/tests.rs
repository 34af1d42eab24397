use super::*;
use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};
use core::fmt::Debug;
use expect_test::expect;
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    audit::{Decided, Decision, Head},
    egress::HostRule,
    ids::{SessionId, TurnId, UnixMillis},
    journal::Summary,
    memory::{
        self, Access, Answer, Draft, Found, Reply, Request, Scope, Search,
        request::{Boosts, Ranked},
    },
    model::StopReason,
    policy::{Action, Grant, Policy, Preset, ledger::Ledger},
    routine::{Routine, Run},
    safety::{Gate, Labels},
    session::{Budgets, Command, Outcome, StoreError},
    tool::ToolClass,
};

/// Every way in which a type can be described.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    Nothing,
    ManyWords(Words),
    Both {
        first: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        numbers: Vec<u32>,
        #[serde(rename = "else")]
        other: Value,
        pair: (u64, bool),
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
struct Words {
    by_name: BTreeMap<String, String>,
    count: u64,
}

/// Both writers write the same, and both readers read it back.
fn agree<T>(value: &T)
where
    T: FromJson + ToJson + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let written = to_string(value);
    assert_eq!(written, serde_json::to_string(value).unwrap());
    assert_eq!(&from_str::<T>(&written).unwrap(), value);
    assert_eq!(&serde_json::from_str::<T>(&written).unwrap(), value);
}

#[test]
fn what_is_written_is_what_serde_writes() {
    agree(&Told::Nothing);
    agree(&Command::Interrupt);
    agree(&StopReason::EndTurn);
    agree(&StopReason::Unknown("tired".into()));
    agree(&StoreError::Full);
    agree(&StoreError::Locked {
        holder: "another \"process\"".into(),
    });
    agree(&Outcome::Interrupted);
    agree(&Budgets::default());
    let mut policy = Policy::preset(Preset::Strict);
    policy.read = Some(Action::Ask);
    agree(&policy);
    let rule: HostRule = "*.example.org".parse().unwrap();
    agree(&vec![rule]);
}

#[test]
fn what_is_stored_beside_the_journals_is_what_serde_writes() {
    let (at, session) = (UnixMillis(1_767_225_600_000), SessionId("5".into()));
    let gate = Gate::default();
    let draft = Draft {
        text: "Tea \"without\" sugar".into(),
        session: Some(session.clone()),
        ..Draft::default()
    };
    agree(&draft);
    let mut entry = draft.checked().unwrap().entry("m".into(), at);
    agree(&entry);
    entry.labels = Labels::WORKSPACE;
    entry.session = None;
    entry.tags = vec!["a".into(), "b/c".into()];
    entry.importance = 3;
    entry.deleted = Some(at);
    agree(&entry);
    let scopes =
        ["user", "workspace:0a", "agent:x", "channel:y"].map(|scope| scope.parse().unwrap());
    for scope in scopes {
        let access = Access {
            read: vec![Scope::User, scope],
            write: Scope::User,
            recall_tokens: 300,
            manages: true,
        };
        agree(&access);
        let action = memory::Action::Search(Search {
            query: "tea".into(),
            ..Search::default()
        });
        agree(&Request { access, action });
    }
    agree(&Access::of_person());
    let boosts = Boosts {
        time: 0.25,
        ..Boosts::default()
    };
    let found = Found {
        scope: Scope::User,
        entry: entry.clone(),
        score: 1.0 / 61.0,
        keyword: Some(Ranked {
            rank: 1,
            score: 2.5,
        }),
        vector: None,
        boosts,
    };
    agree(&Reply {
        answer: Answer::Found { found: vec![found] },
        notices: vec!["words only".into()],
    });
    agree(&Grant::new("http GET https://example.org", at, &session));
    let routine = Routine::new("r", &session, "Look.", at, Some(60_000), &gate).unwrap();
    agree(&routine);
    agree(&Run {
        v: 1,
        routine: "r".into(),
        due: at,
        started: at,
        missed: 2,
        turn: Some(TurnId(3)),
        outcome: Some(Outcome::Interrupted),
        refused: Some("no".into()),
    });
    let mut head = Head::default();
    let decision = Decision {
        tool: "http".into(),
        digest: "00".into(),
        verdict: Decided::Refused,
        rule: "rates".into(),
        reason: "too many".into(),
    };
    agree(&decision);
    let line = head.append(&decision, at);
    assert_eq!(line.put.len(), 2);
    agree(&head);
    let mut ledger = Ledger::default();
    for class in [ToolClass::Read, ToolClass::Network] {
        ledger.note("me", class, at);
        agree(&ledger);
    }
    agree(&Summary {
        v: 1,
        session,
        title: "Tea".into(),
        created: at,
        updated: at,
        turns: 1,
        entries: 2,
        records: 3,
        hash: "0".into(),
        model: "m".into(),
        running: false,
    });
}

proptest! {
    #[test]
    fn any_text_and_number_is_written_as_serde_writes_it(
        text in any::<String>(),
        controls in "[\\x00-\\x1f\"\\\\/\u{7f}\u{2028}é]{0,9}",
        number in any::<u64>(),
        // In eighths, which every reader of decimals reads exactly.
        eighths in any::<i32>(),
        signed in any::<i64>(),
    ) {
        agree(&text);
        agree(&controls);
        agree(&Told::ManyWords(Words { by_name: [(text.clone(), controls)].into(), count: number }));
        let other = serde_json::json!({ "double": f64::from(eighths) / 8.0, "signed": signed, "list": [text, null, {}] });
        agree(&other);
        agree(&Told::Both { first: Some(text), numbers: vec![1, 2], other, pair: (number, true) });
    }

    #[test]
    fn what_serde_refuses_is_refused(json in "[{}\\[\\]\",:a-c1]{0,12}") {
        prop_assert_eq!(from_str::<Value>(&json).is_ok(), serde_json::from_str::<Value>(&json).is_ok());
        prop_assert_eq!(from_str::<Told>(&json).is_ok(), serde_json::from_str::<Told>(&json).is_ok());
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let wrong = |json: &str| match from_str::<Told>(json) {
        Ok(told) => panic!("{told:?}"),
        Err(error) => alloc::format!("{error}\n"),
    };
    let said: String = [
        r#"{"type":"else"}"#,
        r#"{"type":1}"#,
        r#"{}"#,
        r#"[]"#,
        r#"{"type":"both","first":1,"else":0,"pair":[1,true]}"#,
        r#"{"type":"both","numbers":[1,4294967296],"else":0,"pair":[1,true]}"#,
        r#"{"type":"both","else":0,"pair":[1]}"#,
        r#"{"type":"both","pair":[1,true]}"#,
        r#"{"type":"#,
    ]
    .map(wrong)
    .concat();
    expect![[r#"
        type: unknown variant `else`, known are `nothing`, `many_words`, `both`
        type: expected a string, found a number
        missing field `type`
        expected an object, found a list
        first: expected a string, found a number
        numbers.1: 4294967296 is above 4294967295
        pair: expected 2 items, found 1
        missing field `else`
        EOF while parsing a value at line 1 column 8
    "#]]
    .assert_eq(&said);
    let unknown = from_str::<Budgets>(r#"{"step":1}"#).unwrap_err();
    expect!["unknown field `step`, known are `steps`, `tokens`, `cost_nano_usd`, `deadline_ms`"]
        .assert_eq(&alloc::format!("{unknown}"));
    assert!(from_str::<Value>("{").unwrap_err().is_syntax());
    assert!(!unknown.is_syntax());
}
