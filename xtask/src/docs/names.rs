//! Files and commands that a page names in its code.

use super::{Dangling, help::Help, markdown::Page};
use crate::tidy::tree::Tree;
use regex::Regex;

/// Endings of files that belong to a source tree. A user's own files may end in others.
const SOURCE: &[&str] = &[".rs", ".md", ".toml", ".sh", ".yml"];

/// Paths in backticks that are not in the tree.
///
/// Code is taken for a path of the tree if it starts with one of the tree's top-level names, or has a
/// folder and the ending of a source file. `drive.rs` alone may be anywhere.
pub(super) fn paths(page: &Page, tree: &Tree) -> Vec<Dangling> {
    let path = Regex::new(r"^\.?[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*/?$")
        .expect("a valid pattern");
    let mut found = Vec::new();
    for (line, code) in &page.spans {
        // `core/src/lib.rs:12` names a line.
        let name = code.split(':').next().unwrap_or_default();
        if code.contains("::") || !path.is_match(name) || is_there(name, tree) {
            continue;
        }
        let (top, is_nested) = match name.split_once('/') {
            Some((top, _)) => (top, true),
            None => (name, false),
        };
        let is_source = SOURCE.iter().any(|ending| name.ends_with(ending));
        let claims_file = is_nested && (tree.has(top) || (is_source && !top.starts_with('.')));
        if claims_file || (!is_nested && name.ends_with(".rs")) {
            found.push(Dangling {
                path: page.path.clone(),
                line: *line,
                what: format!("`{name}` is not in the tree"),
            });
        }
    }
    found
}

/// From the root, or the end of some file's path where only that is written.
fn is_there(name: &str, tree: &Tree) -> bool {
    tree.has(name)
        || tree.files.iter().any(|file| {
            file.path
                .strip_suffix(name)
                .is_some_and(|before| before.ends_with('/'))
                && name.contains('.')
        })
}

/// Command lines whose subcommand or flag the program does not have.
pub(super) fn commands(page: &Page, programs: &[Help]) -> Vec<Dangling> {
    let mut found = Vec::new();
    for (line, code) in page.commands.iter().chain(&page.spans) {
        let typed = typed(code);
        let pairs = programs
            .iter()
            .flat_map(|program| typed.iter().map(move |words| (words, program)));
        found.extend(pairs.filter_map(|(words, program)| {
            Some(Dangling {
                path: page.path.clone(),
                line: *line,
                what: refused(words, program)?,
            })
        }));
    }
    found
}

/// The commands of a line as a shell would see them, each as its words. A quoted word keeps its quotes.
fn typed(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![vec![String::new()]];
    let mut quote = None;
    for c in line.chars() {
        let Some(words) = commands.last_mut() else {
            break;
        };
        match (quote, c) {
            (None, '#') if words.last().is_some_and(String::is_empty) => break,
            (None, ';' | '|' | '&') => commands.push(vec![String::new()]),
            (None, c) if c.is_whitespace() => words.push(String::new()),
            _ => {
                match quote {
                    None if matches!(c, '"' | '\'') => quote = Some(c),
                    Some(open) if open == c => quote = None,
                    _ => {}
                }
                words.last_mut().into_iter().for_each(|word| word.push(c));
            }
        }
    }
    for words in &mut commands {
        words.retain(|word| !word.is_empty());
    }
    commands
}

/// Why `program` would not take these words, as far as its help tells.
fn refused(words: &[String], program: &Help) -> Option<String> {
    // Assignments before a command are the shell's.
    let is_assignment = |word: &&String| word.contains('=') && !word.starts_with('-');
    let words = &words[words.iter().take_while(is_assignment).count()..];
    let name: Vec<String> = program.name().split(' ').map(str::to_owned).collect();
    let words = words.strip_prefix(name.as_slice())?;
    let mut command = program;
    let mut is_complete = false;
    for (index, word) in words.iter().enumerate() {
        // What follows belongs to another program, or is not literal.
        if word == "--" || word == "…" {
            return None;
        }
        if word.starts_with('-') {
            let flag = word.split('=').next().unwrap_or_default();
            let flag = flag.trim_end_matches([',', '…', ']']);
            if flag.len() > 1 && !command.has_flag(flag) && !program.has_flag(flag) {
                return Some(format!("`{}` has no {flag}", command.command));
            }
        } else if is_complete {
            // An argument or the value of a flag.
        } else if let Some(below) = command.below(word) {
            command = below;
        } else if command.is_group() && is_name(word) && (index > 0 || words.len() > 1) {
            // A lone word after the program may be a prompt; with more around it, it is meant as a command.
            return Some(format!("`{}` has no command `{word}`", command.command));
        } else {
            is_complete = true;
        }
    }
    None
}

/// Whether `word` could be a command's name rather than a placeholder or a quoted prompt.
fn is_name(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_files_must_be_there() {
        let files = ["core/src/lib.rs", "core/src/turn/drive.rs", "README.md"];
        let files = files.map(|path| (path.to_owned(), String::new()));
        let tree = Tree::new(files.into(), Vec::new(), String::new());
        let found = |code: &str| {
            let page = Page::read("a.md", &format!("`{code}`"));
            !paths(&page, &tree).is_empty()
        };
        for fine in [
            "core/src/lib.rs",
            "core/src/lib.rs:12",
            "core",
            "core/src/",
            "drive.rs",
            "turn/drive.rs",
            "application/json",
            "session/<id>/x.rs",
            ".tau/config.toml",
            "SOUL.md",
            "tau_core::session",
            "openai/gpt",
        ] {
            assert!(!found(fine), "{fine}");
        }
        for gone in [
            "core/src/gone.rs",
            "core/gone/",
            "gone.rs",
            "gateway/src/main.rs",
        ] {
            assert!(found(gone), "{gone}");
        }
    }

    #[test]
    fn commands_and_flags_must_be_the_programs() {
        use clap::{Arg, ArgAction, Command};
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        let tau = Command::new("tau")
            .arg(flag("verbose"))
            .subcommand(Command::new("run").arg(flag("json")))
            .subcommand(Command::new("session").subcommand(Command::new("list")));
        let tau = Help::of_clap("tau", &tau);
        let why = |line: &str| typed(line).iter().find_map(|words| refused(words, &tau));
        for fine in [
            "tau",
            "tau \"list files\"",
            "tau hello",
            "tau run --json \"session of --what\"",
            "tau session list --verbose",
            "tau session",
            "KEY=x tau run hi",
            "echo hi | tau run --json  # a comment --gone",
            "taut gone --gone",
            "tau run -- --gone",
            "tau run 'a; tau gone --gone'",
        ] {
            assert_eq!(why(fine), None, "{fine}");
        }
        for (line, refusal) in [
            ("tau run --gone", "`tau run` has no --gone"),
            ("true && tau run --gone", "`tau run` has no --gone"),
            ("tau session gone", "`tau session` has no command `gone`"),
            ("tau gone list", "`tau` has no command `gone`"),
        ] {
            assert_eq!(why(line).as_deref(), Some(refusal), "{line}");
        }
    }
}
