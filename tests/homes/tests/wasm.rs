//! WebAssembly programs give the same output, the same end and the same fuel in every home.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use tau_homes::{
    home::{Lane, NativeLane, PageLane, WorkerdLane},
    server::page::Said,
    tools::Tools,
};
use tau_test_wasm::{Case, compile, run_here};
use tau_tests::task::{Answer, Task};

async fn gives_the_same(mut lane: impl Lane) {
    let corpus = Case::all().unwrap();
    let programs = compile().unwrap();
    assert!(corpus.len() >= 20 && !programs.is_empty());
    let expected = include_str!("../../wasm/corpus/expected.txt");
    assert_eq!(expected.lines().count(), corpus.len());
    for (case, expected) in corpus.into_iter().zip(expected.lines()) {
        assert_eq!(ran(&mut lane, case).await, expected);
    }
    // What a compiler makes of these differs from one to the next; what comes of it does not.
    for case in programs {
        let expected = run_here(&case);
        assert_eq!(ran(&mut lane, case).await, expected);
    }
}

async fn ran(lane: &mut impl Lane, case: Case) -> String {
    let name = case.name.clone();
    match lane.perform(&Task::Wasm(case)).await.unwrap() {
        Said::Answer(Answer::Ran(line)) => line,
        said => panic!("{name}: {said:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_end_the_same_natively() {
    gives_the_same(NativeLane::start().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_end_the_same_in_workerd() {
    let tools = Tools::find().unwrap();
    gives_the_same(WorkerdLane::start(&tools).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_end_the_same_in_a_page() {
    let tools = Tools::find().unwrap();
    gives_the_same(PageLane::start(&tools).await.unwrap()).await;
}
