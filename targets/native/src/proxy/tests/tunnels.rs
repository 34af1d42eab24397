//! `CONNECT`, and what is said within.

use super::*;
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{ServerName, UnixTime},
};
use std::path::Path;
use tau_core::egress::HostRule;
use tokio_rustls::{TlsConnector, client::TlsStream};

impl Stage {
    async fn connect(&self, authority: &str) -> String {
        let head = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n");
        self.raw(&format!("{head}connection: close\r\n\r\n")).await
    }

    /// A tunnel to the secure server, before anything is said within.
    async fn tunnel(&self) -> UnixStream {
        let mut stream = self.socket().await;
        let authority = self.secure.authority();
        let asked = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        stream
    }

    /// TLS within a tunnel by a client that asks for `name` and believes everything.
    async fn as_client_of(&self, name: &str) -> TlsStream<UnixStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, self.tunnel().await).await.unwrap()
    }
}

#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[tokio::test]
async fn a_tunnel_is_refused_before_it_is_opened() {
    let stage = Stage::new().await;
    let refused = [
        "example.com:443",
        "api.tau-proxy.org:22",
        "api.tau-proxy.org:8443",
        "api.tau-proxy.org",
        "127.0.0.1:443",
        "169.254.169.254:443",
        "93.184.216.34:443",
        "[::1]:443",
        "localhost:443",
    ];
    for authority in refused {
        let said = stage.connect(authority).await;
        assert!(said.starts_with("HTTP/1.1 403 Tau: "), "{authority} {said}");
        assert!(said.contains("\"error\":\"denied\""), "{said}");
    }
    let told = stage.told(refused.len()).await;
    assert!(
        told.iter().all(|told| told.starts_with("refused CONNECT ")),
        "{told:?}"
    );
    assert!(
        told[0].starts_with("refused CONNECT example.com:443: "),
        "{}",
        told[0]
    );
    assert!(
        stage
            .connect("a@api.tau-proxy.org:443")
            .await
            .starts_with("HTTP/1.1 4")
    );
    assert!(stage.secure.seen().is_empty());
}

#[tokio::test]
async fn another_name_in_the_handshake_is_refused() {
    let stage = Stage::new().await;
    let authority = stage.secure.authority();
    for (name, status) in [("api.tau-proxy.org", 200), ("other.tau-proxy.org", 403)] {
        let mut stream = stage.as_client_of(name).await;
        let asked = format!("GET / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    assert_eq!(stage.secure.seen().len(), 1);
}

#[tokio::test]
async fn another_host_within_a_tunnel_is_refused() {
    let stage = Stage::new().await;
    for host in [
        "inward.tau-proxy.org",
        "api.tau-proxy.org",
        "169.254.169.254",
    ] {
        let sent = stage
            .client()
            .get(stage.secure.url("/"))
            .header("host", host);
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.status(), 403);
        let body = answer.text().await.unwrap();
        assert!(body.contains("the header host names"), "{body}");
    }
    let mut stream = stage.as_client_of("api.tau-proxy.org").await;
    let (url, host) = (stage.plain.url("/"), stage.plain.authority());
    let asked = format!("GET {url} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 403 Tau: the tunnel leads to"),
        "{answer}"
    );
    assert!(stage.secure.seen().is_empty() && stage.plain.seen().is_empty());
}

#[tokio::test]
async fn a_tunnel_within_a_tunnel_is_no_request() {
    let stage = Stage::new().await;
    let mut stream = stage.as_client_of("api.tau-proxy.org").await;
    let asked = "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}

#[tokio::test]
async fn what_is_no_tls_goes_nowhere() {
    let stage = Stage::new().await;
    let mut stream = stage.tunnel().await;
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"SSH"));
    let told = stage.told(1).await;
    assert!(
        told[0].contains("the TLS handshake with the program failed"),
        "{}",
        told[0]
    );
    assert!(stage.secure.seen().is_empty());
}

#[tokio::test]
async fn a_program_that_trusts_others_alone_is_told_about() {
    let stage = Stage::new().await;
    let stranger = Client::builder()
        .tls_backend_preconfigured(trusting(stage.secure.authority_pem()))
        .proxy(reqwest::Proxy::all(format!("http://127.0.0.1:{}", stage.port)).unwrap())
        .build()
        .unwrap();
    assert!(stranger.get(stage.secure.url("/")).send().await.is_err());
    let told = stage.told(1).await;
    assert!(
        told[0].starts_with("failed CONNECT https://api.tau-proxy.org"),
        "{}",
        told[0]
    );
    assert!(matches!(
        stage.told.lock().unwrap()[0].outcome,
        Outcome::Failed { .. }
    ));
}

#[tokio::test]
async fn an_address_has_a_certificate_as_a_name_has() {
    let other = Server::secure("127.0.0.1").await;
    let origin = HostRule::Origin(other.origin());
    let stage = Stage::with(|limits| limits.rules.allow.push(origin)).await;
    let (status, body) = stage.get(&other, "/").await;
    // The client took the proxy's certificate; the proxy does not take that of this server.
    assert!(
        status == 502 && body.contains("\"error\":\"protocol\""),
        "{body}"
    );
}

#[tokio::test]
async fn a_server_that_only_others_trust_is_not_spoken_to() {
    let other = Server::secure("api.tau-proxy.org").await;
    let origin = HostRule::Origin(other.origin());
    let stage = Stage::with(|limits| limits.rules.allow.push(origin)).await;
    let (status, body) = stage.get(&other, "/").await;
    assert!(
        status == 502 && body.contains("\"error\":\"protocol\""),
        "{body}"
    );
    assert_eq!(stage.get(&stage.secure, "/").await.0, 200);
    assert!(other.seen().is_empty());
}

#[test]
fn the_environment_names_proxy_and_authority_for_every_common_program() {
    let environment = forward_environment();
    let value = |name: &str| {
        let found = environment.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_str())
    };
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        assert_eq!(value(name), Some("http://127.0.0.1:3128"));
    }
    for name in [
        "SSL_CERT_FILE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
    ] {
        assert_eq!(value(name), Some("/run/net/authority.pem"));
    }
    assert_eq!(value("NO_PROXY"), value("no_proxy"));
    assert_eq!(value("ALL_PROXY"), None);
}

fn forward_environment() -> Vec<(&'static str, String)> {
    super::super::forward::environment(3128, Path::new("/run/net/authority.pem"))
}
