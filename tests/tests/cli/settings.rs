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
