//! Which of a journal's tool calls can be run again, and whether they came to the same.
//!
//! A module that was given nothing but its input gives the same answer for it, with the same work,
//! wherever its engine runs. What else ran had the world in it: files, pages, the clock.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    journal::{Blobs, Body, Chain, JournalError},
    message::{ToolCall, ToolResult, ToolStatus},
    policy::Policy,
    safety::{Gate, Source, Untrusted},
    session::{Config, Journal},
    tool::{Ran, ToolOutput, ToolRun},
};

/// A call that ran, by its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The place of the record that tells how it ended, among all the records that were given.
    pub place: usize,
    /// The tool.
    pub name: String,
    /// What can be run again; the error says why nothing can.
    pub again: Result<Box<Again>, &'static str>,
}

/// A call as it ran, to be run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// What ran.
    pub ran: Ran,
    /// The call, within the limits of its time.
    pub run: ToolRun,
    result: ToolResult,
    policy: Policy,
}

/// The calls of a journal that ran, those of what it continues first.
pub fn finished(
    ancestors: &[Journal],
    journal: &Journal,
    blobs: &Blobs,
) -> Result<Vec<Finished>, JournalError> {
    let mut walk = Walk::default();
    let mut all = Vec::new();
    let mut place = 0;
    for records in ancestors.iter().chain([journal]) {
        let mut chain = Chain::default();
        for line in records {
            let record = chain.read_whole(line, blobs)?;
            all.extend(walk.take(place, record.body));
            place += 1;
        }
    }
    Ok(all)
}

#[derive(Default)]
struct Walk {
    config: Option<Config>,
    policy: Policy,
    calls: Vec<(ToolCall, bool)>,
}

impl Walk {
    fn take(&mut self, place: usize, body: Body) -> Option<Finished> {
        match body {
            Body::Created(created) => {
                // What it continues may be under another policy than it was set up with.
                if created.forked_from.is_none() {
                    self.policy = created.config.policy.clone();
                }
                self.config = Some(created.config);
            }
            Body::Configured { config } => {
                self.policy = config.policy.clone();
                self.config = Some(*config);
            }
            Body::PolicySet { policy } => self.policy = policy,
            Body::Answer { message, .. } => {
                self.calls = message
                    .tool_calls()
                    .map(|call| (call.clone(), false))
                    .collect();
            }
            Body::ToolStarted { call_id, .. } => {
                let mut calls = self.calls.iter_mut();
                let call = calls.find(|(call, _)| call.id == call_id)?;
                call.1 = true;
            }
            Body::ToolFinished { result, .. } => {
                let mut calls = self.calls.iter();
                let (call, has_run) = calls.find(|(call, _)| call.id == result.call_id)?;
                let again = has_run.then(|| self.again(call, &result))?;
                return Some(Finished {
                    place,
                    name: result.name,
                    again,
                });
            }
            _ => {}
        }
        None
    }

    fn again(&self, call: &ToolCall, result: &ToolResult) -> Result<Box<Again>, &'static str> {
        let ran = result.ran.as_deref().ok_or("it is not a module alone")?;
        if matches!(result.status, ToolStatus::TimedOut | ToolStatus::Cancelled) {
            return Err("time ended it");
        }
        let config = self.config.as_ref();
        let mut tools = config.map_or(&[][..], |config| &config.tools).iter();
        let spec = tools.find(|spec| spec.name == call.name);
        let spec = spec.ok_or("the session does not have the tool")?;
        Ok(Box::new(Again {
            ran: ran.clone(),
            run: ToolRun::new(call, spec, &self.policy),
            result: result.clone(),
            policy: self.policy.clone(),
        }))
    }
}

impl Again {
    /// Whether `output` is what came of it the first time; the error says what is not.
    pub fn compare(&self, output: ToolOutput) -> Result<(), String> {
        let ran = output.ran.as_deref().ok_or("it did not run")?;
        if ran.module != self.ran.module {
            return Err("another module ran".to_string());
        }
        // As the gate let it through then.
        let name = self.run.name.clone();
        let content = Untrusted::new(output.text, Source::Tool { name });
        let (text, _) = Gate::new(&self.policy).vet(content);
        if (output.status, &*text) != (self.result.status, &self.result.text) {
            return Err("its result is another".to_string());
        }
        if ran.engine == self.ran.engine && ran.fuel != self.ran.fuel {
            return Err(format!(
                "it took {} units of work, then {}",
                ran.fuel, self.ran.fuel
            ));
        }
        Ok(())
    }
}
