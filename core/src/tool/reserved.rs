//! Names that belong to Tau's own tools, in every home.
//!
//! Invariant: a tool from elsewhere has a legal name, and none that a person or a model could take
//! for one of [`BUILT_IN`]: the policy, approvals and habits of a person go by the name. A session
//! with tools of which that is not true asks no model.

use alloc::string::String;

use super::ToolSpec;
use crate::letter::lower_case;

/// The tools of all homes.
pub const BUILT_IN: [&str; 13] = [
    "edit", "glob", "grep", "http", "ls", "memory", "page", "read", "recall", "remember", "shell",
    "time", "write",
];
/// The longest name of a tool, in characters.
const MAX_CHARS: usize = 64;

/// Why a tool from elsewhere cannot have its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToolName {
    /// It is taken for one of Tau's own.
    #[error("the name {name:?} is too much like {built_in}, a tool of Tau's own")]
    Reserved {
        /// The name asked for.
        name: String,
        /// Whose it is.
        built_in: &'static str,
    },
    /// Two tools have it: a call could mean either.
    #[error("there are two tools called {name:?}")]
    Twice {
        /// The name of both.
        name: String,
    },
    /// Providers do not take it.
    #[error("the name {name:?} is not 1 to 64 letters, digits, _ or -")]
    Illegal {
        /// The name asked for.
        name: String,
    },
}

/// Whether a tool from elsewhere (another program's, a plugin's) may be called `name`.
pub fn check(name: &str) -> Result<(), BadToolName> {
    let reserved = BUILT_IN.iter().find(|built_in| {
        let own = folded(built_in, None);
        [None, Some('l'), Some('i')]
            .into_iter()
            .any(|one| folded(name, one) == own)
    });
    if let Some(built_in) = reserved {
        return Err(BadToolName::Reserved {
            name: name.into(),
            built_in,
        });
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > MAX_CHARS || !name.chars().all(legal) {
        return Err(BadToolName::Illegal { name: name.into() });
    }
    Ok(())
}

/// Whether `tools` can be offered side by side: no name twice, and every one that is not a built-in's
/// own is unlike them all.
pub fn check_all<'a>(tools: impl Iterator<Item = &'a ToolSpec> + Clone) -> Result<(), BadToolName> {
    for (place, tool) in tools.clone().enumerate() {
        let name = tool.name.as_str();
        let built_in = BUILT_IN.iter().find(|built_in| **built_in == name);
        if tools.clone().take(place).any(|other| other.name == name) {
            let name = name.into();
            return Err(match built_in {
                Some(built_in) => BadToolName::Reserved { name, built_in },
                None => BadToolName::Twice { name },
            });
        }
        if built_in.is_none() {
            check(name)?;
        }
    }
    Ok(())
}

/// The letters of `name` alone, in lower case and plain ASCII where they look like it. When `one` is
/// given, a 1 is that letter, and other digits are those they look like.
fn folded(name: &str, one: Option<char>) -> String {
    let alike = |c: char| match c {
        // Full width (Unicode block Halfwidth and Fullwidth Forms).
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{430}' | '\u{410}' | '\u{3b1}' | '\u{391}' | '\u{251}' | 'à'..='å' => 'a',
        '\u{441}' | '\u{421}' | '\u{3f2}' => 'c',
        '\u{501}' => 'd',
        '\u{435}' | '\u{415}' | '\u{395}' | '\u{451}' | 'è'..='ë' => 'e',
        '\u{261}' => 'g',
        '\u{4bb}' | '\u{41d}' | '\u{397}' => 'h',
        '\u{456}' | '\u{131}' | '\u{3b9}' | 'ì'..='ï' => 'i',
        '\u{4cf}' | '\u{399}' | '\u{406}' => 'l',
        '\u{43c}' | '\u{41c}' | '\u{39c}' => 'm',
        '\u{43e}' | '\u{41e}' | '\u{3bf}' | '\u{39f}' | 'ò'..='ö' => 'o',
        '\u{440}' | '\u{420}' | '\u{3c1}' | '\u{3a1}' => 'p',
        '\u{433}' => 'r',
        '\u{455}' | '\u{405}' => 's',
        '\u{442}' | '\u{422}' | '\u{3c4}' | '\u{3a4}' => 't',
        '\u{51d}' => 'w',
        c => c,
    };
    let digits = |c: char, one: char| match c {
        '0' => 'o',
        '1' | '|' => one,
        'I' => 'l',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    };
    name.chars()
        .map(alike)
        .map(|c| one.map_or(c, |one| digits(c, one)))
        .filter(|c| c.is_alphanumeric())
        .flat_map(lower_case)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_name_like_a_built_in_is_rejected_and_the_error_names_it() {
        for (name, built_in) in [
            ("read", "read"),
            ("Read", "read"),
            ("READ", "read"),
            ("re_ad", "read"),
            ("read_", "read"),
            ("-read", "read"),
            ("r-e-a-d", "read"),
            ("re ad", "read"),
            ("ｒｅａｄ", "read"),
            ("re\u{430}d", "read"),
            ("re\u{200b}ad", "read"),
            ("r3ad", "read"),
            ("re4d", "read"),
            ("wr\u{456}te", "write"),
            ("she11", "shell"),
            ("SheII", "shell"),
            ("5hell", "shell"),
            ("1s", "ls"),
            ("Is", "ls"),
            ("ht_tp", "http"),
            ("t1me", "time"),
            ("re_member", "remember"),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.contains(&alloc::format!(" {built_in},")), "{error}");
        }
    }

    #[test]
    fn other_legal_names_are_taken() {
        for name in [
            "reader",
            "read_file",
            "mcp__files__read2",
            "search",
            "a",
            "list",
            "bread",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn illegal_names_are_rejected() {
        for name in ["", "a b", "a.b", "größe", "a\n", &"x".repeat(65)] {
            let error = check(name).unwrap_err();
            assert!(matches!(error, BadToolName::Illegal { .. }), "{name}");
        }
    }

    fn all(names: &[&str]) -> Result<(), BadToolName> {
        let tools: alloc::vec::Vec<ToolSpec> = names
            .iter()
            .map(|name| ToolSpec {
                name: (*name).into(),
                ..crate::tool::http::spec()
            })
            .collect();
        check_all(tools.iter())
    }

    #[test]
    fn a_list_has_each_built_in_once_and_none_that_looks_like_it() {
        assert_eq!(all(&["read", "write", "search"]), Ok(()));
        for names in [["read", "read"], ["read", "Read"], ["search", "re_ad"]] {
            let error = all(&names).unwrap_err().to_string();
            assert!(error.contains("too much like read,"), "{error}");
        }
        let twice = all(&["search", "search"]).unwrap_err();
        assert!(matches!(twice, BadToolName::Twice { .. }), "{twice}");
    }

    #[test]
    fn built_ins_are_in_order_and_legal() {
        assert!(BUILT_IN.is_sorted());
        for name in BUILT_IN {
            assert!(check(name).is_err());
        }
    }
}
