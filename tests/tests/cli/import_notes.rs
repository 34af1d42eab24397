//! Notes of other programs, and entries that were listed, brought into memory from outside.

use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, path::PathBuf};

use crate::support::Tau;

/// A folder with notes, beside the workspace.
fn notes(tau: &Tau, files: &[(&str, &str)]) -> PathBuf {
    let folder = tau.workspace().join("../notes");
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a note");
    }
    folder
}

/// Brings `path` in and gives the report.
fn import(tau: &Tau, from: &str, path: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["memory", "import", "--from", from, path, "--json"];
    arguments.extend(more);
    tau.tau(&arguments).code(0).json()
}

fn listed(tau: &Tau) -> Vec<Value> {
    let all = tau.tau(&["memory", "list", "--json"]).code(0).json();
    all["memories"].as_array().cloned().unwrap_or_default()
}

/// Counts of a report: new, same, forgotten.
fn counts(report: &Value) -> (u64, u64, u64) {
    let count = |name: &str| report[name].as_u64().unwrap_or(u64::MAX);
    (count("new"), count("same"), count("forgotten"))
}

#[test]
fn a_folder_of_notes_becomes_entries_once() {
    let tau = Tau::new();
    let long = "Water them in the morning, not at noon. ".repeat(20);
    let folder = notes(
        &tau,
        &[
            (
                "Garden/Tomatoes.md",
                &format!(
                    "---\ntags: [plants]\ncreated: 2024-05-01\ntype: fact\n---\n# Water\n{long}\n# Feed\n{long} See [[Beans]]."
                ),
            ),
            ("Garden/Beans.md", "They climb. Like [[tomatoes#feed]]."),
            ("empty.md", "\n"),
            (".obsidian/settings.md", "hidden"),
        ],
    );
    symlink("/etc/hostname", folder.join("leak.md")).expect("a link");
    fs::write(folder.join("picture.md"), b"\x89PNG\0\0").expect("a file");
    let path = folder.to_str().expect("a path");

    let dry = import(&tau, "markdown", path, &["--dry-run"]);
    assert_eq!((counts(&dry), listed(&tau).len()), ((3, 0, 0), 0));
    let report = import(&tau, "markdown", path, &["--namespace", "vault"]);
    assert_eq!(counts(&report), (3, 0, 0), "{report}");
    assert_eq!((&report["read"], &report["links"]), (&json!(3), &json!(2)));
    assert_eq!(report["skipped_count"], 2, "{report}");
    let told = report["skipped"].to_string();
    assert!(told.contains("leak.md") && told.contains("picture.md"));

    let all = listed(&tau);
    let with = |text: &str| {
        let is = |entry: &&Value| entry["text"].as_str().is_some_and(|t| t.starts_with(text));
        all.iter()
            .find(is)
            .unwrap_or_else(|| panic!("{text}: {all:?}"))
    };
    let (feed, beans) = (with("Tomatoes > Feed\n"), with("Beans\n"));
    assert_eq!(feed["namespace"], "vault/Garden");
    assert_eq!(
        (&feed["tags"], &feed["kind"]),
        (&json!(["plants"]), &json!("fact"))
    );
    assert_eq!(feed["at"], 1_714_521_600_000_u64);
    let source = feed["source"].as_str().expect("a source");
    assert!(source.starts_with("markdown:"), "{source}");
    assert_eq!(feed["links"], json!([beans["id"]]));
    assert_eq!(beans["links"], json!([feed["id"]]));
    assert_eq!(feed["labels"]["untrusted"], true);

    let before = listed(&tau);
    let again = import(&tau, "markdown", path, &["--namespace", "vault"]);
    assert_eq!(counts(&again), (0, 3, 0));
    assert_eq!(listed(&tau), before);

    let id = beans["id"].as_str().expect("a name");
    tau.tau(&["memory", "rm", id]).code(0);
    let again = import(&tau, "markdown", path, &["--namespace", "vault"]);
    assert_eq!(counts(&again), (0, 2, 1));
    assert_eq!(listed(&tau).len(), 2);
}

#[test]
fn a_note_that_was_edited_changes_its_entries_and_what_is_gone_is_told() {
    let tau = Tau::new();
    // Each section a piece of its own: too long to be joined, too short to be split.
    let long = |what: &str| format!("{what} ").repeat(900 / what.len());
    let note = |water: &str, more: &str| {
        format!(
            "# Water\n{}\n# Feed\n{}\n{more}",
            long(water),
            long("Feed in June.")
        )
    };
    let folder = notes(
        &tau,
        &[
            (
                "a.md",
                &note("Water at noon.", &format!("# Prune\n{}", long("Prune it."))),
            ),
            ("b.md", "Beans climb."),
            ("c.md", "Carrots."),
        ],
    );
    let path = folder.to_str().expect("a path");
    let told = |more: &[&str]| {
        let report = import(&tau, "markdown", path, more);
        let count = |name: &str| report[name].as_u64().expect("a count");
        ["new", "changed", "same", "gone_count", "pruned"].map(count)
    };
    let id = |text: &str| {
        let all = listed(&tau);
        let found = all.iter().find(|entry| {
            let kept = entry["text"].as_str();
            kept.is_some_and(|kept| kept.contains(text))
        });
        found.map(|entry| entry["id"].as_str().expect("a name").to_owned())
    };
    assert_eq!(told(&[]), [5, 0, 0, 0, 0]);
    let (water, beans) = (id("at noon"), id("climb"));
    let kept = id("Carrots").expect("an entry");
    tau.tau(&["memory", "update", &kept, "--text", "Carrots and dill."])
        .code(0);

    // One section says something else, one is gone, a note is gone; a person changed an entry.
    notes(&tau, &[("a.md", &note("Water at dawn.", ""))]);
    fs::remove_file(folder.join("b.md")).expect("removed");
    assert_eq!(told(&["--dry-run"]), [0, 1, 2, 2, 0]);
    assert_eq!(id("at dawn"), None);
    assert_eq!(told(&[]), [0, 1, 2, 2, 0]);
    assert_eq!((id("at dawn"), id("at noon")), (water.clone(), None));
    assert_eq!(id("climb"), beans, "what is gone from the notes stays");
    assert!(id("dill").is_some(), "and what a person changed");
    assert_eq!(told(&[]), [0, 0, 3, 2, 0], "again it changes nothing");
    // Back to what it said.
    notes(&tau, &[("a.md", &note("Water at noon.", ""))]);
    assert_eq!(told(&["--prune"]), [0, 1, 2, 2, 2]);
    assert_eq!((id("at noon"), id("climb")), (water, None));
    assert_eq!(told(&[]), [0, 0, 3, 0, 0]);
    let forgotten = tau.tau(&["memory", "list", "--forgotten", "--json"]);
    assert!(forgotten.code(0).stdout.contains("climb"));
}

#[test]
fn what_is_not_kept_is_told_and_the_rest_is() {
    let tau = Tau::new();
    tau.profile("[policy.screen]\nsecrets = \"block\"\n");
    let token = ["ghp", "_a1B2c3D4e5F6", "g7H8i9J0k1L2", "m3N4o5P6q7R8"].concat();
    let folder = notes(
        &tau,
        &[
            ("a.md", &format!("The token is {token}.")),
            ("b.md", "An ordinary note with a \u{1b}[31mcolour."),
        ],
    );
    let path = folder.to_str().expect("a path");
    let report = import(&tau, "markdown", path, &["--own"]);
    assert_eq!(
        (counts(&report), &report["refused_count"]),
        ((1, 0, 0), &json!(1))
    );
    assert!(report["refused"][0]["path"] == "a.md", "{report}");
    let all = listed(&tau);
    assert!(all[0].get("labels").is_none(), "{all:?}");
    for (file, bytes) in tau.kept() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&token), "{}", file.display());
    }
    tau.tau(&["memory", "import", "--from", "markdown", "nowhere"])
        .code(2)
        .tells("cannot be read as a folder of notes");
    let up = ["--namespace", "../.."];
    let arguments = ["memory", "import", "--from", "markdown", path];
    let done = tau.tau(&[arguments.as_slice(), &up].concat());
    done.code(2).tells("../..");
    let deep = ["--namespace", "1/2/3/4/5/6/7", "--json"];
    let inner = notes(&tau, &[("8/9/10.md", "Deep down.")]);
    assert_eq!(inner, folder);
    let done = tau.tau(&[arguments.as_slice(), &deep].concat());
    assert_eq!(counts(&done.code(0).json()), (2, 0, 0));
    let all = listed(&tau);
    assert!(
        all.iter()
            .any(|entry| entry["namespace"] == "1/2/3/4/5/6/7/8"),
        "{all:?}"
    );
}

#[test]
fn listed_entries_come_back_elsewhere_with_their_links() {
    let tau = Tau::new();
    let add = |arguments: &[&str]| {
        let all: Vec<&str> = ["memory", "add"].iter().chain(arguments).copied().collect();
        tau.tau(&all).code(0).stdout.trim().to_owned()
    };
    let first = add(&[
        "The build needs Rust 1.95.",
        "--kind",
        "fact",
        "--tag",
        "build",
    ]);
    add(&["See the other.", "--link", &first, "--scope", "workspace"]);
    let lines = tau
        .tau(&["memory", "list", "--jsonl"])
        .code(0)
        .stdout
        .clone();
    let lines = format!(
        "{lines}\nnot JSON\n{{\"v\":99,\"id\":\"x\",\"text\":\"later\",\"at\":1}}\n{{\"v\":1,\"id\":\"old\",\"text\":\"An old one.\",\"at\":5}}\n\"{}\"\n",
        "x".repeat(2 << 20)
    );
    let other = Tau::new();
    let arguments = ["memory", "import", "--from", "jsonl", "-", "--json"];
    let report = other.tau_with(&arguments, lines.as_bytes()).code(0).json();
    assert_eq!(
        (counts(&report), &report["refused_count"]),
        ((3, 0, 0), &json!(3))
    );
    let refused = report["refused"].to_string();
    for told in ["line 4", "line 5", "version 99", "line 7", "1048576 bytes"] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    let all = listed(&other);
    let fact = all.iter().find(|entry| entry["id"] == *first);
    let fact = fact.expect("the same name");
    assert_eq!(
        (&fact["kind"], &fact["tags"]),
        (&json!("fact"), &json!(["build"]))
    );
    assert!(
        all.iter().any(|entry| entry["links"] == json!([first])),
        "{all:?}"
    );
    let again = other.tau_with(&arguments, lines.as_bytes()).code(0).json();
    assert_eq!(counts(&again), (0, 3, 0));
}
