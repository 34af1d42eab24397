//! Carrying out the routines of one session: what is due is said in it, and its runs are recorded.
//!
//! What is due, and which record comes of it, is decided in [`tau_core::routine`]. A home calls
//! [`run_due`] whenever [`next_due`] has come and the session is at rest, and [`settle`] when it
//! opens the session, for runs whose end another process did not live to see.

use alloc::{string::ToString, vec::Vec};
use futures_util::StreamExt;
use tau_core::{
    ids::{SessionId, UnixMillis},
    journal::{self, Body, Chain, blob},
    routine::{self, Routine, Run},
    session::{Batch, Command, CommandError, Event, StoreError},
};

use crate::{
    clock::Clock,
    live::{Live, Watch},
    storage::Storage,
};

/// Routines a session may have.
pub const LIMIT: u32 = 100;
/// Runs of a routine that are kept.
const KEPT_RUNS: usize = 100;

/// The session's routines, by name.
pub async fn list(storage: &impl Storage, session: &SessionId) -> Result<Vec<Routine>, StoreError> {
    let rows = storage.scan(routine::range(session, LIMIT)).await?;
    Ok(rows
        .iter()
        .filter_map(|(_, row)| Routine::read(row))
        .collect())
}

/// The runs of a routine that are kept, oldest first.
pub async fn runs(
    storage: &impl Storage,
    session: &SessionId,
    id: &str,
) -> Result<Vec<Run>, StoreError> {
    let rows = storage.scan(routine::runs(session, id, u32::MAX)).await?;
    Ok(rows.iter().filter_map(|(_, row)| Run::read(row)).collect())
}

/// When the next routine of the session is due.
pub async fn next_due(
    storage: &impl Storage,
    session: &SessionId,
) -> Result<Option<UnixMillis>, StoreError> {
    let routines = list(storage, session).await?;
    Ok(routines.iter().filter_map(|routine| routine.next).min())
}

/// Removes a routine and its runs; whether there was one.
pub async fn remove(
    storage: &impl Storage,
    session: &SessionId,
    id: &str,
) -> Result<bool, StoreError> {
    let key = routine::key(session, id);
    if storage.get(key.clone()).await?.is_none() {
        return Ok(false);
    }
    let rows = storage.scan(routine::runs(session, id, u32::MAX)).await?;
    let delete = rows.into_iter().map(|(key, _)| key).chain([key]).collect();
    storage
        .commit(Batch {
            delete,
            ..Batch::default()
        })
        .await?;
    Ok(true)
}

/// Says what is due in the session behind `live`, one routine after another, each to the end of its
/// turn. Returns how many ran. A turn that waits for an approval is waited for.
pub async fn run_due(
    storage: &impl Storage,
    clock: &impl Clock,
    live: &Live,
    session: &SessionId,
) -> Result<usize, StoreError> {
    let mut count = 0;
    for listed in list(storage, session).await? {
        // Turns have passed since the list was read: it may be gone, or another by now.
        let stored = storage.get(listed.key()).await?;
        let Some(routine) = stored.as_deref().and_then(Routine::read) else {
            continue;
        };
        let Some((moved, run)) = routine.fire(clock.now()) else {
            continue;
        };
        match storage.commit(moved.begin(&run)).await {
            Ok(()) => {}
            // This due time was taken already: by another, or by one that had the same name.
            Err(StoreError::Conflict { .. }) => {
                storage.commit(moved.save()).await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        forget_old(storage, session, &run.routine).await?;
        say(storage, live, &moved, run).await?;
        count += 1;
    }
    Ok(count)
}

/// Says what the routine says, once no other turn runs, and follows its turn to the end.
async fn say(
    storage: &impl Storage,
    live: &Live,
    routine: &Routine,
    mut run: Run,
) -> Result<(), StoreError> {
    let mut watch = live.watch(Some(live.mark()));
    loop {
        let prompt = Command::Prompt {
            text: routine.prompt.clone(),
            images: Vec::new(),
        };
        match live.submit(prompt).await {
            Ok(()) => break,
            Err(CommandError::Busy) => rest(&mut watch).await,
            Err(error) => {
                run.refused = Some(error.to_string());
                return keep(storage, routine, &run).await;
            }
        }
    }
    while let Some((_, event)) = watch.next().await {
        match event {
            Event::TurnStarted { turn, .. } => run.turn = Some(turn),
            Event::TurnFinished { turn, outcome, .. } if run.turn == Some(turn) => {
                run.outcome = Some(outcome);
            }
            Event::Stopped { error } => run.refused = Some(error.to_string()),
            _ => continue,
        }
        keep(storage, routine, &run).await?;
        if run.outcome.is_some() || run.refused.is_some() {
            break;
        }
    }
    // A watch that fell behind leaves the rest to `settle`.
    Ok(())
}

/// Waits until a turn is over, or nothing is to be seen any more.
async fn rest(watch: &mut Watch) {
    while let Some((_, event)) = watch.next().await {
        if matches!(event, Event::TurnFinished { .. }) {
            break;
        }
    }
}

/// Stores the record of a run, unless its routine was removed.
async fn keep(storage: &impl Storage, routine: &Routine, run: &Run) -> Result<(), StoreError> {
    match storage.get(routine.key()).await? {
        Some(_) => storage.commit(run.save(&routine.session)).await,
        None => Ok(()),
    }
}

/// Completes the records of runs that another process began and did not live to see the end of. To
/// be called when the session is opened, and after a turn that was taken up has ended.
pub async fn settle(storage: &impl Storage, session: &SessionId) -> Result<(), StoreError> {
    for routine in list(storage, session).await? {
        for run in runs(storage, session, &routine.id).await? {
            let is_over = run.outcome.is_some() || run.refused.is_some();
            if !is_over {
                complete(storage, &routine, run).await?;
            }
        }
    }
    Ok(())
}

async fn complete(
    storage: &impl Storage,
    routine: &Routine,
    mut run: Run,
) -> Result<(), StoreError> {
    let session = &routine.session;
    let rows = storage.scan(journal::range(session, 0, u32::MAX)).await?;
    let mut chain = Chain::default();
    let before = run.clone();
    for (_, row) in &rows {
        let Ok(record) = chain.read(row) else { break };
        match record.body {
            Body::Prompt { turn, message, .. }
                if record.at >= run.started
                    && blob::stands_for(&message.joined_text(), &routine.prompt) =>
            {
                run.turn.get_or_insert(turn);
            }
            Body::TurnFinished { turn, outcome, .. } if run.turn == Some(turn) => {
                run.outcome = Some(outcome);
                break;
            }
            _ => {}
        }
    }
    if run.turn.is_none() {
        run.refused = Some("Tau ended before the prompt was stored".into());
    }
    if run == before {
        return Ok(());
    }
    keep(storage, routine, &run).await
}

async fn forget_old(
    storage: &impl Storage,
    session: &SessionId,
    id: &str,
) -> Result<(), StoreError> {
    let rows = storage.scan(routine::runs(session, id, u32::MAX)).await?;
    let old = rows.len().saturating_sub(KEPT_RUNS);
    if old == 0 {
        return Ok(());
    }
    let delete = rows.into_iter().take(old).map(|(key, _)| key).collect();
    storage
        .commit(Batch {
            delete,
            ..Batch::default()
        })
        .await
}

#[cfg(test)]
mod tests;
