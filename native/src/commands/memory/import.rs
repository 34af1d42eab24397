//! Bringing in what other programs keep: a folder of notes, or entries that were listed as JSON lines.
//!
//! Invariant: what is brought in twice is there once, and what was forgotten stays forgotten.

use serde::Serialize;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};
use tau_core::{
    ids::SessionId,
    memory::{
        Access, Action, Answer, Draft, Failure, Memory as Entry, Request, Scope,
        entry::{LINK_LIMIT, checked_namespace, id_of},
        import::{Note, Piece, namespace, pieces, targets},
        request::Was,
    },
    safety::{Gate, Labels},
};

use tau_platform::{MemoryTools, NoEmbedder, memory::Service};
use tau_target_native::TokioClock;

use super::{Memory, failed};
use crate::{
    config,
    exit::Error,
    notes::{NoteFile, Notes, Skipped},
    store::Store,
    ui::{self, Ui},
};

/// Where a note's entry comes from.
const MARKDOWN: &str = "markdown";
/// Bytes of a line: an entry with everything it may have is far shorter.
const LINE_BYTES: u64 = 1 << 20;
/// Lines that are read.
const LINES: usize = 1_000_000;
/// How often it is said how far it is.
const STEP: usize = 1_000;
/// Refusals that are told by name.
const TOLD: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// A folder of notes in Markdown, with the folders in it.
    Markdown,
    /// Entries as `tau memory list --jsonl` prints them; `-` reads stdin.
    Jsonl,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// What it is.
    #[arg(long, value_enum)]
    from: From,
    /// The folder or the file.
    path: PathBuf,
    /// File everything below this namespace; folders of notes go on from there.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    namespace: String,
    /// All of it is in your own words; otherwise notes count as words of others too when they are
    /// recalled, as files do that a tool reads.
    #[arg(long)]
    own: bool,
    /// Say what would come of it, and keep nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object: `{read, new, same, forgotten, refused, skipped, …}`.
    #[arg(long)]
    json: bool,
}

/// Memory without anything that makes vectors.
type Words = Service<Store, NoEmbedder, TokioClock>;

/// Something to be kept, and where it was.
struct Item {
    /// A note's path, or a line.
    place: String,
    draft: Draft,
    /// The scope it was listed in.
    scope: Option<Scope>,
    /// What others may call it by: the name it had.
    id: Option<String>,
    /// The places of those it belongs to.
    targets: Vec<usize>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    /// Notes or lines.
    read: usize,
    /// Entries that were not there.
    new: usize,
    /// Entries that were.
    same: usize,
    /// Entries that were forgotten once, and stay it.
    forgotten: usize,
    /// Links between entries.
    links: usize,
    /// What memory does not keep, and why.
    refused: Vec<Skipped>,
    refused_count: usize,
    /// What was not read, and why.
    skipped: Vec<Skipped>,
    skipped_count: usize,
}

impl Import {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        checked_namespace(&self.namespace).map_err(|error| Error::usage(error.to_string()))?;
        let mut report = Report {
            dry_run: self.dry_run,
            ..Report::default()
        };
        let items = match self.from {
            From::Markdown => self.notes(memory.ui, &mut report)?,
            From::Jsonl => self.lines(&mut report)?,
        };
        let items = self.vetted(items, memory, &mut report)?;
        let count = items.len();
        // Vectors come later, many at once: nothing here waits for them.
        let service = Service::new(memory.home.store()?, NoEmbedder, TokioClock);
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 && place % STEP == 0 {
                memory.ui.note(format!("{place} of {count} entries"));
            }
            self.keep(item, &service, memory, &mut report).await?;
        }
        report.tell(memory.ui, self.json);
        Ok(())
    }

    /// The pieces of a folder's notes.
    fn notes(&self, ui: Ui, report: &mut Report) -> Result<Vec<Item>, Error> {
        let seen = |count: usize| {
            if count.is_multiple_of(STEP) {
                ui.note(format!("{count} notes read"));
            }
        };
        let found = Notes::read(&self.path, seen)?;
        report.skipped = found.skipped;
        report.skipped_count = found.skipped_count;
        report.read = found.notes.len();
        let pieces: Vec<Piece> = found.notes.iter().flat_map(piece).collect();
        let targets = targets(&pieces);
        let labels = match self.own {
            true => Labels::NONE,
            false => Labels::WORKSPACE,
        };
        let items = pieces
            .into_iter()
            .zip(targets)
            .map(|(piece, targets)| Item {
                place: piece.note,
                draft: Draft {
                    text: piece.text,
                    kind: piece.kind,
                    tags: piece.tags,
                    namespace: self.below(&piece.namespace),
                    source: MARKDOWN.into(),
                    labels,
                    at: piece.at,
                    ..Draft::default()
                },
                scope: None,
                id: None,
                targets,
            });
        Ok(items.collect())
    }

    /// The entries of a file's lines. One that is none is told by its number.
    fn lines(&self, report: &mut Report) -> Result<Vec<Item>, Error> {
        let shown = self.path.display().to_string();
        let cannot =
            |error: io::Error| Error::usage(format!("{shown} cannot be read")).cause(error);
        let input: Box<dyn Read> = match self.path == Path::new("-") {
            true => Box::new(io::stdin().lock()),
            false => Box::new(File::open(&self.path).map_err(cannot)?),
        };
        let mut input = BufReader::new(input);
        let (mut items, mut links) = (Vec::new(), Vec::new());
        for number in 1..=LINES {
            let mut line = Vec::new();
            let read = (&mut input).take(LINE_BYTES).read_until(b'\n', &mut line);
            if read.map_err(cannot)? == 0 {
                break;
            }
            let place = format!("line {number}");
            let is_cut = line.len() as u64 == LINE_BYTES && !line.ends_with(b"\n");
            if is_cut {
                input.skip_until(b'\n').map_err(cannot)?;
                report.refuse(place, format!("it has more than {LINE_BYTES} bytes"));
                continue;
            }
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            report.read += 1;
            match entry(line, &place) {
                Ok((item, named)) => {
                    links.push(named);
                    items.push(item);
                }
                Err(why) => report.refuse(place, why),
            }
        }
        // Entries are named by their texts: a link leads to the entry that had that name.
        let mut places = std::collections::BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            places.entry(item.id.clone()).or_insert(place);
        }
        for (item, named) in items.iter_mut().zip(links) {
            let known = named.into_iter().map(Some);
            item.targets = known.filter_map(|id| places.get(&id).copied()).collect();
            item.draft.namespace = self.below(&item.draft.namespace);
        }
        Ok(items)
    }

    /// A namespace below the one that was asked for, as deep as memory files things.
    fn below(&self, inner: &str) -> String {
        namespace(&format!("{}/{inner}/_", self.namespace))
    }

    /// Items as they would be kept, with the names of those that each belongs to.
    fn vetted(
        &self,
        items: Vec<Item>,
        memory: &Memory<'_>,
        report: &mut Report,
    ) -> Result<Vec<Item>, Error> {
        let gate = Gate::new(&config::load(&memory.home.config_file())?.policy);
        let mut ids: Vec<Option<String>> = Vec::new();
        let mut kept = Vec::new();
        for item in items {
            let action = Action::Remember {
                draft: item.draft,
                scope: None,
            };
            let checked = action.through(&gate).and_then(|action| match action {
                Action::Remember { draft, .. } => draft.checked(),
                _ => Ok(Draft::default()),
            });
            match checked {
                Ok(draft) => {
                    ids.push(Some(id_of(&draft.namespace, &draft.text, 0)));
                    kept.push(Item { draft, ..item });
                }
                Err(error) => {
                    ids.push(None);
                    report.refuse(item.place, error.to_string());
                }
            }
        }
        for item in &mut kept {
            let own = id_of(&item.draft.namespace, &item.draft.text, 0);
            let links = item
                .targets
                .iter()
                .filter_map(|place| ids.get(*place)?.clone());
            let mut links: Vec<String> = links.filter(|id| *id != own).collect();
            links.sort();
            links.dedup();
            links.truncate(LINK_LIMIT);
            report.links += links.len();
            item.draft.links = links;
            item.id = Some(own);
        }
        Ok(kept)
    }

    /// Keeps an item, or says what would come of it.
    async fn keep(
        &self,
        item: Item,
        service: &Words,
        memory: &Memory<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let listed = item.scope.filter(|scope| memory.access.sees(scope));
        let scope = listed.unwrap_or_else(|| memory.access.write.clone());
        let id = item.id.unwrap_or_default();
        match there(service, &scope, &id).await? {
            Some(entry) if !entry.is_live() => report.forgotten += 1,
            Some(_) if self.dry_run => report.same += 1,
            None if self.dry_run => report.new += 1,
            _ => {
                let draft = item.draft;
                let request = Request {
                    access: Access::to(scope),
                    action: Action::Remember { draft, scope: None },
                };
                match service.serve(request).await.map(|reply| reply.answer) {
                    Ok(Answer::Remembered { was: Was::New, .. }) => report.new += 1,
                    Ok(_) => report.same += 1,
                    Err(Failure::Refused { error }) => {
                        report.refuse(item.place, error.to_string());
                    }
                    Err(failure) => return Err(failed(failure)),
                }
            }
        }
        Ok(())
    }
}

/// The entry of that very name, forgotten or not.
async fn there(service: &Words, scope: &Scope, id: &str) -> Result<Option<Entry>, Error> {
    let request = Request {
        access: Access::to(scope.clone()),
        action: Action::Read {
            ids: vec![id.into()],
            forgotten: true,
        },
    };
    match service.serve(request).await.map(|reply| reply.answer) {
        Ok(Answer::Entries { entries }) => {
            let mut entries = entries.into_iter().map(|kept| kept.entry);
            Ok(entries.find(|entry| entry.id == id))
        }
        Ok(_) | Err(Failure::Missing { .. } | Failure::Ambiguous { .. }) => Ok(None),
        Err(failure) => Err(failed(failure)),
    }
}

fn piece(note: &NoteFile) -> Vec<Piece> {
    pieces(&Note {
        path: &note.path,
        text: &note.text,
        changed: note.changed,
    })
}

/// The entry in a line, and the names of those it belongs to.
fn entry(line: &[u8], place: &str) -> Result<(Item, Vec<String>), String> {
    #[derive(serde::Deserialize)]
    struct Listed {
        #[serde(default)]
        scope: Option<Scope>,
    }
    let entry = Entry::read(line).map_err(|error| error.to_string())?;
    if !entry.is_live() {
        return Err("it was forgotten".into());
    }
    let listed = serde_json::from_slice::<Listed>(line).map_err(|error| error.to_string())?;
    let session: Option<SessionId> = entry.session;
    let item = Item {
        place: place.into(),
        draft: Draft {
            text: entry.text,
            kind: Some(entry.kind),
            tags: entry.tags,
            namespace: entry.namespace,
            importance: entry.importance,
            source: entry.source,
            session,
            labels: entry.labels,
            at: Some(entry.at),
            links: Vec::new(),
        },
        scope: listed.scope,
        id: Some(entry.id),
        targets: Vec::new(),
    };
    Ok((item, entry.links))
}

impl Report {
    fn refuse(&mut self, path: String, why: String) {
        self.refused_count += 1;
        if self.refused.len() < TOLD {
            self.refused.push(Skipped { path, why });
        }
    }

    fn tell(&self, ui: Ui, json: bool) {
        if json {
            return ui.json(self);
        }
        for (what, list, count) in [
            ("left out", &self.skipped, self.skipped_count),
            ("not kept", &self.refused, self.refused_count),
        ] {
            for Skipped { path, why } in list.iter().take(20) {
                ui.warn(ui::one_line(&format!("{path} is {what}: {why}"), 200));
            }
            if count > 20 {
                ui.warn(format!(
                    "{} more are {what} (--json names them)",
                    count - 20
                ));
            }
        }
        let would = if self.dry_run { "would be " } else { "" };
        ui.line(format!(
            "{} read: {} {would}new, {} there already, {} forgotten before, {} links",
            self.read, self.new, self.same, self.forgotten, self.links
        ));
    }
}
