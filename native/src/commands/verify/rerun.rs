//! Running again what can be: the same module with the same input must come to the same.

use serde::Serialize;
use std::{collections::BTreeMap, path::Path};
use tau_core::{
    ids::EffectId,
    journal::{
        Blobs, Summary,
        sections::Reader,
        verify::{Bad, lines},
    },
    receipt::rerun::{Again, finished},
    session::Journal,
};
use tau_platform::{HostTools, open};

use super::Found;
use crate::{
    config,
    credentials::Vault,
    exit::Error,
    home::Home,
    host::{self, HomeTools},
    plugins::State,
    store::Store,
    ui::{Ui, plain},
};

/// What came of running calls again.
#[derive(Debug, Default, Serialize)]
pub(super) struct Rerun {
    /// Calls that came to the same.
    same: u64,
    /// Why others were not run, and how many each time.
    not_run: BTreeMap<String, u64>,
}

impl Rerun {
    pub(super) fn tell(&self, ui: Ui) {
        ui.line(format!("{} calls run again came to the same", self.same));
        for (why, count) in &self.not_run {
            ui.line(format!("  {count} were not run again: {}", plain(why)));
        }
    }

    fn passed_over(&mut self, name: &str, why: &str) {
        *self.not_run.entry(format!("{name}: {why}")).or_default() += 1;
    }
}

/// The calls of a file that was verified.
pub(super) async fn of_file(
    mut found: Found,
    bytes: &[u8],
    home: &Home,
    workspace: Option<&Path>,
    ui: Ui,
) -> Result<Found, Error> {
    let mut reader = Reader::default();
    let unreadable =
        |error: &dyn std::fmt::Display| Error::usage("the file is not an export").cause(error);
    for line in lines(bytes) {
        reader.line(line).map_err(|error| unreadable(&error))?;
    }
    let sections = reader.finish().map_err(|error| unreadable(&error))?;
    let tools = tools(home, workspace, ui)?;
    let mut rerun = Rerun::default();
    for section in &sections {
        let Some((journal, ancestors)) = section.journals.split_last() else {
            continue;
        };
        let bad = each(&mut rerun, &tools, ancestors, journal, &section.blobs, 0).await?;
        if let Some((place, why)) = bad {
            let line = (section.first_line + place) as u64;
            found.verified.ok = false;
            found.verified.first_bad = Some(Bad { line, why });
            break;
        }
    }
    found.rerun = Some(rerun);
    Ok(found)
}

/// The calls of sessions that were verified.
pub(super) async fn of_store(
    mut found: Found,
    storage: &Store,
    sessions: &[Summary],
    home: &Home,
    workspace: Option<&Path>,
    ui: Ui,
) -> Result<Found, Error> {
    let tools = tools(home, workspace, ui)?;
    let mut rerun = Rerun::default();
    for Summary { session, .. } in sessions {
        let stored = open::load(storage, session).await?;
        let open::Stored {
            ancestors,
            journal,
            blobs,
        } = &stored;
        // What it continues is run again with the session that it is of.
        let own = ancestors.iter().map(Vec::len).sum();
        let bad = each(&mut rerun, &tools, ancestors, journal, blobs, own).await?;
        if let Some((place, why)) = bad {
            let line = (place - own) as u64 + 1;
            found.verified.ok = false;
            found.verified.first_bad = Some(Bad { line, why });
            found.chain = Some(format!("session {session}"));
            break;
        }
    }
    found.rerun = Some(rerun);
    Ok(found)
}

fn tools(home: &Home, workspace: Option<&Path>, ui: Ui) -> Result<HomeTools, Error> {
    let profile = config::load(&home.config_file())?;
    let vault = Vault::open(home, ui)?;
    host::tools(workspace, home, &profile, &vault)
}

/// Runs again what can be of the records from the one at `first` on. Gives the first that came to
/// something else.
async fn each(
    rerun: &mut Rerun,
    tools: &HomeTools,
    ancestors: &[Journal],
    journal: &Journal,
    blobs: &Blobs,
    first: usize,
) -> Result<Option<(usize, String)>, Error> {
    let calls = finished(ancestors, journal, blobs);
    let calls = calls.map_err(|error| Error::internal(error.to_string()))?;
    for call in calls.into_iter().filter(|call| call.place >= first) {
        let again = call.again.map_err(str::to_owned);
        match again.and_then(|again| is_offered(tools, &again).map(|()| again)) {
            Err(why) => rerun.passed_over(&call.name, &why),
            Ok(again) => {
                let output = tools.run(EffectId(0), again.run.clone()).await;
                if let Err(why) = again.compare(output) {
                    let why = format!("{} run again did not come to the same: {why}", call.name);
                    return Ok(Some((call.place, why)));
                }
                rerun.same += 1;
            }
        }
    }
    Ok(None)
}

/// Whether the very module is here, and gets nothing but its input.
fn is_offered(tools: &HomeTools, again: &Again) -> Result<(), String> {
    let plugin = tools.plugins().get(&again.run.name);
    let plugin = plugin.ok_or("its module is not here")?;
    if plugin.digest != again.ran.module {
        return Err("another module has its name here".into());
    }
    let manifest = plugin
        .manifest
        .as_ref()
        .filter(|_| plugin.state == State::Ready);
    let manifest = manifest.ok_or_else(|| plugin.why_not())?;
    match manifest.capabilities.is_none() {
        true => Ok(()),
        false => Err(format!(
            "it gets more than its input: {}",
            plugin.asks().join(", ")
        )),
    }
}
