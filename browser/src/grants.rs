//! Every yes that outlives its conversation, as a person sees it and takes it back.

use serde_json::{Value, json};
use tau_core::{order, policy::Grant, session::Batch};
use tau_platform::{Storage, open};

use crate::{State, error::Refused};

impl State {
    /// Reads from the store what was allowed for good: another tab may have changed it.
    pub(crate) async fn read_grants(&self) -> Result<(), Refused> {
        let grants = open::grants(self.storage()).await?;
        let rules = grants.into_iter().map(|grant| grant.rule).collect();
        self.grants.replace(rules);
        Ok(())
    }
}

/// What was allowed for good, the last first.
pub(crate) async fn list(state: &State) -> Result<Value, Refused> {
    let mut grants = open::grants(state.storage()).await?;
    order::sort_by(&mut grants, |a, b| (b.at, &a.rule) < (a.at, &b.rule));
    Ok(json!(grants))
}

/// Takes a yes back, from the next message on.
pub(crate) async fn revoke(state: &State, rule: &str) -> Result<Value, Refused> {
    let key = Grant::key(rule);
    if state.storage().get(key.clone()).await?.is_none() {
        return Err(Refused::new(
            "no_grant",
            format!("{rule:?} is not allowed for good"),
        ));
    }
    let batch = Batch {
        delete: vec![key],
        ..Batch::default()
    };
    state.commit(batch).await?;
    state.read_grants().await?;
    Ok(Value::Null)
}
