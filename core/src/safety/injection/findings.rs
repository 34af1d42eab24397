//! What was found so far: in order, overlaps of a family as one.

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

use crate::{
    order,
    safety::{Finding, Kind, Severity},
};

/// The family of what the model alone finds.
pub(super) const LIKELY: &str = "likely_injection";

/// The family of what is left when looking closely took too much work. Ordinary text comes nowhere
/// near it, so the rest of what deserves a closer look is held for an attack that hides behind work.
pub(super) const OVERLOAD: &str = "overload";

/// The families of what is known by its form more than by its words.
pub(super) const HIDDEN: &str = "hidden_text";
pub(super) const ROLE: &str = "role_spoof";

/// The most that are told of one text. Of more, weak ones are left out, and others widen the last.
const MOST: usize = 1024;

/// So many flags in a text need no more of them.
const DENSE: usize = 128;

#[derive(Default)]
pub(super) struct Findings {
    known: Vec<Finding>,
    flags: usize,
}

impl Findings {
    pub(super) fn add(&mut self, family: &'static str, severity: Severity, span: Range<usize>) {
        // Only the last few can overlap: texts are read from the front.
        let known = self.known.iter_mut().rev().take(8).find(|known| {
            known.start <= span.end && span.start <= known.end && known.family == family
        });
        let is_flag = severity >= Severity::Medium;
        if let Some(known) = known {
            widen(known, severity, &span);
        } else if self.known.len() < MOST {
            self.flags += usize::from(is_flag);
            self.known.push(Finding {
                kind: Kind::Injection,
                family: Cow::Borrowed(family),
                severity,
                start: span.start,
                end: span.end,
            });
        } else if is_flag && let Some(last) = self.known.last_mut() {
            widen(last, severity, &span);
        }
    }

    /// Whether so much is flagged that what else deserves a closer look needs none.
    pub(super) fn are_dense(&self) -> bool {
        self.flags >= DENSE
    }

    /// What was found, in order. Where the words themselves told, what the model says of all around
    /// them adds nothing but a wider span.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        let told: Vec<Range<usize>> = self
            .known
            .iter()
            .filter(|finding| ![LIKELY, OVERLOAD, HIDDEN, ROLE].contains(&&*finding.family))
            .filter(|finding| finding.severity >= Severity::Medium)
            .map(|finding| finding.start..finding.end)
            .collect();
        self.known.retain(|finding| {
            finding.family != LIKELY
                || !told
                    .iter()
                    .any(|told| told.start < finding.end && finding.start < told.end)
        });
        let place = |finding: &Finding| (finding.start, finding.end);
        order::sort_by(&mut self.known, |one, other| place(one) < place(other));
        self.known
    }
}

fn widen(known: &mut Finding, severity: Severity, span: &Range<usize>) {
    known.start = known.start.min(span.start);
    known.end = known.end.max(span.end);
    known.severity = known.severity.max(severity);
}
