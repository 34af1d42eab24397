//! `tau secret`: credentials by handle.

use serde_json::json;
use tau_core::{credential::Scope, ids::UnixMillis};
use tau_platform::Clock;
use tau_target_native::TokioClock;

use crate::{
    credentials::{self, Keeper, Listed, Store},
    exit::{Error, Exit},
    home::Home,
    ui::{self, Ui},
};

const EXAMPLES: &str = "\
Examples:
  tau secret set github --host api.github.com          the value is asked for, unseen
  pass show anthropic | tau secret set anthropic --host api.anthropic.com --header x-api-key
  tau secret rekey --passphrase                         a new key, held by a new passphrase

A model writes the handle in a header of the `http` tool:
\"authorization\": \"Bearer {{secret:github}}\". In the profile: provider.key = \"secret:anthropic\".
The values are sealed in credentials.json in Tau's folder; their key is held by the system's
keyring or by a passphrase, which scripts give in TAU_PASSPHRASE_FILE or TAU_PASSPHRASE (and a
new one in TAU_NEW_PASSPHRASE_FILE or TAU_NEW_PASSPHRASE).";

/// Store credentials that models use by name, sealed, each for one host.
///
/// A value is never shown again, not even to you.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Set(Set),
    /// List names, hosts and when each was used; needs no key.
    List {
        /// Print one JSON object: `{"credentials": […], "key_held_by"}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object a credential.
        #[arg(long)]
        jsonl: bool,
    },
    /// Show what may be known of one: host, header, dates and a fingerprint, never the value.
    Show {
        /// The credential.
        name: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Remove credentials; needs no key.
    Rm {
        /// The credentials.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Print one JSON object: `{"removed": […]}`.
        #[arg(long)]
        json: bool,
    },
    /// Store a new value; host and header stay.
    Rotate {
        /// The credential.
        name: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[arg(hide = true, value_name = "VALUE")]
        value: Vec<String>,
    },
    /// Seal everything anew with a fresh key, held as before unless said otherwise.
    Rekey {
        #[command(flatten)]
        keeper: Keeper,
        /// Print one JSON object: `{"rekeyed", "key_held_by"}`.
        #[arg(long)]
        json: bool,
    },
}

/// Store a credential for one host; the value is typed unseen, or read from stdin.
#[derive(Debug, clap::Args)]
struct Set {
    /// What models and profiles call it.
    name: String,
    /// The only host it is sent to, over https: api.github.com, git.example.com:8443.
    #[arg(long)]
    host: String,
    /// The only header it is put into [default: any].
    #[arg(long, value_name = "NAME", value_parser = header)]
    header: Option<String>,
    #[command(flatten)]
    keeper: Keeper,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[arg(hide = true, value_name = "VALUE")]
    value: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let store = Store::of(home);
    match args.command {
        Command::Set(args) => set(args, &store, ui)?,
        Command::List { json, jsonl } => list(&store, json, jsonl, ui)?,
        Command::Show { name, json } => show(&store.find(&name)?, json, ui),
        Command::Rm { names, json } => {
            store.remove(&names)?;
            match json {
                true => ui.json(&json!({ "removed": names })),
                false => ui.note(format!("removed: {}", names.join(", "))),
            }
        }
        Command::Rotate { name, json, value } => {
            not_as_argument(&value)?;
            store.find(&name)?;
            let opened = store.open(None, ui)?;
            let value = opened.ask(&name, ui)?;
            opened.rotate(&name, &value, TokioClock.now())?;
            told(&store, &name, json, "has a new value", ui)?;
        }
        Command::Rekey { keeper, json } => {
            if store.kept_by()?.is_none() {
                return Err(Error::usage("there is no credential store yet")
                    .hint("`tau secret set` makes it"));
            }
            let rekeyed = store.open(None, ui)?.rekey(keeper.wanted(), ui)?;
            let kept_by = store.kept_by()?;
            match json {
                true => ui.json(&json!({ "rekeyed": rekeyed, "key_held_by": kept_by })),
                false => ui.note(format!(
                    "sealed anew: {rekeyed}; the key is held by the {}",
                    kept_by.unwrap_or_default()
                )),
            }
        }
    }
    Ok(Exit::Ok)
}

fn set(args: Set, store: &Store, ui: Ui) -> Result<(), Error> {
    not_as_argument(&args.value)?;
    credentials::check_name(&args.name)?;
    let scope = Scope::parse(&args.host).map_err(|refusal| Error {
        hint: refusal.hint,
        ..Error::usage(format!("--host {}: {}", args.host, refusal.reason))
    })?;
    let opened = store.open(args.keeper.wanted(), ui)?;
    let value = opened.ask(&args.name, ui)?;
    let header = args.header.as_deref();
    let replaced = opened.put(&args.name, &scope, header, &value, TokioClock.now())?;
    let what = match replaced {
        true => "takes the place of the one before",
        false => "is stored",
    };
    told(store, &args.name, args.json, what, ui)
}

fn list(store: &Store, json: bool, jsonl: bool, ui: Ui) -> Result<(), Error> {
    let all = store.list()?;
    if json {
        let kept_by = store.kept_by()?;
        ui.json(&json!({ "credentials": all, "key_held_by": kept_by }));
    } else if jsonl {
        all.iter().for_each(|one| ui.json(one));
    } else if all.is_empty() {
        ui.note("none is stored; `tau secret set NAME --host HOST` stores one");
    } else {
        let now = TokioClock.now();
        let width = all.iter().map(|one| one.name.len()).max().unwrap_or(0);
        for one in &all {
            let used = match one.used_ms {
                Some(used) => format!("used {}", ui::ago(UnixMillis(used), now)),
                None => "never used".into(),
            };
            let header = one.header.as_deref().unwrap_or("any header");
            let about = ui::dim(format!("{header} · {used}"));
            ui.line(format!("{:<width$}  {}  {about}", one.name, one.host));
        }
    }
    Ok(())
}

fn show(one: &Listed, json: bool, ui: Ui) {
    if json {
        return ui.json(one);
    }
    let date = |ms: u64| match i64::try_from(ms).map(jiff::Timestamp::from_millisecond) {
        Ok(Ok(at)) => format!("{at:.0}"),
        _ => "unknown".into(),
    };
    ui.line(ui::bold(&one.name));
    ui.line(format!("host         {}", one.host));
    ui.line(format!(
        "header       {}",
        one.header.as_deref().unwrap_or("any")
    ));
    ui.line(format!("created      {}", date(one.created_ms)));
    ui.line(format!(
        "last used    {}",
        one.used_ms.map_or("never".into(), date)
    ));
    ui.line(format!("fingerprint  {}", one.fingerprint));
}

fn told(store: &Store, name: &str, json: bool, what: &str, ui: Ui) -> Result<(), Error> {
    let one = store.find(name)?;
    match json {
        true => ui.json(&one),
        false => ui.note(format!(
            "{name} {what}, for {}: {{{{secret:{name}}}}}, or secret:{name} in the profile",
            one.host
        )),
    }
    Ok(())
}

/// Whoever gives the value as an argument is told why not, without it being repeated.
fn not_as_argument(value: &[String]) -> Result<(), Error> {
    if value.is_empty() {
        return Ok(());
    }
    Err(
        Error::usage("a value is not taken as an argument: it would stay in the shell's history")
            .hint("type it when it is asked for, or pipe it in; and change the one just typed"),
    )
}

/// A header's name (RFC 9110, section 5.6.2), in lower case.
fn header(text: &str) -> Result<String, String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    match !text.is_empty() && text.bytes().all(is_token) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("the name of a header, such as authorization or x-api-key".into()),
    }
}
