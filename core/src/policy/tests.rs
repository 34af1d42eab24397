use super::*;

#[test]
fn limits_fall_from_permissive_to_hardened() {
    for pair in Preset::ALL.windows(2) {
        let (loose, tight) = (Policy::preset(pair[0]), Policy::preset(pair[1]));
        assert!(loose.tool_limits().timeout_ms >= tight.tool_limits().timeout_ms);
        assert!(loose.tool_limits().output_bytes >= tight.tool_limits().output_bytes);
        assert!(loose.parallel_tools() >= tight.parallel_tools());
        assert!(loose.approval_timeout_ms() >= tight.approval_timeout_ms());
        for class in [
            ToolClass::Read,
            ToolClass::Remember,
            ToolClass::Write,
            ToolClass::Network,
            ToolClass::Execute,
        ] {
            assert!(loose.class_action(class) <= tight.class_action(class));
        }
    }
}

#[test]
fn an_explicit_value_wins_even_when_it_is_another_presets_default() {
    let mut policy = Policy::preset(Preset::Hardened);
    policy.execute = Some(Action::Allow);
    assert_eq!(policy.class_action(ToolClass::Execute), Action::Allow);
    policy.tool_timeout_ms = Some(600_000);
    assert_eq!(policy.tool_limits().timeout_ms, 600_000);
}

#[test]
fn presets_are_read_back_from_their_names() {
    for preset in Preset::ALL {
        assert_eq!(preset.name().parse(), Ok(preset));
    }
    assert!("lax".parse::<Preset>().is_err());
}
