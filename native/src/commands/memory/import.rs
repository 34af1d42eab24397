//! Bringing in what other programs keep: a folder of notes, or entries that were listed as JSON lines.
//!
//! Invariant: what is brought in twice is there once, and what was forgotten stays forgotten. A piece
//! of a note is known again by its folder, note and heading (`source`): what was edited in the note
//! changes its entry; what a person changed in the entry stays while the note says what it said.

use indicatif::ProgressBar;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};
use tau_core::{
    ids::SessionId,
    journal::sha256_hex,
    memory::{
        Access, Action, Answer, Draft, Kept, Memory as Entry, Request, Scope,
        entry::{LINK_LIMIT, checked_namespace, id_of},
        import::{Note, Piece, namespace, pieces, targets},
        request::Narrow,
    },
    safety::{Gate, Labels},
};

use tau_platform::{
    MemoryTools, NoEmbedder,
    memory::{Became, Brought, Service},
};
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
    /// Forget entries whose note or heading is gone; they can be had back.
    #[arg(long)]
    prune: bool,
    /// Print one JSON object: `{read, new, changed, same, forgotten, gone, refused, skipped, …}`.
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
    /// Entries whose note says something else now.
    changed: usize,
    /// Entries that are as the note is.
    same: usize,
    /// Entries that were forgotten once, and stay it.
    forgotten: usize,
    /// Entries whose note or heading is gone, by name and first line.
    gone: Vec<Skipped>,
    gone_count: usize,
    /// How many of those were forgotten now.
    pruned: usize,
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
        if self.prune && self.from == From::Jsonl {
            let why = "--prune is for notes: lines say nothing of what is gone";
            return Err(Error::usage(why));
        }
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
        // Vectors come later, many at once: nothing here waits for them.
        let service = Service::new(memory.home.store()?, NoEmbedder, TokioClock);
        let scope = memory.access.write.clone();
        let mut before = match self.from {
            From::Markdown => self.before(&service, &scope).await?,
            From::Jsonl => BTreeMap::new(),
        };
        let mut todo: BTreeMap<Scope, Vec<(String, Brought)>> = BTreeMap::new();
        for (item, replaces) in matched(items, &mut before, &mut report) {
            let listed = item.scope.filter(|scope| memory.access.sees(scope));
            let draft = item.draft;
            let of_scope = todo.entry(listed.unwrap_or_else(|| scope.clone()));
            of_scope
                .or_default()
                .push((item.place, Brought { draft, replaces }));
        }
        for (scope, items) in todo {
            self.keep(items, &service, &scope, &mut report).await?;
        }
        self.gone(before, &service, &scope, &mut report).await?;
        report.tell(memory.ui, self.json);
        Ok(())
    }

    /// What was brought in from this folder and can be found, by note and heading.
    async fn before(&self, service: &Words, scope: &Scope) -> Result<Before, Error> {
        let action = Action::List {
            narrow: Narrow::default(),
            limit: None,
            forgotten: false,
        };
        let access = Access::to(scope.clone());
        let reply = service.serve(Request { access, action }).await;
        let Answer::Entries { entries } = reply.map_err(failed)?.answer else {
            return Ok(Before::new());
        };
        let folder = self.folder();
        let mut before = Before::new();
        for Kept { entry, .. } in entries {
            let is_below = entry.namespace == self.namespace
                || self.namespace.is_empty()
                || entry.namespace.starts_with(&format!("{}/", self.namespace));
            if let Some((place, _)) = entry.source.rsplit_once('.')
                && is_below
                && place.starts_with(&folder)
            {
                before.entry(place.to_owned()).or_default().push(entry);
            }
        }
        Ok(before)
    }

    /// What the sources of this folder's notes begin with.
    fn folder(&self) -> String {
        let path = self.path.canonicalize();
        let path = path.unwrap_or_else(|_| self.path.clone());
        let digest = short_digest(path.as_os_str().as_encoded_bytes());
        format!("{MARKDOWN}:{digest}/")
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
        let folder = self.folder();
        let labels = match self.own {
            true => Labels::NONE,
            false => Labels::WORKSPACE,
        };
        let items = pieces.into_iter().zip(targets).map(|(piece, targets)| {
            let source = source_of(&folder, &piece.note, &piece.text);
            Item {
                place: piece.note,
                draft: Draft {
                    text: piece.text,
                    kind: piece.kind,
                    tags: piece.tags,
                    namespace: self.below(&piece.namespace),
                    source,
                    labels,
                    at: piece.at,
                    ..Draft::default()
                },
                scope: None,
                id: None,
                targets,
            }
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
        let mut places = BTreeMap::new();
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

    /// Keeps items, or says what would come of them.
    async fn keep(
        &self,
        items: Vec<(String, Brought)>,
        service: &Words,
        scope: &Scope,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (places, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let bar = ProgressBar::new(items.len() as u64);
        let told = |done: usize| bar.set_position(done as u64);
        let became = service.bring(scope, &items, self.dry_run, told).await;
        bar.finish_and_clear();
        for (place, became) in places.into_iter().zip(became.map_err(failed)?) {
            match became {
                Became::New => report.new += 1,
                Became::Same => report.same += 1,
                Became::Changed => report.changed += 1,
                Became::Forgotten => report.forgotten += 1,
                Became::Refused(error) => report.refuse(place, error.to_string()),
            }
        }
        Ok(())
    }

    /// Tells what is left of an earlier import and no longer in the notes, and forgets it if that
    /// is wanted.
    async fn gone(
        &self,
        before: Before,
        service: &Words,
        scope: &Scope,
        report: &mut Report,
    ) -> Result<(), Error> {
        // What could not be read may be there as ever; past what is told by name nobody knows.
        let all_known = report.skipped_count == report.skipped.len()
            && report.refused_count == report.refused.len();
        let unread = report.skipped.iter().chain(&report.refused);
        let folder = self.folder();
        let unread: BTreeSet<String> = unread
            .map(|skipped| format!("{folder}{}#", short_digest(skipped.path.as_bytes())))
            .collect();
        let mut ids = Vec::new();
        for (place, entries) in before {
            if !all_known || unread.iter().any(|note| place.starts_with(note)) {
                continue;
            }
            for entry in entries {
                report.gone_count += 1;
                if report.gone.len() < TOLD {
                    report.gone.push(Skipped {
                        path: entry.id.clone(),
                        why: entry.text.lines().next().unwrap_or_default().into(),
                    });
                }
                ids.push(entry.id);
            }
        }
        if !self.prune || self.dry_run || ids.is_empty() {
            return Ok(());
        }
        report.pruned = ids.len();
        let request = Request {
            access: Access::to(scope.clone()),
            action: Action::Forget { ids, purge: false },
        };
        service.serve(request).await.map(drop).map_err(failed)
    }
}

/// What was brought in before, by note and heading.
type Before = BTreeMap<String, Vec<Entry>>;

/// Items with the entry that each is to replace. Those whose note says what it said then are done
/// with; what is left in `before` is no longer in the notes.
fn matched(
    items: Vec<Item>,
    before: &mut Before,
    report: &mut Report,
) -> Vec<(Item, Option<String>)> {
    let mut rest = Vec::new();
    for item in items {
        let place = item.draft.source.rsplit_once('.').map(|(place, _)| place);
        let of_place = place.and_then(|place| before.get_mut(place));
        let same = of_place.and_then(|entries| {
            let is = |entry: &Entry| {
                entry.source == item.draft.source && entry.namespace == item.draft.namespace
            };
            let at = entries.iter().position(is)?;
            Some(entries.remove(at))
        });
        match same {
            // Its own text or links may be another by now: whoever changed it meant that.
            Some(entry) if !entry.is_same(&item.draft.namespace, &item.draft.text) => {
                report.same += 1;
            }
            // Its links may have been changed by other notes.
            same => rest.push((item, same.is_some())),
        }
    }
    let replaced = rest.into_iter().map(|(item, is_known)| {
        if is_known {
            return (item, None);
        }
        let place = item.draft.source.rsplit_once('.').map(|(place, _)| place);
        let of_place = place.and_then(|place| before.get_mut(place));
        let replaced = of_place.and_then(|entries| match entries.is_empty() {
            true => None,
            false => Some(entries.remove(0).id),
        });
        (item, replaced)
    });
    replaced.collect()
}

/// Where a piece of a note stands and what it says, in a word: `markdown:FOLDER/NOTE#HEADING.TEXT`.
fn source_of(folder: &str, note: &str, text: &str) -> String {
    let heading = text.split("\n\n").next().unwrap_or_default();
    let [note, heading, text] = [note, heading, text].map(|part| short_digest(part.as_bytes()));
    format!("{folder}{note}#{heading}.{text}")
}

fn short_digest(bytes: &[u8]) -> String {
    let digest = sha256_hex(bytes);
    digest.get(..8).unwrap_or_default().to_owned()
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
            ("no longer in the notes", &self.gone, self.gone_count),
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
            "{} read: {} {would}new, {} {would}changed, {} there already, {} forgotten before, {} links",
            self.read, self.new, self.changed, self.same, self.forgotten, self.links
        ));
        if self.gone_count > 0 && self.pruned == 0 {
            ui.note(format!(
                "{} entries are no longer in the notes and stay (--prune forgets them)",
                self.gone_count
            ));
        }
    }
}
