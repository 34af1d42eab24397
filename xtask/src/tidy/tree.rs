//! The tree that rules read: tracked files, their Rust tokens, and the members of the workspace.

use super::tokens::{self, Token};
use crate::workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// What the rules may look at.
#[derive(Default)]
pub(crate) struct Tree {
    /// Text files, sorted by path.
    pub(crate) files: Vec<File>,
    /// Workspace members.
    pub(crate) members: Vec<Member>,
    /// Where the tree is on this machine, so that no file says it.
    pub(crate) root: String,
}

/// A text file.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
    /// Its tokens, for Rust; a file that does not parse has none and the compiler says why.
    pub(crate) tokens: Vec<Token>,
    /// Only compiled into tests.
    pub(crate) is_test: bool,
}

/// A member of the workspace.
pub(crate) struct Member {
    /// Its package name.
    pub(crate) name: String,
    /// Its directory from the root, which is also what other members' edges name.
    pub(crate) directory: String,
    /// Directories of the members it depends on.
    pub(crate) needs: Vec<Need>,
}

/// A dependency on another member.
pub(crate) struct Need {
    /// The directory of the member.
    pub(crate) directory: String,
    /// Only for tests, examples and benchmarks.
    pub(crate) is_dev: bool,
}

impl Tree {
    /// Reads the tree this chore belongs to.
    pub(crate) fn load() -> Result<Self> {
        let root = workspace::root();
        let files = paths(&root)?
            .into_iter()
            .filter_map(|path| {
                // A binary file has nothing to say to these rules; a deleted one is not there.
                let text = std::fs::read_to_string(root.join(&path)).ok()?;
                Some((path, text))
            })
            .collect();
        let members = members(&workspace::metadata()?)?;
        Ok(Self::new(
            files,
            members,
            root.to_string_lossy().into_owned(),
        ))
    }

    /// A tree of these files.
    pub(crate) fn new(files: Vec<(String, String)>, members: Vec<Member>, root: String) -> Self {
        let mut files: Vec<File> = files
            .into_iter()
            .map(|(path, text)| {
                let tokens = match path.ends_with(".rs") {
                    true => tokens::of(&text).unwrap_or_default(),
                    false => Vec::new(),
                };
                let is_test = is_test_path(&path);
                File {
                    path,
                    text,
                    tokens,
                    is_test,
                }
            })
            .collect();
        let test_modules: Vec<String> = files.iter().flat_map(test_modules).collect();
        for file in &mut files {
            let stem = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
            file.is_test |= test_modules.iter().any(|module| {
                stem == module
                    || stem
                        .strip_prefix(module.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            files,
            members,
            root,
        }
    }

    /// A tree of one file, for the tests of rules.
    #[cfg(test)]
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self::new(
            vec![(path.to_owned(), text.to_owned())],
            Vec::new(),
            "/nowhere".to_owned(),
        )
    }

    /// Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// Whether `path` is a file or a directory of the tree.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.iter().any(|file| {
            file.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl File {
    /// The tokens that are compiled into something other than a test.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &Token)> {
        let is_test = self.is_test;
        self.tokens
            .iter()
            .enumerate()
            .filter(move |(_, token)| !is_test && !token.in_test)
    }
}

/// Whether the place of a file says that it is a test.
fn is_test_path(path: &str) -> bool {
    let mut parts = path.split('/');
    let file = parts.next_back().unwrap_or_default();
    file == "tests.rs" || parts.any(|part| matches!(part, "tests" | "benches" | "fuzz"))
}

/// Files and folders, without extension, that `file` declares as `#[cfg(test)] mod name;`.
fn test_modules(file: &File) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let folder = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    file.tokens
        .windows(3)
        .filter(|w| w[0].in_test && w[0].is("mod") && w[2].is(";"))
        .map(|w| format!("{folder}/{}", w[1].text))
        .collect()
}

/// Tracked files and new ones that are not ignored; without git, everything but build products.
fn paths(root: &Path) -> Result<BTreeSet<String>> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output();
    if let Ok(output) = listed
        && output.status.success()
    {
        let text =
            String::from_utf8(output.stdout).context("git lists a path that is not UTF-8")?;
        return Ok(text.split_terminator('\0').map(str::to_owned).collect());
    }
    let mut found = BTreeSet::new();
    walk(root, root, &mut found)?;
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path: PathBuf = entry.path();
        if entry.file_type()?.is_dir() {
            let name = entry.file_name();
            if !matches!(name.to_str(), Some("target" | ".git" | "node_modules")) {
                walk(root, &path, found)?;
            }
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.insert(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

/// The members and the edges between them, from `cargo metadata --no-deps`.
fn members(metadata: &Value) -> Result<Vec<Member>> {
    let root = metadata["workspace_root"]
        .as_str()
        .context("no workspace_root")?;
    let relative = |path: &str| {
        let rest = path.strip_prefix(root).unwrap_or(path);
        rest.replace('\\', "/").trim_start_matches('/').to_owned()
    };
    let packages = metadata["packages"].as_array().context("no packages")?;
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("not text in cargo metadata")
    };
    packages
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"])?;
            let needs = package["dependencies"].as_array().into_iter().flatten();
            let needs = needs.filter_map(|need| {
                Some(Need {
                    directory: relative(need["path"].as_str()?),
                    is_dev: need["kind"] == "dev",
                })
            });
            Ok(Member {
                name: text(&package["name"])?,
                directory: relative(
                    manifest
                        .trim_end_matches("Cargo.toml")
                        .trim_end_matches('/'),
                ),
                needs: needs.collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_files(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))
            .collect();
        let tree = Tree::new(files, Vec::new(), String::new());
        tree.files
            .into_iter()
            .filter(|f| f.is_test)
            .map(|f| f.path)
            .collect()
    }

    #[test]
    fn tests_are_known_by_place_and_by_declaration() {
        let found = test_files(&[
            ("core/src/lib.rs", "#[cfg(test)]\nmod fixtures;\nmod turn;"),
            ("core/src/fixtures.rs", ""),
            ("core/src/turn/mod.rs", "#[cfg(test)] mod cases;"),
            ("core/src/turn/cases/mod.rs", ""),
            ("core/src/turn/cases/deep.rs", ""),
            ("core/src/turn/tests.rs", ""),
            ("core/src/turn/cases_of_others.rs", ""),
            ("tests/homes/main.rs", ""),
        ]);
        assert_eq!(
            found,
            [
                "core/src/fixtures.rs",
                "core/src/turn/cases/deep.rs",
                "core/src/turn/cases/mod.rs",
                "core/src/turn/tests.rs",
                "tests/homes/main.rs",
            ]
        );
    }

    #[test]
    fn members_are_named_by_their_directory() {
        let metadata = serde_json::json!({
            "workspace_root": "/x",
            "packages": [{
                "name": "tau-target-rten",
                "manifest_path": "/x/targets/rten/Cargo.toml",
                "dependencies": [
                    {"name": "tau-core", "path": "/x/core", "kind": null},
                    {"name": "serde", "kind": null},
                    {"name": "tau-tests", "path": "/x/tests", "kind": "dev"},
                ],
            }],
        });
        let members = members(&metadata).unwrap();
        assert_eq!(members[0].directory, "targets/rten");
        let needs: Vec<_> = members[0]
            .needs
            .iter()
            .map(|n| (n.directory.as_str(), n.is_dev))
            .collect();
        assert_eq!(needs, [("core", false), ("tests", true)]);
    }
}
