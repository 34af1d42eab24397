//! `tau config`: the profile.

use crate::{
    config::{self, Profile},
    exit::{Error, Exit},
    home::Home,
    ui::Ui,
};

const KEYS: &str = "\
Keys (all are optional):
  compaction, memory                          true or false
  memory.embeddings                           local, off, or a table:
  memory.embeddings.base_url, .model, .key_env, .key, .dimensions   a server that speaks like OpenAI
  provider.api                                openai, anthropic or embedded
  provider.base_url, .model, .key_env         the server, the model, the variable with the key
  provider.key                                or the stored credential: secret:NAME
  provider.context_tokens, .max_output_tokens, .images, .temperature
  provider.pricing.input, .output, .cached_input   USD per million tokens
  [[fallbacks]]                               tables like provider, asked when it fails
  policy.preset                               permissive, balanced, strict or hardened
  policy.read, .remember, .write, .network, .execute, .tools.NAME   allow, ask or deny
  policy.tool_timeout_ms, .tool_output_bytes, .parallel_tools, .approval_timeout_ms
  budgets.steps, .tokens, .cost_usd, .deadline
  retry.attempts, .base_ms, .max_ms
  store.url                                   postgres://USER@HOST/DATABASE, instead of a file
  store.password, .password_env               its password: secret:NAME, or a variable (PGPASSWORD)";

/// Show and change the profile, `config.toml` in Tau's folder.
#[derive(Debug, clap::Args)]
#[command(after_help = KEYS)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print where the profile is.
    Path,
    /// Print every value in force, set or not.
    Show {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print one value in force.
    Get {
        /// Such as policy.preset.
        key: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set one value; comments and order stay. Without a value the key is taken out.
    Set {
        /// Such as policy.execute.
        key: String,
        /// As in TOML; what is not TOML is text.
        value: Option<String>,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let file = home.config_file();
    match args.command {
        Command::Path => ui.line(file.display()),
        Command::Show { json: true } => ui.json(&config::load(&file)?),
        Command::Show { json: false } => {
            let exists = if file.exists() {
                ""
            } else {
                " (not there: these are the defaults)"
            };
            ui.note(format!("{}{exists}", file.display()));
            ui.out(&text(&config::load(&file)?)?);
        }
        Command::Get { key, json } => {
            let value = get(&config::load(&file)?, &key)?;
            match value {
                value if json => ui.json(&value),
                toml::Value::String(text) => ui.line(text),
                toml::Value::Table(table) => ui.out(&text(&table)?),
                value => ui.line(value),
            }
        }
        Command::Set { key, value } => {
            config::set(home, &[(&key, value.as_deref())])?;
            ui.note(format!("{} is changed", file.display()));
        }
    }
    Ok(Exit::Ok)
}

fn text(value: &impl serde::Serialize) -> Result<String, Error> {
    toml::to_string(value).map_err(|error| Error::internal(error.to_string()))
}

fn get(profile: &Profile, key: &str) -> Result<toml::Value, Error> {
    let all = toml::Value::try_from(profile).map_err(|error| Error::internal(error.to_string()))?;
    let found = key.split('.').try_fold(&all, |value, part| value.get(part));
    found.cloned().ok_or_else(|| {
        Error::usage(format!("{key} is not set")).hint("`tau config show` prints what is")
    })
}
