use super::*;
use crate::exit::Exit;

fn why(text: &str) -> String {
    let error = parse(text, "config.toml").unwrap_err();
    assert_eq!(error.exit, Exit::Config);
    match error.hint {
        Some(hint) if hint.starts_with("did you") => format!("{} {hint}", error.message),
        _ => error.message,
    }
}

#[test]
fn nothing_is_the_defaults() {
    assert_eq!(parse("", "config.toml"), Ok(Profile::default()));
    assert!(Profile::default().compaction);
}

#[test]
fn everything_can_be_set_and_written_back() {
    let text = r#"
compaction = false
memory = false

[provider]
api = "anthropic"
base_url = "https://api.example/v1"
model = "m"
key_env = "MY_KEY"
context_tokens = 100000
max_output_tokens = 4000
images = true
temperature = 0.5

[provider.pricing]
input = 3.0
output = 15.0
cached_input = 0.3

[[fallbacks]]
api = "embedded"

[policy]
preset = "strict"
execute = "deny"
tool_timeout_ms = 5000

[policy.tools]
shell = "ask"

[budgets]
steps = 5
tokens = 10000
cost_usd = 0.5
deadline = "10m"

[retry]
attempts = 2
base_ms = 10
max_ms = 100
"#;
    let profile = parse(text, "config.toml").unwrap();
    let budgets = profile.budgets.budgets().unwrap();
    assert_eq!(budgets.cost_nano_usd, Some(500_000_000));
    assert_eq!(budgets.deadline_ms, Some(600_000));
    let written = toml::to_string(&profile).unwrap();
    assert_eq!(parse(&written, "written"), Ok(profile));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let unknown = why("compaction = true\n\n[provider]\nmodle = \"x\"\n");
    assert!(
        unknown.starts_with("config.toml line 4: unknown field `modle`"),
        "{unknown}"
    );
    assert!(unknown.ends_with("did you mean model?"), "{unknown}");
    let unknown = why("[policy]\nshell = \"allow\"\n");
    assert!(
        unknown.contains("line 2: unknown field `shell`"),
        "{unknown}"
    );
}

#[test]
fn a_value_that_cannot_be_is_explained() {
    for (text, expected) in [
        (
            "compaction = 3",
            "line 1: invalid type: integer `3`, expected a boolean",
        ),
        (
            "[policy]\npreset = \"lax\"",
            "line 2: unknown variant `lax`",
        ),
        (
            "[budgets]\ndeadline = \"soon\"",
            "budgets.deadline: a duration such as",
        ),
        ("[budgets]\nsteps = 0", "budgets.steps: at least 1"),
        ("[retry]\nattempts = 0", "retry.attempts: at least 1"),
        (
            "[provider]\nbase_url = \"x\"",
            "provider.base_url: begins with http",
        ),
        (
            "[provider]\nbase_url = \"http://x/v1\"",
            "provider.model: is needed with base_url",
        ),
        (
            "[provider]\ntemperature = 3.0",
            "provider.temperature: between 0 and 2",
        ),
        (
            "[[fallbacks]]\nmodel = \"x\"",
            "fallbacks: there is no [provider]",
        ),
        ("compaction = ", "line 1:"),
    ] {
        let message = why(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn amounts_and_durations_are_read() {
    assert_eq!(parse_usd("0.5"), Ok(500_000_000));
    assert_eq!(parse_usd("$2"), Ok(2_000_000_000));
    assert!(parse_usd("-1").is_err() && parse_usd("NaN").is_err());
    assert_eq!(parse_duration_ms("90s"), Ok(90_000));
    assert_eq!(parse_duration_ms("1h30m"), Ok(5_400_000));
    assert!(parse_duration_ms("0s").is_err() && parse_duration_ms("-1m").is_err());
}
