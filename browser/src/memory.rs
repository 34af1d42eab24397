//! Memory as a person sees it: the entries the agent's tools write and search, by the same service.

use serde_json::{Value, json};
use tau_core::{
    json::FromJson,
    memory::{
        Access, Action, Answer, Draft, Failure, Kept, Request, Search, entry::PERSON,
        request::Narrow,
    },
    safety::Gate,
};
use tau_platform::{Host, MemoryTools};

use crate::{State, error::Refused};

/// Estimated tokens of what is recalled at the beginning of a turn.
const RECALL_TOKENS: u32 = 300;
/// Entries a search finds.
const FOUND: u32 = 50;

/// What is asked of [`list`].
#[derive(FromJson)]
pub(crate) struct Asked {
    #[serde(default)]
    query: Option<String>,
    /// Only those that were forgotten.
    #[serde(default)]
    forgotten: bool,
}

/// What is given to [`add`].
#[derive(FromJson)]
pub(crate) struct New {
    text: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    namespace: String,
}

/// What of memory the page and its agent see: all of it is the person's.
pub(crate) fn access(is_embedded: bool) -> Access {
    Access {
        recall_tokens: RECALL_TOKENS,
        // A model this small is lost among many arguments.
        manages: !is_embedded,
        ..Access::of_person()
    }
}

async fn ask(state: &State, action: Action) -> Result<Answer, Refused> {
    let access = access(false);
    let reply = state
        .host
        .memory()
        .serve(Request { access, action })
        .await?;
    Ok(reply.answer)
}

/// Entries that get a vector between two looks at what else there is to do.
const STEP: usize = 32;

/// Gives vectors to what was kept without. Returns when all have one, or one could not be made:
/// the search that misses it says so.
pub(crate) async fn catch_up(state: &State) {
    let memory = state.host.memory();
    for scope in access(false).scopes() {
        loop {
            match memory.embed_missing(scope, STEP).await {
                Ok(step) if step.done > 0 && step.left > 0 => {}
                _ => break,
            }
        }
    }
}

/// The entries, the newest first; with a query those that match it, the best first.
pub(crate) async fn list(state: &State, asked: Asked) -> Result<Value, Refused> {
    let query = asked.query.as_deref().map(str::trim).unwrap_or_default();
    let action = match query {
        "" => Action::List {
            narrow: Narrow::default(),
            limit: None,
            forgotten: asked.forgotten,
        },
        query => Action::Search(Search {
            query: query.into(),
            limit: Some(FOUND),
            ..Search::default()
        }),
    };
    Ok(match ask(state, action).await? {
        Answer::Found { found } => {
            let all = found.into_iter().map(|found| Kept {
                scope: found.scope,
                entry: found.entry,
            });
            all.map(|kept| shown(&kept)).collect()
        }
        answer => entries(answer),
    })
}

/// Keeps a text of the person's own.
pub(crate) async fn add(state: &State, new: New) -> Result<Value, Refused> {
    let gate = Gate::new(&state.settings.borrow().policy());
    let draft = Draft {
        text: new.text,
        kind: new.kind,
        tags: new.tags,
        namespace: new.namespace,
        source: PERSON.into(),
        ..Draft::default()
    };
    let action = Action::Remember { draft, scope: None }.through(&gate)?;
    match ask(state, action).await? {
        Answer::Remembered { kept, .. } => Ok(shown(&kept)),
        _ => Ok(Value::Null),
    }
}

/// Hides an entry everywhere; it can be had back.
pub(crate) async fn remove(state: &State, id: &str) -> Result<Value, Refused> {
    let ids = vec![id.into()];
    let purge = false;
    ask(state, Action::Forget { ids, purge }).await?;
    Ok(Value::Null)
}

/// Has a forgotten entry back.
pub(crate) async fn restore(state: &State, id: &str) -> Result<Value, Refused> {
    let ids = vec![id.into()];
    Ok(entries(ask(state, Action::Restore { ids }).await?))
}

fn entries(answer: Answer) -> Value {
    match answer {
        Answer::Entries { entries } => entries.iter().map(shown).collect(),
        _ => Value::Null,
    }
}

/// An entry with whose it is.
fn shown(kept: &Kept) -> Value {
    let mut value = json!(kept.entry);
    value["scope"] = json!(kept.scope);
    value
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Refused { error } => error.into(),
            Failure::Missing { .. } => Self::new("no_memory", message),
            Failure::Ambiguous { .. } => Self::new("ambiguous", message),
            Failure::NoScope { .. } | Failure::BadQuery { .. } => Self::bad_request(message),
            Failure::NoVectors { .. } => Self::new("no_vectors", message),
            Failure::Store { error } => error.into(),
            Failure::Damaged { .. } => Self::new("memory_damaged", message),
        }
    }
}
