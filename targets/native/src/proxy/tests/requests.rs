//! What is let through, what is not, and what comes back.

use super::*;

#[tokio::test]
async fn a_granted_host_is_reached_over_http_and_https() {
    let stage = Stage::new().await;
    for server in [&stage.plain, &stage.secure] {
        assert_eq!(stage.get(server, "/a?b=1").await, (200, "GET ".into()));
        let sent = stage.client().post(server.url("/b")).body("text");
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "POST text");
        let seen = server.seen();
        assert_eq!(
            (seen[0].path.as_str(), seen[1].method.as_str()),
            ("/a?b=1", "POST")
        );
        assert_eq!(seen[1].header("host"), Some(server.authority().as_str()));
        assert_eq!(seen[1].body, b"text");
    }
    let told = stage.told(4).await;
    let expected = format!("allowed GET {} (200)", stage.plain.url("/a?b=1"));
    assert_eq!(told[0], expected);
    let expected = format!("allowed POST {} (200)", stage.secure.url("/b"));
    assert_eq!(told[3], expected);
}

#[tokio::test]
async fn an_empty_body_has_a_length() {
    let stage = Stage::new().await;
    let sent = stage.client().post(stage.plain.url("/")).send();
    assert_eq!(sent.await.unwrap().status(), 200);
    let seen = stage.plain.seen();
    assert_eq!(seen[0].header("content-length"), Some("0"));
}

#[tokio::test]
async fn other_hosts_and_addresses_are_refused_with_the_rule() {
    let stage = Stage::with(|limits| limits.rules.allow_http = true).await;
    for (url, rule) in [
        ("http://example.com/", "egress: grant"),
        ("http://169.254.169.254/latest/meta-data/", "egress: host"),
        ("http://127.0.0.1:1/", "egress: host"),
        ("http://inward.tau-proxy.org/", "egress: host"),
        ("http://api.tau-proxy.org:22/", "egress: port"),
    ] {
        let (status, body) = stage.get_url(url).await;
        assert_eq!(status, 403, "{url} {body}");
        let said: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&said["error"], &said["rule"]),
            (&"denied".into(), &rule.into())
        );
        assert!(
            said["hint"].as_str().is_some_and(|hint| hint.len() > 10),
            "{said}"
        );
    }
    assert!(stage.plain.seen().is_empty());
    for told in stage.told(5).await {
        assert!(told.starts_with("refused GET http://"), "{told}");
    }
    let told = stage.told(5).await;
    assert!(
        told[3].contains("inward.tau-proxy.org leads to 10.0.0.1"),
        "{}",
        told[3]
    );
}

#[tokio::test]
async fn http_is_for_those_whom_the_policy_lets_use_it() {
    let stage = Stage::new().await;
    let (status, body) = stage.get_url("http://api.tau-proxy.org/").await;
    assert!(status == 403 && body.contains("egress: https"), "{body}");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_a_bad_gateway() {
    let stage = Stage::with(|limits| limits.rules.allow_http = true).await;
    let (status, body) = stage.get_url("http://nowhere.tau-proxies.org/").await;
    assert!(status == 502 && body.contains("connect"), "{status} {body}");
    let told = stage.told(1).await;
    assert!(
        told[0].starts_with("failed GET http://nowhere"),
        "{}",
        told[0]
    );
}

#[tokio::test]
async fn a_secret_does_not_leave_in_address_header_or_body() {
    let stage = Stage::new().await;
    let token = ["ghp_", "1234567890abcdefghijABCDEFGHIJ123456"].concat();
    let (client, url) = (stage.client(), stage.secure.url("/"));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut packed, token.as_bytes()).unwrap();
    for request in [
        client.get(stage.secure.url(&format!("/?q={token}"))),
        client.get(stage.secure.url(&format!("/{VALUE}"))),
        client.get(&url).header("x-note", &token),
        client
            .get(&url)
            .header("authorization", format!("Bearer {token}")),
        client.post(&url).body(format!("a={token}")),
        client.post(&url).body(format!("a={VALUE}")),
        client.post(&url).body(format!("{{\"a\":[\"{token}\"]}}")),
        client
            .post(&url)
            .header("content-encoding", "gzip")
            .body(packed.finish().unwrap()),
    ] {
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 403 && body.contains("egress: secret"), "{body}");
    }
    assert!(stage.secure.seen().is_empty());
    for told in stage.told(8).await {
        assert!(told.starts_with("refused"), "{told}");
        assert!(!told.contains(&token) && !told.contains(VALUE), "{told}");
    }
}

#[tokio::test]
async fn a_credential_goes_to_its_origin_and_does_not_come_back() {
    let stage = Stage::new().await;
    let client = stage.client();
    for path in ["/mirror", "/gzip"] {
        let sent = client.get(stage.secure.url(path));
        let sent = sent
            .header("authorization", "Bearer {{secret:mine}}")
            .send();
        let answer = sent.await.unwrap();
        assert_eq!(answer.status(), 200);
        let headers = format!("{:?}", answer.headers());
        let body = answer.text().await.unwrap();
        assert!(
            !headers.contains(VALUE) && !body.contains(VALUE),
            "{headers} {body}"
        );
        assert!(body.contains("Bearer [redacted:secret:mine]"), "{body}");
    }
    for seen in stage.secure.seen() {
        assert_eq!(seen.header("authorization"), Some("Bearer v4lue-of-mine"));
    }

    let sent = client.get(stage.plain.url("/mirror"));
    let sent = sent
        .header("authorization", "Bearer {{secret:mine}}")
        .send();
    let answer = sent.await.unwrap();
    assert_eq!(answer.status(), 403);
    let body = answer.text().await.unwrap();
    assert!(body.contains("mine belongs to api.tau-proxy.org"), "{body}");
    assert!(stage.plain.seen().is_empty());
    assert!(!format!("{:?}", stage.told.lock().unwrap()).contains(VALUE));
}

#[tokio::test]
async fn a_credential_can_be_the_password_of_a_login() {
    let stage = Stage::new().await;
    let sent = stage.client().get(stage.secure.url("/mirror"));
    let answer = sent
        .basic_auth("alice", Some("{{secret:mine}}"))
        .send()
        .await
        .unwrap();
    let body = answer.text().await.unwrap();
    assert!(body.contains("[redacted:secret:mine]"), "{body}");
    let seen = stage.secure.seen();
    // alice:v4lue-of-mine
    let expected = "Basic YWxpY2U6djRsdWUtb2YtbWluZQ==";
    assert_eq!(seen[0].header("authorization"), Some(expected));
}

#[tokio::test]
async fn a_redirect_is_the_programs_next_request() {
    let stage = Stage::new().await;
    for (to, status) in [
        (stage.plain.url("/there"), 200),
        ("http://169.254.169.254/".into(), 403),
        ("http://127.0.0.1:1/".into(), 403),
    ] {
        let sent = stage
            .client()
            .get(stage.secure.url(&format!("/redirect?{to}")));
        let sent = sent
            .header("authorization", "Bearer {{secret:mine}}")
            .send();
        let answer = sent.await.unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()["location"], to);
        assert_eq!(stage.get_url(&to).await.0, status, "{to}");
    }
    let seen = stage.plain.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), None);
}

#[tokio::test]
async fn what_was_packed_comes_back_as_it_was_meant() {
    let stage = Stage::new().await;
    let answer = stage
        .client()
        .get(stage.plain.url("/gzip"))
        .send()
        .await
        .unwrap();
    assert!(!answer.headers().contains_key("content-encoding"));
    assert_eq!(answer.text().await.unwrap(), "packed ");
}

#[tokio::test]
async fn a_server_that_speaks_another_protocol_is_not_passed_on() {
    let stage = Stage::new().await;
    let (status, body) = stage.get(&stage.plain, "/switch").await;
    assert!(
        status == 502 && body.contains("status 101"),
        "{status} {body}"
    );
}

#[tokio::test]
async fn a_head_request_says_how_long_the_answer_would_be() {
    let stage = Stage::new().await;
    let answer = stage
        .client()
        .head(stage.plain.url("/bytes?77"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-length"], "77");
    assert_eq!(stage.plain.seen()[0].method, "HEAD");
}

#[tokio::test]
async fn a_hundred_requests_at_a_time_are_all_answered() {
    let stage = Stage::new().await;
    let client = stage.client();
    let mut sent = tokio::task::JoinSet::new();
    for number in 0..100 {
        let server = if number % 2 == 0 {
            &stage.plain
        } else {
            &stage.secure
        };
        let request = client.post(server.url("/n")).body(format!("{number}"));
        sent.spawn(async move { (number, request.send().await.unwrap().text().await.unwrap()) });
    }
    for (number, text) in sent.join_all().await {
        assert_eq!(text, format!("POST {number}"));
    }
    assert_eq!(stage.told(100).await.len(), 100);
}
