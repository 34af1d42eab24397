//! Scripted models: for each play of a scenario, its answers in order.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};
use tau_tests::{
    scenario::{Head, Response},
    wire::Frame,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};

use super::suite::{ALWAYS, Asked, preflight, until_closed, whole};

/// The plays that are under way, by their number.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    next: AtomicUsize,
    by_number: Mutex<BTreeMap<usize, Arc<Run>>>,
}

/// One play.
#[derive(Debug, Default)]
pub(crate) struct Run {
    state: Mutex<State>,
    /// Connections that are kept open now.
    open: AtomicUsize,
    reset: Notify,
}

#[derive(Debug, Default)]
struct State {
    responses: Vec<Response>,
    /// Bodies of the requests, oldest first.
    asked: Vec<String>,
    /// What nobody foresaw.
    problems: Vec<String>,
}

impl Runs {
    /// A new play whose requests will be answered with `responses`, in that order.
    pub(crate) fn begin(&self, responses: Vec<Response>) -> (usize, Arc<Run>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let run = Arc::new(Run::default());
        run.state().responses = responses;
        self.runs().insert(number, Arc::clone(&run));
        (number, run)
    }

    pub(crate) fn end(&self, number: usize) {
        self.runs().remove(&number);
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Arc<Run>>> {
        self.by_number
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request to `NUMBER/HOST/…`, or to `NUMBER/reset`.
    pub(crate) async fn answer(
        &self,
        stream: &mut TcpStream,
        asked: Asked,
        path: &str,
    ) -> io::Result<()> {
        if asked.method == "OPTIONS" {
            return stream.write_all(&preflight()).await;
        }
        let (number, rest) = path.split_once('/').unwrap_or_default();
        let run = number
            .parse()
            .ok()
            .and_then(|number: usize| self.runs().get(&number).cloned());
        let Some(run) = run else {
            return stream.write_all(&whole("410 Gone", b"")).await;
        };
        if rest == "reset" {
            run.reset.notify_one();
            let head = format!("HTTP/1.1 204 No Content\r\n{ALWAYS}\r\n\r\n");
            return stream.write_all(head.as_bytes()).await;
        }
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        match run.next(rest, body) {
            Some(response) => {
                run.open.fetch_add(1, Ordering::SeqCst);
                let given = run.give(stream, &response).await;
                run.open.fetch_sub(1, Ordering::SeqCst);
                given
            }
            None => stream.write_all(&whole("500 Unforeseen", b"")).await,
        }
    }
}

impl Run {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bodies of all requests so far, and what nobody foresaw.
    pub(crate) fn seen(&self) -> (Vec<String>, Vec<String>) {
        let state = self.state();
        (state.asked.clone(), state.problems.clone())
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The answer to the next request, which must be to its host.
    fn next(&self, path: &str, body: String) -> Option<Response> {
        let mut state = self.state();
        let response = state.responses.get(state.asked.len()).cloned();
        state.asked.push(body);
        let number = state.asked.len();
        let Some(response) = response else {
            let problem = format!("the server was asked {number} times: {path}");
            state.problems.push(problem);
            return None;
        };
        if !path.starts_with(&format!("{}/", response.host)) {
            let problem = format!("request {number} was for {}, not {path}", response.host);
            state.problems.push(problem);
            return None;
        }
        Some(response)
    }

    async fn give(&self, stream: &mut TcpStream, response: &Response) -> io::Result<()> {
        let closed = AtomicU32::new(0);
        let Head::Status(status) = response.head else {
            return until_closed(stream, &closed).await;
        };
        let mut bytes = format!("HTTP/1.1 {status} Said\r\n{ALWAYS}\r\n").into_bytes();
        for (name, value) in &response.headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
        for frame in &response.frames {
            match frame {
                Frame::Bytes(piece) if !piece.is_empty() => {
                    bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                    bytes.extend(piece);
                    bytes.extend(b"\r\n");
                }
                // Virtual: whoever reads knows where the script waits.
                Frame::Bytes(_) | Frame::Wait(_) => {}
                Frame::Hang => {
                    stream.write_all(&bytes).await?;
                    return until_closed(stream, &closed).await;
                }
                Frame::Reset => {
                    stream.write_all(&bytes).await?;
                    tokio::select! {
                        () = self.reset.notified() => {}
                        closed = until_closed(stream, &closed) => closed?,
                    }
                    return Ok(());
                }
            }
        }
        bytes.extend(b"0\r\n\r\n");
        stream.write_all(&bytes).await
    }
}
