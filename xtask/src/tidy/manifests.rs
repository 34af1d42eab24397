//! What every manifest says, and where dependencies may come from.

use super::{Violation, tree::Tree};
use toml::{Table, Value};

/// Keys of `[package]` that are said once, at the root.
const INHERITED: &[&str] = &["edition", "license", "publish", "rust-version", "version"];

/// Libraries that would bring another TLS into the tree.
const BANNED: &[&str] = &["openssl-sys", "native-tls"];

/// Every member takes lints, licence and edition from the workspace.
pub(super) fn inherit(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for member in &tree.members {
        let path = format!("{}/Cargo.toml", member.directory);
        let mut report = |hint: &str| found.push(Violation::new(&path, 1, "manifests", hint));
        let Some(manifest) = tree
            .file(&path)
            .and_then(|file| file.text.parse::<Table>().ok())
        else {
            report("not a readable manifest");
            continue;
        };
        if !is_inherited(manifest.get("lints")) {
            report("write `[lints]` and `workspace = true`");
        }
        let package = manifest.get("package");
        for key in INHERITED {
            if !is_inherited(package.and_then(|package| package.get(key))) {
                report(&format!("write `{key}.workspace = true`"));
            }
        }
    }
    found
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")) == Some(&Value::Boolean(true))
}

/// Locked packages come from the registry, and none of the banned ones is among them.
pub(super) fn lock(tree: &Tree) -> Vec<Violation> {
    let Some(file) = tree.file("Cargo.lock") else {
        return vec![Violation::new(
            "Cargo.lock",
            1,
            "lock",
            "commit it: builds must repeat",
        )];
    };
    let lock: Table = file.text.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(Value::as_array);
    let mut found = Vec::new();
    for package in packages.into_iter().flatten() {
        let text = |key| package.get(key).and_then(Value::as_str);
        let name = text("name").unwrap_or_default();
        let line = file
            .text
            .lines()
            .position(|line| line == format!("name = {name:?}"));
        let mut report = |hint: &str| {
            let line = line.map_or(1, |index| index + 1);
            found.push(Violation::new(
                "Cargo.lock",
                line,
                "lock",
                format!("{name}: {hint}"),
            ));
        };
        if text("source").is_some_and(|source| !source.starts_with("registry+")) {
            report("comes from outside the registry; publish it or do without");
        }
        if BANNED.contains(&name) {
            report("another TLS; choose the dependency's rustls feature");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{
        super::tree::{Member, Tree},
        *,
    };

    fn hints(manifest: &str) -> Vec<String> {
        let member = Member {
            name: "tau-core".to_owned(),
            directory: "core".to_owned(),
            needs: Vec::new(),
        };
        let files = vec![("core/Cargo.toml".to_owned(), manifest.to_owned())];
        let tree = Tree::new(files, vec![member], String::new());
        inherit(&tree)
            .into_iter()
            .map(|violation| violation.hint)
            .collect()
    }

    #[test]
    fn a_manifest_that_inherits_nothing_is_reported() {
        let whole = "[package]\nname = \"tau-core\"\nversion.workspace = true\nedition.workspace = true\nlicense.workspace = true\npublish.workspace = true\nrust-version.workspace = true\n[lints]\nworkspace = true\n";
        assert_eq!(hints(whole), [""; 0]);
        let own_edition = whole.replace("edition.workspace = true", "edition = \"2021\"");
        assert_eq!(hints(&own_edition), ["write `edition.workspace = true`"]);
        let no_lints = whole.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(hints(&no_lints), ["write `[lints]` and `workspace = true`"]);
        assert_eq!(hints("[package"), ["not a readable manifest"]);
    }

    #[test]
    fn foreign_sources_and_other_tls_are_reported() {
        let text = "[[package]]\nname = \"a\"\nsource = \"git+https://a.example/b\"\n\n[[package]]\nname = \"native-tls\"\nsource = \"registry+https://a.example\"\n\n[[package]]\nname = \"tau\"\n";
        let found = lock(&Tree::of("Cargo.lock", text));
        let lines: Vec<_> = found.iter().map(|violation| violation.line).collect();
        assert_eq!(lines, [2, 6]);
    }
}
