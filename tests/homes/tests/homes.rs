//! Every scenario leaves the same transcript in every home, and every adapter passes its suite
//! there.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use tau_homes::{
    home::{Home, Lane, NativeLane, PageLane, WorkerdLane},
    lanes,
    play::Case,
    server::{Server, page::Said},
    tools::Tools,
};
use tau_tests::task::{Answer, Suite, Task};

async fn leaves_the_same_transcripts(home: Home) {
    let cases = Case::all("").unwrap();
    let verdicts = lanes::play_all(home, &cases, |_| {}).await.unwrap();
    let differ: Vec<String> = verdicts
        .iter()
        .filter_map(|v| Some(format!("{}: {}", v.scenario, v.problem.as_ref()?)))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));

    let expected: Vec<String> = cases.iter().map(Case::hash).collect();
    let found: Vec<String> = verdicts.iter().filter_map(|v| v.hash.clone()).collect();
    assert_eq!(found, expected);
    let restarted = verdicts.iter().filter(|v| v.processes > 1).count();
    assert!(
        restarted > 20,
        "{restarted} scenarios went on in another process"
    );
}

async fn passes_every_suite(home: Home) {
    let passed = lanes::suites(home).await.unwrap();
    assert_eq!(passed.len(), 4);
    for suite in passed {
        assert_eq!(suite.problem, None, "{} of {}", suite.suite, suite.adapter);
    }
}

/// A suite that cannot pass is told in its words, and the home goes on.
async fn tells_a_panic(mut lane: impl Lane) {
    let server = Server::start().await.unwrap();
    let nobody = server.refused_url().unwrap();
    let broken = Suite::Http {
        base_url: nobody.clone(),
        refused_url: nobody,
    };
    match lane.perform(&Task::Suite(broken)).await.unwrap() {
        Said::Panic(words) => assert!(words.contains("cannot connect"), "{words}"),
        said @ Said::Answer(_) => panic!("nobody answers, yet {said:?}"),
    }
    lane.restart().await.unwrap();
    let next = lane.perform(&Task::Suite(Suite::Clock)).await.unwrap();
    assert!(matches!(next, Said::Answer(Answer::Passed)), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_leaves_its_transcript_natively() {
    leaves_the_same_transcripts(Home::Native).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_leaves_its_transcript_in_workerd() {
    leaves_the_same_transcripts(Home::Workerd).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_leaves_its_transcript_in_a_page() {
    leaves_the_same_transcripts(Home::Page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_adapter_passes_its_suite_natively() {
    passes_every_suite(Home::Native).await;
    tells_a_panic(NativeLane::start().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_adapter_passes_its_suite_in_workerd() {
    passes_every_suite(Home::Workerd).await;
    let tools = Tools::find().unwrap();
    tells_a_panic(WorkerdLane::start(&tools).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_adapter_passes_its_suite_in_a_page() {
    passes_every_suite(Home::Page).await;
    let tools = Tools::find().unwrap();
    tells_a_panic(PageLane::start(&tools).await.unwrap()).await;
}
