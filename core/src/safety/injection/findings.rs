//! What was found so far: in order, overlaps of a family as one.

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

use crate::safety::{Finding, Kind, Severity};

/// The family of what the model alone finds.
pub(super) const LIKELY: &str = "likely_injection";

/// The most that are told of one text; a text with more is told by its first.
const MOST: usize = 1024;

#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, family: &'static str, severity: Severity, span: Range<usize>) {
        // Only the last few can overlap: texts are read from the front.
        let known = self.0.iter_mut().rev().take(8).find(|known| {
            known.family == family && known.start <= span.end && span.start <= known.end
        });
        if let Some(known) = known {
            known.start = known.start.min(span.start);
            known.end = known.end.max(span.end);
            known.severity = known.severity.max(severity);
        } else if self.0.len() < MOST {
            self.0.push(Finding {
                kind: Kind::Injection,
                family: Cow::Borrowed(family),
                severity,
                start: span.start,
                end: span.end,
            });
        }
    }

    /// What was found, in order. Where the words themselves told, what the model says of all around
    /// them adds nothing but a wider span.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        let told: Vec<Range<usize>> = self
            .0
            .iter()
            .filter(|finding| finding.family != LIKELY && finding.severity >= Severity::Medium)
            .map(|finding| finding.start..finding.end)
            .collect();
        self.0.retain(|finding| {
            finding.family != LIKELY
                || !told
                    .iter()
                    .any(|told| told.start < finding.end && finding.start < told.end)
        });
        self.0.sort_by_key(|finding| (finding.start, finding.end));
        self.0
    }
}
