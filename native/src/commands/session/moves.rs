//! `tau session undo`, `redo`, `branch`, `switch`, `merge`, `bookmark`, `rename`: where a session
//! stands, and what places are called. No model is asked.

use serde_json::{Value, json};
use tau_core::session::{Command as Wish, Graph, MergeHow, Session};
use tau_platform::{Clock, NoSigner, open};
use tau_target_native::TokioClock;

use super::{Command, named};
use crate::{
    exit::{Error, Exit},
    home::Home,
    store::Store,
    ui::{self, Ui},
};

/// What an undo does not do.
pub(crate) const OUTSIDE: &str = "what tools did outside is not undone";

/// Runs the command.
pub(super) async fn run(
    storage: &Store,
    home: &Home,
    ui: Ui,
    command: Command,
) -> Result<(), Error> {
    let (session, json) = match &command {
        Command::Undo { session, json, .. } | Command::Redo { session, json } => {
            (session.clone(), *json)
        }
        Command::Branch { of, .. }
        | Command::Switch { of, .. }
        | Command::Merge { of, .. }
        | Command::Bookmark { of, .. }
        | Command::Rename { of, .. } => (of.session.clone(), of.json),
        _ => return Ok(()),
    };
    let id = named(storage, session).await?;
    match command {
        Command::Branch { name: None, .. } => {
            let graph = open::open(storage, &id).await?.graph();
            list_branches(ui, &graph, json);
            return Ok(());
        }
        Command::Bookmark { name: None, .. } => {
            let graph = open::open(storage, &id).await?.graph();
            list_bookmarks(ui, &graph, json);
            return Ok(());
        }
        _ => {}
    }
    let now = TokioClock.now();
    // Before it is read: what another process writes meanwhile would be missing.
    let _lock = storage.hold(home, &id, "tau session", now).await?;
    let mut session = open::open(storage, &id).await?;
    let undoes = matches!(command, Command::Undo { .. });
    let wishes = wishes(&session, command)?;
    // All or nothing: what was taken is stored once the last one was.
    for wish in wishes {
        session.submit(wish, now).map_err(open::ChangeError::from)?;
    }
    // Moving does nothing that would have to be signed.
    open::store(storage, None::<&NoSigner>, &mut session).await?;
    if json {
        ui.json(&standing(&session));
    } else {
        ui.line(sentence(&session));
        if undoes {
            ui.note(OUTSIDE);
        }
    }
    Ok(())
}

/// What the session is asked for.
fn wishes(session: &Session, command: Command) -> Result<Vec<Wish>, Error> {
    let at = |word: Option<String>| word.map(|word| find(session, &word)).transpose();
    Ok(match command {
        Command::Undo { turns, .. } => vec![Wish::Undo; turns as usize],
        Command::Redo { .. } => vec![Wish::Redo],
        Command::Branch {
            name: Some(name),
            delete: true,
            ..
        }
        | Command::Bookmark {
            name: Some(name),
            delete: true,
            ..
        } => vec![Wish::Forget { name }],
        Command::Branch {
            name: Some(name),
            at: word,
            ..
        } => vec![Wish::Branch {
            name,
            at: at(word)?,
        }],
        Command::Bookmark {
            name: Some(name),
            at: word,
            ..
        } => vec![Wish::Bookmark {
            name,
            at: at(word)?,
        }],
        Command::Switch { to, .. } => vec![switch(session, to)?],
        Command::Merge { from, squash, .. } => vec![Wish::Merge {
            from: find(session, &from)?,
            how: how(squash),
        }],
        Command::Rename { name, from, .. } => vec![Wish::Rename { from, to: name }],
        _ => Vec::new(),
    })
}

/// The switch to what a word names.
pub(crate) fn switch(session: &Session, word: String) -> Result<Wish, Error> {
    let graph = session.graph();
    let branches = graph.branches.iter().filter_map(|b| b.name.as_deref());
    let bookmarks = graph.bookmarks.iter().map(|mark| mark.name.as_str());
    if branches.chain(bookmarks).any(|name| name == word) {
        return Ok(Wish::SwitchTo { name: word });
    }
    let to = find(session, &word)?;
    Ok(Wish::Switch { to })
}

/// How a merge is wished for.
pub(crate) fn how(squash: bool) -> MergeHow {
    if squash {
        MergeHow::Squash
    } else {
        MergeHow::Append
    }
}

/// The entry that a word names.
pub(crate) fn find(session: &Session, word: &str) -> Result<tau_core::ids::EntryId, Error> {
    session
        .resolve(word)
        .map_err(|why| Error::new(Exit::Usage, why).hint("`tau session graph` shows them"))
}

/// Where the session stands, for scripts.
fn standing(session: &Session) -> Value {
    let view = session.view();
    let graph = session.graph();
    json!({
        "session": view.session,
        "title": view.title,
        "head": view.head,
        "branch": graph.branch,
        "messages": view.entries.iter().filter(|entry| entry.on_path).count(),
        "can_undo": view.can_undo,
        "can_redo": view.can_redo,
        "branches": graph.branches,
        "bookmarks": graph.bookmarks,
    })
}

/// Where the session stands, in a sentence.
pub(crate) fn sentence(session: &Session) -> String {
    let graph = session.graph();
    let mut on_path = graph.entries.iter().filter(|entry| entry.on_path);
    let Some(last) = on_path.next_back() else {
        return format!("{} stands at its beginning", graph.session);
    };
    let branch = graph.branch.as_ref();
    let branch = branch.map_or(String::new(), |name| {
        format!(" on branch {}", ui::plain(name))
    });
    format!(
        "{} stands{branch} behind {} of turn {}: {}",
        graph.session,
        last.id,
        last.turn.0,
        ui::one_line(&last.line, 60)
    )
}

/// Lists branches.
pub(crate) fn list_branches(ui: Ui, graph: &Graph, json: bool) {
    if json {
        ui.json(&json!({ "session": graph.session, "branches": graph.branches }));
        return;
    }
    for branch in &graph.branches {
        let here = if branch.current { "●" } else { " " };
        let name = branch.name.as_deref().unwrap_or("(no name)");
        let tip = branch.tip.as_ref();
        let tip: String = tip.map_or("start".into(), |tip| tip.0.chars().take(8).collect());
        let line = ui::one_line(&branch.line, 60);
        ui.line(format!("{here} {:<16} {tip:<8} {line}", ui::plain(name)));
    }
    if graph.branches.is_empty() {
        ui.note("nothing was said yet");
    }
}

fn list_bookmarks(ui: Ui, graph: &Graph, json: bool) {
    if json {
        ui.json(&json!({ "session": graph.session, "bookmarks": graph.bookmarks }));
        return;
    }
    for mark in &graph.bookmarks {
        let entry = mark.entry.as_ref().map_or("", |entry| entry.0.as_str());
        ui.line(format!("{:<16} {entry}", ui::plain(&mark.name)));
    }
    if graph.bookmarks.is_empty() {
        ui.note("there is no bookmark yet");
    }
}
