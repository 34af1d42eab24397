//! `tau session`: what is stored, and where each conversation stands.

mod export;
pub(crate) mod graph;
pub(crate) mod import;
pub(crate) mod moves;
mod remove;
mod repair;
mod show;

use std::path::PathBuf;
use tau_core::ids::SessionId;

use super::block_on;
use crate::{
    exit::{Error, Exit},
    home::Home,
    sessions,
    store::Store,
    ui::Ui,
};

/// List, show and export sessions, move in them; repair the store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List sessions, the last written first.
    List {
        /// At most so many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Print one JSON object: `{"sessions": […]}`.
        #[arg(long, conflicts_with = "jsonl")]
        json: bool,
        /// Print one JSON object a session.
        #[arg(long)]
        jsonl: bool,
    },
    /// Show a conversation and its tool calls.
    Show {
        /// A session, or the beginning of its name [default: the last written].
        session: Option<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Go back behind the last turn; a prompt from there begins a branch.
    ///
    /// Nothing is deleted, and `redo` takes it back. What tools did outside is not undone.
    Undo {
        /// A session, or the beginning of its name [default: the last written].
        session: Option<String>,
        /// Go back behind so many turns.
        #[arg(long, value_name = "N", default_value_t = 1)]
        turns: u32,
        /// Print one JSON object: where the session stands now.
        #[arg(long)]
        json: bool,
    },
    /// Take the last undo back, until something was said.
    Redo {
        /// A session, or the beginning of its name [default: the last written].
        session: Option<String>,
        /// Print one JSON object: where the session stands now.
        #[arg(long)]
        json: bool,
    },
    /// Begin a branch and stand on it; without a name, list branches.
    #[command(after_help = BRANCH_EXAMPLES)]
    Branch {
        /// Its name.
        name: Option<String>,
        /// Begin at a branch, a bookmark or an entry [default: where the session stands].
        #[arg(long, value_name = "WHERE", conflicts_with = "delete")]
        at: Option<String>,
        /// Take the name away instead; what was said on it stays.
        #[arg(long, requires = "name")]
        delete: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Go on from a branch, a bookmark or an entry.
    Switch {
        /// A name, or the beginning of an entry's id as `tau session graph` shows it.
        to: String,
        #[command(flatten)]
        of: Of,
    },
    /// Bring what was said on another branch into this one.
    ///
    /// Its turns follow as they are, or as one entry that tells them in short. Nothing is merged
    /// twice, and one undo takes a merge back.
    Merge {
        /// The branch, by name or by its last entry.
        from: String,
        /// Bring it in short, as one entry.
        #[arg(long)]
        squash: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Give a place a name that stays there; without a name, list bookmarks.
    Bookmark {
        /// The name.
        name: Option<String>,
        /// A branch, a bookmark or an entry [default: where the session stands].
        #[arg(long, value_name = "WHERE", conflicts_with = "delete")]
        at: Option<String>,
        /// Take the name away instead.
        #[arg(long, requires = "name")]
        delete: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Give the session, a branch or a bookmark another name.
    Rename {
        /// The name it gets.
        name: String,
        /// The branch or bookmark [default: the session itself].
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        #[command(flatten)]
        of: Of,
    },
    /// Show all entries on all branches, and what points where.
    Graph {
        /// A session, or the beginning of its name [default: the last written].
        session: Option<String>,
        /// How.
        #[arg(long, value_enum, default_value_t)]
        format: graph::Format,
        /// The same as --format json.
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
    /// Print a session's records as they are stored, for `tau replay` and for keeping.
    ///
    /// One JSON object a line; of a fork, the sessions it continues come first. The first line
    /// holds the format, the last one the number of records and the transcript's hash.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export {
        /// A session, or the beginning of its name [default: the last written].
        #[arg(conflicts_with = "all")]
        session: Option<String>,
        /// All sessions and memories, to move them to another store. Approvals stay behind.
        #[arg(long)]
        all: bool,
        /// With the agent's signatures: one receipt for each call, approval and answer.
        #[arg(long, conflicts_with = "all")]
        receipts: bool,
        /// Write to a file instead of stdout.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take over sessions and memories from a file, all of it or nothing.
    ///
    /// Names stay as they are, and importing a file again changes nothing. What is imported counts
    /// as words of others; approvals and policies in it do not hold here.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(import::Args),
    /// Remove sessions for good, with all their branches.
    ///
    /// Asks first. What the agent remembered and what was allowed for good stays. A session that is
    /// in use, or that another one continues, stays as well. Large contents that no other session
    /// has go too.
    Rm(remove::Args),
    /// Save what can still be read of a damaged store.
    ///
    /// The damaged file is kept beside the new one. No other Tau may run meanwhile.
    Repair {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Which session, and how the answer is printed.
#[derive(Debug, clap::Args)]
struct Of {
    /// A session, or the beginning of its name [default: the last written].
    #[arg(short, long, value_name = "SESSION")]
    session: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

const BRANCH_EXAMPLES: &str = "\
Examples:
  tau session branch try-sql           begin a branch here, and stand on it
  tau session branch other --at 4f2a   begin it behind an earlier entry
  tau session switch main              back to the line that was left
  tau session merge try-sql --squash   bring in short what was said there";

const EXPORT_EXAMPLES: &str = "\
Examples:
  tau session export > talk.jsonl      the last written session
  tau session export --all -o all.jsonl
  tau session export --receipts -o signed.jsonl
  tau replay talk.jsonl                decide all of it again
  tau verify all.jsonl                 find what was changed";

const IMPORT_EXAMPLES: &str = "\
Examples:
  tau session import all.jsonl --own   what you exported yourself
  tau session import talk.jsonl --dry-run
  tau session import ~/.claude/projects/-home-me-work/4f2a….jsonl";

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    if let Command::Repair { json } = args.command {
        return repair::run(home, ui, json);
    }
    block_on(async {
        let storage = home.store()?;
        match args.command {
            Command::List { limit, json, jsonl } => {
                show::list(&storage, ui, limit, json, jsonl).await?;
            }
            Command::Show { session, json } => show::show(&storage, ui, session, json).await?,
            Command::Graph {
                session,
                format,
                json,
            } => {
                let format = if json { graph::Format::Json } else { format };
                graph::run(&storage, ui, session, format).await?;
            }
            Command::Export {
                session,
                all,
                receipts,
                output,
            } => {
                let which = match all {
                    true => export::Which::All,
                    false => export::Which::One(session, receipts),
                };
                export::run(&storage, ui, which, output).await?;
            }
            Command::Import(args) => import::run(&storage, home, ui, args).await?,
            Command::Rm(args) => remove::run(&storage, home, ui, args).await?,
            Command::Repair { .. } => {}
            command => moves::run(&storage, home, ui, command).await?,
        }
        Ok(Exit::Ok)
    })?
}

async fn named(storage: &Store, name: Option<String>) -> Result<SessionId, Error> {
    match name {
        Some(name) => sessions::find(storage, &name).await,
        None => sessions::latest(storage).await,
    }
}
