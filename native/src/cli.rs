//! The command line: what is typed, and which command it means.

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::ExitCode,
};
use tau_core::{memory::Scope, policy::Preset, tool::dispatch};

use crate::{
    commands,
    exit::{EXIT_CODES, Error, Exit},
    home::Home,
    log,
    ui::{Color, Ui},
};

const EXAMPLES: &str = "\
Examples: tau \"what does this project do?\"  ·  git diff | tau \"review this\"
";

/// An agent that lives where you are: `tau "PROMPT"` answers once, `tau chat` holds a conversation.
#[derive(Debug, Parser)]
#[command(
    name = "tau",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Output {
    /// When to colour.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    color: Color,
    /// Say only what needs attention on stderr.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(commands::run::Args),
    Chat(commands::chat::Args),
    Session(commands::session::Args),
    Memory(commands::memory::Args),
    Instructions(commands::instructions::Args),
    Tool(commands::tool::Args),
    Channel(commands::channel::Args),
    Sandbox(commands::sandbox::Args),
    Wasm(commands::wasm::Args),
    Net(commands::net::Args),
    Scan(commands::scan::Args),
    Secret(commands::secret::Args),
    Identity(commands::identity::Args),
    Bundle(commands::bundle::Args),
    Message(commands::message::Args),
    Trust(commands::trust::Args),
    Escrow(commands::escrow::Args),
    Store(commands::store::Args),
    Model(commands::model::Args),
    Policy(commands::policy::Args),
    Config(commands::config::Args),
    Replay(commands::replay::Args),
    Verify(commands::verify::Args),
    Doctor(commands::doctor::Args),
    Completions(commands::completions::Args),
}

/// Which session.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Which {
    /// Go on with this session; a beginning of its name will do.
    #[arg(long, value_name = "SESSION", conflicts_with = "latest")]
    pub(crate) session: Option<String>,
    /// Go on with the session that was last written.
    #[arg(short = 'c', long = "continue", id = "latest")]
    pub(crate) latest: bool,
}

/// Which model, before the profile is looked at.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ModelFlags {
    /// The model's name; `embedded` for the one inside Tau.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The server, up to and including the version: http://localhost:8080/v1
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// What it speaks: openai, anthropic or embedded.
    #[arg(long, value_name = "API", value_parser = crate::config::parse_api)]
    pub(crate) api: Option<tau_core::model::Api>,
    /// The environment variable with the key.
    #[arg(long, value_name = "VAR")]
    pub(crate) key_env: Option<String>,
}

/// What the agent may do.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PolicyFlags {
    /// permissive, balanced, strict or hardened.
    #[arg(long, value_name = "PRESET")]
    pub(crate) policy: Option<Preset>,
    /// Let this tool run without asking; may be repeated.
    #[arg(long, value_name = "TOOL", value_delimiter = ',')]
    pub(crate) approve: Vec<String>,
    /// Answer every question with yes. What the policy denies stays denied.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What a turn may use up.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LimitFlags {
    /// Model calls a turn may take.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_steps: Option<u32>,
    /// Tokens a turn may take, in and out.
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u64>,
    /// Money a turn may cost.
    #[arg(long, value_name = "USD", value_parser = crate::config::parse_usd)]
    pub(crate) max_cost: Option<u64>,
    /// Wall time a turn may take: 90s, 10m.
    #[arg(long, value_name = "DURATION", value_parser = crate::config::parse_duration_ms)]
    pub(crate) deadline: Option<u64>,
}

/// Everything that decides how an agent is set up.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AgentFlags {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) model: ModelFlags,
    #[command(flatten)]
    pub(crate) policy: PolicyFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    /// The folder the agent works in [default: the current one].
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// Add a file to the system prompt; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) system: Vec<PathBuf>,
    /// Set where somebody else than the person speaks.
    #[arg(skip)]
    pub(crate) guest: Option<Guest>,
}

/// A conversation with somebody who is not the person whose agent it is. Nobody is asked there.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// What the session's name is drawn from; it is opened, or begun.
    pub(crate) seed: [u8; 32],
    /// The only memory that is read and written there.
    pub(crate) memory: Scope,
}

/// Runs what `arguments` ask for; the first is the program's name.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    #[cfg(unix)]
    if arguments
        .get(1)
        .is_some_and(|word| word == commands::inside::NAME)
    {
        // No command of a person's, so it is in no help; and there is no home within a sandbox.
        return commands::inside::run(arguments).into();
    }
    let json = asks_for_json(&arguments);
    let parsed = match complete(arguments) {
        Ok(arguments) => command()
            .try_get_matches_from(arguments)
            .and_then(|matches| Cli::from_arg_matches(&matches)),
        Err(error) => return fail(Ui::new(Color::Auto, false), json, &error).into(),
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            if json && exit != Exit::Ok {
                let error = Error::usage(error.to_string());
                Ui::new(Color::Auto, false).json(&serde_json::json!({ "error": error.to_json() }));
            }
            // Nobody is left to tell when this fails.
            let _ = error.print();
            return exit.into();
        }
    };
    let ui = Ui::new(cli.output.color, cli.output.quiet);
    log::start();
    let done = Home::find(ui).and_then(|home| run(cli.command, &home, ui));
    let exit = match done {
        Ok(exit) if ui.stdout_failed() => {
            ui.warn("standard output could not be written");
            if exit == Exit::Ok {
                Exit::Internal
            } else {
                exit
            }
        }
        Ok(exit) => exit,
        Err(error) => fail(ui, json, &error),
    };
    exit.into()
}

/// The whole command line, for help and completions.
pub(crate) fn command() -> clap::Command {
    let after = format!("{EXAMPLES}{EXIT_CODES}");
    with_short_help(Cli::command().after_help(after).term_width(100))
}

/// Help that fits a screen: one line an option, under everything there is to say about the command.
fn with_short_help(command: clap::Command) -> clap::Command {
    let about = command.get_long_about().or(command.get_about()).cloned();
    let help = clap::Arg::new("help")
        .short('h')
        .long("help")
        .action(clap::ArgAction::HelpShort)
        .help("Print help");
    command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .before_help(about.unwrap_or_default())
        .help_template("{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
        .arg(help)
        .mut_subcommands(with_short_help)
}

fn run(command: Command, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match command {
        Command::Run(args) => commands::run::run(args, home, ui),
        Command::Chat(args) => commands::chat::run(args, home, ui),
        Command::Session(args) => commands::session::run(args, home, ui),
        Command::Memory(args) => commands::memory::run(args, home, ui),
        Command::Instructions(args) => commands::instructions::run(args, home, ui),
        Command::Tool(args) => commands::tool::run(args, home, ui),
        Command::Channel(args) => commands::channel::run(args, home, ui),
        Command::Sandbox(args) => commands::sandbox::run(args, home, ui),
        Command::Wasm(args) => commands::wasm::run(args, home, ui),
        Command::Net(args) => commands::net::run(args, home, ui),
        Command::Scan(args) => commands::scan::run(args, home, ui),
        Command::Secret(args) => commands::secret::run(args, home, ui),
        Command::Identity(args) => commands::identity::run(args, home, ui),
        Command::Bundle(args) => commands::bundle::run(args, home, ui),
        Command::Message(args) => commands::message::run(args, home, ui),
        Command::Trust(args) => commands::trust::run(args, home, ui),
        Command::Escrow(args) => commands::escrow::run(args, home, ui),
        Command::Store(args) => commands::store::run(args, home, ui),
        Command::Model(args) => commands::model::run(args, home, ui),
        Command::Policy(args) => commands::policy::run(args, home, ui),
        Command::Config(args) => commands::config::run(args, home, ui),
        Command::Replay(args) => commands::replay::run(args, ui),
        Command::Verify(args) => commands::verify::run(args, home, ui),
        Command::Doctor(args) => commands::doctor::run(args, home, ui),
        Command::Completions(args) => commands::completions::run(args, ui),
    }
}

fn fail(ui: Ui, json: bool, error: &Error) -> Exit {
    if json {
        ui.json(&serde_json::json!({ "error": error.to_json() }));
    }
    ui.error(error);
    error.exit
}

/// Whether failures are told as JSON, too; known before the arguments are understood.
fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json" || argument == "--jsonl")
}

/// Makes `tau "PROMPT"` into `tau run "PROMPT"`.
fn complete(mut arguments: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let known = command();
    let names: Vec<&str> = known
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let word = first_word(rest);
    match word.map(|word| (word, word.to_str().unwrap_or_default())) {
        Some((_, name)) if names.contains(&name) => return Ok(arguments),
        Some((_, "help")) => {
            arguments.retain(|argument| argument != "help");
            arguments.push("--help".into());
            return Ok(arguments);
        }
        Some((_, name)) => {
            let near = dispatch::nearest(name, names.iter().copied());
            if let (Some(near), false) = (near, name.contains(char::is_whitespace)) {
                return Err(
                    Error::usage(format!("there is no command {name:?}")).hint(format!(
                        "did you mean `tau {near}`? To ask it as a question: tau run {name:?}"
                    )),
                );
            }
        }
        None if rest.iter().any(|a| asks_for_help(a)) => return Ok(arguments),
        // What is piped in is the prompt.
        None if rest.is_empty() && commands::run::stdin_is_terminal() => return Ok(arguments),
        None => {}
    }
    arguments.insert(1, "run".into());
    Ok(arguments)
}

fn asks_for_help(argument: &OsStr) -> bool {
    ["-h", "--help", "-V", "--version"]
        .iter()
        .any(|help| argument == *help)
}

/// The first argument that is no option. The values of options that may stand before a command are
/// passed over.
fn first_word(arguments: &[OsString]) -> Option<&OsString> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--color" {
            arguments.next();
        } else if text == "--" {
            return arguments.next();
        } else if !text.starts_with('-') || text == "-" {
            return Some(argument);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> Result<String, String> {
        let arguments = line.split(' ').map(|word| word.replace('_', " ").into());
        complete(arguments.collect())
            .map(|all| {
                let all: Vec<_> = all.iter().map(|a| a.to_string_lossy()).collect();
                all.join(" ")
            })
            .map_err(|error| error.message)
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_bare_prompt_runs() {
        for (line, expected) in [
            ("tau list_the_files", "tau run list the files"),
            ("tau hello", "tau run hello"),
            ("tau --color never hello", "tau run --color never hello"),
            ("tau --json hello", "tau run --json hello"),
            ("tau -", "tau run -"),
            ("tau session list", "tau session list"),
            ("tau -q session list", "tau -q session list"),
            ("tau --version", "tau --version"),
            ("tau help run", "tau run --help"),
            ("tau help", "tau --help"),
        ] {
            assert_eq!(completed(line).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_mistyped_command_is_not_a_prompt() {
        assert_eq!(
            completed("tau sesion"),
            Err("there is no command \"sesion\"".into())
        );
        assert!(completed("tau doctr --json").is_err());
        assert!(completed("tau sesion_of_today").is_ok());
    }
}
