//! Tools that do what a script says.

use alloc::{collections::BTreeMap, rc::Rc, string::String, vec::Vec};
use core::{cell::RefCell, future::pending};
use tau_core::{
    ids::EffectId,
    tool::{ToolOutput, ToolRun, ToolSpec},
};

use super::clock::SimClock;
use crate::host::HostTools;

/// What a scripted tool does each time it runs.
#[derive(Clone, Debug)]
pub struct SimTool {
    spec: ToolSpec,
    takes_ms: u64,
    /// `None` never ends.
    output: Option<ToolOutput>,
}

impl SimTool {
    /// Ends at once with `output`.
    #[must_use]
    pub fn new(spec: ToolSpec, output: ToolOutput) -> Self {
        Self {
            spec,
            takes_ms: 0,
            output: Some(output),
        }
    }

    /// Never ends.
    #[must_use]
    pub fn hanging(spec: ToolSpec) -> Self {
        Self {
            spec,
            takes_ms: 0,
            output: None,
        }
    }

    /// Takes so long.
    #[must_use]
    pub fn taking(mut self, millis: u64) -> Self {
        self.takes_ms = millis;
        self
    }
}

/// One run of a scripted tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimRun {
    /// The effect it was run for.
    pub id: EffectId,
    /// What it was run with.
    pub run: ToolRun,
    /// How it went so far.
    pub state: SimRunState,
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimRunState {
    /// It has not ended.
    Running,
    /// It gave its output.
    Finished,
    /// It was dropped before its end.
    Cancelled,
}

/// The scripted tools. Clones share script and record.
#[derive(Clone, Debug)]
pub struct SimTools {
    clock: SimClock,
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    order: Vec<String>,
    tools: BTreeMap<String, SimTool>,
    runs: Vec<SimRun>,
}

impl SimTools {
    pub(super) fn new(clock: &SimClock) -> Self {
        Self {
            clock: clock.clone(),
            state: Rc::default(),
        }
    }

    /// Adds a tool, or replaces the one of that name.
    pub fn add(&self, tool: SimTool) {
        let mut state = self.state.borrow_mut();
        let name = tool.spec.name.clone();
        if state.tools.insert(name.clone(), tool).is_none() {
            state.order.push(name);
        }
    }

    /// Every run, in the order they began.
    #[must_use]
    pub fn runs(&self) -> Vec<SimRun> {
        self.state.borrow().runs.clone()
    }
}

impl HostTools for SimTools {
    fn specs(&self) -> Vec<ToolSpec> {
        let state = self.state.borrow();
        let spec = |name: &String| state.tools.get(name).map(|tool| tool.spec.clone());
        state.order.iter().filter_map(spec).collect()
    }

    async fn run(&self, id: EffectId, run: ToolRun) -> ToolOutput {
        let tool = self.state.borrow().tools.get(&run.name).cloned();
        let Some(tool) = tool else {
            panic!(
                "the session runs {:?}, which is not in the script",
                run.name
            );
        };
        let mut record = Record::begin(
            self,
            SimRun {
                id,
                run,
                state: SimRunState::Running,
            },
        );
        if tool.takes_ms > 0 {
            self.clock.sleep(tool.takes_ms).await;
        }
        let output = match tool.output {
            Some(output) => output,
            None => pending().await,
        };
        record.end = SimRunState::Finished;
        output
    }
}

/// Writes down how a run ended, also when it is dropped.
struct Record<'t> {
    tools: &'t SimTools,
    at: usize,
    end: SimRunState,
}

impl<'t> Record<'t> {
    fn begin(tools: &'t SimTools, run: SimRun) -> Self {
        let runs = &mut tools.state.borrow_mut().runs;
        runs.push(run);
        Self {
            tools,
            at: runs.len() - 1,
            end: SimRunState::Cancelled,
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if let Some(run) = self.tools.state.borrow_mut().runs.get_mut(self.at) {
            run.state = self.end;
        }
    }
}
