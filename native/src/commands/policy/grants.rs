//! What a person allowed for good: shown, and taken back.

use serde_json::json;
use tau_core::{policy::Grant, session::Batch, tool::dispatch::nearest};
use tau_platform::{Storage, open};

use crate::{
    commands::block_on,
    exit::{Error, Exit},
    home::Home,
    ui::{self, Ui},
};

/// Shows what was allowed for good.
pub(super) fn list(home: &Home, ui: Ui, json: bool) -> Result<Exit, Error> {
    let grants = block_on(async { Ok::<_, Error>(open::grants(&home.store()?).await?) })??;
    if json {
        ui.json(&json!({ "grants": grants }));
    } else if grants.is_empty() {
        ui.note("nothing was allowed for good");
    } else {
        for grant in &grants {
            let from = format!("in session {}", grant.session);
            ui.line(format!("{}  {}", ui::plain(&grant.rule), ui::dim(from)));
        }
    }
    Ok(Exit::Ok)
}

/// Takes a yes back, from the next session that is opened on.
pub(super) fn revoke(home: &Home, ui: Ui, rule: &str) -> Result<Exit, Error> {
    block_on(async {
        let storage = home.store()?;
        let grants = open::grants(&storage).await?;
        if !grants.iter().any(|grant| grant.rule == rule) {
            let near = nearest(rule, grants.iter().map(|grant| grant.rule.as_str()));
            let error = Error::usage(format!("{rule:?} is not allowed for good"));
            return Err(match near {
                Some(near) => error.hint(format!("did you mean {near:?}?")),
                None => error.hint("`tau policy grants` shows what is"),
            });
        }
        let batch = Batch {
            delete: vec![Grant::key(rule)],
            ..Batch::default()
        };
        storage.commit(batch).await?;
        ui.note(format!(
            "{rule:?} is asked about again from the next session on"
        ));
        Ok(Exit::Ok)
    })?
}
