//! Which paths no tool may write.
//!
//! Invariant: a path is looked at as every file system might take it: after `.` and `..`, with
//! either slash, in any case of letters, as written from the workspace and as an absolute path.
//! What links lead to is known to the home alone, which asks again with the real path.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

use super::{
    Refusal,
    commands::{Written, wildcard},
};
use crate::{
    json::{FromJson, ToJson},
    letter,
};

/// Folders that no tool writes to, wherever they are: their content decides what runs later, or
/// what Tau believes it did.
pub const PROTECTED: [&str; 2] = [".git", ".tau"];

/// What was set explicitly about protected paths; Tau's own files always are.
///
/// In a pattern `*` and `?` stand for characters of one name, `**` for any folders. One without a
/// slash is about a name anywhere, one with a slash is from the workspace, one that begins with
/// `/` or `~` is a place on this machine. What is below a protected folder is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// Globs of paths that no tool may write, beside Tau's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    /// Globs of paths that may be written although they would be protected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unprotect: Vec<String>,
    /// The folder of the workspace, absolute. Told by the home.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workspace: String,
    /// The folders of Tau's own data, absolute. Told by the home; nothing unprotects them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<String>,
}

/// A pattern that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("paths.{list}[{index}]: {why}")]
pub struct BadPattern {
    /// `protect` or `unprotect`.
    pub list: &'static str,
    /// Its place in the list.
    pub index: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl Paths {
    /// Whether a tool may touch `path`: only writing is restricted here.
    pub fn decide(&self, path: &str, writes: bool) -> Result<(), Refusal> {
        if !writes {
            return Ok(());
        }
        match self.protection(path, true, false) {
            Some(rule) => Err(refusal(path, &rule)),
            None => Ok(()),
        }
    }

    /// Whether a command may write what its text says it writes.
    pub fn decide_written(&self, written: &Written) -> Result<(), Refusal> {
        match self.protection(&written.path, written.fixed, written.whole) {
            Some(rule) => Err(refusal(&written.path, &rule)),
            None => Ok(()),
        }
    }

    /// The rule that protects `path`, if any. When it is not `fixed`, its globs may match a
    /// protected name; when it is `whole`, what lies below it is meant too.
    #[must_use]
    pub fn protection(&self, path: &str, fixed: bool, whole: bool) -> Option<String> {
        let place = Place::new(path, &self.workspace);
        let own = |own: &&String| {
            let own = Place::new(own, &self.workspace).absolute;
            covers(&own, &place.absolute) || whole && covers(&place.absolute, &own)
        };
        if let Some(own) = self.own.iter().find(own) {
            return Some(format!("Tau's own data in {own}"));
        }
        if self.unprotect.iter().any(|glob| place.matches(glob)) {
            return None;
        }
        let names = place.relative.as_ref().unwrap_or(&place.absolute);
        let built_in = PROTECTED.iter().find(|protected| {
            let is = |name: &String| {
                is_spelling_of(name, protected) || !fixed && glob_may_be(name, protected)
            };
            names.iter().any(is)
        });
        if let Some(name) = built_in {
            return Some(format!("{name} is protected everywhere"));
        }
        if whole && place.holds_workspace(&self.workspace) {
            return Some(format!("{} is protected everywhere", PROTECTED[1]));
        }
        let matched = self
            .protect
            .iter()
            .find(|glob| place.matches(glob) || whole && place.holds(glob));
        matched.map(|glob| format!("paths.protect {glob:?}"))
    }

    /// The first pattern that cannot be meant.
    pub fn check(&self) -> Result<(), BadPattern> {
        for (list, globs) in [("protect", &self.protect), ("unprotect", &self.unprotect)] {
            for (index, glob) in globs.iter().enumerate() {
                let why = if glob.trim().is_empty() {
                    "it is empty"
                } else if glob.contains(['[', ']', '{', '}', '!', '\\']) {
                    "only *, ** and ? stand for something else, and / separates names"
                } else if glob.split('/').any(|name| name == "..") {
                    "it leaves its folder with .."
                } else if glob
                    .split('/')
                    .any(|name| name.contains("**") && name != "**")
                {
                    "** is a name of its own"
                } else {
                    continue;
                };
                return Err(BadPattern { list, index, why });
            }
        }
        Ok(())
    }
}

fn refusal(path: &str, rule: &str) -> Refusal {
    Refusal {
        rule: "protected path".into(),
        reason: format!("{path} is protected: {rule}; no tool writes there"),
        hint: Some("leave it as it is, and tell the person what should be changed and why".into()),
    }
}

/// A path by its names, lower case, `.` and `..` worked out.
struct Place {
    /// From the root of the file system, or from `~`.
    absolute: Vec<String>,
    /// From the workspace, when it is in there.
    relative: Option<Vec<String>>,
}

impl Place {
    fn new(path: &str, workspace: &str) -> Self {
        let path = ["$HOME", "${HOME}"]
            .iter()
            .find_map(|home| path.strip_prefix(home))
            .map_or_else(|| path.to_string(), |rest| format!("~{rest}"));
        let rooted = |path: &str| {
            path.starts_with(['/', '\\', '~']) || path.as_bytes().get(1) == Some(&b':')
        };
        let root = names("", workspace);
        let absolute = match rooted(&path) {
            true => names("", &path),
            false => names(workspace, &path),
        };
        let inside = (!workspace.is_empty() && covers(&root, &absolute))
            || (workspace.is_empty() && !rooted(&path));
        let relative = inside.then(|| absolute[root.len().min(absolute.len())..].to_vec());
        Self { absolute, relative }
    }

    fn matches(&self, glob: &str) -> bool {
        self.any_match(glob, |glob, names| begins_with(names, glob))
    }

    /// Whether what `glob` names lies below. A name without a folder may be below any: not asked.
    fn holds(&self, glob: &str) -> bool {
        self.any_match(glob, |glob, place| {
            let begun = || {
                place
                    .iter()
                    .zip(glob)
                    .all(|(name, glob)| component(glob, name))
            };
            place.len() < glob.len() && begun()
        })
    }

    fn holds_workspace(&self, workspace: &str) -> bool {
        match &self.relative {
            Some(relative) => relative.is_empty() || relative.iter().all(|name| name == ".."),
            None => covers(&self.absolute, &names("", workspace)) && !workspace.is_empty(),
        }
    }

    fn any_match(&self, glob: &str, is: impl Fn(&[String], &[String]) -> bool) -> bool {
        let patterns = glob_names(glob);
        let from_root = glob.starts_with(['/', '~']) || glob.as_bytes().get(1) == Some(&b':');
        if from_root {
            return is(&patterns, &self.absolute);
        }
        let names = self.relative.as_ref();
        if glob.trim_end_matches('/').contains('/') {
            return names.is_some_and(|names| is(&patterns, names));
        }
        let names = names.unwrap_or(&self.absolute);
        (0..names.len()).any(|from| is(&patterns, &names[from..]))
    }
}

/// The names of `path` from `base`, as a file system may take them.
fn names(base: &str, path: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in base.split(['/', '\\']).chain(path.split(['/', '\\'])) {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| last != "..") => {
                names.pop();
            }
            name => names.push(folded(name)),
        }
    }
    names
}

fn glob_names(glob: &str) -> Vec<String> {
    let names = glob
        .split('/')
        .filter(|name| !name.is_empty() && *name != ".");
    names.map(lower_case).collect()
}

/// Letter by letter: `str::to_lowercase` knows more of Greek and is kilobytes of a module.
pub(super) fn lower_case(name: &str) -> String {
    name.chars().flat_map(letter::lower_case).collect()
}

fn covers(folder: &[String], path: &[String]) -> bool {
    !folder.is_empty() && path.starts_with(folder)
}

/// Whether the first of `names` are what `glob` says; what lies below them is meant too.
fn begins_with(names: &[String], glob: &[String]) -> bool {
    let (mut n, mut g) = (0, 0);
    let mut star = None;
    loop {
        match glob.get(g) {
            None => return true,
            Some(glob) if glob == "**" => {
                star = Some((g, n));
                g += 1;
            }
            Some(glob) if names.get(n).is_some_and(|name| component(glob, name)) => {
                g += 1;
                n += 1;
            }
            Some(_) => match star {
                Some((at, from)) if from < names.len() => {
                    star = Some((at, from + 1));
                    g = at + 1;
                    n = from + 1;
                }
                _ => return false,
            },
        }
    }
}

fn component(glob: &str, name: &str) -> bool {
    if !glob.contains('?') {
        return wildcard(glob, name);
    }
    // Rare: each ? is one character, tried against the characters as they are.
    let glob: Vec<char> = glob.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let mut reached = alloc::vec![false; name.len() + 1];
    reached[0] = true;
    for part in glob {
        let mut next = alloc::vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match part {
                '*' => reached[at] || at > 0 && next[at - 1],
                '?' => at > 0 && reached[at - 1],
                c => at > 0 && reached[at - 1] && name[at - 1] == c,
            };
        }
        reached = next;
    }
    reached[name.len()]
}

/// Whether a glob of the shell could name `protected`: brackets are taken for any characters.
fn glob_may_be(name: &str, protected: &str) -> bool {
    let plain = match (name.find('['), name.rfind(']')) {
        (Some(from), Some(to)) if from < to => format!("{}*{}", &name[..from], &name[to + 1..]),
        _ => name.to_string(),
    };
    // Without a dot of its own a glob names no hidden file.
    plain.starts_with('.') && plain.contains(['*', '?']) && component(&plain, protected)
}

/// The name without what file systems ignore: case, characters that HFS+ skips, dots, spaces and
/// streams that NTFS drops.
fn folded(name: &str) -> String {
    let name = match name.find(':') {
        // A drive is a name of its own.
        Some(at) if at > 1 => &name[..at],
        _ => name,
    };
    let mut plain: String = name
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
        .flat_map(letter::lower_case)
        .collect();
    let end = plain.trim_end_matches(['.', ' ']).len();
    if end > 0 {
        plain.truncate(end);
    }
    plain
}

/// Whether some file system takes `name` for `protected`, also by the short names NTFS makes up.
#[must_use]
pub fn is_spelling_of(name: &str, protected: &str) -> bool {
    let plain = folded(name);
    plain == protected
        || plain
            .strip_prefix(protected.trim_start_matches('.'))
            .and_then(|rest| rest.strip_prefix('~'))
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
