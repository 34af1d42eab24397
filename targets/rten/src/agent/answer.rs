//! Answers: in conversation, and from a tool's result.
//!
//! A model this small invents when it retells. So a question about a file is answered by the file's own lines that are
//! closest to it, quoted; only a request to summarise is written by the model, from the best passages.

use serde_json::{Value, json};

use super::step::{Stage, say};
use super::{Agent, Piece, Request, State, Turn, words};
use crate::embed::cosine;
use crate::error::Result;
use crate::text::{Options, Sampling};

/// Tokens kept free for the answer in a conversation.
const ANSWER_ROOM: usize = 400;
/// Bytes of the home's instructions the model gets.
const SYSTEM_BYTES: usize = 400;
/// Most lines of a result that are ranked.
const RANKED_LINES: usize = 400;
/// Most lines quoted.
const QUOTED_LINES: usize = 3;
/// Lines shown of a result that is given as it is.
const SHOWN_LINES: usize = 40;
/// Bytes of the passages given to the model for a summary.
const PASSAGE_BYTES: usize = 3000;

/// The person's last words; empty if there are none.
pub(super) fn last_instruction(request: &Request) -> &str {
    let mut turns = request.turns.iter().rev();
    turns
        .find_map(|turn| {
            if let Turn::User(text) = turn {
                Some(text.as_str())
            } else {
                None
            }
        })
        .unwrap_or_default()
}

/// The call that repairs a failed one: a folder that was read as a file is listed.
pub(super) fn repair(
    request: &Request,
    name: &str,
    is_error: bool,
    text: &str,
) -> Option<(String, Value)> {
    let has_ls = request.tools.iter().any(|tool| tool.name == "ls");
    if !is_error
        || !has_ls
        || name != "read"
        || !text.to_ascii_lowercase().contains("is a directory")
    {
        return None;
    }
    let path = request.turns.iter().rev().find_map(|turn| match turn {
        Turn::AssistantCalls(calls) => calls.last()?.arguments.get("path").cloned(),
        _ => None,
    })?;
    Some(("ls".into(), json!({"path": path})))
}

/// Remembered lines without the name each begins with, `[0123456789abcdef] `.
fn without_names(text: &str) -> String {
    let bare = |line: &str| match line.split_once("] ") {
        Some((name, rest)) if name.starts_with('[') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

impl Agent {
    /// Answers from the result that ends the conversation.
    pub(super) fn answer_from(
        &self,
        state: &mut State,
        request: &Request,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Stage> {
        let Some(Turn::ToolResult {
            name,
            text,
            is_error,
            ..
        }) = request.turns.last()
        else {
            return self.chat(state, request);
        };
        let question = last_instruction(request);
        let answer = match name.as_str() {
            _ if *is_error => format!("That did not work: {}", text.trim()),
            _ if text.trim().is_empty() => nothing(name),
            "remember" => "Noted.".to_owned(),
            "read" | "recall" if wants_summary(question) => {
                return self.summarise(state, question, text, request.max_tokens);
            }
            "read" if wants_all(question) => shown(text),
            "recall" => self.quote(question, &without_names(text))?,
            "read" => self.quote(question, text)?,
            _ => shown(text),
        };
        Ok(say(answer, on_piece))
    }

    /// Talks, without tools.
    pub(super) fn chat(&self, state: &mut State, request: &Request) -> Result<Stage> {
        let room = self.text.context() - ANSWER_ROOM;
        let system = if request.system.trim().is_empty() {
            "You are a helpful assistant. Answer briefly."
        } else {
            clipped(request.system.trim(), SYSTEM_BYTES)
        };
        let mut prompt = self.message("system", system)?;
        let mut later = Vec::new();
        // From the newest back, as many as fit.
        for turn in request.turns.iter().rev() {
            let message = match turn {
                Turn::User(text) => self.message("user", clipped(text, PASSAGE_BYTES))?,
                Turn::AssistantText(text) => {
                    self.message("assistant", clipped(text, PASSAGE_BYTES))?
                }
                Turn::AssistantCalls(_) | Turn::ToolResult { .. } => continue,
            };
            if prompt.len() + later.iter().map(Vec::len).sum::<usize>() + message.len() > room
                && !later.is_empty()
            {
                break;
            }
            later.push(message);
        }
        prompt.extend(later.into_iter().rev().flatten());
        self.speak(state, prompt, request.max_tokens)
    }

    fn summarise(
        &self,
        state: &mut State,
        question: &str,
        text: &str,
        max_tokens: usize,
    ) -> Result<Stage> {
        let mut prompt = self.message(
            "system",
            "You summarise texts truthfully, in two or three sentences.",
        )?;
        let passage = clipped(text.trim(), PASSAGE_BYTES);
        prompt.extend(self.message("user", &format!("{passage}\n\n{question}"))?);
        self.speak(state, prompt, max_tokens.min(160))
    }

    fn speak(&self, state: &mut State, mut prompt: Vec<u32>, max_tokens: usize) -> Result<Stage> {
        let tokenizer = self.text.tokenizer();
        prompt.push(tokenizer.control("<|im_start|>")?);
        prompt.extend(tokenizer.encode("assistant\n")?);
        // A prompt of one oversized message keeps its end, where the question is.
        let most = self.text.context() - 1;
        let excess = prompt.len().saturating_sub(most);
        prompt.drain(..excess);
        let options = Options {
            max_tokens,
            sampling: Sampling::Greedy,
            stop: vec![
                tokenizer.control("<|im_end|>")?,
                tokenizer.control("<|endoftext|>")?,
            ],
            repetition_penalty: 1.1,
        };
        let session = std::mem::replace(&mut state.chat, self.text.session());
        Ok(Stage::Speaking(self.text.begin(session, prompt, options)?))
    }

    /// A message in the model's own form (ChatML).
    fn message(&self, role: &str, text: &str) -> Result<Vec<u32>> {
        let tokenizer = self.text.tokenizer();
        let mut out = vec![tokenizer.control("<|im_start|>")?];
        out.extend(tokenizer.encode(&format!("{role}\n{text}"))?);
        out.push(tokenizer.control("<|im_end|>")?);
        out.extend(tokenizer.encode("\n")?);
        Ok(out)
    }

    /// The lines of `text` that are closest to the question, as they stand, in their order.
    fn quote(&self, question: &str, text: &str) -> Result<String> {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| line.chars().any(char::is_alphanumeric))
            .collect();
        if lines.len() <= QUOTED_LINES {
            return Ok(lines.join("\n"));
        }
        let lines = &lines[..lines.len().min(RANKED_LINES)];
        let topic = topic(question);
        let asked = self.embedder.embed(&[&topic])?.pop().unwrap_or_default();
        let vectors = self.embedder.embed(lines)?;
        let wanted: Vec<String> = words::words(&topic)
            .iter()
            .map(|word| stem(word.text))
            .collect();
        let mut ranked: Vec<(usize, f32)> = lines
            .iter()
            .zip(&vectors)
            .enumerate()
            .map(|(at, (line, vector))| (at, cosine(&asked, vector) + shared(&wanted, line)))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best = ranked.first().map_or(0.0, |(_, score)| *score);
        let mut chosen: Vec<usize> = ranked
            .iter()
            .take(QUOTED_LINES)
            .filter(|(_, score)| *score > best - 0.12)
            .map(|(at, _)| *at)
            .collect();
        // A heading says nothing without the line below it.
        if let [only] = chosen[..]
            && lines[only].starts_with('#')
            && only + 1 < lines.len()
        {
            chosen.push(only + 1);
        }
        chosen.sort_unstable();
        Ok(chosen
            .iter()
            .map(|at| lines[*at])
            .collect::<Vec<_>>()
            .join("\n"))
    }
}

/// The question without the file it names.
fn topic(question: &str) -> String {
    let said = words::words(question);
    let lead = [
        "see",
        "what",
        "does",
        "say",
        "about",
        "the",
        "is",
        "of",
        "in",
        "this",
        "according",
        "to",
        "tell",
        "me",
        "a",
        "please",
        "file",
    ];
    let telling: Vec<&str> = said
        .iter()
        .filter(|word| !words::is_file(word.text) && !word.is_one_of(&lead))
        .map(|word| word.text)
        .collect();
    if telling.is_empty() {
        question.to_owned()
    } else {
        telling.join(" ")
    }
}

/// What the words of the topic that stand in a line are worth.
fn shared(wanted: &[String], line: &str) -> f32 {
    let line = line.to_lowercase();
    let found = wanted
        .iter()
        .filter(|word| word.len() > 2 && line.contains(word.as_str()))
        .count();
    0.25 * found as f32 / wanted.len().max(1) as f32
}

/// A word's beginning: `licence` finds `license` and `licensed`.
fn stem(word: &str) -> String {
    let lower = word.to_lowercase();
    lower
        .chars()
        .take(lower.chars().count().saturating_sub(2).clamp(4, 6))
        .collect()
}

fn wants_summary(question: &str) -> bool {
    words::words(question)
        .iter()
        .any(|word| word.is_one_of(&["summarise", "summarize", "summary", "explain", "overview"]))
}

fn wants_all(question: &str) -> bool {
    let said = words::words(question);
    let shows = said.iter().take(3).any(|word| {
        word.is_one_of(&[
            "show", "print", "display", "read", "open", "cat", "contents", "content", "see",
        ])
    });
    shows
        && said.len() <= 9
        && !said
            .iter()
            .any(|word| word.is_one_of(&["tell", "and", "about", "how", "who", "when"]))
}

fn nothing(tool: &str) -> String {
    match tool {
        "grep" | "glob" | "recall" => "Nothing was found.",
        "ls" => "The folder is empty.",
        "read" => "The file is empty.",
        _ => "Done; there was no output.",
    }
    .to_owned()
}

fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if lines.len() <= SHOWN_LINES {
        return lines.join("\n");
    }
    format!(
        "{}\n… and {} more lines",
        lines[..SHOWN_LINES].join("\n"),
        lines.len() - SHOWN_LINES
    )
}

fn clipped(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
