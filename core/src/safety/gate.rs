//! The gate itself: what the detectors find in a text, and what the policy has done about it.
//!
//! Invariant: a text that passed the gate passes it again unchanged, under the same policy.

use alloc::{borrow::Cow, format, string::String, sync::Arc, vec::Vec};
use core::ops::Range;

use super::{
    Content, Finding, Kind, Screened, Severity, Source, Untrusted, Vetted, control, injection,
    mark,
    rules::{BadRule, Rules},
    secrets,
};
use crate::{
    order,
    policy::{
        Policy,
        screen::{Measure, Measures, Rule, Subject},
    },
};

/// Findings of one content that are told; of more, the strongest.
const TOLD: usize = 100;
/// How often a text is looked at again after something was taken out of it.
const PASSES: usize = 4;
/// From this length on, content that is mostly to be taken out, or takes much work to look at, is
/// withheld instead of being looked at again.
const LONG_BYTES: usize = 32 * 1024;

/// The gate under one policy. Making it compiles the policy's own rules and nothing else; a clone
/// shares them.
#[derive(Clone, Debug)]
pub struct Gate {
    prompt: Measures,
    content: Measures,
    secrets: Measures,
    rules: Arc<Compiled>,
    /// Whether everything passes as it is: for a recording, which was vetted before it was written.
    is_open: bool,
}

/// The policy's own rules.
#[derive(Debug)]
struct Compiled {
    written: Vec<Rule>,
    /// None of them is used if one is bad; nothing is asked of a model then.
    rules: Result<Rules, BadRule>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(&Policy::default())
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        self.prompt == other.prompt
            && self.content == other.content
            && self.secrets == other.secrets
            && self.is_open == other.is_open
            && self.rules.written == other.rules.written
    }
}

impl Eq for Gate {}

/// What is done about findings in one text.
#[derive(Clone, Copy)]
struct Plan<'a> {
    injections: Option<Measures>,
    secrets: Measures,
    source: &'a Source,
    takes_notes: bool,
    /// The most that is done.
    most: Measure,
    /// Whether a long text may be withheld where another look would cost too much.
    saves_work: bool,
}

/// A finding and what is to be done about it.
struct Hit {
    finding: Finding,
    measure: Measure,
}

impl Gate {
    /// The gate under `policy`.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            prompt: policy.measures(Subject::Prompt),
            content: policy.measures(Subject::Content),
            secrets: policy.measures(Subject::Secrets),
            rules: Arc::new(Compiled {
                written: policy.screen.rules.clone(),
                rules: Rules::compile(&policy.screen.rules),
            }),
            is_open: false,
        }
    }

    /// A gate for a recording that is played again: what it holds was vetted when it was written,
    /// and nothing of it reaches a model.
    pub(crate) fn open() -> Self {
        Self {
            is_open: true,
            ..Self::default()
        }
    }

    /// The gate under another policy; an open one stays open.
    pub(crate) fn under(&self, policy: &Policy) -> Self {
        Self {
            is_open: self.is_open,
            ..Self::new(policy)
        }
    }

    /// The rule of the policy that cannot be used, if there is one: under such a policy nothing is
    /// to be asked of a model.
    #[must_use]
    pub fn bad_rule(&self) -> Option<&BadRule> {
        self.rules.rules.as_ref().err()
    }

    /// Looks through `content` and lets through what a model may read, what may be stored and what
    /// may be shown.
    ///
    /// The findings say what was found and what was done; the caller shows and records them. One
    /// that says [`Measure::Block`] stands for a text of which nothing was let through.
    pub fn vet<T: Content>(&self, content: Untrusted<T>) -> (Vetted<T>, Vec<Screened>) {
        let Untrusted { mut value, source } = content;
        let mut told = Vec::new();
        if !self.is_open && source != Source::Runtime {
            let plan = self.plan(&source, T::TAKES_NOTES);
            let mut place = 0;
            value.visit_text(&mut |text| {
                let screened = self.screen(text, &plan, place, &mut told);
                place += 1;
                screened
            });
            strongest(&mut told);
        }
        (Vetted(value), told)
    }

    /// Lets through what a person has Tau keep outside of a conversation. The error names the
    /// families for which nothing of it is.
    pub fn keep(&self, text: String) -> Result<(String, Vec<Screened>), String> {
        let (text, screened) = self.vet(Untrusted::new(text, Source::User));
        match withheld_for(&screened) {
            Some(families) => Err(families),
            None => Ok((text.into_inner(), screened)),
        }
    }

    /// `text` without the secrets in it, for logs and errors: there, a warning would be as good as
    /// nothing.
    #[must_use]
    pub fn without_secrets<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let plan = self.secrets_only();
        match self.screen(text, &plan, 0, &mut Vec::new()) {
            Some(clean) => Cow::Owned(clean),
            None => Cow::Borrowed(text),
        }
    }

    /// What of `text` follows its first `shown` bytes, without the secrets in it. What was shown
    /// says what the rest is: a value after its label.
    pub(super) fn without_secrets_after(&self, text: &str, shown: usize) -> String {
        let hits = self.hits(text, &self.secrets_only(), 0);
        let mut places = merged(&hits, 0);
        places.retain(|(place, _)| place.end > shown);
        if let Some((place, _)) = places.first_mut() {
            place.start = place.start.max(shown);
        }
        let mut rest = mark::replace(text, &places);
        rest.drain(..shown);
        rest
    }

    fn secrets_only(&self) -> Plan<'static> {
        Plan {
            injections: None,
            secrets: self.secrets,
            source: &Source::Model,
            takes_notes: false,
            most: Measure::Redact,
            saves_work: false,
        }
    }

    fn plan<'a>(&self, source: &'a Source, takes_notes: bool) -> Plan<'a> {
        let injections = match source {
            // What a model says gives no orders; what it calls is decided by the dispatcher.
            Source::Runtime | Source::Model => None,
            Source::User | Source::Instructions => Some(self.prompt),
            Source::Tool { .. }
            | Source::File { .. }
            | Source::Memory
            | Source::Summary
            | Source::Agent { .. } => Some(self.content),
        };
        // Without any instructions, or without its past, an agent is worse off than with a gap.
        let (most, takes_notes) = match source {
            Source::Instructions | Source::Summary => (Measure::Redact, false),
            _ => (Measure::Block, takes_notes),
        };
        Plan {
            injections,
            secrets: self.secrets,
            source,
            takes_notes,
            most,
            // What comes from outside comes at any length, made by anyone.
            saves_work: matches!(
                source,
                Source::Tool { .. } | Source::File { .. } | Source::Memory | Source::Agent { .. }
            ),
        }
    }

    /// What is to stand in the place of `text`; `None` leaves it as it is.
    fn screen(
        &self,
        text: &str,
        plan: &Plan<'_>,
        place: u32,
        told: &mut Vec<Screened>,
    ) -> Option<String> {
        let mut clean = control::stripped(text);
        if clean.is_some() && told.iter().all(|told| told.kind != Kind::Control) {
            told.push(Screened {
                kind: Kind::Control,
                family: "control_characters".into(),
                severity: Severity::Low,
                start: 0,
                end: text.len(),
                text: place,
                action: Measure::Redact,
            });
        }
        let mut families: Vec<Cow<'static, str>> = Vec::new();
        for pass in 0..PASSES {
            let current = clean.as_deref().unwrap_or(text);
            let note = mark::note_len(current);
            let hits = self.hits(current.get(note..).unwrap_or_default(), plan, pass);
            let Some(most) = hits.iter().map(|hit| hit.measure).max() else {
                return clean;
            };
            let new = hits
                .iter()
                // What stays in the text was told when it was seen first.
                .filter(|hit| pass == 0 || hit.measure >= Measure::Redact);
            for hit in new {
                families.push(hit.finding.family.clone());
                told.push(told_of(hit, place, note));
            }
            match most {
                Measure::Pass | Measure::Warn => return clean,
                Measure::Label if note == 0 && plan.takes_notes => {
                    return Some(mark::noted(current));
                }
                Measure::Label => return clean,
                Measure::Redact => {
                    let places = merged(&hits, note);
                    clean = Some(mark::replace(current, &places));
                }
                Measure::Block => break,
            }
        }
        // Blocked, or a text in which every redaction shows something else.
        Some(mark::withheld(
            &what(plan.source),
            families.iter().map(AsRef::as_ref),
        ))
    }

    /// What is found in `text` and not passed over.
    fn hits(&self, text: &str, plan: &Plan<'_>, pass: usize) -> Vec<Hit> {
        let is_long = plan.saves_work && text.len() >= LONG_BYTES;
        let mut found = secrets::scan(text);
        // What is withheld for its secrets needs no look at anything else.
        if is_long && is_mostly(&self.weighed(text, found.clone(), plan), text) {
            return withheld_whole(self.weighed(text, found, plan));
        }
        let mut work = 0;
        if plan.injections.is_some() {
            let (mut injections, looked_at) = injection::weighed(text);
            found.append(&mut injections);
            work = looked_at;
        }
        if let Ok(rules) = &self.rules.rules {
            found.append(&mut rules.scan(text));
        }
        let hits = self.weighed(text, found, plan);
        let is_dear = work > text.len() / 2 || pass + 2 >= PASSES;
        let takes_out = || hits.iter().any(|hit| hit.measure == Measure::Redact);
        if is_long && (is_dear && takes_out() || is_mostly(&hits, text)) {
            return withheld_whole(hits);
        }
        hits
    }

    /// What is done about each finding that is not a mark's own name; those that nothing is done about
    /// are left out. Nothing is allocated when nothing is found.
    fn weighed(&self, text: &str, found: Vec<Finding>, plan: &Plan<'_>) -> Vec<Hit> {
        if found.is_empty() {
            return Vec::new();
        }
        let marks = mark::marks(text);
        let is_own = |finding: &Finding| mark::is_own(&marks, text, finding);
        let mut hits: Vec<Hit> = found
            .into_iter()
            .filter(|finding| !is_own(finding))
            .filter_map(|finding| {
                let measures = match finding.kind {
                    Kind::Secret => plan.secrets,
                    Kind::Injection | Kind::Control => plan.injections?,
                };
                let measure = match measures.of(finding.severity).min(plan.most) {
                    // Where no note can stand, a guess is nothing to tell of.
                    Measure::Label if !plan.takes_notes && finding.severity == Severity::Low => {
                        Measure::Pass
                    }
                    Measure::Label if !plan.takes_notes => Measure::Warn,
                    measure => measure,
                };
                Some(Hit { finding, measure })
            })
            .filter(|hit| hit.measure > Measure::Pass)
            .collect();
        let place = |hit: &Hit| (hit.finding.start, core::cmp::Reverse(hit.finding.end));
        order::sort_by(&mut hits, |a, b| place(a) < place(b));
        hits
    }

    /// Text that Tau itself wrote: notes to the model.
    pub(crate) fn runtime_text(text: &str) -> Vetted<Arc<str>> {
        Vetted(Arc::from(text))
    }

    /// Texts that passed the gate, each by itself and as what it is, with Tau's own words between.
    pub(crate) fn assembled(text: &str) -> Vetted<Arc<str>> {
        Vetted(Arc::from(text))
    }
}

/// `text` with a mark in the place of each of `findings`, which are ordered by where they begin. A
/// mark that is there already stays as it is.
#[must_use]
pub fn redact(text: &str, findings: &[Finding]) -> String {
    let marks = mark::marks(text);
    let is_own = |finding: &&Finding| mark::is_own(&marks, text, finding);
    let taken = findings.iter().filter(|finding| !is_own(finding));
    let hits: Vec<Hit> = taken
        .map(|finding| Hit {
            finding: finding.clone(),
            measure: Measure::Redact,
        })
        .collect();
    mark::replace(text, &merged(&hits, 0))
}

/// The families for which nothing of a content was let through, in words.
pub(crate) fn withheld_for(findings: &[Screened]) -> Option<String> {
    let mut families: Vec<&str> = Vec::new();
    for finding in findings {
        if finding.action == Measure::Block && !families.contains(&&*finding.family) {
            families.push(&finding.family);
        }
    }
    (!families.is_empty()).then(|| families.join(", "))
}

fn told_of(hit: &Hit, text: u32, before: usize) -> Screened {
    let Finding {
        kind,
        family,
        severity,
        start,
        end,
    } = &hit.finding;
    Screened {
        kind: *kind,
        family: family.clone(),
        severity: *severity,
        start: start + before,
        end: end + before,
        text,
        action: hit.measure,
    }
}

/// Keeps the strongest where there are too many to tell.
fn strongest(told: &mut Vec<Screened>) {
    if told.len() > TOLD {
        let strength = |told: &Screened| (told.action, told.severity);
        order::sort_by(told, |a, b| strength(a) > strength(b));
        told.truncate(TOLD);
    }
}

/// The places to be taken out, apart from each other; where several overlap, the strongest names
/// the whole.
fn merged(hits: &[Hit], before: usize) -> Vec<(Range<usize>, &str)> {
    let mut places: Vec<(Range<usize>, &str)> = Vec::new();
    let mut severity = Severity::Low;
    for Hit { finding, .. } in hits.iter().filter(|hit| hit.measure >= Measure::Redact) {
        let (start, end) = (finding.start + before, finding.end + before);
        match places.last_mut() {
            Some((last, family)) if start < last.end => {
                last.end = last.end.max(end);
                if finding.severity > severity {
                    severity = finding.severity;
                    *family = &finding.family;
                }
            }
            _ => {
                severity = finding.severity;
                places.push((start..end, &finding.family));
            }
        }
    }
    places
}

/// Whether more than half of `text` is to be taken out.
fn is_mostly(hits: &[Hit], text: &str) -> bool {
    let taken = merged(hits, 0);
    let bytes: usize = taken.iter().map(|(place, _)| place.len()).sum();
    bytes > text.len() / 2
}

/// The hits for which a text is withheld, where what they are in cannot be told from the rest at a
/// price worth paying.
fn withheld_whole(mut hits: Vec<Hit>) -> Vec<Hit> {
    for hit in hits.iter_mut().filter(|hit| hit.measure == Measure::Redact) {
        hit.measure = Measure::Block;
    }
    hits
}

/// What is withheld, in words, beginning a sentence.
fn what(source: &Source) -> Cow<'static, str> {
    match source {
        Source::Tool { name } => {
            let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let name: String = name.chars().filter(is_plain).take(64).collect();
            Cow::Owned(format!("What {name} returned"))
        }
        Source::File { .. } => Cow::Borrowed("What this file says"),
        Source::Memory => Cow::Borrowed("What memory returned"),
        Source::Summary => Cow::Borrowed("The summary"),
        Source::Agent { .. } => Cow::Borrowed("What another agent wrote"),
        Source::User | Source::Instructions => Cow::Borrowed("The prompt"),
        Source::Model => Cow::Borrowed("This part of the answer"),
        Source::Runtime => Cow::Borrowed("This text"),
    }
}
