//! What the policy says about commands and paths, through every way there is to get around it.

use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

use crate::support::{Done, Server, Tau, call, say};

/// Runs one call from the command line; nobody is there to ask.
fn called(tau: &Tau, flags: &[&str], tool: &str, arguments: &Value) -> Done {
    let arguments = arguments.to_string();
    tau.tau(
        &[
            &["tool", "call"],
            flags,
            &[tool, arguments.as_str(), "--json"],
        ]
        .concat(),
    )
}

fn shell(tau: &Tau, flags: &[&str], command: &str) -> Done {
    called(tau, flags, "shell", &json!({ "command": command }))
}

fn status(done: &Done) -> String {
    let status = done.json()["status"].as_str().map(str::to_owned);
    status.unwrap_or_else(|| panic!("{} {}", done.stdout, done.stderr))
}

const LIST: &str = "[policy]\npreset = \"strict\"\n[policy.commands]\n\
    allow = [\"echo *\", \"git status\", \"find *\", \"env *\", \"xargs *\", \"sh *\"]\n";

#[test]
fn a_list_of_allowed_commands_holds_through_every_way_to_start_another() {
    let tau = Tau::new();
    tau.profile(LIST);
    let allowed = shell(
        &tau,
        &[],
        "echo one && echo two | xargs echo; echo $(echo three)",
    );
    assert_eq!(status(&allowed), "ok", "{}", allowed.stdout);
    assert!(allowed.stdout.contains("three"));
    for command in [
        "touch TAKEN",
        "echo x; touch TAKEN",
        "echo x && touch TAKEN",
        "false || touch TAKEN",
        "echo x | touch TAKEN",
        "echo x & touch TAKEN",
        "echo x\ntouch TAKEN",
        "echo $(touch TAKEN)",
        "echo `touch TAKEN`",
        "echo \"$(touch TAKEN)\"",
        "env touch TAKEN",
        "env -i PATH=$PATH touch TAKEN",
        "find . -exec touch TAKEN \\;",
        "echo TAKEN | xargs touch",
        "sh -c 'touch TAKEN'",
        "echo() { touch TAKEN; }; echo",
        "alias echo='touch TAKEN'\necho",
        "cat <<E\n$(touch TAKEN)\nE",
        "PATH=.:$PATH echo x; touch TAKEN",
        "t=touch; $t TAKEN",
        "/usr/bin/touch TAKEN",
        "eval touch TAKEN",
        "if true; then touch TAKEN; fi",
        "(touch TAKEN)",
        "{ touch TAKEN; }",
        "touch\tTAKEN",
        "$'touch' TAKEN",
        "tou''ch TAKEN",
    ] {
        for flags in [&[][..], &["--yes"]] {
            // A yes to everything is no yes to what is not understood: that needs a person.
            if flags == ["--yes"]
                && ["alias", "PATH", "t=", "$'"]
                    .iter()
                    .any(|start| command.starts_with(start))
            {
                continue;
            }
            let done = shell(&tau, flags, command);
            assert_ne!(status(&done), "ok", "{command}: {}", done.stdout);
            assert!(
                !tau.workspace().join("TAKEN").exists(),
                "{flags:?} {command}"
            );
        }
    }
}

#[test]
fn the_model_is_told_which_command_is_not_on_the_list() {
    let tau = Tau::new();
    tau.profile(LIST);
    let server = Server::new([
        call(&[("shell", json!({"command": "git status; touch TAKEN"}))]),
        say("I may not."),
    ]);
    let result = tau
        .ask(&server, &["--json", "--yes", "do it"])
        .code(0)
        .json();
    assert_eq!(result["tool_calls"][0]["status"], "denied");
    let told = server.asked()[1].text.clone();
    assert!(
        told.contains("touch TAKEN is not on the list of allowed commands"),
        "{told}"
    );
    assert!(!tau.workspace().join("TAKEN").exists());
}

#[test]
fn profile_and_project_settings_are_written_by_no_tool_and_no_command() {
    let tau = Tau::new();
    let profile = "[policy]\npreset = \"permissive\"\n[policy.paths]\nprotect = [\"*.pem\", \"ci/**/*.yml\"]\n";
    tau.profile(profile);
    fs::create_dir_all(tau.workspace().join(".tau")).expect("a folder");
    fs::create_dir_all(tau.workspace().join("ci/deep")).expect("a folder");
    for file in [".tau/project.toml", "server.pem", "ci/deep/build.yml"] {
        tau.write(file, "as it was\n");
    }
    let home = tau.home().join("config.toml").display().to_string();
    symlink(tau.home(), tau.workspace().join("home-link")).expect("a link");
    symlink(".tau", tau.workspace().join("tau-link")).expect("a link");
    fs::hard_link(&home, tau.workspace().join("hard")).expect("a link");
    let unchanged = |how: &str| {
        let text = |file: &str| {
            fs::read_to_string(file).unwrap_or_else(|_| format!("{how}: {file} is gone"))
        };
        assert_eq!(text(&home), profile, "{how}");
        for file in [".tau/project.toml", "server.pem", "ci/deep/build.yml"] {
            let file = tau.workspace().join(file).display().to_string();
            assert_eq!(text(&file), "as it was\n", "{how}");
        }
    };
    for path in [
        ".tau/project.toml",
        ".TAU/project.toml",
        "./x/../.tau/project.toml",
        "tau-link/project.toml",
        "server.pem",
        "SERVER.pem",
        "ci/deep/build.yml",
        "../home/config.toml",
        home.as_str(),
        "home-link/config.toml",
        "hard",
    ] {
        for (tool, arguments) in [
            ("write", json!({"path": path, "content": "TAKEN"})),
            ("edit", json!({"path": path, "old": "e", "new": "TAKEN"})),
        ] {
            let done = called(&tau, &[], tool, &arguments);
            assert_eq!(status(&done), "denied", "{tool} {path}: {}", done.stdout);
            let why = ["protected", "outside the workspace", "hard link"];
            assert!(
                why.iter().any(|why| done.stdout.contains(why)),
                "{path}: {}",
                done.stdout
            );
            unchanged(path);
        }
    }
    for command in [
        "echo TAKEN > .tau/project.toml".to_owned(),
        "echo TAKEN > .TAU/project.toml".into(),
        "echo TAKEN > ./x/../.tau/project.toml".into(),
        "cd .tau && echo TAKEN > project.toml".into(),
        "echo TAKEN | tee server.pem".into(),
        "cp /dev/null ci/deep/build.yml".into(),
        format!("echo TAKEN > {home}"),
        "echo TAKEN > ../home/config.toml".into(),
        "echo TAKEN > \"$HOME/home/config.toml\"".into(),
        "mv .tau gone".into(),
        "mv ../home gone".into(),
        "rm -rf .tau".into(),
        "rm -rf .".into(),
        "rm -rf ..".into(),
        "ln .tau/project.toml h && echo TAKEN > h".into(),
        "ln -s .tau t && echo TAKEN > t/project.toml".into(),
        "sed -i s/was/TAKEN/ server.pem".into(),
    ] {
        let done = shell(&tau, &[], &command);
        assert_eq!(status(&done), "denied", "{command}: {}", done.stdout);
        unchanged(&command);
        // Links would make the next one meet the same file again.
        for name in ["h", "t"] {
            let _ = fs::remove_file(tau.workspace().join(name));
        }
    }
    // Past what can be read from the text: the sandbox does not let them, or it is put back.
    for command in [
        "d=$(echo .t)au; echo TAKEN > $d/project.toml".to_owned(),
        "echo TAKEN > tau-link/project.toml".into(),
        "echo TAKEN > hard".into(),
        "cd ..; cd h*; echo TAKEN > config.toml".into(),
        format!(
            "TAU_HOME=../home {} config set policy.paths.unprotect '[\"**\"]'",
            tau.program().display()
        ),
    ] {
        shell(&tau, &[], &command);
        unchanged(&command);
    }
}

#[test]
fn a_person_takes_protection_away_in_the_profile_and_nobody_from_the_data_of_tau() {
    let tau = Tau::new();
    tau.profile("[policy]\npreset = \"permissive\"\n[policy.paths]\nprotect = [\"*.pem\"]\nunprotect = [\"test.pem\", \"../home/**\"]\n");
    tau.tau(&["policy", "show"])
        .code(3)
        .tells("line 5: policy.paths.unprotect[1]: it leaves its folder with ..");
    tau.profile("[policy]\npreset = \"permissive\"\n[policy.paths]\nprotect = [\"*.pem\"]\nunprotect = [\"test.pem\", \"**\"]\n");
    let write = |path: &str| {
        status(&called(
            &tau,
            &[],
            "write",
            &json!({"path": path, "content": "x"}),
        ))
    };
    assert_eq!(write("test.pem"), "ok");
    let home = tau.home().join("config.toml").display().to_string();
    assert_eq!(write(&home), "denied");
    assert_eq!(
        status(&shell(&tau, &[], &format!("echo x > {home}"))),
        "denied"
    );
    tau.profile("[policy.paths]\nown = []\nworkspace = \"/\"\n");
    tau.tau(&["policy", "show"])
        .code(3)
        .tells("line 3: policy.paths.workspace: is found out by Tau");
}

#[test]
fn tools_reach_nothing_outside_the_workspace() {
    let tau = Tau::new();
    let outside = tau.workspace().parent().expect("a folder").join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("secret.txt"), "SECRET\n").expect("a file");
    symlink(&outside, tau.workspace().join("dir-link")).expect("a link");
    symlink(
        outside.join("secret.txt"),
        tau.workspace().join("file-link"),
    )
    .expect("a link");
    let absolute = outside.display().to_string();
    for path in [
        "../outside",
        absolute.as_str(),
        "dir-link",
        "../outside/secret.txt",
        "file-link",
        "dir-link/secret.txt",
        "/etc",
    ] {
        for (tool, arguments) in [
            ("read", json!({"path": path})),
            ("write", json!({"path": path, "content": "TAKEN"})),
            ("ls", json!({"path": path})),
            ("glob", json!({"pattern": "**/*", "path": path})),
            ("grep", json!({"pattern": "SECRET", "path": path})),
        ] {
            let done = called(&tau, &["--policy", "permissive"], tool, &arguments);
            assert_ne!(status(&done), "ok", "{tool} {path}: {}", done.stdout);
            assert!(
                !done.stdout.contains("SECRET\\n"),
                "{tool} {path}: {}",
                done.stdout
            );
        }
    }
    let text = fs::read_to_string(outside.join("secret.txt")).expect("a file");
    assert_eq!(text, "SECRET\n");
}

#[test]
fn a_profile_with_a_mistake_is_an_error_that_names_its_line() {
    for (profile, line, says) in [
        (
            "[policy]\npresett = \"strict\"\n",
            2,
            "unknown field `presett`",
        ),
        (
            "[policy.commands]\n\nalow = []\n",
            3,
            "unknown field `alow`",
        ),
        (
            "[policy.paths]\nprotect = [\n  \"a\",\n  \"b[\",\n]\n",
            4,
            "policy.paths.protect[1]: only *",
        ),
        (
            "[policy.commands]\nallow = [\"ls\", \"rm; ls\"]\n",
            2,
            "policy.commands.allow[1]: a rule is",
        ),
        (
            "[[policy.screen.rules]]\nkind = \"injection\"\nfamily = \"mine\"\nseverity = \"high\"\npattern = \"a(b\"\n",
            5,
            "policy.screen.rules[0].pattern: mine: ",
        ),
        ("[budgets]\nsteps = 0\n", 2, "budgets.steps: at least 1"),
    ] {
        let tau = Tau::new();
        tau.profile(profile);
        let done = tau.tau(&["policy", "show"]);
        done.code(3).tells(&format!("line {line}: {says}"));
        if says.starts_with("unknown") {
            done.tells("did you mean");
        }
    }
}

#[test]
fn a_rule_that_cannot_be_used_is_named_with_its_line_by_every_command_that_needs_the_profile() {
    let tau = Tau::new();
    let rule = "kind = \"secret\"\nfamily = \"mine\"\nseverity = \"high\"\npattern = ";
    tau.profile(&format!(
        "[[policy.screen.rules]]\n{rule}\"ab\"\n\n[[policy.screen.rules]]\n{rule}\"a(b\"\n"
    ));
    for command in [
        &["hello"][..],
        &["run", "hello"],
        &["chat"],
        &["scan", "/dev/null"],
        &["tool", "list"],
        &["tool", "call", "time"],
        &["policy", "show"],
        &["config", "show"],
        &["memory", "add", "a note"],
        &["net", "check", "https://example.com"],
        &["net", "fetch", "https://example.com"],
        &["model", "list"],
    ] {
        let done = tau.tau(command);
        done.code(3)
            .tells("config.toml line 11: policy.screen.rules[1].pattern: mine: ");
    }
}
