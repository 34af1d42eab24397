use super::*;
use crate::ids::UnixMillis;
use alloc::string::ToString;

fn endpoint(dimensions: u32) -> EmbeddingEndpoint {
    EmbeddingEndpoint {
        base_url: "http://127.0.0.1:1/v1/".into(),
        model: "m".into(),
        secret: Some("KEY".into()),
        dimensions,
        is_shortened: false,
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_string()).collect()
}

fn read(count: usize, body: &str) -> Result<Vec<Vec<f32>>, String> {
    let read = endpoint(2).decode(count, body.as_bytes());
    read.map_err(|error| error.to_string())
}

#[test]
fn a_request_names_the_model_and_carries_the_key_by_name_alone() {
    let request = endpoint(2).encode(&texts(&["a \"b\"", ""]));
    assert_eq!(request.url, "http://127.0.0.1:1/v1/embeddings");
    assert_eq!(
        core::str::from_utf8(&request.body),
        Ok(r#"{"input":["a \"b\""," "],"model":"m"}"#)
    );
    let key = HeaderValue::Secret {
        name: "KEY".into(),
        prefix: "Bearer ".into(),
    };
    assert!(request.headers.contains(&("authorization".into(), key)));

    let shortened = EmbeddingEndpoint {
        is_shortened: true,
        ..endpoint(256)
    };
    let body = shortened.encode(&texts(&["a"])).body;
    let body = core::str::from_utf8(&body).unwrap();
    assert!(body.contains(r#""dimensions":256"#), "{body}");
}

#[test]
fn a_space_is_the_model_and_where_it_is_asked() {
    let name = |base_url: &str| space_of(base_url, "m", 2).name;
    assert_eq!(endpoint(2).space().name, "m at http://127.0.0.1:1");
    assert_eq!(
        name("HTTPS://me:key@Api.Example:8443/v1?x"),
        "m at https://api.example:8443"
    );
    assert_eq!(name("https://api.example/v1"), name("https://api.example"));
    assert_ne!(name("https://api.example"), name("http://api.example"));
    assert_eq!(name(""), "m", "behind a binding there is no address");
}

#[test]
fn vectors_are_put_in_the_order_of_the_texts_and_have_length_1() {
    let body = r#"{"data":[{"index":1,"embedding":[0,-2]},{"index":0,"embedding":[3,4]}]}"#;
    assert_eq!(read(2, body), Ok(vec![vec![0.6, 0.8], vec![0.0, -1.0]]));
    let body = r#"{"data":[{"embedding":[3,4]},{"embedding":[1,0]}],"usage":{}}"#;
    assert_eq!(read(2, body), Ok(vec![vec![0.6, 0.8], vec![1.0, 0.0]]));
}

#[test]
fn base64_is_read_like_numbers() {
    let bytes: Vec<u8> = [3.0_f32, 4.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let body = format!(
        r#"{{"data":[{{"index":0,"embedding":"{}"}}]}}"#,
        STANDARD.encode(bytes)
    );
    assert_eq!(read(1, &body), Ok(vec![vec![0.6, 0.8]]));
}

#[test]
fn what_is_no_list_of_vectors_is_refused_in_words() {
    for (count, body, told) in [
        (
            2,
            r#"{"data":[{"embedding":[1,0]}]}"#,
            "1 vectors for 2 texts",
        ),
        (
            1,
            r#"{"data":[{"embedding":[1,0,0]}]}"#,
            "m sent vectors of 3 numbers, not 2",
        ),
        (1, r#"{"data":[{"embedding":[]}]}"#, "of 0 numbers"),
        (
            1,
            r#"{"data":[{"embedding":[0,0]}]}"#,
            "vector 0 of the answer is zero",
        ),
        (
            1,
            r#"{"data":[{"embedding":[null,1]}]}"#,
            "has a number that is none",
        ),
        (
            1,
            r#"{"data":[{"embedding":[1e39,1]}]}"#,
            "has a number that is none",
        ),
        (
            1,
            r#"{"data":[{"embedding":"AAAA"}]}"#,
            "has no `embedding`",
        ),
        (1, r#"{"data":[{"embedding":{}}]}"#, "has no `embedding`"),
        (1, r#"{"data":[{"index":1,"embedding":[1,0]}]}"#, "index"),
        (1, r#"{"data":[{"index":-1,"embedding":[1,0]}]}"#, "index"),
        (
            2,
            r#"{"data":[{"index":0,"embedding":[1,0]},{"index":0,"embedding":[0,1]}]}"#,
            "index",
        ),
        (1, r#"{"embeddings":[[1,0]]}"#, "no list `data`"),
        (1, "[]", "no object"),
        (1, "", "no list of vectors"),
        (1, "<html><title>Bad gateway</title></html>", "Bad gateway"),
        (1, r#"{"data":[{"embedding":[1,0]"#, "no list of vectors"),
        (
            1,
            r#"{"error":{"message":"no such model","code":404}}"#,
            "no such model",
        ),
    ] {
        let error = read(count, body).unwrap_err();
        assert!(error.contains(told), "{body}: {error}");
    }
}

#[test]
fn what_workers_ai_answers_is_held_to_the_same() {
    let read = |count: usize, body: &str| endpoint(2).decode_bound(count, body.as_bytes());
    let body = r#"{"shape":[2,2],"data":[[3,4],[0,1]],"pooling":"mean"}"#;
    assert_eq!(read(2, body), Ok(vec![vec![0.6, 0.8], vec![0.0, 1.0]]));
    for (count, body, told) in [
        (1, body, "2 vectors for 1 texts"),
        (1, r#"{"data":[[1,0,0]]}"#, "of 3 numbers, not 2"),
        (1, r#"{"data":[[0,0]]}"#, "is zero"),
        (1, r#"{"data":[3]}"#, "row 0 is no vector"),
        (1, r#"{"response":"hello"}"#, "no list `data`"),
    ] {
        let error = read(count, body).unwrap_err().to_string();
        assert!(error.contains(told), "{body}: {error}");
    }
}

#[test]
fn an_error_says_whether_and_when_to_try_again_and_never_the_key() {
    let failure = |status: u16, headers: &[(&str, &str)], body: &str| {
        let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        let head = HttpHead {
            status,
            headers: headers.collect(),
            at: UnixMillis(0),
        };
        endpoint(2).failure(&head, body.as_bytes())
    };
    let busy = failure(
        429,
        &[("retry-after", "7")],
        r#"{"error":{"message":"slow down"}}"#,
    );
    assert!(busy.is_retryable());
    assert_eq!(busy.retry_after_ms(), Some(7_000));
    assert!(failure(503, &[], "").is_retryable());

    let key = "sk-proj-0123456789abcdefghij";
    let body = format!(r#"{{"error":{{"message":"Incorrect API key provided: {key}"}}}}"#);
    let wrong = failure(401, &[], &body);
    assert!(!wrong.is_retryable());
    let told = wrong.to_string();
    assert!(
        told.contains("environment variable KEY") && !told.contains(key),
        "{told}"
    );

    // What is said of conversations helps nobody here.
    let long = failure(413, &[], r#"{"error":"too large"}"#).to_string();
    assert_eq!(long, "too large");
}

#[test]
fn texts_are_sent_in_requests_of_bounded_size() {
    assert!(batches(&[]).is_empty());
    let many = vec!["x".to_string(); 70];
    assert_eq!(batches(&many), [0..32, 32..64, 64..70]);
    // Each counts as what is sent of it.
    let long = vec!["é".repeat(500_000); 17];
    let sizes: Vec<usize> = batches(&long).iter().map(Range::len).collect();
    assert_eq!(sizes, [16, 1]);
    let request = endpoint(2).encode(&long[..16]);
    assert!(request.body.len() < BATCH_BYTES + 1_000);
}

#[test]
fn long_texts_are_cut_between_characters() {
    let (start, is_whole) = cut("short");
    assert_eq!((start, is_whole), ("short", true));
    let text = "€".repeat(10_000);
    let (start, is_whole) = cut(&text);
    assert!(!is_whole && text.starts_with(start));
    assert_eq!(start.len(), TEXT_BYTES - TEXT_BYTES % 3);
}

#[test]
fn lengths_are_1_however_large_or_small_the_numbers_are() {
    for scale in [1e-30_f32, 1e-5, 1.0, 3.7, 1e5, 1e30] {
        let vector = normalised((1..=384).map(|x| scale * x as f32).collect()).unwrap();
        let length: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        assert!((length - 1.0).abs() < 1e-6, "{scale}: {length}");
    }
}
