//! The proxy with real servers on loopback, asked by real clients through the forwarder.

mod limits;
mod requests;
mod server;
mod shapes;
mod tunnels;

use super::{AUTHORITY, Decision, Forwarder, Outcome, Proxy, SOCKET, Setup};
use crate::egress::{Egress, Resolve};
use reqwest::Client;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use server::Server;
use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tau_core::{
    credential::{Redactor, Scope},
    egress::{Grant, Origin},
    policy::{Policy, Preset, Refusal, http::HttpLimits},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
};
use zeroize::Zeroizing;

/// What the credential `mine` is.
const VALUE: &str = "v4lue-of-mine";

/// Names of the tests' own.
#[derive(Clone)]
struct Names;

impl Resolve for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match name {
            "inward.tau-proxy.org" => Ok(vec![
                "93.184.216.34".parse().unwrap(),
                "10.0.0.1".parse().unwrap(),
            ]),
            name if name.ends_with(".tau-proxy.org") => Ok(vec!["127.0.0.1".parse().unwrap()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A credential of one origin.
struct Mine(Scope);

impl crate::Secrets for Mine {
    fn value(&self, name: &str, _: &str, origin: &Origin) -> Result<Zeroizing<String>, Refusal> {
        assert_eq!(name, "secret:mine");
        self.0.check(name, origin)?;
        Ok(Zeroizing::new(VALUE.to_owned()))
    }
}

/// A proxy, a forwarder, and the servers they may lead to.
struct Stage {
    /// `None` once it was dropped.
    proxy: Option<Proxy>,
    /// Without TLS.
    plain: Server,
    /// With it.
    secure: Server,
    port: u16,
    folder: TempDir,
    told: Arc<Mutex<Vec<Decision>>>,
    forwarder: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl Stage {
    /// With the servers granted, and what every preset sets.
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other limits.
    async fn with(change: impl FnOnce(&mut HttpLimits)) -> Self {
        let plain = Server::plain().await;
        let secure = Server::secure("api.tau-proxy.org").await;
        let mut limits = Policy::default().http.limits(Preset::Balanced);
        limits.rules = limits
            .rules
            .with_origins(&[plain.origin(), secure.origin()]);
        change(&mut limits);
        let grant = [
            plain.origin().to_string(),
            "api.tau-proxy.org".into(),
            "inward.tau-proxy.org".into(),
            "nowhere.tau-proxies.org".into(),
            "169.254.169.254".into(),
            "127.0.0.1".into(),
        ];
        let told: Arc<Mutex<Vec<Decision>>> = Arc::default();
        let log = Arc::clone(&told);
        let mut known = Redactor::default();
        known.add("secret:mine", VALUE);
        let known = Arc::new(known);
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope::parse(&secure.origin().to_string()).unwrap();
        let proxy = Proxy::start(Setup {
            folder: folder.path().join("proxy"),
            grant: Grant::new(grant.iter().map(|host| host.parse().unwrap()).collect()),
            limits,
            egress: Egress::new(Names, Arc::new(Mine(scope)))
                .trusting(trusting(secure.authority_pem())),
            known: Arc::new(move || Arc::clone(&known)),
            told: Arc::new(move |decision| log.lock().unwrap().push(decision)),
        })
        .unwrap();
        let forwarder = Forwarder::bind(proxy.folder().join(SOCKET)).await.unwrap();
        let port = forwarder.port().unwrap();
        Self {
            proxy: Some(proxy),
            plain,
            secure,
            port,
            folder,
            told,
            forwarder: tokio::spawn(async move { match forwarder.run().await {} }),
        }
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().unwrap()
    }

    /// As a program would be set up: with the proxy, and its authority alone.
    fn client(&self) -> Client {
        let proxy = format!("http://127.0.0.1:{}", self.port);
        Client::builder()
            .tls_backend_preconfigured(trusting(self.proxy().authority_pem()))
            .proxy(reqwest::Proxy::all(proxy).unwrap())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
    }

    async fn get(&self, server: &Server, path: &str) -> (u16, String) {
        self.get_url(&server.url(path)).await
    }

    async fn get_url(&self, url: &str) -> (u16, String) {
        let answer = self.client().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Writes bytes to the socket itself and reads to the end.
    async fn raw(&self, bytes: &str) -> String {
        let mut stream = self.socket().await;
        // What is refused is not always read to its end.
        let _ = stream.write_all(bytes.as_bytes()).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // An end with something unread is an end as well.
        let _ = tokio::time::timeout(Duration::from_secs(5), read)
            .await
            .unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn socket(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("proxy").join(SOCKET))
            .await
            .unwrap()
    }

    /// What was told, as it is shown, once there are so many.
    async fn told(&self, count: usize) -> Vec<String> {
        for _ in 0..500 {
            let told = self.told.lock().unwrap().clone();
            if told.len() >= count {
                return told.iter().map(ToString::to_string).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("told {:?}, not {count}", self.told.lock().unwrap());
    }
}

/// What trusts one authority and no other.
fn trusting(pem: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}
