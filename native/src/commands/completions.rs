//! `tau completions`: for the shell.

use clap_complete::{Shell, generate};

use crate::{
    cli,
    exit::{Error, Exit},
    ui::Ui,
};

/// Print completions for a shell.
///
/// For bash: tau completions bash > ~/.local/share/bash-completion/completions/tau
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// bash, elvish, fish, powershell or zsh.
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: Args, ui: Ui) -> Result<Exit, Error> {
    let mut script = Vec::new();
    generate(args.shell, &mut cli::command(), "tau", &mut script);
    ui.bytes(&script);
    Ok(Exit::Ok)
}
