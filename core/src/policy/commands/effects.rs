//! What a command does besides starting programs, as far as its text says: which files it writes,
//! and whether anything may leave the machine.

use alloc::{
    borrow::ToOwned,
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::parse::{Call, Script, Word};
use super::unwrap::{has, known_name};

/// Programs and builtins that send nothing anywhere, whatever their arguments, unless the call is
/// opaque.
const QUIET: &str = " ls cat head tail wc grep egrep fgrep rg find sort uniq cut tr nl tac rev comm \
    cmp diff fold paste join column basename dirname realpath readlink stat file du df tree seq \
    sleep date cal echo printf pwd cd pushd popd true false : test [ expr which whereis type command \
    builtin exec eval env nice nohup timeout time xargs stdbuf id whoami uname hostname nproc arch \
    md5sum sha1sum sha224sum sha256sum sha384sum sha512sum cksum b2sum sum od xxd hexdump strings \
    base64 base32 jq sed tee cp mv rm rmdir mkdir touch ln chmod truncate mktemp sh bash dash ash \
    ksh set unset read export exit return break continue shift wait dos2unix unix2dos gzip gunzip \
    zcat bzip2 xz ";

/// Programs that write all their operands.
const WRITE_ALL: &str = " rm rmdir unlink shred mv ln link truncate tee touch mkdir mkfifo mknod \
    sponge chmod chown chgrp chattr setfattr setfacl gzip gunzip bzip2 bunzip2 xz unxz zstd patch ";
/// Programs that take away whole trees; all but the last operand of `mv`.
const TAKE_AWAY: &str = " rm rmdir shred mv ";
/// Programs that write their last operand.
const WRITE_LAST: &str = " cp install rsync scp ";

/// How many folders of `cd` are followed.
const MAX_FOLDERS: usize = 4;

/// A path that a command writes, makes, changes or removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// As it is written, from the folder that `cd` went to.
    pub path: String,
    /// Whether it is exactly this path; otherwise expansions and globs are in it.
    pub fixed: bool,
    /// Whether all below it is taken away with it.
    pub whole: bool,
}

impl Script {
    /// The names of the programs, each once, in the order of the text.
    #[must_use]
    pub fn programs(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let names = self.calls.iter().map(|call| &*call.words[0].text);
        names.filter(|name| seen.insert(*name)).collect()
    }

    /// Whether anything may leave the machine: `false` only when every program is known to send
    /// nothing anywhere.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        let quiet = |call: &Call| {
            let name = &call.words[0];
            call.opaque.is_none() && name.fixed && has(QUIET, &name.text)
        };
        // bash opens connections for these names.
        let local = |target: &Word| target.fixed && !target.text.starts_with("/dev/");
        self.unknown.is_some()
            || !self.calls.iter().all(quiet)
            || !self
                .redirects
                .iter()
                .all(|redirect| local(&redirect.target) || redirect.target.text == "/dev/null")
    }

    /// The paths that are written, as far as the text says. A program that is not known, code and
    /// configuration may write others.
    #[must_use]
    pub fn writes(&self) -> Vec<Written> {
        let mut found = Vec::new();
        for redirect in self.redirects.iter().filter(|redirect| redirect.writes) {
            add(&mut found, &redirect.target, false);
        }
        let mut folders: Vec<String> = Vec::new();
        for call in &self.calls {
            let name = known_name(&call.words[0].text);
            if let ("cd" | "pushd", Some(folder)) = (&*name, operands(call).last())
                && folders.len() < MAX_FOLDERS
            {
                let from = folders.last().filter(|_| !is_absolute(&folder.text));
                let folder = match from {
                    Some(from) => format!("{from}/{}", folder.text),
                    None => folder.text.clone(),
                };
                folders.push(folder);
            }
            written_by(&name, call, &mut found);
        }
        // Where in the text `cd` stands is not looked at: a path may be meant from every folder.
        for index in 0..found.len() {
            if is_absolute(&found[index].path) {
                continue;
            }
            for folder in &folders {
                let moved = Written {
                    path: format!("{folder}/{}", found[index].path),
                    ..found[index].clone()
                };
                found.push(moved);
            }
        }
        found
    }
}

fn written_by(name: &str, call: &Call, found: &mut Vec<Written>) {
    let words = &call.words[1..];
    let operands = operands(call);
    let last = operands.len().saturating_sub(1);
    // With -t the folder comes first, and the last operand is a source.
    let folder_first = words
        .iter()
        .any(|word| word.text.starts_with("-t") || word.text.starts_with("--target-directory"));
    let links = |word: &Word| {
        let short = word.text.starts_with('-') && !word.text.starts_with("--");
        short && word.text.contains(['l', 's']) || word.text.contains("link")
    };
    let in_place = |word: &Word| word.text.starts_with("-i") || word.text.starts_with("--in-place");
    let all = has(WRITE_ALL, name)
        || folder_first && has(WRITE_LAST, name)
        || name == "cp" && words.iter().any(links)
        || matches!(name, "sed" | "perl" | "ruby") && words.iter().any(in_place)
        || name == "git"
            && operands.first().is_some_and(|command| {
                matches!(&*command.text, "rm" | "mv" | "restore" | "checkout")
            });
    for (index, word) in operands.iter().enumerate() {
        if all {
            let whole = has(TAKE_AWAY, name) && !(name == "mv" && index == last && !folder_first);
            add(found, word, whole);
        } else if has(WRITE_LAST, name) && index == last {
            add(found, word, false);
        } else if let ("dd", Some(path)) = (name, word.text.strip_prefix("of=")) {
            let word = Word {
                text: path.to_owned(),
                fixed: word.fixed,
            };
            add(found, &word, false);
        }
    }
    outputs(name, words, found);
}

/// The files named by the options that programs commonly have for their output.
fn outputs(name: &str, words: &[Word], found: &mut Vec<Written>) {
    for (index, word) in words.iter().enumerate() {
        let value = match word.text.as_str() {
            option
                if has(
                    " -o -O --output --output-document --target-directory ",
                    option,
                ) || name == "find" && option.starts_with("-fpr")
                    || name == "curl" && has(" -c -D --cookie-jar --dump-header ", option)
                    || matches!(
                        (name, option),
                        ("wget", "-P") | ("unzip", "-d") | ("tar", "-C")
                    ) =>
            {
                words.get(index + 1).cloned()
            }
            text if name == "tar"
                && text.contains('f')
                && !text.starts_with("--")
                && index == 0 =>
            {
                let writes = text.contains(['c', 'r', 'u']);
                words.get(1).filter(|_| writes).cloned()
            }
            text => [
                "--output=",
                "--output-document=",
                "--target-directory=",
                "-o",
                "-O",
            ]
            .iter()
            .find_map(|option| text.strip_prefix(option))
            .map(|path| Word {
                text: path.to_string(),
                fixed: word.fixed,
            }),
        };
        if let Some(path) = value {
            add(found, &path, false);
        }
    }
}

fn operands(call: &Call) -> Vec<&Word> {
    let mut operands = Vec::new();
    let mut all = false;
    for word in &call.words[1..] {
        if !all && word.text == "--" {
            all = true;
        } else if all || !word.text.starts_with('-') || word.text == "-" {
            operands.push(word);
        }
    }
    operands
}

fn add(found: &mut Vec<Written>, word: &Word, whole: bool) {
    if word.text.is_empty() || (word.fixed && word.text == "/dev/null") {
        return;
    }
    found.push(Written {
        path: word.text.clone(),
        fixed: word.fixed,
        whole,
    });
}

fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '~', '$'])
}
