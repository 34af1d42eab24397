//! What `tau-homes` prints.

use anyhow::Result;
use serde_json::json;
use std::fmt::Write as _;
use tau_homes::{
    home::Home,
    play::{Case, Verdict},
    suites::Passed,
    worker::load::{Figures, Spread},
};
use tau_tests::searches::Figures as Searches;

/// Digits of a hash that are shown.
const DIGITS: usize = 12;

/// Milliseconds that a search of memory in a page may take.
const SEARCH_MS: f64 = 25.0;

/// What searching costs in a page.
pub(crate) fn searches(figures: &Searches) -> String {
    let mut text = format!(
        "{} entries in a page: filled in {} ms, opened in {} ms\n",
        figures.entries, figures.filled_ms, figures.opened_ms
    );
    for (method, took) in &figures.searches_ms {
        let met = if *took <= SEARCH_MS { "met" } else { "MISSED" };
        line(
            &mut text,
            format_args!("  {method:<8} {took:>8.1} ms   at most {SEARCH_MS} ms: {met}"),
        );
    }
    text
}

/// Everything, for programs.
pub(crate) fn json(cases: &[Case], verdicts: &[Verdict], passed: &[Passed]) -> Result<String> {
    let expected = cases
        .iter()
        .map(|case| json!({"scenario": case.name, "hash": case.hash()}));
    let all = json!({
        "scenarios": expected.collect::<Vec<_>>(),
        "played": verdicts,
        "suites": passed,
    });
    Ok(serde_json::to_string_pretty(&all)?)
}

/// Tables, and under them what differs.
pub(crate) fn text(
    homes: &[Home],
    cases: &[Case],
    verdicts: &[Verdict],
    passed: &[Passed],
) -> String {
    let mut text = String::new();
    played(&mut text, homes, cases, verdicts);
    if !passed.is_empty() {
        suites(&mut text, passed);
    }
    let differs: Vec<&Verdict> = verdicts.iter().filter(|v| v.problem.is_some()).collect();
    for verdict in &differs {
        let problem = verdict.problem.as_deref().unwrap_or_default();
        line(
            &mut text,
            format_args!("\n{} in {}: {problem}", verdict.scenario, verdict.home),
        );
    }
    let failed = passed.iter().filter(|passed| passed.problem.is_some());
    line(
        &mut text,
        format_args!(
            "\n{} scenarios in {} homes: {} the same, {} differ; {} suites: {} passed, {} failed",
            cases.len(),
            homes.len(),
            verdicts.len() - differs.len(),
            differs.len(),
            passed.len(),
            passed.len() - failed.clone().count(),
            failed.count(),
        ),
    );
    text.trim_end().to_owned()
}

fn played(text: &mut String, homes: &[Home], cases: &[Case], verdicts: &[Verdict]) {
    let width = cases.iter().map(|case| case.name.len()).max();
    let width = width.unwrap_or_default().max("scenario".len());
    let mut head = format!("{:width$}  {:DIGITS$}", "scenario", "simulator");
    for home in homes {
        let _ = write!(head, "  {home:DIGITS$}");
    }
    line(text, format_args!("{}", head.trim_end()));
    for case in cases {
        let mut row = format!("{:width$}  {}", case.name, digits(&case.hash()));
        let of_case = verdicts.iter().filter(|v| v.scenario == case.name);
        for home in homes {
            let verdict = of_case.clone().find(|verdict| verdict.home == *home);
            let hash = verdict.and_then(|verdict| verdict.hash.as_deref());
            let _ = write!(row, "  {:DIGITS$}", hash.map_or("-", digits));
        }
        let all_fine = of_case.clone().all(|verdict| verdict.problem.is_none());
        let is_whole = of_case.count() == homes.len();
        let word = if all_fine && is_whole {
            "ok"
        } else {
            "DIFFERS"
        };
        line(text, format_args!("{row}  {word}"));
    }
}

/// The beginning of a hash.
fn digits(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

fn suites(text: &mut String, passed: &[Passed]) {
    line(
        text,
        format_args!("\n{:9} {:8} {:19} result", "suite", "home", "adapter"),
    );
    for passed in passed {
        let result = match &passed.problem {
            None => format!("ok, {} ms", passed.took_ms),
            Some(why) => format!("FAILS: {why}"),
        };
        line(
            text,
            format_args!(
                "{:9} {:8} {:19} {result}",
                passed.suite, passed.home, passed.adapter
            ),
        );
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(text, "{words}");
}

/// What came of asking one Worker in many sessions at once.
pub(crate) fn load(figures: &Figures) -> String {
    let spread = |name: &str, spread: &Spread| {
        format!(
            "{name:<24}{:>7} {:>7} {:>7}\n",
            spread.p50, spread.p95, spread.max
        )
    };
    let mut text = format!(
        "{} sessions at once for {} s: {} turns, {:.1} a second\n\
         {} lost, {} mixed, {} sessions without all their turns\n\
         ms                          p50     p95     max\n",
        figures.sessions,
        figures.seconds,
        figures.turns,
        figures.turns_per_s,
        figures.lost,
        figures.mixed,
        figures.wrong_sessions,
    );
    text += &spread("to the first event", &figures.first_event_ms);
    text += &spread("to the first word", &figures.first_word_ms);
    text += &spread("to the end of the turn", &figures.turn_ms);
    text += &format!("of which the provider takes {}", figures.provider_ms);
    for problem in &figures.problems {
        text += &format!("\n{problem}");
    }
    text
}
