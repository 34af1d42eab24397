//! A real network: a home's own HTTP client against a server on loopback that follows the script.
//!
//! Invariant: every byte of an answer came over a real connection, and a session sees it exactly as
//! it would from the simulated network.
//!
//! - A request goes to `BASE/NAME/…` instead of `http://NAME.test/…`: the journal holds the
//!   scenario's address, in every home the same.
//! - Waits are virtual. The server sends an answer at once; it is given out in the script's pieces,
//!   and the virtual clock sleeps where the script waits.
//! - Where the server is silent, the real client must really run into its idle timeout, which is a
//!   short one; the virtual one is what the session sees.
//! - A connection that is refused or dies really does. The words for it are the system's own and
//!   differ from home to home, so the script's take their place once the kind of the error was
//!   found to be right. Anything else that goes wrong is a panic.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc};
use tau_core::session::{HttpError, HttpHead, HttpRequest};
use tau_platform::{
    Body, Clock, Http,
    sim::{
        SimHost,
        idle::{never, timeout, wait},
    },
};

use super::{
    Head, Network, Response,
    pace::{Gate, GatedClock},
};
use crate::wire::Frame;

/// The longest piece of a body.
const CHUNK_BYTES: usize = 64 * 1024;
/// The real idle timeout where the server is silent for good.
const SILENCE_MS: u64 = 3_000;
/// The real idle timeout everywhere else: longer than a busy machine takes.
const PATIENCE_MS: u64 = 60_000;

/// A home's HTTP client and where the scenario's server is.
#[derive(Clone, Debug)]
pub struct Loopback<H> {
    /// The client.
    pub client: H,
    /// The server's, of this play alone, without trailing slash.
    pub base_url: String,
    /// Where nobody listens, without trailing slash.
    pub refused_url: String,
}

impl<H: Http + Clone> Network for Loopback<H> {
    type Http = LoopbackHttp<H>;

    fn client(&self, sim: &SimHost, gate: &Gate, responses: VecDeque<Response>) -> Self::Http {
        LoopbackHttp {
            network: self.clone(),
            clock: GatedClock {
                clock: sim.clock().clone(),
                gate: gate.clone(),
            },
            responses: Rc::new(RefCell::new(responses)),
        }
    }
}

/// The client of one process.
#[derive(Clone, Debug)]
pub struct LoopbackHttp<H> {
    network: Loopback<H>,
    clock: GatedClock,
    responses: Rc<RefCell<VecDeque<Response>>>,
}

impl<H: Http + Clone> Http for LoopbackHttp<H> {
    type Body = LoopbackBody<H>;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, Self::Body), HttpError> {
        let Some(response) = self.responses.borrow_mut().pop_front() else {
            panic!("a request was not expected: {}", request.url);
        };
        let idle_ms = request.idle_timeout_ms;
        let silent = response.head == Head::Hangs || response.frames.contains(&Frame::Hang);
        let real = HttpRequest {
            url: self.address(&request.url, &response),
            idle_timeout_ms: if silent { SILENCE_MS } else { PATIENCE_MS },
            ..request
        };
        let sent = self.clock.gate.real(self.network.client.send(real)).await;
        if response.head == Head::Hangs {
            is_silence(sent.err().as_ref());
            return Err(never(&self.clock, idle_ms).await);
        }
        if response.late_ms > 0 {
            wait(&self.clock, response.late_ms, idle_ms).await?;
        }
        let Head::Status(status) = response.head else {
            let error = sent.err();
            assert!(
                matches!(error, Some(HttpError::Connect { .. })),
                "nobody listens, yet the client says {error:?}"
            );
            return Err(HttpError::Connect {
                host: "sim".into(),
                detail: "connection refused".into(),
            });
        };
        let (head, body) = match sent {
            Ok(sent) => sent,
            Err(error) => panic!("the server answers, yet the client says {error:?}"),
        };
        assert_eq!(head.status, status, "the status is the server's");
        let head = HttpHead {
            at: self.clock.now(),
            ..head
        };
        let body = LoopbackBody {
            http: self.clone(),
            body,
            received: Vec::new(),
            frames: response.frames.into(),
            idle_ms,
        };
        Ok((head, body))
    }
}

impl<H> LoopbackHttp<H> {
    /// Where a request really goes.
    fn address(&self, url: &str, response: &Response) -> String {
        let rest = url
            .strip_prefix("http://")
            .and_then(|url| url.strip_prefix(response.host.as_str()));
        let Some(rest) = rest else {
            panic!("{} was to be asked, not {url}", response.host);
        };
        match response.head {
            Head::Refused => format!("{}{rest}", self.network.refused_url),
            _ => format!("{}/{}{rest}", self.network.base_url, response.host),
        }
    }
}

/// A response while it is read.
#[derive(Debug)]
pub struct LoopbackBody<H: Http> {
    http: LoopbackHttp<H>,
    body: H::Body,
    /// Bytes that came and were not given out.
    received: Vec<u8>,
    /// What the script still holds.
    frames: VecDeque<Frame>,
    idle_ms: u64,
}

impl<H: Http + Clone> Body for LoopbackBody<H> {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let clock = self.http.clock.clone();
        let mut waited_ms = 0;
        loop {
            match self.frames.front_mut() {
                None => {
                    let end = self.read().await;
                    assert_eq!(end, Ok(None), "the body has ended");
                    return Ok(None);
                }
                Some(Frame::Wait(millis)) => {
                    let millis = *millis;
                    let left_ms = self.idle_ms.saturating_sub(waited_ms);
                    waited_ms += millis;
                    wait(&clock, millis, left_ms)
                        .await
                        .map_err(|_| timeout(self.idle_ms))?;
                    self.frames.pop_front();
                }
                Some(Frame::Bytes(bytes)) => {
                    let rest = bytes.split_off(bytes.len().min(CHUNK_BYTES));
                    let length = std::mem::replace(bytes, rest).len();
                    if bytes.is_empty() {
                        self.frames.pop_front();
                    }
                    if length > 0 {
                        return Ok(Some(self.take(length).await));
                    }
                }
                Some(Frame::Reset) => {
                    self.ask_for_reset().await;
                    let end = self.read().await;
                    assert!(
                        matches!(end, Err(HttpError::Reset { .. })),
                        "the connection died, yet the client says {end:?}"
                    );
                    return Err(HttpError::Reset {
                        detail: "connection reset by peer".into(),
                    });
                }
                Some(Frame::Hang) => {
                    let error = never(&clock, self.idle_ms).await;
                    is_silence(self.read().await.err().as_ref());
                    return Err(error);
                }
            }
        }
    }
}

impl<H: Http + Clone> LoopbackBody<H> {
    /// The next bytes of the real body.
    async fn read(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        assert!(
            self.received.is_empty(),
            "{} bytes came that are not in the script",
            self.received.len()
        );
        self.http.clock.gate.real(self.body.chunk()).await
    }

    /// Exactly so many bytes of the real body.
    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            match self.http.clock.gate.real(self.body.chunk()).await {
                Ok(Some(bytes)) => self.received.extend(bytes),
                other => panic!("more of the body was to come, yet the client says {other:?}"),
            }
        }
        let rest = self.received.split_off(length);
        std::mem::replace(&mut self.received, rest)
    }

    /// Lets the server kill the connection, now that everything before was read: what is still on
    /// its way when a connection dies may be lost with it.
    async fn ask_for_reset(&self) {
        let network = &self.http.network;
        let request = HttpRequest {
            method: "POST".into(),
            url: format!("{}/reset", network.base_url),
            headers: Vec::new(),
            body: Arc::from(&b""[..]),
            idle_timeout_ms: PATIENCE_MS,
        };
        let sent = self
            .http
            .clock
            .gate
            .real(network.client.send(request))
            .await;
        let sent = sent.map(|(head, _)| head.status);
        assert_eq!(sent, Ok(204), "the server can be told to hang up");
    }
}

/// The real client ran into its idle timeout.
fn is_silence(error: Option<&HttpError>) {
    assert_eq!(
        error,
        Some(&timeout(SILENCE_MS)),
        "the server is silent, and the client is to say so"
    );
}
