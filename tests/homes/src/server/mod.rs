//! Servers on loopback: scripted models and the suites' server here, the page's in [`page`].
//!
//! They listen on a port of their own and are gone, with every connection, when they are dropped.

pub mod page;
mod runs;
pub mod suite;

use anyhow::{Context, Result};
use std::{
    future::Future,
    io,
    sync::{Arc, atomic::AtomicU32},
};
use tau_tests::scenario::{Head, Response};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

use runs::{Run, Runs};
use suite::Asked;

/// A listener that answers each connection once.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Without trailing slash.
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens, and has each request answered by `answer`.
    pub(crate) async fn start<F>(
        answer: impl Fn(TcpStream, Asked) -> F + Clone + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let answer = answer.clone();
                connections.spawn(async move {
                    // An error is a client that went away.
                    if let Ok(asked) = suite::read(&mut stream).await {
                        answer(stream, asked).await.ok();
                    }
                });
            }
        });
        Ok(Self { url, task })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The models of all plays, and the server of the HTTP suite.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    runs: Arc<Runs>,
    /// Bound and not listening: whoever connects is refused, and nobody else gets the port.
    refuses: TcpSocket,
}

impl Server {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let runs = Arc::new(Runs::default());
        let (shared, closed) = (Arc::clone(&runs), Arc::new(AtomicU32::new(0)));
        let listener = Listener::start(move |mut stream, asked| {
            let (runs, closed) = (Arc::clone(&shared), Arc::clone(&closed));
            async move {
                let path = asked.path.clone();
                if let Some(path) = path.strip_prefix("/suite") {
                    return suite::answer(&mut stream, &asked, path, &closed).await;
                }
                let path = path.strip_prefix("/play/").unwrap_or_default();
                runs.answer(&mut stream, asked, path).await
            }
        });
        let refuses = TcpSocket::new_v4()?;
        refuses.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self {
            listener: listener.await.context("cannot listen on loopback")?,
            runs,
            refuses,
        })
    }

    /// The address of the HTTP suite's server, without trailing slash.
    #[must_use]
    pub fn suite_url(&self) -> String {
        format!("{}/suite", self.listener.url)
    }

    /// An address where nobody listens, without trailing slash.
    pub fn refused_url(&self) -> Result<String> {
        Ok(format!("http://{}", self.refuses.local_addr()?))
    }

    /// Models for one play; `responses` are those of the scenario.
    pub(crate) fn begin(&self, responses: Vec<Response>) -> Play<'_> {
        // Where nobody listens, nobody answers.
        let served = responses.into_iter();
        let served = served.filter(|response| response.head != Head::Refused);
        let (number, run) = self.runs.begin(served.collect());
        Play {
            server: self,
            number,
            run,
        }
    }
}

/// One play. Its models are gone when it is dropped.
pub(crate) struct Play<'s> {
    server: &'s Server,
    number: usize,
    run: Arc<Run>,
}

impl Play<'_> {
    /// Its address, without trailing slash.
    pub(crate) fn url(&self) -> String {
        format!("{}/play/{}", self.server.listener.url, self.number)
    }

    /// The bodies of all requests so far, and what nobody foresaw.
    pub(crate) fn seen(&self) -> (Vec<String>, Vec<String>) {
        self.run.seen()
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.run.open()
    }
}

impl Drop for Play<'_> {
    fn drop(&mut self) {
        self.server.runs.end(self.number);
    }
}
