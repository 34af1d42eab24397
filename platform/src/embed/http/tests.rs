use super::*;
use crate::sim::{Exchange, SimClock, SimHost, SimHttp};
use alloc::vec;

fn embedder(home: &SimHost) -> HttpEmbedder<SimHttp, SimClock> {
    let endpoint = EmbeddingEndpoint {
        base_url: "http://embed.test/v1".into(),
        model: "m".into(),
        secret: None,
        dimensions: 2,
        is_shortened: false,
    };
    HttpEmbedder::new(home.http().clone(), home.clock().clone(), endpoint)
}

fn vectors(count: usize) -> Exchange {
    let items = (0..count).map(|at| format!(r#"{{"index":{at},"embedding":[3,4]}}"#));
    let items: Vec<String> = items.collect();
    Exchange::ok(format!(r#"{{"data":[{}]}}"#, items.join(","))).to("/v1/embeddings")
}

fn embed(home: &SimHost, count: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
    let texts = (0..count).map(|at| format!("text {at}")).collect();
    home.block_on(embedder(home).embed(texts))
}

fn failure(home: &SimHost) -> (String, bool) {
    match embed(home, 1) {
        Err(EmbedError::Failed { detail, retry }) => (detail, retry),
        other => panic!("{other:?}"),
    }
}

#[test]
fn texts_are_asked_for_in_batches_and_come_in_order() {
    let home = SimHost::new();
    home.http().expect(vectors(32).saying("text 31"));
    home.http().expect(vectors(8).saying("text 39"));
    assert_eq!(embed(&home, 40), Ok(vec![vec![0.6, 0.8]; 40]));
    assert_eq!(embed(&home, 0), Ok(vec![]));
    assert_eq!((home.http().left(), home.http().open()), (0, 0));
}

#[test]
fn a_busy_server_is_asked_again_when_it_wants_to_be() {
    let home = SimHost::new();
    home.http()
        .expect(Exchange::status(429).header("retry-after", "7"));
    home.http().expect(Exchange::status(503));
    home.http().expect(vectors(1));
    assert_eq!(embed(&home, 1), Ok(vec![vec![0.6, 0.8]]));
    assert_eq!(home.clock().elapsed_ms(), 7_000 + 1_000);
}

#[test]
fn a_server_that_wants_too_long_a_wait_is_given_up_at_once() {
    let home = SimHost::new();
    home.http()
        .expect(Exchange::status(429).header("retry-after", "60"));
    let (detail, retry) = failure(&home);
    assert!(detail.contains("wait 60000 ms") && retry, "{detail}");
    assert_eq!(home.clock().elapsed_ms(), 0);
}

#[test]
fn three_attempts_are_enough() {
    let home = SimHost::new();
    for _ in 0..3 {
        home.http()
            .expect(Exchange::status(500).bytes("{\"error\":\"out of memory\"}"));
    }
    let (detail, retry) = failure(&home);
    assert!(detail.contains("out of memory") && retry, "{detail}");
    assert_eq!(home.http().left(), 0);
}

#[test]
fn what_cannot_work_later_is_sent_once() {
    let answers = [
        (Exchange::status(401), "key"),
        (Exchange::status(404), "base URL"),
        (
            Exchange::status(302).header("location", "http://elsewhere.test/"),
            "redirects",
        ),
        (Exchange::ok(r#"{"data":[]}"#), "0 vectors for 1 texts"),
        (
            Exchange::ok(r#"{"data":[{"embedding":[1,2,3]}]}"#),
            "another model answers",
        ),
        (Exchange::ok(r#"{"data":[{"embedding":[0,0]}]}"#), "is zero"),
    ];
    for (answer, told) in answers {
        let home = SimHost::new();
        home.http().expect(answer);
        let (detail, retry) = failure(&home);
        assert!(detail.contains(told) && !retry, "{detail}");
        assert_eq!(home.clock().elapsed_ms(), 0);
    }
}

#[test]
fn a_page_in_the_place_of_an_answer_may_be_a_proxy_that_starts() {
    let home = SimHost::new();
    home.http()
        .expect(Exchange::ok("<html><title>Starting</title></html>"));
    home.http().expect(vectors(1));
    assert!(embed(&home, 1).is_ok());
}

#[test]
fn a_server_that_is_away_or_silent_is_waited_for_once() {
    let home = SimHost::new();
    home.http().expect(Exchange::refused());
    let (detail, retry) = failure(&home);
    assert!(detail.contains("cannot connect") && retry, "{detail}");
    assert_eq!(home.clock().elapsed_ms(), 0);

    home.http().expect(Exchange::hanging());
    let (detail, retry) = failure(&home);
    assert!(detail.contains("30000 ms") && retry, "{detail}");

    // One that broke off may be there again.
    home.http().expect(Exchange::ok("{").reset());
    home.http().expect(vectors(1));
    assert!(embed(&home, 1).is_ok());
}

#[test]
fn an_endless_answer_is_not_read_to_its_end() {
    let home = SimHost::new();
    for _ in 0..3 {
        home.http()
            .expect(Exchange::ok(vec![b' '; BODY_BYTES + 1]).stall());
    }
    let (detail, _) = failure(&home);
    assert!(detail.contains("more than 16 MiB"), "{detail}");
    assert_eq!(home.http().open(), 0);
}
