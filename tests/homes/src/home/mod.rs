//! The homes, each as a lane: one process at a time that does tasks, and can be ended and begun
//! again on the same store.

pub(crate) mod native;
mod page;
mod workerd;

pub use native::NativeLane;
pub use page::{FLAGS, PageLane};
pub use workerd::WorkerdLane;

use anyhow::Result;
use std::fmt;
use tau_tests::task::Task;

use crate::server::page::Said;

/// Where Tau runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Home {
    /// A program: reqwest and SQLite.
    Native,
    /// A Durable Object in workerd: fetch and its SQL storage.
    Workerd,
    /// A Web Worker of a page in Chromium: fetch and IndexedDB.
    Page,
}

impl Home {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Native, Self::Workerd, Self::Page];
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::Workerd => "workerd",
            Self::Page => "page",
        })
    }
}

/// One process of a home at a time.
#[expect(
    async_fn_in_trait,
    reason = "each lane is used by its own type, in one thread"
)]
pub trait Lane {
    /// Has it do a task.
    async fn perform(&mut self, task: &Task) -> Result<Said>;

    /// Ends the process as hard as can be, and begins another one that finds the same stores.
    async fn restart(&mut self) -> Result<()>;
}
