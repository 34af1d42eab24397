//! Keeping, changing, forgetting, having back, building the index again.

use std::io::Read;
use tau_core::{
    memory::{
        Action, Answer, Draft, Kept,
        entry::PERSON,
        request::{Changes, Was},
    },
    safety::Gate,
};

use super::{Memory, failed, show};
use crate::{config, exit::Error, ui};

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The text; `-` reads it from stdin.
    text: String,
    /// What it is: note, fact, preference, event or one of your own.
    #[arg(long)]
    kind: Option<String>,
    /// What it is about; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Where it is filed, such as projects/tau.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    namespace: String,
    /// How much it matters, 0 to 10.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    importance: u8,
    /// Another entry it belongs to; may be given several times.
    #[arg(long = "link", value_name = "ID")]
    links: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Add {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let text = given(self.text)?;
        let draft = Draft {
            text: text.clone(),
            kind: self.kind,
            tags: self.tags,
            namespace: self.namespace,
            importance: self.importance,
            links: self.links,
            source: PERSON.into(),
            ..Draft::default()
        };
        let action = through(memory, Action::Remember { draft, scope: None })?;
        let Answer::Remembered { kept, was } = memory.ask(action).await? else {
            return Ok(());
        };
        if was == Was::New && kept.entry.text != text.trim().replace("\r\n", "\n") {
            memory
                .ui
                .warn("secrets in the text are not kept: they are replaced");
        }
        if was == Was::Same {
            memory.ui.note("the same was remembered before");
        }
        if self.json {
            memory.ui.json(&show::entry(&kept));
        } else {
            memory.ui.line(&kept.entry.id);
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Update {
    /// Its name, or the beginning of it.
    id: String,
    /// Another text; `-` reads it from stdin.
    #[arg(long)]
    text: Option<String>,
    /// What it is.
    #[arg(long)]
    kind: Option<String>,
    /// All its tags from here on; may be given several times, and empty for none.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Option<Vec<String>>,
    /// Where it is filed from here on.
    #[arg(long, value_name = "PATH")]
    namespace: Option<String>,
    /// How much it matters, 0 to 10.
    #[arg(long, value_name = "N")]
    importance: Option<u8>,
    /// All its links from here on; may be given several times, and empty for none.
    #[arg(long = "link", value_name = "ID")]
    links: Option<Vec<String>>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Update {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let some = |list: Option<Vec<String>>| {
            list.map(|list| list.into_iter().filter(|word| !word.is_empty()).collect())
        };
        let changes = Changes {
            text: self.text.map(given).transpose()?,
            kind: self.kind,
            tags: some(self.tags),
            namespace: self.namespace,
            importance: self.importance,
            links: some(self.links),
            ..Changes::default()
        };
        if changes == Changes::default() {
            return Err(Error::usage("nothing is to be changed")
                .hint("give --text, --kind, --tag, --namespace, --importance or --link"));
        }
        let id = self.id;
        let action = through(memory, Action::Update { id, changes })?;
        told(memory, memory.ask(action).await?, self.json, "changed");
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Rm {
    /// Their names, or the beginnings of them.
    #[arg(required = true)]
    ids: Vec<String>,
    /// For good: they cannot be had back.
    #[arg(long)]
    purge: bool,
    /// Print one JSON object: `{"memories": […]}`.
    #[arg(long)]
    json: bool,
}

impl Rm {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let Self { ids, purge, json } = self;
        let answer = memory.ask(Action::Forget { ids, purge }).await?;
        told(memory, answer, json, "forgotten");
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Undelete {
    /// Their names, or the beginnings of them.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Print one JSON object: `{"memories": […]}`.
    #[arg(long)]
    json: bool,
}

impl Undelete {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let answer = memory.ask(Action::Restore { ids: self.ids }).await?;
        told(memory, answer, self.json, "restored");
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Reindex {
    /// Print one JSON object: `{"entries": N}`.
    #[arg(long)]
    json: bool,
}

impl Reindex {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let mut entries = 0;
        for scope in memory.access.scopes() {
            entries += memory.service.reindex(scope).await.map_err(failed)?;
        }
        if self.json {
            memory.ui.json(&serde_json::json!({ "entries": entries }));
        } else {
            memory
                .ui
                .note(format!("{entries} entries are indexed again"));
        }
        Ok(())
    }
}

/// A text of the command line or of stdin.
fn given(text: String) -> Result<String, Error> {
    if text != "-" {
        return Ok(text);
    }
    let mut piped = String::new();
    let mut stdin = std::io::stdin().lock();
    stdin
        .read_to_string(&mut piped)
        .map_err(|error| Error::usage("stdin cannot be read as text").cause(error))?;
    Ok(piped)
}

/// What a person has kept passes the gate of their profile.
fn through(memory: &Memory<'_>, action: Action) -> Result<Action, Error> {
    let gate = Gate::new(&config::load(&memory.home.config_file())?.policy);
    action.through(&gate).map_err(|error| failed(error.into()))
}

fn told(memory: &Memory<'_>, answer: Answer, json: bool, done: &str) {
    let Answer::Entries { entries } = answer else {
        return;
    };
    if json {
        let all: Vec<_> = entries.iter().map(show::entry).collect();
        memory.ui.json(&serde_json::json!({ "memories": all }));
        return;
    }
    for Kept { entry, .. } in &entries {
        memory.ui.line(format!("{} {}", ui::dim(&entry.id), done));
    }
}
