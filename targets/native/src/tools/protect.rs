//! Protection. What is listed here is never written by a tool, however it is spelled or reached.

use super::output::Fault;

/// Directories that no tool writes to, wherever in the workspace they are, in any spelling.
///
/// Their content decides what runs later (hooks, configuration) or what Tau believes it did.
pub const PROTECTED: [&str; 2] = [".git", ".tau"];

/// Fails when one of `names` is protected.
pub(super) fn refuse_protected<'n>(
    path: &str,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), Fault> {
    for name in names {
        if let Some(protected) = PROTECTED
            .iter()
            .find(|protected| is_spelling_of(name, protected))
        {
            return Err(Fault::denied(format!("{path} is protected"))
                .cause(format!("nothing in {protected}/ is written by tools")));
        }
    }
    Ok(())
}

/// Whether some file system takes `name` for `protected`: other case, characters that HFS+ skips,
/// dots, spaces and streams that NTFS drops, and the short names it makes up.
pub(super) fn is_spelling_of(name: &str, protected: &str) -> bool {
    let name = name.split(':').next().unwrap_or_default();
    let mut plain: String = name
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect();
    plain.truncate(plain.trim_end_matches(['.', ' ']).len());
    plain == protected
        || plain
            .strip_prefix(protected.trim_start_matches('.'))
            .is_some_and(|rest| {
                rest.strip_prefix('~')
                    .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_a_file_system_folds_together_is_protected() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            ".git.",
            ".git ",
            ".g\u{200c}it",
            ".git::$INDEX_ALLOCATION",
            "git~1",
            "GIT~1",
        ] {
            assert!(is_spelling_of(name, ".git"), "{name}");
        }
        for name in [".github", ".gitignore", "git", "a.git", "git~x", ""] {
            assert!(!is_spelling_of(name, ".git"), "{name}");
        }
    }
}
