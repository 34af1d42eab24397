//! `tau model`: which models there are, and which one is taken.

mod embed;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use tau_core::model::Api;
use tau_platform::Embedder;
use tau_target_rten::{Cancel, fetch::Which};

use super::block_on;
use crate::{
    cli::ModelFlags,
    config::{self, KNOWN, Server},
    credentials::Vault,
    embedded,
    embedding::{self, Fetching, HomeEmbedder},
    exit::{Error, Exit},
    home::Home,
    host,
    ui::{self, Ui},
};

/// List models, fetch the embedded one, choose one for good.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what is configured, what servers on this machine offer, and the embedded model.
    List {
        /// Print one JSON object: `{configured, known, servers, embedded, embeddings}`.
        #[arg(long)]
        json: bool,
    },
    /// Fetch the embedded model and check it: about 190 MB, once.
    Pull {
        /// Only what memory's vectors are made with: 91 MB.
        #[arg(long)]
        embedder: bool,
    },
    Use(Use),
    Embed(embed::Args),
}

/// Write a model into the profile.
///
/// For example: tau model use embedded · tau model use claude-sonnet-4-5 --api anthropic ·
/// tau model use llama3.2 --base-url http://localhost:11434/v1
#[derive(Debug, clap::Args)]
struct Use {
    /// The model's name; one that a server on this machine offers needs nothing else.
    name: String,
    /// The server, up to and including the version.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// What it speaks: openai or anthropic.
    #[arg(long, value_name = "API", value_parser = config::parse_api)]
    api: Option<Api>,
    /// The environment variable with the key.
    #[arg(long, value_name = "VAR")]
    key_env: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        match args.command {
            Command::List { json } => list(home, ui, json).await?,
            Command::Pull { embedder } => pull(home, ui, embedder).await?,
            Command::Use(chosen) => choose(chosen, home, ui).await?,
            Command::Embed(args) => embed::run(args, home, ui).await?,
        }
        Ok(Exit::Ok)
    })?
}

async fn pull(home: &Home, ui: Ui, only_embedder: bool) -> Result<(), Error> {
    let (which, name) = match only_embedder {
        true => (Which::Embedder, "embedding model"),
        false => (Which::All, "embedded model"),
    };
    embedding::forget_failure(home);
    embedded::pull_of(home, ui, which, &Cancel::new(), &|_| {}).await?;
    ui.note(format!("the {name} is in {}", home.models().display()));
    Ok(())
}

async fn list(home: &Home, ui: Ui, json: bool) -> Result<(), Error> {
    let profile = config::load(&home.config_file())?;
    let servers = config::local_servers(&host::http(&Vault::closed())).await;
    let parts = embedded::parts(&home.models());
    let fetched = parts.iter().all(|part| part.problem.is_none());
    let env = |name: &str| std::env::var(name).ok();
    // A key that is missing is no reason not to list.
    let configured = config::choose(&ModelFlags::default(), &profile, &env);
    let embedder = HomeEmbedder::new(&profile, home, &Vault::open(home, ui)?, Fetching::Never, ui);
    let (space, place) = (embedder.model(), embedder.place());
    if json {
        let servers: Vec<Value> = servers.iter().map(server_json).collect();
        let known = KNOWN.iter().map(|known| {
            json!({ "provider": known.name, "model": known.model, "key_env": known.key_env,
                "key_set": env(known.key_env).is_some_and(|key| !key.trim().is_empty()) })
        });
        let (configured, problem) = match configured {
            Ok(choice) => (choice, None),
            Err(error) => (None, Some(error.message)),
        };
        let configured =
            configured.map(|choice| json!({ "why": choice.why, "models": choice.models }));
        ui.json(&json!({
            "configured": configured, "problem": problem, "servers": servers,
            "known": known.collect::<Vec<_>>(),
            "embedded": { "fetched": fetched, "folder": home.models() },
            "embeddings": space.map(|space| json!({ "model": space.name,
                "dimensions": space.dimensions, "place": place, "state": embedder.state(home) })),
        }));
        return Ok(());
    }
    match configured {
        Ok(Some(choice)) => {
            for model in &choice.models {
                let place = if model.base_url.is_empty() {
                    "in this program"
                } else {
                    &model.base_url
                };
                ui.line(format!(
                    "{}  {place}  {}",
                    ui::bold(&model.name),
                    ui::dim(&choice.why)
                ));
            }
        }
        Ok(None) => ui.note("no provider is set and no key is in the environment"),
        Err(error) => ui.warn(error.message),
    }
    for server in &servers {
        for model in &server.models {
            let place = ui::dim(format_args!(
                "on this machine, where {} listens",
                server.name
            ));
            ui.line(format!(
                "{}  {}  {place}",
                ui::bold(&model.name),
                server.base_url
            ));
        }
    }
    let state = if fetched {
        "fetched"
    } else {
        "not fetched: tau model pull"
    };
    ui.line(format!(
        "{}  in this program  {}",
        ui::bold("embedded"),
        ui::dim(state)
    ));
    if let (Some(space), Some(place)) = (space, place) {
        let state = match embedder.state(home) {
            Some(state) => format!("memory's vectors; {state}"),
            None => "memory's vectors".into(),
        };
        let name = ui::bold(ui::plain(&space.name));
        ui.line(format!("{name}  {}  {}", ui::plain(&place), ui::dim(state)));
    }
    Ok(())
}

fn server_json(server: &Server) -> Value {
    let models: Vec<&str> = server
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect();
    json!({ "name": server.name, "base_url": server.base_url, "models": models })
}

async fn choose(chosen: Use, home: &Home, ui: Ui) -> Result<(), Error> {
    let Use {
        name,
        base_url,
        api,
        key_env,
    } = chosen;
    let mut base_url = base_url;
    let mut api = api;
    if name == "embedded" {
        api = Some(Api::Embedded);
    } else if base_url.is_none() && api.is_none() {
        let servers = config::local_servers(&host::http(&Vault::closed())).await;
        if let Some(server) = servers
            .iter()
            .find(|server| server.model(Some(&name)).is_some())
        {
            base_url = Some(server.base_url.clone());
            api = Some(Api::OpenAi);
        } else if let Some(known) = KNOWN.iter().find(|known| known.model == name) {
            base_url = Some(known.base_url.into());
            api = Some(known.api);
        } else {
            let offered: BTreeSet<&str> = servers
                .iter()
                .flat_map(|server| &server.models)
                .map(|model| model.name.as_str())
                .chain(KNOWN.iter().map(|known| known.model))
                .collect();
            let offered: Vec<&str> = offered.into_iter().collect();
            return Err(
                Error::usage(format!("nobody is known to have model {name:?}")).hint(format!(
                    "add --base-url or --api; known are {}",
                    offered.join(", ")
                )),
            );
        }
    }
    let model = (api != Some(Api::Embedded)).then_some(name.as_str());
    config::set(
        home,
        &[
            ("provider.api", api.map(config::api_name)),
            ("provider.base_url", base_url.as_deref()),
            ("provider.model", model),
            ("provider.key_env", key_env.as_deref()),
            // Those of another model.
            ("provider.pricing", None),
            ("provider.context_tokens", None),
            ("provider.max_output_tokens", None),
            ("provider.images", None),
        ],
    )?;
    ui.note(format!(
        "{name} is the model from now on ({})",
        home.config_file().display()
    ));
    Ok(())
}
