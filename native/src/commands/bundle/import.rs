//! `tau bundle import`.

use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};
use tau_core::{
    bundle::{Kind, PartName},
    ids::SessionId,
    safety::Gate,
};
use tau_kamn::bytes::hex;
use tau_platform::{
    Clock, NoEmbedder,
    bundle::{Author, ImportError, Planned, Wish, author_of, learn_signers, plan},
    memory::{Kept, Service},
    transfer::{Mode, TransferError},
};
use tau_target_native::TokioClock;

use super::{
    What,
    folders::{self, Became},
    only, refused, short, whole, workspace,
};
use crate::{
    commands::session::import as session_import,
    config,
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, of_log},
    sessions,
    ui::{self, Ui},
};

/// What an import takes over without being asked for it by name: what is in the store.
const DEFAULT: [What; 2] = [What::Sessions, What::Memory];

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bundle; `-` is stdin.
    file: PathBuf,
    /// Only this; may be repeated [default: sessions,memory].
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<What>,
    /// Put the bundle's sessions in the place of those that are there, instead of adding to them.
    #[arg(long)]
    replace: bool,
    /// Nobody else wrote any of it: do not treat another agent's words as words of others.
    #[arg(long)]
    own: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The file with the passphrase of a sealed one [default: TAU_PASSPHRASE].
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The folder that identity files go to [default: this one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let wants: BTreeSet<What> = only(&args.only, &DEFAULT);
    let passphrase = args.passphrase_file.as_deref();
    let is_wanted = |name: &PartName| What::of(name).is_none_or(|what| wants.contains(&what));
    let read = whole(&args.file, passphrase, is_wanted, home, ui).await?;
    let whole = read.map_err(|error| refused(&args.file, &error))?;
    let storage = home.store()?;
    let now = TokioClock.now();
    let profile = config::load(&home.config_file())?;
    let own = Identity::load(home)?;
    let own = own.as_ref().map(Identity::log);
    let failed = |error: ImportError| not_imported(&args, error);
    let author = author_of(&storage, &whole.manifest, own, now, args.dry_run).await;
    let author = author.map_err(failed)?;
    let gate = Gate::new(&profile.policy);
    let wish = Wish {
        mode: match args.replace {
            true => Mode::Replace,
            false => Mode::Merge,
        },
        own: args.own || author == Author::Own,
        now,
        seed: sessions::seed()?,
        gate: &gate,
    };
    let manifest = whole.manifest.clone();
    let left: Vec<PartName> = manifest
        .parts()
        .iter()
        .map(|part| &part.name)
        .filter(|name| !is_wanted(name))
        .cloned()
        .collect();
    let files = folders::plan(
        &whole.parts,
        &home.tools(),
        &workspace(args.workspace.clone()),
    )?;
    let ids: Vec<SessionId> = manifest
        .parts()
        .iter()
        .filter(|part| *part.name.kind() == Kind::Session && is_wanted(&part.name))
        .map(|part| SessionId(part.name.slug().into()))
        .collect();
    // Held before it is looked what is there; nobody else writes to what is imported.
    let _held = match args.dry_run {
        true => Vec::new(),
        false => storage.hold_all(home, &ids, "tau bundle import").await?,
    };
    let planned = plan(&storage, whole, &profile.policy, &wish)
        .await
        .map_err(failed)?;
    let memory = Service::new(storage.clone(), NoEmbedder, TokioClock);
    let kept = memory
        .keep_all(&planned.memories, planned.batch.clone(), args.dry_run)
        .await
        .map_err(|failure| Error::new(Exit::Store, failure.to_string()).hint(NOTHING))?;
    if !args.dry_run {
        learn_signers(&storage, &planned.logs)
            .await
            .map_err(failed)?;
    }
    let mut written = Vec::new();
    for file in &files {
        let became = match args.dry_run {
            true => file.state()?,
            false => file.write()?,
        };
        written.push((file.part.clone(), file.to.display().to_string(), became));
    }
    if !args.dry_run {
        tighten(home, &planned)?;
    }
    let done = Done {
        author,
        planned,
        kept,
        written,
        left,
    };
    match args.json {
        true => {
            let mut told = done.to_json(args.dry_run);
            told["id"] = hex(manifest.id()).into();
            told["did"] = manifest.did().into();
            ui.json(&told);
        }
        false => {
            let by = match done.author {
                Author::Own => "this agent itself".into(),
                Author::Known => manifest.did(),
                Author::New => format!("{}, seen for the first time", manifest.did()),
            };
            ui.note(format!("bundle {} by {by}", short(manifest.id())));
            done.tell(ui, args.dry_run);
        }
    }
    Ok(Exit::Ok)
}

const NOTHING: &str = "nothing was imported";

/// Makes the profile as strict as the bundle's policy.
fn tighten(home: &Home, planned: &Planned) -> Result<(), Error> {
    let Some(tightened) = planned
        .policy
        .as_ref()
        .filter(|policy| !policy.changes.is_empty())
    else {
        return Ok(());
    };
    let changes: Vec<(String, &str)> = tightened
        .changes
        .iter()
        .map(|(key, _, to)| (format!("policy.{key}"), to.as_str()))
        .collect();
    let changes: Vec<(&str, Option<&str>)> = changes
        .iter()
        .map(|(key, to)| (key.as_str(), Some(*to)))
        .collect();
    config::set(home, &changes)
}

fn not_imported(args: &Args, error: ImportError) -> Error {
    let name = args.file.display();
    match error {
        ImportError::Bundle(error) => Error::usage(format!("{name}: {} is refused", error.place))
            .cause(error.reason)
            .hint(NOTHING),
        ImportError::Part { part, why } => Error::usage(format!("{name}: part {part} is refused"))
            .cause(why)
            .hint(NOTHING),
        ImportError::Log(error) => of_log(error),
        ImportError::Transfer(TransferError::Store(error)) | ImportError::Store(error) => {
            error.into()
        }
        ImportError::Transfer(TransferError::Open(error)) => error.into(),
        ImportError::Transfer(error) => Error::usage(error.to_string()).hint(NOTHING),
    }
}

/// What was done.
struct Done {
    author: Author,
    planned: Planned,
    kept: Kept,
    written: Vec<(PartName, String, Became)>,
    left: Vec<PartName>,
}

impl Done {
    fn to_json(&self, is_rehearsal: bool) -> Value {
        let report = &self.planned.report;
        let names =
            |names: &[PartName]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let changes = self.planned.policy.as_ref().map(|policy| {
            let changes = policy.changes.iter();
            let change = |(key, from, to): &(String, String, String)| json!({ "key": key, "from": from, "to": to });
            changes.map(change).collect::<Vec<_>>()
        });
        let written = self.written.iter();
        let written = written.map(
            |(part, to, became)| json!({ "part": part.to_string(), "file": to, "became": became }),
        );
        let mut told = session_import::to_json(&report.sessions, &[], is_rehearsal);
        told["author"] = self.author.name().into();
        told["receipts"] = json!({
            "added": report.receipts.added, "same": report.receipts.same, "kept": report.receipts.kept,
        });
        told["memories"] = json!({
            "new": self.kept.new, "same": self.kept.same, "forgotten": self.kept.forgotten,
            "refused": report.refused_count,
        });
        told["policy"] = json!(changes);
        told["files"] = written.collect();
        told["unknown"] = json!(names(&report.unknown));
        told["unchanged"] = json!(names(&report.unchanged));
        told["left_behind"] = json!(names(&self.left));
        told
    }

    fn tell(&self, ui: Ui, is_rehearsal: bool) {
        let report = &self.planned.report;
        session_import::tell(ui, &report.sessions, &[], false);
        let counts = [
            (report.receipts.added, "receipts added"),
            (
                report.receipts.kept,
                "receipts are of another course of a session that is here, and are not taken",
            ),
            (self.kept.new, "memories added"),
            (self.kept.same, "memories were there"),
            (
                self.kept.forgotten,
                "memories were forgotten here, and stay so",
            ),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            ui.line(format!("{count} {what}"));
        }
        for why in &report.refused {
            ui.warn(ui::one_line(&format!("not kept: {why}"), 200));
        }
        if report.refused_count > report.refused.len() as u64 {
            ui.warn(format!(
                "{} memories in all are not kept",
                report.refused_count
            ));
        }
        if let Some(policy) = &self.planned.policy {
            if policy.changes.is_empty() {
                ui.line("the policy here is as strict already");
            }
            for (key, from, to) in &policy.changes {
                ui.line(ui::plain(&format!("policy.{key}: {from} -> {to}")));
            }
        }
        for (part, to, became) in &self.written {
            let what = match became {
                Became::Written => "is at",
                Became::Same => "was at",
                Became::Kept => "is not imported: something else is at",
            };
            ui.line(ui::plain(&format!("{part} {what} {to}")));
        }
        if self
            .written
            .iter()
            .any(|(part, ..)| *part.kind() == Kind::Module)
        {
            ui.note("a tool that asks for something runs once you approve it (tau tool approve)");
        }
        if !report.unknown.is_empty() {
            let names: Vec<String> = report.unknown.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            ui.warn(format!(
                "kept out, because this Tau does not know it: {names}"
            ));
        }
        if !report.unchanged.is_empty() {
            let count = report.unchanged.len();
            ui.note(format!(
                "{count} parts are in the bundle before it; import that one, too"
            ));
        }
        if !self.left.is_empty() {
            let names: Vec<String> = self.left.iter().map(ToString::to_string).collect();
            ui.note(format!("left out: {} (--only takes it)", names.join(", ")));
        }
        if is_rehearsal {
            ui.note("nothing was imported: --dry-run");
        }
    }
}
