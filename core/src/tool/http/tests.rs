use super::*;
use crate::{
    egress::Rules,
    ids::UnixMillis,
    message::ToolStatus,
    policy::{Policy, Preset, Refusal, http::HttpLimits},
    session::{HeaderValue, HttpError, HttpHead, HttpRequest},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::Value;
use serde_json::json;

fn limits() -> HttpLimits {
    Policy::default().http.limits(Preset::Balanced)
}

fn exchange(arguments: &Value) -> Result<Exchange, Refusal> {
    Exchange::new(arguments, &limits())
}

fn sent(exchange: &mut Exchange) -> HttpRequest {
    exchange.next_request().unwrap().into_parts().1
}

fn head(status: u16, headers: &[(&str, &str)]) -> HttpHead {
    HttpHead {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        at: UnixMillis(1_700_000_000_000),
    }
}

fn plain(request: &HttpRequest, name: &str) -> Option<String> {
    request
        .headers
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| match value {
            HeaderValue::Plain(text) => text.clone(),
            HeaderValue::Secret { name, prefix } => format!("{prefix}<{name}>"),
        })
}

#[test]
fn method_headers_and_body_are_sent_as_asked() {
    for method in ["POST", "put", "Patch", "DELETE"] {
        let mut exchange = exchange(&json!({
            "url": "https://example.com/a?b=c", "method": method,
            "headers": {"X-Trace": "7", "count": 3}, "json": {"a": [1, "ü"]},
        }))
        .unwrap();
        let request = sent(&mut exchange);
        assert_eq!(request.method, method.to_uppercase());
        assert_eq!(request.url, "https://example.com/a?b=c");
        assert_eq!(&*request.body, "{\"a\":[1,\"ü\"]}".as_bytes());
        assert_eq!(
            plain(&request, "content-type").as_deref(),
            Some("application/json")
        );
        assert_eq!(plain(&request, "x-trace").as_deref(), Some("7"));
        assert_eq!(plain(&request, "count").as_deref(), Some("3"));
        assert!(plain(&request, "accept").is_some());
    }
    let mut text = exchange(&json!({
        "url": "https://example.com", "method": "POST", "body": "<a/>",
        "headers": {"content-type": "application/xml"},
    }))
    .unwrap();
    let request = sent(&mut text);
    assert_eq!(
        plain(&request, "content-type").as_deref(),
        Some("application/xml")
    );
    assert_eq!(&*request.body, b"<a/>");
    let mut get = exchange(&json!({"url": "https://example.com"})).unwrap();
    let request = sent(&mut get);
    assert_eq!((request.method.as_str(), request.body.len()), ("GET", 0));
    assert_eq!(plain(&request, "content-type"), None);
}

#[test]
fn what_must_not_be_sent_is_refused() {
    let long = "x".repeat(20_000);
    for (arguments, rule) in [
        (
            json!({"headers": {"x": "a\r\nhost: evil.com"}}),
            "http: request",
        ),
        (json!({"headers": {"x": "a\nb"}}), "http: request"),
        (json!({"headers": {"x": "a\u{0}b"}}), "http: request"),
        (json!({"headers": {"x": "ü"}}), "http: request"),
        (json!({"headers": {"x\r\ny": "a"}}), "http: request"),
        (json!({"headers": {"x y": "a"}}), "http: request"),
        (json!({"headers": {"": "a"}}), "http: request"),
        (json!({"headers": {":path": "/"}}), "http: request"),
        (json!({"headers": {"x": ["a"]}}), "http: request"),
        (json!({"headers": {"x": long}}), "http: request"),
        (json!({"headers": {"A": "1", "a": "2"}}), "http: request"),
        (json!({"headers": {"Host": "evil.com"}}), "http: request"),
        (json!({"headers": {"Content-Length": "5"}}), "http: request"),
        (
            json!({"headers": {"Transfer-Encoding": "chunked"}}),
            "http: request",
        ),
        (
            json!({"headers": {"Proxy-Authorization": "x"}}),
            "http: request",
        ),
        (json!({"body": "x"}), "http: request"),
        (json!({"method": "HEAD", "json": 1}), "http: request"),
        (
            json!({"method": "POST", "json": 1, "body": "x"}),
            "http: request",
        ),
        (json!({"method": "TRACE"}), "http: request"),
        (json!({"method": "CONNECT"}), "http: request"),
        (json!({"method": "GET / HTTP/1.1\r\nX: y"}), "http: request"),
        (
            json!({"method": "POST", "body": "{{secret:a}}"}),
            "credentials: handle",
        ),
        (
            json!({"headers": {"a": "{{secret:a}} b"}}),
            "credentials: handle",
        ),
        (
            json!({"url": "https://example.com/{{secret:a}}"}),
            "credentials: handle",
        ),
    ] {
        let mut arguments = arguments;
        if arguments["url"].is_null() {
            arguments["url"] = "https://example.com".into();
        }
        let refusal = exchange(&arguments).expect_err(&arguments.to_string());
        assert_eq!(refusal.rule, rule, "{arguments}");
        assert!(!refusal.reason.contains(['\r', '\n']), "{refusal:?}");
    }
}

/// Put together here, so that no scanner finds a token in this file.
fn token() -> String {
    format!(
        "ghp_{}",
        "16C7e42F292c6912E7710c838347Ae178B4a"
            .chars()
            .rev()
            .collect::<String>()
    )
}

fn key_block() -> String {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".repeat(4);
    format!(
        "-----BEGIN {0}-----\n{line}\n-----END {0}-----\n",
        "PRIVATE KEY"
    )
}

#[test]
fn a_secret_does_not_leave_in_address_header_or_body() {
    let token = token();
    for arguments in [
        json!({"url": format!("https://example.com/?t={token}")}),
        json!({"url": format!("https://example.com/{token}/x")}),
        json!({"url": "https://example.com", "headers": {"x-note": token}}),
        json!({"url": "https://example.com", "headers": {"authorization": format!("Bearer {token}")}}),
        json!({"url": "https://example.com", "method": "POST", "body": format!("the key is {token}")}),
        json!({"url": "https://example.com", "method": "POST", "json": {"a": [{"b": token}]}}),
        json!({"url": "https://example.com", "method": "POST", "json": {"a": key_block()}}),
        json!({"url": "https://example.com", "method": "POST", "body": key_block()}),
    ] {
        let refusal = exchange(&arguments).expect_err("it leaves");
        assert_eq!(refusal.rule, "egress: secret");
        assert!(
            !refusal.reason.contains(&token),
            "the refusal must not repeat it"
        );
    }
    let handle = json!({
        "url": "https://example.com",
        "headers": {"authorization": "Bearer {{secret:github}}"},
    });
    let request = sent(&mut exchange(&handle).unwrap());
    assert_eq!(
        plain(&request, "authorization").as_deref(),
        Some("Bearer <secret:github>")
    );
}

#[test]
fn a_call_lowers_limits_and_never_raises_them() {
    let asked = json!({"url": "https://example.com", "timeout_ms": 1, "max_bytes": 2});
    let low = Exchange::new(&asked, &limits()).unwrap();
    assert_eq!(
        (low.limits().timeout_ms, low.limits().response_bytes),
        (1, 2)
    );
    let asked = json!({
        "url": "https://example.com", "timeout_ms": u64::MAX, "max_bytes": u64::MAX,
    });
    let high = Exchange::new(&asked, &limits()).unwrap();
    assert_eq!(high.limits(), &limits());
}

/// Answers the first request with a redirect and gives what is sent next.
fn redirected(arguments: &Value, status: u16, location: &str) -> Result<HttpRequest, Refusal> {
    let mut exchange = exchange(arguments)?;
    exchange.next_request()?;
    let step = exchange.handle_head(&head(status, &[("location", location)]))?;
    assert_eq!(step, Step::Follow);
    Ok(exchange.next_request()?.into_parts().1)
}

#[test]
fn a_redirect_into_a_private_network_is_refused_at_that_hop() {
    let get = json!({"url": "https://example.com/a"});
    for location in [
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "//10.0.0.1/",
        "https://metadata.google.internal/",
        "https://[::ffff:169.254.169.254]/",
        "http://example.com/",
        "file:///etc/passwd",
        "https://u:p@example.com/",
    ] {
        let refusal = redirected(&get, 302, location).expect_err(location);
        assert!(
            refusal.rule.starts_with("egress: "),
            "{location}: {refusal:?}"
        );
    }
    let refusal = redirected(&get, 302, "https://127.0.0.1/").unwrap_err();
    assert!(
        refusal
            .reason
            .starts_with("https://example.com/a redirects it: ")
    );
    assert_eq!(
        redirected(&get, 308, "../b?c").unwrap().url,
        "https://example.com/b?c"
    );
}

#[test]
fn credentials_stay_with_the_origin_they_were_for() {
    let arguments = json!({
        "url": "https://example.com/a",
        "headers": {
            "authorization": "Bearer {{secret:github}}", "cookie": "a=b", "x-api-key": "abc",
            "accept-language": "de",
        },
    });
    let same = redirected(&arguments, 302, "/b").unwrap();
    assert!(plain(&same, "authorization").is_some() && plain(&same, "cookie").is_some());
    for location in [
        "https://example.org/",
        "https://example.com:8443/",
        "https://www.example.com/",
    ] {
        let other = redirected(&arguments, 307, location).unwrap();
        let names: Vec<&str> = other
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["accept-language", "accept"], "{location}");
    }
}

#[test]
fn methods_change_as_browsers_change_them_and_bodies_stay_at_home() {
    let post = json!({"url": "https://example.com/a", "method": "POST", "json": {"a": 1}});
    for status in [301, 302, 303] {
        for location in ["/b", "https://example.org/b"] {
            let next = redirected(&post, status, location).unwrap();
            assert_eq!(
                (next.method.as_str(), next.body.len()),
                ("GET", 0),
                "{status}"
            );
            assert_eq!(plain(&next, "content-type"), None);
        }
    }
    for status in [307, 308] {
        let next = redirected(&post, status, "/b").unwrap();
        assert_eq!(
            (next.method.as_str(), &*next.body),
            ("POST", &b"{\"a\":1}"[..])
        );
        let refusal = redirected(&post, status, "https://example.org/b").unwrap_err();
        assert_eq!(refusal.rule, "http: redirect");
    }
    let put = json!({"url": "https://example.com/a", "method": "PUT", "body": "x"});
    assert_eq!(redirected(&put, 302, "/b").unwrap().method, "PUT");
    assert_eq!(redirected(&put, 303, "/b").unwrap().method, "GET");
    assert!(redirected(&put, 302, "https://example.org/").is_err());
    let delete = json!({"url": "https://example.com/a", "method": "DELETE"});
    assert!(redirected(&delete, 307, "https://example.org/").is_err());
}

#[test]
fn circles_and_long_chains_end() {
    let get = json!({"url": "https://example.com/a"});
    assert!(
        redirected(&get, 302, "/a")
            .unwrap_err()
            .reason
            .contains("circle")
    );
    let mut chain = exchange(&get).unwrap();
    for hop in 0..limits().redirects {
        chain.next_request().unwrap();
        let next = head(302, &[("location", &format!("/{hop}"))]);
        assert_eq!(chain.handle_head(&next), Ok(Step::Follow));
    }
    chain.next_request().unwrap();
    let refusal = chain
        .handle_head(&head(302, &[("location", "/z")]))
        .unwrap_err();
    assert!(
        refusal.reason.contains("more than 5 times"),
        "{}",
        refusal.reason
    );
    // Without a place to go it is an answer.
    let mut plain = exchange(&get).unwrap();
    plain.next_request().unwrap();
    assert_eq!(plain.handle_head(&head(302, &[])), Ok(Step::Read));
    assert_eq!(
        plain.handle_head(&head(201, &[("location", "/new")])),
        Ok(Step::Read)
    );
}

fn response(content_type: &str, body: &[u8]) -> Response {
    let mut exchange = exchange(&json!({"url": "https://example.com/a"})).unwrap();
    exchange.next_request().unwrap();
    let head = head(200, &[("content-type", content_type)]);
    Response::new(&exchange, &head, body, false, |bytes, label| match label {
        "utf-8" => String::from_utf8_lossy(bytes).into_owned(),
        label => format!("[{label}]"),
    })
}

#[test]
fn a_body_is_read_as_what_it_is() {
    let text = |content_type: &str, body: &[u8]| match response(content_type, body).content {
        Content::Text(text) => text,
        Content::Binary(hash) => format!("binary {}", &hash[..8]),
    };
    assert_eq!(text("text/html", b"<p>a<script>x</script> b"), "a b");
    assert_eq!(text("application/xhtml+xml", b"<p>a"), "a");
    assert_eq!(text("", b" <!DOCTYPE html><p>a"), "a");
    assert_eq!(text("text/plain", b"<p>a"), "<p>a");
    assert_eq!(text("application/json", b"{ \"a\": 1 }"), "{ \"a\": 1 }");
    assert_eq!(text("application/problem+json", b"{}"), "{}");
    assert_eq!(text("image/svg+xml", b"<svg/>"), "<svg/>");
    assert_eq!(text("application/octet-stream", b"a\nb"), "a\nb");
    assert_eq!(text("application/octet-stream", b"a\0b"), "binary 59b271ae");
    assert_eq!(text("", b"\x89PNG\r\n\x1a\n"), "binary 4c4b6a3b");
    assert_eq!(text("image/png", b"abc"), "binary ba7816bf");
    assert_eq!(
        text("text/plain; charset=ISO-8859-1", b"\xfc"),
        "[iso-8859-1]"
    );
    assert_eq!(
        text("text/plain; charset=\"Shift_JIS\"", b"\xfc"),
        "[shift_jis]"
    );
    assert_eq!(text("text/plain", b"\xfc"), "[windows-1252]");
    assert_eq!(text("text/plain", b"\xff\xfea\0"), "[utf-16le]");
    assert_eq!(
        text("text/html", b"<meta charset='koi8-r'>\xff"),
        "[koi8-r]"
    );
    let http_equiv = b"<meta http-equiv=x content=\"text/html; charset=gbk\">\xff";
    assert_eq!(text("text/html", http_equiv), "[gbk]");
    let long = format!(
        "{{ \"a\" : \"b \\\" : c\", \"d\": [{}1 ] }}",
        "1, ".repeat(3_000)
    );
    let short = text("application/json", long.as_bytes());
    assert!(
        short.starts_with("{\"a\":\"b \\\" : c\",\"d\":[1,1,"),
        "{}",
        &short[..40]
    );
    let same: [Value; 2] = [&long, &short].map(|text| serde_json::from_str(text).unwrap());
    assert_eq!(same[0], same[1]);
}

#[test]
fn failures_say_whether_asking_again_makes_sense() {
    let told = |status: u16, method: &str, headers: &[(&str, &str)]| {
        let arguments = json!({"url": "https://example.com/a", "method": method});
        let mut exchange = exchange(&arguments).unwrap();
        exchange.next_request().unwrap();
        let response = Response::new(&exchange, &head(status, headers), b"why", false, |b, _| {
            String::from_utf8_lossy(b).into_owned()
        });
        let output = response.to_output(10_000);
        assert_eq!(output.status, ToolStatus::Error);
        let told: Value = serde_json::from_str(&output.text).unwrap();
        assert_eq!(told["status"], status);
        assert!(told["body"].as_str().unwrap().ends_with("why"));
        assert!(told["hint"].is_string());
        (
            told["retry"].as_bool().unwrap(),
            told["retry_after_ms"].as_u64(),
        )
    };
    assert_eq!(told(404, "GET", &[]), (false, None));
    assert_eq!(told(401, "GET", &[]), (false, None));
    assert_eq!(told(400, "POST", &[]), (false, None));
    assert_eq!(
        told(429, "GET", &[("retry-after", "30")]),
        (true, Some(30_000))
    );
    assert_eq!(
        told(429, "POST", &[("retry-after", "1.5")]),
        (true, Some(1_500))
    );
    let date = ("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT");
    assert_eq!(told(503, "GET", &[date]), (true, Some(10_000)));
    assert_eq!(told(503, "GET", &[("retry-after", "soon")]), (true, None));
    assert_eq!(told(502, "GET", &[]), (true, None));
    assert_eq!(
        told(502, "POST", &[]),
        (false, None),
        "it may have been done"
    );
    assert_eq!(told(501, "GET", &[]), (false, None));
}

#[test]
fn a_request_without_an_answer_says_so_and_what_to_do() {
    let failure = |error: HttpError, method| Failure::Http {
        url: "https://example.com/".into(),
        method,
        error,
        hint: None,
    };
    let reset = HttpError::Reset { detail: "x".into() };
    let told = failure(reset.clone(), Method::Get).to_output();
    assert_eq!(told.status, ToolStatus::Error);
    let told: Value = serde_json::from_str(&told.text).unwrap();
    assert_eq!(
        (&told["error"], &told["retry"]),
        (&json!("reset"), &json!(true))
    );
    let told = failure(reset, Method::Post).to_json();
    assert_eq!(told["retry"], false);
    let refused = Failure::from(
        exchange(&json!({"url": "https://10.0.0.1"}))
            .and_then(|mut e| e.next_request())
            .unwrap_err(),
    );
    assert_eq!(refused.to_output().status, ToolStatus::Denied);
    assert_eq!(refused.to_json()["error"], "denied");
    let late = Failure::TimedOut {
        url: "https://example.com/".into(),
        method: Method::Get,
        after_ms: 7,
    };
    assert_eq!(late.to_output().status, ToolStatus::TimedOut);
}

#[test]
fn an_unfinished_call_is_repeated_only_where_it_does_no_harm() {
    let spec = spec();
    for (arguments, expected) in [
        (json!({"url": "https://a.b"}), OnRestore::Reissue),
        (
            json!({"url": "https://a.b", "method": "head"}),
            OnRestore::Reissue,
        ),
        (
            json!({"url": "https://a.b", "method": "POST"}),
            OnRestore::Ask,
        ),
        (
            json!({"url": "https://a.b", "method": "DELETE"}),
            OnRestore::Ask,
        ),
        (
            json!({"url": "https://a.b", "method": "odd"}),
            OnRestore::Ask,
        ),
    ] {
        assert_eq!(spec.on_restore_of(&arguments), expected, "{arguments}");
    }
}

#[test]
fn a_long_text_keeps_its_beginning_within_the_limit() {
    for limit in 0..200 {
        let text = cut("é€🙂x\n".repeat(40), limit);
        assert!(text.len() <= limit, "{} > {limit}", text.len());
    }
    let text = cut(format!("start{}", "-".repeat(10_000)), 100);
    assert!(text.starts_with("start-") && text.ends_with(" bytes left out …]"));
    assert_eq!(cut("as it is".into(), 8), "as it is");
}

#[test]
fn an_origin_that_a_home_allows_is_reached() {
    let origin = crate::egress::Origin::parse("http://127.0.0.1:80").unwrap();
    let limits = HttpLimits {
        rules: Rules::default().with_origins(&[origin]),
        ..limits()
    };
    let own = json!({"url": "http://127.0.0.1/x"});
    assert!(Exchange::new(&own, &limits).unwrap().next_request().is_ok());
    assert!(exchange(&own).unwrap().next_request().is_err());
}
