//! Imports and merges of branches: each is one commit, so all of it is there or nothing.

use tau_core::{
    ids::{EntryId, SessionId, TurnId, UnixMillis},
    journal::{ImportedEntry, sections::Reader},
    message::{Message, Role},
    session::{Command, Import, MergeHow, Session},
};
use tau_platform::{
    MemoryStorage, NoSigner, Storage, open,
    transfer::{self, Mode, Wish},
};

use crate::{
    Rows,
    child::{BEGINS, done, is_child, say},
    killer::{Found, Kind, rows},
};

const NOW: UnixMillis = UnixMillis(1_767_225_600_000);
/// Sessions of the file that is imported.
const SESSIONS: usize = 6;
/// Memories beside them.
const MEMORIES: usize = 60;
/// Messages on the branch that another one is merged into.
const OURS: usize = 10;
/// Messages on the other one.
const THEIRS: usize = 80;

/// `count` messages behind where the session stands; every fourth is large.
fn said(session: &mut Session, count: usize) {
    let mut parent = session.view().head;
    let number = session.entries().len();
    let entries = (0..count).map(|place| {
        let role = [Role::User, Role::Assistant][place % 2];
        let name = number + place;
        let entry = EntryId(format!("{:016x}", name + 1));
        let words = format!("{} says this as number {name}. ", session.id());
        let text = words.repeat(if name % 4 == 3 { 400 } else { 2 });
        ImportedEntry {
            parent: parent.replace(entry.clone()),
            entry,
            turn: TurnId(1),
            at: NOW,
            message: Message::text(role, text),
        }
    });
    let entries: Vec<_> = entries.collect();
    let import = Import {
        from: "test".into(),
        own: true,
        head: entries.last().map(|entry| entry.entry.clone()),
        entries,
    };
    session.import(import, NOW).expect("an import");
}

/// A store with sessions and memories.
pub(crate) async fn used(sessions: usize, memories: usize) -> MemoryStorage {
    let store = MemoryStorage::new();
    for number in 0..sessions {
        let id = SessionId(format!("{:016x}", 0xa000 + number));
        let mut session = Session::taken_over(id, [1; 32], NOW);
        said(&mut session, 8);
        open::store(&store, None::<&NoSigner>, &mut session)
            .await
            .expect("stored");
    }
    let row = |n| {
        let key = format!("memory/user/{n:016x}");
        let value = format!(r#"{{"v":2,"id":"{n:016x}","text":"fact {n}","at":1}}"#);
        (key, value.into_bytes())
    };
    let batch = tau_core::session::Batch {
        put: (0..memories).map(row).collect(),
        ..Default::default()
    };
    store.commit(batch).await.expect("stored");
    store
}

async fn import(store: &impl Storage, text: &[u8], has_read: impl FnOnce()) {
    let mut reader = Reader::default();
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    for line in body.split(|byte| *byte == b'\n') {
        reader.line(line).expect("a line");
    }
    let sections = reader.finish().expect("a whole file");
    has_read();
    let wish = Wish {
        mode: Mode::Merge,
        own: true,
        now: NOW,
        seed: [3; 32],
    };
    let report = transfer::import(store, sections, &wish, false).await;
    report.expect("an import");
}

#[tokio::test]
async fn importing_process() {
    let Some((store, file)) = is_child() else {
        return;
    };
    let text = std::fs::read(file).expect("the file");
    import(&store, &text, || say(BEGINS)).await;
    done().await;
}

#[tokio::test]
async fn an_import_killed_anywhere_left_all_of_it_or_nothing() {
    let store = used(SESSIONS, MEMORIES).await;
    let mut text = Vec::new();
    let write = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        Ok(())
    };
    transfer::export_all(&store, write).await.expect("a file");
    let whole = MemoryStorage::new();
    import(&whole, &text, || ()).await;
    let whole = rows(&whole).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.jsonl");
    std::fs::write(&file, text).expect("a file");
    let kind = Kind {
        name: "imports",
        role: "sessions::importing_process",
        from: &file,
        before: &Rows::new(),
    };
    kind.suffer(|rows| all_or_nothing(rows, &Rows::new(), &whole))
        .await;
}

fn all_or_nothing(rows: &Rows, before: &Rows, after: &Rows) -> Found {
    if rows == before {
        return Found::Nothing;
    }
    assert_eq!(rows.len(), after.len(), "a part of it is there");
    assert!(rows == after, "as many rows, and others");
    Found::Everything
}

/// A session with two branches.
async fn branched() -> MemoryStorage {
    let store = MemoryStorage::new();
    let mut session = Session::taken_over(branched_id(), [1; 32], NOW);
    said(&mut session, OURS);
    let name = "try".into();
    let branch = Command::Branch { name, at: None };
    session.submit(branch, NOW).expect("a branch");
    said(&mut session, THEIRS);
    let to = Command::SwitchTo {
        name: "main".into(),
    };
    session.submit(to, NOW).expect("a switch");
    open::store(&store, None::<&NoSigner>, &mut session)
        .await
        .expect("stored");
    store
}

fn branched_id() -> SessionId {
    SessionId("00c0ffee00c0ffee".into())
}

async fn merge(store: &impl Storage) {
    let mut session = open::open(store, &branched_id()).await.expect("a session");
    let merge = Command::Merge {
        from: EntryId(format!("{:016x}", OURS + THEIRS)),
        how: MergeHow::Append,
    };
    session.submit(merge, NOW).expect("a merge");
    open::store(store, None::<&NoSigner>, &mut session)
        .await
        .expect("stored");
}

#[tokio::test]
async fn merging_process() {
    let Some((store, _)) = is_child() else {
        return;
    };
    say(BEGINS);
    merge(&store).await;
    done().await;
}

#[tokio::test]
async fn a_merge_of_branches_killed_anywhere_left_all_of_it_or_nothing() {
    let store = branched().await;
    let before = rows(&store).await;
    merge(&store).await;
    let after = rows(&store).await;
    let merged = open::open(&store, &branched_id()).await;
    let view = merged.expect("a session").view();
    let on_path = view.entries.iter().filter(|entry| entry.on_path);
    assert_eq!(
        on_path.count(),
        OURS + THEIRS,
        "the merge brings the other branch"
    );
    let kind = Kind {
        name: "session merges",
        role: "sessions::merging_process",
        from: "nothing".as_ref(),
        before: &before,
    };
    kind.suffer(|rows| all_or_nothing(rows, &before, &after))
        .await;
}
