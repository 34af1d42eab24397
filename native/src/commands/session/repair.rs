//! `tau session repair`: what can still be read of a damaged store.

use serde_json::json;
use tau_target_native::sqlite;

use crate::{
    exit::{Error, Exit},
    home::Home,
    store::Place,
    ui::Ui,
};

/// Runs the command.
pub(super) fn run(home: &Home, ui: Ui, json: bool) -> Result<Exit, Error> {
    let file = match home.place()? {
        Place::File(file) => file,
        Place::Server(options) => {
            return Err(Error::usage(format!(
                "{options} is not a file: `repair` is for SQLite alone"
            ))
            .hint(
                "PostgreSQL mends itself after a crash; pg_amcheck looks for damage, and a backup \
                 brings back what is lost",
            ));
        }
    };
    if !file.exists() {
        return Err(Error::usage(format!(
            "there is no store at {}",
            file.display()
        )));
    }
    let report = sqlite::repair(&file)?;
    let gaps: Vec<_> = report
        .gaps
        .iter()
        .map(|gap| json!({ "after": gap.after, "before": gap.before }))
        .collect();
    if json {
        ui.json(&json!({
            "store": file,
            "damaged": report.damaged,
            "rows": report.rows,
            "gaps": gaps,
        }));
        return Ok(Exit::Ok);
    }
    match &report.damaged {
        None => ui.line(format!(
            "the store is sound: {} keys, nothing was changed",
            report.rows
        )),
        Some(damaged) => {
            ui.line(format!("{} keys were saved", report.rows));
            ui.line(format!("the damaged file is kept as {}", damaged.display()));
            for gap in &report.gaps {
                let after = gap.after.as_deref().unwrap_or("the beginning");
                let before = gap.before.as_deref().unwrap_or("the end");
                ui.line(format!("lost: what was between {after} and {before}"));
            }
        }
    }
    Ok(Exit::Ok)
}
