//! `tau session import`: sessions and memories from a file, all of it or nothing.

use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};
use tau_core::{
    journal::sections::{Diverged, Reader, Section},
    session::foreign::{Foreign, Program},
};
use tau_platform::{
    Clock,
    transfer::{self, Mode, Outcome, Report, TransferError, Wish},
};
use tau_target_native::TokioClock;

use crate::{
    exit::Error,
    home::Home,
    sessions,
    store::Store,
    ui::{self, Ui},
};

/// Bytes that a line may have.
const LINE_BYTES: u64 = 64 << 20;
/// Bytes that a file may have.
const FILE_BYTES: u64 = 1 << 30;

/// What an export of another program is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum From {
    /// What `tau session export` wrote, in this format or the one before.
    Tau,
    /// A session of Claude Code: ~/.claude/projects/*/*.jsonl.
    ClaudeCode,
    /// A rollout of Codex: ~/.codex/sessions/*/*/*/rollout-*.jsonl.
    Codex,
    /// A session file of Tau as it was before its journals.
    OlderTau,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is stdin.
    file: PathBuf,
    /// What wrote it [default: told by its first line].
    #[arg(long, value_enum, value_name = "PROGRAM")]
    from: Option<From>,
    /// Add to sessions that are there what they lack; this is the default.
    #[arg(long, conflicts_with = "replace")]
    merge: bool,
    /// Put the file's in the place of sessions that are there.
    #[arg(long)]
    replace: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Nobody else wrote any of it: do not treat its words as words of others.
    #[arg(long)]
    own: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a file holds.
enum Content {
    Tau(Vec<Section>),
    Foreign(Box<Foreign>),
}

/// Runs the command.
pub(super) async fn run(storage: &Store, home: &Home, ui: Ui, args: Args) -> Result<(), Error> {
    let now = TokioClock.now();
    let content = read(&args.file, args.from, now)?;
    let wish = Wish {
        mode: match args.replace {
            true => Mode::Replace,
            false => Mode::Merge,
        },
        own: args.own,
        now,
        seed: sessions::seed()?,
    };
    let ids = match &content {
        Content::Tau(sections) => transfer::sessions_of(sections),
        Content::Foreign(foreign) => vec![foreign.session.clone()],
    };
    // Nobody else writes to what is imported.
    let _held = match args.dry_run {
        true => Vec::new(),
        false => storage.hold_all(home, &ids, "tau session import").await?,
    };
    let left = match &content {
        Content::Tau(_) => Vec::new(),
        Content::Foreign(foreign) => foreign.left.clone(),
    };
    let name = args.file.display();
    let done = match content {
        Content::Tau(sections) => transfer::import(storage, sections, &wish, args.dry_run).await,
        Content::Foreign(foreign) => {
            transfer::import_foreign(storage, *foreign, &wish, args.dry_run).await
        }
    };
    let report = done.map_err(|error| failed(&name.to_string(), error))?;
    if args.json {
        ui.json(&to_json(&report, &left, args.dry_run));
    } else {
        tell(ui, &report, &left, args.dry_run);
    }
    Ok(())
}

fn failed(name: &str, error: TransferError) -> Error {
    let nothing = "nothing was imported";
    match error {
        TransferError::File(diverged) => not_usable(name, &diverged),
        TransferError::Session { .. } => Error::usage(error.to_string()).hint(nothing),
        TransferError::Open(error) => error.into(),
        TransferError::Store(error) => error.into(),
    }
}

fn not_usable(name: &str, diverged: &Diverged) -> Error {
    Error::usage(format!("{name} is not usable at line {}", diverged.line))
        .cause(&diverged.why)
        .hint("nothing was imported")
}

fn read(file: &Path, from: Option<From>, now: tau_core::ids::UnixMillis) -> Result<Content, Error> {
    let name = file.display().to_string();
    let unreadable = |error: io::Error| Error::usage(format!("{name} cannot be read")).cause(error);
    let mut lines = Lines::open(file).map_err(unreadable)?;
    let first = lines.next().map_err(|error| error.told(&name))?;
    let Some(first) = first else {
        return Err(Error::usage(format!("{name} is empty")));
    };
    let program = match from {
        Some(From::Tau) => None,
        Some(From::ClaudeCode) => Some(Program::ClaudeCode),
        Some(From::Codex) => Some(Program::Codex),
        Some(From::OlderTau) => Some(Program::OlderTau),
        None => Program::of(&first),
    };
    let Some(program) = program else {
        let mut reader = Reader::default();
        let mut next = Some(first);
        while let Some(line) = next {
            reader
                .line(&line)
                .map_err(|diverged| not_usable(&name, &diverged))?;
            next = lines.next().map_err(|error| error.told(&name))?;
        }
        let sections = reader.finish();
        let sections = sections.map_err(|diverged| not_usable(&name, &diverged))?;
        return Ok(Content::Tau(sections));
    };
    let mut all = vec![first];
    while let Some(line) = lines.next().map_err(|error| error.told(&name))? {
        all.push(line);
    }
    // The same file is the same conversation; what comes from a pipe is told apart by what it says.
    let own_name = match file.canonicalize() {
        Ok(path) if file.as_os_str() != "-" => path.display().to_string(),
        _ => tau_core::journal::sha256_hex(&all.concat()),
    };
    let foreign = program.read(all.iter().map(Vec::as_slice), &own_name, now);
    let foreign = foreign.map_err(|diverged| not_usable(&name, &diverged))?;
    Ok(Content::Foreign(Box::new(foreign)))
}

/// The lines of a file, none of them longer than what fits in memory.
struct Lines {
    input: Box<dyn BufRead>,
    number: usize,
    bytes: u64,
}

/// Why there is no next line.
enum BadLine {
    Unreadable(io::Error),
    Diverged(Diverged),
}

impl BadLine {
    fn told(self, name: &str) -> Error {
        match self {
            Self::Unreadable(error) => Error::usage(format!("{name} cannot be read")).cause(error),
            Self::Diverged(diverged) => not_usable(name, &diverged),
        }
    }
}

impl Lines {
    fn open(file: &Path) -> io::Result<Self> {
        let input: Box<dyn BufRead> = match file.as_os_str() == "-" {
            true => Box::new(BufReader::new(io::stdin())),
            false => Box::new(BufReader::new(File::open(file)?)),
        };
        Ok(Self {
            input,
            number: 0,
            bytes: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, BadLine> {
        let mut line = Vec::new();
        let mut limited = self.input.by_ref().take(LINE_BYTES + 1);
        let read = limited.read_until(b'\n', &mut line);
        let read = read.map_err(BadLine::Unreadable)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        let too_long = |why: String| {
            let line = self.number;
            BadLine::Diverged(Diverged { line, why })
        };
        if line.len() as u64 > LINE_BYTES {
            return Err(too_long(format!(
                "it is longer than {} MiB",
                LINE_BYTES >> 20
            )));
        }
        if self.bytes > FILE_BYTES {
            return Err(too_long(format!(
                "the file is longer than {} MiB",
                FILE_BYTES >> 20
            )));
        }
        while line
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            line.pop();
        }
        Ok(Some(line))
    }
}

/// A report, for programs.
pub(crate) fn to_json(report: &Report, left: &[String], is_rehearsal: bool) -> Value {
    let sessions = report.sessions.iter().map(|session| {
        let renumbered = session.renumbered.iter();
        let renumbered: Vec<Value> = renumbered
            .map(|entry| json!({ "from": entry.from, "to": entry.to }))
            .collect();
        json!({
            "session": session.session,
            "outcome": session.outcome.name(),
            "added": session.added,
            "renumbered": renumbered,
        })
    });
    json!({
        "dry_run": is_rehearsal,
        "sessions": sessions.collect::<Vec<_>>(),
        "rows": {
            "added": report.rows_added,
            "kept": report.rows_kept,
            "replaced": report.rows_replaced,
            "same": report.rows_same,
        },
        "left_behind": left,
    })
}

/// A report, for people.
pub(crate) fn tell(ui: Ui, report: &Report, left: &[String], is_rehearsal: bool) {
    for session in &report.sessions {
        let done = match session.outcome {
            Outcome::New => format!("new, {} messages", session.added),
            Outcome::Same => "all of it was there".into(),
            Outcome::Merged => format!("{} messages added", session.added),
            Outcome::Replaced => format!("replaced, {} messages", session.added),
            Outcome::Flattened => format!(
                "new, {} messages; what it continued is not here as it was, so that came along",
                session.added
            ),
        };
        ui.line(format!("{}  {done}", session.session));
        for entry in &session.renumbered {
            let why = "its name was given to something else";
            ui.line(format!("  {} is now {}: {why}", entry.from, entry.to));
        }
    }
    let rows = [
        (report.rows_added, "memories added"),
        (report.rows_replaced, "memories replaced"),
        (
            report.rows_kept,
            "memories were there with other content, which stays",
        ),
        (report.rows_same, "memories were there"),
    ];
    for (count, what) in rows.into_iter().filter(|(count, _)| *count > 0) {
        ui.line(format!("{count} {what}"));
    }
    if !left.is_empty() {
        ui.note(format!("left behind: {}", ui::plain(&left.join(", "))));
    }
    if is_rehearsal {
        ui.note("nothing was imported: --dry-run");
    }
}
