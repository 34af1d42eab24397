//! Approval. An unanswered request is a denial.

use alloc::{format, string::String};

use super::tool_calls::own_result;
use crate::{
    ids::{CallId, UnixMillis},
    journal::{Body, FinishedBy},
    message::{ToolCall, ToolStatus},
    policy::{Extent, Grant, Refusal},
    session::{CommandError, Event, Session},
    tool::{
        dispatch::{nobody_there, refused_by_person},
        notice::Notice,
    },
};

/// Said of a call that a restore found running.
pub(super) const MAY_HAVE_RUN: &str =
    "was running when Tau stopped, and may have done its work already";

impl Session {
    pub(super) fn ask(
        &mut self,
        call: &ToolCall,
        reason: String,
        may_have_run: bool,
        notice: Notice,
        now: UnixMillis,
    ) {
        self.tell_stored(Event::ApprovalRequested {
            call_id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            reason: reason.clone(),
            may_have_run,
            notice: notice.clone(),
        });
        self.record(
            Body::ToolAsked {
                call_id: call.id.clone(),
                reason,
                may_have_run,
                notice,
            },
            now,
        );
    }

    pub(crate) fn approve(
        &mut self,
        call_id: &CallId,
        extent: Extent,
        digest: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        let mut waiting = self.waiting().into_iter();
        let Some(waiting) = waiting.find(|waiting| waiting.call.id == *call_id) else {
            return Err(CommandError::NotWaiting {
                call_id: call_id.clone(),
            });
        };
        let call_id = waiting.call.id;
        let Notice { rule, always, .. } = waiting.notice;
        if digest.is_some_and(|digest| digest != waiting.notice.digest) {
            return Err(CommandError::Changed { call_id });
        }
        match (extent, rule) {
            (Extent::Call, _) => {}
            (Extent::Session, Some(_)) => {}
            (Extent::Always, Some(rule)) if always => {
                let grant = Grant::new(&rule, now, &self.state.id);
                self.put(Grant::key(&rule), grant.to_bytes());
            }
            _ => return Err(CommandError::NoRule { call_id }),
        }
        self.record(Body::ToolApproved { call_id, extent }, now);
        Ok(())
    }

    pub(crate) fn deny(
        &mut self,
        call_id: &CallId,
        reason: Option<&str>,
        absent: bool,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        let Some(call) = self.asked(call_id) else {
            return Err(CommandError::NotWaiting {
                call_id: call_id.clone(),
            });
        };
        // Told to the model, stored and shown: a person's words pass the gate like a prompt.
        let clean = |words| self.state.gate.without_secrets(words);
        let reason = reason.map(clean);
        let reason = reason.as_deref();
        let (refusal, by) = if absent {
            (nobody_there(reason), FinishedBy::Nobody)
        } else {
            (refused_by_person(reason), FinishedBy::Person)
        };
        self.refuse(&call, refusal, by, now);
        Ok(())
    }

    /// Ends a call that waited with the refusal the model is told.
    pub(super) fn refuse(
        &mut self,
        call: &ToolCall,
        mut refusal: Refusal,
        by: FinishedBy,
        now: UnixMillis,
    ) {
        let mut waiting = self.waiting().into_iter();
        if waiting.any(|waiting| waiting.call.id == call.id && waiting.may_have_run) {
            refusal.hint = Some(format!("it {MAY_HAVE_RUN}: look before going on"));
        }
        let result = own_result(call, ToolStatus::Denied, refusal.to_result_text());
        self.tell_stored(Event::ToolDenied {
            call_id: call.id.clone(),
            name: call.name.clone(),
            refusal,
        });
        self.finished(result, by, now);
    }
}
