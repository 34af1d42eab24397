//! `cargo xtask worker dev`: the Worker on this machine, without wrangler and without an account.

pub(crate) mod capnp;
mod manifest;

use crate::{
    tools::{self, toolchain::Toolchain},
    wasm::{
        self, Part,
        module::{Module, Profile},
    },
    workspace,
};
use anyhow::{Context, Result, bail};
use capnp::{Config, Object};
use manifest::Manifest;
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

/// The Worker on this machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Build the Worker and serve it on 127.0.0.1 until Ctrl-C.
    Dev(Dev),
}

/// Serve the Worker.
#[derive(clap::Args)]
struct Dev {
    /// The port; 0 for any that is free.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Set a variable or a secret of the Worker; may be repeated. Before these come the
    /// environment's, then those of `.dev.vars`, then those of `wrangler.toml`.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    vars: Vec<(String, String)>,
    /// Build quickly instead of as it is deployed.
    #[arg(long)]
    dev: bool,
}

/// Where objects keep what they store, from the root.
const STATE: &str = "build/worker-state";

/// The secret that says who is let in.
const TOKENS: &str = "TAU_TOKENS";

/// Runs the chore.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.command {
        Task::Dev(dev) => serve(dev),
    }
}

fn serve(dev: &Dev) -> Result<()> {
    let root = workspace::root();
    let workerd = tools::workerd()?.context("no workerd here: cargo xtask setup")?;
    let manifest = Manifest::read(&root.join("wrangler.toml"))?;
    let (values, token) = values(dev, &manifest)?;

    let module = worker()?;
    let profile = match dev.dev {
        true => Profile::Dev,
        false => Profile::Shipped,
    };
    module.build(&Toolchain::need()?, profile)?;

    let state = root.join(STATE);
    fs::create_dir_all(state.join("objects"))?;
    let config = Config {
        modules: &root.join(module.output),
        compatibility_date: &manifest.compatibility_date,
        objects: &manifest.objects,
        variables: &values.keys().map(String::as_str).collect::<Vec<_>>(),
        networks: networks(&values),
    };
    let file = state.join("config.capnp");
    fs::write(&file, capnp::text(&config))?;
    let mut command = Command::new(workerd);
    command
        .args(["serve", "--verbose"])
        .arg(&file)
        .args(capnp::arguments(dev.port, &state.join("objects")))
        .envs(&values);
    let mut server = capnp::Server::start(&mut command)?;
    greet(server.port, &values, token.as_deref());
    until_interrupted(&mut server)
}

/// What the Worker may reach: workerd's rule is for all of it, so private networks are open only
/// where a setting names an address in one.
fn networks(values: &BTreeMap<String, String>) -> &'static [&'static str] {
    let set = ["TAU_BASE_URL", "TAU_HTTP_ALLOWED"].map(|name| values.get(name));
    let mut addresses = set.into_iter().flatten().flat_map(|value| value.split(','));
    match addresses.any(|address| is_private(address.trim())) {
        true => &["public", "local", "private"],
        false => &["public", "local"],
    }
}

/// Whether an address `scheme://host…` is in a private network, as far as it can be seen.
fn is_private(address: &str) -> bool {
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((ip, _)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let ip: Option<Ipv6Addr> = ip.parse().ok();
        return ip.is_some_and(|ip| ip.is_unique_local() || ip.is_unicast_link_local());
    }
    let host = authority.split(':').next().unwrap_or_default();
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return ip.is_private() || ip.is_link_local();
    }
    let host = host.to_ascii_lowercase();
    let is_local_name = !host.contains('.') && !host.is_empty() && host != "localhost";
    let is_under = |domain| host.ends_with(domain);
    is_local_name || [".local", ".internal", ".lan"].into_iter().any(is_under)
}

/// The module of the Worker.
pub(crate) fn worker() -> Result<&'static Module> {
    wasm::modules(Part::Worker)
        .next()
        .context("the Worker is not among the modules")
}

/// Variables and secrets, and the token that was made up where none was given.
fn values(dev: &Dev, manifest: &Manifest) -> Result<(BTreeMap<String, String>, Option<String>)> {
    let mut values = manifest.vars.clone();
    let file = workspace::root().join(".dev.vars");
    if file.is_file() {
        let text = fs::read_to_string(&file)?;
        values.extend(manifest::dotenv(&text).context(".dev.vars")?);
    }
    let environment = std::env::vars().filter(|(name, _)| is_of_the_worker(name));
    values.extend(environment);
    values.extend(dev.vars.iter().cloned());
    if values.get(TOKENS).is_some_and(|value| !value.is_empty()) {
        return Ok((values, None));
    }
    let token = made_up_token()?;
    values.insert(TOKENS.to_owned(), format!("dev={token}"));
    Ok((values, Some(token)))
}

/// Whether a variable of the environment is meant for the Worker; some of Tau's are the chores'.
fn is_of_the_worker(name: &str) -> bool {
    name.starts_with("TAU_") && !["TAU_TOOLS", "TAU_HOME"].contains(&name)
}

/// A token for one run.
fn made_up_token() -> Result<String> {
    let number = getrandom::u64().context("no randomness")?;
    let other = getrandom::u64().context("no randomness")?;
    Ok(format!("{number:016x}{other:016x}"))
}

fn greet(port: u16, values: &BTreeMap<String, String>, token: Option<&str>) {
    println!("serving on http://127.0.0.1:{port}, state in {STATE}; Ctrl-C ends it");
    println!("Workers AI is not here: models whose name begins with @cf/ do not answer");
    if values.get("TAU_MODEL").is_none_or(String::is_empty) {
        println!(
            "no model is set: --var TAU_MODEL=NAME --var TAU_BASE_URL=URL, or both in .dev.vars"
        );
    }
    let token = token.unwrap_or("$TOKEN");
    println!("\n  export TAU=http://127.0.0.1:{port} AUTH='authorization: Bearer {token}'");
    println!("  curl -sS -H \"$AUTH\" -d '{{}}' $TAU/v1/sessions");
}

/// Serves until somebody ends this program or the server ends itself.
fn until_interrupted(server: &mut capnp::Server) -> Result<()> {
    let (sender, interrupted) = mpsc::channel();
    ctrlc::set_handler(move || {
        // The receiver is gone only when this program is already ending.
        let _ = sender.send(());
    })?;
    while interrupted
        .recv_timeout(Duration::from_millis(100))
        .is_err()
    {
        if let Some(status) = server.ended()? {
            bail!("workerd ended with {status}");
        }
    }
    // A terminal interrupts both: the server may be on its way out already.
    thread::sleep(Duration::from_millis(50));
    println!("stopped");
    Ok(())
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_made_up_differ_and_are_long() {
        let (one, other) = (made_up_token().unwrap(), made_up_token().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }

    #[test]
    fn private_networks_are_open_only_where_a_setting_leads_there() {
        for (name, value, expected) in [
            ("TAU_BASE_URL", "http://127.0.0.1:11434/v1", false),
            ("TAU_BASE_URL", "http://localhost:11434/v1", false),
            ("TAU_BASE_URL", "https://api.example.com/v1", false),
            ("TAU_BASE_URL", "", false),
            ("TAU_MODEL", "http://10.0.0.1", false),
            ("TAU_BASE_URL", "http://192.168.1.9:11434/v1", true),
            ("TAU_BASE_URL", "http://ollama:11434/v1", true),
            (
                "TAU_HTTP_ALLOWED",
                "https://a.example, http://nas.local",
                true,
            ),
            ("TAU_HTTP_ALLOWED", "http://[fd00::1]:80", true),
        ] {
            let values = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let is_open = networks(&values).contains(&"private");
            assert_eq!(is_open, expected, "{name}={value}");
        }
    }

    #[test]
    fn the_chores_own_variables_are_not_the_workers() {
        assert!(is_of_the_worker("TAU_MODEL"));
        assert!(!is_of_the_worker("TAU_TOOLS"));
        assert!(!is_of_the_worker("HOME"));
    }
}
