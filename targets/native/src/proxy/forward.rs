//! The end of the proxy within a sandbox: a port of its loopback, for programs that know proxies by
//! address only, and the environment that points them there.
//!
//! Invariant: bytes are copied and nothing is decided. A program could as well talk to the socket
//! itself: it would be told the same.

use std::{
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use super::CONNECTIONS;

/// How long a program may take to read the last of an answer.
const LINGER: Duration = Duration::from_secs(5);

/// Variables that name a file of trusted authorities: of OpenSSL, curl, requests, Node, Deno, git,
/// cargo, pip, the AWS tools and Ruby's bundler.
const TRUST: [&str; 10] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "BUNDLE_SSL_CA_CERT",
];
const PROXY: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// What a program within the sandbox needs in its environment to go through the forwarder at `port`
/// and to trust the proxy, whose certificate is at `authority`. What runs inside the sandbox itself
/// is reached without the proxy.
#[must_use]
pub fn environment(port: u16, authority: &Path) -> Vec<(&'static str, String)> {
    let proxy = format!("http://127.0.0.1:{port}");
    let trust = authority.display().to_string();
    let proxies = PROXY.iter().map(|name| (*name, proxy.clone()));
    let trusts = TRUST.iter().map(|name| (*name, trust.clone()));
    let own = NO_PROXY
        .iter()
        .map(|name| (*name, "localhost,127.0.0.1,::1".to_owned()));
    // Node reads the others from version 24 on, if it is told to.
    let node = [("NODE_USE_ENV_PROXY", "1".to_owned())];
    proxies.chain(trusts).chain(own).chain(node).collect()
}

/// Copies between a port of the loopback and the proxy's socket.
#[derive(Debug)]
pub struct Forwarder {
    listener: TcpListener,
    socket: PathBuf,
}

impl Forwarder {
    /// Listens on a free port of 127.0.0.1. Needs a tokio runtime with IO and timer.
    pub async fn bind(socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, socket })
    }

    /// Where it listens.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Forwards until it is dropped.
    pub async fn run(self) -> std::convert::Infallible {
        // As many as the proxy takes: at its door, one too many would be turned away.
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let permit = Arc::clone(&room).acquire_owned().await;
            match self.listener.accept().await {
                Ok((program, _)) => {
                    let socket = self.socket.clone();
                    // A connection that breaks is the program's to notice.
                    connections.spawn(async move {
                        let _ = forward(program, &socket).await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            while connections.try_join_next().is_some() {}
        }
    }
}

async fn forward(program: TcpStream, socket: &Path) -> io::Result<()> {
    let proxy = UnixStream::connect(socket).await?;
    program.set_nodelay(true)?;
    let (mut from_program, mut to_program) = program.into_split();
    let (mut from_proxy, mut to_proxy) = proxy.into_split();
    let asking = async {
        // Where the proxy takes no more, what the program still sends is read all the same: an end
        // with something unread would take from it what it has not read yet of the answer.
        let _ = copy(&mut from_program, &mut to_proxy).await;
        tokio::io::copy(&mut from_program, &mut tokio::io::sink()).await
    };
    let answering = copy(&mut from_proxy, &mut to_program);
    let (mut asking, mut answering) = (pin!(asking), pin!(answering));
    tokio::select! {
        _ = &mut asking => answering.await,
        answered = &mut answering => {
            answered?;
            let _ = timeout(LINGER, asking).await;
            Ok(())
        }
    }
}

/// To the end of `from`, or until `to` takes no more; then `to` is shut down.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
