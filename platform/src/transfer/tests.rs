use alloc::{format, string::ToString, vec};
use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tau_core::{
    ids::{CallId, EntryId},
    journal::sections::Reader,
    message::{Message, Part, Role, ToolCall},
};

use super::*;
use crate::{memory_store::MemoryStorage, signer::NoSigner};

/// Runs what never waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a store in memory does not wait"),
    }
}

fn wish(mode: Mode) -> Wish {
    Wish {
        mode,
        own: false,
        now: UnixMillis(2_000_000),
        seed: [3; 32],
    }
}

fn sections(text: &[u8]) -> Result<Vec<Section>, Diverged> {
    let mut reader = Reader::default();
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    for line in body.split(|byte| *byte == b'\n') {
        reader.line(line)?;
    }
    reader.finish()
}

fn imported(store: &MemoryStorage, text: &[u8], mode: Mode) -> Result<Report, TransferError> {
    now(import(store, sections(text)?, &wish(mode), false))
}

/// Has a session store a small conversation, said nowhere: `texts` in turn by person and agent.
fn said(session: &mut Session, store: &MemoryStorage, texts: &[&str]) {
    let mut parent = session.view().head;
    let number = session.entries().len();
    let entries = texts.iter().enumerate().map(|(place, text)| {
        let role = [Role::User, Role::Assistant][place % 2];
        let entry = EntryId(format!("{:016x}", number + place + 1));
        let before = parent.replace(entry.clone());
        journal::ImportedEntry {
            entry,
            parent: before,
            turn: tau_core::ids::TurnId(1),
            at: UnixMillis(1),
            message: Message::text(role, *text),
        }
    });
    let entries: Vec<_> = entries.collect();
    let head = entries.last().map(|entry| entry.entry.clone());
    let import = Import {
        from: "test".into(),
        own: true,
        entries,
        head,
    };
    session.import(import, UnixMillis(1)).unwrap();
    now(open::store(store, None::<&NoSigner>, session)).unwrap();
}

fn talk(id: &str, texts: &[&str]) -> (MemoryStorage, Session) {
    let store = MemoryStorage::new();
    let id = SessionId(id.into());
    let mut session = Session::taken_over(id, [1; 32], UnixMillis(1));
    said(&mut session, &store, texts);
    (store, session)
}

fn exported(store: &MemoryStorage, id: &SessionId) -> Vec<u8> {
    now(open::load(store, id)).unwrap().export()
}

fn outcomes(report: &Report) -> Vec<(Outcome, u64)> {
    let sessions = report.sessions.iter();
    sessions.map(|s| (s.outcome, s.added)).collect()
}

/// Ids, parents and messages.
fn graph(store: &MemoryStorage, id: &SessionId) -> Vec<String> {
    let session = now(open::open(store, id)).unwrap();
    let (entries, _) = merge::entries_of(&session);
    entries.iter().map(|entry| json::to_string(entry)).collect()
}

#[test]
fn an_export_taken_over_elsewhere_is_the_same_graph_and_again_changes_nothing() {
    let (store, session) = talk("aa", &["one", "1", "two", "2"]);
    let text = exported(&store, session.id());
    let other = MemoryStorage::new();
    let report = imported(&other, &text, Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::New, 4)]);
    assert_eq!(graph(&other, session.id()), graph(&store, session.id()));
    let rows = other.rows();
    for mode in [Mode::Merge, Mode::Replace] {
        let report = imported(&other, &text, mode).unwrap();
        assert_eq!(outcomes(&report), [(Outcome::Same, 0)]);
        assert_eq!(other.rows(), rows);
    }
    // What came out of there goes in here again.
    let back = exported(&other, session.id());
    let report = imported(&store, &back, Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::Same, 0)]);
}

#[test]
fn what_is_taken_over_is_words_of_others_unless_the_person_says_otherwise() {
    let (store, session) = talk("aa", &["one", "1"]);
    let text = exported(&store, session.id());
    for own in [true, false] {
        let other = MemoryStorage::new();
        let wish = Wish {
            own,
            ..wish(Mode::Merge)
        };
        now(import(&other, sections(&text).unwrap(), &wish, false)).unwrap();
        let taken = now(open::open(&other, session.id())).unwrap();
        for entry in taken.entries().iter() {
            assert_eq!(entry.labels.untrusted, !own);
        }
    }
}

#[test]
fn a_session_that_went_on_elsewhere_is_merged_entry_by_entry() {
    let (store, mut session) = talk("aa", &["one", "1"]);
    let other = MemoryStorage::new();
    imported(&other, &exported(&store, session.id()), Mode::Merge).unwrap();
    said(&mut session, &store, &["two", "2"]);
    let report = imported(&other, &exported(&store, session.id()), Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::Merged, 2)]);
    assert_eq!(graph(&other, session.id()), graph(&store, session.id()));
    let head = |store| now(open::open(store, session.id())).unwrap().view().head;
    assert_eq!(head(&other), head(&store), "it goes on there");
    let rows = other.rows();
    let report = imported(&other, &exported(&store, session.id()), Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::Same, 0)]);
    assert_eq!(other.rows(), rows);
}

#[test]
fn a_session_that_went_on_here_as_well_stands_where_it_stood() {
    let (store, mut session) = talk("aa", &["one", "1"]);
    let other = MemoryStorage::new();
    imported(&other, &exported(&store, session.id()), Mode::Merge).unwrap();
    said(&mut session, &store, &["two", "2"]);
    let mut there = now(open::open(&other, session.id())).unwrap();
    said(&mut there, &other, &["zwei", "zwo"]);
    let stood = there.view().head;
    imported(&other, &exported(&store, session.id()), Mode::Merge).unwrap();
    let merged = now(open::open(&other, session.id())).unwrap();
    assert_eq!(merged.view().head, stood);
    assert_eq!(merged.view().tips.len(), 2);
}

#[test]
fn a_session_goes_on_before_calls_that_nothing_answered_elsewhere() {
    let entry = |name: &str, parent: Option<&str>, message| journal::ImportedEntry {
        entry: EntryId(name.into()),
        parent: parent.map(|name| EntryId(name.into())),
        turn: tau_core::ids::TurnId(1),
        at: UnixMillis(1),
        message,
    };
    let text = |text| Message::text(Role::User, text);
    let mut call = Message::text(Role::Assistant, "I look.");
    call.parts.push(Part::ToolCall(ToolCall {
        id: CallId("c1".into()),
        name: "time".into(),
        arguments: Value::Null,
    }));
    let entries = [
        entry("a", None, text("one")),
        entry("b", Some("a"), text("two")),
        entry("c", Some("b"), call),
    ];
    let name = |name: &str| Some(EntryId(name.into()));
    assert_eq!(
        merge::followed(&entries, name("c"), name("a").as_ref()),
        name("b")
    );
    assert_eq!(
        merge::followed(&entries, name("c"), name("b").as_ref()),
        None
    );
    assert_eq!(
        merge::followed(&entries, name("b"), name("x").as_ref()),
        None
    );
    let circle = [
        entry("a", Some("b"), text("")),
        entry("b", Some("a"), text("")),
    ];
    assert_eq!(merge::followed(&circle, name("b"), None), None);
}

#[test]
fn an_entry_whose_name_is_taken_gets_another_and_is_told() {
    let (store, session) = talk("aa", &["one", "1"]);
    let (others, _) = talk("aa", &["uno", "un"]);
    let report = imported(&store, &exported(&others, session.id()), Mode::Merge).unwrap();
    let told = &report.sessions[0];
    assert_eq!((told.outcome, told.added), (Outcome::Merged, 2));
    assert_eq!(told.renumbered.len(), 2);
    let merged = now(open::open(&store, session.id())).unwrap();
    let texts: Vec<_> = merged
        .entries()
        .iter()
        .map(|e| e.message.joined_text())
        .collect();
    assert_eq!(texts, ["one", "1", "uno", "un"]);
    assert_eq!(merged.view().tips.len(), 2, "both are there, as branches");
    let rows = store.rows();
    let report = imported(&store, &exported(&others, session.id()), Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::Same, 0)]);
    assert_eq!(store.rows(), rows);
}

#[test]
fn a_replaced_session_is_the_files() {
    let (store, session) = talk("aa", &["one", "1", "two", "2"]);
    let (others, _) = talk("aa", &["uno", "un"]);
    let text = exported(&others, session.id());
    let report = imported(&store, &text, Mode::Replace).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::Replaced, 2)]);
    assert_eq!(graph(&store, session.id()), graph(&others, session.id()));
}

#[test]
fn a_fork_comes_with_what_it_continues_and_one_that_is_continued_is_not_replaced() {
    let (store, session) = talk("aa", &["one", "1"]);
    let mut fork = session.fork([7; 32], UnixMillis(5)).unwrap();
    said(&mut fork, &store, &["two", "2"]);
    let text = exported(&store, fork.id());
    let other = MemoryStorage::new();
    let report = imported(&other, &text, Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::New, 2), (Outcome::New, 4)]);
    assert_eq!(graph(&other, fork.id()), graph(&store, fork.id()));

    let (changed, _) = talk("aa", &["uno", "un"]);
    let replaced = imported(&other, &exported(&changed, session.id()), Mode::Replace);
    let error = replaced.unwrap_err().to_string();
    assert!(error.contains("continues it"), "{error}");

    // Where its origin is another, it comes along as its own.
    let report = imported(&changed, &text, Mode::Merge).unwrap();
    assert_eq!(report.sessions[1].outcome, Outcome::Flattened);
    assert_eq!(graph(&changed, fork.id()), graph(&store, fork.id()));
}

#[test]
fn a_whole_store_moves() {
    let (store, session) = talk("aa", &["one", "1"]);
    let mut fork = session.fork([7; 32], UnixMillis(5)).unwrap();
    said(&mut fork, &store, &["two", "2"]);
    let row = |key: &str, value: &str| (key.to_string(), value.as_bytes().to_vec());
    now(store.commit(Batch {
        put: vec![
            row("memory/default/m1", r#"{"v":1,"id":"m1","text":"a"}"#),
            row("grant/x", r#"{"rule":"everything"}"#),
        ],
        ..Batch::default()
    }))
    .unwrap();
    let mut text = Vec::new();
    let count = now(export_all(&store, |bytes| {
        text.extend_from_slice(bytes);
        Ok(())
    }));
    assert_eq!(count, Ok((2, 1)));
    let verified = journal::verify::verify(
        text.strip_suffix(b"\n")
            .unwrap()
            .split(|byte| *byte == b'\n'),
    );
    assert!(verified.ok, "{verified:?}");
    let other = MemoryStorage::new();
    let report = imported(&other, &text, Mode::Merge).unwrap();
    assert_eq!(outcomes(&report), [(Outcome::New, 2), (Outcome::New, 4)]);
    assert_eq!(report.rows_added, 1);
    let kept = now(other.get("memory/default/m1".into())).unwrap().unwrap();
    assert!(
        core::str::from_utf8(&kept)
            .unwrap()
            .contains("\"untrusted\":true")
    );
    assert_eq!(
        now(other.get("grant/x".into())),
        Ok(None),
        "a yes stays behind"
    );
    let report = imported(&other, &text, Mode::Merge).unwrap();
    assert_eq!((report.rows_same, report.rows_added), (1, 0));
}

#[test]
fn large_contents_travel_once_and_one_that_was_changed_is_told() {
    let long: String = core::iter::repeat_n("all is well at sea. ", 1_000).collect();
    let (store, session) = talk("aa", &["one", &long, "two", &long]);
    let is_content = |key: &&String| key.starts_with("blob/");
    let contents = |store: &MemoryStorage| {
        let rows = store.rows();
        rows.iter().map(|(key, _)| key).filter(is_content).count()
    };
    assert_eq!(contents(&store), 1);
    let text = exported(&store, session.id());
    let other = MemoryStorage::new();
    imported(&other, &text, Mode::Merge).unwrap();
    assert_eq!(graph(&other, session.id()), graph(&store, session.id()));
    assert_eq!(contents(&other), 1);
    let text = String::from_utf8(text).unwrap();
    let changed = text.replacen("at sea", "on land", 1);
    let error = imported(&MemoryStorage::new(), changed.as_bytes(), Mode::Merge).unwrap_err();
    assert!(error.to_string().starts_with("line 2: "), "{error}");
    let (_, rest) = text.split_once('\n').unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let without = format!("{{\"type\":\"export\",\"format\":2}}\n{rest}");
    let error = imported(&MemoryStorage::new(), without.as_bytes(), Mode::Merge).unwrap_err();
    assert!(error.to_string().contains("which is missing"), "{error}");
    // In the store itself, too.
    let key = other
        .rows()
        .iter()
        .map(|(key, _)| key.clone())
        .find(|key| key.starts_with("blob/"));
    let key = key.unwrap();
    now(other.commit(Batch {
        put: vec![(key.clone(), b"something else".to_vec())],
        ..Batch::default()
    }))
    .unwrap();
    let error = now(open::open(&other, session.id()))
        .unwrap_err()
        .to_string();
    assert!(error.contains(&key["blob/".len()..]), "{error}");
}

#[test]
fn a_rehearsal_stores_nothing_and_tells_the_same() {
    let (store, session) = talk("aa", &["one", "1"]);
    let text = exported(&store, session.id());
    let other = MemoryStorage::new();
    let plan = now(import(
        &other,
        sections(&text).unwrap(),
        &wish(Mode::Merge),
        true,
    ));
    assert!(other.rows().is_empty());
    assert_eq!(plan, imported(&other, &text, Mode::Merge));
}

#[test]
fn a_file_that_is_not_whole_is_told_at_its_line_and_nothing_is_stored() {
    let (store, session) = talk("aa", &["one", "1", "two", "2"]);
    let text = String::from_utf8(exported(&store, session.id())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n").into_bytes();
    let other = MemoryStorage::new();
    let line = |bytes: &[u8]| match imported(&other, bytes, Mode::Merge) {
        Err(TransferError::File(diverged)) => diverged.line,
        other => panic!("{other:?}"),
    };
    // Cut anywhere.
    for cut in 1..lines.len() {
        assert_eq!(line(&joined(&lines[..cut])), cut, "cut after {cut}");
    }
    // Taken out anywhere but at the end.
    for out in 1..lines.len() - 1 {
        let mut left = lines.clone();
        left.remove(out);
        assert!(
            imported(&other, &joined(&left), Mode::Merge).is_err(),
            "without {out}"
        );
    }
    let mut twice = lines.clone();
    twice.insert(2, lines[2]);
    assert_eq!(line(&joined(&twice)), 4);
    let newer = text.replacen("\"format\":2", "\"format\":4", 1);
    assert_eq!(line(newer.as_bytes()), 1);
    let newer = text.replacen("{\"v\":1,\"seq\":0", "{\"v\":9,\"seq\":0", 1);
    assert_eq!(line(newer.as_bytes()), 2);
    for (what, at) in [("no JSON", 1), ("{\"type\":\"prompt\"}", 1), ("", 1)] {
        assert_eq!(line(what.as_bytes()), at, "{what}");
    }
    assert!(other.rows().is_empty());
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let (store, session) = talk("aa", &["one", "1"]);
    let text = exported(&store, session.id());
    let other = MemoryStorage::new();
    let header = text.iter().position(|byte| *byte == b'\n').unwrap();
    for place in (header + 1..text.len()).step_by(7) {
        let mut changed = text.clone();
        changed[place] ^= 1;
        let taken = imported(&other, &changed, Mode::Merge);
        assert!(taken.is_err(), "byte {place}: {taken:?}");
    }
    assert!(other.rows().is_empty());
}

#[test]
fn rows_of_other_kinds_or_with_strange_keys_are_refused() {
    for key in [
        "grant/x",
        "session/aa/journal/0000000000",
        "memory/../grant/x",
        "memory//x",
        "memory/a b",
    ] {
        let rows = [Row {
            key: key.into(),
            value: "{}".into(),
        }];
        let other = MemoryStorage::new();
        let error = imported(&other, &rows_section(&rows), Mode::Merge).unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
        assert!(other.rows().is_empty());
    }
}

#[test]
fn format_1_without_a_header_is_read() {
    let (store, session) = talk("aa", &["one", "1"]);
    let text = String::from_utf8(exported(&store, session.id())).unwrap();
    let (_, old) = text.split_once('\n').unwrap();
    let other = MemoryStorage::new();
    imported(&other, old.as_bytes(), Mode::Merge).unwrap();
    assert_eq!(graph(&other, session.id()), graph(&store, session.id()));
}
