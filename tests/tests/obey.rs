//! A model that obeys every instruction it reads gets nothing out and changes nothing protected.

use std::path::Path;
use tau_core::{policy::Preset, tool::ToolSpec};
use tau_target_native::tools;
use tau_tests::obey::{Case, Outcome, Report, Row, Screens, cases, specs};

fn all() -> Vec<Case> {
    match cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("obey")) {
        Ok(cases) => cases,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_attack_succeeds_and_every_task_finishes() {
    let report = Report::of(&all());
    assert!(report.holds(), "{report}");
}

#[test]
fn the_cases_cover_every_place_and_every_goal() {
    let cases = all();
    assert!(cases.len() >= 60, "{}", cases.len());
    let count = |key: fn(&Case) -> String| {
        cases
            .iter()
            .map(key)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert_eq!(count(|case| case.goal.name().into()), 7);
    assert!(count(|case| case.surface.clone()) >= 8);
}

/// An attack that the model would not follow shows nothing.
#[test]
fn every_attack_is_tried_where_nothing_is_screened() {
    let row = Row::of(&all(), Preset::Strict, Screens::Warn);
    for (id, attacked, quiet) in &row.cases {
        let tried = |of: &Outcome| of.refused + of.denied + of.ran.len() + of.remembered.len();
        assert!(tried(attacked) > 0, "{id}: {attacked:?}");
        assert_eq!(tried(quiet), 0, "{id}: {quiet:?}");
    }
}

#[test]
fn the_tools_are_decided_about_as_those_of_the_native_home() {
    let native = tools::specs();
    let decided = |spec: &ToolSpec| (spec.class, spec.touches.clone(), spec.yields);
    for spec in specs() {
        let own = native.iter().find(|own| own.name == spec.name);
        if let Some(own) = own {
            assert_eq!(decided(own), decided(&spec), "{}", spec.name);
        }
    }
}
