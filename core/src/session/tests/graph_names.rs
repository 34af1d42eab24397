//! Branches, bookmarks and names: what they point at, and what moves them.

use alloc::{string::String, vec, vec::Vec};

use super::{graph::refused, harness::*};
use crate::session::{Command, CommandError, GraphBranch, Session};

fn branch(name: &str) -> Command {
    let (name, at) = (name.into(), None);
    Command::Branch { name, at }
}

fn switch_to(name: &str) -> Command {
    Command::SwitchTo { name: name.into() }
}

fn bookmark(name: &str) -> Command {
    let (name, at) = (name.into(), None);
    Command::Bookmark { name, at }
}

/// Name and last line of each branch; the one the session stands on has a star.
fn branches(home: &Home) -> Vec<String> {
    let told = |branch: GraphBranch| {
        let star = if branch.current { "*" } else { "" };
        let name = branch.name.unwrap_or_else(|| "-".into());
        alloc::format!("{star}{name} {}", branch.line)
    };
    home.session
        .graph()
        .branches
        .into_iter()
        .map(told)
        .collect()
}

fn texts(answers: &[&'static str]) -> Home {
    Home::new(answers.iter().map(|text| Reply::Text(text)))
}

#[test]
fn a_branch_moves_with_what_is_said_on_it_and_the_line_that_was_left_is_called_main() {
    let mut home = texts(&["1", "2", "3", "4"]);
    home.prompt("one").submit(branch("try")).prompt("two");
    assert_eq!(branches(&home), ["main 1", "*try 2"]);
    home.submit(switch_to("main")).prompt("three");
    assert_eq!(branches(&home), ["*main 3", "try 2"]);
    assert_eq!(
        home.transcript(),
        ["User one", "Assistant 1", "User three", "Assistant 3"]
    );
    home.submit(switch_to("try"));
    assert_eq!(home.transcript().last().unwrap(), "Assistant 2");
}

#[test]
fn a_prompt_after_an_undo_leaves_the_branch_where_it_was() {
    let mut home = texts(&["1", "2", "3"]);
    home.prompt("one").submit(branch("try")).prompt("two");
    home.submit(Command::Undo).prompt("instead");
    assert_eq!(branches(&home), ["main 1", "try 2", "*- 3"]);
}

#[test]
fn an_undo_and_its_redo_stay_on_the_branch() {
    let mut home = texts(&["1", "2", "3"]);
    home.prompt("one").submit(branch("try")).prompt("two");
    home.submit(Command::Undo)
        .submit(Command::Redo)
        .prompt("three");
    assert_eq!(branches(&home), ["main 1", "*try 3"]);
}

#[test]
fn a_bookmark_stays_where_it_was_put() {
    let mut home = texts(&["1", "2", "3"]);
    home.prompt("one").submit(bookmark("start")).prompt("two");
    home.submit(switch_to("start")).prompt("three");
    let graph = home.session.graph();
    assert_eq!(graph.bookmarks[0].entry, Some(graph.entries[1].id.clone()));
    assert_eq!(graph.entries[1].names, ["start"]);
    assert_eq!(graph.entries[4].parent, Some(graph.entries[1].id.clone()));
}

#[test]
fn names_can_be_changed_and_taken_away_and_what_was_said_stays() {
    let mut home = texts(&["1", "2"]);
    home.prompt("one").submit(branch("try")).prompt("two");
    home.submit(Command::Rename {
        from: Some("try".into()),
        to: "kept".into(),
    });
    assert_eq!(branches(&home), ["main 1", "*kept 2"]);
    home.submit(Command::Forget {
        name: "kept".into(),
    });
    assert_eq!(branches(&home), ["main 1", "*- 2"]);
    home.submit(Command::Rename {
        from: None,
        to: "A talk\nabout two".into(),
    });
    assert_eq!(home.session.summary().title, "A talk about two");
}

#[test]
fn what_is_no_name_or_is_given_already_is_refused() {
    let mut home = texts(&["1"]);
    assert_eq!(
        refused(&mut home, bookmark("nowhere")),
        CommandError::NothingToName
    );
    home.prompt("one").submit(branch("try"));
    for name in ["", "a b", "-x", "0123456789abcdef", "a\nb", "../\u{202e}"] {
        let error = refused(&mut home, branch(name));
        assert!(
            matches!(error, CommandError::BadName { .. }),
            "{name}: {error}"
        );
    }
    let long: String = core::iter::repeat_n('x', 65).collect();
    assert!(matches!(
        refused(&mut home, branch(&long)),
        CommandError::BadName { .. }
    ));
    for name in ["try", "main"] {
        let error = refused(&mut home, bookmark(name));
        assert_eq!(error, CommandError::NameTaken { name: name.into() });
    }
    for command in [
        switch_to("gone"),
        Command::Forget {
            name: "gone".into(),
        },
        Command::Rename {
            from: Some("gone".into()),
            to: "x".into(),
        },
    ] {
        let error = refused(&mut home, command);
        assert_eq!(
            error,
            CommandError::UnknownName {
                name: "gone".into()
            }
        );
    }
}

#[test]
fn nothing_is_named_or_merged_while_a_turn_is_running() {
    let mut home = Home::new([Reply::Text("1"), Reply::Hangs("half")]);
    home.prompt("one").submit(bookmark("start"));
    let from = home.session.resolve("start").unwrap();
    home.prompt("two");
    let how = crate::session::MergeHow::Append;
    for command in [
        branch("try"),
        bookmark("here"),
        switch_to("start"),
        Command::Forget {
            name: "start".into(),
        },
        Command::Rename {
            from: None,
            to: "x".into(),
        },
        Command::Merge { from, how },
    ] {
        assert_eq!(refused(&mut home, command), CommandError::Busy);
    }
}

#[test]
fn names_and_the_branch_stood_on_survive_a_restart() {
    let mut home = texts(&["1", "2", "3"]);
    home.prompt("one").submit(branch("try")).prompt("two");
    home.submit(bookmark("here")).submit(Command::Undo);
    let before = home.session.state.clone();
    home.restart();
    assert_eq!(home.session.state, before);
    home.submit(Command::Redo).prompt("three");
    assert_eq!(branches(&home), ["main 1", "*try 3"]);
}

#[test]
fn an_entry_is_found_by_name_and_by_the_beginning_of_its_id() {
    let mut home = texts(&["1"]);
    home.prompt("one").submit(bookmark("here"));
    let id = home.session.entries().get(1).unwrap().id.clone();
    assert_eq!(home.session.resolve("here"), Ok(id.clone()));
    assert_eq!(home.session.resolve(&id.0[..8]), Ok(id));
    assert!(home.session.resolve("zz").unwrap_err().contains("zz"));
    assert!(home.session.resolve("").is_err());
}

#[test]
fn diagrams_hold_every_entry_once_and_quote_what_would_break_them() {
    let mut home = texts(&["\"quoted\" [x] <b> `c` \\n", "2"]);
    home.prompt("one");
    home.submit(bookmark("here")).prompt("two");
    let graph = home.session.graph();
    let (mermaid, dot) = (graph.mermaid(), graph.dot());
    for entry in &graph.entries {
        let node = alloc::format!("e{}[", entry.id);
        assert_eq!(mermaid.matches(&node).count(), 1, "{mermaid}");
        let node = alloc::format!("\"{}\" [label=", entry.id);
        assert_eq!(dot.matches(&node).count(), 1, "{dot}");
    }
    assert_eq!(mermaid.matches("-->").count(), 3);
    assert!(
        mermaid.contains("#quot;quoted#quot;  x   b   c "),
        "{mermaid}"
    );
    assert!(dot.contains("\\\"quoted\\\""), "{dot}");
    assert!(
        dot.contains("here\", penwidth") || dot.contains("\\nhere\""),
        "{dot}"
    );
}

#[test]
fn a_fork_keeps_the_names() {
    let mut home = texts(&["1", "2"]);
    home.prompt("one").submit(branch("try")).prompt("two");
    let fork = home.session.fork([9; 32], home.now).unwrap();
    let names = |session: &Session| -> Vec<_> {
        let branches = session.graph().branches.into_iter();
        branches.map(|branch| branch.name).collect()
    };
    assert_eq!(names(&fork), names(&home.session));
    assert_eq!(names(&fork), vec![Some("main".into()), Some("try".into())]);
}
