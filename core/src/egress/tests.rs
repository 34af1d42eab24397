use super::*;
use alloc::vec;

fn origin(scheme: &str, host: &str, port: Option<u16>) -> Origin {
    Origin {
        scheme: scheme.into(),
        host: host.into(),
        port,
    }
}

fn target(origin: Origin) -> Target {
    Target {
        origin,
        has_credentials: false,
    }
}

fn https(host: &str) -> Result<(), Refusal> {
    decide(&target(origin("https", host, None)), &Rules::default())
}

#[test]
fn hosts_of_the_public_web_are_reached() {
    for host in [
        "example.com",
        "example.com.",
        "a.b-c.d_e.co.uk",
        "xn--mnchen-3ya.de",
        "1.example.com",
        "0x7f.example.com",
        "localhost.example.com",
        "x.notlocal",
        "mylocalhost.com",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "[2606:4700::1111]",
        "2606:4700::1111",
        "[2001:4860:4860::8888]",
        "[2001:200::1]",
    ] {
        assert_eq!(https(host), Ok(()), "{host}");
    }
}

fn refused(hosts: &[&str]) {
    for host in hosts {
        let refusal = https(host).expect_err(host);
        assert_eq!(refusal.rule, "egress: host", "{host}");
        assert!(refusal.reason.starts_with(host), "{host}");
    }
}

#[test]
fn special_addresses_are_refused_in_every_spelling() {
    refused(&[
        // This machine, plain and in the forms that some parsers understand.
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "1.2.3.4.5",
        "8.8.8.256",
        "example.0x",
        "example.10",
        "99999999999",
        // Networks that are not the public one.
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.251",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ]);
}

#[test]
fn special_addresses_of_ipv6_are_refused_whatever_they_carry() {
    refused(&[
        // With and without brackets.
        "[::]",
        "[::1]",
        "::1",
        "[0:0:0:0:0:0:0:1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fe80::1]",
        "[febf::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[100::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[4000::1]",
        // IPv4 inside: mapped, compatible, translated, NAT64, 6to4, Teredo.
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::a00:1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[2001:10::1]",
        "[2001:20::1]",
        // Not addresses at all.
        "[fe80::1%25eth0]",
        "[::1",
        "::1]",
        "[1.2.3.4]",
        "[]",
    ]);
}

#[test]
fn names_that_do_not_lead_into_the_public_web_are_refused() {
    refused(&[
        "localhost",
        "localhost.",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "internal.",
        "router.home.arpa",
        "nas.lan",
        "wiki.corp",
        "x.test",
        "x.invalid",
        "x.onion",
        "intranet",
        "db",
        // Not names.
        "",
        ".",
        "..",
        "a..b",
        ".example.com",
        "example.com..",
        "EXAMPLE.com",
        "ex ample.com",
        "example.com/path",
        "example.com\\@evil.com",
        "example.com\0",
        "münchen.de",
        "１２７.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
    ]);
    let long = alloc::vec!["a".repeat(63); 4].join(".");
    assert!(https(&long).is_err(), "255 bytes are too long for a name");
    assert!(https(&alloc::format!("{}.com", "a".repeat(64))).is_err());
}

#[test]
fn only_https_on_its_own_port_without_credentials_is_reached() {
    let rule = |target: Target| decide(&target, &Rules::default()).map_err(|refusal| refusal.rule);
    let refused = |rule: &str| Err(alloc::format!("egress: {rule}"));
    for scheme in [
        "http",
        "ftp",
        "file",
        "data",
        "javascript",
        "HTTPS",
        "wss",
        "",
    ] {
        assert_eq!(
            rule(target(origin(scheme, "example.com", None))),
            refused("https")
        );
    }
    for port in [0, 22, 80, 444, 8443, 65535] {
        assert_eq!(
            rule(target(origin("https", "example.com", Some(port)))),
            refused("port")
        );
    }
    assert_eq!(
        rule(target(origin("https", "example.com", Some(443)))),
        Ok(())
    );
    let with_credentials = Target {
        has_credentials: true,
        ..target(origin("https", "example.com", None))
    };
    assert_eq!(rule(with_credentials), refused("credentials"));
}

#[test]
fn an_allowed_origin_is_reached_exactly() {
    let own = origin("http", "127.0.0.1", Some(8080));
    let rules = Rules {
        allowed: vec![own.clone()],
    };
    let decide = |origin: Origin| decide(&target(origin), &rules).is_ok();
    assert!(decide(own.clone()));
    assert!(!decide(origin("https", "127.0.0.1", Some(8080))));
    assert!(!decide(origin("http", "127.0.0.1", Some(8081))));
    assert!(!decide(origin("http", "127.0.0.2", Some(8080))));
    assert!(!decide(origin("http", "localhost", Some(8080))));
    let with_credentials = Target {
        origin: own,
        has_credentials: true,
    };
    assert!(super::decide(&with_credentials, &rules).is_err());
}
