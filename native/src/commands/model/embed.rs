//! `tau model embed`: what memory's vectors are made with.

use tau_core::wire::embeddings::{EmbeddingEndpoint, EmbeddingsError};
use tau_platform::{Body, Http};

use crate::{
    config::{self, EmbeddingProvider},
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    host,
    ui::Ui,
};

/// Choose what memory's vectors are made with: `local`, `off`, or a model of a server.
///
/// The server is asked for one vector, so that the profile knows how long they are. With another
/// model, what is remembered is embedded anew, once.
///
/// For example: `tau model embed local`, `tau model embed nomic-embed-text`,
/// `tau model embed text-embedding-3-small --base-url https://api.openai.com/v1`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `local` (in this program), `off` (search by words alone), or the model's name; one that a
    /// server on this machine offers needs nothing else.
    name: String,
    /// The server, up to and including the version.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The environment variable with the key.
    #[arg(long, value_name = "VAR", conflicts_with = "key")]
    key_env: Option<String>,
    /// The stored credential with the key.
    #[arg(long, value_name = "secret:NAME")]
    key: Option<String>,
    /// Numbers of a vector, of a model that can make shorter ones.
    #[arg(long, value_name = "N")]
    dimensions: Option<u32>,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<(), Error> {
    if args.base_url.is_none() && matches!(args.name.as_str(), "local" | "off") {
        config::set(home, &[("memory.embeddings", Some(args.name.as_str()))])?;
        ui.note(match args.name.as_str() {
            "off" => "memory is searched by words alone from now on",
            _ => "memory's vectors are made in this program from now on",
        });
        return Ok(());
    }
    let vault = Vault::open(home, ui)?;
    let http = host::http(&vault);
    let base_url = match args.base_url {
        Some(url) => url,
        None => {
            let servers = config::local_servers(&http).await;
            let mut servers = servers.into_iter();
            let offering = servers.find(|server| server.model(Some(&args.name)).is_some());
            offering
                .ok_or_else(|| {
                    Error::usage(format!(
                        "no server on this machine has a model {:?}",
                        args.name
                    ))
                    .hint("name the server with --base-url")
                })?
                .base_url
        }
    };
    let provider = EmbeddingProvider {
        base_url,
        model: args.name,
        key_env: args.key_env,
        key: args.key,
        // Until the server was asked.
        dimensions: args.dimensions.or(Some(1)),
    };
    provider.check()?;
    let env = |name: &str| std::env::var(name).ok();
    let endpoint = EmbeddingEndpoint {
        is_shortened: args.dimensions.is_some(),
        ..provider.endpoint(&env)?
    };
    vault.watch(endpoint.secret.as_deref().into_iter());
    let found = length(&http, &endpoint).await?;
    if args.dimensions.is_some_and(|wanted| wanted != found) {
        return Err(Error::new(
            Exit::Provider,
            format!(
                "{} made a vector of {found} numbers all the same",
                endpoint.model
            ),
        )
        .hint("leave --dimensions out"));
    }
    let dimensions = found.to_string();
    config::set(
        home,
        &[
            ("memory.embeddings", None),
            (
                "memory.embeddings.base_url",
                Some(endpoint.base_url.as_str()),
            ),
            ("memory.embeddings.model", Some(endpoint.model.as_str())),
            ("memory.embeddings.dimensions", Some(dimensions.as_str())),
            ("memory.embeddings.key_env", provider.key_env.as_deref()),
            ("memory.embeddings.key", provider.key.as_deref()),
        ],
    )?;
    ui.note(format!(
        "{} at {} makes memory's vectors from now on, of {found} numbers; what is remembered is sent there",
        endpoint.model, endpoint.base_url
    ));
    Ok(())
}

/// Numbers of a vector the endpoint makes. Whatever it says of its length is believed.
async fn length(http: &impl Http, endpoint: &EmbeddingEndpoint) -> Result<u32, Error> {
    let failed = |detail: String| {
        Error::new(
            Exit::Provider,
            format!(
                "{} at {} makes no vectors",
                endpoint.model, endpoint.base_url
            ),
        )
        .cause(detail)
    };
    let texts = ["How long is a vector?".to_owned()];
    let sent = http.send(endpoint.encode(&texts)).await;
    let (head, mut body) = sent.map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    while let Some(piece) = body
        .chunk()
        .await
        .map_err(|error| failed(error.to_string()))?
    {
        bytes.extend(piece);
        if bytes.len() > tau_core::wire::embeddings::BODY_BYTES {
            return Err(failed("its answer does not end".into()));
        }
    }
    if !(200..300).contains(&head.status) {
        return Err(failed(endpoint.failure(&head, &bytes).to_string()));
    }
    match endpoint.decode(1, &bytes) {
        Ok(_) => Ok(endpoint.dimensions),
        Err(EmbeddingsError::Dimensions { found, .. }) if found > 0 => {
            u32::try_from(found).map_err(|error| failed(error.to_string()))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}
