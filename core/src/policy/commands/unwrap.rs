//! Programs that start other programs: what they start is decided about too.
//!
//! Invariant: a program of these tables either has what it starts among the script's calls, or is
//! opaque. A program that is in none of them is taken at its word: a rule that lets it run with any
//! arguments lets it run with all that it can do.

use alloc::{string::String, vec::Vec};

use super::parse::{Call, MAX_DEPTH, Script, Word, identifier};

/// Programs whose operands are another program: name, options without a value, options with one,
/// operands before the program.
const WRAPPERS: &[(&str, &str, &str, usize)] = &[
    ("env", "i0v", "uC", 0),
    ("nice", "0123456789", "n", 0),
    ("nohup", "", "", 0),
    ("timeout", "fpv", "ks", 1),
    ("time", "pvaq", "fo", 0),
    ("sudo", "nEHbkSAP", "ugpCDhrtTRU", 0),
    ("doas", "nL", "uC", 0),
    ("setsid", "cfw", "", 0),
    ("stdbuf", "", "ioe", 0),
    ("ionice", "t", "cnp", 0),
    ("command", "p", "", 0),
    ("builtin", "", "", 0),
    ("exec", "cl", "a", 0),
    ("busybox", "", "", 0),
    ("toybox", "", "", 0),
    ("xargs", "0rtxpile", "InLPsEad", 0),
    ("ssh", "46AaCfGgKkMNnqsTtVvXxYy", "BbcDEeFIiJLlmOpQRSWw", 1),
];
/// Long options without a value that [`WRAPPERS`] have.
const LONG_FLAGS: &str =
    " --foreground --preserve-status --verbose --no-run-if-empty --null --ignore-environment ";

/// Programs that run code from their arguments, their input, a file or later.
const OPAQUE: &str = " . source alias unalias trap hash enable mapfile readarray bind \
    complete compgen fc let declare typeset local getopts watch parallel su script flock strace \
    ltrace gdb lldb at batch crontab systemd-run screen tmux chroot unshare nsenter expect entr \
    fish csh tcsh pwsh powershell cmd ed ex vi vim nvim view emacs setpriv runuser \
    start-stop-daemon dbus-send osascript run-parts chrt taskset numactl prlimit proot fakeroot \
    faketime unbuffer rlwrap sshpass xdg-open open ";

/// Options by which a program starts others or reads more options: a long one also as any of its
/// abbreviations, `=value` or not; a short one also in a cluster.
const STARTERS: &[(&str, &str)] = &[
    (
        "git",
        "-c --config-env --exec-path --upload-pack --receive-pack --exec -x --extcmd --ext-diff \
         --textconv --open-files-in-pager -O --template --git-dir --work-tree",
    ),
    (
        "tar",
        "-F -I --checkpoint-action --to-command --use-compress-program --rsh-command \
         --info-script --new-volume-script",
    ),
    ("rsync", "-e --rsh --rsync-path"),
    ("scp", "-S -o -F -D"),
    ("sftp", "-S -o -F -D -b"),
    ("ssh", "-o -F"),
    ("sort", "--compress-program --files0-from -T"),
    ("split", "--filter"),
    ("rg", "--pre --hostname-bin"),
    ("ag", "--pager"),
    ("ack", "--pager"),
    ("fd", "-x -X --exec --exec-batch"),
    ("zip", "-T -TT --unzip-command"),
    ("make", "--eval -f --file --makefile"),
    ("gmake", "--eval -f --file --makefile"),
    ("cargo", "--config -Z"),
    ("curl", "-K --config"),
    ("wget", "--use-askpass -e --execute --config"),
    ("less", "-k -K"),
    ("man", "-P --pager -H --html"),
    ("perl", "-e -E"),
    ("python", "-c"),
    ("ruby", "-e"),
    (
        "node",
        "-e -p -r --eval --print --require --import --loader",
    ),
    (
        "nodejs",
        "-e -p -r --eval --print --require --import --loader",
    ),
    ("php", "-r -B -R -E"),
    ("lua", "-e"),
    ("bun", "-e --eval -p --print"),
    ("deno", "-e --eval"),
    ("Rscript", "-e"),
    (
        "awk",
        "-f -e -i -l -E --file --source --include --load --exec",
    ),
    ("sed", "-f --file"),
];
/// Sub-commands of git that start what is named in their arguments or in settings they change.
const GIT: &str = " config bisect submodule filter-branch difftool mergetool hook alias daemon \
    send-email instaweb web--browse credential for-each-repo ";
/// Those of which no option starts a program.
const PLAIN_GIT: &str = " add branch checkout commit mv reset restore rm stash status switch tag ";
/// Those that run their standard input when no file is named.
const INTERPRETERS: &str =
    " perl python ruby node nodejs php lua bun deno Rscript irb tclsh julia ghci ";
const SHELLS: &str = " sh bash dash ash ksh zsh mksh rbash ";
/// Words that are no program's name at the beginning of a command.
const RESERVED: &str = " { } ! if while until for case function then do else elif [[ ( ";
/// Variables that no program takes for an instruction.
const HARMLESS: &str = " LANG LANGUAGE TZ CI NO_COLOR FORCE_COLOR CLICOLOR TERM COLUMNS LINES \
    RUST_BACKTRACE RUST_LOG CARGO_TERM_COLOR DEBIAN_FRONTEND PYTHONUNBUFFERED NODE_ENV DEBUG \
    VERBOSE REPLY _ ";

/// Whether `names`, separated by single spaces, has `name`.
pub(super) fn has(names: &str, name: &str) -> bool {
    !name.is_empty() && names.split(' ').any(|known| known == name)
}

/// Whether setting `name` changes no more than what a program says. A variable of the shell's own
/// may have any name in lower case; one that is `exported` to a program may not.
pub(super) fn harmless_variable(name: &str, exported: bool) -> bool {
    let own = || {
        !name.chars().any(|c| c.is_ascii_uppercase())
            && !name.ends_with("_proxy")
            && !name.starts_with("npm_")
    };
    has(HARMLESS, name) || name.starts_with("LC_") || (!exported && own())
}

/// The name a program is known by: without its folder and version, in lower case.
pub(super) fn known_name(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let plain = match plain {
        "gawk" | "mawk" | "nawk" => "awk",
        "gsed" => "sed",
        "gfind" => "find",
        "gtar" | "bsdtar" => "tar",
        "rscript" => "Rscript",
        "" => &name,
        plain => plain,
    };
    plain.into()
}

const COMPUTED: &str = "its options are computed";

/// Adds the command of `words`, and what it starts.
pub(super) fn push(script: &mut Script, words: Vec<Word>, depth: usize) {
    let Some(program) = words.first() else {
        return;
    };
    if depth > MAX_DEPTH {
        script.note("it is nested too deep");
        return;
    }
    if !program.fixed {
        script.note("the name of a program is computed");
    } else if has(RESERVED, &program.text) {
        script.note("there is a reserved word in an unusual place");
    }
    let name = known_name(&program.text);
    let index = script.calls.len();
    script.calls.push(Call {
        words: words.clone(),
        opaque: None,
    });
    let opaque = started(script, &name, &words, depth).err();
    script.calls[index].opaque = opaque;
}

/// Adds what `words` starts; says why when that cannot be told.
fn started(
    script: &mut Script,
    name: &str,
    words: &[Word],
    depth: usize,
) -> Result<(), &'static str> {
    if has(OPAQUE, name) {
        return Err("it runs what cannot be seen here");
    }
    if has(SHELLS, name) {
        return shell(script, words, depth);
    }
    check_starters(name, words)?;
    match name {
        "eval" => {
            let text = joined(&words[1..])?;
            script.read(&text, depth + 1);
            Ok(())
        }
        "find" => find(script, words, depth),
        "awk" => awk(words),
        "sed" => sed(words),
        "git" => git(words),
        "set" | "export" | "readonly" | "unset" | "read" | "printf" | "test" | "[" => {
            builtin(name, words)
        }
        // Only looks a name up.
        "command"
            if words
                .get(1)
                .is_some_and(|word| matches!(&*word.text, "-v" | "-V")) =>
        {
            Ok(())
        }
        _ if has(INTERPRETERS, name) => {
            let script = words[1..].iter().find(|word| !word.text.starts_with('-'));
            match script {
                Some(script) if script.fixed && script.text != "eval" && script.text != "repl" => {
                    Ok(())
                }
                _ => Err("it runs what it is given as code"),
            }
        }
        _ => match WRAPPERS.iter().find(|wrapper| wrapper.0 == name) {
            Some(wrapper) => wrapped(script, wrapper, words, depth),
            None => Ok(()),
        },
    }
}

fn check_starters(name: &str, words: &[Word]) -> Result<(), &'static str> {
    let Some((_, options)) = STARTERS.iter().find(|(known, _)| *known == name) else {
        return Ok(());
    };
    let words = &words[1..];
    if name == "git"
        && words
            .first()
            .is_some_and(|word| word.fixed && has(PLAIN_GIT, &word.text))
    {
        return Ok(());
    }
    if words.iter().any(|word| !word.fixed && may_be_option(word)) {
        return Err(COMPUTED);
    }
    let starts = |word: &str, option: &str| match option.strip_prefix("--") {
        Some(_) => {
            let name = word.split('=').next().unwrap_or_default();
            name.len() > 2 && name.starts_with("--") && option.starts_with(name)
        }
        None if option.len() == 2 => {
            word.starts_with('-') && !word.starts_with("--") && word.contains(&option[1..])
        }
        None => word == option,
    };
    let found = words.iter().any(|word| {
        let mut options = options.split_whitespace();
        options.any(|option| starts(&word.text, option))
    });
    if found {
        return Err("an option of it starts other programs");
    }
    Ok(())
}

/// Whether an expansion could turn `word` into an option.
fn may_be_option(word: &Word) -> bool {
    !word.text.starts_with(begins_operand) || word.text.contains([' ', '$', '`'])
}

/// Whether a word that is written with `c` first is none of the options, whatever follows.
fn begins_operand(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '~')
}

/// The operands of `words` behind options without (`flags`) and with a value.
fn operands<'w>(words: &'w [Word], flags: &str, valued: &str) -> Result<&'w [Word], &'static str> {
    const UNKNOWN: &str = "an option of it is not known";
    let mut at = 1;
    while let Some(word) = words.get(at) {
        if !word.fixed && !word.text.starts_with(begins_operand) {
            return Err(COMPUTED);
        }
        let Some(option) = word.text.strip_prefix('-') else {
            break;
        };
        at += 1;
        if option == "-" {
            break;
        }
        if option.starts_with('-') {
            if has(LONG_FLAGS, &word.text) {
                continue;
            }
            return Err(UNKNOWN);
        }
        if option.is_empty() {
            return Err(UNKNOWN);
        }
        for (index, letter) in option.char_indices() {
            if valued.contains(letter) {
                if index + letter.len_utf8() == option.len() {
                    if words.get(at).is_some_and(|value| !value.fixed) {
                        return Err(COMPUTED);
                    }
                    at += 1;
                }
                break;
            }
            if !flags.contains(letter) {
                return Err(UNKNOWN);
            }
        }
    }
    Ok(words.get(at..).unwrap_or_default())
}

fn wrapped(
    script: &mut Script,
    &(name, flags, valued, before): &(&str, &str, &str, usize),
    words: &[Word],
    depth: usize,
) -> Result<(), &'static str> {
    let mut rest = operands(words, flags, valued)?;
    let mut certain = Ok(());
    if let "env" | "sudo" = name {
        while let Some(word) = rest.first() {
            let variable = identifier(&word.text);
            if !word.text[variable.len()..].starts_with('=') {
                break;
            }
            if !harmless_variable(variable, true) {
                script.note("it sets a variable that programs act on");
            }
            if !word.fixed {
                // It may become several words, of which one is a program.
                certain = Err(COMPUTED);
            }
            rest = &rest[1..];
        }
    }
    if rest.len() < before {
        return Err("it has no operands");
    }
    if rest[..before].iter().any(|word| !word.fixed) {
        return Err("its operands are computed");
    }
    rest = &rest[before..];
    if name == "ssh" {
        if rest.is_empty() {
            return Err("it runs what it is given as code");
        }
        script.read(&joined(rest)?, depth + 1);
        return Ok(());
    }
    if rest.is_empty() {
        return match name {
            "env" | "command" | "exec" | "xargs" | "time" | "nice" | "busybox" | "toybox" => Ok(()),
            _ => Err("it has no operands"),
        };
    }
    let mut inner = rest.to_vec();
    if name == "xargs" {
        inner.push(any());
    }
    push(script, inner, depth + 1);
    certain
}

/// Arguments nobody can know.
fn any() -> Word {
    Word {
        text: "…".into(),
        fixed: false,
    }
}

fn joined(words: &[Word]) -> Result<String, &'static str> {
    let mut text = String::new();
    for word in words {
        if !word.fixed {
            return Err("the text it runs is computed");
        }
        text.push_str(&word.text);
        text.push(' ');
    }
    Ok(text)
}

fn shell(script: &mut Script, words: &[Word], depth: usize) -> Result<(), &'static str> {
    let mut at = 1;
    let mut text = false;
    while let Some(option) = words.get(at).and_then(|word| word.text.strip_prefix('-')) {
        if !words[at].fixed || option.is_empty() {
            break;
        }
        at += 1;
        match option {
            "-norc" | "-noprofile" | "-posix" => {}
            "o" | "eo" | "euo" if words.get(at).is_some_and(|word| word.text == "pipefail") => {
                at += 1
            }
            letters if letters.chars().all(|c| "celuxf".contains(c)) => {
                text |= letters.contains('c')
            }
            _ => return Err("an option of it is not known"),
        }
    }
    match words.get(at) {
        Some(word) if text && word.fixed => {
            script.read(&word.text, depth + 1);
            Ok(())
        }
        Some(_) if text => Err("the text it runs is computed"),
        _ => Err("it runs what it is given as code"),
    }
}

fn find(script: &mut Script, words: &[Word], depth: usize) -> Result<(), &'static str> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        at += 1;
        if !word.fixed && may_be_option(word) {
            return Err(COMPUTED);
        }
        if word.text == "-files0-from" {
            return Err("an option of it is not known");
        }
        if !matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir") {
            continue;
        }
        let rest = &words[at..];
        let length = rest
            .iter()
            .position(|word| !word.fixed || matches!(word.text.as_str(), ";" | "+"))
            .filter(|end| rest[*end].fixed)
            .ok_or("what it starts has no end")?;
        let inner: Vec<Word> = rest[..length]
            .iter()
            .map(|word| Word {
                text: word.text.clone(),
                fixed: !word.text.contains("{}"),
            })
            .collect();
        push(script, inner, depth + 1);
        at += length + 1;
    }
    Ok(())
}

fn awk(words: &[Word]) -> Result<(), &'static str> {
    let program = operands(words, "", "Fv")?
        .first()
        .ok_or("it has no operands")?;
    let starts = ["|", ">", "system", "getline", "@", "\\"];
    if !program.fixed || starts.iter().any(|part| program.text.contains(part)) {
        return Err("its program may start others or write files");
    }
    Ok(())
}

fn sed(words: &[Word]) -> Result<(), &'static str> {
    let mut scripts: Vec<&Word> = Vec::new();
    let mut first = None;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        at += 1;
        match word.text.as_str() {
            "-e" | "--expression" => scripts.extend(words.get(at)),
            "-n" | "-E" | "-r" | "-s" | "-z" | "-i" | "-ne" | "-nE" | "-nr" | "--quiet"
            | "--regexp-extended" | "--in-place" => {
                if word.text == "-ne" {
                    scripts.extend(words.get(at));
                } else {
                    continue;
                }
            }
            text if text.starts_with("-i") && text[2..].starts_with('.') => continue,
            text if text.starts_with('-') && text.len() > 1 => {
                return Err("an option of it is not known");
            }
            _ => {
                first.get_or_insert(word);
                continue;
            }
        }
        at += 1;
    }
    if scripts.is_empty() {
        scripts.extend(first);
    }
    if scripts
        .iter()
        .all(|script| script.fixed && simple_sed(&script.text))
    {
        Ok(())
    } else {
        Err("its program may start others or write files")
    }
}

/// One `p`, `d`, `q` or `=` with addresses in numbers, or one `s` without the flags `e` and `w`.
fn simple_sed(text: &str) -> bool {
    let command =
        text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$' | ' '));
    if matches!(command, "p" | "d" | "q" | "=") {
        return true;
    }
    let mut rest = command.chars();
    if rest.next() != Some('s') {
        return false;
    }
    let Some(mark) = rest
        .next()
        .filter(char::is_ascii_punctuation)
        .filter(|c| *c != '\\')
    else {
        return false;
    };
    // Brackets hide marks from sed, and a line ends its command.
    if rest.as_str().contains(['[', '\n', ';']) {
        return false;
    }
    let mut marks = 0;
    while marks < 2 {
        match rest.next() {
            None => return false,
            Some('\\') => {
                rest.next();
            }
            Some(c) if c == mark => marks += 1,
            Some(_) => {}
        }
    }
    rest.all(|flag| flag.is_ascii_digit() || matches!(flag, 'g' | 'p' | 'i' | 'I'))
}

fn git(words: &[Word]) -> Result<(), &'static str> {
    let command = words[1..].iter().find(|word| !word.text.starts_with('-'));
    match command {
        Some(command) if !command.fixed || has(GIT, &command.text) => {
            Err("it starts what its settings or arguments say")
        }
        _ => Ok(()),
    }
}

fn builtin(name: &str, words: &[Word]) -> Result<(), &'static str> {
    let harmless = |word: &Word| {
        let variable = identifier(&word.text);
        let rest = &word.text[variable.len()..];
        word.text.starts_with('-') && word.fixed
            || !variable.is_empty()
                && (rest.is_empty() && word.fixed || rest.starts_with('='))
                && harmless_variable(variable, name != "read" && name != "unset")
    };
    let arguments = &words[1..];
    let fine = match name {
        "set" => arguments.iter().all(|word| {
            matches!(
                word.text.as_str(),
                "-e" | "-u" | "-x" | "-eu" | "-ex" | "-eux" | "-o" | "-euo" | "-euxo" | "pipefail"
            )
        }),
        "printf" | "test" | "[" => arguments.iter().all(|word| {
            !matches!(word.text.get(..2), Some("-v" | "-R"))
                && (name != "printf" || word.fixed || !may_be_option(word))
        }),
        _ => arguments.iter().all(harmless),
    };
    if fine {
        Ok(())
    } else {
        Err("it sets what programs or the shell act on")
    }
}
