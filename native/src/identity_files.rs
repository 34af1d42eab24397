//! The files that say who the agent is, how it works and for whom: found in the workspace, and
//! which of them a person said are theirs.
//!
//! Invariant: a yes is to the very bytes that are used, in one folder. What changed since is the
//! folder's words again, and so is what came with a clone.

use serde_json::{Value, json};
use tau_core::identity_files::{self, File, Found, Kind, READ_BYTES, Section, State};

use crate::{
    credentials::Vault,
    exit::Error,
    home::Home,
    host::HomeTools,
    plugins::Approvals,
    ui::{self, Ui},
};

/// What was found in one workspace.
#[derive(Debug)]
pub(crate) struct IdentityFiles {
    files: Vec<File>,
    /// The workspace.
    folder: String,
    approvals: Approvals,
}

/// What of it goes into the system prompt.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) sections: Vec<Section>,
    pub(crate) told: Vec<(Kind, State)>,
}

impl IdentityFiles {
    /// Those of the workspace of `tools`.
    pub(crate) fn find(tools: &HomeTools, home: &Home) -> Self {
        let folder = tools.workspace().to_string_lossy().into_owned();
        let approvals = Approvals::of_files(home);
        let look = |kind: Kind| {
            let found = match tools.peek(kind.path(), READ_BYTES as u64) {
                Ok(None) => Found::Missing,
                Ok(Some(peek)) => Found::Bytes {
                    bytes: peek.bytes,
                    total_bytes: peek.total_bytes,
                },
                Err(why) => Found::Unusable {
                    why: match why.strip_prefix(kind.path()) {
                        Some(rest) => format!("it{rest}"),
                        None => why,
                    },
                },
            };
            let mut file = File {
                kind,
                found,
                confirmed: false,
            };
            let digest = digest(&folder, &file);
            file.confirmed = digest.is_some_and(|digest| approvals.holds(&digest));
            file
        };
        Self {
            files: Kind::ALL.into_iter().map(look).collect(),
            folder,
            approvals,
        }
    }

    /// The sections that they make within `budget_tokens`. No known credential stands in them.
    pub(crate) fn used(&self, budget_tokens: u32, vault: &Vault) -> Used {
        let (mut sections, told) = identity_files::sections(self.files.clone(), budget_tokens);
        for section in &mut sections {
            vault.redact(&mut section.text);
        }
        Used { sections, told }
    }

    /// Keeps a person's yes to what was found of `kind`, in the place of an earlier one.
    pub(crate) fn confirm(&self, kind: Kind) -> Result<(), Error> {
        let file = self.files.iter().find(|file| file.kind == kind);
        let Some(digest) = file.and_then(|file| digest(&self.folder, file)) else {
            return Err(Error::usage(format!("there is no {} here", kind.path())));
        };
        self.forget(kind)?;
        self.approvals.add(&digest, &self.name(kind))
    }

    /// Takes a yes back.
    pub(crate) fn forget(&self, kind: Kind) -> Result<(), Error> {
        self.approvals.remove(&self.name(kind))
    }

    fn name(&self, kind: Kind) -> String {
        format!("{}\n{}", kind.path(), self.folder)
    }
}

/// What a yes to `file` is kept under.
fn digest(folder: &str, file: &File) -> Option<String> {
    match &file.found {
        Found::Bytes { bytes, .. } => Some(identity_files::digest(folder, file.kind, bytes)),
        Found::Missing | Found::Unusable { .. } => None,
    }
}

impl Used {
    /// Says which files are used and as whose words, and what is wrong with the others.
    pub(crate) fn tell(&self, ui: Ui) {
        ui.note(self.line());
        for (kind, state) in &self.told {
            let path = kind.path();
            match state {
                State::Empty => ui.warn(format!("{path} is empty: nothing of it is used")),
                State::Unusable { why } => {
                    ui.warn(ui::plain(&format!("{path} is not used: {why}")));
                }
                State::Used { left_out_bytes, .. } if *left_out_bytes > 0 => ui.warn(format!(
                    "{path} is too long: {left_out_bytes} bytes of its end are not used"
                )),
                State::Used { .. } | State::Missing => {}
            }
        }
        if self.sections.iter().any(|section| !section.confirmed) {
            ui.note(
                "a file that you did not confirm is used as words of the folder, not as yours \
                 (tau instructions confirm)",
            );
        }
    }

    /// All of them in a line.
    pub(crate) fn line(&self) -> String {
        let is_missing = |(_, state): &&(Kind, State)| *state == State::Missing;
        let missing: Vec<&str> = self
            .told
            .iter()
            .filter(is_missing)
            .map(|(kind, _)| kind.path())
            .collect();
        let used: Vec<String> = self
            .told
            .iter()
            .filter_map(|(kind, state)| match state {
                State::Used {
                    tokens, confirmed, ..
                } => {
                    let whose = if *confirmed { "yours" } else { "the folder's" };
                    Some(format!("{} ({tokens} tokens, {whose})", kind.path()))
                }
                _ => None,
            })
            .collect();
        match (used.is_empty(), missing.is_empty()) {
            (true, true) => "instructions: no file can be used".into(),
            (true, false) => format!("instructions: there is no {}", missing.join(", ")),
            (false, true) => format!("instructions: {}", used.join(", ")),
            (false, false) => format!(
                "instructions: {}; there is no {}",
                used.join(", "),
                missing.join(", ")
            ),
        }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let row = |(kind, state): &(Kind, State)| {
            let mut row = json!(state);
            row["path"] = kind.path().into();
            row["about"] = kind.about().into();
            row
        };
        self.told.iter().map(row).collect()
    }
}
