//! Searching, listing, showing.

use serde_json::json;
use tau_core::memory::{
    Action, Answer, Search as Asked,
    request::{FOUND, Method},
};

use super::{Memory, NarrowFlags, show};
use crate::{exit::Error, ui};

/// How hits are ranked.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Ranking {
    /// By words: BM25.
    Keyword,
    /// By meaning: the cosine of vectors.
    Vector,
    /// By rank in both: the sum of 1/(60+rank).
    Rrf,
    /// By both scores, and what lies around.
    #[default]
    Fused,
}

#[derive(Debug, clap::Args)]
pub(super) struct Search {
    /// What to look for.
    query: String,
    #[command(flatten)]
    narrow: NarrowFlags,
    /// How hits are ranked.
    #[arg(long, value_enum, default_value_t)]
    method: Ranking,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = FOUND)]
    limit: u32,
    /// Show ranks and scores, and how they make the order.
    #[arg(long)]
    explain: bool,
    /// Print one JSON object: `{"memories": […]}`.
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// Print one JSON object an entry.
    #[arg(long)]
    jsonl: bool,
}

impl Search {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let method = match self.method {
            Ranking::Keyword => Method::Keyword,
            Ranking::Vector => Method::Vector,
            Ranking::Rrf => Method::Rrf,
            Ranking::Fused => Method::Fused,
        };
        let search = Asked {
            query: self.query,
            narrow: self.narrow.narrow(),
            method,
            limit: Some(self.limit),
            ..Asked::default()
        };
        let Answer::Found { found } = memory.ask(Action::Search(search)).await? else {
            return Ok(());
        };
        let ui = memory.ui;
        let all = found.iter().map(show::found);
        if self.json {
            ui.json(&json!({ "memories": all.collect::<Vec<_>>() }));
        } else if self.jsonl {
            all.for_each(|found| ui.json(&found));
        } else if found.is_empty() {
            ui.note("nothing is remembered about that");
        } else {
            for found in &found {
                ui.line(show::line(&found.entry));
                if self.explain {
                    show::explain(ui, found, method);
                }
            }
            if self.explain {
                show::legend(ui, method);
            }
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    narrow: NarrowFlags,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Those that were forgotten, and can be had back.
    #[arg(long)]
    forgotten: bool,
    /// Print one JSON object: `{"memories": […]}`.
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// Print one JSON object an entry.
    #[arg(long)]
    jsonl: bool,
}

impl List {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let action = Action::List {
            narrow: self.narrow.narrow(),
            limit: self.limit,
            forgotten: self.forgotten,
        };
        let Answer::Entries { entries } = memory.ask(action).await? else {
            return Ok(());
        };
        let ui = memory.ui;
        let all = entries.iter().map(show::entry);
        if self.json {
            ui.json(&json!({ "memories": all.collect::<Vec<_>>() }));
        } else if self.jsonl {
            all.for_each(|entry| ui.json(&entry));
        } else if entries.is_empty() {
            ui.note(match self.forgotten {
                true => "nothing was forgotten",
                false => "nothing is remembered yet",
            });
        } else {
            entries
                .iter()
                .for_each(|kept| ui.line(show::line(&kept.entry)));
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Its name, or the beginning of it.
    id: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let action = Action::Read {
            ids: vec![self.id],
            forgotten: false,
        };
        let Answer::Entries { entries } = memory.ask(action).await? else {
            return Ok(());
        };
        for kept in &entries {
            if self.json {
                memory.ui.json(&show::entry(kept));
            } else {
                show::facts(memory.ui, kept);
                memory.ui.line(ui::plain(&kept.entry.text));
            }
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Tree {
    /// Only this one and what is below it.
    #[arg(default_value = "", hide_default_value = true)]
    namespace: String,
    /// Print one JSON object: `{"tree": […]}`.
    #[arg(long)]
    json: bool,
}

impl Tree {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let namespace = self.namespace;
        let Answer::Tree { branches } = memory.ask(Action::Tree { namespace }).await? else {
            return Ok(());
        };
        if self.json {
            memory.ui.json(&json!({ "tree": branches }));
            return Ok(());
        }
        if branches.is_empty() {
            memory.ui.note("nothing is remembered yet");
        }
        for branch in &branches {
            let name = match branch.namespace.as_str() {
                "" => "(in no namespace)",
                name => name,
            };
            memory.ui.line(format!(
                "{:>6}  {} {}",
                branch.entries,
                ui::dim(&branch.scope),
                name
            ));
        }
        Ok(())
    }
}
