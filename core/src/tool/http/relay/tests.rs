use super::*;
use crate::policy::{Policy, Preset};
use alloc::vec;

/// An HTTP request as a test writes it, sent to hosts of the test's own.
struct Case {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    tunnel: Option<(Origin, Option<&'static str>)>,
    body: Vec<u8>,
    plain: Option<Vec<u8>>,
}

fn get(url: &str) -> Case {
    let host = url.split('/').nth(2).unwrap_or_default();
    Case {
        method: "GET",
        target: url.into(),
        headers: vec![("host".into(), host.into())],
        tunnel: None,
        body: Vec::new(),
        plain: None,
    }
}

fn post(body: &[u8]) -> Case {
    Case {
        method: "POST",
        body: body.to_vec(),
        ..get("https://api.github.com/x")
    }
}

fn tunnelled(path: &str, server_name: Option<&'static str>) -> Case {
    let origin = Origin::parse("https://api.github.com").unwrap();
    Case {
        target: path.into(),
        tunnel: Some((origin, server_name)),
        ..get("https://api.github.com/")
    }
}

impl Case {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn without_host(mut self) -> Self {
        self.headers.clear();
        self
    }

    fn relay(&self) -> Result<Exchange, Refusal> {
        let mut known = Redactor::default();
        known.add("mine", "v4lue-of-mine");
        let grant = Grant::new(vec![
            "api.github.com".parse().unwrap(),
            "*.mozilla.org".parse().unwrap(),
            "169.254.169.254".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
            "metadata.google.internal".parse().unwrap(),
        ]);
        let limits = Policy::default().http.limits(Preset::Balanced);
        let asked = Asked {
            method: self.method,
            target: &self.target,
            headers: &self.headers,
            tunnel: self.tunnel.as_ref().map(|(origin, server_name)| Tunnel {
                origin,
                server_name: *server_name,
            }),
        };
        let relay = Relay::new(asked, &grant, &limits, &known)?;
        relay.with_body(self.body.clone().into(), self.plain.as_deref(), &known)
    }

    fn sent(&self) -> crate::session::HttpRequest {
        let mut exchange = self.relay().unwrap();
        exchange.next_request().unwrap().into_parts().1
    }

    fn refused(&self) -> String {
        match self.relay() {
            Err(refusal) => format!("{}: {}", refusal.rule, refusal.reason),
            Ok(exchange) => panic!("{} is sent", exchange.url()),
        }
    }
}

fn token() -> String {
    ["ghp_", "1234567890abcdefghijABCDEFGHIJ123456"].concat()
}

#[test]
fn a_request_goes_on_without_the_headers_of_its_connection() {
    let sent = get("https://static.mozilla.org/crates/a?b=1")
        .with("connection", "keep-alive, X-Own")
        .with("x-own", "1")
        .with("proxy-connection", "keep-alive")
        .with("proxy-authorization", "x")
        .with("te", "trailers")
        .with("accept-encoding", "br")
        .with("expect", "100-continue")
        .with("content-length", "0")
        .with("sec-fetch-mode", "cors")
        .with("accept", "a")
        .with("accept", "b")
        .sent();
    assert_eq!(sent.url, "https://static.mozilla.org/crates/a?b=1");
    let names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sec-fetch-mode", "accept", "accept"]);
}

#[test]
fn a_handle_in_a_header_goes_on_as_one() {
    let sent = get("https://api.github.com/user")
        .with("authorization", "Bearer {{secret:github}}")
        .sent();
    let expected = HeaderValue::Secret {
        name: "secret:github".into(),
        prefix: "Bearer ".into(),
    };
    assert_eq!(sent.headers, [("authorization".into(), expected)]);
    for case in [
        get("https://api.github.com/?k={{secret:github}}"),
        post(b"{\"k\": \"{{secret:github}}\"}"),
        get("https://api.github.com/").with("x", "{{secret:a}} and more"),
    ] {
        assert!(case.refused().starts_with("credentials: handle"));
    }
}

#[test]
fn a_handle_in_the_place_of_a_password_goes_on_as_one() {
    // alice:{{secret:github}}
    let sent = get("https://api.github.com/user")
        .with("authorization", "Basic YWxpY2U6e3tzZWNyZXQ6Z2l0aHVifX0=")
        .sent();
    let expected = HeaderValue::Secret {
        name: "secret:github".into(),
        prefix: "Basic alice:".into(),
    };
    assert_eq!(sent.headers, [("authorization".into(), expected)]);
    // {{secret:github}}:x
    let case = get("https://api.github.com/user")
        .with("authorization", "Basic e3tzZWNyZXQ6Z2l0aHVifX06eA==");
    assert!(case.refused().starts_with("credentials: handle"));
}

#[test]
fn what_stands_before_a_handle_is_looked_at() {
    for before in [token(), "v4lue-of-mine".into()] {
        let value = format!("{before} {{{{secret:github}}}}");
        let case = get("https://api.github.com/").with("x-key", &value);
        assert!(case.refused().starts_with("egress: secret"));
    }
}

#[test]
fn a_host_that_was_not_granted_is_refused() {
    for url in [
        "https://github.com/",
        "https://mozilla.org/",
        "https://api.github.com.evil.org/",
        "https://api.github.com:8443/",
    ] {
        assert!(get(url).refused().starts_with("egress: grant"), "{url}");
    }
}

#[test]
fn a_grant_opens_nothing_that_the_policy_closes() {
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/",
        "https://0xa9fea9fe/",
        "https://metadata.google.internal/",
        "https://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
    ] {
        assert!(get(url).refused().starts_with("egress: host"), "{url}");
    }
    let refused = get("http://api.github.com/").refused();
    assert!(refused.starts_with("egress: https"), "{refused}");
}

#[test]
fn secrets_do_not_leave_in_any_part() {
    let token = token();
    let form = format!("a=1&token={token}");
    let packed = Case {
        plain: Some(form.clone().into_bytes()),
        ..post(b"\x1f\x8b packed").with("content-encoding", "gzip")
    };
    for case in [
        get(&format!("https://api.github.com/?q={token}")),
        get("https://api.github.com/").with("x-note", &token),
        post(form.as_bytes()),
        post(format!("{{\"a\": [\"{token}\"]}}").as_bytes()),
        packed,
        get("https://api.github.com/v4lue-of-mine"),
        get("https://api.github.com/").with("x-note", "djRsdWUtb2YtbWluZQ=="),
        post(b"it is v4lue-of-mine"),
    ] {
        let refused = case.refused();
        assert!(refused.starts_with("egress: secret"), "{refused}");
        assert!(!refused.contains("ghp_") && !refused.contains("v4lue"));
    }
    let refused = post(b"the key is [redacted: github_token]").refused();
    assert!(refused.starts_with("redacted"), "{refused}");
}

#[test]
fn a_packed_body_is_looked_at_unpacked_or_not_sent() {
    let body = post(b"\x1f\x8b packed").with("content-encoding", "gzip");
    assert!(
        body.refused()
            .contains("not packed as its content-encoding")
    );
    for encoding in ["br", "zstd", "gzip, gzip"] {
        let refused = post(b"x").with("content-encoding", encoding).refused();
        assert!(refused.contains("cannot be looked at"), "{refused}");
    }
    let sent = Case {
        plain: Some(b"want abc".to_vec()),
        ..post(b"\x1f\x8b packed").with("content-encoding", "gzip")
    };
    assert_eq!(&*sent.sent().body, b"\x1f\x8b packed");
}

#[test]
fn what_names_another_host_than_the_address_is_refused() {
    for case in [
        get("https://api.github.com/").with("host", "api.github.com"),
        get("https://api.github.com/").without_host(),
        get("https://api.github.com/")
            .without_host()
            .with("host", "static.mozilla.org"),
        get("https://api.github.com/")
            .without_host()
            .with("host", "api.github.com:8443"),
        get("https://api.github.com/")
            .without_host()
            .with("host", "api.github.com/x"),
        tunnelled("/", Some("static.mozilla.org")),
        tunnelled("https://static.mozilla.org/", None),
        tunnelled("http://api.github.com/", None),
    ] {
        let refused = case.refused();
        assert!(refused.starts_with("http: request"), "{refused}");
    }
    let sent = tunnelled("//evil.org/x", Some("API.github.com")).sent();
    assert_eq!(sent.url, "https://api.github.com//evil.org/x");
    let sent = tunnelled("/a/../b", None).sent();
    assert_eq!(sent.url, "https://api.github.com/b");
}

#[test]
fn shapes_that_are_no_plain_request_are_refused() {
    for (case, why) in [
        (get("/x").without_host(), "a path alone"),
        (
            get("https://api.github.com/").with("upgrade", "websocket"),
            "cannot be upgraded",
        ),
        (
            Case {
                method: "TRACE",
                ..get("https://api.github.com/")
            },
            "not a method",
        ),
        (
            Case {
                method: "GET",
                ..post(b"x")
            },
            "takes no body",
        ),
        (post(&vec![b' '; BODY_BYTES + 1]), "longer than"),
        (
            get("https://a:b@api.github.com/")
                .without_host()
                .with("host", "api.github.com"),
            "a user or a password",
        ),
    ] {
        let refused = case.refused();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_tunnel_leads_to_a_granted_host_and_the_port_of_https() {
    let grant = Grant::new(vec!["api.github.com".parse().unwrap()]);
    let open = |authority: &str| open_tunnel(authority, &grant, &Rules::default());
    let origin = open("API.github.com:443").unwrap();
    assert_eq!(origin.to_string(), "https://api.github.com");
    for authority in [
        "api.github.com",
        "api.github.com:22",
        "api.github.com:80",
        "api.github.com:8443",
        "github.com:443",
        "a@api.github.com:443",
        "api.github.com:443/x",
        "140.82.112.5:443",
        "[2606:50c0::1]:443",
        "[2606:50c0::1]",
        "127.0.0.1:443",
        "169.254.169.254:443",
        "localhost:443",
        "",
        ":443",
    ] {
        assert!(open(authority).is_err(), "{authority}");
    }
}

#[test]
fn a_response_goes_back_without_the_headers_of_its_connection() {
    let head = HttpHead {
        status: 200,
        headers: [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("alt-svc", "h3=\":443\""),
            ("proxy-authenticate", "Basic"),
            ("location", "https://a.example/"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec(),
        at: crate::ids::UnixMillis(0),
    };
    let names = |method| {
        let headers = passed_back(&head, method).into_iter();
        headers.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Method::Get), ["location"]);
    assert_eq!(names(Method::Head), ["content-length", "location"]);
}
