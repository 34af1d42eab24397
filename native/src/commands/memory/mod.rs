//! `tau memory`: what the agent keeps across sessions, by the same service as its own tools.

mod change;
mod eval;
mod import;
mod look;
mod show;

use std::{cell::RefCell, collections::BTreeSet, path::PathBuf};
use tau_core::{
    memory::{Access, Action, Answer, Failure, MemoryError, Request, Scope},
    session::StoreError,
};
use tau_platform::{Embedder, MemoryTools, memory::Progress};

use super::block_on;
use crate::{
    embedding::{Fetching, HomeEmbedder},
    exit::{Error, Exit},
    home::Home,
    memory::{self, NativeMemory},
    ui::{self, Ui},
};

/// Add, search, change and forget what the agent remembers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tau memory add \"The build needs Rust 1.95\" --kind fact --tag build
  tau memory search \"which compiler?\" --explain
  tau memory add - --scope workspace --namespace notes < notes.txt
  tau memory rm 3f2a && tau memory undelete 3f2a")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The folder whose entries are seen beside your own [default: this one].
    #[arg(long, global = true, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// One scope alone: user, workspace, or one by name such as agent:reviewer.
    #[arg(long, global = true, value_name = "SCOPE")]
    scope: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Keep a text; prints its name.
    ///
    /// A text that is kept already is not kept twice: it takes in the new tags and links.
    Add(change::Add),
    /// List all entries, the newest first.
    List(look::List),
    /// Search by words and meaning, the best first.
    Search(look::Search),
    /// Show one entry.
    Show(look::Show),
    /// Change an entry; what is not given stays.
    Update(change::Update),
    /// Forget entries. They can be had back, unless --purge is given.
    Rm(change::Rm),
    /// Have forgotten entries back.
    Undelete(change::Undelete),
    /// Show the namespaces and how much is in them.
    Tree(look::Tree),
    /// Score the search on a file of questions with known answers.
    Eval(eval::Eval),
    /// Bring in notes in Markdown, or entries that were listed as JSON lines.
    ///
    /// A note is cut at its headings into entries, filed by its folder, with the tags and the date of
    /// its head and links to the notes it names. What is there already changes nothing, and what you
    /// forgot stays forgotten. For example: tau memory import --from markdown ~/notes --dry-run
    Import(import::Import),
    /// Build the search index again from the entries.
    Reindex(change::Reindex),
}

/// What entries are narrowed to.
#[derive(Debug, clap::Args)]
struct NarrowFlags {
    /// In this namespace or below it.
    #[arg(long, value_name = "PATH")]
    namespace: Option<String>,
    /// Of this kind: note, fact, preference, event or one of your own.
    #[arg(long)]
    kind: Option<String>,
    /// With this tag; several must all be there.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// From this source: person, a session's name, or what it was imported from.
    #[arg(long)]
    source: Option<String>,
    /// At least so important, 0 to 10.
    #[arg(long, value_name = "N")]
    min_importance: Option<u8>,
}

impl NarrowFlags {
    fn narrow(self) -> tau_core::memory::request::Narrow {
        tau_core::memory::request::Narrow {
            namespace: self.namespace,
            kind: self.kind,
            tags: self.tags,
            source: self.source,
            min_importance: self.min_importance,
            ..Default::default()
        }
    }
}

/// What a command asks, and how it says what came of it.
struct Memory<'a> {
    service: NativeMemory,
    access: Access,
    home: &'a Home,
    ui: Ui,
    /// What was told: once is enough.
    told: RefCell<BTreeSet<String>>,
}

/// Entries without a vector that a search gives one to before it looks.
const BEFORE_A_SEARCH: usize = 128;

impl Memory<'_> {
    /// Makes ready to search by meaning: what was kept without vectors gets some now.
    async fn prepare(&self) -> Result<(), Error> {
        let embedder = self.service.embedder();
        if embedder.model().is_none() || self.is_empty().await? {
            return Ok(());
        }
        embedder.prepare().await;
        match memory::catch_up(&self.service, &self.access, BEFORE_A_SEARCH, |_| {}).await {
            Ok(Progress { left: 0, .. }) => {}
            Ok(Progress { left, .. }) => self.ui.note(format!(
                "at least {left} entries have no vector yet and are found by words alone: `tau memory reindex --vectors` gives them one"
            )),
            Err(Failure::NoVectors { error }) => {
                self.tell(format!("memory goes by words alone: {error}"));
            }
            Err(failure) => return Err(failed(failure)),
        }
        Ok(())
    }

    fn tell(&self, notice: String) {
        if !self.told.borrow().contains(&notice) {
            self.ui.warn(ui::plain(&notice));
            self.told.borrow_mut().insert(notice);
        }
    }

    /// Whether there is nothing to be found.
    async fn is_empty(&self) -> Result<bool, Error> {
        for scope in self.access.scopes() {
            if self.service.count(scope).await.map_err(failed)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks, and tells what is to be noticed.
    async fn ask(&self, action: Action) -> Result<Answer, Error> {
        let access = self.access.clone();
        let reply = self.service.serve(Request { access, action }).await;
        let reply = reply.map_err(failed)?;
        reply
            .notices
            .into_iter()
            .for_each(|notice| self.tell(notice));
        Ok(reply.answer)
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        let folder = args.workspace.unwrap_or_else(|| PathBuf::from("."));
        // Looking by meaning is what the model is for; keeping a text does without.
        let fetching = match args.command {
            Command::Search(_) | Command::Reindex(_) | Command::Eval(_) => Fetching::WhenNeeded,
            _ => Fetching::Never,
        };
        let embedder = HomeEmbedder::of_command(home, ui, fetching)?;
        let memory = Memory {
            service: memory::service(&home.store()?, embedder),
            access: access(&folder, args.scope.as_deref())?,
            home,
            ui,
            told: RefCell::default(),
        };
        match args.command {
            Command::Add(args) => args.run(&memory).await?,
            Command::List(args) => args.run(&memory).await?,
            Command::Search(args) => args.run(&memory).await?,
            Command::Show(args) => args.run(&memory).await?,
            Command::Update(args) => args.run(&memory).await?,
            Command::Rm(args) => args.run(&memory).await?,
            Command::Undelete(args) => args.run(&memory).await?,
            Command::Tree(args) => args.run(&memory).await?,
            Command::Eval(args) => args.run(&memory).await?,
            Command::Import(args) => args.run(&memory).await?,
            Command::Reindex(args) => args.run(&memory).await?,
        }
        Ok(Exit::Ok)
    })?
}

/// What is seen: a person may name any scope, an agent only those of its session.
fn access(folder: &std::path::Path, scope: Option<&str>) -> Result<Access, Error> {
    if !folder.is_dir() {
        return Err(Error::usage(format!("{} is no folder", folder.display())));
    }
    let all = memory::access(folder, 0);
    let Some(name) = scope else { return Ok(all) };
    if let Some(scope) = all.named(name) {
        return Ok(Access::to(scope.clone()));
    }
    let scope: Scope = name.parse().map_err(|error| {
        Error::usage(format!("{error}")).hint("--scope user, --scope workspace, --scope agent:NAME")
    })?;
    Ok(Access::to(scope))
}

/// What a failure is to whoever asked on the command line.
fn failed(failure: Failure) -> Error {
    let said = failure.to_string();
    match failure {
        Failure::Store {
            error: StoreError::Conflict { .. },
        } => Error::new(Exit::Held, said).hint("try again"),
        Failure::Store { error } => error.into(),
        Failure::Damaged { .. } => Error::new(Exit::Store, said).hint(
            "`tau memory reindex` builds the index again; `tau session repair` mends the store",
        ),
        Failure::Refused {
            error: MemoryError::Withheld { .. },
        } => Error::new(Exit::Denied, said),
        Failure::Missing { id } => Error::usage(format!("nothing is remembered as {id:?}"))
            .hint("`tau memory list` names what is; --scope names another scope"),
        _ => Error::usage(said),
    }
}
