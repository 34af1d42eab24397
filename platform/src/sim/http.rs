//! A network that follows a script.
//!
//! Invariant: every request a session sends is one the test expected, in the order it expected
//! them; any other ends the test and says what was sent.

use alloc::{
    collections::VecDeque,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::RefCell;
use tau_core::session::{HttpError, HttpHead, HttpRequest};

use super::{
    clock::SimClock,
    idle::{never, timeout, wait},
};
use crate::{
    clock::Clock,
    http::{Body, Http},
};

/// The longest piece of a body.
const CHUNK_BYTES: usize = 64 * 1024;

/// One expected request and what comes of it. Starts as a 200 without a body.
#[derive(Clone, Debug)]
pub struct Exchange {
    url: Option<String>,
    body: Vec<String>,
    delay_ms: u64,
    head: Head,
    headers: Vec<(String, String)>,
    pieces: VecDeque<Piece>,
}

#[derive(Clone, Debug)]
enum Head {
    Status(u16),
    Fails(HttpError),
    Never,
}

#[derive(Clone, Debug)]
enum Piece {
    Wait(u64),
    Bytes(Vec<u8>),
    Fails(HttpError),
    Never,
}

impl Exchange {
    /// Answers with `status`.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::with(Head::Status(status))
    }

    /// Answers 200 with these bytes as one piece.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).bytes(body)
    }

    /// Nobody listens.
    #[must_use]
    pub fn refused() -> Self {
        Self::failing(HttpError::Connect {
            host: "sim".into(),
            detail: "connection refused".into(),
        })
    }

    /// Fails before there is a head.
    #[must_use]
    pub fn failing(error: HttpError) -> Self {
        Self::with(Head::Fails(error))
    }

    /// Never answers: the request's idle timeout ends it.
    #[must_use]
    pub fn hanging() -> Self {
        Self::with(Head::Never)
    }

    fn with(head: Head) -> Self {
        Self {
            url: None,
            body: Vec::new(),
            delay_ms: 0,
            head,
            headers: Vec::new(),
            pieces: VecDeque::new(),
        }
    }

    /// Expects `part` in the URL.
    #[must_use]
    pub fn to(mut self, part: &str) -> Self {
        self.url = Some(part.into());
        self
    }

    /// Expects `part` in the request's body, besides other parts.
    #[must_use]
    pub fn saying(mut self, part: &str) -> Self {
        self.body.push(part.into());
        self
    }

    /// The head takes so long.
    #[must_use]
    pub fn late(mut self, millis: u64) -> Self {
        self.delay_ms = millis;
        self
    }

    /// Adds a header to the response; `name` in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a piece to the body. The body ends cleanly after its last piece.
    #[must_use]
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.pieces.push_back(Piece::Bytes(bytes.into()));
        self
    }

    /// What comes next in the body takes so long.
    #[must_use]
    pub fn wait(mut self, millis: u64) -> Self {
        self.pieces.push_back(Piece::Wait(millis));
        self
    }

    /// The connection dies here.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.pieces.push_back(Piece::Fails(HttpError::Reset {
            detail: "connection reset by peer".into(),
        }));
        self
    }

    /// Nothing more comes, and the connection stays open.
    #[must_use]
    pub fn stall(mut self) -> Self {
        self.pieces.push_back(Piece::Never);
        self
    }

    /// Drops all of the body after its first `length` bytes; `.cut(9)` alone is a clean early end,
    /// `.cut(9).reset()` a connection that dies there.
    #[must_use]
    pub fn cut(mut self, length: usize) -> Self {
        let mut left = length;
        let mut kept = VecDeque::new();
        for piece in self.pieces {
            match piece {
                Piece::Bytes(mut bytes) => {
                    bytes.truncate(left);
                    left -= bytes.len();
                    kept.push_back(Piece::Bytes(bytes));
                }
                other => kept.push_back(other),
            }
            if left == 0 {
                break;
            }
        }
        self.pieces = kept;
        self
    }

    /// Gives the body in pieces of `length` bytes, wherever that cuts it.
    #[must_use]
    pub fn split(mut self, length: usize) -> Self {
        let pieces = core::mem::take(&mut self.pieces);
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => self
                    .pieces
                    .extend(bytes.chunks(length.max(1)).map(|c| Piece::Bytes(c.into()))),
                other => self.pieces.push_back(other),
            }
        }
        self
    }
}

/// A scripted network. Clones share the script.
#[derive(Clone, Debug)]
pub struct SimHttp {
    clock: SimClock,
    state: Rc<RefCell<State>>,
}

#[derive(Debug, Default)]
struct State {
    expected: VecDeque<Exchange>,
    requests: Vec<HttpRequest>,
    open: usize,
}

impl SimHttp {
    pub(super) fn new(clock: &SimClock) -> Self {
        Self {
            clock: clock.clone(),
            state: Rc::default(),
        }
    }

    /// Adds to the end of the script.
    pub fn expect(&self, exchange: Exchange) {
        self.state.borrow_mut().expected.push_back(exchange);
    }

    /// Every request that was sent, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.state.borrow().requests.clone()
    }

    /// The bodies of those requests, as text.
    #[must_use]
    pub fn bodies(&self) -> Vec<String> {
        let state = self.state.borrow();
        let text = |request: &HttpRequest| String::from_utf8_lossy(&request.body).to_string();
        state.requests.iter().map(text).collect()
    }

    /// How many exchanges of the script have not happened yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.state.borrow().expected.len()
    }

    /// Connections that are open now: requests under way and bodies that were not dropped.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.borrow().open
    }

    /// Takes the exchange of `request` from the script.
    fn next(&self, request: &HttpRequest) -> Exchange {
        let mut state = self.state.borrow_mut();
        state.requests.push(request.clone());
        let number = state.requests.len();
        let body = String::from_utf8_lossy(&request.body);
        let Some(exchange) = state.expected.pop_front() else {
            panic!(
                "request {number} was not expected: {} {}\n{body}",
                request.method, request.url
            );
        };
        let url_fits = exchange
            .url
            .as_ref()
            .is_none_or(|p| request.url.contains(p));
        let missing = exchange.body.iter().find(|part| !body.contains(*part));
        assert!(
            url_fits && missing.is_none(),
            "request {number} is not as expected: {} {}\n{body}\nexpected in the URL {:?}, in the body {:?}",
            request.method,
            request.url,
            exchange.url,
            exchange.body
        );
        exchange
    }
}

impl Http for SimHttp {
    type Body = SimBody;

    async fn send(&self, request: HttpRequest) -> Result<(HttpHead, SimBody), HttpError> {
        let exchange = self.next(&request);
        let open = Open::new(self);
        let idle_ms = request.idle_timeout_ms;
        if exchange.delay_ms > 0 {
            wait(&self.clock, exchange.delay_ms, idle_ms).await?;
        }
        let status = match exchange.head {
            Head::Status(status) => status,
            Head::Fails(error) => return Err(error),
            Head::Never => return Err(never(&self.clock, idle_ms).await),
        };
        let head = HttpHead {
            status,
            headers: exchange.headers,
            at: self.clock.now(),
        };
        let body = SimBody {
            pieces: exchange.pieces,
            idle_ms,
            open,
        };
        Ok((head, body))
    }
}

/// The body of a scripted response.
#[derive(Debug)]
pub struct SimBody {
    pieces: VecDeque<Piece>,
    idle_ms: u64,
    open: Open,
}

impl Body for SimBody {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let clock = &self.open.http.clock;
        let mut waited_ms = 0;
        loop {
            match self.pieces.front_mut() {
                None => return Ok(None),
                Some(Piece::Wait(millis)) => {
                    waited_ms += *millis;
                    wait(
                        clock,
                        *millis,
                        self.idle_ms.saturating_sub(waited_ms - *millis),
                    )
                    .await
                    .map_err(|_| timeout(self.idle_ms))?;
                    self.pieces.pop_front();
                }
                Some(Piece::Bytes(bytes)) => {
                    let rest = bytes.split_off(bytes.len().min(CHUNK_BYTES));
                    let piece = core::mem::replace(bytes, rest);
                    if bytes.is_empty() {
                        self.pieces.pop_front();
                    }
                    if !piece.is_empty() {
                        return Ok(Some(piece));
                    }
                }
                Some(Piece::Fails(error)) => return Err(error.clone()),
                Some(Piece::Never) => return Err(never(clock, self.idle_ms).await),
            }
        }
    }
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
struct Open {
    http: SimHttp,
}

impl Open {
    fn new(http: &SimHttp) -> Self {
        http.state.borrow_mut().open += 1;
        Self { http: http.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.http.state.borrow_mut().open -= 1;
    }
}
