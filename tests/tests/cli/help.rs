//! Help fits a screen, at every level.

use std::collections::VecDeque;

use crate::support::Tau;

/// Lines of a screen.
const LINES: usize = 40;

/// The names under `Commands:` in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| line.starts_with("  "));
    let names = names.filter(|line| !line.starts_with("   "));
    names
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

#[test]
fn the_help_of_every_command_fits_a_screen() {
    let tau = Tau::new();
    let mut left = VecDeque::from([Vec::<String>::new()]);
    let mut seen = 0;
    while let Some(path) = left.pop_front() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let done = tau.tau(&arguments);
        let lines = done.code(0).stdout.lines().count();
        assert!(
            lines <= LINES,
            "`tau {}` has {lines} lines",
            arguments.join(" ")
        );
        assert_eq!(done.stderr, "");
        seen += 1;
        for name in subcommands(&done.stdout)
            .into_iter()
            .filter(|name| name != "help")
        {
            left.push_back(path.iter().cloned().chain([name]).collect());
        }
    }
    assert!(seen > 15, "only {seen} commands were found");
}

#[test]
fn the_version_is_one_line() {
    let done = Tau::new().tau(&["--version"]);
    let version = done.code(0).stdout.trim_end().to_owned();
    assert_eq!(version.split(' ').next(), Some("tau"));
    assert_eq!(version.lines().count(), 1);
}

#[test]
fn help_names_the_exit_codes() {
    let help = Tau::new().tau(&["--help"]).code(0).stdout.clone();
    for code in [
        "2 usage",
        "4 key",
        "9 session in use",
        "77 denied",
        "130 interrupted",
    ] {
        assert!(help.contains(code), "{code:?} is not in {help}");
    }
}
