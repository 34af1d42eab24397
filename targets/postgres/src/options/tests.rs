use super::*;

fn tls(address: &str) -> Result<Tls, OptionsError> {
    address.parse::<Options>().map(|options| options.tls)
}

#[test]
fn only_within_this_machine_is_a_connection_plain_without_a_word() {
    let verified = Tls::VerifyFull { roots: None };
    for (address, expected) in [
        ("postgres://tau@db.example/tau", verified.clone()),
        ("postgresql://tau@10.0.0.7:6432/tau", verified.clone()),
        ("postgres://tau@localhost.example/tau", verified.clone()),
        ("postgres://tau@127.0.0.1,db.example/tau", verified.clone()),
        ("postgres://tau@localhost/tau", Tls::Disable),
        ("postgres://tau@127.0.0.9/tau", Tls::Disable),
        ("postgres://tau@%2Frun%2Fpostgresql/tau", Tls::Disable),
        ("postgres:///tau?host=/run/postgresql", Tls::Disable),
        ("postgres://tau@127.0.0.1/tau?sslmode=verify-full", verified),
        (
            "postgres://tau@db.example/tau?sslmode=require",
            Tls::Require,
        ),
        (
            "postgres://tau@db.example/tau?sslmode=disable",
            Tls::Disable,
        ),
        (
            "postgres://tau@localhost/tau?sslrootcert=%2Fetc%2Fca%201.pem",
            Tls::VerifyFull {
                roots: Some("/etc/ca 1.pem".into()),
            },
        ),
    ] {
        assert_eq!(tls(address), Ok(expected), "{address}");
    }
}

#[test]
fn what_an_address_may_not_say_is_told_without_repeating_it() {
    for address in [
        "postgres://tau:hunter2@db.example/tau",
        "postgres://tau@db.example/tau?password=hunter2",
        "postgres://tau:hunter2@db.example:notaport/tau",
    ] {
        assert_eq!(tls(address), Err(OptionsError::Password));
    }
    for (address, words) in [
        ("mysql://tau@db.example/tau", "it begins otherwise"),
        ("postgres:///tau", "names no host"),
        (
            "postgres://tau@db.example/tau?sslmode=prefer",
            "verify-full, require or disable",
        ),
        (
            "postgres://tau@db.example/tau?sslmod=disable",
            "the parameter sslmod is not known",
        ),
        (
            "postgres://tau@db.example/tau?schema=Tau;drop",
            "small letters",
        ),
        (
            "postgres://tau@db.example/tau?connections=0",
            "from 1 to 100",
        ),
        ("postgres://tau@db.example:99999999/tau", "port"),
        (
            "postgres://tau@db/tau?sslmode=require&sslrootcert=a",
            "verify-full alone",
        ),
    ] {
        let told = tls(address).expect_err(address).to_string();
        assert!(told.contains(words), "{address}: {told}");
    }
}

#[test]
fn an_address_is_shown_and_a_password_belongs_to_one_origin() {
    let options: Options = "postgres://tau@db.example/notes?schema=work"
        .parse()
        .expect("an address");
    assert_eq!(
        options.to_string(),
        "postgres://tau@db.example:5432/notes?schema=work"
    );
    assert_eq!(options.origin().as_deref(), Some("https://db.example:5432"));
    let origin = |address: &str| address.parse::<Options>().expect("an address").origin();
    assert_eq!(
        origin("postgres://tau@db.example:1/tau?sslmode=disable").as_deref(),
        Some("http://db.example:1")
    );
    assert_eq!(
        origin("postgres://tau@[::1]:7/tau").as_deref(),
        Some("https://[::1]:7")
    );
    assert_eq!(origin("postgres://tau@a.example,b.example/tau"), None);
}
