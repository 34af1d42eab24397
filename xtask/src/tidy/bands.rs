//! Which crate may know which: the bands of the architecture, read from the manifests.

use super::{
    Violation,
    tree::{Member, Need, Tree},
};
use std::collections::BTreeSet;

/// What a member is, told by its directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Band {
    /// Identity and trust: knows no other band.
    Kamn,
    /// Writes code of the core as it is compiled; nothing of it is in any program.
    Derive,
    /// Every decision.
    Core,
    /// The traits and the loop.
    Platform,
    /// What programs in WebAssembly see, which the targets that run them share.
    Interface,
    /// One outside thing each.
    Target,
    /// What is shipped.
    Home,
    /// Tests and chores, which may know everything and which nothing may know.
    Tool,
}

impl Band {
    fn of(directory: &str) -> Option<Self> {
        Some(match directory {
            "kamn" => Self::Kamn,
            "core/derive" => Self::Derive,
            "core" => Self::Core,
            "platform" => Self::Platform,
            // The page loads its embedded model as a module of its own.
            "native" | "worker" | "browser" | "browser/model" => Self::Home,
            "targets/wasi" => Self::Interface,
            "tests" | "xtask" | "fuzz" => Self::Tool,
            other => match other.split_once('/')?.0 {
                "targets" => Self::Target,
                "tests" | "examples" | "xtask" => Self::Tool,
                _ => return None,
            },
        })
    }

    /// Which bands a crate of this one may depend on.
    fn may_need(self) -> &'static [Self] {
        match self {
            Self::Kamn | Self::Derive => &[],
            Self::Core => &[Self::Kamn, Self::Derive],
            Self::Platform => &[Self::Kamn, Self::Core],
            Self::Interface => &[Self::Kamn, Self::Core, Self::Platform],
            Self::Target => &[Self::Kamn, Self::Core, Self::Platform, Self::Interface],
            Self::Home => &[
                Self::Kamn,
                Self::Core,
                Self::Platform,
                Self::Interface,
                Self::Target,
            ],
            Self::Tool => &[
                Self::Kamn,
                Self::Core,
                Self::Platform,
                Self::Interface,
                Self::Target,
                Self::Home,
                Self::Tool,
            ],
        }
    }
}

/// Dependencies between members, those for tests included, point the right way.
pub(super) fn direction(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for member in &tree.members {
        let manifest = manifest(member);
        let Some(band) = Band::of(&member.directory) else {
            let hint = "this directory belongs to no band; give it one in xtask/src/tidy/bands.rs";
            found.push(Violation::new(&manifest, 1, "bands", hint));
            continue;
        };
        // A crate's tests may depend on the crate itself: that is how they turn its features on.
        let is_itself = |need: &&Need| need.is_dev && need.directory == member.directory;
        for need in member.needs.iter().filter(|need| !is_itself(need)) {
            let allowed = Band::of(&need.directory).is_some_and(|on| band.may_need().contains(&on));
            if !allowed {
                let line = line_of(tree, &manifest, &need.directory);
                let hint = format!("{} must not depend on {}", member.directory, need.directory);
                found.push(Violation::new(&manifest, line, "bands", hint));
            }
        }
    }
    found
}

/// Every crate that is not a tool is part of a home; a crate that only tests use is dead.
pub(super) fn reachable(tree: &Tree) -> Vec<Violation> {
    let homes = tree
        .members
        .iter()
        .filter(|member| Band::of(&member.directory) == Some(Band::Home));
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Member> = homes.collect();
    while let Some(member) = next.pop() {
        if reached.insert(&member.directory) {
            let needs = member.needs.iter().filter(|need| !need.is_dev);
            next.extend(needs.filter_map(|need| {
                tree.members
                    .iter()
                    .find(|other| other.directory == need.directory)
            }));
        }
    }
    let orphans = tree.members.iter().filter(|member| {
        Band::of(&member.directory) != Some(Band::Tool) && !reached.contains(&member.directory)
    });
    orphans
        .map(|member| {
            let hint = format!("no home depends on {}; use it or remove it", member.name);
            Violation::new(&manifest(member), 1, "reachable", hint)
        })
        .collect()
}

fn manifest(member: &Member) -> String {
    format!("{}/Cargo.toml", member.directory)
}

/// The line of `manifest` that names the member in `directory`, or the first.
fn line_of(tree: &Tree, manifest: &str, directory: &str) -> usize {
    let name = tree
        .members
        .iter()
        .find(|m| m.directory == directory)
        .map(|m| m.name.as_str());
    let (Some(file), Some(name)) = (tree.file(manifest), name) else {
        return 1;
    };
    let line = file.text.lines().position(|line| line.starts_with(name));
    line.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{
        super::tree::{Member, Need, Tree},
        *,
    };

    /// A tree of members, each with the directories it needs; `~` marks a need of its tests.
    fn tree(members: &[(&str, &[&str])]) -> Tree {
        let members = members.iter().map(|(directory, needs)| Member {
            name: format!("tau-{}", directory.replace('/', "-")),
            directory: (*directory).to_owned(),
            needs: needs
                .iter()
                .map(|need| Need {
                    directory: need.trim_start_matches('~').to_owned(),
                    is_dev: need.starts_with('~'),
                })
                .collect(),
        });
        Tree {
            members: members.collect(),
            ..Tree::default()
        }
    }

    fn hints(found: Vec<Violation>) -> Vec<String> {
        found.into_iter().map(|violation| violation.hint).collect()
    }

    #[test]
    fn the_intended_direction_is_accepted() {
        let tree = tree(&[
            ("kamn", &[]),
            ("core", &["kamn", "core/derive"]),
            ("core/derive", &[]),
            ("platform", &["core", "~platform"]),
            ("targets/rten", &["core", "platform"]),
            ("targets/wasi", &[]),
            ("targets/wasmi", &["targets/wasi"]),
            ("native", &["targets/rten", "targets/wasi", "targets/wasmi"]),
            ("browser/model", &["targets/rten"]),
            ("tests", &["native", "platform"]),
            ("tests/homes/page", &["tests"]),
            ("xtask/wasm/core", &["core"]),
        ]);
        assert_eq!(direction(&tree), []);
        assert_eq!(reachable(&tree), []);
    }

    #[test]
    fn the_wrong_direction_is_reported() {
        let tree = tree(&[
            ("kamn", &["core"]),
            ("core", &["platform", "~tests"]),
            ("targets/web", &["targets/rten", "native"]),
            ("targets/wasi", &["targets/web"]),
            ("gui", &[]),
        ]);
        assert_eq!(
            hints(direction(&tree)),
            [
                "kamn must not depend on core",
                "core must not depend on platform",
                "core must not depend on tests",
                "targets/web must not depend on targets/rten",
                "targets/web must not depend on native",
                "targets/wasi must not depend on targets/web",
                "this directory belongs to no band; give it one in xtask/src/tidy/bands.rs",
            ]
        );
    }

    #[test]
    fn a_crate_that_only_tests_use_is_reported() {
        let tree = tree(&[
            ("native", &["~targets/docker"]),
            ("targets/docker", &["core"]),
            ("core", &[]),
            ("tests", &["core"]),
        ]);
        assert_eq!(
            hints(reachable(&tree)),
            [
                "no home depends on tau-targets-docker; use it or remove it",
                "no home depends on tau-core; use it or remove it",
            ]
        );
    }
}
