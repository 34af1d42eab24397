//! Tasks: who asked whom for what, and how far it is.
//!
//! ```text
//!   Submitted ─> Accepted ─> (Delegated ─>) InProgress <─> Blocked, InputRequired
//!                                              └─> Completed | Failed
//!   any of these ─> Cancelled
//! ```
//!
//! The assignee alone works, requester and assignee can cancel, and work begins when everything it
//! depends on is completed. Invariants: nothing follows an end; dependencies have no cycle, since a
//! task can depend only on tasks that were there before it; what is refused changes nothing.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use thiserror::Error as ThisError;

use crate::{did::KamnDid, error::beginning};

const ID_LIMIT_BYTES: usize = 256;

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Asked for.
    Submitted,
    /// The assignee will do it.
    Accepted,
    /// It was handed on to another assignee.
    Delegated,
    /// It is being done.
    InProgress,
    /// It cannot go on.
    Blocked,
    /// It cannot go on without an answer.
    InputRequired,
    /// It is done.
    Completed,
    /// It cannot be done.
    Failed,
    /// It is no longer wanted.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Submitted,
        Self::Accepted,
        Self::Delegated,
        Self::InProgress,
        Self::Blocked,
        Self::InputRequired,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As KAMN writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitted => "Submitted",
            Self::Accepted => "Accepted",
            Self::Delegated => "Delegated",
            Self::InProgress => "InProgress",
            Self::Blocked => "Blocked",
            Self::InputRequired => "InputRequired",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether `next` can follow. What needs an answer is like what is blocked.
    #[must_use]
    pub fn leads_to(self, next: Self) -> bool {
        use State::{
            Accepted, Blocked, Cancelled, Completed, Delegated, Failed, InProgress, InputRequired,
            Submitted,
        };
        match self {
            Submitted => matches!(next, Accepted | Cancelled),
            Accepted => matches!(next, Delegated | InProgress | Cancelled),
            Delegated => matches!(next, InProgress | Cancelled),
            InProgress => matches!(
                next,
                Blocked | InputRequired | Completed | Failed | Cancelled
            ),
            Blocked | InputRequired => matches!(next, InProgress | Failed | Cancelled),
            Completed | Failed | Cancelled => false,
        }
    }
}

/// Why a task refuses something.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum TaskError {
    /// A blank name, or one that is too long.
    #[error("{id:?} cannot name a task")]
    Id {
        /// The beginning of what was given.
        id: String,
    },
    /// A task that is there already.
    #[error("task {id:?} is there already")]
    Duplicate {
        /// Its name.
        id: String,
    },
    /// A task that is not there.
    #[error("there is no task {id:?}")]
    Unknown {
        /// The beginning of what was given.
        id: String,
    },
    /// A dependency that is not there, comes twice, or is the task itself.
    #[error("task {id:?} cannot depend on {dependency:?}: {why}")]
    Dependency {
        /// The task.
        id: String,
        /// What it would depend on.
        dependency: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// Something that cannot follow.
    #[error("a task that is {from} does not become {to}")]
    InvalidTransition {
        /// Where it stands.
        from: &'static str,
        /// What was asked for.
        to: &'static str,
    },
    /// Somebody who may not.
    #[error("{actor} may not make the task {to}")]
    Unauthorized {
        /// Who.
        actor: String,
        /// What was asked for.
        to: &'static str,
    },
    /// Something it depends on is not completed.
    #[error("task {dependency:?} is to be completed first")]
    Waiting {
        /// What it waits for.
        dependency: String,
    },
}

impl TaskError {
    /// A stable name for programs, in snake case.
    #[must_use]
    pub fn reason_code(&self) -> &'static str {
        match self {
            Self::Id { .. } => "task_id_invalid",
            Self::Duplicate { .. } => "task_duplicate",
            Self::Unknown { .. } => "task_unknown",
            Self::Dependency { .. } => "task_dependency_invalid",
            Self::InvalidTransition { .. } => "task_invalid_transition",
            Self::Unauthorized { .. } => "task_unauthorized",
            Self::Waiting { .. } => "task_dependency_incomplete",
        }
    }
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    id: String,
    requester: KamnDid,
    assignee: KamnDid,
    state: State,
    dependencies: BTreeSet<String>,
}

impl Task {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who asked for it.
    #[must_use]
    pub fn requester(&self) -> &KamnDid {
        &self.requester
    }

    /// Who is to do it.
    #[must_use]
    pub fn assignee(&self) -> &KamnDid {
        &self.assignee
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What must be completed before it begins.
    pub fn dependencies(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().map(String::as_str)
    }
}

/// All tasks of somebody's, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks(BTreeMap<String, Task>);

impl Tasks {
    /// No tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A task.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Task> {
        self.0.get(id)
    }

    /// Adds a task that `requester` asks `assignee` for.
    pub fn submit(
        &mut self,
        id: &str,
        requester: KamnDid,
        assignee: KamnDid,
        dependencies: &[&str],
    ) -> Result<(), TaskError> {
        if id.trim().is_empty() || id.len() > ID_LIMIT_BYTES {
            return Err(TaskError::Id { id: beginning(id) });
        }
        if self.0.contains_key(id) {
            return Err(TaskError::Duplicate { id: id.into() });
        }
        let mut named = BTreeSet::new();
        for dependency in dependencies {
            let refused = |why| TaskError::Dependency {
                id: id.into(),
                dependency: beginning(dependency),
                why,
            };
            if *dependency == id {
                return Err(refused("it is the task itself"));
            }
            // Only what is there already: so no cycle can come about.
            if !self.0.contains_key(*dependency) {
                return Err(refused("there is no such task"));
            }
            if !named.insert(String::from(*dependency)) {
                return Err(refused("it comes twice"));
            }
        }
        let task = Task {
            id: id.into(),
            requester,
            assignee,
            state: State::Submitted,
            dependencies: named,
        };
        self.0.insert(id.into(), task);
        Ok(())
    }

    /// Moves a task on, as `actor` asks: the assignee, or to cancel it the requester as well.
    pub fn advance(&mut self, id: &str, to: State, actor: &KamnDid) -> Result<(), TaskError> {
        let task = self.0.get(id).ok_or_else(|| unknown(id))?;
        let by_assignee = *actor == task.assignee;
        let by_requester = *actor == task.requester && to == State::Cancelled;
        if !by_assignee && !by_requester {
            return Err(TaskError::Unauthorized {
                actor: actor.as_kamn(),
                to: to.name(),
            });
        }
        // Delegation names somebody: it has a call of its own.
        if to == State::Delegated || !task.state.leads_to(to) {
            return Err(TaskError::InvalidTransition {
                from: task.state.name(),
                to: to.name(),
            });
        }
        if to == State::InProgress {
            self.check_dependencies(task)?;
        }
        self.set(id, |task| task.state = to)
    }

    /// Hands a task on to another, as its assignee asks.
    pub fn delegate(&mut self, id: &str, to: KamnDid, actor: &KamnDid) -> Result<(), TaskError> {
        let task = self.0.get(id).ok_or_else(|| unknown(id))?;
        let delegated = State::Delegated;
        if *actor != task.assignee || to == task.assignee {
            return Err(TaskError::Unauthorized {
                actor: actor.as_kamn(),
                to: delegated.name(),
            });
        }
        if !task.state.leads_to(delegated) {
            return Err(TaskError::InvalidTransition {
                from: task.state.name(),
                to: delegated.name(),
            });
        }
        self.set(id, |task| {
            task.assignee = to;
            task.state = delegated;
        })
    }

    fn check_dependencies(&self, task: &Task) -> Result<(), TaskError> {
        let is_open = |id: &&String| {
            self.0
                .get(*id)
                .is_none_or(|other| other.state != State::Completed)
        };
        match task.dependencies.iter().find(is_open) {
            Some(dependency) => Err(TaskError::Waiting {
                dependency: dependency.clone(),
            }),
            None => Ok(()),
        }
    }

    fn set(&mut self, id: &str, change: impl FnOnce(&mut Task)) -> Result<(), TaskError> {
        self.0.get_mut(id).map(change).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: &str) -> TaskError {
    TaskError::Unknown { id: beginning(id) }
}

#[cfg(test)]
mod tests;
