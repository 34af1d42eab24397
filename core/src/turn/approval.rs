//! Approval. An unanswered request is a denial.

use alloc::{format, string::String};

use super::tool_calls::own_result;
use crate::{
    ids::{CallId, UnixMillis},
    journal::{Body, FinishedBy},
    message::{ToolCall, ToolStatus},
    policy::Refusal,
    session::{CommandError, Event, Session},
    tool::dispatch::refused_by_person,
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
        now: UnixMillis,
    ) {
        self.tell_stored(Event::ApprovalRequested {
            call_id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            reason: reason.clone(),
            may_have_run,
        });
        self.record(
            Body::ToolAsked {
                call_id: call.id.clone(),
                reason,
                may_have_run,
            },
            now,
        );
    }

    pub(crate) fn approve(
        &mut self,
        call_id: &CallId,
        for_session: bool,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        let Some(call) = self.asked(call_id) else {
            return Err(CommandError::NotWaiting {
                call_id: call_id.clone(),
            });
        };
        self.record(
            Body::ToolApproved {
                call_id: call.id,
                for_session,
            },
            now,
        );
        Ok(())
    }

    pub(crate) fn deny(
        &mut self,
        call_id: &CallId,
        reason: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), CommandError> {
        let Some(call) = self.asked(call_id) else {
            return Err(CommandError::NotWaiting {
                call_id: call_id.clone(),
            });
        };
        self.refuse(&call, refused_by_person(reason), FinishedBy::Person, now);
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
