//! Several processes of a home at once: each takes the next scenario when it is done with one.

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use std::{cell::Cell, num::NonZeroUsize, thread::available_parallelism};
use tau_tests::{
    searches::Figures,
    task::{Answer, Task},
};

use crate::{
    home::{Home, Lane, NativeLane, PageLane, WorkerdLane},
    play::{Case, Verdict, play_case},
    server::{Server, page::Said},
    suites::{Passed, run_all},
    tools::Tools,
};

/// Plays every case in `home`; `told` hears each verdict as it comes. In the order of the cases.
pub async fn play_all(
    home: Home,
    cases: &[Case],
    told: impl FnMut(&Verdict),
) -> Result<Vec<Verdict>> {
    let server = Server::start().await?;
    let lanes = 0..cases.len().min(lanes());
    match home {
        Home::Native => {
            let lanes = lanes.map(|_| NativeLane::start());
            share(home, lanes.collect::<Result<_>>()?, &server, cases, told).await
        }
        Home::Workerd => {
            let tools = Tools::find()?;
            let lanes = try_join_all(lanes.map(|_| WorkerdLane::start(&tools))).await?;
            share(home, lanes, &server, cases, told).await
        }
        Home::Page => {
            let tools = Tools::find()?;
            let lanes = try_join_all(lanes.map(|_| PageLane::start(&tools))).await?;
            share(home, lanes, &server, cases, told).await
        }
    }
}

/// Runs every suite in `home`.
pub async fn suites(home: Home) -> Result<Vec<Passed>> {
    let server = Server::start().await?;
    match home {
        Home::Native => run_all(home, &mut NativeLane::start()?, &server).await,
        Home::Workerd => {
            let mut lane = WorkerdLane::start(&Tools::find()?).await?;
            run_all(home, &mut lane, &server).await
        }
        Home::Page => {
            let mut lane = PageLane::start(&Tools::find()?).await?;
            run_all(home, &mut lane, &server).await
        }
    }
}

/// What searching a memory of as many entries costs in a page. A Worker's clock stands while it
/// computes, and the native home has a benchmark of its own.
pub async fn searches(entries: usize) -> Result<Figures> {
    let mut lane = PageLane::start(&Tools::find()?).await?;
    match lane.perform(&Task::Search(entries)).await? {
        Said::Answer(Answer::Measured(figures)) => Ok(figures),
        other => bail!("the page answers {other:?}"),
    }
}

/// As many as the machine has processors, within reason: a browser takes some memory.
fn lanes() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get).min(4)
}

async fn share<L: Lane>(
    home: Home,
    lanes: Vec<L>,
    server: &Server,
    cases: &[Case],
    told: impl FnMut(&Verdict),
) -> Result<Vec<Verdict>> {
    let (next, told) = (Cell::new(0), std::cell::RefCell::new(told));
    let play = async |mut lane: L| -> Result<Vec<(usize, Verdict)>> {
        let mut verdicts = Vec::new();
        loop {
            let number = next.replace(next.get() + 1);
            let Some(case) = cases.get(number) else {
                return Ok(verdicts);
            };
            let verdict = play_case(home, &mut lane, server, case)
                .await
                .with_context(|| format!("{} in {home}", case.name))?;
            told.borrow_mut()(&verdict);
            verdicts.push((number, verdict));
        }
    };
    let verdicts = try_join_all(lanes.into_iter().map(play)).await?;
    let mut verdicts: Vec<_> = verdicts.into_iter().flatten().collect();
    verdicts.sort_by_key(|(number, _)| *number);
    Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
}
