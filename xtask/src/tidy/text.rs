//! Rules for every text file, whatever its language.

use super::{Violation, tree::Tree};
use regex::Regex;

/// Hosts of package registries, in pieces so that this file does not name them.
const REGISTRIES: &[&str] = &[
    concat!("pypi", ".org"),
    concat!("python", "hosted"),
    concat!("registry.", "npmjs"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("deb.", "debian.org"),
    concat!("security.", "debian.org"),
];

/// Home directories that documentation and tests may invent.
const NOBODY: &[&str] = &[
    "user", "you", "me", "name", "alice", "bob", "agent", "nobody",
];

/// No file says on which machine, or from which mirror, it was written.
pub(super) fn machine(tree: &Tree) -> Vec<Violation> {
    let home = Regex::new("(?:^|[^A-Za-z0-9_.*-])/(?:home|Users)/([A-Za-z0-9_.-]+)")
        .expect("a valid pattern");
    let superuser =
        Regex::new(concat!("(?:^|[^A-Za-z0-9_.*-])/", "root/")).expect("a valid pattern");
    let here = format!("{}/", tree.root);
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| !is_lock(&file.path)) {
        for (index, line) in file.text.lines().enumerate() {
            let mut report =
                |hint: &str| found.push(Violation::new(&file.path, index + 1, "machine", hint));
            if REGISTRIES.iter().any(|host| line.contains(host)) {
                report("name the package and let its client find the registry");
            }
            let is_home = home
                .captures_iter(line)
                .any(|found| !NOBODY.contains(&&found[1]));
            if is_home || superuser.is_match(line) || line.contains(&here) {
                report("a path of one machine; make it relative, or take it from the environment");
            }
        }
    }
    found
}

/// Lock files hold addresses that their tools put there.
fn is_lock(path: &str) -> bool {
    path.ends_with(".lock") || path.ends_with("package-lock.json")
}

/// A reader gets from a fresh machine to an answer with two commands.
pub(super) fn readme(tree: &Tree) -> Vec<Violation> {
    let report = |line, hint: &str| vec![Violation::new("README.md", line, "readme", hint)];
    let Some(file) = tree.file("README.md") else {
        return report(1, "write one: what Tau is, then two commands");
    };
    let mut lines = file.text.lines().enumerate();
    let Some((start, _)) = lines.find(|(_, line)| line.trim_start().starts_with("```")) else {
        return report(1, "show the two commands that get an answer");
    };
    let block = lines.take_while(|(_, line)| !line.trim_start().starts_with("```"));
    let commands = block
        .map(|(_, line)| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .count();
    match commands {
        2 => Vec::new(),
        count => report(
            start + 1,
            &format!("the first code block has {count} commands instead of two"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_reported(line: &str) -> bool {
        !machine(&Tree::of("docs/a.md", line)).is_empty()
    }

    #[test]
    fn registries_and_machines_are_reported() {
        for host in REGISTRIES {
            assert!(is_reported(&format!("see https://{host}/x")), "{host}");
        }
        assert!(is_reported(concat!("path = \"/ho", "me/jane/tau\"")));
        assert!(is_reported(concat!("/Us", "ers/jane/tau")));
        assert!(is_reported(concat!("cat /ro", "ot/.ssh/id")));
        assert!(is_reported("cd /nowhere/core"));
    }

    #[test]
    fn invented_homes_and_other_paths_are_fine() {
        for fine in [
            "/home/alice/notes",
            "tests/homes/main.rs",
            "https://a.example/home/x",
            "docs/root/a",
            "~/.tau",
        ] {
            assert!(!is_reported(fine), "{fine}");
        }
        let lock = Tree::of("Cargo.lock", "source = \"/nowhere/x\"");
        assert_eq!(machine(&lock), []);
    }

    #[test]
    fn the_first_block_has_two_commands() {
        let found = |text: &str| readme(&Tree::of("README.md", text)).first().map(|v| v.line);
        assert_eq!(
            found("# Tau\n\n```sh\n# build\ncargo a\n\ntau b\n```\n```sh\nc\n```"),
            None
        );
        assert_eq!(found("# Tau\n\n```sh\ncargo a\n```"), Some(3));
        assert_eq!(found("# Tau"), Some(1));
        assert_eq!(readme(&Tree::of("a.md", "")).len(), 1);
    }
}
