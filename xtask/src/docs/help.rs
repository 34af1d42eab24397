//! What a program accepts, read from its help.

use crate::{process, workspace};
use anyhow::Result;
use regex::Regex;
use std::{collections::BTreeSet, fmt::Write, path::Path};

/// One command and those below it.
#[derive(Debug)]
pub(super) struct Help {
    /// As typed, with its parents: `tau session list`.
    pub(super) command: String,
    /// Its help as printed, without the last line break.
    text: String,
    /// `--json`, `-v` and so on.
    flags: BTreeSet<String>,
    /// Commands below, in the order of the help.
    below: Vec<Self>,
}

impl Help {
    /// The help of a clap command of this program.
    pub(super) fn of_clap(name: &str, command: &clap::Command) -> Self {
        let mut command = command.clone();
        let text = command.render_long_help().to_string();
        let below = command.get_subcommands();
        let below = below.filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
        let below = below
            .map(|sub| Self::of_clap(&format!("{name} {}", sub.get_name()), sub))
            .collect();
        Self::new(name.to_owned(), text, below)
    }

    fn new(command: String, text: String, below: Vec<Self>) -> Self {
        let flags = flags(&text);
        Self {
            command,
            text,
            flags,
            below,
        }
    }

    /// The program's name: `tau`, `cargo xtask`.
    pub(super) fn name(&self) -> &str {
        &self.command
    }

    /// The command below called `name`.
    pub(super) fn below(&self, name: &str) -> Option<&Self> {
        let mut below = self.below.iter();
        below.find(|help| help.command.rsplit(' ').next() == Some(name))
    }

    /// Whether there are commands below this one.
    pub(super) fn is_group(&self) -> bool {
        !self.below.is_empty()
    }

    /// Whether the command's help has `flag`.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// A reference page: every command's help, word for word.
    pub(super) fn page(&self) -> String {
        let mut page = format!(
            "# The `{name}` command line\n\nWritten by `cargo xtask docs --write` from the program's own help.\n",
            name = self.command
        );
        self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) {
        let Self { command, text, .. } = self;
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## `{command}`\n\n```text\n{text}\n```\n");
        for below in &self.below {
            below.write(page);
        }
    }
}

/// Asks the `tau` binary for the help of every command.
pub(super) fn of_tau(binary: &Path) -> Result<Help> {
    let home = workspace::scratch("help")?;
    ask(binary, &home, &[])
}

fn ask(binary: &Path, home: &Path, words: &[&str]) -> Result<Help> {
    let mut command = workspace::isolated_tau(binary, home);
    let text = process::read(command.args(words).arg("--help"))?;
    let text: Vec<&str> = text.lines().map(str::trim_end).collect();
    let text = text.join("\n").trim_end().to_owned();
    let mut below = Vec::new();
    for name in subcommands(&text) {
        let words: Vec<&str> = words.iter().copied().chain([name]).collect();
        below.push(ask(binary, home, &words)?);
    }
    let command: Vec<&str> = ["tau"].iter().chain(words).copied().collect();
    Ok(Help::new(command.join(" "), text, below))
}

/// The names in the `Commands:` section, but for `help` itself.
fn subcommands(help: &str) -> Vec<&str> {
    let section = help
        .lines()
        .skip_while(|line| line.trim() != "Commands:")
        .skip(1);
    let section = section.take_while(|line| line.is_empty() || line.starts_with(' '));
    // A name stands two columns in; the lines that explain it stand further in.
    let names = section.filter_map(|line| {
        line.strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '))
    });
    let names = names.filter_map(|line| line.split([' ', ',']).next());
    names
        .filter(|name| !name.is_empty() && *name != "help")
        .collect()
}

/// The flags a help text lists at the start of its lines.
fn flags(help: &str) -> BTreeSet<String> {
    let flag = Regex::new(r"(?:^|[\s,\[])(--?[A-Za-z][A-Za-z0-9-]*)").expect("a valid pattern");
    let lines = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'));
    lines
        .flat_map(|line| {
            flag.captures_iter(line)
                .map(|found| found[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Keep and look at conversations\n\nUsage: tau session [OPTIONS] <COMMAND>\n\nCommands:\n  list, ls  List them\n  show\n          Print one\n  help      Print this message\n\nOptions:\n  -v, --verbose      More\n      --store <DIR>  Where --not-a-flag\n  -h, --help         Print help";

    #[test]
    fn commands_and_flags_are_read_from_help() {
        assert_eq!(subcommands(TEXT), ["list", "show"]);
        let flags = flags(TEXT);
        assert!(flags.contains("--store") && flags.contains("-v") && flags.contains("--help"));
    }

    #[test]
    fn clap_and_its_printed_help_agree() {
        use clap::CommandFactory;
        let command = crate::Cli::command();
        let help = Help::of_clap("cargo xtask", &command);
        let names: Vec<_> = help
            .below
            .iter()
            .map(|h| h.command.rsplit(' ').next().unwrap())
            .collect();
        assert_eq!(subcommands(&help.text), names);
        assert!(
            help.below("setup")
                .is_some_and(|setup| setup.has_flag("--check"))
        );
        assert!(help.below("peak-memory").is_none());
    }

    #[test]
    fn the_reference_has_a_section_per_command() {
        let leaf = Help::new("tau run".to_owned(), "Run.".to_owned(), Vec::new());
        let page = Help::new("tau".to_owned(), "Tau.".to_owned(), vec![leaf]).page();
        assert!(
            page.ends_with(
                "## `tau`\n\n```text\nTau.\n```\n\n## `tau run`\n\n```text\nRun.\n```\n"
            )
        );
    }
}
