//! Memory as a person sees it: the entries the agent's tools write and search.

use serde_json::{Value, json};
use tau_core::{memory, order, safety::Gate, session::Batch};
use tau_platform::Storage;

use crate::{State, error::Refused};

/// The part of memory the agent sees.
pub(crate) const NAMESPACE: &str = "default";
/// Entries a search finds.
const FOUND: usize = 50;

/// The entries, the newest first; with a query those that share words with it, the best first.
pub(crate) async fn list(state: &State, query: Option<&str>) -> Result<Value, Refused> {
    let rows = state.storage().scan(memory::range(NAMESPACE)).await?;
    let found = match query.map(str::trim).filter(|query| !query.is_empty()) {
        Some(query) => memory::search(&rows, query, FOUND),
        None => {
            let mut all: Vec<_> = memory::entries(&rows).collect();
            order::sort_by(&mut all, |a, b| (b.at, &a.id) < (a.at, &b.id));
            all
        }
    };
    Ok(json!(found))
}

/// Keeps a text of the person's own.
pub(crate) async fn add(state: &State, text: &str) -> Result<Value, Refused> {
    let gate = Gate::new(&state.settings.borrow().policy());
    let entry = memory::Memory::by_person(&state.draw_id()?, text, state.now(), &gate)?;
    let key = memory::key(NAMESPACE, &entry.id);
    let batch = Batch {
        require_absent: vec![key.clone()],
        put: vec![(key, entry.to_bytes())],
        delete: Vec::new(),
    };
    state.commit(batch).await?;
    Ok(json!(entry))
}

/// Removes an entry.
pub(crate) async fn remove(state: &State, id: &str) -> Result<Value, Refused> {
    let key = memory::key(NAMESPACE, id);
    if state.storage().get(key.clone()).await?.is_none() {
        return Err(Refused::new(
            "no_memory",
            format!("there is no entry {id:?}"),
        ));
    }
    let batch = Batch {
        delete: vec![key],
        ..Batch::default()
    };
    state.commit(batch).await?;
    Ok(Value::Null)
}
