//! Plays scenarios in a home and compares what came out with what the simulator left.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};
use tau_tests::{
    scenario::{Done, Job, Outcome, Response, Scenario, difference, parse, play},
    task::{Answer, Task},
};

use crate::{
    home::{Home, Lane},
    server::{Server, page::Said},
    tools::root,
};

/// A scenario, and what must come out everywhere.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file's name, without ending.
    pub name: String,
    text: String,
    scenario: Scenario,
    /// What the simulator left; the transcript is the one that lies beside the scenario.
    expected: Outcome,
}

impl Case {
    /// Every scenario with `part` in its name, in the order of the names.
    ///
    /// Fails when the simulator leaves another transcript than the one that lies beside it.
    pub fn all(part: &str) -> Result<Vec<Self>> {
        let folder = root().join("tests/scenarios");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).context("no tests/scenarios")? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_scenario = path.extension().is_some_and(|ending| ending == "md");
            if is_scenario && name != "README" && name.contains(part) {
                names.push(name.into_owned());
            }
        }
        names.sort();
        names
            .into_iter()
            .map(|name| Self::read(&folder, name))
            .collect()
    }

    fn read(folder: &Path, name: String) -> Result<Self> {
        let file = folder.join(&name);
        let text = std::fs::read_to_string(file.with_extension("md"))?;
        let scenario = parse(&text).with_context(|| name.clone())?;
        let played = play(&scenario).map_err(anyhow::Error::msg);
        let expected = played.with_context(|| name.clone())?.outcome();
        let file = file.with_extension("transcript");
        let transcript =
            std::fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        if let Some(difference) = difference(&transcript, &expected.transcript) {
            bail!("{name}: the simulator leaves another transcript: {difference}");
        }
        Ok(Self {
            name,
            text,
            scenario,
            expected,
        })
    }

    /// SHA-256 of the transcript, in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        sha256(&self.expected.transcript)
    }

    fn responses(&self) -> Vec<Response> {
        let replies = self.scenario.replies.iter();
        replies
            .filter_map(|reply| reply.response(&self.scenario.setup))
            .collect()
    }
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::new(), |mut hex, byte| {
        // Writing into a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// How a scenario went in one home.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The scenario.
    pub scenario: String,
    /// The home.
    pub home: Home,
    /// SHA-256 of the transcript it left, if it left one.
    pub hash: Option<String>,
    /// What is not as it must be.
    pub problem: Option<String>,
    /// Processes it took.
    pub processes: usize,
    /// Real time it took.
    pub took_ms: u64,
}

/// Plays `case` in `lane`, one process after another.
pub async fn play_case(
    home: Home,
    lane: &mut impl Lane,
    server: &Server,
    case: &Case,
) -> Result<Verdict> {
    let begun = Instant::now();
    let play = server.begin(case.responses());
    let mut carried = None;
    let mut processes = 0;
    let played = loop {
        processes += 1;
        let task = Task::Play(Job {
            play: case.name.clone(),
            scenario: case.text.clone(),
            base_url: play.url(),
            refused_url: server.refused_url()?,
            carried: carried.take(),
        });
        match lane.perform(&task).await? {
            Said::Answer(Answer::Played(Done::Next(next))) => {
                carried = Some(next);
                lane.restart().await?;
            }
            Said::Answer(Answer::Played(Done::Over(outcome))) => break Ok(outcome),
            Said::Answer(Answer::Played(Done::Failed(why))) | Said::Panic(why) => {
                lane.restart().await?;
                break Err(why);
            }
            Said::Answer(Answer::Passed | Answer::Ran(_) | Answer::Measured(_)) => {
                bail!("{home} answers another task")
            }
        }
    };
    let hash = played.as_ref().ok().map(|found| sha256(&found.transcript));
    let mut problems = Vec::new();
    match played {
        Ok(found) => problems.extend(compare(&case.expected, &found)),
        Err(why) => problems.push(why),
    }
    let (bodies, unforeseen) = play.seen();
    problems.extend(unforeseen);
    problems.extend(served(case, &bodies));
    if !all_closed(|| play.open()).await {
        problems.push(format!("{} connections stay open", play.open()));
    }
    Ok(Verdict {
        scenario: case.name.clone(),
        home,
        hash,
        problem: (!problems.is_empty()).then(|| problems.join("\n")),
        processes,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// What differs.
fn compare(expected: &Outcome, found: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(difference(&expected.transcript, &found.transcript));
    if expected.runs != found.runs {
        let (expected, found) = (&expected.runs, &found.runs);
        problems.push(format!("tools ran {found:?}, expected {expected:?}"));
    }
    problems
}

/// What the models were asked, as they saw it.
fn served(case: &Case, bodies: &[String]) -> Option<String> {
    // A request to nobody reached nobody.
    let responses = case.responses();
    let reached = case.expected.requests.iter().zip(&responses);
    let reached: Vec<&String> = reached
        .filter(|(_, response)| response.head != tau_tests::scenario::Head::Refused)
        .map(|(body, _)| body)
        .collect();
    if reached.len() != bodies.len() {
        let (expected, found) = (reached.len(), bodies.len());
        return Some(format!(
            "{found} requests reached a model, expected {expected}"
        ));
    }
    let differs = (1..).zip(reached.iter().zip(bodies));
    let mut differs = differs.filter(|(_, (expected, found))| **expected != *found);
    differs.next().map(|(number, (expected, found))| {
        format!("request {number} differs\n  expected {expected}\n  found    {found}")
    })
}

/// Whether `open` comes down to nothing soon: a runtime closes what was dropped when it gets to it.
async fn all_closed(open: impl Fn() -> usize) -> bool {
    for _ in 0..200 {
        if open() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::NativeLane;

    async fn verdict(change: impl FnOnce(&mut Case)) -> Verdict {
        let folder = root().join("tests/scenarios");
        let mut case = Case::read(&folder, "tools-in-parallel".into()).unwrap();
        change(&mut case);
        let server = Server::start().await.unwrap();
        let mut lane = NativeLane::start().unwrap();
        play_case(Home::Native, &mut lane, &server, &case)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_difference_is_told_with_the_first_line_that_differs() {
        let verdict = verdict(|case| {
            let lines = case.expected.transcript.lines().enumerate();
            let changed = lines.map(|(number, line)| match number {
                2 => "{\"another\":\"record\"}\n".to_owned(),
                _ => format!("{line}\n"),
            });
            case.expected.transcript = changed.collect();
        });
        let problem = verdict.await.problem.unwrap();
        let told = "line 3 differs\n  expected {\"another\":\"record\"}\n  found    {\"v\":1";
        assert!(problem.starts_with(told), "{problem}");
    }

    #[tokio::test]
    async fn a_request_with_other_bytes_is_told() {
        let verdict = verdict(|case| case.expected.requests[1].push(' ')).await;
        let problem = verdict.problem.unwrap();
        assert!(problem.starts_with("request 2 differs\n"), "{problem}");
    }

    #[tokio::test]
    async fn a_tool_that_ran_otherwise_is_told() {
        let verdict = verdict(|case| case.expected.runs.clear()).await;
        let problem = verdict.problem.unwrap();
        assert!(problem.starts_with("tools ran [ToolLog"), "{problem}");
    }

    #[tokio::test]
    async fn an_expectation_that_does_not_hold_is_told_by_its_line() {
        let verdict = verdict(|case| case.text.push_str("\n## expect\n- requests 7\n")).await;
        let problem = verdict.problem.unwrap();
        assert!(problem.ends_with("expected 7, found 2"), "{problem}");
        assert!(problem.starts_with("line "), "{problem}");
        assert_eq!(verdict.hash, None);
    }
}
