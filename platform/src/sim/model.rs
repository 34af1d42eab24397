//! An in-process model that says what a script says.

use alloc::{collections::VecDeque, rc::Rc, vec::Vec};
use core::cell::{Cell, RefCell};
use tau_core::{
    model::{Delta, ModelRequest, StopReason},
    session::GenerateError,
};

use super::clock::SimClock;
use crate::host::{Generation, LocalModel};

/// A scripted model: one script an answer. Clones share scripts and record.
#[derive(Clone, Debug)]
pub struct ScriptedModel {
    clock: SimClock,
    state: Rc<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: RefCell<VecDeque<Result<Vec<Step>, GenerateError>>>,
    requests: RefCell<Vec<ModelRequest>>,
    open: Cell<usize>,
}

/// One piece of a scripted answer.
#[derive(Clone, Debug)]
pub struct Step {
    /// How long it takes to come.
    pub after_ms: u64,
    /// What comes.
    pub delta: Result<Delta, GenerateError>,
}

impl ScriptedModel {
    pub(super) fn new(clock: &SimClock) -> Self {
        Self {
            clock: clock.clone(),
            state: Rc::default(),
        }
    }

    /// Adds an answer. It ends after its last step.
    pub fn answer(&self, steps: impl IntoIterator<Item = Step>) {
        let steps = steps.into_iter().collect();
        self.state.answers.borrow_mut().push_back(Ok(steps));
    }

    /// Adds an answer of these texts, `after_ms` apart, and a proper end.
    pub fn say(&self, after_ms: u64, texts: &[&str]) {
        let text = |text: &&str| Delta::Text {
            text: (*text).into(),
        };
        let stop = Delta::Stop {
            reason: StopReason::EndTurn,
        };
        self.answer(texts.iter().map(text).chain([stop]).map(|delta| Step {
            after_ms,
            delta: Ok(delta),
        }));
    }

    /// Adds a refusal to answer.
    pub fn fail(&self, error: GenerateError) {
        self.state.answers.borrow_mut().push_back(Err(error));
    }

    /// Every request, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.state.requests.borrow().clone()
    }

    /// Generations that were not dropped.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.get()
    }
}

impl LocalModel for ScriptedModel {
    type Generation = ScriptedGeneration;

    async fn generate(&self, request: ModelRequest) -> Result<ScriptedGeneration, GenerateError> {
        self.state.requests.borrow_mut().push(request);
        let answer = self.state.answers.borrow_mut().pop_front();
        let Some(answer) = answer else {
            panic!("the model is asked once more than the script has answers");
        };
        let steps = answer?.into();
        self.state.open.set(self.state.open.get() + 1);
        Ok(ScriptedGeneration {
            model: self.clone(),
            steps,
        })
    }
}

/// One answer of a [`ScriptedModel`].
#[derive(Debug)]
pub struct ScriptedGeneration {
    model: ScriptedModel,
    steps: VecDeque<Step>,
}

impl Generation for ScriptedGeneration {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        let Some(step) = self.steps.pop_front() else {
            return Ok(None);
        };
        if step.after_ms > 0 {
            self.model.clock.sleep(step.after_ms).await;
        }
        step.delta.map(Some)
    }
}

impl Drop for ScriptedGeneration {
    fn drop(&mut self) {
        let open = &self.model.state.open;
        open.set(open.get() - 1);
    }
}
