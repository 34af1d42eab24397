//! Taking over what a bundle holds: planned as one commit, with what memory is to keep.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use tau_core::{
    bundle::{BundleError, Kind, Manifest, Part, PartName, Tightened, tightened},
    ids::{SessionId, UnixMillis},
    journal::sections::{Reader, Row, Section},
    json,
    memory::{Action, Draft, Memory, Scope},
    policy::Policy,
    safety::{Gate, Labels},
    session::{Batch, StoreError},
};
use tau_kamn::kel::KeyLog;
use thiserror::Error;

use super::{
    Whole,
    export::{head_key, receipt_key, scope_of},
};
use crate::{
    Storage,
    peers::{self, LogError},
    transfer::{self, Mode, Outcome, TransferError},
};

/// How many refusals are told.
const TOLD: usize = 20;
/// How many agents may have signed the receipts of one session.
const SIGNERS_LIMIT: usize = 16;

/// What an import is asked for.
#[derive(Debug)]
pub struct Wish<'a> {
    /// What happens to sessions that are there.
    pub mode: Mode,
    /// Whether nobody but this agent and its person wrote any of it.
    pub own: bool,
    /// The time.
    pub now: UnixMillis,
    /// What new sessions draw their names from.
    pub seed: [u8; 32],
    /// What every memory passes.
    pub gate: &'a Gate,
}

/// Whose bundle it is, to this home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// This home's agent itself.
    Own,
    /// An agent whose keys were seen before.
    Known,
    /// Nobody who was seen before: its name proves its key, and nothing else is known of it.
    New,
}

impl Author {
    /// In a word, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Known => "known",
            Self::New => "new",
        }
    }
}

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// The manifest is refused by what is known of its author.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// What is known of its author cannot be read or kept.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A part is as it was signed, and makes no sense all the same.
    #[error("part {part}: {why}")]
    Part {
        /// Which.
        part: String,
        /// Why.
        why: String,
    },
    /// A session cannot be taken over.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ImportError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Bundle(error) => error.reason_code(),
            Self::Log(error) => error.reason_code(),
            Self::Part { .. } => "bundle_part_invalid",
            Self::Transfer(_) => "session_not_taken",
            Self::Store(_) => "store_failed",
        }
    }
}

/// Rows that were taken over as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// New ones.
    pub added: u64,
    /// Those that were there.
    pub same: u64,
    /// Those that are of another course of their session, and are not taken.
    pub kept: u64,
}

/// What an import does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What became of each session.
    pub sessions: transfer::Report,
    /// Receipts.
    pub receipts: Rows,
    /// Memories that memory does not keep, and why; the first 20.
    pub refused: Vec<String>,
    /// How many there are.
    pub refused_count: u64,
    /// Parts of kinds that this version does not know.
    pub unknown: Vec<PartName>,
    /// Parts that are in the bundle it was made since.
    pub unchanged: Vec<PartName>,
}

/// What is to be stored.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// In one commit.
    pub batch: Batch,
    /// What memory is to keep, in the same commit where the store is memory's.
    pub memories: Vec<(Scope, Draft)>,
    /// The logs of those who signed the receipts in it, for [`learn_signers`] afterwards.
    pub logs: Vec<KeyLog>,
    /// The policy that it makes of the one that is here, if there is one in it.
    pub policy: Option<Tightened>,
    /// What that does.
    pub report: Report,
}

/// Whose bundle it is, checked by what is known of its author in this store and by `own`, the log of
/// this home's agent. What contradicts it is kept, unless it is a rehearsal, and the bundle refused.
pub async fn author_of(
    storage: &impl Storage,
    manifest: &Manifest,
    own: Option<&KeyLog>,
    now: UnixMillis,
    is_rehearsal: bool,
) -> Result<Author, ImportError> {
    manifest.check_time(now.0)?;
    let shown = &manifest.draft().log;
    let did = shown.unchecked_state().did();
    let own = own.filter(|own| own.unchecked_state().did() == did);
    let known = match own {
        Some(own) => Some(own.clone()),
        None => peers::get(storage, did).await?,
    };
    let author = match (&known, own) {
        (_, Some(_)) => Author::Own,
        (Some(_), None) => Author::Known,
        (None, None) => Author::New,
    };
    let mut log = known.unwrap_or_else(|| shown.clone());
    // What it contradicts makes it a fork, which no signature is believed by.
    let merged = log.merge(shown);
    let is_fork = log.fork().is_some();
    let is_news = merged.is_ok() && own.is_none();
    if (is_fork || is_news) && !is_rehearsal {
        peers::learn(storage, shown).await?;
    }
    manifest.check_by(&log)?;
    Ok(author)
}

/// Plans the import of what was read of a bundle, whose author was checked. `policy` is the one that
/// is here.
pub async fn plan(
    storage: &impl Storage,
    whole: Whole,
    policy: &Policy,
    wish: &Wish<'_>,
) -> Result<Planned, ImportError> {
    let mut planned = plan_parts(storage, whole.parts, policy, wish).await?;
    let unchanged = whole.manifest.draft().unchanged.iter();
    planned.report.unchanged = unchanged.map(|left| left.name.clone()).collect();
    Ok(planned)
}

/// The same of single parts of it, for a home that keeps them in several stores.
pub async fn plan_parts(
    storage: &impl Storage,
    parts: Vec<Part>,
    policy: &Policy,
    wish: &Wish<'_>,
) -> Result<Planned, ImportError> {
    let mut planned = Planned::default();
    let (mut sections, mut signed) = (Vec::new(), Vec::new());
    for part in parts {
        match part.name.kind() {
            Kind::Session => sections.push(session(part)?),
            Kind::Receipts => signed.push(Signed::read(part)?),
            Kind::Memory => memories(part, wish, &mut planned)?,
            Kind::Policy => {
                let theirs: Policy =
                    json::from_slice(&part.content).map_err(|error| bad(&part.name, error))?;
                planned.policy = Some(tightened(policy, &theirs));
            }
            // Files of a home that has folders.
            Kind::Tool | Kind::Module | Kind::File => {}
            Kind::Unknown(_) => planned.report.unknown.push(part.name),
        }
    }
    let transfer = transfer::Wish {
        mode: wish.mode,
        own: wish.own,
        now: wish.now,
        seed: wish.seed,
    };
    let (batch, report) = transfer::plan(storage, sections, &transfer).await?;
    planned.report.sessions = report;
    for signed in signed {
        signed.plan(storage, &mut planned).await?;
    }
    planned.batch.require_absent.extend(batch.require_absent);
    planned.batch.delete.extend(batch.delete);
    planned.batch.put.extend(batch.put);
    Ok(planned)
}

fn bad(part: &PartName, why: impl ToString) -> ImportError {
    ImportError::Part {
        part: part.to_string(),
        why: why.to_string(),
    }
}

/// The one section that a part is.
fn section(part: &Part) -> Result<Section, ImportError> {
    let mut reader = Reader::default();
    let body = part.content.strip_suffix(b"\n").unwrap_or(&part.content);
    for line in body.split(|byte| *byte == b'\n') {
        reader.line(line).map_err(|error| bad(&part.name, error))?;
    }
    let sections = reader.finish().map_err(|error| bad(&part.name, error))?;
    match <[Section; 1]>::try_from(sections) {
        Ok([section]) => Ok(section),
        Err(several) => Err(bad(
            &part.name,
            format!("it holds {} sections, and not one", several.len()),
        )),
    }
}

fn session(part: Part) -> Result<Section, ImportError> {
    let section = section(&part)?;
    let mut last = Section::default();
    last.journals.extend(section.journals.last().cloned());
    let ids = transfer::sessions_of(&[last]);
    match ids.as_slice() {
        [SessionId(id)] if id == part.name.slug() && section.rows.is_empty() => Ok(section),
        _ => Err(bad(
            &part.name,
            "it is not the session that it is called by",
        )),
    }
}

/// The rows of a part, whose keys are `prefix` and a step behind it, in order.
fn rows(part: &Part, prefix: &str) -> Result<Vec<Row>, ImportError> {
    let rows = only_rows(part)?;
    check_keys(part, &rows, prefix)?;
    Ok(rows)
}

fn only_rows(part: &Part) -> Result<Vec<Row>, ImportError> {
    let section = section(part)?;
    match section.journals.is_empty() {
        true => Ok(section.rows),
        false => Err(bad(&part.name, "it holds a session")),
    }
}

fn check_keys(part: &Part, rows: &[Row], prefix: &str) -> Result<(), ImportError> {
    let mut last = "";
    for Row { key, .. } in rows {
        let rest = key.strip_prefix(prefix).unwrap_or_default();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if rest.is_empty() || rest.len() > 96 || !rest.bytes().all(legal) {
            let key: String = key.chars().take(80).collect();
            let why = format!("the row {key:?} is none of {prefix}");
            return Err(bad(&part.name, why));
        }
        if key.as_str() <= last {
            return Err(bad(
                &part.name,
                format!("the row {key} is not behind {last}"),
            ));
        }
        last = key;
    }
    Ok(())
}

/// The receipts of a session, with what they are verified by.
struct Signed {
    session: SessionId,
    logs: Vec<KeyLog>,
    head: Row,
    receipts: Vec<Row>,
}

impl Signed {
    fn read(part: Part) -> Result<Self, ImportError> {
        let session = SessionId(part.name.slug().into());
        let all = only_rows(&part)?;
        let count = all
            .iter()
            .take_while(|row| row.key.starts_with("peer/"))
            .count();
        if count > SIGNERS_LIMIT {
            let why = format!("{count} agents signed, at most {SIGNERS_LIMIT} are believed");
            return Err(bad(&part.name, why));
        }
        let mut all = all.into_iter();
        let mut logs = Vec::new();
        for Row { key, value } in all.by_ref().take(count) {
            let log = KeyLog::read(value.as_bytes()).map_err(|error| bad(&part.name, error))?;
            if peers::key(log.unchecked_state().did()) != key {
                return Err(bad(&part.name, "a log is not the one it is called by"));
            }
            logs.push(log);
        }
        let head = all.next().filter(|row| row.key == head_key(&session));
        let head = head.ok_or_else(|| bad(&part.name, "it is not told how far they are"))?;
        let receipts: Vec<Row> = all.collect();
        check_keys(&part, &receipts, &receipt_key(&session, ""))?;
        Ok(Self {
            session,
            logs,
            head,
            receipts,
        })
    }

    /// Receipts follow from a journal: they are taken with one that is new here, and where another
    /// is, they say nothing of it.
    async fn plan(self, storage: &impl Storage, planned: &mut Planned) -> Result<(), ImportError> {
        let mut sessions = planned.report.sessions.sessions.iter();
        let done = sessions.find(|done| done.session == self.session);
        let is_new = done.is_some_and(|done| done.outcome == Outcome::New);
        let told = &mut planned.report.receipts;
        if is_new {
            planned.logs.extend(self.logs);
            told.added += self.receipts.len() as u64;
            let rows = self.receipts.into_iter().chain([self.head]);
            for Row { key, value } in rows {
                planned.batch.require_absent.push(key.clone());
                planned.batch.put.push((key, value.into_bytes()));
            }
            return Ok(());
        }
        for Row { key, value } in self.receipts {
            match storage.get(key).await? {
                Some(stored) if stored == value.as_bytes() => told.same += 1,
                _ => told.kept += 1,
            }
        }
        Ok(())
    }
}

/// Remembers who signed what was taken over, so that it can be verified here.
pub async fn learn_signers(storage: &impl Storage, logs: &[KeyLog]) -> Result<(), ImportError> {
    for log in logs {
        peers::learn(storage, log).await?;
    }
    Ok(())
}

fn memories(part: Part, wish: &Wish<'_>, planned: &mut Planned) -> Result<(), ImportError> {
    let scope =
        scope_of(part.name.slug()).ok_or_else(|| bad(&part.name, "there is no such scope"))?;
    let labels = match wish.own {
        true => Labels::NONE,
        false => Labels::WORKSPACE,
    };
    for Row { key, value } in rows(&part, &scope.key(""))? {
        let entry = Memory::read(value.as_bytes())
            .map_err(|error| bad(&part.name, format!("{key}: {error}")))?;
        let draft = Draft {
            text: entry.text,
            kind: Some(entry.kind),
            tags: entry.tags,
            namespace: entry.namespace,
            importance: entry.importance,
            links: entry.links,
            source: entry.source,
            session: entry.session,
            labels: entry.labels.with(labels),
            at: Some(entry.at),
        };
        let action = Action::Remember { draft, scope: None }.through(wish.gate);
        let checked = action.and_then(|action| match action {
            Action::Remember { draft, .. } => draft.checked(),
            _ => Ok(Draft::default()),
        });
        match checked {
            Ok(draft) => planned.memories.push((scope.clone(), draft)),
            Err(error) => {
                planned.report.refused_count += 1;
                if planned.report.refused.len() < TOLD {
                    planned.report.refused.push(format!("{key}: {error}"));
                }
            }
        }
    }
    Ok(())
}
