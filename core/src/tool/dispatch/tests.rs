use serde_json::json;

use super::*;
use crate::{
    ids::CallId,
    policy::Preset,
    safety::Labels,
    tool::{OnRestore, ToolClass},
};

fn tools() -> Vec<ToolSpec> {
    let spec = |name: &str, class| ToolSpec {
        name: name.into(),
        description: String::new(),
        parameters: json!({
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
            "additionalProperties": false
        }),
        class,
        on_restore: OnRestore::Reissue,
        touches: Vec::new(),
        yields: Labels::NONE,
    };
    vec![
        spec("read", ToolClass::Read),
        spec("write", ToolClass::Write),
        spec("shell", ToolClass::Execute),
    ]
}

fn decide(name: &str, arguments: Value, policy: &Policy) -> Verdict {
    let call = ToolCall {
        id: CallId("1".into()),
        name: name.into(),
        arguments,
    };
    dispatch(&call, tools().iter(), policy, &BTreeSet::new())
}

fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Invalid(refusal) | Verdict::Refuse(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_unknown_tool_names_the_nearest() {
    let refusal = refusal(decide("raed", json!({}), &Policy::default()));
    assert_eq!(refusal.hint.as_deref(), Some("did you mean read?"));
    let refusal = self::refusal(decide("browse", json!({}), &Policy::default()));
    assert_eq!(
        refusal.hint.as_deref(),
        Some("the tools are read, write, shell")
    );
}

#[test]
fn arguments_that_are_not_json_are_told_where_they_break() {
    let refusal = refusal(decide("read", json!("{\"path\": "), &Policy::default()));
    assert!(
        refusal.reason.contains("not valid JSON: EOF"),
        "{}",
        refusal.reason
    );
}

#[test]
fn wrong_arguments_are_refused_before_policy_is_asked() {
    let policy = Policy::preset(Preset::Hardened);
    let refusal = refusal(decide("shell", json!({"pth": "x"}), &policy));
    assert_eq!(refusal.rule, "arguments");
    assert_eq!(
        refusal.reason,
        "path: missing (string); pth: no such argument; did you mean path?"
    );
}

#[test]
fn programs_are_asked_for_and_hardened_refuses_them() {
    let arguments = json!({"path": "x"});
    let verdict = decide("shell", arguments.clone(), &Policy::default());
    assert!(matches!(verdict, Verdict::Ask { .. }));
    let refusal = refusal(decide(
        "shell",
        arguments,
        &Policy::preset(Preset::Hardened),
    ));
    assert_eq!(refusal.rule, "execute = deny (hardened)");
    let told: Value = serde_json::from_str(&refusal.to_result_text()).unwrap();
    assert_eq!(told["error"], "denied");
}

#[test]
fn a_tool_named_in_the_policy_wins_over_its_class() {
    let mut policy = Policy::preset(Preset::Permissive);
    policy.tools.insert("read".into(), Action::Deny);
    let refusal = refusal(decide("read", json!({"path": "x"}), &policy));
    assert_eq!(refusal.rule, "tools.read = deny");
}

#[test]
fn an_approval_for_the_session_is_not_asked_again() {
    let call = ToolCall {
        id: CallId("1".into()),
        name: "shell".into(),
        arguments: json!({"path": "x"}),
    };
    let approved = BTreeSet::from(["shell".into()]);
    let verdict = dispatch(&call, tools().iter(), &Policy::default(), &approved);
    assert!(matches!(verdict, Verdict::Run(_)));
    let verdict = dispatch(
        &call,
        tools().iter(),
        &Policy::preset(Preset::Hardened),
        &approved,
    );
    assert!(
        matches!(verdict, Verdict::Refuse(_)),
        "an approval never overrides a denial"
    );
}
