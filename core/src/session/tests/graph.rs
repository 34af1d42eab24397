//! Undo, redo, switch: where the conversation stands, and what stays.

use alloc::{string::String, vec, vec::Vec};
use serde_json::json;

use super::harness::*;
use crate::{
    ids::{EntryId, UnixMillis},
    session::{Command, CommandError, Event, Session},
};

fn three_turns() -> Home {
    let mut home = Home::new([
        Reply::Text("1"),
        Reply::Text("2"),
        Reply::Text("3"),
        Reply::Text("4"),
    ]);
    home.prompt("one").prompt("two").prompt("three");
    home
}

pub(super) fn refused(home: &mut Home, command: Command) -> CommandError {
    let now = home.now;
    home.session.submit(command, now).unwrap_err()
}

pub(super) fn entry(home: &Home, place: usize) -> EntryId {
    home.session.entries().get(place).unwrap().id.clone()
}

pub(super) fn last_request(home: &Home) -> Vec<String> {
    let request = home.requests.last().unwrap();
    let texts = request.messages.iter().map(|m| m.joined_text());
    texts.collect()
}

#[test]
fn an_undo_goes_one_turn_back_and_a_prompt_from_there_begins_a_branch() {
    let mut home = three_turns();
    home.submit(Command::Undo).submit(Command::Undo);
    assert_eq!(home.transcript(), ["User one", "Assistant 1"]);

    home.prompt("instead");
    assert_eq!(last_request(&home), ["one", "1", "instead"]);
    assert_eq!(
        home.transcript(),
        ["User one", "Assistant 1", "User instead", "Assistant 4"]
    );
    let view = home.session.view();
    assert_eq!(view.entries.len(), 8, "nothing is deleted");
    assert_eq!(view.tips, [entry(&home, 5), entry(&home, 7)]);
    assert_eq!(view.entries[6].parent, Some(entry(&home, 1)));
    assert!(!view.entries[2].on_path && view.entries[7].on_path);
}

#[test]
fn a_redo_takes_undos_back_in_turn_until_something_is_said() {
    let mut home = three_turns();
    home.submit(Command::Undo).submit(Command::Undo);
    home.submit(Command::Redo);
    assert_eq!(home.transcript().last().unwrap(), "Assistant 2");
    home.submit(Command::Redo);
    assert_eq!(home.transcript().last().unwrap(), "Assistant 3");
    assert_eq!(
        refused(&mut home, Command::Redo),
        CommandError::NothingToRedo
    );

    home.submit(Command::Undo).prompt("other");
    assert_eq!(
        refused(&mut home, Command::Redo),
        CommandError::NothingToRedo
    );
}

#[test]
fn everything_can_be_undone_and_nothing_more() {
    let mut home = three_turns();
    for _ in 0..3 {
        home.submit(Command::Undo);
    }
    assert!(home.transcript().is_empty());
    assert_eq!(
        refused(&mut home, Command::Undo),
        CommandError::NothingToUndo
    );
    assert_eq!(home.events.last(), Some(&Event::Moved { head: None }));
    home.prompt("anew");
    assert_eq!(last_request(&home), ["anew"]);
}

#[test]
fn a_switch_goes_to_any_entry_where_a_conversation_can_rest() {
    let mut home = Home::new([
        Reply::Calls(vec![("read", json!({}))]),
        Reply::Text("read it"),
        Reply::Text("b"),
    ]);
    home.prompt("go").tool("read", "contents");
    let calls = entry(&home, 1);
    assert_eq!(
        refused(&mut home, Command::Switch { to: calls.clone() }),
        CommandError::MidTurn { entry: calls }
    );
    let nowhere = EntryId("0000000000000000".into());
    assert_eq!(
        refused(
            &mut home,
            Command::Switch {
                to: nowhere.clone()
            }
        ),
        CommandError::UnknownEntry { entry: nowhere }
    );
    let old_tip = entry(&home, 3);
    home.submit(Command::Undo).prompt("other");
    home.submit(Command::Switch {
        to: old_tip.clone(),
    });
    assert_eq!(home.session.view().head, Some(old_tip));
    assert_eq!(home.transcript().last().unwrap(), "Assistant read it");
}

#[test]
fn nobody_moves_while_a_turn_is_running() {
    let mut home = Home::new([Reply::Text("1"), Reply::Hangs("half")]);
    home.prompt("one").prompt("two");
    let to = entry(&home, 0);
    for command in [Command::Undo, Command::Redo, Command::Switch { to }] {
        assert_eq!(refused(&mut home, command), CommandError::Busy);
    }
}

#[test]
fn the_position_and_the_way_back_survive_a_restart() {
    let mut home = three_turns();
    home.submit(Command::Undo).submit(Command::Undo).restart();
    assert_eq!(home.transcript(), ["User one", "Assistant 1"]);
    home.submit(Command::Redo);
    assert_eq!(home.transcript().last().unwrap(), "Assistant 2");
}

#[test]
fn a_summary_holds_on_its_branch_only() {
    let mut home = Home::new([
        Reply::Text("1"),
        Reply::Text("2"),
        Reply::Text("short"),
        Reply::Text("3"),
        Reply::Text("4"),
    ]);
    home.prompt("one").prompt("two").submit(Command::Compact);
    home.prompt("three");
    assert_eq!(last_request(&home).len(), 2, "the summary and the prompt");
    home.submit(Command::Undo).submit(Command::Undo);
    home.prompt("four");
    assert_eq!(last_request(&home), ["one", "1", "two", "2", "four"]);
}

#[test]
fn a_branch_that_outgrows_the_model_is_summarised_by_what_it_follows() {
    let long = |letter: char| -> String { core::iter::repeat_n(letter, 1_200).collect() };
    let mut config = config();
    let model = alloc::sync::Arc::make_mut(&mut config.models[0]);
    (model.context_tokens, model.max_output_tokens) = (1_400, 100);
    let answers = ["1", "2", "3", "summary", "4"];
    let mut home = Home::with(config, answers.map(Reply::Text));
    home.prompt(&long('a')).prompt(&long('b'));
    // What is stored last, on the other branch, must not be what the summary stands for.
    home.submit(Command::Undo).prompt("c");
    let (first_branch, other_branch) = (entry(&home, 3), entry(&home, 5));
    home.submit(Command::Switch { to: first_branch });
    home.prompt(&long('d'));

    let entries: Vec<_> = home.session.entries().iter().cloned().collect();
    let summary = entries.iter().find(|entry| entry.covers.is_some());
    let covers = summary.expect("it was summarised").covers.unwrap();
    assert_eq!(entries[covers].id, entry(&home, 3));
    assert_ne!(entries[covers].id, other_branch);
    let restored = Session::restore(&[], &home.journal()).unwrap();
    assert_eq!(restored.state, home.session.state);
}

#[test]
fn a_fork_continues_from_where_its_origin_stands() {
    let mut home = three_turns();
    home.submit(Command::Undo);
    let fork = home.session.fork([9; 32], UnixMillis(5)).unwrap();
    assert_eq!(fork.view().head, Some(entry(&home, 3)));
}
