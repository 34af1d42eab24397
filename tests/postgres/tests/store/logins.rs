//! Who is trusted, and what is said of it: never a password.

use std::time::{Duration, Instant};
use tau_platform::Storage;
use tau_target_postgres::{Options, Password, PostgresStorage};
use tau_test_postgres::{PASSWORD, USER, cluster};
use zeroize::Zeroizing;

use crate::put;

fn with_password(address: &str, password: &str) -> PostgresStorage {
    let options: Options = address.parse().expect("an address");
    let password = Zeroizing::new(password.to_owned());
    PostgresStorage::new(options, Password::new(move || Ok(Some(password.clone()))))
}

async fn told(address: &str, password: &str) -> String {
    let store = with_password(address, password);
    let begun = Instant::now();
    let error = store.get("a".into()).await.expect_err("no answer");
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{error}: {:?}",
        begun.elapsed()
    );
    let words = format!("{error} {error:?} {store:?}");
    assert!(
        !words.contains(password) && !words.contains(PASSWORD),
        "{words}"
    );
    error.to_string()
}

fn address(rest: &str) -> String {
    format!("postgres://{USER}@127.0.0.1:{}/{rest}", cluster().port())
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once() {
    let words = told(&cluster().address(), "not-the-password").await;
    assert!(words.contains("refused the login"), "{words}");
    let store = PostgresStorage::new(
        cluster().address().parse().expect("an address"),
        Password::none(),
    );
    let words = store
        .get("a".into())
        .await
        .expect_err("no answer")
        .to_string();
    assert!(words.contains("password missing"), "{words}");
    let locked = Password::new(|| Err("the credential store is locked".to_owned()));
    let store = PostgresStorage::new(cluster().address().parse().expect("an address"), locked);
    let words = store
        .get("a".into())
        .await
        .expect_err("no answer")
        .to_string();
    assert!(words.contains("the credential store is locked"), "{words}");
}

#[tokio::test]
async fn a_server_nobody_vouches_for_is_not_spoken_to() {
    let wrong = cluster().file("wrong-ca.pem");
    let with = |query: String| address(&format!("{USER}?{query}"));
    let roots = |file: &std::path::Path| format!("sslrootcert={}", file.display());
    let words = told(&with(roots(&wrong)), PASSWORD).await;
    assert!(words.contains("certificate"), "{words}");
    // Whom the system trusts, the tests' own authority is not among.
    let words = told(&with("sslmode=verify-full".into()), PASSWORD).await;
    assert!(words.contains("certificate"), "{words}");
    let words = told(&with(roots(&cluster().file("nothing.pem"))), PASSWORD).await;
    assert!(words.contains("nothing.pem"), "{words}");
    let words = told(&with(roots(&cluster().file("server.key"))), PASSWORD).await;
    assert!(words.contains("no certificate in it"), "{words}");
}

#[tokio::test]
async fn a_server_that_wants_or_has_no_encryption_is_told() {
    let require = address(&format!(
        "{USER}?sslmode=require&schema={}",
        cluster().new_schema()
    ));
    let facts = with_password(&require, PASSWORD)
        .facts()
        .await
        .expect("facts");
    assert!(facts.encrypted);
    let plain = address(&format!("{USER}?schema={}", cluster().new_schema()));
    let facts = with_password(&plain, PASSWORD)
        .facts()
        .await
        .expect("facts");
    assert!(
        !facts.encrypted,
        "within this machine, without a word about it"
    );

    cluster().sql(&format!("CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'"));
    let refused = address(USER).replace(&format!("//{USER}@"), "//plain@");
    let words = told(&refused, PASSWORD).await;
    assert!(
        words.contains("refused the login") && words.contains("pg_hba.conf"),
        "{words}"
    );

    // A server without TLS, asked for it: a listener that says no, as the protocol has it.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).await.expect("a question");
        stream.write_all(b"N").await.expect("an answer");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("the end");
        rest
    });
    let address = format!("postgres://{USER}@127.0.0.1:{port}/{USER}?sslmode=require");
    let words = told(&address, PASSWORD).await;
    assert!(words.contains("TLS"), "{words}");
    assert_eq!(
        server.await.expect("no panic"),
        b"",
        "nothing is sent unencrypted"
    );
}

#[tokio::test]
async fn what_is_not_there_and_who_may_not_write_is_told() {
    let words = told(&address("nowhere"), PASSWORD).await;
    assert!(words.contains("\"nowhere\" does not exist"), "{words}");
    let words = told(&format!("postgres://{USER}@127.0.0.1:1/{USER}"), PASSWORD).await;
    assert!(
        words.contains("cannot be reached") && words.contains("refused"),
        "{words}"
    );

    let address = cluster().new_address();
    cluster()
        .store(&address)
        .commit(put("a", b"1"))
        .await
        .expect("a commit");
    let read_only = format!("{address}&options=-c%20default_transaction_read_only=on");
    let store = cluster().store(&read_only);
    assert_eq!(store.get("a".into()).await, Ok(Some(b"1".to_vec())));
    assert!(store.facts().await.expect("facts").read_only);
    let words = store
        .commit(put("a", b"2"))
        .await
        .expect_err("no commit")
        .to_string();
    assert!(words.contains("takes no writes"), "{words}");

    let schema = cluster().new_schema();
    cluster().sql(&format!(
        "CREATE ROLE nobody_in_particular LOGIN PASSWORD '{PASSWORD}'"
    ));
    let stranger = format!("{}&schema={schema}", cluster().address());
    let stranger = stranger.replace(&format!("//{USER}@"), "//nobody_in_particular@");
    cluster().sql(&format!(
        "ALTER ROLE nobody_in_particular SET search_path = {schema}"
    ));
    let words = told(&stranger, PASSWORD).await;
    assert!(
        words.contains("refused the login") || words.contains("permission denied"),
        "{words}"
    );
}

#[tokio::test]
async fn a_password_is_in_no_log_of_the_server() {
    let store = cluster().new_store();
    store
        .commit(put("a", b"a value that is nobody's business"))
        .await
        .expect("a commit");
    let _ = store
        .commit(crate::claim("a", b"a value that is nobody's business"))
        .await;
    let _ = store
        .commit(crate::claim("a", b"a value that is nobody's business"))
        .await;
    let log = cluster().log();
    assert!(!log.contains("nobody's business"), "{log}");
}
