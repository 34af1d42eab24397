//! Which tool, if any: the embedder's and the text model's scores together.
//!
//! Each score is calibrated. The text model's is how much likelier a tool becomes by the instruction than by an empty
//! one, so a tool it likes anyway gains nothing. The embedder's is how close the instruction is to requests for the
//! tool. What the instruction offers for the required arguments counts, too: nobody reads a file without naming one.

use std::collections::BTreeMap;

use super::arguments::{self, Kind, Offer};
use super::examples::{self, NONE};
use super::{Agent, State, Tool, words};
use crate::cancel::Cancel;
use crate::embed::cosine;
use crate::error::Result;

/// How many cosines a natural logarithm of the text model's calibrated probability is worth.
const MODEL_WEIGHT: f32 = 0.02;
/// What a named file or folder is worth to a tool that takes one, in cosines, and its absence.
const FITTING: f32 = 0.12;
/// Taken from a tool whose required arguments the instruction does not offer.
const INFEASIBLE: f32 = 0.5;
/// How much closer an instruction must be to requests for a tool that is not there, in cosines.
const CLEARLY: f32 = 0.03;
/// An unknown tool is only compared by its description, which is never as close as a request.
const DESCRIPTION_BONUS: f32 = 0.08;

/// The scores of a tool, or of answering without one (`tool` is empty).
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The tool's name.
    pub tool: String,
    /// Mean cosine to the two closest requests for it.
    pub similarity: f32,
    /// Calibrated logarithm of the text model's probability.
    pub model: f32,
    /// What the instruction offers for the arguments.
    pub fit: f32,
}

impl Score {
    /// The three together.
    pub fn total(&self) -> f32 {
        self.similarity + MODEL_WEIGHT * self.model.clamp(-6.0, 6.0) + self.fit
    }
}

impl Agent {
    /// The scores of every tool and of no tool, best first.
    pub(super) fn scores(
        &self,
        state: &mut State,
        instruction: &str,
        tools: &[Tool],
        cancel: &Cancel,
    ) -> Result<Vec<Score>> {
        let asked = self.embed_cached(state, &[masked(instruction)])?.remove(0);
        let names: Vec<&str> = tools
            .iter()
            .map(|tool| tool.name.as_str())
            .chain([NONE])
            .collect();
        let model = self.model_scores(state, instruction, &names, cancel)?;
        let mut out = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let requests = masked_requests(name);
            let similarity = if requests.is_empty() {
                let about = tools[index].description.clone();
                cosine(&asked, &self.embed_cached(state, &[about])?[0]) + DESCRIPTION_BONUS
            } else {
                // With and without what is searched for replaced: alone, the first would turn any sentence with a name
                // into a search, the second would compare topics.
                let slotted = match tools.get(index) {
                    Some(tool) => self
                        .embed_cached(state, &[slotted(tool, instruction)?])?
                        .remove(0),
                    None => asked.clone(),
                };
                let vectors = self.embed_cached(state, &requests)?;
                (nearness(&asked, &vectors) + nearness(&slotted, &vectors)) / 2.0
            };
            let fit = match tools.get(index) {
                Some(tool) => fit(tool, instruction)?,
                None => none_fit(instruction),
            };
            out.push(Score {
                tool: (*name).to_owned(),
                similarity,
                model: model[index],
                fit,
            });
        }
        out.sort_by(|a, b| b.total().total_cmp(&a.total()));
        Ok(out)
    }

    /// Does a bounded piece of what the first choice between these tools would begin with, and says whether there was
    /// something to do.
    pub(super) fn prepare_with(
        &self,
        state: &mut State,
        tools: &[&str],
        cancel: &Cancel,
    ) -> Result<bool> {
        let missing = examples::OFTEN_MISSING.iter().map(|(name, _)| *name);
        for name in [NONE]
            .into_iter()
            .chain(tools.iter().copied())
            .chain(missing)
        {
            let requests = masked_requests(name);
            if requests
                .iter()
                .any(|text| !state.vectors.contains_key(text))
            {
                self.embed_cached(state, &requests)?;
                return Ok(true);
            }
        }
        let names: Vec<&str> = tools.iter().copied().chain([NONE]).collect();
        if names.iter().all(|name| state.neutral.contains_key(*name)) {
            return Ok(false);
        }
        self.calibrate(state, &names, cancel)?;
        Ok(true)
    }

    /// What a tool would have to do that is asked for and not at hand, such as `writes files`.
    pub(super) fn missing(
        &self,
        state: &mut State,
        instruction: &str,
        tools: &[Tool],
    ) -> Result<Option<&'static str>> {
        let asked = self.embed_cached(state, &[masked(instruction)])?.remove(0);
        let mut closeness = |name: &str| -> Result<f32> {
            let vectors = self.embed_cached(state, &masked_requests(name))?;
            let mut near: Vec<f32> = vectors
                .iter()
                .map(|vector| cosine(&asked, vector))
                .collect();
            near.sort_by(|a, b| b.total_cmp(a));
            Ok(near.iter().take(2).sum::<f32>() / 2.0)
        };
        let mut here = closeness(NONE)?;
        for tool in tools {
            here = here.max(closeness(&tool.name)?);
        }
        let mut best = None;
        for (name, does) in examples::OFTEN_MISSING {
            if tools.iter().any(|tool| tool.name == *name) {
                continue;
            }
            let there = closeness(name)?;
            if there > here + CLEARLY {
                here = there;
                best = Some(*does);
            }
        }
        Ok(best)
    }

    fn model_scores(
        &self,
        state: &mut State,
        instruction: &str,
        names: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        if !names.iter().all(|name| state.neutral.contains_key(*name)) {
            self.calibrate(state, names, cancel)?;
        }
        let with = self.likelihoods(state, instruction, names, cancel)?;
        Ok(names
            .iter()
            .zip(with)
            .map(|(name, p)| p - state.neutral[*name])
            .collect())
    }

    /// The same question about nothing.
    fn calibrate(&self, state: &mut State, names: &[&str], cancel: &Cancel) -> Result<()> {
        let neutral = self.likelihoods(state, "...", names, cancel)?;
        let names = names.iter().map(|name| (*name).to_owned());
        state.neutral = names.zip(neutral).collect::<BTreeMap<_, _>>();
        Ok(())
    }

    /// The logarithm of the probability that the text model calls each of these for an instruction.
    fn likelihoods(
        &self,
        state: &mut State,
        instruction: &str,
        names: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let answers = names
            .iter()
            .map(|name| if name.is_empty() { "none" } else { name })
            .map(|name| self.text.tokenizer().encode(&format!(" {name} {{")))
            .collect::<Result<Vec<_>>>()?;
        let prompt = self.request_prompt(instruction)?;
        let (next, _) = self.text.prompt(&mut state.session, &prompt, cancel)?;
        self.text
            .log_probabilities(&mut state.session, next.row(0), &answers)
    }
}

/// The requests for a tool as they are compared.
fn masked_requests(name: &str) -> Vec<String> {
    let requests = examples::requests(name).iter();
    requests.map(|text| masked(text)).collect()
}

/// The mean cosine to the two closest of these vectors.
fn nearness(asked: &[f32], vectors: &[Vec<f32>]) -> f32 {
    let mut near: Vec<f32> = vectors.iter().map(|vector| cosine(asked, vector)).collect();
    near.sort_by(|a, b| b.total_cmp(a));
    near.iter().take(2).sum::<f32>() / 2.0
}

/// What the instruction offers a tool, in cosines.
fn fit(tool: &Tool, instruction: &str) -> Result<f32> {
    let said = words::words(instruction);
    let names_file = said.iter().any(|word| words::is_file(word.text));
    let names_folder = words::folder(&said, false).is_some_and(|word| !words::is_file(word.text));
    let mut out: f32 = 0.0;
    let mut takes_file = false;
    let mut takes_folder = false;
    for parameter in arguments::parameters(tool)? {
        let offered = parameter.offer(tool, instruction) != Offer::Nothing;
        let kind = parameter.kind(tool);
        takes_file |= kind == Kind::File;
        takes_folder |= kind == Kind::Folder;
        if parameter.required && !offered {
            out -= INFEASIBLE;
        }
        if kind == Kind::File && parameter.required && names_file {
            out += FITTING;
        }
        // A fact is told, not asked.
        if kind == Kind::Fact
            && said.last().is_some()
            && instruction.trim_end().ends_with('?')
            && !says_remember(&said)
        {
            out -= FITTING;
        }
    }
    if names_folder && takes_folder {
        out += FITTING / 2.0;
    }
    if names_file && !takes_file && !(takes_folder && tool.name != "ls") {
        out -= FITTING;
    }
    Ok(out)
}

fn says_remember(said: &[words::Word<'_>]) -> bool {
    said.iter()
        .any(|word| word.is_one_of(&["remember", "note", "mind", "forget", "save", "store"]))
}

/// A named file or folder speaks against answering from memory.
fn none_fit(instruction: &str) -> f32 {
    let said = words::words(instruction);
    let named =
        said.iter().any(|word| words::is_file(word.text)) || words::folder(&said, false).is_some();
    if named { -FITTING } else { 0.0 }
}

/// The instruction as [`masked`], with what a search would look for replaced, too: `Which files mention Lisbon?` is
/// close to requests for a search whatever it is about.
fn slotted(tool: &Tool, instruction: &str) -> Result<String> {
    for parameter in arguments::parameters(tool)? {
        if parameter.kind(tool) != Kind::Pattern {
            continue;
        }
        if let Offer::Value(value) = parameter.offer(tool, instruction)
            && let Some(text) = value.as_str().filter(|text| !text.is_empty())
        {
            return Ok(masked(&instruction.replacen(text, "apple", 1)));
        }
    }
    Ok(masked(instruction))
}

/// The instruction with its own files, folders and quotations replaced, so that only what is asked is compared.
fn masked(instruction: &str) -> String {
    let mut out = String::with_capacity(instruction.len());
    let mut at = 0;
    let quotations = words::quotations(instruction);
    let offset = |part: &str| part.as_ptr() as usize - instruction.as_ptr() as usize;
    let mut marks: Vec<(usize, usize, &str)> = quotations
        .iter()
        .map(|part| (offset(part), part.len(), "apple"))
        .collect();
    let said = words::words(instruction);
    let folder = words::folder(&said, false).map(|word| word.start);
    for word in &said {
        let quoted = marks
            .iter()
            .any(|(start, length, _)| (*start..start + length).contains(&word.start));
        if quoted {
            continue;
        }
        if words::is_file(word.text) {
            marks.push((word.start, word.text.len(), "report.txt"));
        } else if Some(word.start) == folder {
            marks.push((word.start, word.text.len(), "stuff"));
        } else if words::is_identifier(word.text) {
            marks.push((word.start, word.text.len(), "apple"));
        }
    }
    marks.sort_unstable();
    for (start, length, name) in marks {
        if start >= at {
            out.push_str(&instruction[at..start]);
            out.push_str(name);
            at = start + length;
        }
    }
    out.push_str(&instruction[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_is_named_does_not_count() {
        assert_eq!(
            masked("Look for 'x y' in src/lib.rs!"),
            "Look for 'apple' in report.txt!"
        );
        assert_eq!(
            masked("what is in the wine folder"),
            "what is in the stuff folder"
        );
    }
}
