use alloc::{string::String, vec::Vec};

use super::*;
use crate::policy::commands::Script;

fn list(globs: &[&str]) -> Vec<String> {
    globs.iter().map(|glob| (*glob).into()).collect()
}

fn paths() -> Paths {
    Paths {
        protect: list(&[
            "*.pem",
            "secrets",
            "src/gen/**/*.rs",
            "/etc/**",
            "~/.ssh",
            "a?c.txt",
        ]),
        unprotect: list(&["docs/.git", "open.pem"]),
        workspace: "/data/u/ws".into(),
        own: list(&["/data/u/.local/share/tau", "~/.local/share/tau"]),
    }
}

#[test]
fn tau_and_what_the_profile_names_are_protected_in_every_spelling() {
    let paths = paths();
    for path in [
        ".tau",
        ".tau/config.toml",
        ".git/hooks/pre-commit",
        "a/b/.tau/x",
        "./.tau/../.tau//x",
        "src/../.tau/x",
        "../ws/.tau/x",
        "/data/u/ws/.tau/x",
        "/data/u/ws/src/../.TAU/x",
        ".TAU/x",
        ".Git/config",
        ".tau./x",
        ".tau /x",
        ".t\u{200b}au/x",
        ".tau::$INDEX_ALLOCATION/x",
        "TAU~1/x",
        ".tau\\x",
        "../../../elsewhere/.git/config",
        "/data/u/.local/share/tau/config.toml",
        "/data/U/.local/share/TAU/config.toml",
        "../.local/share/tau/config.toml",
        "../../u/.local/share/tau",
        "~/.local/share/tau/config.toml",
        "$HOME/.local/share/tau/config.toml",
        "${HOME}/.local/share/tau/keys",
        "server.pem",
        "deep/down/SERVER.PEM",
        "secrets/a/b",
        "x/secrets/a",
        "src/gen/a.rs",
        "src/gen/a/b/c.rs",
        "/data/u/ws/src/gen/a.rs",
        "/etc/passwd",
        "../../../etc/passwd",
        "~/.ssh/authorized_keys",
        "abc.txt",
    ] {
        assert!(paths.decide(path, true).is_err(), "{path}");
        assert!(paths.decide(path, false).is_ok(), "{path} is only read");
    }
    for path in [
        "src/main.rs",
        "tau/config.toml",
        ".github/workflows/ci.yml",
        ".gitignore",
        ".taurc",
        "gitlab~x",
        "pem",
        "server.pem.txt",
        "secretsx/a",
        "src/gen/a.txt",
        "gen/a.rs",
        "etc/passwd",
        "/data/u/other",
        "/data/u/.local/share/taurus/x",
        "docs/.git/x",
        "open.pem",
        "x/open.pem",
        "ac.txt",
        "",
        ".",
    ] {
        assert!(paths.decide(path, true).is_ok(), "{path}");
    }
}

#[test]
fn nothing_unprotects_the_data_of_tau() {
    let paths = Paths {
        unprotect: list(&["**", "/data/**", "config.toml", ".tau"]),
        ..paths()
    };
    assert!(
        paths
            .decide("/data/u/.local/share/tau/config.toml", true)
            .is_err()
    );
    assert!(paths.decide(".tau/x", true).is_ok());
}

#[test]
fn commands_that_say_they_write_there_are_refused() {
    let paths = paths();
    let refused = |text: &str| {
        let written = Script::parse(text).writes();
        written
            .iter()
            .any(|written| paths.decide_written(written).is_err())
    };
    for text in [
        "echo x > .tau/config.toml",
        "echo x >> \".TAU\"/config.toml",
        "echo x | tee .git/hooks/pre-commit",
        "mv .tau old",
        "mv x .tau",
        "cp x .tau/y",
        "cp x /data/u/.local/share/tau/config.toml",
        "rm -rf .tau",
        "rm -rf .",
        "rm -rf ..",
        "rm -rf ../ws",
        "rm -rf /data/u/ws",
        "rm -rf /data",
        "rm -rf .t*",
        "rm -rf .[t]au",
        "rm -rf .*",
        "rm -rf .???",
        "mv /data/u/.local x",
        "ln .tau/config.toml x",
        "ln -s .tau x",
        "ln -s ../.local/share/tau x",
        "sed -i s/a/b/ .tau/config.toml",
        "dd if=x of=.tau/config.toml",
        "truncate -s 0 .tau/config.toml",
        "touch .tau/x",
        "chmod 777 .tau/x",
        "install x .tau/y",
        "rsync -a x/ .tau/",
        "curl -o .tau/x https://h",
        "cd .tau && echo x > config.toml",
        "cd .tau\nrm config.toml",
        "cd /data/u/.local/share && rm tau/config.toml",
        "sh -c 'echo x > .tau/y'",
        "find . -exec cp {} .tau/x \\;",
        "env tee .tau/x",
        "echo x > \"$HOME/.local/share/tau/config.toml\"",
        "echo x > $DIR/.tau/config.toml",
        "git checkout -- .tau/x",
        "rm -r src",
    ]
    .iter()
    .filter(|text| **text != "rm -r src")
    {
        assert!(refused(text), "{text}");
    }
    for text in [
        "cat .tau/config.toml",
        "cp .tau/x copy",
        "ls .git > listing.txt",
        "rm -rf target/*",
        "rm -rf docs",
        "mv a b",
        "mv a .",
        "cp -r a .",
        "echo x > .gitignore",
        "cd src && echo x > a",
        "grep -r x --exclude-dir .git .",
    ] {
        assert!(!refused(text), "{text}");
    }
}

#[test]
fn a_tree_that_holds_a_protected_path_is_not_taken_away() {
    let paths = Paths {
        protect: list(&["src/keys/private.pem"]),
        ..Paths::default()
    };
    let whole = |path: &str| paths.protection(path, true, true).is_some();
    assert!(whole("src") && whole("src/keys") && whole("src/keys/private.pem"));
    assert!(!whole("docs") && !whole("src/other"));
    assert!(paths.protection("src", true, false).is_none());
}

#[test]
fn the_refusal_says_why() {
    let refusal = paths().decide("secrets/a", true).unwrap_err();
    assert_eq!(refusal.rule, "protected path");
    assert_eq!(
        refusal.reason,
        "secrets/a is protected: paths.protect \"secrets\"; no tool writes there"
    );
    assert!(refusal.hint.is_some());
}

#[test]
fn patterns_that_cannot_be_meant_are_named() {
    for (glob, expected) in [
        ("*.pem", None),
        ("a/**/b", None),
        ("", Some("paths.protect[0]: it is empty")),
        (
            "../x",
            Some("paths.protect[0]: it leaves its folder with .."),
        ),
        ("a**", Some("paths.protect[0]: ** is a name of its own")),
        (
            "[ab]",
            Some(
                "paths.protect[0]: only *, ** and ? stand for something else, and / separates names",
            ),
        ),
    ] {
        let paths = Paths {
            protect: list(&[glob]),
            ..Paths::default()
        };
        let found = paths.check().err().map(|bad| bad.to_string());
        assert_eq!(found.as_deref(), expected);
    }
}
