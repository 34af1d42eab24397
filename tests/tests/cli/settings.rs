//! Profile and policy: what is set, what is in force, and where it comes from.

use crate::support::{Server, Tau, say};

#[test]
fn a_value_is_set_and_got_back_and_comments_stay() {
    let tau = Tau::new();
    tau.profile("# mine\n[budgets]\nsteps = 9 # few\n");
    tau.tau(&["config", "set", "provider.model", "big"]).code(0);
    tau.tau(&["config", "set", "budgets.steps", "5"]).code(0);
    assert_eq!(
        tau.tau(&["config", "get", "provider.model"]).code(0).stdout,
        "big\n"
    );
    assert_eq!(
        tau.tau(&["config", "get", "budgets.steps"]).code(0).stdout,
        "5\n"
    );
    let path = tau
        .tau(&["config", "path"])
        .code(0)
        .stdout
        .trim_end()
        .to_owned();
    let text = std::fs::read_to_string(path).expect("the profile");
    assert!(text.contains("# mine") && text.contains("# few"), "{text}");
    assert_eq!(
        tau.tau(&["config", "show", "--json"]).code(0).json()["budgets"]["steps"],
        5
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_and_nothing_is_written() {
    let tau = Tau::new();
    tau.tau(&["config", "set", "provider.modle", "x"])
        .tells("did you mean model?");
    let done = tau.tau(&["config", "set", "budgets.steps", "many"]);
    assert_ne!(done.code, 0);
    tau.tau(&["config", "get", "no.such.key"])
        .code(2)
        .tells("no.such.key");
    assert!(!tau.home().join("config.toml").exists());
}

#[test]
fn an_explicit_value_wins_over_every_preset_and_says_so() {
    let tau = Tau::new();
    // The same as what another preset has by default.
    tau.profile("[policy]\npreset = \"hardened\"\nexecute = \"ask\"\ntool_timeout_ms = 120000\n");
    for preset in ["permissive", "balanced", "strict", "hardened"] {
        let shown = tau
            .tau(&["policy", "show", "--policy", preset, "--json"])
            .code(0)
            .json();
        assert_eq!(shown["preset"], preset);
        let execute = &shown["values"]["execute"];
        assert_eq!(
            (&execute["value"], &execute["origin"], &execute["line"]),
            (&"ask".into(), &"profile".into(), &3.into())
        );
        assert_eq!(shown["values"]["tool_timeout_ms"]["value"], 120_000);
        let write = shown["values"]["write"]["origin"]
            .as_str()
            .expect("an origin");
        assert!(write.contains(preset), "{write}");
    }
}

#[test]
fn the_limits_in_force_are_those_of_the_documentation() {
    let tau = Tau::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/design");
    let page = |name| std::fs::read_to_string(folder.join(name)).expect("a page");
    let (policy, decisions) = (page("policy.md"), page("decisions.md"));
    let rows = [
        (&policy, "wall time of a call", "tool_timeout_ms"),
        (&policy, "bytes of a result", "tool_output_bytes"),
        (&policy, "calls at once", "parallel_tools"),
        (
            &policy,
            "wall time of a request (`http.timeout_ms`)",
            "http.timeout_ms",
        ),
        (
            &policy,
            "bytes of an answer (`http.response_bytes`)",
            "http.response_bytes",
        ),
        (&policy, "redirects (`http.redirects`)", "http.redirects"),
        (&policy, "an approval is waited for", "approval_timeout_ms"),
        (&policy, "tools that change files", "write"),
        (&policy, "tools that start programs", "execute"),
        (&decisions, "calls of all tools", "rates.calls_per_minute"),
        (
            &decisions,
            "calls to the network",
            "rates.network_per_minute",
        ),
        (&decisions, "programs", "rates.execute_per_minute"),
    ];
    for (column, preset) in ["permissive", "balanced", "strict", "hardened"]
        .iter()
        .enumerate()
    {
        let shown = tau.tau(&["policy", "show", "--policy", preset, "--json"]);
        let shown = shown.code(0).json();
        for (page, row, key) in rows {
            let start = format!("| {row} | ");
            let line = page.lines().find_map(|line| line.strip_prefix(&start));
            let cell = line
                .and_then(|line| line.split(" | ").nth(column))
                .expect(row);
            let cell = cell.trim_end_matches(" |");
            let value = &shown["values"][key]["value"];
            assert_eq!(*value, documented(cell), "{row}, {preset}");
        }
    }
}

/// A value as a table has it, in the units of a profile.
fn documented(cell: &str) -> serde_json::Value {
    let (number, unit) = cell.split_once(' ').unwrap_or((cell, ""));
    let Ok(number) = number.parse::<u64>() else {
        return cell.into();
    };
    let times = match unit {
        "" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        unit => panic!("{unit} is no unit of the tables"),
    };
    (number * times).into()
}

#[test]
fn no_colour_reaches_a_pipe_or_whoever_does_not_want_it() {
    let tau = Tau::new();
    let server = Server::new([say("Hi."), say("Hi."), say("Hi.")]);
    let done = tau.ask(&server, &["hello"]);
    assert!(!done.code(0).stderr.contains('\u{1b}'), "{}", done.stderr);
    let done = tau.ask(&server, &["--color", "always", "hello"]);
    assert!(done.code(0).stderr.contains('\u{1b}'), "{}", done.stderr);
    let mut command = tau.asking(&server, &["hello"]);
    command.env("NO_COLOR", "1");
    let done = crate::support::finish(command.spawn().expect("tau starts"), b"");
    assert!(!done.code(0).stderr.contains('\u{1b}'));
}

#[test]
fn quiet_says_only_what_needs_attention() {
    let tau = Tau::new();
    let server = Server::new([say("Hi.")]);
    let done = tau.ask(&server, &["--quiet", "hello"]);
    assert_eq!(
        (done.code(0).stdout.as_str(), done.stderr.as_str()),
        ("Hi.\n", "")
    );
}
