//! The tool `http` in every home: what [`tau_core::tool::http`] says is sent, and nothing else.
//!
//! Invariant: whatever is sent was given out by [`Exchange::next_request`]: the adapter gets no other
//! requests, and follows no redirect by itself.

use alloc::{string::String, vec::Vec};
use core::{future::Future, pin::pin};
use futures_util::future::{Either, select};
use tau_core::{
    egress::Origin,
    policy::{Refusal, http::HttpLimits},
    session::{HttpError, HttpHead},
    tool::{
        ToolOutput, ToolRun,
        http::{Exchange, Failure, Outgoing, Response, Step, cut},
    },
};

use crate::{clock::Clock, http::Body};

/// How requests of tools leave this home.
pub trait Outbound {
    /// A response's body while it is read, decompressed.
    type Body: Body;

    /// Sends the request to what was decided about, and waits for the response's head.
    ///
    /// A home that resolves names decides about the answers first, and connects to one of those and
    /// no other. No redirects, no proxies, no cookies. Dropping the future closes the connection.
    async fn send(&self, request: Outgoing) -> Result<(HttpHead, Self::Body), OutboundError>;

    /// Text of `bytes` in the encoding that `label` names, whatever they hold.
    fn decode(&self, bytes: &[u8], label: &str) -> String;

    /// What only this home knows about a request that failed.
    fn hint(&self, _error: &HttpError) -> Option<&'static str> {
        None
    }
}

/// Why nothing was sent, or nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// What the name leads to may not be reached.
    #[error("{}", .0.reason)]
    Refused(Refusal),
    /// It did not work.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl From<Refusal> for OutboundError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The tool of a home.
#[derive(Clone, Debug)]
pub struct HttpTool<O, C> {
    outbound: O,
    clock: C,
    /// Reached beside what the policy says, such as a server of the home's own.
    allowed: Vec<Origin>,
}

impl<O: Outbound, C: Clock> HttpTool<O, C> {
    /// A tool that reaches what the policy of a call lets it reach, and `allowed`.
    pub fn new(outbound: O, clock: C, allowed: Vec<Origin>) -> Self {
        Self {
            outbound,
            clock,
            allowed,
        }
    }

    /// Runs a call of the tool within its limits. Dropping the future closes the connection.
    pub async fn run(&self, run: ToolRun) -> ToolOutput {
        let limit = usize::try_from(run.limits.output_bytes).unwrap_or(usize::MAX);
        let Some(mut limits) = run.http else {
            // Only a call that was decided about as one of the network has them.
            return ToolOutput::error("this call may not reach the network");
        };
        limits.timeout_ms = limits.timeout_ms.min(run.limits.timeout_ms);
        let mut output = match self.fetch(&run.arguments, limits).await {
            Ok(response) => response.to_output(limit),
            Err(failure) => failure.to_output(),
        };
        output.text = cut(output.text, limit);
        output
    }

    /// Sends what `arguments` ask for and what it is redirected to, and reads the answer.
    pub async fn fetch(
        &self,
        arguments: &serde_json::Value,
        mut limits: HttpLimits,
    ) -> Result<Response, Failure> {
        limits.rules = limits.rules.with_origins(&self.allowed);
        let mut exchange = Exchange::new(arguments, &limits)?;
        let (url, method) = (exchange.url(), exchange.method());
        let after_ms = exchange.limits().timeout_ms;
        let deadline = self.clock.now().plus(after_ms);
        let work = within(self.exchange(&mut exchange), &self.clock, deadline);
        work.await.unwrap_or(Err(Failure::TimedOut {
            url,
            method,
            after_ms,
        }))
    }

    /// Brings `body` to the inbox of another agent, or asks there who it is of, without one: the
    /// status and the beginning of the answer, which is as long as `limits` let it be.
    pub async fn message(
        &self,
        url: &str,
        body: Option<&[u8]>,
        mut limits: HttpLimits,
    ) -> Result<(u16, Vec<u8>), Failure> {
        limits.rules = limits.rules.with_origins(&self.allowed);
        let mut exchange = Exchange::of_message(url, body, &limits)?;
        let method = exchange.method();
        let after_ms = limits.timeout_ms;
        let deadline = self.clock.now().plus(after_ms);
        let work = within(self.answer(&mut exchange), &self.clock, deadline);
        work.await.unwrap_or_else(|| {
            Err(Failure::TimedOut {
                url: url.into(),
                method,
                after_ms,
            })
        })
    }

    async fn answer(&self, exchange: &mut Exchange) -> Result<(u16, Vec<u8>), Failure> {
        let request = exchange.next_request()?;
        let sent = self.outbound.send(request).await;
        // An inbox that is elsewhere by now is another address: nothing is sent on.
        let (head, mut body) = sent.map_err(|error| self.failure(exchange, error))?;
        let limit = exchange.limits().response_bytes;
        let read = start_of(&mut body, usize::try_from(limit).unwrap_or(usize::MAX)).await;
        let (bytes, _) = read.map_err(|error| self.failure(exchange, error.into()))?;
        Ok((head.status, bytes))
    }

    async fn exchange(&self, exchange: &mut Exchange) -> Result<Response, Failure> {
        loop {
            let request = exchange.next_request()?;
            let sent = self.outbound.send(request).await;
            let (head, mut body) = sent.map_err(|error| self.failure(exchange, error))?;
            if exchange.handle_head(&head)? == Step::Follow {
                continue;
            }
            let limit = exchange.limits().response_bytes;
            let read = start_of(&mut body, usize::try_from(limit).unwrap_or(usize::MAX)).await;
            let (bytes, truncated) = read.map_err(|error| self.failure(exchange, error.into()))?;
            let decode = |bytes: &[u8], label: &str| self.outbound.decode(bytes, label);
            return Ok(Response::new(exchange, &head, &bytes, truncated, decode));
        }
    }

    fn failure(&self, exchange: &Exchange, error: OutboundError) -> Failure {
        match error {
            OutboundError::Refused(refusal) => refusal.into(),
            OutboundError::Http(error) => Failure::Http {
                url: exchange.url(),
                method: exchange.method(),
                hint: self.outbound.hint(&error),
                error,
            },
        }
    }
}

/// The body up to the limit, and whether there was more.
async fn start_of(body: &mut impl Body, limit: usize) -> Result<(Vec<u8>, bool), HttpError> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.chunk().await? {
        bytes.extend(piece);
        if bytes.len() > limit {
            bytes.truncate(limit);
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}

async fn within<T>(
    work: impl Future<Output = T>,
    clock: &impl Clock,
    deadline: tau_core::ids::UnixMillis,
) -> Option<T> {
    let sleep = pin!(clock.sleep_until(deadline));
    match select(pin!(work), sleep).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
