//! `tau session graph`: all entries, and what points where.

use tau_core::{
    ids::EntryId,
    session::{Graph, GraphEntry},
};
use tau_platform::open;

use super::named;
use crate::{
    exit::Error,
    store::Store,
    ui::{self, Ui},
};

/// How a graph is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One line an entry, branches beside one another.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// A flowchart for Mermaid.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
}

/// Runs the command.
pub(super) async fn run(
    storage: &Store,
    ui: Ui,
    name: Option<String>,
    format: Format,
) -> Result<(), Error> {
    let id = named(storage, name).await?;
    let graph = open::open(storage, &id).await?.graph();
    match format {
        Format::Json => ui.json(&graph),
        Format::Mermaid => ui.out(&ui::plain(&graph.mermaid())),
        Format::Dot => ui.out(&ui::plain(&graph.dot())),
        Format::Text => lines(&graph).into_iter().for_each(|line| ui.line(line)),
    }
    Ok(())
}

/// The graph as lines: a branch is a column, its first entry stands behind what it follows.
pub(crate) fn lines(graph: &Graph) -> Vec<String> {
    let mut lines = Vec::with_capacity(graph.entries.len() + 1);
    if graph.entries.is_empty() {
        lines.push("nothing was said yet".into());
    }
    // The last entry of each column so far.
    let mut columns: Vec<usize> = Vec::new();
    for (place, entry) in graph.entries.iter().enumerate() {
        let parent = entry.parent.as_ref().and_then(|parent| {
            let entries = graph.entries.iter();
            entries.take(place).position(|entry| entry.id == *parent)
        });
        let follows = columns.iter().position(|last| Some(*last) == parent);
        let column = follows.unwrap_or_else(|| {
            columns.push(place);
            columns.len() - 1
        });
        columns[column] = place;
        let from = match (follows, &entry.parent) {
            (None, Some(parent)) => ui::dim(format_args!("  (after {})", short(parent))),
            _ => String::new(),
        };
        lines.push(format!(
            "{}{}{from}",
            "│ ".repeat(column),
            line(graph, entry)
        ));
    }
    let standing = match (&graph.head, &graph.branch) {
        (None, _) => "at the beginning".to_owned(),
        (Some(head), Some(branch)) => format!("at {head}, on branch {branch}"),
        (Some(head), None) => format!("at {head}"),
    };
    lines.push(format!("{} stands {standing}", graph.session));
    lines
}

/// As much of an id as tells entries apart.
fn short(id: &EntryId) -> String {
    id.0.chars().take(8).collect()
}

fn line(graph: &Graph, entry: &GraphEntry) -> String {
    let here = if graph.head.as_ref() == Some(&entry.id) {
        "●"
    } else if entry.on_path {
        "○"
    } else {
        "·"
    };
    let names = match entry.names.is_empty() {
        true => String::new(),
        false => format!(" [{}]", ui::plain(&entry.names.join(", "))),
    };
    let id = short(&entry.id);
    format!(
        "{here} {} {:<7} {}{}",
        ui::dim(id),
        entry.who,
        ui::one_line(&entry.line, 60),
        ui::bold(names)
    )
}
