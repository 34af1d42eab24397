use alloc::vec::Vec;
use futures_util::FutureExt;
use tau_core::{
    ids::{SessionId, UnixMillis},
    policy::Policy,
    session::{Answer, Budgets, Command, Config, Effect, Retry, Session},
};

use super::{OpenError, PAGE, load, open};
use crate::{MemoryStorage, Storage};

const NOW: UnixMillis = UnixMillis(7);

fn session(seed: u8) -> Session {
    let config = Config {
        models: Vec::new(),
        system: "".into(),
        identity: Vec::new(),
        tools: Vec::new(),
        policy: Policy::default(),
        budgets: Budgets::default(),
        retry: Retry::default(),
        compaction: false,
        undo_tool: false,
        memory: None,
    };
    Session::new(config, [seed; 32], NOW)
}

/// Has `session` write `records` records.
fn write(session: &mut Session, records: usize, storage: &MemoryStorage) {
    for _ in 0..records {
        let policy = Policy::default();
        session.submit(Command::SetPolicy { policy }, NOW).unwrap();
        while let Some((id, effect)) = session.poll_effect() {
            let Effect::Commit(batch) = effect else {
                panic!("{effect:?}");
            };
            let stored = storage.commit(batch).now_or_never().unwrap();
            session.answer(id, Answer::Committed(stored), NOW);
        }
        while session.poll_event().is_some() {}
    }
}

fn opened(storage: &MemoryStorage, id: &SessionId) -> Result<Session, OpenError> {
    open(storage, id).now_or_never().unwrap()
}

#[test]
fn a_journal_of_several_pages_is_read_whole() {
    let storage = MemoryStorage::new();
    let mut written = session(1);
    write(&mut written, 2 * PAGE as usize, &storage);
    let read = opened(&storage, written.id()).unwrap();
    assert_eq!(read.chain(), written.chain());
    assert_eq!(read.chain().next_seq, 2 * u64::from(PAGE) + 1);
}

#[test]
fn a_fork_of_a_fork_is_read_with_what_it_continues() {
    let storage = MemoryStorage::new();
    let mut first = session(1);
    write(&mut first, 2, &storage);
    let mut second = first.fork([2; 32], NOW).unwrap();
    write(&mut second, 1, &storage);
    let mut third = second.fork([3; 32], NOW).unwrap();
    write(&mut third, 1, &storage);
    // What is written after the fork belongs to nobody but the first.
    write(&mut first, 3, &storage);

    let stored = load(&storage, third.id()).now_or_never().unwrap().unwrap();
    let lengths: Vec<usize> = stored.ancestors.iter().map(Vec::len).collect();
    assert_eq!(lengths, [3, 2]);
    assert_eq!(opened(&storage, third.id()).unwrap().chain(), third.chain());
}

#[test]
fn what_is_not_there_is_told() {
    let storage = MemoryStorage::new();
    let id = SessionId("00".into());
    assert_eq!(opened(&storage, &id), Err(OpenError::Missing(id)));
}
